"""Names as people have them: nothing that a name states is ignored."""

import csv
from pathlib import Path

import pytest

from tokenwall import data
from tokenwall.data.names import format_of, formats, key_of, memory_of, named
from tokenwall.serving import predict, shape_of
from tokenwall.serving.stored import stored_bits

TABLES = Path(data.__file__).parent

MODELS = {
    "meta-llama/Llama-3.1-8B-Instruct": ("llama-3.1-8b", None),
    "meta-llama/Meta-Llama-3-8B-Instruct": ("llama-3-8b", None),
    "meta-llama/Llama-3.3-70B-Instruct": ("llama-3.1-70b", None),
    "meta-llama/Llama-3.2-3B-Instruct": ("llama-3.2-3b", None),
    "Qwen/Qwen3-8B": ("qwen3-8b", None),
    "Qwen/Qwen3-8B-FP8": ("qwen3-8b", "fp8"),
    "Qwen/Qwen2.5-7B-Instruct": ("qwen2.5-7b", None),
    "Qwen/Qwen2.5-72B-Instruct-AWQ": ("qwen2.5-72b", "awq"),
    "Qwen/Qwen2.5-Coder-32B-Instruct": ("qwen2.5-32b", None),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": ("qwen3-30b-a3b", None),
    "Qwen/Qwen3-235B-A22B": ("qwen3-235b-a22b", None),
    "Qwen/QwQ-32B": ("qwen2.5-32b", None),
    "google/gemma-3-27b-it": ("gemma-3-27b", None),
    "google/gemma-2-9b-it": ("gemma-2-9b", None),
    "moonshotai/Kimi-K2-Instruct-0905": ("kimi-k2", None),
    "MiniMaxAI/MiniMax-M2": ("minimax-m2.5", None),
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": ("llama-3.1-8b", None),
    "deepseek-ai/DeepSeek-R1-0528": ("deepseek-v3", None),
    "deepseek-ai/DeepSeek-V3-0324": ("deepseek-v3", None),
    "mistralai/Mistral-7B-Instruct-v0.3": ("mistral-7b-v0.3", None),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": ("mixtral-8x7b", None),
    "mistralai/Mistral-Small-24B-Instruct-2501": ("mistral-small-24b", None),
    "mistralai/Mistral-Nemo-Instruct-2407": ("mistral-nemo-12b", None),
    "microsoft/Phi-3-mini-4k-instruct": ("phi-3-mini", None),
    "zai-org/GLM-4.5-Air": ("glm-4.5-air", None),
    "openai/gpt-oss-120b": ("gpt-oss-120b", None),
    "mlx-community/Meta-Llama-3.1-8B-Instruct-4bit": ("llama-3.1-8b", "mlx-4bit"),
    "mlx-community/Qwen3-30B-A3B-4bit": ("qwen3-30b-a3b", "mlx-4bit"),
    "TheBloke/Llama-2-7B-Chat-GGUF": ("llama-2-7b", None),
    "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf": ("llama-3.1-8b", "q4_k_m"),
    "llama-2-7b.Q4_0.gguf": ("llama-2-7b", "q4_0"),
    "qwen2.5-7b-instruct-q5_k_m.gguf": ("qwen2.5-7b", "q5_k_m"),
    "gpt-oss-20b-mxfp4.gguf": ("gpt-oss-20b", "mxfp4-gguf"),
    "unsloth/DeepSeek-R1-GGUF UD-IQ1_S": ("deepseek-v3", "iq1_s"),
    "DeepSeek-R1 (NVFP4 experts, BF16 attention)": ("deepseek-v3", "nvfp4+bf16"),
    "nvidia/Llama-3.1-70B-Instruct-FP8": ("llama-3.1-70b", "fp8"),
    "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8": ("llama-3.1-8b", "int8"),
    "hugging-quants/Meta-Llama-3.1-405B-Instruct-GPTQ-INT4": ("llama-3.1-405b", "gptq"),
    "unsloth/Llama-3.2-1B-Instruct-bnb-4bit": ("llama-3.2-1b", "bnb-4bit"),
    "llama3.1:8b": ("llama-3.1-8b", "q4_k_m"),
    "llama3.3:70b-instruct-q8_0": ("llama-3.1-70b", "q8_0"),
    "qwen3:30b": ("qwen3-30b-a3b", "q4_k_m"),
    "deepseek-r1:70b": ("llama-3.1-70b", "q4_k_m"),
    "deepseek-r1:671b": ("deepseek-v3", "q4_k_m"),
    "gemma3:27b": ("gemma-3-27b", "q4_k_m"),
    "gpt-oss:20b": ("gpt-oss-20b", None),
    "Llama-3-8B Q4_K_M": ("llama-3-8b", "q4_k_m"),
    "Qwen2.5-Coder-7B-Q8_0": ("qwen2.5-7b", "q8_0"),
}
DEVICES = {
    "NVIDIA H100 80GB HBM3": "h100-sxm",
    "NVIDIA H100 PCIe": "h100-pcie",
    "NVIDIA A100-SXM4-80GB": "a100-sxm-80gb",
    "NVIDIA A100-SXM4-40GB": "a100-sxm-40gb",
    "NVIDIA GeForce RTX 4090": "rtx-4090",
    "GeForce RTX 3060": "rtx-3060-12gb",
    "RTX 4060 Ti 16GB": "rtx-4060-ti-16gb",
    "NVIDIA RTX 6000 Ada Generation": "rtx-6000-ada",
    "RTX PRO 6000 Blackwell Workstation Edition": "rtx-pro-6000-blackwell",
    "Tesla T4": "t4",
    "Tesla V100-SXM2-32GB": "v100-sxm2-32gb",
    "AMD Instinct MI300X": "mi300x",
    "Radeon RX 7900 XTX": "rx-7900-xtx",
    "Strix Halo": "ryzen-ai-max-395",
    "DGX Spark": "gb10",
    "Mac Studio M3 Ultra": "apple-m3-ultra",
    "MacBook Pro M3 Max": "apple-m3-max",
    "MacBook Air M2": "apple-m2",
    "Mac mini M4 Pro": "apple-m4-pro",
    "M4 Max 36GB": "apple-m4-max-32c",
    "Intel Arc B580": "arc-b580",
    "Cerebras WSE-3": "wse-3",
}
# Other models or machines, however alike: better unknown than wrong.
UNKNOWN = ["Qwen3.5 27B", "deepseek-ai/DeepSeek-V3.2", "google/gemma-4-31b-it", "llama3.1:latest"]


@pytest.mark.parametrize(("name", "wanted"), MODELS.items(), ids=list(MODELS))
def test_a_models_name_says_which_and_in_which_format(name, wanted):
    found = named(name)
    assert (found.key, found.format and found.format.key) == wanted


@pytest.mark.parametrize(("name", "key"), DEVICES.items(), ids=list(DEVICES))
def test_a_devices_name_is_known(name, key):
    assert data.resolve("machines", name) == key


@pytest.mark.parametrize("name", UNKNOWN)
def test_another_model_is_not_taken_for_one_of_the_table(name):
    with pytest.raises(ValueError, match=r"is unknown; nearest: "):
        named(name)


@pytest.mark.parametrize("name", ["8xH100", "8 x H100 SXM", "RTX 4090 x 2"])
def test_several_devices_in_a_name_are_refused_with_advice(name):
    with pytest.raises(ValueError, match=r"names \d devices; name one, and say devices="):
        key_of("machines", name)


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("M3 Ultra 96GB", 96),
        ("M4 Max 64GB", 64),
        ("M4 Pro 24GB", 24),
        ("M2 Ultra 64GB", 64),
        ("M4 Max 36GB", 36),
        ("M4 Max 32-Core GPU 36GB", 36),
        ("M3 Ultra 512GB", 512),
    ],
)
def test_the_memory_in_a_name_is_the_machines(name, gigabytes):
    assert float(data.machine(name)["memory_capacity"]) == gigabytes * 1e9


@pytest.mark.parametrize("name", ["RTX 4090 48GB", "M4 Max 32-Core GPU 128GB", "H100 40GB"])
def test_a_memory_that_is_not_sold_is_refused(name):
    with pytest.raises(ValueError, match=r"names \d+ GB; .* has \d+ GB in the table"):
        data.machine(name)


def test_a_host_in_front_of_brackets_is_not_the_device():
    assert memory_of("Pi 500+ - 16GB (AMD RX 7900 XT*)") is None
    assert float(data.machine("Pi 500+ - 16GB (AMD RX 7900 XT*)")["memory_capacity"]) == 20e9


def test_every_alias_with_a_format_states_it():
    with (TABLES / "models_index.csv").open(encoding="utf-8") as file:
        aliases = [a for row in csv.DictReader(file) for a in row["aliases"].split(" | ")]
    stating = [a for a in aliases if any(f in a for f in ("Q4_", "Q8_0", "FP8", "NVFP4", "F16"))]
    assert len(stating) >= 8
    for alias in stating:
        assert named(alias).format is not None, alias


@pytest.mark.parametrize(
    ("model", "gigabytes"),
    [
        # Sizes of files that their owners print: llama.cpp's table of quantize for Llama 3.1 8B.
        ("Llama-3.1-8B Q4_K_M", 4.58 * 1.073741824),
        ("Llama-3.1-8B IQ2_XS", 2.42 * 1.073741824),
        ("Llama-3.1-8B Q8_0", 7.95 * 1.073741824),
        # ggml-org's file of gpt-oss-20b, and DeepSeek's own weights.
        ("gpt-oss-20b-mxfp4.gguf", 11.27 * 1.073741824),
        ("deepseek-ai/DeepSeek-R1", 671),
        ("Llama-2-7B Q4_0", 3.56 * 1.073741824),
    ],
)
def test_a_files_size_follows_from_its_name(model, gigabytes):
    memory = predict(model, "H200", devices=8, tensor_parallel=8).memory_bytes
    assert memory.weights / 1e9 == pytest.approx(gigabytes, rel=0.02)


def test_a_format_contradicted_by_the_name_is_refused():
    with pytest.raises(ValueError, match=r"weight_bits is 16, but the name .* says Q4_K_M"):
        predict("Llama-3-8B Q4_K_M", "H100", weight_bits=16)
    with pytest.raises(ValueError, match=r"weight_bits is 'q8_0', but the name"):
        predict("Llama-3-8B Q4_K_M", "H100", weight_bits="q8_0")
    assert predict("Llama-3-8B Q4_K_M", "H100", weight_bits=4.9).weights == ""


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"format 'q4_k_x' is unknown; nearest: .*q4_k_"):
        predict("Llama 3.1 8B", "H100", weight_bits="q4_k_x")


@pytest.mark.parametrize("key", formats())
def test_every_format_is_known_by_its_key_and_name(key):
    assert format_of(key).key == key
    bits = formats()[key]
    assert 1 < bits.matrix_bits <= 32
    assert 1 < bits.expert_bits <= 32


def test_what_nobody_said_is_what_was_published_or_16_bits():
    stored = stored_bits("Llama 3.1 8B", shape_of("Llama 3.1 8B"))
    assert (stored.weight_bits, stored.expert_bits) == (16, None)
    assert predict("gpt-oss-20b", "RTX 4090").fits
    assert predict("DeepSeek-R1", "H200", devices=8).fits


def test_a_name_with_a_format_for_experts_and_one_for_the_rest_gives_both():
    found = named("DeepSeek-R1 (NVFP4 experts, BF16 attention)").format
    assert (found.expert_bits, found.matrix_bits, found.embedding_bits) == (4.5, 16, 16)


def test_a_name_with_two_formats_and_no_word_of_which_is_refused():
    with pytest.raises(ValueError, match="names several formats, Q4_K_M, FP8"):
        named("Llama-3.1-8B-FP8-Q4_K_M")

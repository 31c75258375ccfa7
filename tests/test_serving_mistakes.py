"""Mistakes that predictors of served models make, one test each: here none may be made.

Expected values are counted by hand from published architectures and datasheets, never by the code
under test. The ideal engine loses nothing, so that a part of its step is bytes over bandwidth.
"""

from dataclasses import replace

import numpy as np
import pytest

from tokenwall import predict
from tokenwall.serving import Engine, decode_step_times, device_of, engine, shape_of

# A machine whose arithmetic is never the limit, and one whose memory never is.
READER = {"memory_bandwidth": 1e12, "peak_rate_fp16": 1e20, "peak_rate_fp32": 1e20}
READER |= {"memory_capacity": 1e15, "link_bandwidth": 1e15}
COUNTER = {"memory_bandwidth": 1e18, "peak_rate_fp16": 1e14, "peak_rate_fp32": 1e14}
COUNTER |= {"memory_capacity": 1e15, "link_bandwidth": 1e15}

# No loss, and tokens that choose their experts apart from each other.
EVEN = Engine("even", routing_agreement=0.0)


def parts(phase="decoding step", **request):
    """Seconds of each part with the ideal engine, Llama 3.1 70B on the reader unless told."""
    named = {"model": "Llama 3.1 70B", "machine": READER, "engine": "ideal"} | request
    model, machine = named.pop("model"), named.pop("machine")
    frame = predict(model, machine, **named).explain()
    return frame[frame["phase"] == phase].set_index("part")["seconds"]


def step(context, **request):
    """Time of a step at one context with the ideal engine."""
    named = {"model": "Llama 3.1 70B", "machine": READER, "batch": 1, "engine": "ideal"} | request
    model, machine, batch = (named.pop(key) for key in ("model", "machine", "batch"))
    return float(decode_step_times(model, machine, batch, context, **named))


def test_the_gate_matrix_is_counted():
    # Llama 2 7B: 32 layers of 4 attention matrices and 3 of a block, norms, and the output table.
    matrices = 32 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096) + 4096 + 32000 * 4096
    read = parts(model="Llama 2 7B", input_len=1, output_len=1)["matrices"] * 1e12
    assert read == pytest.approx(2 * matrices, rel=1e-9)
    without = matrices - 32 * 4096 * 11008
    assert read > 2 * without * 1.2


def test_the_input_table_is_stored_and_not_read():
    shape = shape_of("Llama 3.1 8B")
    table = 128256 * 4096
    assert shape.dense == shape.parameters - table
    stored = predict("Llama 3.1 8B", READER).memory_bytes.weights
    assert stored == 2 * 8_030_261_248
    read = parts(model="Llama 3.1 8B")["matrices"] * 1e12
    assert read == pytest.approx(stored - 2 * table, rel=1e-9)


def test_a_shared_table_is_read_once_and_stored_once():
    # Llama 3.2 1B scores tokens with its input table, which therefore is read whole.
    stored = predict("Llama 3.2 1B", READER).memory_bytes.weights
    assert stored == 2 * 1_235_814_400
    assert parts(model="Llama 3.2 1B")["matrices"] * 1e12 == pytest.approx(stored, rel=1e-9)
    shape = shape_of("Llama 3.2 1B")
    assert (shape.head, shape.embedding) == (128256 * 2048, 0)
    assert shape_of("Llama 3.1 8B").embedding == shape_of("Llama 3.1 8B").head == 128256 * 4096


def test_a_prompt_asks_the_output_table_once_and_not_for_every_token():
    shape = shape_of("Llama 3.1 8B")
    multiplied = 8_030_261_248 - 2 * 128256 * 4096
    seconds = parts("prompt", model=shape, machine=COUNTER, input_len=1000)["matrices"]
    assert seconds == pytest.approx(2 * multiplied * 1000 / 1e14, rel=1e-9)


def test_the_cache_is_read_once_and_by_heads_of_keys_and_values():
    # 80 layers, keys and values, 8 heads of 128 numbers of 2 bytes; 64 query heads would be 8 x.
    at = step(1000) - step(0)
    assert at * 1e12 == pytest.approx(1000 * 80 * 2 * 8 * 128 * 2, rel=1e-6)
    every_head = replace(shape_of("Llama 3.1 70B"), kv_heads=64.0, cached_values=80 * 2 * 64 * 128)
    assert step(1000, model=every_head) - step(0, model=every_head) == pytest.approx(8 * at)


def test_every_sequence_reads_its_own_cache():
    one, eight = parts(batch=1)["caches"], parts(batch=8)["caches"]
    assert eight == pytest.approx(8 * one)
    assert parts(batch=8)["matrices"] == parts(batch=1)["matrices"]


@pytest.mark.parametrize("machine", [READER, COUNTER], ids=["bytes", "arithmetic"])
def test_devices_share_weights_and_caches_and_arithmetic(machine):
    one = parts(machine=machine, batch=64, input_len=4096)
    eight = parts(machine=machine, batch=64, input_len=4096, devices=8)
    for part in ("matrices", "caches"):
        assert eight[part] == pytest.approx(one[part] / 8), part
    read = {"phase": "prompt", "machine": machine, "input_len": 4096}
    assert parts(**read, devices=8)["matrices"] == pytest.approx(parts(**read)["matrices"] / 8)
    assert parts(**read, devices=8)["attention"] == pytest.approx(parts(**read)["attention"] / 8)


@pytest.mark.parametrize("name", ["ideal", "vLLM 2024", "TensorRT-LLM 1", "SGLang 2025"])
def test_eight_devices_are_never_as_slow_as_one(name):
    many = {"batch": 32, "engine": name}
    one = predict("Llama 3.1 70B", "H200", **many)
    eight = predict("Llama 3.1 70B", "H200", devices=8, **many)
    assert one.time_per_output_token / 8 <= eight.time_per_output_token * (1 + 1e-9)
    assert eight.time_per_output_token < 0.8 * one.time_per_output_token
    assert eight.time_to_first_token < 0.8 * one.time_to_first_token


def test_heads_are_not_split_beyond_their_number():
    # 8 heads on 16 devices lie on two devices each: the same time, and twice the memory.
    eight, more = parts(devices=8)["caches"], parts(devices=16)["caches"]
    assert more == pytest.approx(eight)
    fill = [predict("Llama 3.1 70B", READER, devices=n).memory_bytes.cache for n in (1, 8, 16)]
    assert fill[1] == fill[0]
    assert fill[2] == 2 * fill[0]
    # A latent cache has no heads to split.
    latent = {"model": "DeepSeek-V3"}
    assert parts(**latent, devices=8)["caches"] == pytest.approx(parts(**latent)["caches"])


def test_experts_read_grow_from_those_of_a_token_to_all():
    # Mixtral 8x7B: 8 experts of 3 matrices in 32 layers, of which a token uses 2.
    expert = 32 * 3 * 4096 * 14336
    read = [
        parts(model="Mixtral 8x7B", batch=b, engine=EVEN)["experts"] * 1e12 / (2 * expert)
        for b in (1, 2, 4, 8, 1000)
    ]
    # Drawn evenly: a token passes an expert by with 6 in 8.
    assert read == pytest.approx([8 * (1 - 0.75**b) for b in (1, 2, 4, 8, 1000)], rel=1e-9)
    assert read[0] == pytest.approx(2)
    assert read[-1] == pytest.approx(8)
    # Tokens that all agree read the experts of one; the bound allows for that.
    agreed = parts(model="Mixtral 8x7B", batch=1000)["experts"] * 1e12 / (2 * expert)
    assert agreed == pytest.approx(2)


def test_arithmetic_of_experts_is_that_of_those_used():
    expert = 32 * 3 * 4096 * 14336
    took = parts(model="Mixtral 8x7B", machine=COUNTER, batch=100)["experts"]
    assert took == pytest.approx(100 * 2 * 2 * expert / 1e14)


def test_no_binary_gigabyte_is_taken_for_a_decimal_one():
    # Datasheets print both in thousands of millions.
    for name, capacity, bandwidth in (
        ("H100 SXM", 80, 3350),
        ("A100 SXM 80GB", 80, 2039),
        ("H200", 141, 4800),
        ("RTX 4090", 24, 1008),
    ):
        device = device_of(name)
        assert device.capacity == pytest.approx(capacity * 1e9, rel=1e-3), name
        assert device.bandwidth == pytest.approx(bandwidth * 1e9, rel=5e-3), name
        assert predict("Llama 3.1 8B", name).memory_bytes.capacity == device.capacity


# Dense rates of datasheets in 16, 8 and 4 bits [TFLOP/s]; brochures print twice as much.
DENSE = {
    "A100 SXM 80GB": (312, 624, 624),
    "H100 SXM": (989, 1979, 1979),
    "H200": (989, 1979, 1979),
    "L40S": (362, 733, 733),
    "MI300X": (1307, 2615, 2615),
}


@pytest.mark.parametrize("name", DENSE)
def test_no_peak_is_that_of_sparse_matrices_or_of_fewer_bits(name):
    device = device_of(name)
    for bits, peak in zip((16, 8, 4), DENSE[name], strict=True):
        assert device.rate(bits)[0] == pytest.approx(peak * 1e12, rel=0.02), bits
    assert device.rate(12)[0] == device.rate(16)[0]
    full = predict("Llama 3.1 8B", name, batch=4096, engine="ideal")
    most = DENSE[name][0] * 1e12 / (2 * (8_030_261_248 - 128256 * 4096))
    assert full.decode_tokens_per_second < most * 1.02


def test_a_machine_known_in_few_bits_alone_is_not_as_fast_in_sixteen():
    for key in ("rubin-cpx", "tpu-8i", "tpu-8t"):
        device = device_of(key)
        assert device.rates[16] <= device.rates[4] / 4, key
        assert device.rate(16)[0] * 1.01 < device.rate(4)[0]
        assert device.rates[16] >= device.rates[4] / 8, key


def test_thirty_two_bits_are_not_as_fast_as_sixteen():
    for key in ("H100 SXM", "WSE-3", "TPU v5e"):
        device = device_of(key)
        assert device.rate(32)[0] < device.rate(16)[0], key


def test_arithmetic_limits_decoding_too():
    many = predict("Llama 3.1 8B", "H100 SXM", batch=4096, engine="ideal", input_len=1)
    matrices = many.explain().set_index("part").loc["matrices"].iloc[0]
    assert matrices["limit"] == "compute"
    multiplied = 8_030_261_248 - 128256 * 4096
    assert matrices["seconds"] == pytest.approx(4096 * 2 * multiplied / 989.4e12, rel=0.01)
    few = predict("Llama 3.1 8B", "H100 SXM", batch=1, engine="ideal").explain()
    assert few.iloc[0]["limit"] == "memory"


@pytest.mark.parametrize(
    ("changed", "moves"),
    [
        ({"weight_bits": 8, "expert_bits": 16}, {"matrices"}),
        ({"expert_bits": 4}, {"experts"}),
        ({"kv_bits": 8}, {"caches"}),
    ],
    ids=["weights", "experts", "cache"],
)
def test_the_bits_of_one_tensor_change_its_own_bytes_only(changed, moves):
    asked = {"model": "Mixtral 8x7B", "batch": 4, "activation_bits": 16}
    before, after = parts(**asked), parts(**asked, **changed)
    assert set(before.index[~np.isclose(before, after)]) == moves
    factor = min(v for k, v in changed.items() if k != "expert_bits" or len(changed) == 1) / 16
    (part,) = moves
    assert after[part] == pytest.approx(factor * before[part])
    assert after[part] < before[part]


def test_the_bits_of_arithmetic_change_no_byte():
    asked = {"model": "Llama 3.1 70B", "machine": "H100 SXM", "batch": 4}
    wide, narrow = (predict(**asked, activation_bits=b, engine="ideal") for b in (16, 8))
    assert wide.memory_bytes == narrow.memory_bytes
    assert wide.time_per_output_token == narrow.time_per_output_token
    assert narrow.time_to_first_token < wide.time_to_first_token
    crowd = [
        parts(**asked | {"batch": 2048}, activation_bits=b, input_len=1)["matrices"]
        for b in (16, 8)
    ]
    assert crowd[0] == pytest.approx(2 * crowd[1], rel=0.01)


def test_weights_in_few_bits_do_not_speed_up_arithmetic_that_stays_wide():
    crowd = {"batch": 4096, "machine": "H100 SXM", "activation_bits": 16, "input_len": 1}
    assert parts(**crowd)["matrices"] == parts(**crowd, weight_bits=4)["matrices"]
    read = {"phase": "prompt", "machine": "H100 SXM", "activation_bits": 16, "input_len": 4096}
    assert parts(**read)["matrices"] == parts(**read, weight_bits=4)["matrices"]


def test_attention_has_the_width_of_its_cache_while_matrices_are_narrow():
    chip = COUNTER | {"peak_rate_fp8": 2e14, "peak_rate_fp4": 4e14}
    asked = {"machine": chip, "batch": 64, "input_len": 4096, "weight_bits": 4, "kv_bits": 8}
    wide, narrow = (parts(**asked, activation_bits=bits) for bits in (16, 4))
    assert narrow["matrices"] == pytest.approx(wide["matrices"] / 4)
    # 80 layers of 64 query heads of 128 numbers, scores and values, 2 operations each.
    context = 4096 + 512 / 2
    flop = 64 * context * 80 * 64 * 128 * 2 * 2
    assert narrow["caches"] == wide["caches"]
    # The width of the cache decides: eight bits on a chip whose unit takes floats of eight.
    assert wide["caches"] == pytest.approx(flop / 2e14)
    assert parts(**asked | {"kv_bits": 16})["caches"] == pytest.approx(flop / 1e14)


def test_no_constant_hides_in_a_formula():
    """With bandwidths and rates without end an ideal step ends at once."""
    device = device_of("H100 SXM")
    instant = replace(
        device,
        bandwidth=device.bandwidth * 1e12,
        rates={bits: rate * 1e12 for bits, rate in device.rates.items()},
        integer_rate=device.integer_rate * 1e12,
        half_rate=device.half_rate * 1e12,
        vector_rate=device.vector_rate * 1e12,
        link_bandwidth=device.link_bandwidth * 1e12,
    )
    for devices in (1, 8):
        said = predict("Mixtral 8x7B", instant, devices=devices, batch=64, engine="ideal")
        real = predict("Mixtral 8x7B", device, devices=devices, batch=64, engine="ideal")
        assert said.time_per_output_token == pytest.approx(1e-12 * real.time_per_output_token)
        assert said.time_to_first_token == pytest.approx(1e-12 * real.time_to_first_token)


@pytest.mark.parametrize("name", ["vLLM 2025", "llama.cpp CUDA 2025", "gpt-fast"])
def test_overheads_are_the_constants_of_the_engine_and_nothing_else(name):
    device, own = device_of("H100 SXM"), engine(name)
    instant = replace(
        device,
        bandwidth=1e30,
        rates={16: 1e35},
        integer_rate=1e35,
        half_rate=1e35,
        vector_rate=1e35,
        link_bandwidth=1e30,
    )
    said = predict("Llama 3.1 70B", instant, devices=4, batch=32, engine=name)
    constant = 80 * own.overhead_per_layer + own.overhead_per_step + 32 * own.overhead_per_sequence
    rounds = 80 * 2 * own.exposed_fraction * 2 * own.round_latency
    assert said.time_per_output_token == pytest.approx(constant + rounds, rel=1e-6)
    first = 80 * own.overhead_per_layer + own.overhead_per_step + rounds
    assert said.time_to_first_token == pytest.approx(first, rel=1e-6)


def test_the_batch_matters_beyond_the_length_of_the_output():
    asked = {"input_len": 128, "output_len": 16, "engine": "vLLM 2025"}
    rates = [
        predict("Llama 3.1 8B", "H100 SXM", batch=b, **asked).decode_tokens_per_second
        for b in (8, 16, 17, 32, 64, 256)
    ]
    assert np.all(np.diff(rates) > 0)


def test_a_latent_cache_is_small():
    # 61 layers of 512 numbers and 64 rotated ones.
    assert shape_of("DeepSeek-V3").cached_values == 61 * (512 + 64)
    at = step(8192, model="DeepSeek-V3") - step(0, model="DeepSeek-V3")
    assert at * 1e12 == pytest.approx(8192 * 70_272, rel=1e-6)
    by_heads = 61 * 2 * 128 * 128 * 2
    assert at * 1e12 < 8192 * by_heads / 50


@pytest.mark.parametrize(
    ("model", "full", "windowed", "window", "values"),
    [
        ("gpt-oss 120B", 18, 18, 128, 2 * 8 * 64),
        ("gpt-oss 20B", 12, 12, 128, 2 * 8 * 64),
        ("Gemma 3 27B", 10, 52, 1024, 2 * 16 * 128),
        ("Gemma 2 9B", 21, 21, 4096, 2 * 8 * 256),
    ],
)
def test_windows_end_what_a_layer_reads_and_keeps(model, full, windowed, window, values):
    for context in (window // 2, window, 2 * window):
        kept = (full * context + windowed * min(context, window)) * values * 2
        at = step(context, model=model) - step(0, model=model)
        assert at * 1e12 == pytest.approx(kept, rel=1e-4), context
        stored = predict(model, READER, input_len=context - 1, output_len=1).memory_bytes.cache
        assert stored == pytest.approx(kept), context


def test_copies_of_a_model_serve_no_less_than_a_sequence_each():
    """One sequence on eight copies keeps one of them busy, for as long as on one device."""
    for model in ("Llama 3.1 8B", "Mixtral 8x7B"):
        alone = predict(model, "H200", batch=1, engine="vLLM 2025")
        idle = predict(model, "H200", batch=1, engine="vLLM 2025", devices=8, tensor_parallel=1)
        assert idle.time_per_output_token == alone.time_per_output_token
        assert idle.tokens_per_second == alone.tokens_per_second
        assert idle.batch_time == alone.batch_time


def test_an_engine_that_reaches_more_than_the_peak_is_refused():
    with pytest.raises(ValueError, match=r"bandwidth_fraction is 1\.2.*at most 1"):
        Engine("boast", bandwidth_fraction=1.2)


def test_stages_serve_parts_of_a_batch_and_make_no_user_faster():
    asked = {"engine": "vLLM 2025", "input_len": 64}
    staged = {"devices": 4, "pipeline_parallel": 4}
    one = predict("Llama 3.1 8B", "H200", batch=1, **asked)
    alone = predict("Llama 3.1 8B", "H200", batch=1, **asked, **staged)
    # Each group of layers is launched by a host of its own, one after another.
    launches = 3 * engine("vLLM 2025").overhead_per_step
    assert alone.time_per_output_token == pytest.approx(one.time_per_output_token + launches)
    assert alone.time_to_first_token == pytest.approx(one.time_to_first_token + launches)
    part = predict("Llama 3.1 8B", "H200", batch=16, **asked)
    full = predict("Llama 3.1 8B", "H200", batch=64, **asked, **staged)
    assert full.time_per_output_token == pytest.approx(part.time_per_output_token + launches)
    assert full.decode_tokens_per_second < 4 * part.decode_tokens_per_second
    # Prompts in blocks that follow each other keep at most all stages busy.
    long, staged_long = (
        predict("Llama 3.1 8B", "H200", **asked | {"input_len": 32_000}, **more)
        for more in ({}, staged)
    )
    assert staged_long.time_to_first_token >= long.time_to_first_token / 4 * (1 - 1e-9)

"""What predict says: memory to the byte, parts that sum, plain forms, and refusals that explain."""

import dataclasses
import json
import math
import re
import time

import numpy as np
import pytest

from tokenwall import data, predict
from tokenwall.serving import (
    Engine,
    Interval,
    Prediction,
    decode_step_times,
    device_of,
    engine_table,
    shape_of,
)
from tokenwall.serving.engines import ASSUMED

H100 = "H100 SXM"
CHIP = {"memory_bandwidth": 1e12, "peak_rate_fp16": 1e14, "memory_capacity": 64e9}
TINY = {
    "parameters": 1.1e9,
    "layers": 22,
    "hidden_size": 2048,
    "heads": 32,
    "kv_heads": 4,
    "head_size": 64,
    "vocabulary": 32000,
    "feedforward_size": 5632,
    "feedforward_matrices": 3,
    "tied_embeddings": 0,
}

# Counts of published weight files, to the last weight, and numbers cached for a token of context:
# layers, vectors, key-value heads and their size; latent and rotated part for DeepSeek.
FILES = {
    "llama-2-7b": (6_738_415_616, 32 * 2 * 32 * 128),
    "llama-2-13b": (13_015_864_320, 40 * 2 * 40 * 128),
    "llama-2-70b": (68_976_648_192, 80 * 2 * 8 * 128),
    "llama-3-8b": (8_030_261_248, 32 * 2 * 8 * 128),
    "llama-3.1-70b": (70_553_706_496, 80 * 2 * 8 * 128),
    "llama-3.1-405b": (405_853_388_800, 126 * 2 * 8 * 128),
    "mistral-7b-v0.3": (7_248_023_552, 32 * 2 * 8 * 128),
    "mistral-nemo-12b": (12_247_782_400, 40 * 2 * 8 * 128),
    "mixtral-8x7b": (46_702_792_704, 32 * 2 * 8 * 128),
    "mixtral-8x22b": (140_620_634_112, 56 * 2 * 8 * 128),
    "qwen2.5-7b": (7_615_616_512, 28 * 2 * 4 * 128),
    "qwen3-0.6b": (596_049_920, 28 * 2 * 8 * 128),
    "qwen3-8b": (8_190_735_360, 36 * 2 * 8 * 128),
    "qwen3-30b-a3b": (30_532_122_624, 48 * 2 * 4 * 128),
    "qwen3-235b-a22b": (235_093_634_560, 94 * 2 * 4 * 128),
    "gemma-7b": (8_537_680_896, 28 * 2 * 16 * 256),
    "phi-4": (14_659_507_200, 40 * 2 * 10 * 128),
    "yi-34b": (34_388_917_248, 60 * 2 * 8 * 128),
    "deepseek-v2-lite": (15_706_484_224, 27 * (512 + 64)),
    "deepseek-v3": (671_026_419_200, 61 * (512 + 64)),
}


@pytest.mark.parametrize("key", FILES)
def test_memory_is_exact(key):
    weights, cached = FILES[key]
    for bits, kv_bits, batch in ((16, 16, 1), (8, 8, 3), (4.5, 16, 16)):
        asked = {"weight_bits": bits, "kv_bits": kv_bits, "batch": batch}
        filled = predict(key, H100, input_len=100, output_len=28, **asked).memory_bytes
        assert filled.weights == pytest.approx(weights * bits / 8, rel=1e-15)
        assert filled.cache == pytest.approx(batch * 128 * cached * kv_bits / 8, rel=1e-15)
        assert filled.total == filled.weights + filled.cache + filled.activations
        assert filled.capacity == data.machine(H100)["memory_capacity"]


@pytest.mark.parametrize(
    ("model", "published"),
    # Table 1 of Zhao et al., ISCA 2025: bytes of cache for a token in 16 bits.
    [("DeepSeek-V3", 70_272), ("Qwen2.5 72B", 327_680), ("Llama 3.1 405B", 516_096)],
)
def test_caches_are_those_of_the_literature(model, published):
    one = predict(model, H100, input_len=4096, output_len=904).memory_bytes.cache
    assert one / 5000 == published


def test_copies_fill_memory_and_shares_do_not():
    asked = {"model": "Mixtral 8x7B", "machine": H100, "devices": 8, "batch": 8}
    shared, copied = predict(**asked), predict(**asked, tensor_parallel=1)
    assert copied.memory_bytes.weights == 8 * shared.memory_bytes.weights
    assert copied.memory_bytes.cache == shared.memory_bytes.cache
    assert copied.memory_bytes.capacity == shared.memory_bytes.capacity == 8 * 80e9
    # Experts once, all else eight times.
    apart = predict(**asked, tensor_parallel=1, expert_parallel=8).memory_bytes.weights
    experts = 2 * 8 * 32 * 3 * 4096 * 14336
    assert apart == pytest.approx(experts + 8 * (2 * 46_702_792_704 - experts), rel=1e-12)
    staged = predict(**asked, pipeline_parallel=4).memory_bytes
    assert staged.weights == shared.memory_bytes.weights


def fields_of(said: Prediction) -> dict[str, float]:
    """Its uncertain quantities."""
    return {name: getattr(said, name) for name in said.intervals}


REQUESTS = {
    "one user": ("Llama 3.1 8B", H100, {}),
    "server": ("Llama 3.1 70B", H100, {"devices": 8, "batch": 64, "weight_bits": 8}),
    "mixture": ("gpt-oss 120B", "B200", {"batch": 32, "expert_bits": 4.25}),
    "apart": (
        "DeepSeek-V3",
        "H200",
        {"devices": 16, "tensor_parallel": 1, "expert_parallel": 16, "batch": 512},
    ),
    "laptop": ("Llama 3.1 8B", "Apple M2 Max", {"weight_bits": 4.8}),
    "stages": (
        "Llama 3.1 70B",
        H100,
        {"devices": 8, "tensor_parallel": 2, "pipeline_parallel": 4, "input_len": 4000},
    ),
    "no prompt": ("Llama 3.1 8B", H100, {"input_len": 0}),
    "does not fit": ("Llama 3.1 405B", "RTX 4090", {}),
    "full": ("Llama 3.1 8B", H100, {"batch": None}),
    "own rows": (TINY, CHIP, {"batch": 4}),
}


@pytest.fixture(scope="module", params=REQUESTS)
def said(request):
    model, machine, asked = REQUESTS[request.param]
    return predict(model, machine, **asked)


def test_values_lie_within_their_intervals(said):
    assert len(said.intervals) >= 6
    for name, value in fields_of(said).items():
        if name == "time_to_first_token" and value == 0:
            continue
        low, high = said.low(name), said.high(name)
        assert 0 < low <= value <= high < math.inf, name
        assert said.intervals[name] == Interval(low, high)


def test_quantities_agree_with_each_other(said):
    step, batch = said.time_per_output_token, said.batch
    assert said.tokens_per_second_per_user == pytest.approx(1 / step)
    assert said.decode_tokens_per_second == pytest.approx(batch / step)
    assert said.tokens_per_second <= said.decode_tokens_per_second * (1 + 1e-12)
    filled = said.memory_bytes
    assert filled.total == filled.weights + filled.cache + filled.activations
    assert said.fits == (filled.total <= filled.capacity) == (said.shortfall_bytes == 0)
    assert (said.bound == "capacity") == (not said.fits)
    assert bool(said.advice) == (not said.fits)
    assert said.bound in ("memory", "compute", "network", "overhead", "capacity")


def test_the_batch_is_its_prompts_and_steps(said):
    output = 512
    reading = said.batch_time - output * said.time_per_output_token
    assert reading >= -1e-12
    assert said.tokens_per_second == pytest.approx(said.batch * output / said.batch_time)


def test_an_explanation_sums_to_the_times(said):
    frame = said.explain()
    assert list(frame.columns) == ["phase", "part", "seconds", "share", "limit"]
    assert (frame["seconds"] >= 0).all()
    assert set(frame["limit"]) <= {"memory", "compute", "network", "overhead"}
    phases = frame.groupby("phase")
    assert phases["share"].sum().to_numpy() == pytest.approx(1)
    seconds = phases["seconds"].sum()
    assert seconds["decoding step"] == pytest.approx(said.time_per_output_token)
    assert seconds.get("prompt", 0.0) == pytest.approx(said.time_to_first_token)


def test_the_plain_form_is_json(said):
    text = json.dumps(said.to_dict(), allow_nan=False)
    back = json.loads(text)
    public = {f.name for f in dataclasses.fields(said) if not f.name.startswith("_")}
    assert set(back) == public
    assert back["tokens_per_second"] == said.tokens_per_second
    assert back["memory_bytes"]["total"] == said.memory_bytes.total
    assert back["intervals"]["tokens_per_second"][0] == said.low("tokens_per_second")


def test_a_prediction_cannot_be_changed(said):
    with pytest.raises(dataclasses.FrozenInstanceError):
        said.batch = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        said.memory_bytes.weights = 0
    with pytest.raises(ValueError, match="'beauty' has no interval; there are tokens_per_second"):
        said.low("beauty")


def test_power_and_price_where_the_tables_have_them():
    priced = predict("Llama 3.1 8B", H100)
    assert priced.joules_per_token > 0
    assert priced.dollars_per_million_tokens > 0
    own = predict("Llama 3.1 8B", H100, price_per_device_hour=3.6, devices=2)
    assert own.dollars_per_million_tokens == pytest.approx(2e3 / own.tokens_per_second)
    bare = predict("Llama 3.1 8B", CHIP)
    assert bare.joules_per_token is None
    assert bare.dollars_per_million_tokens is None
    assert "joules_per_token" not in bare.intervals
    rated = 700 * 0.01, 700
    watts = priced.joules_per_token * priced.tokens_per_second
    assert rated[0] < watts < rated[1]


def test_arrays_are_one_call_and_have_no_plain_form():
    many = predict("Llama 3.1 8B", H100, batch=np.array([1, 8, 4096]), input_len=[[100], [1000]])
    assert many.tokens_per_second.shape == many.bound.shape == many.fits.shape == (2, 3)
    assert many.low("tokens_per_second").shape == (2, 3)
    assert many.advice == ""
    with pytest.raises(ValueError, match="holds arrays"):
        many.explain()
    with pytest.raises(ValueError, match="arrays has no plain form"):
        many.to_dict()
    with pytest.raises(ValueError, match="arrays has no plain form"):
        predict("Llama 3.1 8B", H100, price_per_device_hour=[1, 2]).to_dict()


@pytest.mark.parametrize(
    ("model", "machine", "asked"),
    [
        ("Llama 3.1 405B", H100, {}),
        ("Llama 3.1 405B", H100, {"batch": 64, "input_len": 8000}),
        ("DeepSeek-V3", H100, {"devices": 8, "batch": 1024, "weight_bits": 8}),
        ("Llama 3.1 8B", "RTX 4090", {"batch": 1024, "weight_bits": 8}),
        ("Mixtral 8x7B", "H100 SXM", {"batch": 16}),
    ],
)
def test_advice_fits_and_no_less_does(model, machine, asked):
    advice = predict(model, machine, **asked).advice
    devices = int(re.search(r"(\d+) devices instead", advice)[1])
    fewer = asked | {"devices": devices - 1}
    assert predict(model, machine, **asked | {"devices": devices}).fits, advice
    assert not predict(model, machine, **fewer).fits, advice
    bits = re.search(r"weights of ([\d.]+) bits", advice)
    if bits:
        assert predict(model, machine, **asked | {"weight_bits": float(bits[1])}).fits
    batch = re.search(r"a batch of (\d+)", advice)
    if batch:
        assert predict(model, machine, **asked | {"batch": int(batch[1])}).fits


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"devices": 8, "tensor_parallel": 1}, "11 to share each layer"),
        ({"devices": 8, "pipeline_parallel": 8}, "to share each layer"),
    ],
)
def test_advice_keeps_to_the_copies_and_stages(asked, words):
    assert words in predict("Llama 3.1 405B", H100, **asked).advice


@pytest.mark.parametrize("name", ["ideal", "vLLM 2025"])
@pytest.mark.parametrize("lengths", [(1, 1), (3, 40), (512, 512), (100_000, 1000)], ids=str)
def test_the_largest_batch_fits_and_one_more_does_not(name, lengths):
    asked = {"input_len": lengths[0], "output_len": lengths[1], "engine": Engine("whole")}
    asked |= {"devices": 4, "tensor_parallel": 4, "weight_bits": 8}
    if name != "ideal":
        asked["engine"] = name
    full = predict("Llama 3.1 70B", H100, batch=None, **asked)
    assert full.fits
    assert full.batch == int(full.batch) >= 1
    if name == "ideal":
        assert not predict("Llama 3.1 70B", H100, batch=full.batch + 1, **asked).fits
    else:
        usable = ASSUMED["memory_fraction"] * full.memory_bytes.capacity
        more = predict("Llama 3.1 70B", H100, batch=full.batch + 1, **asked)
        assert full.memory_bytes.total <= usable < more.memory_bytes.total


def test_copies_hold_the_same_number_each():
    one = predict("Llama 3.1 8B", H100, batch=None)
    four = predict("Llama 3.1 8B", H100, batch=None, devices=4, tensor_parallel=1)
    assert four.batch == 4 * one.batch
    assert four.tokens_per_second == pytest.approx(4 * one.tokens_per_second)
    assert four.time_per_output_token == one.time_per_output_token


NUMBERS = ("devices", "batch", "input_len", "output_len", "weight_bits", "kv_bits", "expert_bits")
NUMBERS += ("activation_bits", "tensor_parallel", "expert_parallel", "pipeline_parallel")
NUMBERS += ("price_per_device_hour",)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", [-1, math.nan, math.inf, -math.inf, "8", "many", [1, math.nan], 1j, {}], ids=repr
)
def test_what_is_no_number_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^{name} is .*; it must be"):
        predict("Mixtral 8x7B", H100, **{name: value})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"batch": 0}, r"^batch is 0; it must be a number above 0, or None"),
        ({"batch": [4, 0]}, r"^batch is 0; it must be a number above 0"),
        ({"devices": 0}, r"^devices is 0; it must be a whole number of at least 1"),
        ({"devices": 1.5}, r"^devices is 1\.5; it must be a whole number of at least 1"),
        ({"input_len": -5}, r"^input_len is -5; it must be a number of at least 0"),
        ({"output_len": 0}, r"^output_len is 0; it must be a number of at least 1"),
        ({"weight_bits": 0}, r"^weight_bits is 0; it must be a number of at least 1 and at"),
        ({"weight_bits": -4}, r"^weight_bits is -4"),
        ({"weight_bits": 20}, r"^weight_bits is 20; formats have 1 to 16 bits"),
        ({"weight_bits": 64}, r"^weight_bits is 64; it must be .* at most 32"),
        ({"kv_bits": 0}, r"^kv_bits is 0"),
        ({"kv_bits": 20}, r"^kv_bits is 20"),
        ({"expert_bits": 64}, r"^expert_bits is 64"),
        ({"activation_bits": 12}, r"^activation_bits is 12; it must be 4, 8, 16 or 32"),
        ({"activation_bits": 2}, r"^activation_bits is 2"),
        (
            {"input_len": 32000, "output_len": 1000},
            r"^input_len and output_len make 33000 tokens; Mixtral 8x7B allows 32768",
        ),
        ({"devices": 8, "tensor_parallel": 3}, r"^devices is 8; .* multiple of the 3 that hold"),
        ({"devices": 4, "tensor_parallel": 8}, r"^devices is 4; .* multiple of the 8 that hold"),
        ({"devices": 8, "tensor_parallel": 0}, r"^tensor_parallel is 0"),
        ({"devices": 8, "tensor_parallel": 1.5}, r"^tensor_parallel is 1\.5"),
        (
            {"devices": 3, "tensor_parallel": 2, "expert_parallel": 3},
            r"^expert_parallel is 3; it must be a multiple of tensor_parallel, here 2",
        ),
        ({"pipeline_parallel": 33}, r"^pipeline_parallel is 33; .* at most 32"),
        ({"devices": 6, "pipeline_parallel": 4}, r"^devices is 6; "),
    ],
    ids=str,
)
def test_requests_that_make_no_sense_are_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        predict("Mixtral 8x7B", H100, **asked)


def test_experts_are_split_only_where_there_are_some():
    with pytest.raises(ValueError, match=r"expert_parallel is 8; Llama 3\.1 8B has no routed"):
        predict("Llama 3.1 8B", H100, devices=8, expert_parallel=8)


def test_a_batch_of_what_fits_needs_room_and_a_capacity():
    with pytest.raises(ValueError, match=r"no sequence fits: Llama 3\.1 70B leaves"):
        predict("Llama 3.1 70B", H100, batch=None)
    open_ended = {k: v for k, v in CHIP.items() if k != "memory_capacity"}
    with pytest.raises(ValueError, match="own has no memory_capacity in its table; state a batch"):
        predict("Llama 3.1 8B", open_ended, batch=None)
    assert predict("Llama 3.1 8B", open_ended).to_dict()["memory_bytes"]["capacity"] is None


@pytest.mark.parametrize(
    ("model", "machine", "engine", "message"),
    [
        ("Lama 3.1 70B", H100, None, r"model 'Lama 3\.1 70B' is unknown; nearest: llama-3\.1-70b"),
        ("Llama 3.1 70B", "H10O SXM", None, r"machine 'H10O SXM' is unknown; nearest: .*H100 SXM"),
        ("Llama 3.1 70B", H100, "vLM 2025", r"engine 'vLM 2025' is unknown; nearest: .*vLLM 2025"),
        ("Llama 3.1 70B", H100, "zzz", r"engine 'zzz' is unknown; nearest: .*, or ideal"),
        ("Llama 3.1 70B", H100, 5, r"engine is 5; it must be a name or an Engine"),
        (7, H100, None, r"model is 7; it must be a name, a row of the model table"),
        ("Llama 3.1 70B", None, None, r"machine is None; it must be a name, a row of the machine"),
        ("Nemotron 3 Nano 4B", H100, None, r"Nemotron 3 Nano 4B has no layers"),
    ],
    ids=str,
)
def test_unknown_names_are_refused_with_those_near(model, machine, engine, message):
    with pytest.raises(ValueError, match=message):
        predict(model, machine, engine=engine)


def test_own_rows_are_as_good_as_those_of_the_tables():
    by_name = predict("Llama 3.1 8B", H100, batch=8)
    by_row = predict(data.model("Llama 3.1 8B"), data.machine(H100), batch=8)
    by_parts = predict(shape_of("Llama 3.1 8B"), device_of(H100), batch=8)
    assert by_name.to_dict() == by_row.to_dict() == by_parts.to_dict()
    mapping = data.machine(H100).dropna().to_dict()
    mapped = predict("Llama 3.1 8B", mapping, batch=8)
    assert mapped.tokens_per_second == by_name.tokens_per_second
    named = predict({**TINY, "name": "Tiny"}, {**CHIP, "name": "Chip"})
    assert (named.model, named.machine, named.engine) == ("Tiny", "Chip", "any")


@pytest.mark.parametrize("lost", [k for k in TINY if k not in ("feedforward_size",)])
def test_a_model_that_lacks_a_quantity_is_refused_by_name(lost):
    with pytest.raises(ValueError, match=f"own has no {lost} in its table"):
        predict({k: v for k, v in TINY.items() if k != lost}, H100)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": 0}, r"model 'own': layers is 0; it must be a number above 0"),
        ({"layers": "many"}, r"model 'own': layers is 'many'; it must be a number above 0"),
        ({"kv_heads": -4}, r"kv_heads is -4"),
        ({"parameters": math.inf}, r"parameters is inf"),
        ({"experts": -1}, r"experts is -1; it must be a number at least 0"),
        ({"experts": 8, "expert_feedforward_size": 512}, r"own has no experts_per_token"),
        (
            {"experts": 8, "experts_per_token": 9, "expert_feedforward_size": 512},
            r"experts_per_token is 9; experts allows at most 8",
        ),
        ({"sliding_window": 128, "sliding_layers": 23}, r"sliding_layers is 23; layers allows"),
        ({"layer": 3}, r"model 'own' has 'layer', which is no column; nearest: .*layers"),
        ({"heads": [1, 2]}, r"heads is \[1, 2\]"),
    ],
    ids=str,
)
def test_models_that_cannot_be_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        predict(TINY | changed, H100)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"memory_bandwidth": None}, r"own has no memory_bandwidth in its table"),
        ({"memory_bandwidth": 0}, r"machine 'own': memory_bandwidth is 0; .* above 0"),
        ({"memory_bandwidth": -1e12}, r"memory_bandwidth is -"),
        ({"memory_bandwidth": "3 TB/s"}, r"memory_bandwidth is '3 TB/s'; it must be a number"),
        ({"peak_rate_fp16": math.inf}, r"peak_rate_fp16 is inf"),
        ({"memory_capacity": -80e9}, r"memory_capacity is -"),
        ({"bandwidth": 1e12}, r"'bandwidth', which is no column; nearest: .*memory_bandwidth"),
    ],
    ids=str,
)
def test_machines_that_cannot_be_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        predict("Llama 3.1 8B", CHIP | changed)


def test_fast_steps_are_checked_too():
    for asked, message in (
        ({"batch": -1, "context": 1}, "batch is -1"),
        ({"batch": 1, "context": math.nan}, "context is nan"),
        ({"batch": 1, "context": 2e5}, r"context is 200000; .* at most 131072"),
        ({"batch": "8", "context": 1}, "batch is '8'"),
        ({"batch": 1, "context": 1, "block": 0}, "block is 0"),
        ({"batch": 1, "context": 1, "threads": 0}, "threads is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            decode_step_times("Llama 3.1 8B", H100, **asked)
    assert decode_step_times("Llama 3.1 8B", H100, [], []).shape == (0,)


def test_every_model_on_every_machine_is_a_number():
    """No silent nan anywhere in the tables; what cannot be told is a refusal that names it."""
    models = [k for k in data.models().index if _told(shape_of, k)]
    machines = [k for k in data.machines().index if _told(device_of, k)]
    assert len(models) > 90
    assert len(machines) > 120
    for key in models:
        _finite(predict(key, H100, batch=[1, 100], input_len=100, output_len=100, weight_bits=8))
    for key in machines:
        _finite(predict("Llama 3.1 8B", key, batch=[1, 100], weight_bits=8, activation_bits=8))
        _finite(predict("Mixtral 8x7B", key, devices=[2, 8], weight_bits=4.5))


def _told(reader, key):
    try:
        return reader(key)
    except ValueError as error:
        if " has no " not in str(error):
            raise
        return None


def _finite(said):
    values = [*fields_of(said).values(), said.memory_bytes.total, said.batch]
    values += [said.low(name) for name in said.intervals]
    values += [said.high(name) for name in said.intervals]
    for value in values:
        assert np.all(np.isfinite(value)), said
        assert np.all(np.asarray(value) > 0), said


def test_one_prediction_is_quick(capsys):
    predict("Llama 3.1 70B", H100, devices=8, batch=8)
    took = []
    for batch in range(1, 60):
        start = time.perf_counter()
        predict("Llama 3.1 70B", H100, devices=8, batch=batch)
        took.append(time.perf_counter() - start)
    with capsys.disabled():
        print(f"\none prediction: {np.median(took) * 1e3:.2f} ms", end=" ")
    assert np.median(took) < 10e-3


def test_many_steps_are_quick(capsys):
    batches, contexts = np.linspace(1, 512, 400)[:, None], np.linspace(0, 100_000, 500)
    decode_step_times("Llama 3.1 70B", H100, 1, 1)
    start = time.perf_counter()
    times = decode_step_times("Llama 3.1 70B", H100, batches, contexts, devices=8)
    took = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{times.size} steps: {took:.3f} s", end=" ")
    assert times.shape == (400, 500)
    assert took < 1


def test_the_engine_is_named_and_its_constants_are_stored():
    said = predict("Llama 3.1 8B", H100)
    assert said.engine in set(engine_table()["key"])


def test_the_bound_counts_what_prompts_wait_for():
    """Long prompts over a slow bus wait for exchanges, not for arithmetic."""
    asked = {"devices": 8, "batch": 64, "input_len": 4000, "output_len": 8, "weight_bits": 8}
    slow = predict("Llama 3.1 70B", "L40S", **asked)
    prompt = slow.explain().query("phase == 'prompt'").groupby("limit")["seconds"].sum()
    assert slow.bound == prompt.idxmax() == "network"
    alone = predict("Llama 3.1 8B", "H100 SXM", batch=64, input_len=4000, output_len=8)
    assert alone.bound == "compute"

"""What must hold of every prediction: more of anything good never hurts, and nothing is created.

Constants of the engine are held fixed; the examples are the same every time.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwall import predict, roofline
from tokenwall.serving import decode_step_times, device_of, engine, engine_table, shape_of

SLACK = 1 + 1e-9
ENGINES = ["ideal", *dict.fromkeys(engine_table()["key"])]
MODELS = ["Llama 3.1 8B", "Llama 3.1 70B", "Mixtral 8x7B", "gpt-oss 120B", "Gemma 3 27B"]
MODELS += ["DeepSeek-V3", "Qwen3 30B-A3B", "Llama 3.2 1B"]
MACHINES = ["H100 SXM", "B200", "RTX 4090", "Apple M2 Max", "MI300X", "L40S", "Raspberry Pi 5"]

models = st.sampled_from(MODELS)
mixtures = st.sampled_from([m for m in MODELS if shape_of(m).mixture])
machines = st.sampled_from(MACHINES)
engines = st.sampled_from(ENGINES)
batches = st.integers(1, 4096)
lengths = st.integers(1, 16000)
splits = st.sampled_from([1, 2, 4, 8, 16])
bits = st.sampled_from([3.5, 4, 4.25, 6.6, 8, 8.5, 16])
factors = st.floats(1, 100)
requests = st.fixed_dictionaries(
    {
        "batch": batches,
        "input_len": lengths,
        "output_len": lengths,
        "devices": splits,
        "weight_bits": bits,
        "kv_bits": st.sampled_from([4, 8, 16]),
        "activation_bits": st.sampled_from([4, 8, 16, 32, None]),
        "engine": engines,
    }
)

RATES = ("tokens_per_second", "tokens_per_second_per_user", "decode_tokens_per_second")
TIMES = ("time_per_output_token", "time_to_first_token", "batch_time")


def no_slower(better, worse):
    """Every rate at least as high and every time at most as long."""
    for name in RATES:
        assert getattr(better, name) * SLACK >= getattr(worse, name), name
    for name in TIMES:
        assert getattr(better, name) <= getattr(worse, name) * SLACK, name


@given(model=models, machine=machines, asked=requests)
def test_every_quantity_is_finite_positive_and_in_its_interval(model, machine, asked):
    said = predict(model, machine, **asked)
    for name in said.intervals:
        low, value, high = said.low(name), getattr(said, name), said.high(name)
        assert 0 < low <= value * SLACK, name
        assert value <= high * SLACK < np.inf, name
    filled = said.memory_bytes
    assert np.isfinite([filled.weights, filled.cache, filled.activations, filled.total]).all()
    frame = said.explain()
    assert (frame["seconds"] >= 0).all()
    sums = frame.groupby("phase")["seconds"].sum()
    assert sums["decoding step"] == pytest.approx(said.time_per_output_token, rel=1e-9)
    assert sums["prompt"] == pytest.approx(said.time_to_first_token, rel=1e-9)


@given(
    model=models,
    machine=machines,
    asked=requests,
    factor=factors,
    better=st.sampled_from(["bandwidth", "rates", "vector_rate", "link_bandwidth", "capacity"]),
)
def test_a_better_machine_is_never_slower(model, machine, asked, factor, better):
    device = device_of(machine)
    if better == "rates":
        more = replace(device, rates={b: factor * rate for b, rate in device.rates.items()})
    else:
        more = replace(device, **{better: factor * getattr(device, better)})
    no_slower(predict(model, more, **asked), predict(model, device, **asked))


@given(model=models, machine=machines, asked=requests, factor=st.floats(1, 4))
def test_more_memory_holds_no_smaller_batch(model, machine, asked, factor):
    device = replace(device_of(machine), capacity=1e12)
    more = replace(device, capacity=1e12 * factor)
    asked |= {"batch": None, "devices": 8}
    assert predict(model, more, **asked).batch >= predict(model, device, **asked).batch


@given(model=models, machine=machines, asked=requests, copies=st.integers(1, 16))
def test_copies_of_the_model_are_never_slower(model, machine, asked, copies):
    split = asked["devices"]
    one = predict(model, machine, **asked)
    asked |= {"devices": split * copies, "tensor_parallel": split}
    no_slower(predict(model, machine, **asked), one)


@given(model=models, machine=machines, asked=requests)
def test_halves_of_a_machine_create_no_tokens(model, machine, asked):
    whole = device_of(machine)
    half = replace(
        whole,
        bandwidth=whole.bandwidth / 2,
        capacity=whole.capacity / 2,
        rates={b: rate / 2 for b, rate in whole.rates.items()},
        integer_rate=whole.integer_rate / 2,
        half_rate=whole.half_rate / 2,
        vector_rate=whole.vector_rate / 2,
        link_bandwidth=whole.link_bandwidth / 2,
    )
    one = predict(model, whole, **asked)
    twice = asked | {"devices": 2 * asked["devices"]}
    no_slower(one, predict(model, half, **twice))
    # Two copies with half of the batch each are no faster, unless two hosts share the scheduling.
    own = replace(engine(asked["engine"]), overhead_per_sequence=0.0)
    asked, twice = asked | {"engine": own}, twice | {"engine": own}
    copied = predict(model, half, **twice, tensor_parallel=asked["devices"])
    whole_rate = predict(model, whole, **asked).tokens_per_second
    assert copied.tokens_per_second <= whole_rate * SLACK


@given(model=models, machine=machines, asked=requests, more=st.integers(1, 4096))
def test_a_larger_batch_serves_more_and_each_user_no_faster(model, machine, asked, more):
    few = predict(model, machine, **asked)
    many = predict(model, machine, **asked | {"batch": asked["batch"] + more})
    for name in ("decode_tokens_per_second", "tokens_per_second"):
        assert getattr(many, name) * SLACK >= getattr(few, name), name
    assert many.tokens_per_second_per_user <= few.tokens_per_second_per_user * SLACK
    assert many.batch_time * SLACK >= few.batch_time
    assert many.time_to_first_token == few.time_to_first_token


@given(
    model=mixtures,
    machine=machines,
    asked=requests,
    name=st.sampled_from(["weight_bits", "kv_bits", "expert_bits"]),
    pair=st.tuples(st.floats(1, 16), st.floats(1, 16)).map(sorted),
    width=st.sampled_from([4, 8, 16, 32]),
)
def test_fewer_bits_are_never_slower(model, machine, asked, name, pair, width):
    asked |= {"activation_bits": width, "expert_bits": 8}
    few, many = (predict(model, machine, **asked | {name: each}) for each in pair)
    no_slower(few, many)
    assert few.memory_bytes.total <= many.memory_bytes.total


@given(model=models, machine=machines, asked=requests)
def test_narrower_arithmetic_is_never_slower_without_losses(model, machine, asked):
    asked["engine"] = "ideal"
    said = [predict(model, machine, **asked | {"activation_bits": w}) for w in (4, 8, 16, 32)]
    for narrow, wide in pairwise(said):
        no_slower(narrow, wide)


@given(model=models, machine=machines, asked=requests, more=st.integers(1, 16000))
def test_a_longer_context_is_never_faster(model, machine, asked, more):
    short = predict(model, machine, **asked)
    no_slower(short, predict(model, machine, **asked | {"input_len": asked["input_len"] + more}))
    longer = predict(model, machine, **asked | {"output_len": asked["output_len"] + more})
    assert short.time_per_output_token <= longer.time_per_output_token * SLACK
    assert short.batch_time <= longer.batch_time * SLACK


@given(model=models, machine=machines, asked=requests)
def test_nothing_is_faster_than_the_bound(model, machine, asked):
    # The bound computes in the narrowest width that an engine may choose.
    width = asked["activation_bits"] or 4
    bound = predict(model, machine, **asked | {"engine": "ideal", "activation_bits": width})
    no_slower(bound, predict(model, machine, **asked))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("weight_bits", [4, 8, 16])
def test_the_default_bound_is_one_for_every_engine(name, weight_bits):
    asked = {"batch": [1, 64, 2048], "input_len": [[16], [8000]], "weight_bits": weight_bits}
    for model, machine in (("Llama 3.1 8B", "B200"), ("Mixtral 8x7B", "L40S")):
        bound = predict(model, machine, engine="ideal", **asked)
        said = predict(model, machine, engine=name, **asked)
        for quantity in TIMES:
            assert np.all(getattr(bound, quantity) <= getattr(said, quantity) * SLACK), quantity


@given(model=models, machine=machines, name=engines, weight_bits=bits)
def test_one_user_without_a_past_is_the_bandwidth_law(model, machine, name, weight_bits):
    shape, device = shape_of(model), device_of(machine)
    device = replace(device, rates={b: 1e30 for b in device.rates}, vector_rate=1e30)
    read = shape.dense + shape.expert * shape.experts_per_token * (1 if shape.mixture else 0)
    law = roofline.bandwidth_law(device.bandwidth, read * weight_bits / 8)
    asked = {"weight_bits": weight_bits}
    ideal = decode_step_times(model, device, 1, 0, engine="ideal", **asked)
    assert 1 / ideal == pytest.approx(law, rel=1e-9)
    assert 1 / decode_step_times(model, device, 1, 0, engine=name, **asked) <= law * SLACK


@settings(max_examples=40)
@given(
    model=models,
    machine=machines,
    name=engines,
    block=st.integers(1, 40),
    threads=st.integers(1, 4),
    points=st.lists(st.tuples(batches, lengths), min_size=1, max_size=30),
    split=splits,
)
def test_fast_steps_are_those_of_predict(model, machine, name, block, threads, points, split):
    batch, prompt = np.array(points).T
    asked = {"devices": split, "engine": name, "weight_bits": 8, "kv_bits": 8}
    fast = decode_step_times(
        model, machine, batch, prompt + 0.5, block=block, threads=threads, **asked
    )
    said = predict(model, machine, batch=batch, input_len=prompt, output_len=1, **asked)
    assert fast.shape == batch.shape
    np.testing.assert_allclose(fast, said.time_per_output_token, rtol=1e-12)


@settings(max_examples=15)
@given(model=models, machine=machines, asked=requests, seed=st.integers(0, 2**32 - 1))
def test_an_array_is_a_loop(model, machine, asked, seed):
    draw = np.random.default_rng(seed)
    batch, prompt = draw.integers(1, 3000, (2, 1)), draw.integers(0, 9000, 3)
    split = 2.0 ** draw.integers(0, 4, 3)
    name = asked["engine"]
    asked |= {"batch": batch, "input_len": prompt, "devices": split, "weight_bits": [16, 8, 4]}
    many = predict(model, machine, **asked)
    for index in np.ndindex(2, 3):
        at = index[1]
        one = predict(
            model,
            machine,
            **asked
            | {
                "batch": batch[index[0], 0],
                "input_len": prompt[at],
                "devices": split[at],
                "weight_bits": [16, 8, 4][at],
                "engine": name,
            },
        )
        for quantity in (*RATES, "time_per_output_token", "batch_time", "fits", "bound"):
            whole = np.broadcast_to(getattr(many, quantity), (2, 3))[index]
            if isinstance(whole, str | np.str_ | np.bool_):
                assert whole == getattr(one, quantity), quantity
            else:
                assert whole == pytest.approx(getattr(one, quantity), rel=1e-12), quantity
        filled = np.broadcast_to(many.memory_bytes.total, (2, 3))[index]
        assert filled == pytest.approx(one.memory_bytes.total, rel=1e-12)


@given(model=models, machine=machines, asked=requests, order=st.randoms(use_true_random=False))
def test_the_order_of_arguments_does_not_matter(model, machine, asked, order):
    items = list(asked.items())
    order.shuffle(items)
    said = predict(model, machine, **dict(items))
    assert said.to_dict() == predict(model, machine, **asked).to_dict()
    by_parts = predict(machine=device_of(machine), model=shape_of(model), **asked)
    assert by_parts.to_dict() == said.to_dict()


@given(
    model=mixtures,
    machine=machines,
    asked=requests,
    apart=st.sampled_from([2, 4, 8]),
    split=st.sampled_from([1, 2]),
)
def test_attention_apart_is_whole_and_bounded(model, machine, asked, apart, split):
    """Data-parallel attention: weights of attention on every copy, experts shared once."""
    count = apart * split
    asked |= {"devices": count, "tensor_parallel": split, "expert_parallel": count}
    said = predict(model, machine, **asked)
    shape = shape_of(model)
    expected = (shape.routed + apart * (shape.parameters - shape.routed)) * asked["weight_bits"] / 8
    assert said.memory_bytes.weights == pytest.approx(expected)
    together = predict(model, machine, **asked | {"tensor_parallel": count, "engine": "ideal"})
    ideal = predict(model, machine, **asked | {"engine": "ideal"})
    # All matrices are read once on each copy, so splitting them reads less on each device.
    share = ideal.explain().set_index("part")["seconds"]
    split_share = together.explain().set_index("part")["seconds"]
    assert (share["matrices"] * SLACK >= split_share["matrices"]).all()
    # Copies that share less than one prompt or sequence each are all busy with one.
    assert (share["experts"] * SLACK >= split_share["experts"]).all()
    assert engine(said.engine).name == asked["engine"]

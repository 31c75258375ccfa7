"""Equations of a served step against loops that know no closed form, and in their limits."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwall import kvcache, roofline
from tokenwall.experts import distinct_experts
from tokenwall.interconnect import all_reduce_time, all_to_all_time
from tokenwall.steps import (
    cache_time,
    dense_time,
    exchange_time,
    expert_time,
    lifetime_token_rate,
    overhead_time,
    prompt_time,
    served_step_time,
    unpacking_time,
)

MODEL = {
    "dense_parameters": 1.6e9,
    "expert_parameters": 5.6e9,
    "experts": 8,
    "experts_per_token": 2,
    "bytes_per_weight": 2.0,
    "expert_bytes_per_weight": 0.5,
    "cache_bytes_per_token": 131072.0,
    "attention_flop_per_token": 524288.0,
    "layers": 32,
    "message_bytes": 8192.0,
    "exchanges_per_layer": 2.0,
}
MACHINE = {
    "dense_devices": 4,
    "cache_devices": 4,
    "expert_devices": 4,
    "replicas": 1,
    "sharing_devices": 4,
    "bandwidth": 3e12,
    "peak_rate": 1e15,
    "attention_rate": 1e15,
    "vector_rate": 6e13,
    "link_bandwidth": 4e11,
}
ENGINE = {
    "bandwidth_fraction": 0.9,
    "cache_fraction": 0.7,
    "compute_fraction": 0.6,
    "attention_fraction": 0.2,
    "flop_per_weight": 3.0,
    "overhead_per_layer": 2e-5,
    "overhead_per_step": 5e-4,
    "overhead_per_sequence": 1e-6,
    "round_latency": 5e-6,
    "link_fraction": 0.7,
}
EVERY = MODEL | MACHINE | ENGINE
PARTS = (dense_time, expert_time, cache_time, unpacking_time, overhead_time, exchange_time)
batches = st.floats(1, 1e5)
contexts = st.floats(1, 1e6)


def of(equation, **changed):
    """An equation at the numbers above, with some of them changed."""
    values = EVERY | changed
    return float(equation(**{k: v for k, v in values.items() if k in equation.parameters}))


def drawn(rng, batch, chosen, experts):
    """Distinct experts that a batch of tokens draws."""
    used = [rng.permutation(experts)[:chosen] for _ in range(batch)]
    return len(set(np.concatenate(used)))


@pytest.mark.parametrize(
    ("batch", "chosen", "experts"), [(1, 2, 8), (3, 2, 8), (16, 4, 32), (40, 8, 256), (64, 6, 64)]
)
def test_experts_touched_are_those_that_tokens_draw(batch, chosen, experts):
    rng = np.random.default_rng(batch)
    many = [drawn(rng, batch, chosen, experts) for _ in range(3000)]
    error = max(np.std(many) / math.sqrt(len(many)), 1e-9)
    said = float(distinct_experts(batch, chosen, experts=experts))
    assert abs(said - np.mean(many)) < 4 * error


@given(
    batch=batches,
    chosen=st.integers(1, 64),
    more=st.integers(0, 500),
    agreed=st.floats(0, 1),
    further=st.floats(0, 1e4),
)
def test_experts_touched_lie_between_those_of_a_token_and_all(batch, chosen, more, agreed, further):
    experts = chosen + more
    at = {"experts": experts, "routing_agreement": agreed}
    touched = float(distinct_experts(batch, chosen, **at))
    assert chosen * (1 - 1e-9) <= touched <= experts * (1 + 1e-9)
    assert touched <= chosen * batch * (1 + 1e-9)
    assert touched <= float(distinct_experts(batch + further, chosen, **at)) * (1 + 1e-12)
    apart = float(distinct_experts(batch, chosen, experts=experts))
    assert touched <= apart * (1 + 1e-12)
    agree = float(distinct_experts(batch, chosen, experts=experts, routing_agreement=1))
    assert agree == pytest.approx(chosen)


@pytest.mark.parametrize("devices", [1, 2, 3, 5, 8])
def test_a_ring_adds_up_with_the_bytes_of_the_formula(devices):
    """Reduce-scatter, then all-gather, done with numbers; every device counts what it sends."""
    rng = np.random.default_rng(devices)
    held = [list(rng.integers(0, 9, (devices, 6)).astype(float)) for _ in range(devices)]
    total = np.sum([np.array(each) for each in held], axis=0)
    sent = 0
    for turn, adding in itertools.product((0, 1), range(devices - 1)):
        moved = [
            (d, (d - adding + turn) % devices, held[d][(d - adding + turn) % devices].copy())
            for d in range(devices)
        ]
        for source, chunk, values in moved:
            there = held[(source + 1) % devices]
            there[chunk] = values if turn else there[chunk] + values
        sent += moved[0][2].nbytes
    for each in held:
        np.testing.assert_array_equal(np.array(each), total)
    took = all_reduce_time(float(total.nbytes), 1.0, sharing_devices=devices, round_latency=0.0)
    assert float(took) == pytest.approx(sent)


@pytest.mark.parametrize("devices", [1, 2, 4, 16, 64])
def test_the_rounds_are_those_of_doubling(devices):
    known, rounds = np.eye(devices, dtype=bool), 0
    while not known.all():
        partner = np.arange(devices) ^ (1 << rounds)
        known |= known[partner]
        rounds += 1
    for equation in (all_reduce_time, all_to_all_time):
        took = equation(0.0, 1.0, sharing_devices=devices, round_latency=1.0)
        assert float(took) == pytest.approx(rounds)


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
def test_all_to_all_sends_all_but_what_stays_at_home(devices):
    parts = np.full((devices, devices), 12.0)
    leaves = parts.sum(axis=1) - np.diag(parts)
    took = all_to_all_time(float(parts[0].sum()), 1.0, sharing_devices=devices, round_latency=0.0)
    assert float(took) == pytest.approx(leaves[0])


def walked(batch, context, **changed):
    """A step walked layer by layer, as one of the devices sees it."""
    v = EVERY | changed
    layers, users = v["layers"], batch / v["replicas"]
    experts = v["experts"] - v["experts"] * (1 - v["experts_per_token"] / v["experts"]) ** batch
    time = v["overhead_per_step"] + users * v["overhead_per_sequence"]
    for _ in range(layers):
        weights = v["dense_parameters"] / layers / v["dense_devices"]
        expert = v["expert_parameters"] / layers / v["expert_devices"]
        time += max(
            weights * v["bytes_per_weight"] / (v["bandwidth"] * v["bandwidth_fraction"]),
            2 * weights * users / (v["peak_rate"] * v["compute_fraction"]),
        )
        read = expert * experts * v["expert_bytes_per_weight"]
        time += max(
            read / (v["bandwidth"] * v["bandwidth_fraction"]),
            2 * expert * v["experts_per_token"] * batch / (v["peak_rate"] * v["compute_fraction"]),
        )
        cached = users * context / layers
        time += max(
            cached
            * v["cache_bytes_per_token"]
            / (v["cache_devices"] * v["bandwidth"] * v["cache_fraction"]),
            cached
            * v["attention_flop_per_token"]
            / (v["dense_devices"] * v["attention_rate"] * v["attention_fraction"]),
        )
        time += v["flop_per_weight"] * (weights + expert * experts) / v["vector_rate"]
        sharing = v["sharing_devices"]
        crossing = 2 * v["message_bytes"] * (sharing - 1) / sharing
        time += v["exchanges_per_layer"] * (
            crossing / (v["link_bandwidth"] * v["link_fraction"])
            + math.log2(sharing) * v["round_latency"]
        )
        time += v["overhead_per_layer"]
    return time


@pytest.mark.parametrize("batch", [1, 7, 64, 3000])
@pytest.mark.parametrize("context", [1, 2000, 100_000])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"sharing_devices": 1, "dense_devices": 1, "expert_devices": 1, "cache_devices": 1},
        {"cache_devices": 1},
        {"dense_devices": 1, "cache_devices": 1, "replicas": 4},
        {"attention_flop_per_token": 5e8},
        {"expert_parameters": 0, "experts_per_token": 1},
    ],
    ids=["split", "one device", "one head", "attention apart", "attention computes", "dense"],
)
def test_a_step_is_its_layers_one_after_another(batch, context, changed):
    said = of(served_step_time, batch=batch, context=context, **changed)
    assert said == pytest.approx(walked(batch, context, **changed), rel=1e-9)


@given(batch=batches, context=contexts, agreed=st.floats(0, 1))
def test_a_step_is_the_sum_of_its_parts(batch, context, agreed):
    at = {"batch": batch, "context": context, "routing_agreement": agreed}
    assert of(served_step_time, **at) == pytest.approx(sum(of(part, **at) for part in PARTS))


@given(batch=batches, context=contexts, name=st.sampled_from(sorted(ENGINE)))
def test_losses_only_ever_add(batch, context, name):
    at = {"batch": batch, "context": context}
    better = 1.0 if name.endswith("_fraction") else 0.0
    assert of(served_step_time, **at, **{name: better}) <= of(served_step_time, **at) * (1 + 1e-9)


@given(batch=batches, context=contexts, factor=st.floats(1, 1e6))
def test_a_machine_of_twice_everything_takes_half_the_time(batch, context, factor):
    """Only what the engine spends itself stays."""
    at = {"batch": batch, "context": context, "round_latency": 0.0}
    rates = ("bandwidth", "peak_rate", "attention_rate", "vector_rate", "link_bandwidth")
    faster = {name: factor * MACHINE[name] for name in rates}
    own = of(overhead_time, **at)
    before, after = of(served_step_time, **at) - own, of(served_step_time, **at, **faster) - own
    assert after * factor == pytest.approx(before, rel=1e-3, abs=1e-12 * factor)


@given(context=st.floats(1, 1e5), weights=st.floats(1e8, 1e12), bandwidth=st.floats(1e10, 1e14))
def test_one_user_on_one_device_is_the_bandwidth_law(context, weights, bandwidth):
    free = dict.fromkeys(ENGINE, 0.0) | {k: 1.0 for k in ENGINE if k.endswith("_fraction")}
    alone = dict.fromkeys((k for k in MACHINE if k.endswith("devices")), 1) | {"replicas": 1}
    fast = {"peak_rate": 1e30, "attention_rate": 1e30, "bandwidth": bandwidth}
    at = free | alone | fast | {"expert_parameters": 0, "experts_per_token": 1}
    took = of(served_step_time, batch=1, context=context, dense_parameters=weights, **at)
    read = weights * 2 + context * MODEL["cache_bytes_per_token"]
    assert 1 / took == pytest.approx(float(roofline.bandwidth_law(bandwidth, read)))


@given(batch=st.floats(1, 1000), prompt=st.integers(1, 300))
def test_attention_of_a_prompt_adds_up_token_by_token(batch, prompt):
    """Every token sees those before it: their mean is half the prompt, to half a token."""
    none = {"expert_parameters": 0, "experts_per_token": 1, "message_bytes": 0}
    at = {"batch": batch, "prompt_length": prompt, **none}
    slow = {"attention_flop_per_token": 1e12}
    seconds = 1e12 / (ENGINE["attention_fraction"] * MACHINE["attention_rate"] * 4)
    seen = sum(token + 0.5 for token in range(prompt)) * batch
    with_attention = of(prompt_time, **at, **slow, context=prompt / 2)
    without = of(prompt_time, **at, attention_flop_per_token=1e-30, context=prompt / 2)
    assert with_attention - without == pytest.approx(seen * seconds, rel=1e-6)


def test_a_short_prompt_is_a_step_and_a_long_one_is_arithmetic():
    short = of(prompt_time, batch=1, prompt_length=1, context=1)
    step = of(served_step_time, batch=1, context=1, flop_per_weight=0.0, overhead_per_sequence=0.0)
    assert short == pytest.approx(step, rel=1e-3)
    long, longer = (
        of(prompt_time, batch=b, prompt_length=1e6, context=1, message_bytes=0) for b in (1, 2)
    )
    assert longer == pytest.approx(2 * long, rel=1e-3)


@pytest.mark.parametrize(("prompt", "output"), [(1, 400), (1000, 300), (30_000, 50)])
def test_a_life_is_its_steps_one_by_one(prompt, output):
    """The step at the middle stands for all: reading caches grows evenly."""
    steps = [of(served_step_time, batch=32, context=prompt + i + 0.5) for i in range(output)]
    middle = of(served_step_time, batch=32, context=prompt + output / 2)
    assert sum(steps) == pytest.approx(output * middle, rel=1e-9)
    rate = lifetime_token_rate(32, output, step_time=middle, prefill_time=1.5)
    assert float(rate) == pytest.approx(32 * output / (1.5 + sum(steps)))


@given(layers=st.integers(1, 80), heads=st.integers(1, 128), latent=st.integers(1, 512), c=contexts)
def test_latent_attention_multiplies_latents_twice_and_the_rotated_part_once(
    layers, heads, latent, c
):
    rope = 64
    flop = 0
    # Scores: a query with each latent and its rotated part; then the sum of the latents.
    for width in (latent, rope, latent):
        flop += 2 * width * heads * layers * c
    said = kvcache.latent_attention_flop(
        layers, heads, latent_size=latent, rope_head_size=rope, context=c
    )
    assert float(said) == pytest.approx(flop)


@pytest.mark.parametrize("equation", [*PARTS, served_step_time, prompt_time])
def test_impossible_numbers_are_refused_by_name(equation):
    taken = [name for name in equation.parameters if name in EVERY]
    at = {"batch": 2, "context": 10, "prompt_length": 5}
    for name in taken:
        with pytest.raises(ValueError, match=f"^{name} is -1"):
            of(equation, **{k: v for k, v in at.items() if k != name}, **{name: -1})
        with pytest.raises(ValueError, match=f"^{name} is nan"):
            of(equation, **{k: v for k, v in at.items() if k != name}, **{name: math.nan})


def test_shares_above_one_are_refused():
    for name in (k for k in ENGINE if k.endswith("_fraction")):
        with pytest.raises(ValueError, match=f"^{name} is 1.5"):
            of(served_step_time, batch=1, context=1, **{name: 1.5})

"""Joules: floors tested as floors, prices against independent simulation and published runs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybtex.database import parse_file
from scipy.constants import k

from tokenwall import data, energy, scenario
from tokenwall.data.energies import energies, energy_interval, token_energies
from tokenwall.equation import REGISTRY
from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger_rows import (
    barrier_bound,
    bit_operations,
    energy_ledger,
    energy_rows,
    erasure_bound,
    gate_energy,
    rack_power,
    record_energy,
    switch_energy,
)
from tokenwall.ledger_rows.energy import arithmetic_energy, cmos_energy, flop_energy

WARMTH = st.floats(1, 1000)
ERROR = st.floats(1e-30, 0.5)
SIZE = st.floats(1e8, 1e13)
PRICE = st.floats(1e-14, 1e-9)
WIDTHS = st.integers(2, 32)


@given(warm=WARMTH, error=ERROR, more=st.floats(1.01, 10))
def test_floors_of_one_bit_keep_their_order(warm, error, more):
    least = energy.landauer_energy(warm)
    sloppy = energy.erasure_energy(warm, error)
    reliable = energy.reliable_bit_energy(warm, error)
    hasty = energy.finite_time_erasure_energy(warm, more, relaxation_time=1)
    assert 0 <= sloppy * (1 + 1e-12) + 1e-40
    assert sloppy <= least * (1 + 1e-12)
    assert least <= reliable * (1 + 1e-12)
    assert least < hasty
    assert energy.reliable_bit_energy(warm, error / more) > reliable
    assert energy.landauer_energy(warm * more) > least


@given(bits=WIDTHS, width=st.integers(8, 64), warm=WARMTH, error=st.floats(1e-30, 0.15))
def test_paying_for_reliability_is_never_cheaper_than_for_discarded_bits(bits, width, warm, error):
    discarded = energy.erased_bits_per_multiply_add(bits, width) * energy.landauer_energy(warm)
    count = energy.switches_per_multiply_add(bits, width)
    assert discarded < count * energy.reliable_bit_energy(warm, error)


@given(power=st.floats(1, 1e6), count=st.floats(1e6, 1e15), warm=WARMTH, error=ERROR)
def test_wasting_barriers_is_never_faster_than_forgetting_as_many_bits(power, count, warm, error):
    at = {"temperature": warm, "error_probability": error}
    rate = energy.thermodynamic_rate(power, count, **at)
    assert rate <= energy.erasure_rate(power, count, temperature=warm) * (1 + 1e-12)
    assert energy.thermodynamic_rate(2 * power, count, **at) == pytest.approx(2 * rate)
    paid = energy.irreversible_energy_per_token(count, energy.reliable_bit_energy(warm, error))
    assert energy.energy_per_token(power, rate) == pytest.approx(paid)


def gate_loss(gate, inputs):
    """Bits that a gate loses on random inputs, by counting its truth table."""
    seen = {}
    for word in range(2**inputs):
        out = gate([word >> place & 1 for place in range(inputs)])
        seen[out] = seen.get(out, 0) + 1
    told = -sum(n / 2**inputs * math.log2(n / 2**inputs) for n in seen.values())
    return inputs - told


@pytest.mark.parametrize(("bits", "width"), [(2, 16), (4, 24), (8, 32)])
def test_discarded_bits_follow_from_truth_tables(bits, width):
    product = gate_loss(lambda w: w[0] & w[1], 2)
    full = gate_loss(sum, 3)
    half = gate_loss(sum, 2)
    total = bits**2 * product + (bits * (bits - 2) + width) * full + bits * half
    assert energy.erased_bits_per_multiply_add(bits, width) == pytest.approx(total)
    gates = bits**2 + bits * (bits - 2) + width + bits
    assert energy.switches_per_multiply_add(bits, width) == gates


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_the_counted_adders_do_multiply(bits):
    """Columns of n² products are summed by exactly n (n - 2) full adders and n half adders."""
    full = half = 0
    for first in range(2**bits):
        for second in range(2**bits):
            row = [(first >> i & 1) & (second & 1) for i in range(bits)] + [0]
            result, full, half = [row[0]], 0, 0
            for step in range(1, bits):
                carry, above, nxt = 0, row[1:], []
                for place in range(bits):
                    product = (first >> place & 1) & (second >> step & 1)
                    old = above[place] if place < len(above) else 0
                    lone = place == 0 or (step == 1 and place == bits - 1)
                    full, half = full + (not lone), half + lone
                    total = product + old + carry
                    assert total <= (2 if lone else 3)
                    nxt.append(total & 1)
                    carry = total >> 1
                row = [*nxt, carry]
                result.append(row[0])
            value = sum(bit << place for place, bit in enumerate(result + row[1:]))
            assert value == first * second
    assert (full, half) == (bits * (bits - 2), bits)


@pytest.mark.parametrize("duration", [100.0, 300.0, 1000.0])
def test_slow_erasure_step_by_step_has_the_excess_of_the_formula(duration):
    excess = energy.simulate_erasure(duration, steps=20_000) - math.log(2)
    law = float(energy.finite_time_erasure_energy(1, duration, relaxation_time=1)) / k
    assert excess == pytest.approx(law - math.log(2), rel=0.1)
    assert excess > 0


@pytest.mark.parametrize("duration", [0.1, 1.0, 10.0])
def test_no_simulated_erasure_beats_landauer(duration):
    assert energy.simulate_erasure(duration, steps=4000) > math.log(2)


def test_a_sloppy_erasure_costs_what_its_entropy_says():
    work = energy.simulate_erasure(3000.0, error_probability=0.1, steps=20_000)
    work -= 0.1 * math.log(0.9 / 0.1)  # dropping the level again hands back what it still holds
    assert work == pytest.approx(float(energy.erasure_energy(1, 0.1)) / k, abs=2e-3)


@settings(deadline=None, max_examples=20)
@given(slow=st.floats(0.01, 300))
def test_no_simulated_ramp_is_hotter_than_the_formula(slow):
    steps = 20_000
    dt, charge, heat = (slow + 20) / steps, 0.0, 0.0
    for step in range(steps):
        supply = min(1.0, (step + 0.5) * dt / slow)
        middle = charge + (supply - charge) * dt / 2
        flow = supply - middle
        heat, charge = heat + flow**2 * dt, charge + flow * dt
    law = float(energy.ramp_energy(1, 1, switch_resistance=1, ramp_time=slow))
    assert heat < law * 1.002
    if slow > 100:
        assert heat == pytest.approx(law, rel=0.02)


@given(size=SIZE, price=PRICE, each=st.floats(1e-16, 1e-11), batch=st.floats(1, 1e4))
def test_a_share_is_a_share_and_parity_is_parity(size, price, each, batch):
    at = {"weight_bytes": 2 * size, "cache_bytes_per_token": 1.0, "memory_energy": price}
    moving = energy.moving_energy_per_token(batch, 1e-9, **at)
    computing = energy.computing_energy_per_token(size, each)
    assert 0 < energy.moving_share(moving, computing) <= 1
    even = energy.parity_batch(2, price, energy_per_flop=each)
    again = energy.moving_energy_per_token(even, 1e-9, **at)
    assert again == pytest.approx(computing, rel=1e-6)


def test_wires_per_transition_and_per_random_bit_differ_by_two_each():
    at = {"capacitance_per_length": 2e-10}
    full = energy.wire_energy(1e-3, 0.8, **at)
    assert energy.wire_energy(1e-3, 0.8, **at, transition_activity=0.5) == full / 2
    bits = np.random.default_rng(0).integers(0, 2, 200_000)
    rises = np.mean(np.diff(bits) == 1)
    assert rises == pytest.approx(0.25, abs=0.005)


def test_published_prices_give_the_published_ratios():
    new = energies("silicon-7nm")
    ratio = (new["fp16_multiply"] + new["fp16_add"]) / new["int8_add"]
    assert ratio == pytest.approx(71.4, abs=0.05)  # ma2024 prints 71.4 for the same operators


def test_years_to_the_headroom_that_was_printed():
    late = energies("efficiency")["doubling_late"]
    years = energy.time_to_gap(200, late) / (365.25 * 86400)
    assert years == pytest.approx(20.6, abs=0.05)


def test_power_over_rate_is_the_printed_energy_of_every_run():
    runs = token_energies()
    derived = energy.energy_per_token(runs["power"].to_numpy(), runs["token_rate"].to_numpy())
    assert len(runs) > 140
    # The vendor's power and rate cover the steady part of a run, its energy all of it.
    assert (derived / runs["value"]).median() == pytest.approx(1, abs=0.05)
    assert (derived / runs["value"]).between(0.7, 1.3).all()


def test_no_measured_token_lies_below_any_floor():
    for row in token_energies().itertuples():
        model = data.model(row.model)
        floors = [gate_energy(model), switch_energy(model), cmos_energy(model)]
        assert all(floor.high < row.value for floor in floors), row.id
        prices = arithmetic_energy(model, bits=min(row.weight_bits, 16))
        assert prices.low < row.value, row.id


def test_no_machine_computes_below_the_floors():
    table = data.machines()
    bits = {"peak_rate_fp16": 16, "peak_rate_fp8": 8, "peak_rate_fp4": 4, "peak_rate_int8": 8}
    seen = 0
    for rate, width in bits.items():
        joules = (table["tdp"] / table[rate]).dropna()
        seen += len(joules)
        switches = float(energy.switches_per_multiply_add(width, 24)) / 2
        reliable = float(energy.reliable_bit_energy(360, 1e-30))
        assert (joules > switches * reliable).all()
        assert (joules > 1 / energy_interval("cmos-limit", "efficiency")[1]).all()
    assert seen > 100


def test_no_published_operation_is_cheaper_than_a_reliable_switch():
    reliable = float(energy.reliable_bit_energy(360, 1e-30))
    for key in ("silicon-45nm", "silicon-7nm"):
        assert min(energies(key).values()) > 1000 * reliable


def test_the_ledger_of_joules_falls_all_the_way_down():
    rows = energy_rows(data.machine("gb300-nvl72"), data.model("llama-2-70b"))
    assert [row.key for row in rows] == ["accounted", "arithmetic", "cmos", "reliable", "landauer"]
    levels = [record_energy(), *(row.lands_on for row in rows)]
    for above, below in itertools.pairwise(levels):
        assert below.value < above.value
        assert below.low < above.low
        assert below.high < above.high
    assert rows[0].inputs["before"] == record_energy().value
    ledger = energy_ledger()
    assert ledger.end == rows[-1].lands_on
    product = record_energy().value
    for row in ledger.rows:
        product *= row.factor.value
    assert product == pytest.approx(ledger.end.value)


def test_rows_name_equations_and_sources_that_exist(root):
    keys = set(parse_file(root / "book" / "references.bib").entries)
    for row in energy_rows("gb300-nvl72", "llama-2-70b"):
        assert set(row.equations) <= set(REGISTRY)
        assert set(row.source.split("; ")) <= keys


def test_the_record_costs_what_its_rating_says():
    assert rack_power() == Estimate(142e3, 135e3, 155e3, "range of cases")
    assert record_energy().value == pytest.approx(0.129, abs=0.0005)


@pytest.mark.parametrize(("error", "in_kt"), [(1e-10, 162), (1e-25, 434), (1e-30, 526)])
def test_a_capacitive_node_needs_more_than_its_barrier(error, in_kt):
    node = energy.node_energy(300, energy.noise_margin(error))
    assert node / (k * 300) == pytest.approx(in_kt, abs=0.5)
    assert node / 2 > energy.reliable_bit_energy(300, error)


@pytest.mark.parametrize("chance", [0.01, 0.1, 0.3])
def test_noise_crosses_the_margin_as_often_as_it_says(chance):
    noise = np.random.default_rng(0).normal(size=400_000)
    assert np.mean(noise > energy.noise_margin(chance)) == pytest.approx(chance, rel=0.03)


def test_a_switch_that_errs_half_of_the_time_erases_nothing_though_its_barrier_costs_k_t_ln_2():
    assert float(energy.erasure_energy(300, 0.5)) == pytest.approx(0, abs=1e-40)
    assert energy.reliable_bit_energy(300, 0.5) == pytest.approx(energy.landauer_energy(300))


def test_forgetting_alone_bounds_where_the_gates_price_says():
    bound = erasure_bound(rack_power(), "llama-2-70b")
    paid = gate_energy("llama-2-70b")
    assert bound.value == pytest.approx(142e3 / paid.value)
    assert bound.low == pytest.approx(135e3 / paid.high)
    assert bound.high == pytest.approx(155e3 / paid.low)
    assert bound.value == pytest.approx(1.22e13, rel=0.005)
    assert bound.spread == Spread.BOUND
    assert erasure_bound(rack_power(), "deepseek-v3").value > bound.value


def test_wasted_barriers_bound_below_forgotten_bits_at_every_end():
    least, wasted = (of(rack_power(), "llama-2-70b") for of in (erasure_bound, barrier_bound))
    assert wasted.spread == Spread.BOUND
    assert wasted.value == pytest.approx(142e3 / switch_energy("llama-2-70b").value)
    for end in ("value", "low", "high"):
        assert getattr(wasted, end) < getattr(least, end) / 10


def test_barrier_bound_is_the_equation_at_its_estimates():
    count, bound = bit_operations("llama-2-70b"), barrier_bound(rack_power(), "llama-2-70b")
    active = scenario.read_parameters(data.model("llama-2-70b"))
    assert count.value == pytest.approx(52 * active)
    at = {"temperature": 300, "error_probability": 1e-25}
    assert bound.value == pytest.approx(energy.thermodynamic_rate(142e3, count.value, **at))
    assert bound.low < bound.value < bound.high
    assert bound.low > 1000 * 1_100_948.3


def test_a_mixture_counts_the_experts_that_it_wakes():
    assert bit_operations("deepseek-v3").value < bit_operations("llama-2-70b").value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: energy.simulate_erasure(0), "duration is 0"),
        (lambda: energy.simulate_erasure(1, error_probability=0.7), "error_probability is 0.7"),
        (lambda: energy.simulate_erasure(1, steps=0), "steps is 0"),
        (lambda: energy.noise_margin(0.5), "error_probability is 0.5"),
        (lambda: flop_energy(32), "bits is 32"),
        (lambda: energy.reliable_bit_energy(300, 0.6), "error_probability is 0.6"),
        (lambda: energies("silicon-3nm"), "silicon-3nm' is unknown; nearest: silicon-"),
        (lambda: bit_operations("llama-9"), "llama-9"),
    ],
)
def test_bad_input_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()

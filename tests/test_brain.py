"""The brain: budgets against their papers' own figures, spreads seeded, and what must not flip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.constants import N_A, k

from tokenwall import brain
from tokenwall.data.energies import energies, energy_interval
from tokenwall.energy import landauer_energy
from tokenwall.plots import energy_tables

POSITIVE = st.floats(1e-3, 1e12)


@given(power=POSITIVE, neurons=st.floats(1, 1e12), spike=st.floats(1e-15, 1e-6))
def test_spikes_that_are_paid_for_use_all_of_the_power(power, neurons, spike):
    rate = brain.affordable_spike_rate(power, spike, neurons=neurons)
    assert rate * spike * neurons == pytest.approx(power)
    half = brain.affordable_spike_rate(power, spike, neurons=neurons, signalling_fraction=0.5)
    assert half == pytest.approx(rate / 2)


@given(synapses=st.floats(1e9, 1e15), rate=st.floats(0.1, 100), power=st.floats(0.1, 100))
def test_events_share_the_power(synapses, rate, power):
    events = brain.synaptic_event_rate(synapses, rate)
    assert brain.energy_per_event(power, events) * events == pytest.approx(power)
    fewer = brain.synaptic_event_rate(synapses, rate, release_probability=0.25)
    assert brain.energy_per_event(power, fewer) > brain.energy_per_event(power, events)


def test_neurons_share_twenty_watts():
    known = energies("brain")
    each = brain.power_per_neuron(known["power"], known["neurons"])
    assert each == pytest.approx(0.232e-9, rel=0.002)


def test_tissue_and_neuron_budgets_agree_with_their_papers():
    rat = energies("rat-cortex")
    use = brain.tissue_atp_rate(rat["neuron_atp_rate"], rat["neuron_density"])
    per_gram = use / N_A * 60 / 1e6 * 1e6  # mole in a cubic metre and second, to micromole a gram
    assert per_gram == pytest.approx(30, abs=0.5)
    known = energies("brain")
    assert known["communication_power"] / known["computation_power"] == pytest.approx(35)


def test_a_spike_pays_for_its_atp():
    cost = energy_tables.spike_cost()
    assert cost["spike"] == pytest.approx(2.4e9 * 50e3 / N_A)
    assert cost["most"] > cost["lennie"]  # upkeep takes the rest


def test_no_event_of_the_brain_beats_landauer():
    floor = landauer_energy(310)
    _, low, _ = energy_tables.event_energy()
    assert low > 1e5 * floor
    assert energies("brain")["power"] / floor == pytest.approx(6.74e21, rel=0.001)
    assert energy_interval("brain", "atp_energy")[1] / N_A > k * 310 * np.log(2)


@given(low=st.floats(1e-6, 1e6), factor=st.floats(1, 1e6), seed=st.integers(0, 1000))
def test_nine_tenths_of_the_draws_lie_between_the_printed_ends(low, factor, seed):
    high = low * factor
    draws = brain.lognormal_draws(np.random.default_rng(seed), low, high, count=2000)
    inside = np.mean((draws >= low * (1 - 1e-9)) & (draws <= high * (1 + 1e-9)))
    assert inside == pytest.approx(0.9, abs=0.03) if factor > 1.000001 else inside > 0.8


def test_draws_are_the_same_each_time_and_pool_evenly():
    first, again = energy_tables.comparison(), energy_tables.comparison()
    assert first.equals(again)
    other = energy_tables.comparison(seed=7)
    assert np.allclose(first["chance"], other["chance"], atol=0.02)
    pool = brain.pooled_draws(np.random.default_rng(0), [(1, 1), (100, 100)], count=101)
    assert sorted(np.unique(pool, return_counts=True)[1]) == [50, 51]


def test_the_winner_changes_with_the_unit():
    table = energy_tables.comparison().set_index("axis")
    aloud = table.loc["tokens, reading aloud"]
    assert aloud["chance"] < 0.001
    assert 1 / aloud["ratio"] == pytest.approx(32, abs=2)
    spikes = table.loc["estimated operations, by spikes"]
    assert 0.6 < spikes["chance"] < 0.9
    assert spikes["low"] < 1 < spikes["ratio"] < spikes["high"]
    assert (table["low"] < table["ratio"]).all()
    assert (table["ratio"] < table["high"]).all()


def test_the_rack_wins_every_axis_of_whole_words():
    table = energy_tables.comparison().set_index("axis")
    words = [axis for axis in table.index if axis.startswith(("tokens", "the same"))]
    words.remove("tokens aloud, the task's extra power")
    assert len(words) == 7
    assert (table.loc[words, "chance"] < 0.01).all()


def test_widths_of_the_estimates_are_those_printed():
    generator = np.random.default_rng(0)
    draws = energy_tables.brain_operations(generator, energy_tables.METHODS[:1])
    low, high = np.quantile(draws, [0.05, 0.95])
    assert low == pytest.approx(1e13, rel=0.1)
    assert high == pytest.approx(1e17, rel=0.1)
    pooled = energy_tables.brain_operations(generator, energy_tables.METHODS)
    assert pooled.std() > draws.std()
    assert len(pooled) == energy_tables.DRAWS


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: brain.lognormal_draws(g, 2, 1, count=3), "low and high are 2 and 1"),
        (lambda g: brain.lognormal_draws(g, 0, 1, count=3), "low and high are 0 and 1"),
        (lambda g: brain.lognormal_draws(g, 1, 2, count=0), "count is 0"),
        (lambda g: brain.pooled_draws(g, [], count=3), "ends is empty"),
        (lambda g: brain.power_per_neuron(20, -1), "neurons is -1"),
    ],
)
def test_bad_input_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))

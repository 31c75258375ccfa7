"""The brain: budgets against their papers' own figures, spreads seeded, and what must not flip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.constants import N_A, k

from tokenwall import brain, data
from tokenwall.data.comparisons import sides
from tokenwall.data.energies import energies, energy_interval
from tokenwall.data.facts import estimate, facts
from tokenwall.energy import landauer_energy
from tokenwall.estimate import Spread
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
    assert min(each.low for each in energy_tables.event_energies().values()) > 1e5 * floor
    assert energies("brain")["power"] / floor == pytest.approx(6.74e21, rel=0.001)
    assert energy_interval("brain", "atp_energy")[1] / N_A > k * 310 * np.log(2)


def test_a_synaptic_event_costs_what_is_divided():
    """Each of the three by hand, from what its paper prints."""
    events = energy_tables.event_energies()
    each = 50e3 / N_A
    assert events["released"].value == pytest.approx(1.64e5 * each)
    rate = 1.5e14 * 0.16 * 0.25
    assert events["cortex"].value == pytest.approx(3.4e21 / 60 * each / rate)
    assert events["cortex"].value == pytest.approx(0.78e-12, rel=0.01)
    assert events["brain"].value == pytest.approx(20 / rate)
    assert events["released"].value < events["cortex"].value < events["brain"].value


def test_bits_of_a_retina_cost_what_was_measured():
    bits, floor = energy_tables.bit_energies(), landauer_energy(310)
    assert bits["synapse"].value / floor == pytest.approx(2.8e5, rel=0.01)
    assert bits["spike"].low < 1e6 * 50e3 / N_A < 1e7 * 50e3 / N_A <= bits["spike"].high * 1.0001


@pytest.fixture(scope="module")
def table():
    return energy_tables.comparison()


def ratio(table, counted, charged):
    row = table[
        (table["counted"] == counted) & (table["charged"] == energy_tables.CHARGED[charged])
    ]
    return row.iloc[0]["ratio"]


def test_ratios_by_hand(table):
    aloud = 183 / 60 * 1.33
    record, chips = 1_100_948.3, 72 * 1400
    words = "tokens, reading aloud"
    assert ratio(table, words, "part").value == pytest.approx(aloud / 20 / (record / chips))
    assert ratio(table, words, "whole").value == pytest.approx(aloud / 100 / (record / 142e3))
    typed = 120 / 60 * 1.33
    hall = 142e3 * 1.09
    assert ratio(table, "tokens, an expert typing", "site").value == pytest.approx(
        typed / 150 / (record / hall)
    )
    answers = "right answers, DeepSeek-R1"
    joules = 26_820 / 0.81
    assert ratio(table, answers, "part").value == pytest.approx(
        joules / (20 * 1800 / 0.34), rel=1e-3
    )
    over = (0.58 + 0.25 + 0.10) / 0.58 * 1.09
    assert ratio(table, answers, "site").value == pytest.approx(
        joules * over / (150 * 1800 / 0.34), rel=1e-3
    )
    done = 2 * energy_tables.record_multiply_adds() * record / chips
    spikes = "operations, spikes counted"
    assert ratio(table, spikes, "part").value == pytest.approx(1e15 / 20 / done)


def test_operations_are_compared_at_the_mean_on_both_sides(table):
    """At its peak the rack would do seven times what the record took."""
    chips = energy_tables.rack_powers()["part"]
    peak, done = (
        of(chips).value for of in (energy_tables.peak_operations, energy_tables.record_operations)
    )
    assert done / peak == pytest.approx(0.14, abs=0.003)
    for key in ("energy-operations-part", "energy-operations-whole"):
        assert {side.level for side in sides(key)} == {"mean"}


def test_rows_of_tokens_are_one_number_times_constants(table):
    """Between persons the ratio changes by their rates alone; it is no second vote."""
    aloud, typed = (
        ratio(table, name, "part").value
        for name in ("tokens, reading aloud", "tokens, an expert typing")
    )
    assert typed / aloud == pytest.approx(120 / 183)
    body = ratio(table, "tokens, reading aloud", "whole").value
    assert body / aloud == pytest.approx(0.2 * 142e3 / (72 * 1400))


def test_bits_of_text_say_what_tokens_say():
    """One entropy on both sides cancels; a longer memory on one side only would not."""
    letters = energies("english")["characters_per_word"]
    each = facts("english")["tokens_per_word"]
    for surprise in (0.6, 1.0, 1.3):
        spoken = brain.behaviour_information_rate(
            facts("person")["reading_aloud_rate"], letters, bits_per_character=surprise
        )
        written = 1_100_948.3 * letters / each * surprise
        bits = (spoken / 20) / (written / (72 * 1400))
        assert bits == pytest.approx(
            ratio(energy_tables.comparison(), "tokens, reading aloud", "part").value
        )


def test_no_interval_of_the_comparison_claims_a_chance(table):
    kinds = {each.spread for each in table["ratio"]}
    assert Spread.NINE_IN_TEN not in kinds
    assert kinds == {Spread.OPINIONS, Spread.CASES}
    assert not {"chance", "probability"} & set(table.columns)


def test_who_is_ahead_follows_from_the_ends(table):
    for row in table.itertuples():
        inside = row.ratio.low < 1 < row.ratio.high
        assert (row.ahead == "open") == inside
        assert row.ratio.value == pytest.approx(row.person / row.rack)
    ahead = dict(zip(table["group"], table["ahead"], strict=True))
    assert ahead == {"tokens": "rack", "answers": "rack", "operations": "open"}


def test_each_cell_of_the_matrix_is_a_declared_comparison(table):
    for group, boundary in energy_tables.KEYS:
        first, second = sides(energy_tables.KEYS[group, boundary])
        assert first.differences(second) == []
        assert first.boundary == ("whole" if boundary == "taught" else boundary)
    wide = energy_tables.matrix()
    assert (wide != "").to_numpy().sum() == len(table)
    assert wide.loc["tokens, reading aloud", energy_tables.CHARGED["part"]] == "rack 54 (29 to 75)"


def test_the_published_rise_lies_inside_its_interval():
    """Raichle prints 0.5 to 1.0 %; five per cent is the usual upper figure."""
    value, low, high = energy_interval("brain", "task_increase")
    assert low <= 0.005 <= value <= 0.01 < high
    assert estimate("brain", "task_increase", table="energies").spread == Spread.OPINIONS
    even = energy_tables.even_increase()
    assert even * 20 / (183 / 60 * 1.33) == pytest.approx(142e3 / 1_100_948.3)
    assert low < even < high


def test_widths_of_the_estimates_are_those_printed():
    rates = energy_tables.brain_operations()
    assert (rates["brain-mechanism"].low, rates["brain-mechanism"].high) == (1e13, 1e17)
    assert (rates["all methods"].low, rates["all methods"].high) == (1e12, 1e20)
    assert {each.spread for each in rates.values()} == {Spread.OPINIONS}


def test_factors_are_said_in_two_digits():
    said = [energy_tables.times(x) for x in (0.0271, 0.27, 3.19, 9.96, 53.9, 3687, 5_551_801)]
    assert said == ["0.027", "0.27", "3.2", "10", "54", "3,700", "5,600,000"]


def test_operations_of_other_kinds_are_all_there_and_break_no_floor_of_their_own():
    """Light and cold junctions lie below rows of the ledger, each under its own conditions."""
    paths = energy_tables.paths()
    rows = data.tidy("energies")
    other = rows[(rows["unit"] == "J") & rows["key"].str.contains("optical|aqfp")]
    assert len(paths) == len(other) == 3
    light = paths.loc["light, 0.66 photons"]
    assert light["known"] == "measured"
    assert light["barrier"] < 1 < light["landauer"]
    assert paths.loc["light, shot noise", "landauer"] == pytest.approx(0.295, abs=0.001)
    cold = paths.loc["superconducting switch"]
    assert cold["landauer"] == pytest.approx(35, abs=0.5)
    assert cold["barrier"] < 1


def test_bad_input_is_refused_in_words():
    with pytest.raises(ValueError, match="neurons is -1"):
        brain.power_per_neuron(20, -1)

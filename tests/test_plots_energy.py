"""The energy chapter: tables against hand-made cases, figures and their words, and its boards."""

import re

import numpy as np
import pandas as pd
import pytest

from tokenwall import data, energy, style
from tokenwall.data.energies import energies, token_energies
from tokenwall.data.selections import selected
from tokenwall.explorable import Explorable
from tokenwall.ledger_rows import bit_operations, gate_energy, rack_power, record_energy
from tokenwall.plots import brain as brain_figures
from tokenwall.plots import energy as figures
from tokenwall.plots import energy_boards, energy_tables


@pytest.fixture(scope="module")
def made():
    fits, priced = energy_tables.served_fits(), energy_tables.priced()
    methods, odds = energy_tables.operation_estimates(), (5e13, 5e19)
    lines = {"accelerators": 1.5e12, "CMOS limit": 4.7e15, "k T ln 2": 1e19}
    return {
        "ladder": (figures.ladder_figure, figures.ladder_alt, (energy_tables.ladder(),)),
        "erasure": (figures.erasure_figure, figures.erasure_alt, ()),
        "served": (figures.served_figure, figures.served_alt, (token_energies(), fits, priced)),
        "comparison": (
            brain_figures.comparison_figure,
            brain_figures.comparison_alt,
            (energy_tables.comparison(),),
        ),
        "operations": (
            brain_figures.methods_figure,
            brain_figures.methods_alt,
            (methods, odds, lines),
        ),
    }


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["ladder", "erasure", "served", "comparison", "operations"])
def test_figures_have_a_finding_units_and_words(made, name, narrow):
    draw, words, tables = made[name]
    with style.use():
        figure = draw(*tables, narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel()
    alt = words(*tables)
    assert style.inline_svg(figure, alt).startswith("<svg")
    assert len(re.findall(r"\d", alt)) > 5
    style.close(figure)


def test_words_name_what_the_figures_show(made):
    said = {name: words(*tables) for name, (_, words, tables) in made.items()}
    assert "one token of the record rack, 129 mJ" in said["ladder"]
    assert "0.72 k T in 100" in said["erasure"]
    assert "3.76 J at a batch of 8" in said["served"]
    table = made["comparison"][2][0]
    found = brain_figures.standings(table)
    assert found == {"tokens": "rack", "answers": "rack", "operations": "open"}
    assert "spikes counted" in said["operations"]
    assert "a spread of opinions" in said["operations"]
    assert "nine in ten" not in " ".join(said.values())


def test_a_group_with_two_winners_stays_open():
    frame = pd.DataFrame({"group": ["a", "a", "b"], "ahead": ["rack", "person", "person"]})
    assert brain_figures.standings(frame) == {"a": "open", "b": "person"}


def test_all_metered_dense_runs_are_drawn():
    series = {name.rsplit("-", 1)[0] for name in selected("energy-dense")["id"]}
    assert series == set(energy_tables.SERIES)
    drawn = token_energies()
    assert len(selected("energy-dense")) == drawn["series"].isin(energy_tables.SERIES).sum()


def test_the_ladder_climbs_and_its_floors_lie_lowest(made):
    table = made["ladder"][2][0]
    assert (table["value"].diff().dropna() >= 0).all()
    assert list(table["kind"][:3]) == ["floor"] * 3
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_the_law_finds_constants_that_made_it():
    batch = np.geomspace(8, 1000, 7)
    floor, step = energy_tables.fit_served(batch, 0.4 + 30 / batch)
    assert (floor, step) == (pytest.approx(0.4), pytest.approx(30))


def test_the_law_predicts_runs_that_its_fit_has_not_seen():
    fits = energy_tables.served_fits()
    dense = fits.loc[list(energy_tables.SERIES)]
    assert dense.loc["llama-3.1-70b-4xh100", "median_miss"] < 0.02
    assert (dense["median_miss"] < 0.08).all()
    assert (fits["median_miss"] < 0.21).all()
    mixtures = fits[~fits["model"].str.startswith("llama")]
    assert mixtures["median_miss"].mean() > 2 * dense["median_miss"].mean()


def test_prices_by_hand():
    table = energy_tables.priced()
    first = table.iloc[0]
    runs = token_energies()
    run = runs[runs["series"] == "llama-3.1-70b-4xh100"].sort_values("batch").iloc[0]
    row = data.model("llama-3.1-70b")
    read = 2 * (row["parameters"] - row["vocabulary"] * row["hidden_size"]) / run["batch"]
    cache = 2 * 80 * 8 * 128 * 2 * run["output_tokens"] / 2
    assert first["moving"] == pytest.approx((read + cache) * 8 * 3.92e-12, rel=1e-3)
    assert (table["share"] < 0.2).all()


def board(make, axes, sliders):
    made = make()
    return made, Explorable(
        "test-energy",
        draw=lambda narrow: axes(narrow=narrow),
        controls=sliders,
        moves=made.moves,
        readouts=made.readouts,
        presets=made.presets,
        fixed=made.fixed,
        alt=made.alt,
    )


def test_floors_agree_with_the_ledger_rows():
    made, dial = board(energy_boards.floors, energy_boards.floors_axes, energy_boards.FLOOR_SLIDERS)
    assert dial.html.count("<svg") == 2
    shown = dial.results()
    measured = record_energy().value
    gates = gate_energy("llama-2-70b").value
    assert shown["Measured over discarded bits"] == pytest.approx(measured / gates)
    rate = energy.thermodynamic_rate(
        rack_power().value,
        bit_operations("llama-2-70b").value,
        temperature=300,
        error_probability=1e-25,
    )
    assert shown["Tokens of the rack's power, wasted barriers alone"] == pytest.approx(rate)
    least = shown["Tokens of the rack's power, discarded bits alone"]
    assert least == pytest.approx(rack_power().value / gates)
    for preset in made.presets:
        at = dial.results(**preset.values)
        assert at["Measured over wasted barriers"] > 1
        assert at["One switch, in k T ln 2"] >= 1


def test_shares_agree_with_the_equations_at_every_preset():
    made, dial = board(energy_boards.share, energy_boards.share_axes, energy_boards.SHARE_SLIDERS)
    for preset in made.presets:
        at = {**made.fixed, **dial.defaults, **preset.values}
        shown = dial.results(**preset.values)
        moving = energy.moving_energy_per_token(
            at["batch"],
            at["context"],
            weight_bytes=at["weight_bytes"],
            cache_bytes_per_token=at["cache_bytes_per_token"],
            memory_energy=at["memory_energy"],
        )
        computing = energy.computing_energy_per_token(
            at["active_parameters"], at["energy_per_flop"]
        )
        assert shown["Moving"] == pytest.approx(moving)
        share = 100 * energy.moving_share(moving, computing)
        assert shown["Share of moving, %"] == pytest.approx(share)


def test_the_writers_change_places_with_the_unit():
    made, dial = board(
        energy_boards.writers, energy_boards.writers_axes, energy_boards.WRITER_SLIDERS
    )
    shown = dial.results()
    assert shown["Rack over person, in tokens"] > 10
    assert shown["Brain over accelerators, in operations"] > 1
    low = dial.results(**next(p.values for p in made.presets if "low" in p.label))
    assert low["Brain over accelerators, in operations"] < 1
    assert energies("brain-mechanism")["operation_rate"] == 1e15


def test_price_list_prints_the_tables_as_they_stand():
    table = energy_tables.price_list()
    assert table.loc["multiply two 32-bit numbers", "45 nm [pJ]"] == pytest.approx(3.7)
    assert table.loc["multiply two 32-bit numbers", "7 nm [pJ]"] == pytest.approx(1.31)
    assert (table["times cheaper"] > 1).all()
    both = set(energies("silicon-45nm")) & set(energies("silicon-7nm"))
    assert len(table) == len(both)

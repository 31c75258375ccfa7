"""Figures and tables of the page on predictions and measurements."""

import re

import pandas as pd
import pytest

from tokenwall import style, validation
from tokenwall.plots import claims
from tokenwall.plots import validation as page
from tokenwall.serving import engines

FIGURES = ("scatter", "ideal", "growth", "group")


@pytest.fixture(scope="module")
def made():
    rows = validation.rows()
    return {
        "scatter": (rows,),
        "ideal": (rows,),
        "growth": (validation.context_growth(rows),),
        "group": (validation.errors(["machine_class"], rows), "classes"),
    }


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_have_a_finding_units_and_words(made, name, narrow):
    draw, words = (getattr(page, f"{name}_figure{end}") for end in ("", "_alt"))
    with style.use():
        figure = draw(*made[name], narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel()
    alt = words(*made[name])
    markup = style.inline_svg(figure, alt)
    assert markup.startswith("<svg")
    # A page carries two drawings of each.
    assert len(markup) < 120_000
    assert len(re.findall(r"\d", alt)) > 5
    style.close(figure)


def test_every_row_is_a_dot_or_hides_behind_one(made):
    rows = made["scatter"][0]
    kept = page._thinned(rows)
    assert 100 < len(kept) < len(rows)
    assert page._thinned(kept).equals(kept)


def test_words_say_what_the_figures_show(made):
    rows = made["scatter"][0]
    near = (rows[rows["regime"].eq("single")]["factor"] <= 2).mean()
    assert f"{near:.0%} within a factor of 2" in page.scatter_figure_alt(rows)
    fast = (rows["measured"] < rows["ideal"]).sum()
    assert f"Faster than that machine: {fast} of {len(rows)}" in page.ideal_figure_alt(rows)
    table = made["group"][0]
    assert f"Apple chips, {table.loc['Apple chips', 'rows']:.0f} rows" in page.group_figure_alt(
        table, "class"
    )


def test_groups_stand_from_the_nearest_down(made):
    table = page._ordered(made["group"][0])
    assert table["source"].is_monotonic_increasing


def test_bars_say_met_missed_or_nothing_to_judge():
    bars = [
        validation.Bar("near", "median", 3, 0.05, 0.1),
        validation.Bar("far", "median", 3, 0.2, 0.1, "why"),
        validation.Bar("open", "median", 0, float("nan"), 0.1),
        validation.Bar("count", "rows", 3, 2.0, 0),
    ]
    table = page.bars_table(bars)
    assert list(table["verdict"]) == ["met", "missed", "no rows", "missed"]
    assert list(table["figure"]) == ["5.0%", "20.0%", "–", "2"]
    assert list(table["bar"]) == ["below 10.0%", "below 10.0%", "below 10.0%", "none"]


@pytest.mark.parametrize(
    "table",
    [
        lambda: page.bars_table(validation.bars()),
        lambda: page.errors_table(validation.errors(["work"]), "work"),
        lambda: page.misses_table(validation.misses()),
        lambda: page.coverage_table(validation.coverage()),
        lambda: page.peers_table(validation.peer_table()),
        lambda: page.intervals_table(validation.intervals()),
        lambda: page.noise_table(validation.noise()),
        lambda: page.constants_table(["any", "gpt-fast"]),
    ],
)
def test_tables_are_text_without_gaps(table):
    shown = table()
    assert len(shown) > 2
    assert not shown.isna().any().any()
    assert "nan" not in shown.to_html().replace("nance", "")
    assert shown.index.name


def test_every_constant_of_an_engine_has_a_meaning_and_a_unit():
    said = page.meanings()
    assert set(said) == set(engines.CONSTANTS)
    assert said["bandwidth_fraction"][1] == "1"
    assert said["overhead_per_layer"][1] == "s"


def test_constants_stand_with_their_errors():
    table = page.constants_table(["gpt-fast"])
    row = engines.engine_table().set_index(["key", "quantity"])
    row = row.loc[("gpt-fast", "bandwidth_fraction")]
    expected = f"{row['value']:.2f} ± {row['standard_error']:.2f}"
    assert table.loc["bandwidth_fraction", "gpt-fast"] == expected
    assert table.loc["exposed_fraction", "gpt-fast"].endswith("assumed")


def test_sources_of_one_name_are_told_apart():
    refs = {
        "a1": claims.Reference("A 2023", ""),
        "a2": claims.Reference("A 2023", ""),
        "b": claims.Reference("B 2024", ""),
    }
    assert page.source_names(["a1", "a2", "b"], refs) == {
        "a1": "A 2023, a1",
        "a2": "A 2023, a2",
        "b": "B 2024",
    }


def test_a_miss_is_named_by_model_machine_and_engine():
    misses = validation.misses()
    shown = page.misses_table(misses)
    assert isinstance(shown, pd.DataFrame)
    assert shown["furthest"].str.contains("slower|faster").all()
    assert shown["rows"].sum() == misses["rows"].sum()

"""Figures of sweeps: findings from the data, and words for those who do not see them."""

import re

import numpy as np
import pytest

from tokenwall import style
from tokenwall.plots import sweeps as figures
from tokenwall.sweep import monte_carlo, quantiles, ranking, sweep

ASKED = {"model": "Llama 3.1 70B", "machine": "H100 SXM", "devices": 8, "weight_bits": 8}


@pytest.fixture(scope="module")
def made():
    grid = sweep(
        model="Llama 3.1 8B",
        machine=["H100 SXM", "RTX 4090", "MI300X"],
        batch=np.geomspace(1, 1024, 6).round(),
        quantities=["decode_tokens_per_second", "fits"],
    )
    request = {**ASKED, "batch": [1, 16, 256], "draws": 200}
    drawn = {
        "everything": quantiles(monte_carlo(**request)),
        "engine": quantiles(monte_carlo(**request, sources=["engine"])),
    }
    table = ranking(**ASKED, batch=64, samples=64)
    return {
        "machines": (figures.machines_figure, figures.machines_alt, grid),
        "spread": (figures.spread_figure, figures.spread_alt, drawn),
        "ranking": (figures.ranking_figure, figures.ranking_alt, table),
    }


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["machines", "spread", "ranking"])
def test_figures_have_a_finding_units_and_words(made, name, narrow):
    draw, words, data = made[name]
    with style.use():
        figure = draw(data, narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel()
    alt = words(data)
    assert style.inline_svg(figure, alt).startswith("<svg")
    assert len(re.findall(r"\d", alt)) > 10
    style.close(figure)


def test_the_title_names_the_busiest_of_what_fits(made):
    grid = made["machines"][2]
    name, rate, batch = figures.busiest(grid)
    here = grid.sel(machine=name, batch=batch)
    assert here["fits"]
    assert rate == here["decode_tokens_per_second"]
    assert rate == float(grid["decode_tokens_per_second"].where(grid["fits"]).max())
    with style.use():
        assert name in figures.machines_figure(grid).axes[0].get_title("left")


def test_labels_do_not_touch():
    heights = figures._apart([10.0, 10.5, 100.0, 9.9], 1.2)
    assert heights == pytest.approx([11.88, 14.256, 100, 9.9])


def test_the_spread_narrows_with_fewer_inputs(made):
    drawn = made["spread"][2]
    assert figures.spread_factor(drawn["everything"]) > figures.spread_factor(drawn["engine"]) > 1


def test_every_shown_input_is_named(made):
    table = made["ranking"][2]
    alt = figures.ranking_alt(table)
    for name in table[table["total"] > 0.05].index:
        assert figures.words_of(name) in alt
    assert "rent of a device" not in alt
    assert figures.words_of("routing_agreement") == "routing agreement"

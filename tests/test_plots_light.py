"""The light chapter: tables against hand-made cases, figures and their words, and its boards."""

import re

import numpy as np
import pytest
from scipy.constants import c

from tokenwall import data, light, style
from tokenwall.explorable import Explorable, Stepper
from tokenwall.plots import light as figures
from tokenwall.plots import light_boards, light_tables

THIN = {"resistance_per_length": 1e6, "capacitance_per_length": 2e-10}


@pytest.fixture(scope="module")
def made():
    curve = light_tables.device_curve(data.model("llama-3.1-70b"), data.machine("h100-sxm"))
    return {
        "orders": (light_tables.single_users(),),
        "speed": (light_tables.signal_speeds(),),
        "wire": (THIN, 3e7, 44e-6),
        "limits": (light_tables.limits(),),
        "devices": (curve, "a model"),
    }


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["orders", "speed", "wire", "limits", "devices"])
def test_figures_have_a_finding_units_and_words(made, name, narrow):
    draw, words = (getattr(figures, f"{name}_figure{end}") for end in ("", "_alt"))
    with style.use():
        figure = draw(*made[name], narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel()
    alt = words(*made[name])
    assert style.inline_svg(figure, alt).startswith("<svg")
    assert len(re.findall(r"\d", alt)) > 5
    style.close(figure)


def test_words_name_what_the_figures_show(made):
    best = made["devices"][0].sort_values("rate").iloc[-1]
    assert f"with {best.devices:.0f} devices" in figures.devices_figure_alt(*made["devices"])
    assert "hard-wired chip, Llama 3.1 8B, 17,000" in figures.orders_figure_alt(*made["orders"])
    assert "7.58 ns for 10 mm" in figures.wire_figure_alt(*made["wire"])


def test_signals_are_ordered_and_none_beats_light():
    table = light_tables.signal_speeds()
    assert (table["speed"].diff().dropna() > 0).all()
    assert table["fraction"].iloc[-1] == 1
    ten = table.set_index("way").loc["thin wire, 10 mm", "speed"]
    # 0.3786 times 32.3 kohm/mm times 0.173 pF/mm times the square of 10 mm.
    assert 1e-2 / ten == pytest.approx(2.117e-7, rel=1e-3)


def test_published_facts_and_measurements_give_the_same_rates_as_their_tables():
    table = light_tables.single_users().set_index("label")["rate"]
    assert table["hard-wired chip, Llama 3.1 8B"] == 17000
    assert table["8 A100, Llama 2 70B"] == 62.5


def test_limits_follow_by_hand():
    table = light_tables.limits().set_index("label")
    row = table.loc["8 A100, Llama 2 70B"]
    size = 2 * (data.model("llama-2-70b")["parameters"] - 32000 * 8192)
    assert row["reading"] == pytest.approx(size / (8 * 2.039e12))
    assert row["exchanges"] == pytest.approx(2 * (8**0.5 - 1) * 80 * 4 * 1e-6)
    assert row["light_machine"] == pytest.approx(320 * 0.4822 / c)
    assert row["launches"] == pytest.approx(500 * 1.3e-6)
    assert row["binds"] == "reading"
    assert table.loc["4 wafers, Llama 3.1 70B", "binds"] == "exchanges"
    times = table[list(light_tables.LIMITS)].max(axis=1)
    seen = table["measured"].dropna()
    assert (seen > times[seen.index]).all()


def test_no_chain_breaker_gains_more_than_its_own_tokens():
    gains = light_tables.chain_breakers()["gain"]
    assert gains.between(1.5, 4.2).all()


def sandbox():
    board = light_boards.size_board()
    table = light_tables.single_users()
    return board, Explorable(
        "test-light",
        draw=lambda narrow: light_boards.size_axes(table, narrow=narrow),
        controls=light_boards.SIZE_SLIDERS,
        moves=board.moves,
        readouts=board.readouts,
        presets=board.presets,
        fixed=board.fixed,
        alt=board.alt,
    )


def test_sandbox_agrees_with_the_equations_at_every_preset():
    board, dial = sandbox()
    assert dial.html.count("<svg") == 2
    for preset in board.presets:
        shown = dial.results(**preset.values)
        at = {**dial.defaults, **preset.values}
        steps = at["layers"] * at["steps_per_layer"]
        fixed = {"signal_speed": at["speed_fraction"] * c}
        spanned = light.gathered_rate(at["memory_radius"], steps, **fixed)
        assert shown["Bound if each step crosses the machine"] == pytest.approx(spanned)
        assert shown["Radius that forbids it if each step crosses"] == pytest.approx(
            light.gathered_radius(at["target_rate"], steps, **fixed)
        )
        assert shown["Bound for the weights, packed"] > spanned
        assert shown["Dependent steps"] == steps


def test_sandbox_shows_what_the_chapter_says():
    _, dial = sandbox()
    shown = dial.results(memory_radius=100)
    assert shown["Bound if each step crosses the machine"] == pytest.approx(4684, rel=1e-3)


def test_stepper_agrees_with_the_table_at_every_machine():
    board, steps = light_boards.limit_board()
    walk = Stepper(
        "test-limits",
        steps=steps,
        draw=lambda narrow: light_boards.limit_axes(narrow=narrow),
        controls=light_boards.LIMIT_SLIDERS,
        moves=board.moves,
        readouts=board.readouts,
        fixed=board.fixed,
        alt=board.alt,
    )
    assert walk.html.count("<svg") == 2
    for step, setup in zip(steps, light_tables.SETUPS, strict=True):
        shown = list(walk.results(**step.values).values())
        wanted = list(light_tables.limit_times(setup).values())
        for got, want in zip(shown, wanted, strict=True):
            assert got == pytest.approx(want) if np.isfinite(want) else not np.isfinite(got)
        assert setup.label in step.text

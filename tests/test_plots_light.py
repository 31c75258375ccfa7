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
        "radii": ({"a ball": 4e-3, "a hall": 300.0},),
        "share": (),
    }


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["orders", "speed", "wire", "limits", "devices", "radii", "share"])
def test_figures_have_a_finding_units_and_words(made, name, narrow):
    draw, words = (getattr(figures, f"{name}_figure{end}") for end in ("", "_alt"))
    with style.use():
        figure = draw(*made[name], narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel() or name == "radii"
    alt = words(*made[name])
    assert style.inline_svg(figure, alt).startswith("<svg")
    assert len(re.findall(r"\d", alt)) > 3
    style.close(figure)


def test_words_name_what_the_figures_show(made):
    best = made["devices"][0].sort_values("rate").iloc[-1]
    assert f"with {best.devices:.0f} devices" in figures.devices_figure_alt(*made["devices"])
    assert "hard-wired chip, Llama 3.1 8B, 3 bits, 17,000" in figures.orders_figure_alt(
        *made["orders"]
    )
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
    assert table["hard-wired chip, Llama 3.1 8B, 3 bits"] == 17000
    assert table["4 wafers, Llama 3.1 70B, 16 bits"] == 450
    assert table["8 A100, Llama 2 7B, 16 bits"] == 328.43


def test_published_points_are_all_rows_that_satisfy_the_rules():
    table = light_tables.single_users()
    measured = data.measurements().set_index("id")
    kept = measured[
        measured["metric"].isin(["decode_rate", "speculative_decode_rate_per_user"])
        & (measured["batch"] == 1)
        & measured["plausible"]
        & (measured["si_unit"] == "token/s")
        & (measured["si_value"] >= 300)
    ]
    known = data.tidy("facts")
    claims = known[(known["quantity"] == "token_rate") & (known["kind"] == "specified")]["key"]
    shaped = {key for key in claims if not key.startswith("mercury")}
    assert sorted(table["key"]) == sorted({*kept.index, *shaped})
    assert set(light_tables.CLAIMS) == shaped


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
        at = {**dial.defaults, **board.fixed, **preset.values}
        steps = at["layers"] * at["steps_per_layer"]
        fixed = {"signal_speed": at["speed_fraction"] * c}
        spanned = light.gathered_rate(at["memory_radius"], steps, **fixed)
        assert shown["Bound if each step crosses the machine"] == pytest.approx(spanned)
        assert shown["Half edge that forbids it if each step crosses"] == pytest.approx(
            light.gathered_radius(at["target_rate"], steps, **fixed)
        )
        assert shown["Bound for the weights, packed"] > spanned
        edge = 2 * at["memory_radius"]
        shape = {
            "memory_thickness": at["thickness_share"] * edge,
            "memory_width": at["width_share"] * edge,
        }
        volume = at["fill"] * edge * shape["memory_thickness"] * shape["memory_width"]
        even = light.even_rate(volume, steps, **shape, **fixed)
        assert shown["Bound if the weights are spread evenly"] == pytest.approx(even)
        # At the half edge that forbids the wanted rate the bound is just that rate.
        scale = shown["Half edge that forbids it if spread evenly"] / at["memory_radius"]
        scaled = {name: scale * size for name, size in shape.items()}
        there = light.even_rate(volume * scale**3, steps, **scaled, **fixed)
        assert there == pytest.approx(at["target_rate"])
        assert shown["Dependent steps"] == steps


def test_no_tiled_sheet_beats_what_the_sandbox_prints_for_a_wafer():
    board, dial = sandbox()
    wafer = next(preset for preset in board.presets if preset.key == "wafer")
    for edge in (8, 16, 32):  # up to 1,024 steps
        layers, each = (edge * edge // 8, 8) if edge * edge > 64 else (edge * edge // 2, 2)
        setting = {**wafer.values, "layers": layers, "steps_per_layer": each}
        shown = dial.results(**setting)
        assert shown["Dependent steps"] == edge * edge
        length = light_tables.tiled_sheet(edge)[0] * 2 * wafer.values["memory_radius"]
        assert c / length < shown["Bound if the weights are spread evenly"]


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

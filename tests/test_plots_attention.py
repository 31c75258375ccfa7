"""The chapter on attention: its tables, figures and boards, its ledger rows and its script."""

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pybtex.database import parse_file

import measure_attention
from tokenwall import data, style
from tokenwall.attention import compulsory_traffic
from tokenwall.data.attention import attention_device, attention_speeds, measured_here, parsed
from tokenwall.data.facts import facts
from tokenwall.equation import REGISTRY
from tokenwall.estimate import Estimate
from tokenwall.explorable import Explorable, Stepper
from tokenwall.ledger_rows import PROMPT, decode_attention_row, prefill_attention_row, prefill_times
from tokenwall.plots import attention as figures
from tokenwall.plots import attention_boards as boards
from tokenwall.plots import attention_tables as tables

ROOT = Path(__file__).resolve().parent.parent
H100 = data.machine("h100-sxm")
LLAMA = data.model("llama-3.1-70b")
MARKS = {"one head": 1, "8 heads": 8, "prompt": 8192}


@pytest.fixture(scope="module")
def sweeps():
    return tables.sweep_table()


@pytest.fixture(scope="module")
def speeds():
    return tables.speed_table()


def test_every_counted_point_lies_on_its_line(sweeps):
    assert len(sweeps) == 45
    assert (sweeps["counted"] == sweeps["formula"]).all()
    assert (sweeps["counted"] >= sweeps["compulsory"]).all()
    assert (sweeps["counted"] >= sweeps["least"]).all()
    assert (sweeps["least"] >= sweeps["compulsory"]).all()


def test_no_published_time_beats_its_bound(speeds):
    assert len(speeds) == 15
    assert (speeds["naive"] > speeds["naive bound"]).all()
    assert (speeds["fused"] > speeds["fused bound"]).all()


def test_speed_ups_are_as_far_off_as_the_page_says(speeds):
    miss = (speeds["measured"] / speeds["predicted"]).groupby(speeds["device"]).median()
    assert miss["RTX A5000"] == pytest.approx(1, abs=0.15)
    assert miss["A100"] == pytest.approx(1, abs=0.15)
    assert miss["H100 PCIe"] == pytest.approx(0.7, abs=0.1)
    assert miss["B200"] == pytest.approx(0.5, abs=0.1)


def test_figure_2_of_the_first_paper():
    printed = facts("flash-figure-2")
    assert printed["naive_traffic"] / printed["fused_traffic"] == pytest.approx(9.16, abs=0.01)
    assert printed["naive_time"] / printed["fused_time"] == pytest.approx(5.71, abs=0.01)
    pairs = printed["batch"] * printed["heads"]
    passes = printed["naive_traffic"] / (2 * printed["tokens"] ** 2 * pairs)
    assert passes == pytest.approx(18.8, abs=0.05)


def test_the_table_of_speeds_is_complete_and_sourced():
    rows = attention_speeds()
    keys = set(parse_file(ROOT / "book" / "references.bib").entries)
    assert rows["id"].is_unique
    assert list(rows["id"]) == sorted(rows["id"])
    assert set(rows["source"]) <= keys
    assert (rows["locator"] != "").all()
    assert (rows[["naive_si", "fused_si"]] > 0).all(axis=None)
    for machine in rows["machine"].unique():
        assert attention_device(machine)["memory_bandwidth"] > 1e11


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["sweep", "gain", "speed"])
def test_figures_have_a_finding_units_and_words(sweeps, speeds, name, narrow):
    gains = tables.gain_table(8192, 128, 102400)
    draw, words, given = {
        "sweep": (figures.sweep_figure, figures.sweep_figure_alt, (sweeps,)),
        "gain": (figures.gain_figure, figures.gain_figure_alt, (gains, MARKS)),
        "speed": (figures.speed_figure, figures.speed_figure_alt, (speeds,)),
    }[name]
    with style.use():
        figure = draw(*given, narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel()
    alt = words(*given)
    assert style.inline_svg(figure, alt).startswith("<svg")
    assert len(re.findall(r"\d", alt)) > 5
    style.close(figure)


def test_words_name_what_the_figures_show(sweeps, speeds):
    assert figures.sweep_figure_alt(sweeps).startswith("Three panels")
    assert "45 of 45 counted points" in figures.sweep_figure_alt(sweeps)
    gains = tables.gain_table(8192, 128, 102400)
    assert "one head (1), 1.02" in figures.gain_figure_alt(gains, MARKS)
    assert "A100, predicted 5.3" in figures.speed_figure_alt(speeds)
    assert list(figures.summary(speeds)["runs"]) == [1, 5, 5, 4]


def test_gain_rises_with_the_rows_until_a_tile_is_full():
    table = tables.gain_table(8192, 128, 102400)
    rising = table[table["rows"] <= table.attrs["tile"]]
    assert (rising["gain"].diff().dropna() > 0).all()
    assert table["gain"].iloc[0] == pytest.approx(1 + 2 / 128, rel=1e-3)


def test_recomputing_keeps_and_moves_less_for_more_arithmetic():
    table = tables.backward_table(1024, 64, 167936)
    stored, again = table.loc["stored"], table.loc["computed again"]
    kept, moved, flop = table.columns
    assert stored[kept] / again[kept] == 1024
    assert stored[moved] > 3 * again[moved]
    assert again[flop] / stored[flop] == pytest.approx(7 / 6)


def stepper():
    board, steps = boards.softmax_board()
    return Stepper(
        "test-softmax",
        steps=steps,
        draw=lambda narrow: boards.softmax_axes(narrow=narrow),
        controls=[boards.LIFT],
        moves=board.moves,
        readouts=board.readouts,
        fixed=board.fixed,
        alt=board.alt,
    )


def test_softmax_steps_end_on_the_sum_of_the_row():
    walk = stepper()
    assert walk.html.count("<svg") == 2
    scores = np.array(boards.SCORES)
    for number, step in enumerate(walk.steps):
        met = scores[: boards.TILE * (number + 1)]
        shown = walk.results(**step.values, lift=0)
        assert shown["Logarithm of the sum"] == pytest.approx(np.log(np.exp(met).sum()))
        assert f"{step.values['running_sum']:.3f}" in step.text


def test_lifted_scores_overflow_the_plain_sum_only():
    walk = stepper()
    last = walk.steps[-1].values
    for lift, half, single in ((0, True, True), (12, False, True), (90, False, False)):
        shown = walk.results(**last, lift=lift)
        assert np.isfinite(shown["The same, 16 bits"]) == half
        assert np.isfinite(shown["Plain sum of exponentials, 32 bits"]) == single
        assert shown["Running sum, from the maximum"] == pytest.approx(last["running_sum"])


def sandbox():
    board = boards.traffic_board()
    return board, Explorable(
        "test-traffic",
        kind="sandbox",
        draw=lambda narrow: boards.traffic_axes(narrow=narrow),
        controls=boards.TRAFFIC_SLIDERS,
        moves=board.moves,
        readouts=board.readouts,
        presets=board.presets,
        alt=board.alt,
    )


def test_sandbox_agrees_with_the_forms_at_every_preset():
    board, dial = sandbox()
    assert dial.html.count("<svg") == 2
    assert {preset.group for preset in board.presets} == {"machine", "model", "phase"}
    for preset in board.presets:
        at = {**dial.defaults, **preset.values}
        shown = dial.results(**preset.values)
        rows = min(at["queries"], at["keys"])
        expected = float(compulsory_traffic(rows, at["keys"], head_size=at["head_size"]))
        assert shown["In and out once"] == pytest.approx(expected)
        assert shown["Three passes"] >= shown["Tiled"] >= expected
        assert shown["Times less"] == pytest.approx(shown["Three passes"] / shown["Tiled"])


def test_sandbox_shows_what_the_page_says():
    _, dial = sandbox()
    assert dial.results()["Tile"] == 85
    assert dial.results(queries=1)["Times less"] == pytest.approx(1 + 2 / 128, rel=1e-3)
    assert dial.results(head_size=64)["Times less"] > dial.results(head_size=256)["Times less"]


def test_ledger_rows_can_be_traced():
    keys = set(parse_file(ROOT / "book" / "references.bib").entries)
    for row in (prefill_attention_row(H100, LLAMA), decode_attention_row(H100, LLAMA, PROMPT)):
        assert (ROOT / row.chapter).exists()
        assert set(row.equations) <= set(REGISTRY)
        assert set(row.source.split("; ")) <= keys
        assert row.factor.low <= row.factor.value <= row.factor.high


def test_prompts_gain_and_tokens_do_not():
    prompt, token = prefill_attention_row(H100, LLAMA), decode_attention_row(H100, LLAMA, PROMPT)
    assert 1.2 < prompt.factor.value < 1.5
    assert 1 < token.factor.value < 1.01
    longer = prefill_attention_row(H100, LLAMA, Estimate(131072, 65536, 262144, "range of cases"))
    assert longer.factor.value > 3
    many = decode_attention_row(H100, LLAMA, PROMPT, batch=32)
    assert token.factor.value < many.factor.value < 1 + 2 * 8 / 128


def test_parts_of_a_prompt_grow_as_they_must():
    one, two = (prefill_times(H100, LLAMA, tokens) for tokens in (8192, 16384))
    assert two["weights"] / one["weights"] == pytest.approx(2)
    assert two["tiled"] / one["tiled"] == pytest.approx(4)
    assert one["naive"] > one["tiled"]


def test_the_script_says_what_it_lacks(tmp_path):
    command = [sys.executable, "tools/measure_attention.py", "--out", str(tmp_path / "out.csv")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode == measure_attention.MEASURED:
        assert (tmp_path / "out.csv").exists()
        return
    assert run.returncode in (measure_attention.NO_TORCH, measure_attention.NO_GPU)
    assert "nothing measured, nothing written" in run.stdout
    assert not (tmp_path / "out.csv").exists()


def test_the_script_writes_a_table_that_the_library_reads(tmp_path):
    times = {"naive": 2e-3, "fused": 5e-4}
    lines = measure_attention.rows(lambda kind, case: times[kind], "Some GPU", "2026-01-01")
    measure_attention.write(lines, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    frame = parsed(io.StringIO(text))
    assert len(frame) == len(measure_attention.CASES) == 20
    assert np.allclose(frame["naive_si"], 2e-3)
    assert np.allclose(frame["fused_si"], 5e-4)
    assert set(frame["device"]) == {"Some GPU"}
    assert frame["causal"].sum() == 10
    assert ((frame["tokens"] * frame["batch"]) == measure_attention.TOKENS_IN_ALL).all()
    stored = list(csv.DictReader(io.StringIO(text)))
    assert set(attention_speeds().columns) - {"naive_si", "fused_si"} <= set(stored[0])


def test_a_stored_measurement_names_its_device():
    stored = measured_here()
    if stored is not None:
        assert (stored["device"] != "").all()
        assert (stored["date"] != "").all()

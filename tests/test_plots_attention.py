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
from tokenwall.attention import (
    FastMemory,
    best_naive_shape,
    best_tiled_shape,
    compulsory_traffic,
    queries_outer_attention,
)
from tokenwall.data.attention import attention_device, attention_speeds, measured_here, parsed
from tokenwall.data.comparisons import sides
from tokenwall.data.facts import facts
from tokenwall.data.selections import selected
from tokenwall.equation import REGISTRY
from tokenwall.estimate import Estimate
from tokenwall.explorable import Explorable, Stepper
from tokenwall.ledger_rows import (
    PROMPT,
    decode_attention_row,
    expanded_decode_factor,
    prefill_attention_row,
    prefill_times,
)
from tokenwall.plots import attention as figures
from tokenwall.plots import attention_boards as boards
from tokenwall.plots import attention_tables as tables

ROOT = Path(__file__).resolve().parent.parent
H100 = data.machine("h100-sxm")
LLAMA = data.model("llama-3.1-70b")
BEST = best_naive_shape, best_tiled_shape
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
    assert len(speeds) == 24
    assert (speeds["naive"] > speeds["naive bound"]).all()
    assert (speeds["fused"] > speeds["fused bound"]).all()


def test_speed_ups_are_as_far_off_as_the_page_says(speeds):
    """The counts follow from the printed numbers, by hand: rates divide, and bounds are two."""
    miss = (speeds["measured"] / speeds["predicted"]).groupby(speeds["device"])
    assert (
        (miss.min()[["RTX A5000", "A100"]] > 0.89) & (miss.max()[["RTX A5000", "A100"]] < 1.15)
    ).all()
    assert (miss.max() < 2).all()
    outside = speeds[(speeds["measured"] / speeds["predicted"]) < 0.5]
    assert set(outside["device"]) == {"B200"}
    assert list(outside["phase"].value_counts()) == [5, 3]
    assert figures.near_counts(speeds) == (11, 19)


def test_printed_pairs_give_the_speed_ups():
    """B200, 512 tokens with the backward pass: 258.71 over 96.63; RTX A5000: 59.15 over 16.25."""
    table = tables.speed_table().set_index(["device", "phase", "tokens"])["measured"]
    assert table["B200", "forward and backward", 512] == pytest.approx(258.71 / 96.63)
    assert table["RTX A5000", "forward and backward", 512] == pytest.approx(59.15 / 16.25)
    assert table["A100", "forward and backward", 1024] == pytest.approx(41.7 / 7.3)


def test_times_are_those_of_the_benchmark():
    """3.5 times the forward arithmetic over the printed rate; the FP8 post prints its times."""
    table = tables.speed_table().set_index(["device", "phase", "tokens"])
    flop = 4 * 32 * 512**2 * 32 * 64
    both = table.loc[("B200", "forward and backward", 512)]
    assert both["fused"] == pytest.approx(3.5 * flop / 258.71e12)
    assert both["naive"] == pytest.approx(3.5 * flop / 96.63e12)
    printed = table.loc[("H100 PCIe", "forward", 4224)]
    assert printed["naive"] == pytest.approx(8.542563e-3, rel=1e-3)
    assert printed["fused"] == pytest.approx(0.9447746e-3, rel=1e-3)


def test_every_row_that_the_rules_select_is_drawn(speeds):
    """All rows of the table, each under one rule, and each as a point of the figure."""
    rows = attention_speeds()
    alike, unlike = (set(selected(f"attention-{name}")["id"]) for name in ("alike", "unlike"))
    assert alike | unlike == set(rows["id"])
    assert not alike & unlike
    for key in alike:
        row = rows.set_index("id").loc[key]
        assert row["naive_format"] == row["fused_format"]
        assert not row["causal"]
    for narrow in (False, True):
        with style.use():
            figure = figures.speed_figure(speeds, narrow=narrow)
        lines = [line for line in figure.axes[0].lines if line.get_marker() in ("o", "s", "X")]
        points = sorted((x, y) for line in lines for x, y in zip(*line.get_data(), strict=True))
        assert points == sorted(zip(speeds["predicted"], speeds["measured"], strict=True))
        left, right = figure.axes[0].get_xlim()
        assert all(left < value < right for point in points for value in point)
        style.close(figure)


def test_a_gain_of_tiles_needs_one_format(speeds):
    """The sides of the declared comparison name the format; pairs in two formats are kept apart."""
    naive, tiled = sides("attention-speed")
    assert naive.differences(tiled) == []
    assert "one number format" in naive.measure
    apart = speeds[~speeds["alike"]]
    assert set(apart["formats"]) == {"fp16, fp8"}
    assert set(speeds[speeds["alike"]]["formats"]) == {"fp16, fp16"}
    assert list(apart["device"].unique()) == ["H100 PCIe"]


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
    assert "A100, forward and backward, 1: predicted 5.3" in figures.speed_figure_alt(speeds)
    assert "11 of the 19 pairs in one number format" in figures.speed_figure_alt(speeds)
    assert "8 bits and the other in 16" in figures.speed_figure_alt(speeds)
    assert "ends at 3.41" in figures.gain_figure_alt(gains, MARKS)
    assert list(figures.summary(speeds)["runs"]) == [1, 5, 5, 5, 4, 4]


def test_gain_rises_with_the_rows_until_a_tile_is_full():
    table = tables.gain_table(8192, 128, 102400)
    rising = table[table["rows"] <= table.attrs["tile"]]
    assert (rising["gain"].diff().dropna() > 0).all()
    assert table["gain"].iloc[0] == pytest.approx(1 + 2 / 128, rel=1e-3)
    assert table["best"].iloc[0] == pytest.approx(table["gain"].iloc[0], rel=1e-3)
    assert table["best"].iloc[-1] == pytest.approx(3.41, abs=0.01)


def test_shapes_of_the_head_in_the_question():
    """Both sides at their best move 629 and 185 MB; by the rule 948 and 411."""
    table = tables.shape_table(8192, 128, 102400)
    assert [round(x / 1e6) for x in table["naive"]] == [948, 696, 646, 629]
    assert [round(x / 1e6) for x in table["tiled"]] == [411, 327, 210, 185]
    assert [round(x, 1) for x in table["gain"]] == [2.3, 2.1, 3.1, 3.4]
    assert [round(x, 1) for x in table["over the least"]] == [19.0, 15.2, 9.7, 8.5]
    both = (find(8192, 8192, head_size=128, fast_memory=102400) for find in BEST)
    assert tables.fewer_bytes(*both) == pytest.approx(table["gain"].iloc[-1])


def test_a_latent_cache_is_beside_the_ridge_and_drafts_pass_it():
    table = tables.decode_table(H100.peak_rate_fp16, H100.memory_bandwidth)
    over = table["over the ridge"]
    assert (over[["one head", "8 heads share", "16 heads share"]] < 0.06).all()
    assert 0.8 < over["128 heads share a latent cache"] < 1
    assert over["the same, 2 tokens at a time"] > 1
    latent = data.model("deepseek-v3")
    wide = latent["latent_size"] + latent["rope_head_size"]
    assert tables.DECODERS["128 heads share a latent cache"] == (
        latent["heads"],
        wide,
        latent["latent_size"],
        wide,
    )


def test_recomputing_keeps_and_moves_less_for_more_arithmetic():
    table = tables.backward_table(1024, 64, 167936)
    stored, again = table.loc["stored"], table.loc["computed again"]
    wide = table.loc["again, sums in 4 bytes"]
    kept, moved, flop = table.columns
    assert stored[kept] / again[kept] == 1024
    assert stored[moved] > 3 * again[moved]
    assert again[flop] / stored[flop] == pytest.approx(7 / 6)
    # Two of the four vectors of a sweep weigh twice.
    assert 1.4 < wide[moved] / again[moved] < 1.5


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
    assert 1.35 < prompt.factor.value < 1.45
    assert 1 < token.factor.value < 1.01
    longer = prefill_attention_row(H100, LLAMA, Estimate(131072, 65536, 262144, "range of cases"))
    assert longer.factor.value > 3
    many = decode_attention_row(H100, LLAMA, PROMPT, batch=32)
    assert token.factor.value < many.factor.value < 1 + 2 * 8 / 128


def test_products_with_weights_run_at_their_own_share():
    """714.8 of 989 TFLOP/s, 8,192 rows with a matrix of 10,240 by 8,192; a slower kernel of
    attention must not slow them."""
    share = facts("h100-gemm")["reached_fraction"]
    assert share == pytest.approx(714.8 / 989, abs=1e-3)
    fast, slow = (
        prefill_times(H100, LLAMA, 8192, attention_fraction=a, compute_fraction=share)
        for a in (0.75, 0.35)
    )
    assert fast["weights"] == slow["weights"]
    assert fast["naive"] == slow["naive"]
    assert slow["tiled"] / fast["tiled"] == pytest.approx(0.75 / 0.35)


def test_copies_for_every_head_cost_twice_the_group():
    """Eight heads to a group: the cache read once, eight copies written and read."""
    assert expanded_decode_factor(LLAMA) == 1 + 8 + 8
    k, v = (np.ones((1, 300, 16), dtype=np.float32) for _ in range(2))
    q = np.ones((8, 1, 16), dtype=np.float32)
    shared, copied = FastMemory(10**5), FastMemory(10**5)
    queries_outer_attention(q, k, v, shared)
    out = [np.empty((8, 300, 16), dtype=np.float32) for _ in range(2)]
    for source, target in zip((k, v), out, strict=True):
        tile = copied.load(source[0])
        for head in range(8):
            copied.store(tile, target[head])
        copied.free(tile)
    queries_outer_attention(q, *out, copied)
    assert copied.moved / shared.moved == pytest.approx(17, rel=0.05)


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

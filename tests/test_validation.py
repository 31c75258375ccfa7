"""Predictions against measurements: bars with slack, and that nothing is lost on the way."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tokenwall import data, validation
from tokenwall.serving import engines, published
from tokenwall.validation import judged

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def rows():
    return validation.rows()


@pytest.fixture(scope="module")
def bars():
    return {bar.name: bar for bar in validation.bars()}


def test_one_reader_on_unseen_devices_stays_near(rows):
    single = rows[rows["work"].eq("single")]
    assert len(single) > 800
    assert validation.middle(single["by_device_error"]) < 0.15
    assert validation.middle(single["by_source_error"]) < 0.22


@pytest.mark.parametrize(
    ("work", "most"),
    [
        ("batched dense", 0.25),
        ("batched mixture", 0.45),
        ("saturated dense", 0.25),
        ("saturated mixture", 0.5),
        ("prompt", 0.6),
    ],
)
def test_unseen_rows_stay_within_a_line(rows, work, most):
    some = rows[rows["work"].eq(work)]
    assert len(some) > 100
    assert validation.middle(some["unseen_error"]) < most


def test_most_rows_lie_within_a_factor_of_two(rows):
    assert (rows["factor"] < 2).mean() > 0.8


def test_growth_with_context_follows():
    pairs = validation.context_growth()
    assert len(pairs) > 100
    assert validation.middle(pairs["ratio_error"]) < 0.15
    lines = validation.published_slopes()
    llama = lines[lines["model"].eq("llama-3.1-8b")].set_index(["what", "kv_bits"])["error"]
    assert llama["intercept"].abs().max() < 0.8
    # A cache of half the bits is read in half the time, in the world and here.
    slopes = lines[lines["what"].eq("slope") & lines["model"].eq("llama-3.1-8b")]
    halves = slopes.set_index("kv_bits")[["measured", "predicted"]]
    assert (halves.loc[8] / halves.loc[16]).between(0.4, 0.7).all()


def test_no_row_beats_the_bound(rows):
    fast = validation.beyond_ideal(rows)
    assert len(fast) == 0, fast


def test_the_bound_notices_a_row_that_is_too_fast(rows):
    moved = rows.head(3).assign(measured=rows["ideal"].head(3) / 3)
    fast = validation.beyond_ideal(moved)
    assert len(fast) == 3
    assert fast["excess"].to_numpy() == pytest.approx([3, 3, 3])


def test_bytes_agree_with_published_files():
    sizes = validation.file_sizes()
    # Sizes are printed to a hundredth of a GiB.
    digit = 0.005 * 2**30 / sizes["published"]
    assert (sizes["error"].abs() < digit + 1e-5).all()
    counts = validation.weight_counts().set_index("model")["error"]
    assert counts.abs().median() < 1e-3
    assert abs(counts["llama-3-8b"]) < 1e-4


def test_points_of_the_peers():
    points = validation.point_table()
    assert len(points) == 22
    assert np.isfinite(points["left_out"]).all()
    decode = points[points["quantity"].eq("decode_step_time")]
    assert decode["error"].abs().mean() < 0.15
    assert decode["left_out_error"].abs().mean() < 0.4
    table = validation.peer_table()
    assert table.loc["this book", "decode"] == pytest.approx(decode["error"].abs().mean())
    others = table.drop(["this book", "this book, left out"])
    assert others["decode"].between(0.01, 1).all()
    assert others["share"].max() < table.loc["this book", "share"]


def test_every_measurement_is_covered_or_left_out():
    cases, left = published.cases()
    ids = [case.key for case in cases]
    assert len(ids) == len(set(ids))
    assert not set(ids) & set(left["id"])
    assert len(ids) + len(left) == len(data.measurements())
    table = validation.coverage()
    assert table["rows"].sum() == len(data.measurements())
    assert table["reason"].iloc[0] == "covered"
    assert (left["reason"] != "").all()


def test_every_covered_row_has_an_engine_and_predictions_that_never_saw_it(rows):
    known = set(engines.engine_table()["key"])
    assert set(rows["stack"]) <= known
    for column in ("predicted", "by_source", "by_device", "unseen", "ideal"):
        assert (np.isfinite(rows[column]) & (rows[column] > 0)).all(), column
    assert len(rows) == len(published.cases()[0])


def test_rows_of_a_changed_model_are_out(rows):
    assert not rows["note"].str.contains("model changed|mixed with|in place").any()
    assert data.measurements().set_index("id").loc[rows["id"], "plausible"].all()


def test_every_far_row_has_a_cause_and_no_near_one(rows):
    far = rows["factor"] > validation.MISS
    assert rows.loc[far, "cause"].ne("").all()
    assert rows.loc[~far, "cause"].eq("").all()
    listed = validation.misses(rows)
    assert listed["rows"].sum() == far.sum()
    assert (listed["worst"] > validation.MISS).all()
    # Most of them are named, not only counted.
    named = ~rows.loc[far, "cause"].isin([validation.UNEXPLAINED, "nobody else measured it"])
    assert named.mean() > 0.7


def test_a_row_that_nothing_explains_is_said_to_be_so(rows):
    near = rows[rows["work"].eq("single") & rows["machine"].eq("apple-m4") & ~rows["lonely"]]
    moved = near.assign(factor=3.0, log_error=math.log(3.0))
    assert len(moved) > 0
    assert judged._causes(moved).eq(validation.UNEXPLAINED).all()


def test_intervals_hold_most_rows():
    table = validation.intervals()
    assert set(table.index) == {"single", "batched", "prompt", "saturated"}
    assert table["stored"].between(0.8, 0.98).all()
    assert table["blind"].between(0.6, 1).all()
    assert (table["width"] > 1).all()


def test_noise_is_between_submitters_of_the_same_machine():
    table = validation.noise()
    assert (table["submitters"] > 1).all()
    assert table["spread"].median() < 0.1
    assert (table["high"] >= table["low"]).all()


def test_errors_of_a_group_by_hand(rows):
    some = rows[rows["source"].eq("gptfast")]
    line = validation.errors(["source"], rows).loc["gptfast"]
    assert line["rows"] == len(some)
    assert line["fitted"] == pytest.approx(some["error"].abs().median())
    assert line["worst"] == pytest.approx(np.exp(some["log_error"].abs()).max())


def test_bars_are_those_of_the_plan(bars):
    assert len(bars) > 12
    assert bars["batch 1, devices never seen"].bound == 0.12
    assert not bars["rack scale"].met or bars["rack scale"].rows > 0
    assert validation.Bar("a", "b", 1, 0.1, 0.2).met
    assert not validation.Bar("a", "b", 1, 0.3, 0.2).met
    assert not validation.Bar("a", "b", 0, math.nan, 0.2).met
    assert validation.Bar("a", "b", 1, 0.0, 0.0).met


def test_callers_cannot_spoil_the_rows():
    first = validation.rows()
    first["measured"] = 0.0
    assert (validation.rows()["measured"] > 0).all()


def test_the_tool_prints_missed_bars_and_fails_only_if_asked(bars):
    tool = [sys.executable, str(ROOT / "tools" / "validate.py")]
    run = subprocess.run(tool, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    missed = [bar for bar in bars.values() if not bar.met and bar.rows]
    assert run.stdout.count("MISSED") == len(missed)
    strict = subprocess.run([*tool, "--strict"], capture_output=True, text=True)
    assert strict.returncode == (1 if missed else 0)

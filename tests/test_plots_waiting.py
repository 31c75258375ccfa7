"""The chapter on waiting: its tables against hand-made cases, its figures, boards and rows."""

import re

import numpy as np
import pandas as pd
import pytest
from pybtex.database import parse_file

from tokenwall import style, waiting
from tokenwall.data import trends
from tokenwall.equation import REGISTRY
from tokenwall.explorable import Explorable
from tokenwall.ledger_rows import waiting_any_model_row, waiting_row
from tokenwall.plots import waiting as figures
from tokenwall.plots import waiting_boards as boards
from tokenwall.plots import waiting_tables as tables

YEAR = tables.YEAR
DOUBLING = pd.DataFrame({"date": np.arange(1980.0, 2001), "value": 2.0 ** np.arange(0, 21)})


@pytest.fixture(scope="module")
def gains():
    records = tables.histories()
    return {
        name: tables.slack_history(records[name], years) for name, years in tables.STARTS.items()
    }


@pytest.fixture(scope="module")
def worlds():
    return tables.uncertain_rates(np.random.default_rng(0), 4000)


def test_series_are_those_of_their_source():
    thread, count = trends.series("single_thread_performance"), trends.series("transistors")
    assert (len(thread), len(count)) == (74, 99)
    assert count["value"].iloc[0] == 2308
    assert thread["value"].iloc[-1] == 105300
    assert (trends.frontier(count)["value"].diff().dropna() > 0).all()
    # Published summaries of the same records: transistors double in two years.
    assert trends.doubling_time(count, 1971, 2022) / YEAR == pytest.approx(2.0, abs=0.05)


def test_a_perfect_doubling_is_found_and_a_flat_line_never_doubles():
    assert trends.doubling_time(DOUBLING, 1980, 1990) == pytest.approx(YEAR)
    flat = DOUBLING.assign(value=1.0)
    assert trends.doubling_time(flat, 1980, 1990) == np.inf


def test_on_a_perfect_record_a_slacker_gets_what_was_promised():
    fine = pd.DataFrame({"date": np.linspace(1980, 2000, 2001)})
    fine["value"] = 2 ** (fine["date"] - 1980)
    row = tables.slack_history(fine, [1990]).iloc[0]
    assert row["doubling"] == pytest.approx(1.0, rel=1e-6)
    assert row["realised"] == pytest.approx(row["promised"], rel=0.01)
    assert row["best"] == pytest.approx(row["promised"], rel=0.01)


def test_the_history_of_one_thread_turns_after_dennard(gains):
    one = gains["single thread"].set_index("start")
    assert (one.loc[:2004, "realised"] > 1.1).all()
    assert (one.loc[2007:2008, "realised"] < 0.95).all()
    assert (one.loc[2007:2008, "promised"] > 1.4).all()
    assert (one.loc[2013:, "wait"] < 0.5).all()
    for table in gains.values():
        assert (table["realised"] <= table["best"] + 1e-9).all()


def test_the_mean_of_falls_slows_down_to_the_slowest(worlds):
    times = np.array([1e-3, 1, 10, 1800]) * YEAR
    falls = tables.effective_decline(worlds["price_decline"], times)
    assert falls[0] == pytest.approx(worlds["price_decline"].mean(), rel=1e-3)
    assert (np.diff(falls) < 0).all()
    assert falls[-1] == pytest.approx(worlds["price_decline"].min(), rel=0.02)


def test_values_up_to_a_far_horizon_are_the_closed_form(worlds):
    rate = tables.costs(worlds)
    fading = rate["bill_decay"] * YEAR > 0.5
    waits = np.array([0.0, 2.0]) * YEAR
    summed = tables.horizon_values(worlds, waits, horizon=40 * YEAR, steps=8000)
    for column, wait in enumerate(waits):
        exact = waiting.fix_value(
            wait,
            worlds["payback_rate"][fading],
            user_cost=rate["user_cost"][fading],
            bill_decay=rate["bill_decay"][fading],
        )
        np.testing.assert_allclose(summed[fading, column], exact, atol=2e-4)


def test_shares_of_worlds_add_up(worlds):
    shares = tables.decisions(worlds)
    assert shares.sum() == pytest.approx(1)
    assert shares["never"] > 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tables.case(yearly_growth=2), "yearly_growth.*not of the example"),
        (lambda: tables.slack_history(DOUBLING, [1981]), "judges none"),
        (lambda: tables.available(DOUBLING, 1970), "starts in 1980"),
        (lambda: trends.series("transistor"), "nearest: transistors"),
        (lambda: trends.accelerators("speed"), "quantity 'speed'"),
        (lambda: trends.doubling_time(DOUBLING, 1980, 1981), "2 points lie"),
        (
            lambda: tables.horizon_values(
                tables.uncertain_rates(np.random.default_rng(0), 2), np.array([2.0]), horizon=1.0
            ),
            "waits reach 2 s",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def drawings(gains, worlds):
    values = tables.horizon_values(worlds, np.array([0.0]), horizon=5 * YEAR)[:, 0]
    told = {"mean": values.mean(), "horizon": 5 * YEAR}
    return {
        "history": (
            figures.history_figure,
            figures.history_figure_alt,
            (tables.histories(), gains),
            {},
        ),
        "phases": (
            figures.phase_figure,
            figures.phase_figure_alt,
            (tables.published_rates(), tables.case()),
            {},
        ),
        "doubt": (
            figures.doubt_figure,
            figures.doubt_figure_alt,
            (values, worlds["price_decline"]),
            told,
        ),
    }


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["history", "phases", "doubt"])
def test_figures_have_a_finding_units_and_words(gains, worlds, name, narrow):
    draw, words, given, told = drawings(gains, worlds)[name]
    with style.use():
        figure = draw(*given, **told, narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel()
        assert ax.get_ylabel()
    alt = words(*given, **told)
    assert style.inline_svg(figure, alt).startswith("<svg")
    assert len(re.findall(r"\d", alt)) > 5


def explorables():
    dial, board = boards.slacking(), boards.phases()
    return {
        "dial": Explorable(
            "dial",
            draw=lambda narrow: boards.slack_axes(narrow=narrow),
            controls=boards.SLACK_SLIDERS,
            moves=dial.moves,
            readouts=dial.readouts,
            presets=dial.presets,
            alt=dial.alt,
        ),
        "phases": Explorable(
            "phases",
            kind="sandbox",
            draw=lambda narrow: boards.phase_axes(narrow=narrow),
            controls=boards.phase_sliders(),
            moves=board.moves,
            readouts=board.readouts,
            presets=board.presets,
            fixed=board.fixed,
            alt=board.alt,
        ),
    }


def test_the_dial_says_what_the_equations_say():
    dial = explorables()["dial"]
    shown = dial.results(job_years=5, doubling_years=1.5)
    assert shown["Best wait"] == pytest.approx(waiting.best_wait(5, 1.5))
    assert shown["Finish after the best wait"] == pytest.approx(waiting.earliest_finish(5, 1.5))
    assert dial.results(job_years=2, doubling_years=1.5)["Best wait"] == 0
    assert "data-gid" in dial.html


@pytest.mark.parametrize(
    ("setting", "fate"),
    [
        ({"fall": 1.4}, "now"),
        ({"fall": 4}, "never"),
        ({"fall": 1.4, "payback": 0.3}, "later"),
        ({"fall": 4, "payback": 0.3}, "never"),
        ({"fall": 10, "use": 20}, "now"),
    ],
)
def test_the_board_tells_the_three_fates_apart(setting, fate):
    shown = explorables()["phases"].results(**setting)
    after = shown["Repair after"]
    assert {"now": after == 0, "later": 0 < after < np.inf, "never": after == np.inf}[fate]
    setting = {"fall": 1.4, "payback": 1.0, "use": 2.0, **setting}
    case = tables.case(
        yearly_fall=setting["fall"],
        yearly_use=setting["use"],
        payback_rate=setting["payback"],
    )
    hurdle = waiting.fix_hurdle(**tables.costs(case)) * YEAR
    fading = tables.costs(case)["bill_decay"]
    today, best = (
        shown[f"Value {when}, over its cost"]
        for when in ("of repairing today", "at the best moment")
    )
    assert today == pytest.approx(case["payback_rate"] / fading - 1 if fading > 0 else np.inf)
    assert best >= max(today, 0)
    assert (best == 0) == (fate == "never")
    assert shown["Repair at once if it saves its cost"] == pytest.approx(hurdle)
    if fate == "later":
        wait = waiting.best_fix_wait(case["payback_rate"], **tables.costs(case))
        assert after == pytest.approx(wait / YEAR)


def test_boards_have_presets_from_the_tables():
    board = boards.phases()
    groups = {preset.group for preset in board.presets}
    assert groups == {"price", "use", "promise"}
    falls = [p.values["fall"] for p in board.presets if p.group == "price"]
    assert min(falls) == pytest.approx(2 ** (1 / 2.07), rel=1e-6)
    assert max(falls) == 900


def test_a_year_of_waiting_for_hardware_and_for_prices(root):
    hardware, prices = waiting_row(), waiting_any_model_row()
    assert hardware.factor.value == pytest.approx(2 ** (1 / 2.07))
    assert hardware.factor.low == pytest.approx(2 ** (1 / 3.62))
    assert hardware.factor.high == pytest.approx(2 ** (1 / 1.54))
    assert prices.factor.value == pytest.approx(10)
    assert (prices.factor.low, prices.factor.high) == (9, 900)
    keys = set(parse_file(root / "book" / "references.bib").entries)
    for row in (hardware, prices):
        assert (root / row.chapter).exists()
        assert set(row.equations) <= set(REGISTRY)
        assert set(row.source.split("; ")) <= keys


def test_a_promise_puts_off_and_loses_money_only_when_very_near():
    """Hardware's fall: computed by hand beside the library, from its two rates alone."""
    fall = float(tables.published_rates().set_index("label")["factor"]["hardware alone"])
    found = tables.promised_values([2.0, 1.0, 0.5], yearly_fall=fall)
    fading = np.log(fall) - np.log(2) + 0.2  # price, use, interest and scrapping, without promise
    for row in found.itertuples():
        value = 1 / (fading + 1 / row.expected) - 1
        assert row.today == pytest.approx(value, rel=1e-9)
        wait = max(0.0, np.log(0.5 + 1 / row.expected) / (0.5 - fading))
        assert row.wait == pytest.approx(wait, abs=1e-9)
    loses = tables.losing_promise(yearly_fall=fall) / YEAR
    assert loses == pytest.approx(1 / (1 - fading), rel=1e-9)
    near, far = tables.promised_values([0.99 * loses, 1.01 * loses], yearly_fall=fall)["today"]
    assert near < 0 < far


def test_the_mean_is_the_horizons_and_the_median_is_not(worlds):
    found = tables.values_by_horizon(worlds, [3, 5, 10])
    assert found["mean"][10] > 30 * found["mean"][5] > 100 * found["mean"][3]
    assert found["median"].max() - found["median"].min() < 0.05
    assert (found["mean without the best 5 %"] < found["mean without the best 1 %"]).all()


def test_every_input_of_the_example_is_in_its_table():
    table = tables.example_inputs()
    assert len(table) == len(tables.ASSUMED) + len(tables.YEARLY)
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()

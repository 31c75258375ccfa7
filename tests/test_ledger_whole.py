"""The whole ledger: bars that multiply to the end, bounds that nothing beats, any machine."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import parse_file

from tokenwall import style
from tokenwall.data import measurements, model
from tokenwall.data.facts import facts
from tokenwall.equation import REGISTRY
from tokenwall.estimate import Estimate
from tokenwall.explorable import Explorable
from tokenwall.ledger import Ledger, Row
from tokenwall.ledger_rows import (
    barrier_bound,
    beside,
    checks,
    erasure_bound,
    published,
    walls,
    whole,
)
from tokenwall.ledger_rows.light import light_bound, rack_radius
from tokenwall.plots import ledger as drawn
from tokenwall.plots import ledger_board
from tokenwall.plots.ledger import waterfall, waterfall_alt

CASES = {
    "the record": whole.Case(),
    "a gaming card": whole.Case("rtx-4090", "llama-3.1-8b", devices=1),
    "experts on a server": whole.Case("h100-sxm", "deepseek-v3", devices=32, weight_bits=8),
    "a laptop": whole.Case("apple-m4", "llama-3.2-1b", devices=1),
}
LEDGERS = {
    "machine": whole.machine_ledger,
    "user": whole.user_ledger,
    "energy": whole.energy_ledger,
}
POWERLESS = "a laptop"
RACK = whole.machine_ledger()
WALLS = whole.walls_of()
PAIRS = [(k, n) for k in LEDGERS for n in CASES if (k, n) != ("energy", POWERLESS)]
every_pair = pytest.mark.parametrize(("kind", "name"), PAIRS)
every_ledger = pytest.mark.parametrize("kind", LEDGERS)
every_case = pytest.mark.parametrize("name", CASES)


@every_pair
def test_bars_multiply_exactly_to_the_end(kind, name):
    ledger = LEDGERS[kind](CASES[name])
    product = ledger.start.value * math.prod(row.factor.value for row in ledger.rows)
    assert product == pytest.approx(ledger.end.value, rel=1e-12)


@every_pair
def test_every_row_can_be_traced(kind, name, root):
    keys = set(parse_file(root / "book" / "references.bib").entries)
    for row in LEDGERS[kind](CASES[name]).rows:
        assert (root / row.chapter).exists(), row.key
        assert set(row.equations) <= set(REGISTRY), row.key
        assert set(row.source.split("; ")) <= keys, row.key
        assert row.factor.low <= row.factor.value <= row.factor.high


def test_the_rows_of_serving_end_on_the_record():
    steps = {step.row.key: step for step in whole.machine_ledger().steps}
    assert steps["serving"].after == Estimate.exact(1_100_948.3)


@every_case
def test_there_is_no_hole(name):
    """Each bar starts where the one above ends."""
    steps = whole.machine_ledger(CASES[name]).steps
    assert all(a.after == b.before for a, b in pairwise(steps))


def test_gains_of_other_models_stand_beside_the_ledger():
    """Its walls are those of one model, which a row in between would leave."""
    keys = {row.key for name in CASES for row in whole.machine_ledger(CASES[name]).rows}
    assert not keys & {"experts", "router"}
    table = beside.model_changes()
    assert (table["room"] == table["wall"] / table["gain"]).all()
    assert (table["gain"] > 1).all()


def test_too_few_devices_are_refused_with_the_number_that_is_enough():
    with pytest.raises(ValueError, match=r"devices is 1; .* need at least 2 of .*H100"):
        whole.Case("h100-sxm", "llama-2-70b", devices=1)


def test_no_published_rate_beats_the_bound_of_light_for_one_user():
    table = measurements()
    alone = table[(table["metric"] == "decode_rate") & (table["batch"] == 1) & table["plausible"]]
    for name, rows in alone.groupby("model"):
        row = model(name)
        if math.isfinite(float(row.get("layers", math.nan))):
            assert rows["si_value"].max() < light_bound(row, rack_radius()).low


def test_the_light_bound_of_one_user_lies_above_everything_built():
    steps = {step.row.key: step for step in whole.user_ledger().steps}
    assert steps["light-rack"].row.factor.low > 1
    assert steps["light-dense"].after.value > steps["light-rack"].after.value


@pytest.mark.parametrize("record", published.RACKS)
def test_racks_serve_less_than_their_bound(record):
    share = published.served_fraction(record)
    assert 0.2 < share.low < share.value < share.high < 1


def test_an_unknown_rack_is_refused():
    with pytest.raises(ValueError, match="record is 'mine'; it must be one of"):
        published.served_fraction("mine")


def test_the_older_rack_predicts_the_newer_within_a_quarter():
    says, was = checks.rack_from_its_predecessor()
    assert was == facts("azure-gb300-rack")["token_rate"]
    assert abs(says / was - 1) < 0.25


def test_bars_of_bounds_are_not_beaten_by_their_measurements():
    table = checks.checks()
    slim = table[table.index.str.startswith("4 bits")]
    assert (slim["ledger over measured"].astype(float) > 1).all()
    says, was = checks.sharing_gain()
    assert was < says < 8


def test_what_leaves_the_end_open_is_shared_out_whole():
    table = checks.doubts(RACK)
    assert table["share"].sum() == pytest.approx(1)
    assert table["share"].is_monotonic_decreasing
    assert set(table.index) == {*walls.SETTING, walls.POWER}
    assert "nine in ten" not in set(table["kind"])
    sure = Ledger("token_rate", Estimate.exact(1), "one", "azure2025")
    row = Row("a", "a", Estimate.exact(2), (), {}, "azure2025", "x", kind="published")
    with pytest.raises(ValueError, match="has no interval"):
        checks.doubts(sure.add(row))


def wide(factor: float) -> Estimate:
    return Estimate(factor, factor / 1000, factor * 1000, "range of cases")


@pytest.mark.parametrize("perturbed", [False, True])
@given(place=st.integers(0, 100), factor=st.floats(1e-3, 1e3))
def test_rows_before_a_landing_have_no_share_of_the_end(perturbed, place, factor):
    """Removed or badly known, they move neither the end nor what leaves it open."""
    ledger = RACK
    landing = max(n for n, row in enumerate(ledger.rows) if row.lands_on is not None)
    chosen = place % landing
    row = ledger.rows[chosen]
    other = [replace(row, factor=wide(factor), lands_on=None)] if perturbed else []
    rows = (*ledger.rows[:chosen], *other, *ledger.rows[chosen + 1 :])
    changed = replace(ledger, rows=rows)
    assert changed.end == ledger.end
    assert checks.doubts(changed).equals(checks.doubts(ledger))
    assert row.label not in checks.doubts(ledger).index


def test_rows_after_the_last_landing_share_the_doubt():
    trace = {"equations": (), "inputs": {}, "source": "azure2025", "chapter": "x"}
    rows = (
        Row("a", "a", wide(2), kind="published", **trace),
        Row("b", "b", wide(2), kind="published", lands_on=wide(5), **trace),
        Row("c", "c", Estimate(3, 1, 9, "nine in ten"), kind="published", **trace),
    )
    table = checks.doubts(Ledger("token_rate", wide(1), "start", "azure2025", rows))
    assert list(table.index) == ["b", "c"]
    width = math.log(9) / (math.log(9) + 2 * math.log(1000))
    assert table.loc["c", "share"] == pytest.approx(width)
    assert table.loc["c", "to"] == pytest.approx(3)


POWER = Estimate(142e3, 135e3, 155e3, "range of cases")
CORNERS = {
    "barrier": (walls.barrier_rate_of, barrier_bound, {**walls.SETTING, **walls.ERROR}),
    "erasure": (walls.erasure_rate_of, erasure_bound, walls.SETTING),
}


@pytest.mark.parametrize("key", CORNERS)
@pytest.mark.parametrize("name", ["llama-2-70b", "llama-3.1-8b", "deepseek-v3"])
def test_causes_of_a_wall_are_those_of_its_bound(key, name):
    """With every input open the corners are the bound's ends, and one alone stays within."""
    rate_of, bound_of, setting = CORNERS[key]
    bound, inputs = bound_of(POWER, model(name)), walls._inputs(POWER, setting)
    rate = rate_of(model(name))
    assert rate(*(each.value for each in inputs.values())) == pytest.approx(bound.value)
    up = [inputs[walls.POWER].high]
    for cause, each in inputs.items():
        if cause != walls.POWER:
            # A higher chance of an error is cheaper; everything else is dearer the more it is.
            up.append(each.high if cause in walls.ERROR else each.low)
    assert rate(*up) == pytest.approx(bound.high)
    for alone in walls.causes_of(rate, inputs).values():
        assert bound.low * (1 - 1e-12) <= alone.low < alone.high <= bound.high * (1 + 1e-12)
        assert alone.spread == "range of cases"


@pytest.mark.parametrize("name", sorted({*CASES} - {POWERLESS}))
def test_walls_of_tokens_are_those_of_joules(name):
    """Tokens at the wall times their joules are the power, under both prices."""
    case = CASES[name]
    rates = {step.row.key: step.after.value for step in whole.machine_ledger(case).steps}
    joules = {step.row.key: step.after.value for step in whole.energy_ledger(case).steps}
    power = whole.machine_power(case).value
    assert rates["barrier"] * joules["reliable"] == pytest.approx(power)
    assert rates["erasure"] * joules["landauer"] == pytest.approx(power)


def test_between_the_walls_of_heat_the_power_cancels():
    """One switch at k T ln(1/p) over one bit at k T ln 2, times switches over erased bits."""
    row = whole.machine_ledger().rows[-1]
    each = math.log(1e25) / math.log(2)
    assert row.factor.value == pytest.approx(each * 52 / 59.0588, rel=1e-4)
    before, after = (step.after for step in whole.machine_ledger().steps[-2:])
    assert row.factor.value == pytest.approx(after.value / before.value)
    assert row.factor.high / row.factor.low < after.high / after.low * before.high / before.low


@given(st.floats(1, 1e9))
def test_the_nearer_wall_is_the_lower_one(users):
    both = WALLS
    for price, heat in both.heat.items():
        light = users * both.light.value
        assert both.nearer(users, price) == ("light" if light < heat.value else "heat")
        equal = both.equal_at(price).value
        assert equal * both.light.value == pytest.approx(heat.value)
        assert both.nearer(equal * 1.01, price) == "heat"
        assert both.nearer(equal * 0.99, price) == "light"


def test_readings_of_the_walls_name_who_and_at_what_price():
    both = WALLS
    table = both.readings({"one": 1, "many": 1e7})
    assert list(table["nearer"]) == ["light", "light", "heat", "heat"]
    assert (table["by"] >= 1).all()


def test_a_better_start_shortens_the_way_and_hardly_its_share():
    ledger, begins = whole.machine_ledger(), beside.starts()
    table = beside.ways(ledger, begins)
    assert len(table) == 4
    assert table["factor"].iloc[0] == pytest.approx(1_100_948.3 / ledger.start.value)
    assert table["factor"].iloc[-1] < table["factor"].iloc[0]
    assert table["erasure"].max() - table["erasure"].min() < 0.05
    assert (table["low"] < table["start"]).all()


@pytest.mark.parametrize("kind", ["machine", "user"])
def test_every_bar_is_asked_who_pays_for_it(kind):
    ledger = LEDGERS[kind]()
    table = beside.questions(ledger)
    assert list(table.index) == [row.label for row in ledger.rows]
    bounds = [row.label for row in ledger.rows if row.kind == "bound"]
    assert (table.loc[bounds, "who pays"] == "nobody: it is not for sale").all()
    assert not (table.drop(bounds)["law or recommendation"].str.contains("law")).any()
    stranger = Row("a", "a", Estimate.exact(2), (), {}, "azure2025", "x", kind="published")
    with pytest.raises(ValueError, match="nobody says who pays for a"):
        beside.questions(ledger.add(stranger))


@given(
    first=st.tuples(st.floats(0.1, 10), st.floats(0.01, 2)),
    second=st.tuples(st.floats(0.1, 10), st.floats(0.01, 2)),
)
def test_intervals_of_products_are_those_of_a_simulation(first, second):
    """Nine tenths of independent log-normal products lie in the interval that is computed."""
    generator = np.random.default_rng(5)
    made = [
        Estimate(v, v * math.exp(-h), v * math.exp(h), "nine in ten") for v, h in (first, second)
    ]
    draws = sum(generator.normal(math.log(v), h / 1.6448536, 20_000) for v, h in (first, second))
    product = made[0] * made[1]
    inside = np.mean((np.exp(draws) >= product.low) & (np.exp(draws) <= product.high))
    assert inside == pytest.approx(0.9, abs=0.01)


@every_ledger
def test_the_waterfall_names_every_row(kind):
    ledger = LEDGERS[kind]()
    words = waterfall_alt(ledger)
    for narrow in (False, True):
        shown = " ".join(
            text.get_text()
            for ax in waterfall(ledger, title="A finding", narrow=narrow).axes
            for text in ax.texts
        )
        for row in ledger.rows:
            assert row.label in words
            assert row.label in shown.replace("\n", " ")


def test_the_energy_ledger_is_the_machine_ledger_at_constant_power():
    power = whole.device_power(whole.Case()).value
    rate, energy = whole.machine_ledger(), whole.energy_ledger()
    assert energy.start.value == pytest.approx(power / rate.start.value)
    served = {step.row.key: step.after.value for step in energy.steps}["serving"]
    assert served == pytest.approx(72 * power / 1_100_948.3)


def test_without_a_published_power_it_ends_at_serving_and_joules_are_refused():
    case = CASES[POWERLESS]
    assert whole.machine_ledger(case).rows[-1].key == "serving"
    with pytest.raises(ValueError, match=r"Apple M4 .* has no tdp"):
        whole.energy_ledger(case)


def test_a_published_projection_is_no_bound():
    kinds = {row.key: row.kind for row in whole.energy_ledger().rows}
    assert kinds["cmos"] == "computed"
    assert [key for key, kind in kinds.items() if kind == "bound"] == ["reliable", "landauer"]


def test_the_board_agrees_with_the_ledger_where_both_take_the_same_numbers():
    """Bits, batch and walls; the board's start is uncorrected and its power the chip's own."""
    board = ledger_board.ledger_board()
    shown = ledger_board.level_rates(board)
    after = {step.row.key: step.after.value for step in whole.machine_ledger().steps}
    assert shown["bits"] == pytest.approx(after["fewer-bits"])
    assert shown["batch"] == pytest.approx(after["batching"])
    assert shown["side"] == pytest.approx(after["side-by-side"])
    own = float(whole.Case().chip["tdp"]) * 72
    rated = whole.machine_power(whole.Case()).value
    for key in ("barrier", "erasure"):
        assert shown[key] / own == pytest.approx(after[key] / rated)
    with pytest.raises(ValueError, match="colour is no setting; known are"):
        ledger_board.level_rates(board, colour=1)


def test_the_board_is_drawn_and_moves():
    board = ledger_board.ledger_board()
    made = Explorable(
        "whole",
        kind="sandbox",
        draw=lambda narrow: ledger_board.ledger_axes(narrow=narrow),
        controls=ledger_board.SLIDERS,
        moves=board.moves,
        readouts=board.readouts,
        presets=board.presets,
        fixed=board.fixed,
        alt=board.alt,
        caption=board.caption,
    )
    assert "bound of light" in made.html
    usual, wide = (ledger_board.level_rates(board, memory_radius=r) for r in (1, 10))
    assert wide["light"] == pytest.approx(usual["light"] / 10)
    assert wide["erasure"] == usual["erasure"]


def test_the_walls_are_drawn_with_their_crossings():
    marks = {"the record": (165_816, 1.1e6), "one user": (1, 500)}
    for narrow in (False, True):
        with style.use():
            ax = drawn.walls(WALLS, marks, title="A, b", narrow=narrow).axes[0]
        dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
        assert dots == [WALLS.equal_at(price).value for price in WALLS.heat]
        assert set(marks) <= {text.get_text() for text in ax.texts}
    words = drawn.walls_alt(WALLS, marks)
    assert "the record, 1.1 million token/s" in words
    assert "what a bound leaves open" in words


def test_the_table_says_what_each_interval_is():
    html = drawn.ledger_table(whole.user_ledger()).data
    assert "range of cases" in html
    assert "at most, a bound" in html
    assert "nine in ten" not in html

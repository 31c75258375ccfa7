"""The whole ledger: bars that multiply to the end, bounds that nothing beats, any machine."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import parse_file

from tokenwall.data import measurements, model
from tokenwall.data.facts import facts
from tokenwall.equation import REGISTRY
from tokenwall.estimate import Estimate
from tokenwall.ledger import Ledger, Row
from tokenwall.ledger_rows import checks, published, whole
from tokenwall.ledger_rows.light import light_bound, rack_radius
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


def test_a_model_with_experts_does_not_gain_them_twice():
    keys = [row.key for row in whole.machine_ledger(CASES["experts on a server"]).rows]
    assert "experts" not in keys
    assert "router" in keys


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


def test_doubt_is_shared_out_whole():
    ledger = whole.machine_ledger()
    shares = checks.doubts(ledger)["share of the doubt"].str.removesuffix(" %").astype(float)
    assert shares.sum() == pytest.approx(100, abs=len(shares) / 2)
    assert shares.is_monotonic_decreasing
    sure = Ledger("token_rate", Estimate.exact(1), "one", "azure2025")
    row = Row("a", "a", Estimate.exact(2), (), {}, "azure2025", "x", kind="published")
    with pytest.raises(ValueError, match="none carries doubt"):
        checks.doubts(sure.add(row))


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


def test_without_a_published_power_it_ends_at_light_and_joules_are_refused():
    case = CASES[POWERLESS]
    assert whole.machine_ledger(case).rows[-1].key == "light"
    with pytest.raises(ValueError, match=r"Apple M4 .* has no tdp"):
        whole.energy_ledger(case)


def test_a_published_projection_is_no_bound():
    kinds = {row.key: row.kind for row in whole.energy_ledger().rows}
    assert kinds["cmos"] == "computed"
    assert [key for key, kind in kinds.items() if kind == "bound"] == ["reliable", "landauer"]


def test_the_board_agrees_with_the_ledger_where_both_take_the_same_numbers():
    """Bits, batch and light; the board's users leave out the memory of activations."""
    board = ledger_board.ledger_board()
    shown = ledger_board.level_rates(board, memory_radius=rack_radius().value)
    after = {step.row.key: step.after.value for step in whole.machine_ledger().steps}
    assert shown["bits"] == pytest.approx(after["fewer-bits"])
    assert shown["batch"] == pytest.approx(after["batching"])
    assert shown["side"] == pytest.approx(after["side-by-side"])
    assert shown["light"] == pytest.approx(after["light"], rel=0.01)
    with pytest.raises(ValueError, match="colour is no setting; known are"):
        ledger_board.level_rates(board, colour=1)

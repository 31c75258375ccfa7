"""The ledger: rows compose, intervals behave, and every row can be traced."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwall.estimate import Estimate
from tokenwall.ledger import Ledger, Row

TRACE = {
    "equations": ("decode_rate",),
    "inputs": {},
    "source": "williams2009roofline",
    "chapter": "book/index.ipynb",
}

values = st.floats(1e-6, 1e6)
spreads = st.floats(1, 100)
estimates = st.builds(
    lambda v, d, u: Estimate(v, min(v, v / d), max(v, v * u), "range of cases"),
    values,
    spreads,
    spreads,
)


def row(key, factor, **other):
    return Row(key, key, factor, **{**TRACE, **other})


@given(estimates, st.lists(estimates, max_size=5), st.randoms())
def test_bars_multiply_to_the_end_in_any_order(start, factors, shuffler):
    """Summed logarithms, not the product that the ledger itself makes."""
    rows = [row(str(i), factor) for i, factor in enumerate(factors)]
    logs = [math.log(one.value) for one in (start, *factors)]
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    for order in (rows, shuffled):
        ledger = Ledger("token_rate", start, "start", "k", tuple(order))
        assert math.log(ledger.end.value) == pytest.approx(math.fsum(logs), abs=1e-9)
        reached = [step.after.value for step in ledger.steps]
        begun = [step.before.value for step in ledger.steps]
        assert begun == [start.value, *reached][: len(begun)]  # no gap between bars


def test_bars_of_two_and_three_lead_from_ten_to_sixty():
    rows = (row("two", Estimate.exact(2)), row("three", Estimate.exact(3)))
    ledger = Ledger("token_rate", Estimate.exact(10), "start", "k", rows)
    assert [step.after.value for step in ledger.steps] == [20, 60]
    assert ledger.end.value == 60


@given(estimates, estimates)
def test_a_product_is_wider_than_its_parts_and_narrower_than_their_sum(left, right):
    product = left * right

    def width(e):
        return math.log(e.high / e.low)

    tolerance = 1e-9
    assert width(product) >= max(width(left), width(right)) - tolerance
    assert width(product) <= width(left) + width(right) + tolerance


@given(estimates)
def test_dividing_by_itself_is_one(estimate):
    assert (estimate * estimate.inverse()).value == pytest.approx(1)


@given(estimates, estimates, estimates)
def test_a_closed_ledger_ends_on_its_target(start, factor, target):
    ledger = Ledger("token_rate", start, "start", "k", (row("a", factor),))
    closed = ledger.close(
        key="rest", label="the rest", target=target, source="k", chapter="book/index.ipynb"
    )
    assert closed.end == target
    assert closed.rows[-1].kind == "open"
    last = closed.steps[-1]
    assert last.before.value * last.row.factor.value == pytest.approx(target.value, rel=1e-14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Estimate(2, 3, 4), "in that order"),
        (lambda: Estimate(0, 0, 1), "positive"),
        (lambda: Estimate(1, 1, math.inf), "finite"),
        (lambda: Estimate(math.nan, 1, 2), "in that order"),
        (lambda: Ledger("speed", Estimate.exact(1), "s", "k"), "quantity is 'speed'"),
        (lambda: row("a", Estimate.exact(2), kind="guess"), "kind of row a is 'guess'"),
        (lambda: row("a", Estimate.exact(2), equations=()), "names no equation"),
        (lambda: row("a", Estimate.exact(2), source=""), "source of row a is empty"),
        (
            lambda: Ledger(
                "token_rate",
                Estimate.exact(1),
                "s",
                "k",
                (row("a", Estimate.exact(2)), row("a", Estimate.exact(3))),
            ),
            "a occur twice",
        ),
    ],
)
def test_bad_ledgers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_frame_has_a_line_for_each_row():
    ledger = Ledger("token_rate", Estimate.exact(10), "s", "k").add(
        row("a", Estimate.exact(2)), row("b", Estimate(3, 2, 4, "range of cases"))
    )
    frame = ledger.to_frame()
    assert frame["after [token/s]"].tolist() == [20, 60]
    assert frame["factor_low"].tolist() == [2, 2]

"""Estimates: what an interval is, and what becomes of it in products and through functions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwall.estimate import Estimate, Spread, through

KINDS = [kind for kind in Spread if kind != Spread.EXACT]
values = st.floats(1e-12, 1e12)
widths = st.floats(1.001, 1e3)
made = st.builds(
    lambda v, d, u, kind: Estimate(v, v / d, v * u, kind),
    values,
    widths,
    widths,
    st.sampled_from(KINDS),
)


def widths_of(each: Estimate) -> tuple[float, float]:
    return math.log(each.value / each.low), math.log(each.high / each.value)


@pytest.mark.parametrize("spread", ["exact", "", "90 %", "nine tenths"])
def test_an_interval_that_is_not_named_is_refused(spread):
    with pytest.raises(ValueError, match=r"spread of the estimate 1 <= 2 <= 4 .*must be one of"):
        Estimate(2, 1, 4, spread)


@given(made, made)
def test_only_nine_in_ten_times_nine_in_ten_stays_so(first, second):
    product = first * second
    both = first.is_probable and second.is_probable
    assert product.is_probable == both
    for a, b, c in zip(*map(widths_of, (first, second, product)), strict=True):
        assert c == pytest.approx(math.hypot(a, b) if both or a == b == 0 else c, rel=1e-6)
        assert c <= (a + b) * (1 + 1e-6) + 1e-9
    if not both and Spread.NINE_IN_TEN not in (first.spread, second.spread):
        for a, b, c in zip(*map(widths_of, (first, second, product)), strict=True):
            assert c == pytest.approx(a + b, rel=1e-6)


@given(made, made, made)
def test_products_do_not_depend_on_their_order(a, b, c):
    one, other = (a * b) * c, a * (b * c)
    assert one.spread == other.spread
    for left, right in zip(widths_of(one), widths_of(other), strict=True):
        assert left == pytest.approx(right, rel=1e-6, abs=1e-9)


@given(made)
def test_an_inverse_turns_the_interval_round_and_keeps_its_name(each):
    back = each.inverse().inverse()
    assert back.spread == each.spread
    assert back.low == pytest.approx(each.low)
    assert each.inverse().low == pytest.approx(1 / each.high)


@given(made, made)
def test_through_a_product_is_the_product(a, b):
    direct, by_function = a * b, through(lambda x, y: x * y, a, b)
    assert by_function.spread == direct.spread
    assert by_function.low == pytest.approx(direct.low, rel=1e-6)
    assert by_function.high == pytest.approx(direct.high, rel=1e-6)


def test_through_refuses_what_is_not_positive():
    with pytest.raises(ValueError, match="must be positive"):
        through(lambda x: x - 1, Estimate(2, 1, 3, "bound"))


def test_a_bound_stays_a_bound_without_an_interval():
    bound = Estimate.exact(3).called("bound")
    assert bound.spread == Spread.BOUND
    assert (bound * Estimate(2, 1, 4, "nine in ten")).spread == Spread.BOUND

"""The rows of the chapter on waiting: what a year of doing nothing gains."""

from __future__ import annotations

import math

from tokenwall.data.facts import facts, interval, sources
from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger import Row
from tokenwall.units import to_si
from tokenwall.waiting import growth_rate, waiting_gain

__all__ = ["waiting_any_model_row", "waiting_row"]

WAITING = "book/culture/waiting.ipynb"
# Rival estimates of how fast a dollar's worth of arithmetic doubles, all from one survey.
PACES = (
    "learning_doubling_time",
    "all_doubling_time",
    "half_precision_doubling_time",
    "top_doubling_time",
)


def waiting_row() -> Row:
    """One year of waiting for hardware, the same model at the same price.

    The value is the pace of accelerators for learning, the interval runs over all rival estimates
    and their own intervals.
    """
    year = to_si(1, "year")
    spread = [interval("gpu-price-performance", pace) for pace in PACES]
    slowest, fastest = max(high for _, _, high in spread), min(low for _, low, _ in spread)
    value, low, high = (float(waiting_gain(year, t)) for t in (spread[0][0], slowest, fastest))
    return Row(
        "wait-a-year",
        "Wait a year for hardware",
        Estimate(value, low, high, Spread.OPINIONS),
        ("waiting_gain",),
        {"wait": year, "doubling_time": spread[0][0]},
        sources("facts", "gpu-price-performance", *PACES),
        WAITING,
        note="Arithmetic for a dollar, 2006 to 2021; bandwidth has grown more slowly.",
    )


def waiting_any_model_row() -> Row:
    """One year of waiting for prices, at a fixed score but with whatever model then reaches it.

    The value is the fall at the oldest mark, as its source rounds it; the interval runs from the
    slowest to the fastest task of another survey.
    """
    year, marks = to_si(1, "year"), facts("epoch-fixed-capability")
    mark = facts("a16z-mmlu-42")
    rate = growth_rate(mark["first_price"] / mark["last_price"], mark["span"])
    return Row(
        "wait-a-year-any-model",
        "Wait a year for prices, any model of the same score",
        Estimate(
            math.exp(float(rate) * year),
            marks["slowest_yearly_fall"],
            marks["fastest_yearly_fall"],
            Spread.CASES,
        ),
        ("growth_rate",),
        {"growth_factor": mark["first_price"] / mark["last_price"], "span": mark["span"]},
        f"{sources('facts', 'a16z-mmlu-42')}; {sources('facts', 'epoch-fixed-capability')}",
        WAITING,
        note="Prices, not costs, and another model: not to be multiplied with the other rows.",
    )

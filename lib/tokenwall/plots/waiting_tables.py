"""Tables behind the chapter on waiting: what slackers would have gained, and uncertain rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.constants import Julian_year

from tokenwall.data.facts import facts
from tokenwall.data.trends import accelerators, doubling_time, frontier, series
from tokenwall.equation import symbol_table
from tokenwall.units import to_si
from tokenwall.waiting import (
    best_fix_wait,
    best_wait,
    bill_decay,
    fix_hurdle,
    fix_value,
    growth_rate,
    loss_hazard,
    user_cost,
    waiting_gain,
)

Array = npt.NDArray[np.float64]
YEAR = float(Julian_year)

# The example of the chapter, by quantity: value, low and high end, each for one year. Nobody has
# published these for a program, so the ends are a range of cases; those of the two growth factors
# are published extremes.
ASSUMED = {
    "payback_rate": (1.0, 0.5, 2.0),
    "discount_rate": (0.1, 0.05, 0.2),
    "retirement_hazard": (0.1, 0.05, 0.3),
    "arrival_hazard": (0.3, 0.05, 1.0),
    "fix_decline": (0.3, 0.0, 0.7),
}


# Factors of one year in the example.
YEARLY = {"yearly_fall": 4.0, "yearly_use": 2.0}


def case(**changed: float) -> dict[str, float]:
    """The chapter's example program, every rate for one year as the library takes it [1/s].

    Args:
        changed: rates that differ from the example, in 1/year; `yearly_fall` and `yearly_use` are
            the factors by which the price falls and the work grows in a year.

    Raises:
        ValueError: a name is not one of the example's.
    """
    given = {name: value for name, (value, _, _) in ASSUMED.items()}
    given |= YEARLY
    unknown = set(changed) - set(given)
    if unknown:
        raise ValueError(f"{sorted(unknown)} is not of the example; it has {sorted(given)}")
    given |= changed
    fall, use = given.pop("yearly_fall"), given.pop("yearly_use")
    rates = {name: value / YEAR for name, value in given.items()}
    rates["price_decline"] = float(growth_rate(fall, YEAR))
    rates["usage_growth"] = float(growth_rate(use, YEAR))
    return rates


def example_inputs() -> pd.DataFrame:
    """Every input of the example, with the ends between which worlds are drawn.

    Returns:
        A frame with quantity (in words), unit, value, low and high, in years.
    """
    table = published_rates().set_index("label")["factor"]
    words = {name: symbol_table()[name].meaning for name in ASSUMED}
    rows = [(words[name], "1/year", *ends) for name, ends in ASSUMED.items()]
    fall, use = YEARLY["yearly_fall"], YEARLY["yearly_use"]
    rows += [
        (
            "fall of the price, as a factor",
            "a year",
            fall,
            table["hardware alone"],
            table["GPT-4 on science"],
        ),
        (
            "growth of the work, as a factor",
            "a year",
            use,
            table["steady use"],
            table["Google, 2025 to 2026"],
        ),
    ]
    return pd.DataFrame(rows, columns=["quantity", "unit", "value", "low", "high"])


def promised_values(expected: Sequence[float], **changed: float) -> pd.DataFrame:
    """What a promised free repair leaves of the value of repairing by hand.

    Args:
        expected: mean times until the repair arrives for free [years].
        changed: as for `case`.

    Returns:
        One row for each time: the best wait [years], and the value of repairing today and of
        repairing after that wait, against never repairing by hand, for each dollar of its cost.

    Raises:
        ValueError: the saving fades as fast as the cost, so that no wait is best.
    """
    rows = []
    for time in expected:
        trial = case(**changed, arrival_hazard=1 / time)
        rate, payback = costs(trial), trial["payback_rate"]
        wait = float(best_fix_wait(payback, **rate))
        today, later = (float(fix_value(when, payback, **rate)) for when in (0.0, wait))
        rows.append(
            {"expected": time, "wait": wait / YEAR, "today": today, "after the wait": later}
        )
    return pd.DataFrame(rows)


def losing_promise(**changed: float) -> float:
    """Mean time until the free repair below which repairing today loses money against never [s].

    There the saving fades as fast as the payback rate.

    Args:
        changed: as for `case`.
    """
    trial = case(**changed)
    del trial["arrival_hazard"], trial["fix_decline"]
    return 1 / float(loss_hazard(**trial))


def costs(rates: Mapping[str, Any]) -> dict[str, Any]:
    """User cost and fading of a case, the two rates on which the decision hangs [1/s].

    Args:
        rates: as `case` makes them; arrays broadcast.
    """
    chances = {name: rates[name] for name in ("retirement_hazard", "arrival_hazard")}
    return {
        "user_cost": user_cost(rates["discount_rate"], rates["fix_decline"], **chances),
        "bill_decay": bill_decay(
            rates["price_decline"],
            rates["usage_growth"],
            discount_rate=rates["discount_rate"],
            **chances,
        ),
    }


def published_rates() -> pd.DataFrame:
    """Published falls of prices and growths of use, as factors of one year.

    Returns:
        A frame with label, quantity ("price" or "use"), factor and source.
    """
    price, maker = facts("epoch-fixed-capability"), facts("google-tokens")
    chip = facts("gpu-price-performance")["learning_doubling_time"]
    hardware = float(waiting_gain(YEAR, chip))
    mmlu = facts("a16z-mmlu-42")
    fall = float(np.exp(growth_rate(mmlu["first_price"] / mmlu["last_price"], mmlu["span"]) * YEAR))
    rows = [
        ("hardware alone", "price", hardware, "hobbhahn2022"),
        ("slowest task", "price", price["slowest_yearly_fall"], "epochprice2025"),
        ("score of 42 in MMLU", "price", fall, "a16z2024"),
        ("GPT-4 on science", "price", price["gpt4_science_yearly_fall"], "epochprice2025"),
        ("fastest task", "price", price["fastest_yearly_fall"], "epochprice2025"),
        ("steady use", "use", 1.0, "none"),
        (
            "Google, 2025 to 2026",
            "use",
            maker["tokens_2026"] / maker["tokens_2025"],
            "pichai2026",
        ),
        (
            "Google, 2024 to 2025",
            "use",
            maker["tokens_2025"] / maker["tokens_2024"],
            "pichai2026",
        ),
    ]
    return pd.DataFrame(rows, columns=["label", "quantity", "factor", "source"])


# Working hours of a person.
TASKS = {"A month's work": 167.0, "A year's work": 2000.0}


def task_arrivals() -> dict[str, float]:
    """Time until models finish a task half of the time, if the trend of task lengths goes on [s].

    Counted from the date of the trend's last point, early 2025.
    """
    trend = facts("ai-time-horizon")
    lengths = {label: to_si(hours, "hour") / trend["horizon"] for label, hours in TASKS.items()}
    return {label: math.log2(more) * trend["doubling_time"] for label, more in lengths.items()}


# Last point of the trend of task lengths, February 2025.
TREND_END = 2025.1


def histories() -> dict[str, pd.DataFrame]:
    """The three records of the historical check, by name: what one could have had at each date."""
    return {
        "transistors": frontier(series("transistors")),
        "single thread": frontier(series("single_thread_performance")),
        "accelerators": frontier(accelerators()),
    }


# Starts of the historical check: all years, every second one for transistors; a record judges those
# that have three records in the window before and an end of the wait within it.
STARTS = {
    "single thread": range(1988, 2020),
    "transistors": range(1971, 2019, 2),
    "accelerators": range(2016, 2024),
}


def slack_history(
    record: pd.DataFrame, years: Sequence[int], *, job_years: float = 10, window: float = 8
) -> pd.DataFrame:
    """What a slacker who trusted the recent past would have gained, start year by start year.

    In each year the slacker fits the doubling time of the last `window` years of records, waits as
    long as the equation says, and then buys the best machine that there really is.

    Args:
        record: records as `frontier` gives them.
        years: starts.
        job_years: run time on the machine of the start year.
        window: years of the past that the slacker looks at.

    Returns:
        For each start that the record can judge: doubling [years] fitted, wait [years] chosen,
        promised and realised gain (run time over time to the finish), and the best gain and wait
        that anybody could have had.

    Raises:
        ValueError: the record cannot judge any of the years.
    """
    rows = []
    for year in years:
        try:
            fitted = doubling_time(record, year - window, year)
        except ValueError:
            continue
        chosen = float(best_wait(job_years * YEAR, min(fitted, 1e3 * YEAR))) / YEAR
        if year + chosen > record["date"].iloc[-1]:
            continue
        now = available(record, year)
        realised = chosen + job_years * now / available(record, year + chosen)
        waits = np.append(0.0, record["date"][record["date"] > year] - year)
        finishes = waits + job_years * now / np.array([available(record, year + w) for w in waits])
        promised = chosen + job_years / float(waiting_gain(chosen * YEAR, min(fitted, 1e3 * YEAR)))
        rows.append(
            {
                "start": year,
                "doubling": fitted / YEAR,
                "wait": chosen,
                "promised": job_years / promised,
                "realised": job_years / realised,
                "best": job_years / finishes.min(),
                "best_wait": waits[finishes.argmin()],
            }
        )
    if not rows:
        raise ValueError(f"the record judges none of the years {list(years)}")
    return pd.DataFrame(rows)


def available(record: pd.DataFrame, date: float) -> float:
    """The best machine on sale at a date.

    Args:
        record: records as `frontier` gives them.
        date: in years.

    Raises:
        ValueError: the record starts later.
    """
    before = record[record["date"] <= date]
    if before.empty:
        raise ValueError(f"date is {date:g}; the record starts in {record['date'].iloc[0]:g}")
    return float(before["value"].iloc[-1])


def uncertain_rates(generator: np.random.Generator, draws: int) -> dict[str, Array]:
    """Rates of programs in many worlds, drawn evenly between the assumed ends [1/s].

    The price falls at between hardware's pace and the pace at the level of GPT-4; the work grows by
    between nothing and what Google last reported. Factors are drawn evenly in the logarithm.

    Args:
        generator: source of chance.
        draws: worlds.
    """
    rates: dict[str, Array] = {}
    for name, (_, low, high) in ASSUMED.items():
        drawn = generator.uniform(low, high, draws)
        if low > 0:
            drawn = np.exp(generator.uniform(math.log(low), math.log(high), draws))
        rates[name] = drawn / YEAR
    table = published_rates().set_index("label")["factor"]
    ends = {
        "price_decline": ("hardware alone", "GPT-4 on science"),
        "usage_growth": ("steady use", "Google, 2025 to 2026"),
    }
    for name, (low_label, high_label) in ends.items():
        low, high = (growth_rate(table[label], YEAR) for label in (low_label, high_label))
        rates[name] = generator.uniform(low, high, draws)
    return rates


def horizon_values(
    rates: Mapping[str, Array], waits: Array, *, horizon: float, steps: int = 400
) -> Array:
    """Value of a repair at each wait in each world, counting savings up to a horizon only [1].

    Where use outgrows all else the saving has no finite value, so that a mean over worlds needs an
    end. Summed by the trapezoidal rule in time.

    Args:
        rates: as `uncertain_rates` draws them.
        waits: waits to value [s], none beyond the horizon.
        horizon: where savings end [s].
        steps: intervals of time.

    Returns:
        One row a world, one column a wait; for each dollar of the repair's cost.

    Raises:
        ValueError: a wait lies beyond the horizon.
    """
    if waits.max() > horizon:
        raise ValueError(f"waits reach {waits.max():g} s; the horizon is {horizon:g} s")
    rate = costs(rates)
    grid = np.linspace(0, horizon, steps + 1)
    flow = rates["payback_rate"][:, None] * np.exp(-rate["bill_decay"][:, None] * grid)
    piece = (flow[:, 1:] + flow[:, :-1]) / 2 * (grid[1] - grid[0])
    after = np.concatenate([np.cumsum(piece[:, ::-1], axis=1)[:, ::-1], 0 * flow[:, :1]], axis=1)
    saved = np.stack([np.interp(waits, grid, row) for row in after])
    return np.asarray(saved - np.exp(-rate["user_cost"][:, None] * waits), dtype=float)


def values_by_horizon(rates: Mapping[str, Array], horizons: Sequence[float]) -> pd.DataFrame:
    """What the mean value of repairing now owes to the horizon and to few worlds.

    Args:
        rates: as `uncertain_rates` draws them.
        horizons: where savings end [years].

    Returns:
        One row for each horizon: the mean, the median, and the mean without the best hundredth
        and the best twentieth of the worlds; for each dollar of the repair's cost.
    """
    rows = []
    for years in horizons:
        values = np.sort(
            horizon_values(rates, np.array([0.0]), horizon=years * YEAR)[:, 0],
        )
        count = len(values)
        rows.append(
            {
                "savings count for, years": years,
                "mean": values.mean(),
                "median": np.median(values),
                "mean without the best 1 %": values[: count - count // 100].mean(),
                "mean without the best 5 %": values[: count - count // 20].mean(),
            }
        )
    return pd.DataFrame(rows).set_index("savings count for, years")


def effective_decline(rates: Array, times: Array) -> Array:
    """Steady fall that gives the mean of many uncertain falls, at each time [1/s].

    Args:
        rates: equally likely rates of decline [1/s].
        times: times from now [s], above zero.
    """
    left = np.exp(-np.multiply.outer(times, rates)).mean(axis=1)
    return np.asarray(-np.log(left) / times, dtype=float)


def decisions(rates: Mapping[str, Array]) -> pd.Series:
    """Share of worlds in which the repair is due now, later or never.

    Args:
        rates: as `uncertain_rates` draws them.
    """
    rate = costs(rates)
    now = rates["payback_rate"] >= fix_hurdle(**rate)
    later = ~now & (rate["user_cost"] > rate["bill_decay"])
    return pd.Series({"now": now.mean(), "later": later.mean(), "never": (~now & ~later).mean()})

"""Dated series of what hardware could do, and how fast it had been improving."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from tokenwall.data import machines, tidy
from tokenwall.units import to_si

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["accelerators", "doubling_time", "frontier", "series"]


def series(quantity: str) -> pd.DataFrame:
    """All points of one series, oldest first.

    Args:
        quantity: as in trends.csv, for example "transistors".

    Returns:
        A frame with date [years] and value.

    Raises:
        ValueError: there is no such series; the nearest are given.

    Example:
        >>> len(series("single_thread_performance"))
        74
    """
    rows = tidy("trends")
    found = rows[rows["quantity"] == quantity]
    if found.empty:
        near = difflib.get_close_matches(quantity, sorted(set(rows["quantity"])), n=3, cutoff=0.4)
        raise ValueError(
            f"quantity {quantity!r} is unknown; nearest: {', '.join(near) or 'nothing'}"
        )
    points = found[["date", "si_value"]].astype(float).rename(columns={"si_value": "value"})
    return points.sort_values(["date", "value"]).reset_index(drop=True)


def accelerators(quantity: str = "peak_rate_fp16", *, vendor: str = "NVIDIA") -> pd.DataFrame:
    """Data-centre accelerators of one vendor as a series, one point a machine.

    Args:
        quantity: a column of the machine table.
        vendor: as in the machine table.

    Returns:
        A frame with date [years, whole] and value [SI].

    Raises:
        ValueError: no such machine has that quantity.

    Example:
        >>> float(accelerators()["value"].iloc[-1]) > float(accelerators()["value"].iloc[0])
        True
    """
    table = machines()
    chosen = table[(table["vendor"] == vendor) & (table["category"] == "gpu-datacentre")]
    if quantity not in table.columns or chosen[quantity].dropna().empty:
        raise ValueError(f"no data-centre accelerator of {vendor!r} has the quantity {quantity!r}")
    points = chosen[["year", quantity]].dropna().astype(float)
    points.columns = ["date", "value"]
    return points.sort_values(["date", "value"]).reset_index(drop=True)


def frontier(points: pd.DataFrame) -> pd.DataFrame:
    """The points that beat all before them: what money could buy at each date.

    Args:
        points: a frame with date and value, oldest first.

    Returns:
        The rows of new records, one a date.
    """
    best = points.groupby("date", as_index=False)["value"].max()
    return best[best["value"] > best["value"].cummax().shift(fill_value=0)].reset_index(drop=True)


def doubling_time(points: pd.DataFrame, start: float, end: float) -> float:
    """Time in which a series doubled between two dates, a straight line through logarithms [s].

    Args:
        points: a frame with date and value.
        start: first date [years].
        end: last date [years].

    Returns:
        The doubling time [s]; infinite where the line does not rise.

    Raises:
        ValueError: fewer than three points, or only two dates, lie between the dates.

    Example:
        >>> thread = series("single_thread_performance")
        >>> doubling_time(thread, 1988, 2005) / to_si(1, "year")
        1.86
    """
    inside = points[points["date"].between(start, end)]
    if len(inside) < 3 or inside["date"].nunique() < 3:
        raise ValueError(
            f"{len(inside)} points lie from {start:g} to {end:g}; a line needs three dates or more"
        )
    slope, _ = np.polyfit(inside["date"], np.log2(inside["value"]), 1)
    return to_si(1 / slope, "year") if slope > 0 else float("inf")

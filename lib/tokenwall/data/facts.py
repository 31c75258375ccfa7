"""Single facts of the argument, and the sources of any number in the tables."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from tokenwall.data import tidy
from tokenwall.estimate import Estimate, Spread

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["estimate", "facts", "interval", "sources"]


def facts(key: str) -> dict[str, float]:
    """All facts about one thing, by quantity, in SI.

    Args:
        key: as in facts.csv, for example "azure-gb300-rack".

    Raises:
        ValueError: there is nothing under that key; the nearest keys are given.

    Example:
        >>> facts("azure-gb300-rack")["accelerators"]
        72.0
    """
    rows = tidy("facts")
    rows = _found(rows, "key", key)
    return dict(zip(rows["quantity"], rows["si_value"].astype(float), strict=True))


def interval(key: str, quantity: str) -> tuple[float, float, float]:
    """Value, low and high end of one fact, in SI; without an interval all three are the value.

    Args:
        key: as in facts.csv.
        quantity: as in facts.csv.

    Raises:
        ValueError: there is no such fact; the nearest are given.

    Example:
        >>> [round(60 * words) for words in interval("person", "reading_rate")]
        [238, 175, 300]
    """
    row = _found(_found(tidy("facts"), "key", key), "quantity", quantity).iloc[0]
    value = float(row["si_value"])
    low, high = float(row["si_low"]), float(row["si_high"])
    return value, value if low != low else low, value if high != high else high


def estimate(key: str, quantity: str, *, table: str = "facts") -> Estimate:
    """One number with its interval and what that interval is, in SI.

    Args:
        key: as in the table.
        quantity: as in the table.
        table: "facts" or "energies".

    Raises:
        ValueError: there is no such number; the nearest are given.

    Example:
        >>> str(estimate("person", "reading_rate").spread)
        'range of cases'
    """
    row = _found(_found(tidy(table), "key", key), "quantity", quantity).iloc[0]
    value, low, high = (float(row[f"si_{name}"]) for name in ("value", "low", "high"))
    ends = (value if low != low else low, value if high != high else high)
    return Estimate(value, *ends, Spread(row["spread"] or "exact"))


def sources(table: str, key: str, *quantities: str) -> str:
    """Bibliography keys behind some numbers of a table, joined by "; ".

    Args:
        table: "machines", "models" or "facts".
        key: of the row.
        quantities: whose sources are wanted; all of the key's if none is named.

    Raises:
        ValueError: the table has no such key or quantity.

    Example:
        >>> sources("facts", "person", "reading_rate")
        'brysbaert2019'
    """
    rows = _found(tidy(table), "key", key)
    for quantity in quantities:
        _found(rows, "quantity", quantity)
    if quantities:
        rows = rows[rows["quantity"].isin(quantities)]
    return "; ".join(sorted(set(rows["source"])))


def _found(rows: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    found = rows[rows[column] == name]
    if found.empty:
        near = difflib.get_close_matches(name, sorted(set(rows[column])), n=3, cutoff=0.4)
        raise ValueError(f"{column} {name!r} is unknown; nearest: {', '.join(near) or 'nothing'}")
    return found

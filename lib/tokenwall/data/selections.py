"""Which rows of a table stand on a page, by a rule that the page prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwall.data import _TIDY, _read, measurements, tidy
from tokenwall.data.facts import _found

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rule", "selected", "selections"]


def selections() -> pd.DataFrame:
    """All selections: key, page, table, the rule as a query, and the rule in words."""
    return _read("selections")


def rule(key: str) -> str:
    """The rule of a selection in words, as its page prints it.

    Args:
        key: as in selections.csv.

    Raises:
        ValueError: there is no such selection; the nearest are given.
    """
    return str(_found(selections(), "key", key).iloc[0]["words"])


def selected(key: str) -> pd.DataFrame:
    """Every row of a table that satisfies the rule of a selection, in the order of the table.

    Args:
        key: as in selections.csv.

    Returns:
        Rows of the table, numbers in SI where the table has them (`tidy`, `measurements`), as text
        otherwise.

    Raises:
        ValueError: there is no such selection; the nearest are given.
    """
    row = _found(selections(), "key", key).iloc[0]
    return _table(row["table"]).query(row["query"], engine="python").reset_index(drop=True)


def _table(name: str) -> pd.DataFrame:
    if name == "measurements":
        return measurements()
    return tidy(name) if name in _TIDY else _read(name)

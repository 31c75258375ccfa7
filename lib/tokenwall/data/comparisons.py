"""What is counted on each side of a comparison, and the refusal of sides that are unlike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwall.data import _read
from tokenwall.data.facts import _found
from tokenwall.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BOUNDARIES", "LEVELS", "OVERHEADS", "Side", "compared", "comparisons", "sides"]

# What is charged, from the inside out. The words fit a person and a machine alike.
BOUNDARIES = {
    "part": "the brain, or the accelerators",
    "whole": "the body, or the machine at its plug",
    "site": "a person with the computer and the room used, or the hall with cooling",
    "society": "all that stands behind, making and training included",
    "none": "nothing is charged: a count, a length, a time or a rate",
}
LEVELS = ("peak", "mean", "bound", "marginal", "price")
OVERHEADS = ("with", "without")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: what was counted, not how much.

    Args:
        name: of what stands on this side.
        measure: what is counted, in a few words, for example "tokens written".
        unit: in the library's units.
        boundary: what is charged, one of `BOUNDARIES`.
        level: "peak", "mean", "bound", "marginal" or "price".
        overhead: "with" or "without" what is spent around it.

    Raises:
        ValueError: an unknown boundary, level or overhead.
    """

    name: str
    measure: str
    unit: str
    boundary: str
    level: str
    overhead: str

    def __post_init__(self) -> None:
        for field, known in (
            ("boundary", tuple(BOUNDARIES)),
            ("level", LEVELS),
            ("overhead", OVERHEADS),
        ):
            if getattr(self, field) not in known:
                raise ValueError(
                    f"{field} of {self.name!r} is {getattr(self, field)!r}; "
                    f"it must be one of {', '.join(known)}"
                )

    def differences(self, other: Side) -> list[str]:
        """In what the sides are counted unlike, in words; empty where they are alike.

        Args:
            other: the other side.
        """
        return [
            f"{field} is {getattr(self, field)!r} here and {getattr(other, field)!r} there"
            for field in ("measure", "unit", "boundary", "level", "overhead")
            if getattr(self, field) != getattr(other, field)
        ]


def comparisons() -> pd.DataFrame:
    """All comparisons that pages state, two rows each: key, page, side and what it counts."""
    return _read("comparisons")


def sides(key: str) -> tuple[Side, Side]:
    """The two sides of one comparison, as comparisons.csv declares them.

    Args:
        key: as in comparisons.csv.

    Raises:
        ValueError: there is no such comparison; the nearest are given.
    """
    rows = _found(comparisons(), "key", key)
    first, second = (
        Side(row.name_, row.measure, row.unit, row.boundary, row.level, row.overhead)
        for row in rows.rename(columns={"name": "name_"}).itertuples()
    )
    return first, second


def compared(key: str, above: Estimate, below: Estimate) -> Estimate:
    """The ratio of two numbers whose sides are declared and alike.

    Args:
        key: of the comparison in comparisons.csv; its first row is the side above.
        above: what is divided, in the declared unit.
        below: what it is divided by.

    Raises:
        ValueError: the comparison is not declared, or its sides are counted unlike.
    """
    first, second = sides(key)
    unlike = first.differences(second)
    if unlike:
        raise ValueError(
            f"{first.name} and {second.name} cannot be divided: {'; '.join(unlike)}. "
            "Bring both to one measure first."
        )
    return above * below.inverse()

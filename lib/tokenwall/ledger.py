"""The ledger: every factor between one user's tokens today and what physics allows.

A ledger starts at one rate, multiplies it by named factors, and ends at another. A row knows the
equations and inputs it was computed from, its interval, its source and the chapter that owns it.
Nothing here is typed: rows are computed from the library's equations and tables, and the bars
multiply exactly to the end point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokenwall.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

# What a ledger can be about, with its unit.
QUANTITIES = {"token_rate": "token/s", "energy_per_token": "J/token"}
KINDS = ("computed", "published", "bound", "open")


@dataclass(frozen=True)
class Row:
    """One factor of the ledger.

    Args:
        key: short name, unique in a ledger.
        label: a few words for the reader.
        factor: what the rate is multiplied by.
        equations: names in the registry that the factor was computed with; empty only if published.
        inputs: what went in, by name, in the library's units or as text.
        source: bibliography keys of the inputs, separated by "; ".
        chapter: path of the chapter that owns the row.
        kind: "computed" from equations, "published" as it stands, "bound": up to what physics
            allows, computed too, or "open": the remainder that no chapter has explained yet.
        note: one sentence on what the factor holds and leaves out.
        lands_on: the rate after the row, where its interval is known better than by multiplying.
            Then nothing above the row matters to what comes after it.
        causes: what `lands_on` depends on: by the name of an input, the rate with that input
            alone at its interval.

    Raises:
        ValueError: an unknown kind, an empty source or chapter, or a computed row without
            equations.
    """

    key: str
    label: str
    factor: Estimate
    equations: tuple[str, ...]
    inputs: Mapping[str, float | str]
    source: str
    chapter: str
    kind: str = "computed"
    note: str = ""
    lands_on: Estimate | None = None
    causes: Mapping[str, Estimate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind of row {self.key} is {self.kind!r}; it must be one of {KINDS}")
        if self.kind in ("computed", "bound") and not self.equations:
            raise ValueError(f"row {self.key} is {self.kind} but names no equation")
        for name in ("source", "chapter"):
            if not getattr(self, name):
                raise ValueError(f"{name} of row {self.key} is empty")


@dataclass(frozen=True)
class Step:
    """A row in its place: the rate before it and after it."""

    row: Row
    before: Estimate
    after: Estimate


@dataclass(frozen=True)
class Ledger:
    """A start, and the factors that lead away from it.

    Args:
        quantity: "token_rate" or "energy_per_token".
        start: the rate at which the ledger opens.
        start_label: what that rate is, in a few words.
        start_source: bibliography keys of the start.
        rows: in order.

    Raises:
        ValueError: an unknown quantity, or two rows with one key.
    """

    quantity: str
    start: Estimate
    start_label: str
    start_source: str
    rows: tuple[Row, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise ValueError(
                f"quantity is {self.quantity!r}; it must be one of {tuple(QUANTITIES)}"
            )
        keys = [row.key for row in self.rows]
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        if doubled:
            raise ValueError(f"rows {', '.join(doubled)} occur twice; a key must be unique")

    @property
    def unit(self) -> str:
        """Unit of the start and of every step."""
        return QUANTITIES[self.quantity]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The waterfall: each row with the rate before and after it."""
        steps: list[Step] = []
        level = self.start
        for row in self.rows:
            after = row.lands_on or level * row.factor
            steps.append(Step(row, level, after))
            level = after
        return tuple(steps)

    @property
    def end(self) -> Estimate:
        """The rate after the last row."""
        return self.steps[-1].after if self.rows else self.start

    def add(self, *rows: Row) -> Ledger:
        """The ledger with rows appended."""
        return Ledger(
            self.quantity, self.start, self.start_label, self.start_source, (*self.rows, *rows)
        )

    def close(self, *, key: str, label: str, target: Estimate, source: str, chapter: str) -> Ledger:
        """The ledger with one last, open row that leads exactly to a published rate.

        Args:
            key: name of the closing row.
            label: a few words for the reader.
            target: the published rate, in the ledger's unit.
            source: bibliography keys of the target.
            chapter: the chapter that will explain the remainder.
        """
        before = self.end
        row = Row(
            key,
            label,
            target * before.inverse(),
            equations=(),
            inputs={"target": target.value, "before": before.value},
            source=source,
            chapter=chapter,
            kind="open",
            note="The part that no chapter has explained yet.",
            lands_on=target,
        )
        return self.add(row)

    def to_frame(self) -> pd.DataFrame:
        """One line a row: factor with its interval, rate after it, equations, source, chapter."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "row": step.row.label,
                    "factor": step.row.factor.value,
                    "factor_low": step.row.factor.low,
                    "factor_high": step.row.factor.high,
                    f"after [{self.unit}]": step.after.value,
                    "kind": step.row.kind,
                    "equations": ", ".join(step.row.equations),
                    "source": step.row.source,
                    "chapter": step.row.chapter,
                }
                for step in self.steps
            ]
        )

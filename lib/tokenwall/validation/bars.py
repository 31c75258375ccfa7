"""The bars that the project set itself, and the figures beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from tokenwall.validation.checks import (
    beyond_ideal,
    context_growth,
    file_sizes,
    published_slopes,
    weight_counts,
)
from tokenwall.validation.judged import MISS, UNEXPLAINED, errors, middle, rows
from tokenwall.validation.points import peer_table, point_table

__all__ = ["BOUNDS", "Bar", "bars"]

# Devices above which a machine is a rack and not a node.
NODE = 8


@dataclass(frozen=True)
class Bar:
    """One bar that the project set itself, and the figure beside it.

    Attributes:
        name: what is judged.
        measure: how; median absolute error if not said otherwise.
        rows: rows or pairs that the figure is of.
        value: the figure, nan where there is nothing to judge.
        bound: what it must stay below; or equal, where the bound is 0.
        note: a word on it.
    """

    name: str
    measure: str
    rows: int
    value: float
    bound: float
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar is met; what cannot be judged is not."""
        return self.value < self.bound or self.value == self.bound == 0


BOUNDS = {
    "single": 0.12,
    "batched dense": 0.20,
    "batched mixture": 0.20,
    "context": 0.15,
    "saturated": 0.25,
    "rack": 0.25,
    "bias": 0.10,
    "points": 0.09,
    "file": 0.001,
}


def bars() -> list[Bar]:
    """The bars that the project set itself, in the order of its plan."""
    frame = rows()
    return [*_error_bars(frame), *_context_bars(frame), *_bound_bars(frame), *_point_bars()]


def _error_bars(frame: pd.DataFrame) -> list[Bar]:
    made = []
    names = {
        "single": "batch 1, devices never seen",
        "batched dense": "batched decoding, dense",
        "batched mixture": "batched decoding, mixture of experts",
    }
    for work, name in names.items():
        column = "by_device_error" if work == "single" else "unseen_error"
        some = frame[frame["work"].eq(work)]
        other = "by_source_error" if work == "single" else "by_device_error"
        kind = "sources" if work == "single" else "devices"
        note = f"{middle(some[other]):.1%} on {kind} never seen"
        made.append(_median_bar(name, some[column], BOUNDS[work], note))
    full = frame[frame["regime"].eq("saturated")]
    parts = ", ".join(
        f"{name.removeprefix('saturated ')} {middle(part['unseen_error']):.1%}"
        for name, part in full.groupby("work")
    )
    made.append(_median_bar("saturated serving", full["unseen_error"], BOUNDS["saturated"], parts))
    rack = frame[frame["devices"] > NODE]
    note = "" if len(rack) else f"no covered row has more than {NODE} devices"
    made.append(_median_bar("rack scale", rack["unseen_error"], BOUNDS["rack"], note))
    return made


def _median_bar(name: str, error: pd.Series, bound: float, note: str = "") -> Bar:
    value = middle(error) if len(error) else math.nan
    return Bar(name, "median absolute error", len(error), value, bound, note)


def _context_bars(frame: pd.DataFrame) -> list[Bar]:
    pairs, slopes = context_growth(frame), published_slopes()
    slopes = slopes[slopes["what"].eq("slope")]
    clear = pairs["growth_error"].dropna()
    bound = BOUNDS["context"]
    added = "time added only; pairs that grow by more than a hundredth"
    return [
        _median_bar("growth with context, ratio of times", pairs["ratio_error"], bound),
        _median_bar("growth with context, time added", clear, bound, added),
        _median_bar("growth with context, published slopes", slopes["error"], bound),
    ]


def _bound_bars(frame: pd.DataFrame) -> list[Bar]:
    bias = errors(["work"], frame)["bias"]
    groups = frame.groupby("work")["factor"].idxmax()
    worst = frame.loc[groups]
    open_ = worst[worst["cause"].eq(UNEXPLAINED)]
    far = frame[frame["factor"] > MISS]
    unknown = int(far["cause"].eq(UNEXPLAINED).sum())
    fast = beyond_ideal(frame)
    sizes, counts = file_sizes(), weight_counts()
    note = f"{bias.abs().idxmax()} {bias[bias.abs().idxmax()]:+.1%}"
    listed = f"{len(far)} rows beyond a factor of 2, {unknown} of them without a reason"
    return [
        Bar(
            "bias",
            "largest median error of a group",
            len(bias),
            float(bias.abs().max()),
            BOUNDS["bias"],
            note,
        ),
        Bar("worst rows", "groups without a reason", len(groups), len(open_), 0, listed),
        Bar("ideal is a bound", "rows that beat it", len(frame), float(len(fast)), 0),
        Bar(
            "bytes of weight files",
            "largest error",
            len(sizes),
            float(sizes["error"].abs().max()),
            BOUNDS["file"],
            "files of 16-bit weights whose size is published",
        ),
        Bar(
            "weights counted from architectures",
            "median absolute error",
            len(counts),
            middle(counts["error"]),
            BOUNDS["file"],
            f"largest {counts['error'].abs().max():.2%}",
        ),
    ]


def _point_bars() -> list[Bar]:
    points = point_table()
    decode = points[points["quantity"].eq("decode_step_time")]
    others = peer_table().drop(["this book", "this book, left out"])
    # Of those that answer all of them.
    best = others[others["points"].eq(len(points))]["decode"]
    note = f"best peer {best.min():.1%} ({best.idxmin()})"
    return [
        Bar(
            name,
            "mean absolute error",
            len(decode),
            float(decode[column].abs().mean()),
            BOUNDS["points"],
            note,
        )
        for name, column in (
            ("decode points of the peers, fitted", "error"),
            ("decode points of the peers, sources left out", "left_out_error"),
        )
    ]

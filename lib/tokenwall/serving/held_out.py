"""Predictions of published rows by constants that never saw them.

A whole source is left out at a time. Where a source alone measured an engine, leaving it out leaves
nothing of that engine to fit: its rows are judged once by what the engine's relatives say
(`by_source`) and once by the engine's other devices (`by_device`), and by other models where it was
measured on one device only.
"""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from tokenwall.serving.fit import Fit
from tokenwall.serving.published import Case, compare

__all__ = ["judge", "judged", "summary", "write"]


def judge(cases: list[Case]) -> pd.DataFrame:
    """Predictions of every row by fits that left out its source, and its device.

    Args:
        cases: published measurements.

    Returns:
        Columns of `published.compare` (predicted with all rows fitted) and `by_source`, `by_device`
        [s], and `log_error` of the one that counts: by source where others measured the engine,
        else by device.
    """
    everything = Fit(cases)
    frame = compare(cases, {stack: everything.engine(stack) for stack in everything.stacks})
    frame["by_source"] = _left_out(cases, frame["source"])
    frame["by_device"] = _left_out(cases, _folds(frame))
    return _decided(frame)


def _decided(frame: pd.DataFrame) -> pd.DataFrame:
    """With the held-out prediction that counts, and its error."""
    kind = frame["quantity"].eq("prompt")
    alone = frame.groupby(["stack", kind])["source"].transform("nunique") == 1
    frame["unseen"] = frame["by_device"].where(alone, frame["by_source"])
    frame["log_error"] = np.log(frame["measured"] / frame["unseen"])
    frame["unseen_error"] = frame["measured"] / frame["unseen"] - 1
    return frame


def _folds(frame: pd.DataFrame) -> pd.Series:
    """Devices in a few parts, each stack's own; models where there is one device."""
    several = frame.groupby("stack")["machine"].transform("nunique") > 1
    label = frame["machine"].where(several, frame["model"])
    number = {name: index % 6 for index, name in enumerate(sorted(label.unique()))}
    return label.map(number)


def _left_out(cases: list[Case], label: pd.Series) -> pd.Series:
    found = pd.Series(np.nan, index=label.index)
    for value in sorted(label.unique()):
        out = (label == value).to_numpy()
        kept = Fit([case for case, gone in zip(cases, out, strict=True) if not gone])
        gone = [case for case, away in zip(cases, out, strict=True) if away]
        constants = {case.stack: kept.engine(case.stack) for case in gone}
        found[label.index[out]] = compare(gone, constants)["predicted"].to_numpy()
    return found


def summary(frame: pd.DataFrame, by: list[str], error: str = "unseen_error") -> pd.DataFrame:
    """Errors by group.

    Args:
        frame: of `judge` or `judged`.
        by: columns to group by.
        error: column to summarise.

    Returns:
        Rows, sources, devices, median and mean absolute error, median error, worst factor.
    """
    grouped = frame.groupby(by)
    return pd.DataFrame(
        {
            "rows": grouped.size(),
            "sources": grouped["source"].nunique(),
            "devices": grouped["machine"].nunique(),
            "median_absolute_error": grouped[error].apply(lambda e: e.abs().median()),
            "mean_absolute_error": grouped[error].apply(lambda e: e.abs().mean()),
            "median_error": grouped[error].median(),
            "worst_factor": grouped[error].apply(lambda e: np.exp(np.log1p(e).abs().max())),
        }
    )


_PATH = resources.files("tokenwall").joinpath("data/serving_held_out.csv")
_KEPT = ["id", "by_source", "by_device"]


def write(frame: pd.DataFrame) -> None:
    """Store the predictions by constants that never saw a row.

    Args:
        frame: of `judge`.
    """
    kept = frame[_KEPT].copy()
    for column in _KEPT[1:]:
        kept[column] = kept[column].map(lambda value: f"{value:.5g}")
    kept.to_csv(Path(str(_PATH)), index=False, lineterminator="\n")
    judged.cache_clear()


@functools.cache
def judged() -> pd.DataFrame:
    """Every row with its prediction by the stored constants, and by constants that never saw it.

    Columns as of `judge`; the held-out predictions are read from `serving_held_out.csv`.
    """
    frame = compare()
    stored = pd.read_csv(Path(str(_PATH))).set_index("id")
    for column in _KEPT[1:]:
        frame[column] = frame["id"].map(stored[column])
    return _decided(frame)

"""Checks other than errors: growth with context, bounds, bytes, noise, coverage and intervals."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd

from tokenwall import data
from tokenwall.serving import engines, published
from tokenwall.serving.predict import predict
from tokenwall.validation.judged import rows
from tokenwall.weights import parts_of

__all__ = [
    "beyond_ideal",
    "context_growth",
    "coverage",
    "file_sizes",
    "intervals",
    "noise",
    "published_slopes",
    "weight_counts",
]

_ALIKE = "source machine model stack devices batch weight_bits parallelism quantity".split()


def context_growth(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Pairs of decoding rows that differ in nothing but their context: shortest and longest.

    Args:
        frame: rows to take; all by default.

    Returns:
        What they share, short and long [token], measured and predicted ratio of their times, and
        ratio_error and growth_error: predicted over measured ratio, and time added, less one.
    """
    every = rows() if frame is None else frame
    # An empty cache before a decode row means that the lengths are not published.
    some = every[every["quantity"].eq("step") & every["context"].gt(0)]
    made = []
    for shared, group in some.groupby(_ALIKE, dropna=False):
        ends = group.sort_values("context").iloc[[0, -1]]
        short, long = ends["context"]
        if long < 2 * short:
            continue
        measured, unseen = ends["measured"].to_numpy(), ends["unseen"].to_numpy()
        made.append(
            {
                **dict(zip(_ALIKE, shared, strict=True)),
                "short": short,
                "long": long,
                "measured": measured[1] / measured[0],
                "predicted": unseen[1] / unseen[0],
                "added": (measured[1] - measured[0]) / measured[0],
            }
        )
    table = pd.DataFrame(made)
    table["ratio_error"] = table["predicted"] / table["measured"] - 1
    # Less than a hundredth of growth drowns in the noise of two measurements.
    clear = table["added"] > 0.01
    table["growth_error"] = ((table["predicted"] - 1) / table["added"] - 1).where(clear)
    return table


def published_slopes() -> pd.DataFrame:
    """Published lines of time against context, beside the predicted line; none of them was fitted.

    Returns:
        Model, machine, kv_bits, what (slope [s/token**2] or intercept [s/token]), measured,
        predicted and error, predicted over measured less one.
    """
    table = data.measurements()
    lines = table[table["metric"].isin(["token_time_slope", "token_time_intercept"])]
    made = []
    for row in lines.itertuples():
        bits = row.weight_bits
        if math.isnan(bits):
            bits = table[table["model"].eq(row.model)]["weight_bits"].median()
        try:
            line = _line(row, bits)
        except ValueError:
            continue
        what = row.metric.removeprefix("token_time_")
        made.append(
            {
                "model": row.model,
                "machine": row.machine,
                "kv_bits": row.kv_bits,
                "what": what,
                "measured": row.si_value,
                "predicted": line[what],
            }
        )
    found = pd.DataFrame(made)
    found["error"] = found["predicted"] / found["measured"] - 1
    return found


def _line(row: Any, bits: float) -> dict[str, float]:
    prompts = np.array([1024.0, 65536.0])
    stack = engines.stack_of(row.engine, row.source, row.model)
    answer = predict(
        row.model,
        row.machine,
        devices=row.devices,
        batch=row.batch,
        input_len=prompts,
        output_len=row.output_tokens,
        weight_bits=bits,
        kv_bits=row.kv_bits,
        engine=stack,
    )
    first, last = answer.time_per_output_token
    slope = float(last - first) / float(prompts[1] - prompts[0])
    return {"slope": slope, "intercept": float(first) - slope * float(prompts[0])}


def beyond_ideal(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Rows faster than a machine without any loss could be; there should be none.

    Args:
        frame: rows to take; all by default.

    Returns:
        Columns: id, machine, model, work and excess (ideal over measured time).
    """
    every = rows() if frame is None else frame
    fast = every[every["measured"] < every["ideal"]].copy()
    fast["excess"] = fast["ideal"] / fast["measured"]
    return fast[["id", "machine", "model", "work", "excess"]].reset_index(drop=True)


def file_sizes() -> pd.DataFrame:
    """Published sizes of files of 16-bit weights, beside the bytes that are predicted.

    Returns:
        Columns: model, published [B], predicted [B], error.
    """
    table = data.measurements()
    files = table[table["weight_bytes"].notna() & table["weight_bits"].eq(16)]
    files = files.drop_duplicates(["model", "weight_bytes"])
    made = []
    for row in files.itertuples():
        memory = predict(row.model, row.machine, weight_bits=16, engine="ideal").memory_bytes
        made.append((row.model, row.weight_bytes, float(memory.weights)))
    found = pd.DataFrame(made, columns=["model", "published", "predicted"])
    found["error"] = found["predicted"] / found["published"] - 1
    return found


def weight_counts() -> pd.DataFrame:
    """Weights counted from the architecture beside the published total, for every covered model.

    Returns:
        Columns: model, published, counted, error.
    """
    made = []
    for key in sorted(rows()["model"].unique()):
        parts = parts_of(key)
        made.append((key, parts.total, parts.counted))
    found = pd.DataFrame(made, columns=["model", "published", "counted"])
    found["error"] = found["counted"] / found["published"] - 1
    return found


def noise() -> pd.DataFrame:
    """How far submitters of the same benchmark differ on the same machine with the same model.

    Returns:
        Rows by model, machine, devices and bits of weights, for saturated servers without limits on
        latency: submitters, low and high [token/s], and spread, high over low less one.
    """
    table = data.measurements()
    some = table[table["source"].eq("mlperf2025v51") & table["scenario"].eq("offline")]
    grouped = some.groupby(["model", "machine", "devices", "weight_bits"])
    found = pd.DataFrame(
        {
            "submitters": grouped["submitter"].nunique(),
            "low": grouped["si_value"].min(),
            "high": grouped["si_value"].max(),
        }
    )
    found = found[found["submitters"] > 1]
    found["spread"] = found["high"] / found["low"] - 1
    return found.reset_index()


_REASONS = (
    (r"engine .* not fitted", "engines with too few rows to fit"),
    (r"metric ", "not the time of a step, a prompt or a batch"),
    (r"model or machine not described", "architectures that the tables do not describe"),
    (r"parallelism|devices|how|does not fit|what one", "how devices share the work is not stated"),
    (r"limits on latency", "limits on latency set the rate"),
    (r"bits of the weights", "bits of the weights not published"),
)


def coverage() -> pd.DataFrame:
    """Measurements that are covered, and why the others are left out.

    Returns:
        Columns: reason ("covered" first), rows and sources.
    """
    cases, left = published.cases()
    classes = left["reason"].map(_reason)
    grouped = left.groupby(classes)["source"].agg(["size", "nunique"])
    grouped = grouped.sort_values("size", ascending=False).reset_index()
    grouped.columns = pd.Index(["reason", "rows", "sources"])
    covered = ("covered", len(cases), len({case.row.source for case in cases}))
    first = pd.DataFrame([covered], columns=grouped.columns)
    return pd.concat([first, grouped], ignore_index=True)


def _reason(text: str) -> str:
    return next((name for pattern, name in _REASONS if re.match(pattern, text)), text)


_SPREADS = {
    "single": "decode_spread",
    "batched": "decode_spread",
    "prompt": "prompt_spread",
    "saturated": "served_spread",
}


def intervals(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Share of rows within the interval that nine in ten should lie in, two ways.

    The stored widths are set so that nine in ten rows of an engine that no fit had seen lie within.
    The second way does not know the errors of the source that it judges: the width is set by
    those of all other sources at that kind of work.

    Args:
        frame: rows to take; all by default.

    Returns:
        By regime: rows, width (factor, median of the stored ones), stored and blind (shares).
    """
    every = rows() if frame is None else frame
    width = np.array(
        [
            engines.NINE_IN_TEN * getattr(engines.engine(stack), _SPREADS[regime])
            for stack, regime in zip(every["stack"], every["regime"], strict=True)
        ]
    )
    size = every["log_error"].abs()
    blind = pd.Series(np.nan, index=every.index)
    for (regime, source), group in every.groupby(["regime", "source"]):
        others = size[every["regime"].eq(regime) & every["source"].ne(source)]
        if len(others):
            blind[group.index] = (size[group.index] <= others.quantile(0.9)).astype(float)
    table = pd.DataFrame(
        {
            "regime": every["regime"],
            "width": np.exp(width),
            "stored": size <= width,
            "blind": blind,
        }
    )
    grouped = table.groupby("regime")
    return pd.DataFrame(
        {
            "rows": grouped.size(),
            "width": grouped["width"].median(),
            "stored": grouped["stored"].mean(),
            "blind": grouped["blind"].mean(),
        }
    )

"""Every covered row with its predictions, what they miss, and why some miss by far."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tokenwall import data
from tokenwall.serving import held_out, published
from tokenwall.serving import workload as load
from tokenwall.serving.engines import ASSUMED

__all__ = [
    "CAUSES",
    "CLASSES",
    "MISS",
    "UNEXPLAINED",
    "Cause",
    "errors",
    "middle",
    "misses",
    "rows",
]

CLASSES = {
    "single-board": "single-board computers",
    "cpu-laptop": "PC processors",
    "cpu-server": "server processors",
    "apple-soc": "Apple chips",
    "desktop-soc": "desktop chips",
    "gpu-consumer": "consumer GPUs",
    "gpu-workstation": "workstation GPUs",
    "gpu-datacentre": "data-centre GPUs",
    "accelerator-asic": "other accelerators",
}
# A miss is a row further off than this factor.
MISS = 2.0
# Share of the memory that weights and caches can fill before requests wait for each other.
FULL = ASSUMED["memory_fraction"]


@dataclass(frozen=True)
class Cause:
    """Why some rows are far off.

    Attributes:
        name: in a few words.
        text: what the model leaves out, or what the measurement does.
        applies: which rows it can explain.
    """

    name: str
    text: str
    applies: Callable[[pd.DataFrame], Any]


def _slower(frame: pd.DataFrame) -> Any:
    return frame["log_error"] > 0


def _stack(frame: pd.DataFrame, start: str) -> Any:
    return frame["stack"].str.startswith(start)


CAUSES = (
    Cause(
        "batch that does not fit",
        "Weights and caches of the whole batch exceed the memory, so requests run in turns, or are "
        "thrown out and begun again; how is not stated.",
        lambda f: f["quantity"].eq("batch") & f["filled"].gt(FULL) & _slower(f),
    ),
    Cause(
        "plain processors",
        "Cores without vector units or without products of 8-bit integers; their arithmetic rate "
        "stands in no table and is guessed from the bandwidth.",
        lambda f: _stack(f, "llama.cpp CPU"),
    ),
    Cause(
        "graphics drivers",
        "Drivers and shaders differ by maker and by year; new cards are far from their bounds. The "
        "host hardly matters: NVIDIA cards are as fast in a Raspberry Pi as in a PC.",
        lambda f: _stack(f, "llama.cpp Vulkan"),
    ),
    Cause(
        "cards that took turns",
        "Layers split over cards: a prompt is cut into blocks that follow each other, and often "
        "they did not, so that four cards read as fast as one.",
        lambda f: f["parallelism"].eq("layer-split") & f["regime"].eq("prompt") & _slower(f),
    ),
    Cause(
        "prompt kernels",
        "Integer kernels written for consumer cards reach a third of their 8-bit peak and a tenth "
        "of a data-centre card's; one share cannot describe both.",
        lambda f: f["regime"].eq("prompt") & _stack(f, "llama.cpp CUDA"),
    ),
    Cause(
        "matrix units left idle",
        "The peak rate in the table is that of units which this version did not use.",
        lambda f: f["machine"].str.startswith("apple-m5") & f["regime"].eq("prompt") & _slower(f),
    ),
    Cause(
        "processors as servers",
        "Matrix instructions of processors reach a fifth of their peak, and hardly anybody has "
        "published how these machines serve.",
        lambda f: f["category"].eq("cpu-server"),
    ),
    Cause(
        "4-bit weights in 16-bit arithmetic",
        "Cards without 4-bit units compute with these weights in 16 bits, not in the 8 bits that "
        "they also have.",
        lambda f: (
            f["model"].str.startswith("gpt-oss")
            & f["machine"].str.contains("h100|h200|a100")
            & _slower(f)
        ),
    ),
    Cause(
        "caches that fill slowly",
        "Long answers occupy their memory only at the end; more of them fit than the same number "
        "at full length.",
        lambda f: (
            f["regime"].eq("saturated") & f["output_tokens"].ge(f["input_tokens"]) & ~_slower(f)
        ),
    ),
    Cause(
        "attention over long contexts",
        "The share of its arithmetic rate that attention reaches is taken from other chips and "
        "other forms of attention.",
        lambda f: f["context"].gt(8192) & f["regime"].isin(["single", "batched"]),
    ),
    Cause(
        "unpacking on server cards",
        "Packed weights are unpacked by vector units; how fast is taken from consumer cards, which "
        "have more of them for each byte of bandwidth.",
        lambda f: (
            f["regime"].eq("single")
            & _stack(f, "llama.cpp CUDA")
            & f["category"].eq("gpu-datacentre")
            & ~_slower(f)
        ),
    ),
    Cause(
        "exchanges of another version",
        "The time of an exchange between devices is taken from other versions of the engine.",
        lambda f: f["devices"].gt(1) & f["regime"].isin(["single", "batched"]) & ~_slower(f),
    ),
    Cause(
        "experts on many devices",
        "How experts and attention share the devices, how evenly tokens choose, and the host's "
        "time for each request, which shows where a small share of the weights is active.",
        lambda f: f["mixture"] & f["regime"].isin(["saturated", "batched"]),
    ),
    Cause(
        "stages over a slow bus",
        "Groups of layers behind each other: the time between two parts of a batch and the host's "
        "loop over the stages are not described.",
        lambda f: f["parallelism"].str.contains("PP") & _slower(f),
    ),
    Cause(
        "nobody else measured it",
        "No other source has this engine at this kind of work, so the prediction rests on its "
        "relatives.",
        lambda f: f["lonely"],
    ),
)
UNEXPLAINED = "not explained"


@functools.cache
def _rows() -> pd.DataFrame:
    frame = held_out.judged().copy()
    table = data.measurements().set_index("id")
    for name in ("parallelism", "weight_bits", "input_tokens", "output_tokens", "note", "engine"):
        frame[name] = frame["id"].map(table[name])
    frame["model_family"] = frame["model"].map(data.models()["family"])
    frame["machine_class"] = frame["category"].map(CLASSES)
    kind = np.where(frame["mixture"], " mixture", " dense")
    frame["work"] = np.where(
        frame["regime"].isin(["batched", "saturated"]), frame["regime"] + kind, frame["regime"]
    )
    frame["filled"] = [_filled(case) for case in published.cases()[0]]
    for name in ("by_device", "by_source"):
        frame[f"{name}_error"] = frame["measured"] / frame[name] - 1
    sources = frame.groupby(["stack", "regime"])["source"].transform("nunique")
    frame["lonely"] = sources == 1
    frame["factor"] = np.exp(frame["log_error"].abs())
    frame["cause"] = _causes(frame)
    return frame


def rows() -> pd.DataFrame:
    """Every published row that the model covers, with what is needed to judge it.

    Returns:
        Columns of `held_out.judged` and: parallelism, weight_bits, input_tokens, output_tokens,
        note, engine; model_family, machine_class; work (regime, apart for dense models and
        mixtures of experts where batches are large); filled (share of the memory that weights
        and all caches take); by_device_error, by_source_error; lonely (no other source has this
        engine at this work); factor (predicted over measured or the reverse, at least 1) and
        cause, empty where the factor is below 2.

    Example:
        >>> bool(rows()["factor"].min() >= 1)
        True
    """
    return _rows().copy()


def _filled(case: published.Case) -> float:
    asked = case.asked
    context = asked.prompt + asked.output if case.quantity == "batch" else case.context
    # Of the batch that was asked for, where only a part of it runs at a time.
    wanted = asked.batch if math.isnan(case.row.batch) else max(case.row.batch, float(asked.batch))
    caches = float(load.cache_bytes_of(case.shape, asked, context) * wanted) if context else 0
    weights = float(load.weight_bytes_of(case.shape, asked) * asked.copies)
    return (weights + caches) / float(case.device.capacity * asked.devices)


def _causes(frame: pd.DataFrame) -> pd.Series:
    found = pd.Series("", index=frame.index)
    open_ = frame["factor"] > MISS
    for cause in CAUSES:
        hit = open_ & found.eq("") & np.asarray(cause.applies(frame), dtype=bool)
        found[hit] = cause.name
    return found.mask(open_ & found.eq(""), UNEXPLAINED)


def errors(by: list[str], frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Errors of groups of rows.

    Args:
        by: columns of `rows` to group by.
        frame: rows to take; all by default.

    Returns:
        Rows, sources, devices; the median absolute error with the row fitted (fitted), its device
        left out (device), its source left out (source) and of the prediction that counts (unseen);
        bias, the median error of that, and worst, its largest factor.
    """
    grouped = (rows() if frame is None else frame).groupby(by)
    kinds = {
        "fitted": "error",
        "device": "by_device_error",
        "source": "by_source_error",
        "unseen": "unseen_error",
    }
    return pd.DataFrame(
        {
            "rows": grouped.size(),
            "sources": grouped["source"].nunique(),
            "devices": grouped["machine"].nunique(),
            **{name: grouped[column].apply(middle) for name, column in kinds.items()},
            "bias": grouped["unseen_error"].median(),
            "worst": grouped["factor"].max(),
        }
    )


def middle(values: pd.Series) -> float:
    """Median absolute value.

    Args:
        values: errors.
    """
    return float(values.abs().median())


def misses(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Rows further off than a factor of 2, by cause.

    Args:
        frame: rows to take; all by default.

    Returns:
        Columns: cause, rows, worst (factor), slower (share of them that are slower than
        predicted), example (id of the worst row) and text.
    """
    every = rows() if frame is None else frame
    far = every[every["factor"] > MISS]
    texts = {cause.name: cause.text for cause in CAUSES}
    made = []
    for name, group in far.groupby("cause"):
        worst = group.loc[group["factor"].idxmax()]
        slower = float((group["log_error"] > 0).mean())
        text = texts.get(str(name), "No reason was found.")
        made.append((name, len(group), worst["factor"], slower, worst["id"], text))
    columns = ["cause", "rows", "worst", "slower", "example", "text"]
    return (
        pd.DataFrame(made, columns=columns)
        .sort_values("rows", ascending=False)
        .reset_index(drop=True)
    )

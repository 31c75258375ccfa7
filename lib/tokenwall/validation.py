"""How far predictions lie from published measurements, beside the bars that the project set itself.

Every figure is of rows that the fit in question never saw: of devices that were left out (the same
software measured on other devices stays), or of whole sources. An error is that of the rate,
predicted over measured, less one.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenwall import data
from tokenwall.data import peers
from tokenwall.serving import engines, held_out, published
from tokenwall.serving import workload as load
from tokenwall.serving.fit import Fit
from tokenwall.serving.predict import _NINE_IN_TEN, predict
from tokenwall.weights import parts_of

__all__ = [
    "BOUNDS",
    "CAUSES",
    "Bar",
    "Cause",
    "bars",
    "beyond_ideal",
    "context_growth",
    "coverage",
    "errors",
    "file_sizes",
    "intervals",
    "judge_points",
    "misses",
    "noise",
    "peer_table",
    "point_table",
    "published_slopes",
    "rows",
    "weight_counts",
    "write_points",
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
# Devices above which a machine is a rack and not a node.
_NODE = 8
# Share of the memory that weights and caches can fill before requests wait for each other.
_FULL = 0.92


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
        "weights on two memories",
        "Part of the weights lay in the memory of the host, behind a narrow link.",
        lambda f: f["note"].str.contains("split between"),
    ),
    Cause(
        "batch that does not fit",
        "Weights and caches of the whole batch exceed the memory, so requests run in waves or are "
        "thrown out and begun again.",
        lambda f: f["quantity"].eq("batch") & f["filled"].gt(_FULL) & _slower(f),
    ),
    Cause(
        "slow formats",
        "A library that splits outliers off before each product starts many small kernels; it is "
        "slower with fewer bits.",
        lambda f: f["stack"].eq("Transformers") & f["weight_bits"].lt(16),
    ),
    Cause(
        "plain processors",
        "Cores without vector units or without products of 8-bit integers; their arithmetic rate "
        "stands in no table and is guessed from the bandwidth.",
        lambda f: _stack(f, "llama.cpp CPU"),
    ),
    Cause(
        "graphics drivers",
        "One set of constants for all vendors' Vulkan drivers. The host does not matter much: "
        "NVIDIA cards are as fast in a Raspberry Pi as in a PC.",
        lambda f: _stack(f, "llama.cpp Vulkan"),
    ),
    Cause(
        "slow runs",
        "16-bit prompts whose rate rises with their length, many times slower than the sister "
        "board: a cost of the host or of the first use, counted in the run.",
        lambda f: f["source"].eq("dai2024gpu")
        & f["weight_bits"].eq(16)
        & f["regime"].eq("prompt")
        & f["machine"].isin(["a100-sxm-80gb", "l40s", "rtx-5000-ada"])
        & _slower(f),
    ),
    Cause(
        "cards that took turns",
        "Layers split over cards: a prompt is cut into blocks that follow each other, and often "
        "they did not, so that four cards read as fast as one.",
        lambda f: f["parallelism"].eq("layer-split") & f["regime"].eq("prompt") & _slower(f),
    ),
    Cause(
        "16-bit accumulation",
        "The engine accumulates in 16 bits, at which GeForce cards run twice the rate that the "
        "table gives.",
        lambda f: f["category"].eq("gpu-consumer")
        & f["regime"].eq("prompt")
        & _stack(f, "llama.cpp CUDA")
        & ~_slower(f),
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
        "Constants of the same engine on GPUs; matrix instructions of processors reach less of "
        "their peak.",
        lambda f: f["category"].eq("cpu-server"),
    ),
    Cause(
        "4-bit weights in 16-bit arithmetic",
        "Cards without 4-bit units compute with these weights in 16 bits, not in the 8 bits that "
        "they also have.",
        lambda f: f["model"].str.startswith("gpt-oss")
        & f["machine"].str.contains("h100|h200|a100")
        & _slower(f),
    ),
    Cause(
        "caches that fill slowly",
        "Long answers occupy their memory only at the end; more of them fit than the same number "
        "at full length.",
        lambda f: f["regime"].eq("saturated")
        & f["output_tokens"].ge(f["input_tokens"])
        & ~_slower(f),
    ),
    Cause(
        "attention over long contexts",
        "Share of the arithmetic rate that attention reaches while decoding, taken from other chips "
        "and other forms of attention.",
        lambda f: f["context"].gt(8192) & f["regime"].isin(["single", "batched"]),
    ),
    Cause(
        "unpacking on server cards",
        "Packed weights are unpacked by vector units; how fast is taken from consumer cards, which "
        "have more of them for each byte of bandwidth.",
        lambda f: f["regime"].eq("single")
        & _stack(f, "llama.cpp CUDA")
        & f["category"].eq("gpu-datacentre")
        & ~_slower(f),
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
    caches = float(load.cache_bytes_of(case.shape, asked, context) * asked.batch) if context else 0
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
            **{name: grouped[column].apply(_middle) for name, column in kinds.items()},
            "bias": grouped["unseen_error"].median(),
            "worst": grouped["factor"].max(),
        }
    )


def _middle(values: pd.Series) -> float:
    return float(values.abs().median())


_ALIKE = (
    "source machine model stack devices batch weight_bits parallelism quantity input_tokens".split()
)


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
    alike = [name for name in _ALIKE if name != "input_tokens"]
    made = []
    for shared, group in some.groupby(alike, dropna=False):
        ends = group.sort_values("context").iloc[[0, -1]]
        short, long = ends["context"]
        if long < 2 * short:
            continue
        measured, unseen = ends["measured"].to_numpy(), ends["unseen"].to_numpy()
        made.append(
            {
                **dict(zip(alike, shared, strict=True)),
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
    """Rows faster than a machine without any loss could be, with the reason.

    Args:
        frame: rows to take; all by default.

    Returns:
        Columns: id, machine, model, work, excess (ideal over measured time) and reason, empty
        where there is none.
    """
    every = rows() if frame is None else frame
    fast = every[every["measured"] < every["ideal"]].copy()
    fast["excess"] = fast["ideal"] / fast["measured"]
    geforce = fast["category"].eq("gpu-consumer") & fast["regime"].eq("prompt")
    reason = next(cause for cause in CAUSES if cause.name == "16-bit accumulation")
    fast["reason"] = np.where(geforce & fast["excess"].lt(2), reason.name, "")
    return fast[["id", "machine", "model", "work", "excess", "reason"]].reset_index(drop=True)


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
        made.append(
            (name, len(group), worst["factor"], slower, worst["id"], texts.get(str(name), ""))
        )
    columns = ["cause", "rows", "worst", "slower", "example", "text"]
    return (
        pd.DataFrame(made, columns=columns)
        .sort_values("rows", ascending=False)
        .reset_index(drop=True)
    )


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
            _NINE_IN_TEN * getattr(engines.engine(stack), _SPREADS[regime])
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


_POINTS = resources.files("tokenwall").joinpath("data/serving_points.csv")


def _point_time(row: Any, constants: engines.Engine | str) -> float:
    prompt = row.quantity == "prefill_time"
    # Some were measured beyond the length that the model was trained for; time does not mind.
    model = data.model(row.model)
    model["context_limit"] = math.nan
    answer = predict(
        model,
        row.machine,
        devices=int(row.devices),
        batch=row.batch,
        input_len=row.input_tokens if prompt else row.context - 0.5,
        output_len=1,
        weight_bits=row.weight_bits,
        kv_bits=row.kv_bits,
        engine=constants,
    )
    step = answer.time_per_output_token
    return float(answer.batch_time - step if prompt else step)


def _sources(row: Any) -> list[str]:
    return str(row.source).split("; ")


def judge_points() -> pd.DataFrame:
    """Predictions of the 22 points by constants fitted without the sources of each; slow.

    Returns:
        Columns: id and left_out [s].
    """
    cases = published.cases()[0]
    fits: dict[str, Fit] = {}
    made = []
    for row in peers.points().itertuples():
        named = _sources(row)
        if any(source.startswith("nvidia2023trtllm") for source in named):
            named = [s for s in {c.row.source for c in cases} if s.startswith("nvidia2023trtllm")]
        key = " ".join(sorted(named))
        if key not in fits:
            fits[key] = Fit([case for case in cases if case.row.source not in named])
        stack = engines.stack_of(row.engine, _sources(row)[0], row.model)
        made.append((row.Index, _point_time(row, fits[key].engine(stack))))
    return pd.DataFrame(made, columns=["id", "left_out"])


def write_points(frame: pd.DataFrame) -> None:
    """Store what `judge_points` found.

    Args:
        frame: of `judge_points`.
    """
    kept = frame.assign(left_out=frame["left_out"].map(lambda value: f"{value:.5g}"))
    kept.to_csv(Path(str(_POINTS)), index=False, lineterminator="\n")


def point_table() -> pd.DataFrame:
    """The 22 points that peers are judged by, with our predictions.

    Returns:
        Rows of `data.peers.points` with predicted [s] by the stored constants, left_out [s] by
        constants that never saw the sources of the point, and error and left_out_error:
        predicted over measured time, less one.
    """
    table = peers.points()
    table["predicted"] = [
        _point_time(row, engines.stack_of(row.engine, _sources(row)[0], row.model))
        for row in table.itertuples()
    ]
    with resources.as_file(resources.files("tokenwall").joinpath("data")) as folder:
        stored = pd.read_csv(folder / "serving_points.csv").set_index("id")
    table["left_out"] = stored["left_out"]
    for name, column in (("error", "predicted"), ("left_out_error", "left_out")):
        table[name] = table[column] / table["value"] - 1
    return table


def peer_table(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Other programs beside this one: on the 22 points, and on published rows that both cover.

    Args:
        frame: our rows; all by default.

    Returns:
        By peer, ours last twice (fitted, left out): points (of 22), decode and prefill (mean
        absolute errors on the points that it answers), rows (published measurements that it
        answers), share (of all published measurements), theirs and ours (median absolute error on
        the rows that both answer, ours from constants that never saw the row).
    """
    every = (rows() if frame is None else frame).set_index("id")
    found = peers.errors()
    total = len(data.measurements())
    ours = every["unseen"] / every["measured"] - 1
    made = []
    for name, group in found.groupby("peer"):
        point = group["id"].isin(peers.points().index)
        common = group[~point & group["id"].isin(every.index)]
        made.append(
            {
                "peer": name,
                **_on_points(group[point].set_index("id")["error"]),
                "rows": int((~point).sum()),
                "share": float((~point).sum()) / total,
                "common": len(common),
                "theirs": _middle(common["error"]),
                "ours": _middle(common["id"].map(ours)),
            }
        )
    points = point_table()
    for name, column in (("this book", "error"), ("this book, left out", "left_out_error")):
        made.append(
            {
                "peer": name,
                **_on_points(points[column]),
                "rows": len(every),
                "share": len(every) / total,
                "common": len(every),
                "theirs": math.nan,
                "ours": _middle(ours),
            }
        )
    return pd.DataFrame(made).set_index("peer")


def _on_points(error: pd.Series) -> dict[str, float]:
    decode = error[error.index.str.startswith("D")].abs()
    prefill = error[error.index.str.startswith("P")].abs()
    return {"points": len(error), "decode": decode.mean(), "prefill": prefill.mean()}


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
        note = f"{_middle(some[other]):.1%} on {kind} never seen"
        made.append(_median_bar(name, some[column], BOUNDS[work], note))
    full = frame[frame["regime"].eq("saturated")]
    parts = ", ".join(
        f"{name.removeprefix('saturated ')} {_middle(part['unseen_error']):.1%}"
        for name, part in full.groupby("work")
    )
    made.append(
        _median_bar("saturated serving", full["unseen_error"], BOUNDS["saturated"], parts)
    )
    rack = frame[frame["devices"] > _NODE]
    note = "" if len(rack) else f"no covered row has more than {_NODE} devices"
    made.append(_median_bar("rack scale", rack["unseen_error"], BOUNDS["rack"], note))
    return made


def _median_bar(name: str, error: pd.Series, bound: float, note: str = "") -> Bar:
    value = _middle(error) if len(error) else math.nan
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
            "bias", "largest median error of a group", len(bias), bias.abs().max(), BOUNDS["bias"], note
        ),
        Bar("worst rows", "groups whose worst row has no reason", len(groups), len(open_), 0, listed),
        Bar(
            "ideal is a bound",
            "faster rows without a reason",
            len(frame),
            float(fast["reason"].eq("").sum()),
            0,
            f"{len(fast)} faster, with a reason {int(fast['reason'].ne('').sum())}",
        ),
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
            _middle(counts["error"]),
            BOUNDS["file"],
            f"largest {counts['error'].abs().max():.2%}",
        ),
    ]


def _point_bars() -> list[Bar]:
    points = point_table()
    decode = points[points["quantity"].eq("decode_step_time")]
    best = peer_table()["decode"].drop(["this book", "this book, left out"]).min()
    note = f"best peer {best:.1%}"
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

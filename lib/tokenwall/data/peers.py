"""What other programs predict for published measurements, and those measurements as workloads.

Every program gets the same list, `workloads`, with models and machines from our tables. Times are
of one decode step or of one prefill; an output rate is that of a static batch, prefill included.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from tokenwall.data import _read, machines, measurements, models

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["errors", "points", "predictions", "speeds", "workloads"]

_INTEGERS = ("devices", "weight_bits", "kv_bits", "batch", "context", "input_tokens")


def points() -> pd.DataFrame:
    """Twenty-two published times, 18 of a decode step and 4 of a prefill, that peers are judged by.

    Returns:
        The rows of peer_points.csv with numbers as floats, indexed by id; value is in s. context is
        the mean number of tokens in the cache while decoding, 0 before a prefill.

    Example:
        >>> float(points().loc["D05", "value"])
        0.016
        >>> points()["quantity"].value_counts().to_dict()
        {'decode_step_time': 18, 'prefill_time': 4}
    """
    frame = _numbers(_read("peer_points"), ("value", *_INTEGERS))
    return frame.set_index("id")


def predictions() -> pd.DataFrame:
    """What each peer predicts for each workload that it can express, as it was run.

    Returns:
        The rows of peer_predictions.csv, value as float: a time in s, or an output rate in token/s.

    Example:
        >>> rows = predictions()
        >>> sorted(rows["peer"].unique())
        ['aiconfigurator', 'genz-llm', 'llm-analysis', 'mlsysim']
    """
    return _numbers(_read("peer_predictions"), ("value",))


def speeds() -> pd.DataFrame:
    """How many points a second each program evaluates, as measured on one machine.

    Returns:
        The rows of peer_speeds.csv, numbers as floats.

    Example:
        >>> bool((speeds()["value"] > 0).all())
        True
    """
    return _numbers(_read("peer_speeds"), ("value", "median", "points"))


def workloads() -> pd.DataFrame:
    """The 22 points and every published measurement, as the question that a peer is asked.

    A decode rate becomes the time of a step, a prompt rate the time of a prefill, and the latency
    of a static batch an output rate; `reason` is empty, or says why a plain static model cannot be
    asked: it needs lengths, an architecture, a 16-bit rate and tensor parallelism at most.

    Returns:
        A frame indexed by id of peer_points.csv or measurements.csv: model, machine, engine,
        source, quantity, measured [s or token/s], devices, batch, context, input_tokens,
        output_tokens, weight_bits, kv_bits, activation_bits, reason.

    Example:
        >>> row = workloads().loc["gptfast-001"]
        >>> row["quantity"], round(float(row["measured"]), 5), row["reason"]
        ('decode_step_time', 0.00953, '')
        >>> workloads().loc["vllmkv-020", "reason"]
        'lengths not published'
    """
    return _workloads().copy()


def errors() -> pd.DataFrame:
    """Predictions beside what was measured.

    Returns:
        The rows of `predictions` with model, machine, devices, batch, engine, source and measured
        of `workloads`, and error: predicted over measured time, less 1, also for a rate.

    Example:
        >>> rows = errors()
        >>> d05 = rows[rows["id"].eq("D05") & rows["peer"].eq("aiconfigurator")]
        >>> bool(d05["error"].abs().lt(1).all())
        True
    """
    columns = ["model", "machine", "devices", "batch", "engine", "source", "measured"]
    frame = predictions().join(_workloads()[columns], on="id")
    ratio = frame["value"] / frame["measured"]
    frame["error"] = ratio.where(frame["quantity"].ne("output_rate"), 1 / ratio) - 1
    return frame


def _numbers(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    for column in columns:
        frame[column] = pd.to_numeric(frame[column].replace("", None)).astype(float)
    return frame


@functools.cache
def _workloads() -> pd.DataFrame:
    import pandas as pd

    published = points().rename(columns={"value": "measured"})
    published["output_tokens"] = float("nan")
    published["activation_bits"] = published["kv_bits"]
    published["reason"] = ""
    found = [_asked(row) for row in measurements().itertuples()]
    rest = pd.DataFrame(found).set_index("id")
    columns = [name for name in rest.columns if name != "output_tokens"] + ["output_tokens"]
    return pd.concat([published[columns], rest[columns]])


def _asked(row: Any) -> dict[str, Any]:
    """One measurement as a workload."""
    eight = row.engine == "TensorRT-LLM" and row.weight_bits == 8  # fp8 throughout
    quantity, measured = _measured(row)
    return {
        "id": row.id,
        "model": row.model,
        "machine": row.machine,
        "engine": row.engine,
        "source": row.source,
        "quantity": quantity,
        "measured": measured,
        "devices": row.devices,
        "batch": row.batch,
        "context": row.context,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "weight_bits": row.weight_bits,
        "kv_bits": 8.0 if eight else 16.0,
        "activation_bits": 8.0 if eight else 16.0,
        "reason": _unasked(row, quantity),
    }


def _measured(row: Any) -> tuple[str, float]:
    """Quantity and value: s for one step or prefill, token/s of all sequences for a batch."""
    value = row.si_value
    by_metric = {
        "decode_rate": ("decode_step_time", row.batch / value),
        "decode_rate_per_user": ("decode_step_time", 1 / value),
        "time_per_output_token": ("decode_step_time", value),
        "prefill_rate": ("prefill_time", row.batch * row.input_tokens / value),
        "time_to_first_token": ("prefill_time", value),
        "output_rate": ("output_rate", value),
        "output_rate_per_device": ("output_rate", value * row.devices),
        "batch_latency": ("output_rate", row.batch * row.output_tokens / value),
    }
    return by_metric.get(row.metric, ("", float("nan")))


def _unasked(row: Any, quantity: str) -> str:
    """Why a plain static model cannot be asked, or nothing."""
    model, machine = models().loc[row.model], machines().loc[row.machine]
    split = re.fullmatch(r"TP(\d+)", row.parallelism)
    together = float(split[1]) if split else 1.0 if row.parallelism == "none" else 0.0
    lengths = {
        "decode_step_time": [row.context],
        "prefill_time": [row.input_tokens],
        "output_rate": [row.input_tokens, row.output_tokens],
    }
    asked = lengths.get(quantity, [])
    queue = row.metric == "time_to_first_token" and row.batch > 1
    checks = (
        (not quantity, "not a plain step, prefill or batch"),
        (not row.plausible, "beyond a bound of physics"),
        (row.parallelism == "layer-split", "layers split over devices"),
        (together != row.devices, "parallelism mixed or not stated"),
        (any(length != length for length in asked), "lengths not published"),
        (row.metric == "prefill_rate" and row.context > 0, "prompt after a filled cache"),
        (queue and row.engine != "TensorRT-LLM", "mean wait in a queue of prompts"),
        (row.weight_bits != row.weight_bits, "width of weights not published"),
        (model["layers"] != model["layers"], "architecture not in the table"),
        (model["latent_size"] > 0, "latent attention"),
        (any(length > model["sliding_window"] for length in asked), "sliding window reached"),
        (machine["peak_rate_fp16"] != machine["peak_rate_fp16"], "no 16-bit rate in the table"),
        (
            row.devices > 1 and machine["link_bandwidth"] != machine["link_bandwidth"],
            "no link rate in the table",
        ),
    )
    return next((reason for fails, reason in checks if fails), "")

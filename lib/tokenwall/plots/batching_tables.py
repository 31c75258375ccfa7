"""Tables behind the chapter on batching: computed curves, published runs, simulated servers.

Everything is computed from the library's equations and the data tables; nothing is tuned to a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenwall.calibration import fit_constants
from tokenwall.kvcache import largest_batch
from tokenwall.queueing import latency_under_load, saturation_rate, simulate_continuous_batching
from tokenwall.roofline import batch_token_rate, decode_rate, prefill_time, weight_bytes
from tokenwall.scenario import cache_bytes_of, step_weight_bytes

if TYPE_CHECKING:
    import pandas as pd

CONTEXTS = (512, 2048, 8192, 32768)
LONG = 131072
SHOWN = ["runs", "bound, %", "two constants, %", "ninth decile, %"]
# What one device of these is, a die, a tile or a card, their source does not say; nor does it have
# the runs of one device that the engine of the last needs.
UNSURE_MACHINES = ("max-1550", "mi250-gcd", "sn40l")
STATIC_SOURCES = (
    "chitty2024bench",
    "lmdeploy2024a100",
    "llamacpp2026spark",
    "llamacpp2026m2ultra",
    "nvidia2023trtllm05",
)
# Share of the peak arithmetic rate at which prompts are taken to be read, and the largest part of
# a run that may be prompt before the run says little about decoding.
PROMPT_FRACTION, PROMPT_SHARE = 0.5, 0.25
_UNUSUAL = ("hybrid", "MLA")


def batch_curves(
    server: dict[str, float], contexts: Sequence[float] = CONTEXTS, batches: Any = None
) -> pd.DataFrame:
    """Tokens per second over the batch for several contexts, and where memory ends each curve.

    Args:
        server: weight_bytes, cache_bytes_per_token, active_parameters, bandwidth, peak_rate and
            capacity, in the library's units.
        contexts: tokens in the cache of each sequence.
        batches: batches to evaluate; powers of two up to 1024 and the largest that fits.

    Returns:
        One row a batch and context: context, batch, rate [token/s], fits.
    """
    import pandas as pd

    cost = {key: value for key, value in server.items() if key != "capacity"}
    frames = []
    for context in contexts:
        most = largest_batch(
            server["capacity"],
            server["weight_bytes"],
            context=context,
            cache_bytes_per_token=server["cache_bytes_per_token"],
        )
        grid = np.geomspace(1, 1024, 81) if batches is None else np.asarray(batches, dtype=float)
        if most >= 1:
            grid = np.unique(np.append(grid, most))
        rate = batch_token_rate(grid, context, **cost)
        frame = {"context": context, "batch": grid, "rate": rate, "fits": grid <= most}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def cache_table(models: pd.DataFrame, names: dict[str, str], context: float = LONG) -> pd.DataFrame:
    """What one sequence of each model keeps in its cache.

    Args:
        models: the model table.
        names: key of a model to its kind of attention.
        context: tokens in the cache.

    Returns:
        One row a model, largest first: name, kind, total [B] at the context, per_token [B/token]
        on average over it, and sequences that fill 80 GB.
    """
    import pandas as pd

    rows = [
        {
            "name": str(models.loc[key, "name"]),
            "kind": kind,
            "total": cache_bytes_of(models.loc[key], context),
        }
        for key, kind in names.items()
    ]
    table = pd.DataFrame(rows).sort_values("total", ascending=False, ignore_index=True)
    table["per_token"] = table["total"] / context
    table["per_80_gb"] = 80e9 / table["total"]
    return table


def static_batches(
    measurements: pd.DataFrame, machines: pd.DataFrame, models: pd.DataFrame
) -> pd.DataFrame:
    """Published runs of batches of equal sequences: measured and predicted time of a step.

    Dense models with plain caches only. Where a run times prompts and answers together, the
    prompts' time at half the peak arithmetic rate is taken away, and runs in which it is more than
    a quarter are left out. Each engine's two constants are fitted to its batches of one.

    Args:
        measurements: the table of published measurements.
        machines: the machine table.
        models: the model table.

    Returns:
        One row a run: id, engine, machine, model, devices, batch, context, whether weights and
        caches `fits` in memory at the end, and the step measured, bound and predicted [s].
    """
    rows = measurements[
        measurements["source"].isin(STATIC_SOURCES)
        & measurements["input_tokens"].notna()
        & measurements["output_tokens"].notna()
        & measurements["plausible"]
        & ~measurements["machine"].isin(UNSURE_MACHINES)
        & measurements["metric"].isin(
            ["decode_rate", "decode_rate_per_user", "output_rate", "batch_latency"]
        )
    ]
    dense = models["active_parameters"] > 0.99 * models["parameters"]
    usable = models.index[dense & ~models["attention"].isin(_UNUSUAL)]
    rows = rows[rows["model"].isin(usable) & rows["machine"].isin(machines.index)]
    table = _frame(_static_row(row, machines, models) for _, row in rows.iterrows())
    table = table[table["prompt_share"] <= PROMPT_SHARE].reset_index(drop=True)
    return _with_constants(table)


def _static_row(row: Any, machines: pd.DataFrame, models: pd.DataFrame) -> dict[str, Any]:
    machine, model = machines.loc[row["machine"]], models.loc[row["model"]]
    eight = row["weight_bits"] == 8 and row["source"] == "nvidia2023trtllm05"
    bits = row["weight_bits"]
    if row["weight_bytes"] == row["weight_bytes"]:
        bits = 8 * row["weight_bytes"] / model["parameters"]
    batch, devices, value_size = row["batch"], row["devices"], 1 if eight else 2
    peak = devices * machine["peak_rate_fp8" if eight else "peak_rate_fp16"]
    prompt = float(
        prefill_time(
            model["parameters"],
            batch * max(row["input_tokens"], 1),
            peak_rate=peak,
            compute_fraction=PROMPT_FRACTION,
        )
    )
    step, share = _measured_step(row, prompt)
    reading = step_weight_bytes(model, bits) + batch * cache_bytes_of(
        model, row["context"], value_size
    )
    held = float(weight_bytes(model["parameters"], bits / 8)) + batch * cache_bytes_of(
        model, row["input_tokens"] + row["output_tokens"], value_size
    )
    arithmetic = 2 * model["parameters"] * batch / peak
    bandwidth = devices * machine["memory_bandwidth"]
    return {
        "id": row["id"],
        "engine": _engine(row),
        "machine": row["machine"],
        "model": row["model"],
        "devices": devices,
        "batch": batch,
        "context": row["context"],
        "layers": model["layers"],
        "bandwidth": bandwidth,
        "bytes_per_step": reading,
        "arithmetic": arithmetic,
        "fits": held <= devices * machine["memory_capacity"],
        "prompt_share": share,
        "measured": step,
        "bound": max(reading / bandwidth, arithmetic),
    }


def _engine(row: Any) -> str:
    """Name of the software; llama.cpp is another program on Apple's devices."""
    if row["engine"] == "llama.cpp":
        return "llama.cpp Metal" if row["machine"].startswith("apple") else "llama.cpp CUDA"
    return str(row["engine"])


def _measured_step(row: Any, prompt: float) -> tuple[float, float]:
    """Time of one decoding step, and the prompts' share of the run."""
    if row["metric"] in ("decode_rate", "decode_rate_per_user"):
        return row["batch"] / row["si_value"], 0.0
    tokens = row["batch"] * row["output_tokens"]
    total = row["si_value"] if row["metric"] == "batch_latency" else tokens / row["si_value"]
    return (total - prompt) / (row["output_tokens"] - 1), prompt / total


def _with_constants(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each engine's constants from its batches of one, and their prediction."""
    table["predicted"] = np.nan
    for _, rows in table.groupby("engine"):
        alone = rows[(rows["batch"] == 1) & (rows["devices"] == 1)]
        constants = fit_constants(alone.assign(measured=1 / alone["measured"]))
        fraction, overhead = constants.bandwidth_fraction, constants.overhead_per_layer
        rate = decode_rate(
            rows["bandwidth"].to_numpy(float),
            rows["bytes_per_step"].to_numpy(float),
            layers=rows["layers"].to_numpy(float),
            overhead_per_layer=overhead,
            bandwidth_fraction=fraction,
        )
        table.loc[rows.index, "predicted"] = np.maximum(1 / rate, rows["arithmetic"])
        table.loc[rows.index, "bandwidth_fraction"] = fraction
        table.loc[rows.index, "overhead_per_layer"] = overhead
    return table


def step_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Errors of both predictions by engine, for batches of two and more.

    Args:
        table: as `static_batches` makes it.

    Returns:
        One row a group: runs, median error of the bound, and of the prediction with two constants
        the median and ninth decile of the absolute error and the median with its sign, all in
        percent of the measured step.
    """
    rows = table[table["batch"] > 1]
    alone = (rows["devices"] == 1) & rows["fits"]
    groups = [(engine, part) for engine, part in rows[alone].groupby("engine")]
    groups.append(("one device, caches do not fit", rows[(rows["devices"] == 1) & ~rows["fits"]]))
    groups.append(("several devices", rows[(rows["devices"] > 1) & rows["fits"]]))
    lines = []
    for name, part in groups:
        error = 100 * (part["predicted"] / part["measured"] - 1)
        bound = 100 * (part["bound"] / part["measured"] - 1)
        lines.append(
            {
                "runs of": name,
                "runs": len(part),
                "bound, %": bound.median(),
                "two constants, %": error.abs().median(),
                "signed, %": error.median(),
                "ninth decile, %": error.abs().quantile(0.9),
            }
        )
    return _frame(lines)


def fullest_batches(
    measurements: pd.DataFrame, machines: pd.DataFrame, models: pd.DataFrame
) -> pd.DataFrame:
    """Batches that a vendor found best for its own table, beside the largest that fits.

    Args:
        measurements: the table of published measurements.
        machines: the machine table.
        models: the model table.

    Returns:
        One row a run: model, machine, devices, batch, fitting and their ratio.
    """
    rows = measurements[measurements["source"].eq("nvidia2023trtllm061")]
    lines = []
    for _, row in rows.iterrows():
        machine, model = machines.loc[row["machine"]], models.loc[row["model"]]
        size = 1 if row["weight_bits"] == 8 else 2
        tokens = row["input_tokens"] + row["output_tokens"]
        fitting = float(
            largest_batch(
                row["devices"] * machine["memory_capacity"],
                float(weight_bytes(model["parameters"], size)),
                context=tokens,
                cache_bytes_per_token=cache_bytes_of(model, tokens, size) / tokens,
            )
        )
        line = {key: row[key] for key in ("model", "machine", "devices", "batch")}
        lines.append({**line, "fitting": fitting, "ratio": row["batch"] / fitting})
    return _frame(lines)


def server_runs(facts: pd.DataFrame, key: str) -> pd.DataFrame:
    """Published runs of one server with continuous batching, by batch.

    Args:
        facts: the table of facts, as `tokenwall.data.tidy` reads it.
        key: beginning of the runs' keys.

    Returns:
        One row a run: batch, token_rate [token/s], and the median and the mean time between two
        tokens [s], the latter by Little's law.
    """
    rows = facts[facts["key"].str.startswith(key)]
    table = rows.pivot(index="key", columns="quantity", values="si_value")
    table = table.sort_values("batch").reset_index(drop=True)
    return _frame(
        {
            "batch": row.batch,
            "token_rate": row.token_rate,
            "median": row.median_token_time,
            "mean": row.batch / row.token_rate,
        }
        for row in table.itertuples()
    )


def straight_line(batch: Any, latency: Any) -> tuple[float, float]:
    """Base latency and latency per sequence by least squares on relative errors [s].

    Args:
        batch: sequences in flight.
        latency: measured time of a step [s].

    Example:
        >>> base, each = straight_line([10, 100, 1000], [0.011, 0.02, 0.11])
        >>> round(base, 6), round(each, 6)
        (0.01, 0.0001)
    """
    times = np.asarray(latency, dtype=float)
    each, base = np.polyfit(np.asarray(batch, dtype=float), times, 1, w=1 / times)
    return float(base), float(each)


def load_table(
    loads: Sequence[float],
    *,
    base_latency: float,
    latency_per_sequence: float,
    output_tokens: float,
    prompt: float = 0,
    cache_capacity: float = np.inf,
    requests: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """A simulated server at several loads, beside the closed form.

    Args:
        loads: tokens asked for as shares of the saturation rate.
        base_latency: step time of a batch of next to none [s].
        latency_per_sequence: time that each sequence adds to a step [s].
        output_tokens: mean tokens of an answer.
        prompt: tokens of each prompt.
        cache_capacity: tokens that the caches may hold together.
        requests: requests in each run; 0 for as many as arrive in twelve settling times.
        seed: of the random numbers.

    Returns:
        One row a load: load, batch, token_rate [token/s], the p50 and p99 of the time between
        tokens [s] and of the wait to start [s], and the closed form's step [s].
    """
    import pandas as pd

    server = {"base_latency": base_latency, "latency_per_sequence": latency_per_sequence}
    limit = float(saturation_rate(latency_per_sequence))
    rows = []
    for load in loads:
        arrivals = load * limit / output_tokens
        settling = output_tokens * base_latency / (1 - load) ** 2
        run = simulate_continuous_batching(
            np.random.default_rng(seed),
            requests=requests or int(np.clip(12 * settling * arrivals, 4000, 120_000)),
            arrival_rate=arrivals,
            output_tokens=output_tokens,
            prompt=prompt,
            cache_capacity=cache_capacity,
            **server,
        )
        pace = run.inter_token_latency()
        rows.append(
            {
                "load": load,
                "batch": run.mean_batch(),
                "token_rate": run.token_rate(),
                "p50": float(np.percentile(pace, 50)),
                "p99": float(np.percentile(pace, 99)),
                "wait_p50": run.percentile("queue", 50),
                "wait_p99": run.percentile("queue", 99),
                "formula": float(latency_under_load(base_latency, load)),
            }
        )
    return pd.DataFrame(rows)


def _frame(rows: Any) -> pd.DataFrame:
    """A frame of dictionaries.

    Args:
        rows: dictionaries, one a row.
    """
    import pandas as pd

    return pd.DataFrame(list(rows))

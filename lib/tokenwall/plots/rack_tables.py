"""Tables of the rack chapter: records and predictions, a token's cost, machines of all sizes."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tokenwall import data
from tokenwall.data.comparisons import compared
from tokenwall.data.facts import facts, interval
from tokenwall.data.selections import selected
from tokenwall.estimate import Estimate
from tokenwall.record import (
    MODEL,
    RACKS,
    RECORD,
    SERVER,
    WORKLOAD,
    inputs,
    record,
    stored_bits,
)
from tokenwall.roofline import compute_bound_rate
from tokenwall.serving import Engine, Prediction, device_of, engine, predict, shape_of

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]

MILLION = 1e6
# The same company's own entry of the same benchmark says how it lays out one server.
TEMPLATE, INTERACTIVE = "mlp51-063", "mlp51-029"
LABELS = {"": "every row", "MLPerf": "no MLPerf", "Blackwell": "no Blackwell", "both": "neither"}


def rack(key: str = RECORD, **changes: Any) -> Prediction:
    """A published rack, predicted from the specification of its devices and the record's inputs.

    Every device holds the whole model, as in the vendor's own entry; as many sequences as fit.

    Args:
        key: of the record in facts.csv, one of `RACKS`.
        changes: arguments of `tokenwall.predict` that differ.
    """
    return record(key).service.predict(**changes)


def constants(left_out: str = "") -> Engine:
    """Constants of the racks' engine, fitted with some rows left out.

    Args:
        left_out: "MLPerf", "Blackwell" or "both"; nothing for those of every row.

    Raises:
        ValueError: there is no such fit.
    """
    usual = engine(SERVER)
    if not left_out:
        return usual
    rows = _fits()
    kept = rows[rows["left_out"] == left_out]
    if kept.empty:
        known = ", ".join(sorted(set(rows["left_out"])))
        raise ValueError(f"left_out is {left_out!r}; there are {known}")
    values = dict(zip(kept["quantity"], kept["value"], strict=True))
    return replace(usual, **values)


@functools.cache
def _fits() -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(str(resources.files("tokenwall").joinpath("data/rack_constants.csv")))


def fitted_rows() -> dict[str, int]:
    """Published rows behind each set of constants, by what was left out."""
    stored = resources.files("tokenwall").joinpath("data/serving_held_out.csv").read_text("utf-8")
    counts = {"": len(stored.splitlines()) - 1}
    fits = _fits().drop_duplicates("left_out").set_index("left_out")["rows"]
    return counts | {str(key): int(rows) for key, rows in fits.items()}


def interactive_share() -> float:
    """What limits on latency left of the vendor's own offline rate [1]."""
    table = data.measurements().set_index("id")["si_value"]
    return float(table[INTERACTIVE] / table[TEMPLATE])


def against_record() -> pd.DataFrame:
    """Both racks by all four sets of constants.

    Returns:
        Columns record, machine, left_out, label, predicted, published [token/s], error and bound.
    """
    import pandas as pd

    rows = []
    for key in RACKS:
        published = facts(key)["token_rate"]
        for left_out, label in LABELS.items():
            made = rack(key, engine=constants(left_out))
            rate = float(made.tokens_per_second)
            sides = (rate, published)
            rows.append(
                {
                    "record": key,
                    "machine": "GB300" if key == RECORD else "GB200",
                    "left_out": left_out,
                    "label": label,
                    "predicted": rate,
                    "published": published,
                    "error": compared("rack-predicted", *map(Estimate.exact, sides)).value - 1,
                    "bound": str(made.bound),
                }
            )
    return pd.DataFrame(rows)


def token_budget(key: str = RECORD, left_out: str = "") -> pd.DataFrame:
    """What one output token costs one device, piece by piece, prompts included.

    Args:
        key: of the record.
        left_out: rows that the constants never saw, as in `constants`.

    Returns:
        Columns part, seconds (of one device) and limit. The first two rows are the arithmetic of
        answers and of prompts at the rate of the data sheet; the third is what the engine does not
        reach of that rate.
    """
    import pandas as pd

    made = rack(key, engine=constants(left_out))
    answer, prompt = facts(WORKLOAD)["answer_length"], facts(WORKLOAD)["prompt_length"]
    each = float(made.batch) / facts(key)["accelerators"]
    parts = made.explain().query("phase == 'decoding step'").set_index("part")
    reading = float(made.batch_time) - answer * float(made.time_per_output_token)
    shape, device = shape_of(MODEL), device_of(RACKS[key])
    peak = float(device.rate(4)[0])
    ideal = 1 / float(compute_bound_rate(shape.dense, peak))
    ideal_prompt = prompt / answer / float(compute_bound_rate(shape.dense - shape.head, peak))
    prompts = reading / each / answer
    slow = parts.loc["matrices", "seconds"] / each - ideal + prompts - ideal_prompt
    rows = [
        ("answer at peak", ideal, "compute"),
        ("prompt at peak", ideal_prompt, "compute"),
        ("below peak", slow, "compute"),
        ("caches", parts.loc["caches", "seconds"] / each, str(parts.loc["caches", "limit"])),
        ("unpacking", parts.loc["unpacking", "seconds"] / each, "compute"),
        ("engine", parts.loc["engine", "seconds"] / each, "overhead"),
    ]
    return pd.DataFrame(rows, columns=["part", "seconds", "limit"])


def input_table() -> pd.DataFrame:
    """The record's inputs for the reader: value, interval and what it is, kind and source."""
    import pandas as pd

    rows = inputs()
    ends = [
        f"{low} to {high}, {spread}" if low else ""
        for low, high, spread in zip(rows["low"], rows["high"], rows["spread"], strict=True)
    ]
    units = rows["unit"].replace("1", "")
    recalled = rows["note"].str.startswith("recalled")
    kinds = rows["kind"].mask(recalled, "recalled")
    return pd.DataFrame(
        {
            "value": (rows["value"] + " " + units).str.strip().to_list(),
            "interval": ends,
            "from": (kinds + ", " + rows["source"]).to_list(),
        },
        index=rows["label"].to_list(),
    )


def share_table(key: str = RECORD) -> pd.DataFrame:
    """Both bounds and what the record kept of the smaller, by what nobody published.

    Args:
        key: of the record in facts.csv, one of `RACKS`.

    Returns:
        Columns prompt [token], cache_bits, memory and arithmetic (bounds [token/s]), binding and
        share, one row for each end of the prompt and of the cache's bits and their values.
    """
    import pandas as pd

    found = record(key)
    usual = found.service
    rows = []
    for bits in sorted({usual.cache_bits.low, usual.cache_bits.high}):
        for prompt in (usual.prompt.low, usual.prompt.value, usual.prompt.high):
            at = replace(usual, prompt=Estimate.exact(prompt), cache_bits=Estimate.exact(bits))
            rows.append(
                {
                    "prompt": prompt,
                    "cache_bits": bits,
                    "memory": at.memory_bound.value,
                    "arithmetic": at.arithmetic_bound.value,
                    "binding": at.binding,
                    "share": found.rate / at.bound.value,
                }
            )
    return pd.DataFrame(rows)


def what_if(key: str = RECORD) -> pd.DataFrame:
    """The prediction with one assumption changed at a time.

    Args:
        key: of the record.

    Returns:
        Columns label, low and high (rate over the middle), and their settings in words.
    """
    import pandas as pd

    _, short, long = interval(WORKLOAD, "prompt_length")
    table = data.measurements().set_index("id")
    seen, answer = float(table.loc[TEMPLATE, "output_tokens"]), facts(WORKLOAD)["answer_length"]
    devices = facts(key)["accelerators"]
    full = float(rack(key).batch)
    cases = [
        ("mean prompt", "input_len", (long, short), "{:.0f} tokens"),
        ("bits of the cache", "kv_bits", (16, 8), "{:.0f}"),
        ("devices a copy", "tensor_parallel", (4, 1), "{:.0f}"),
        ("sequences a device", "batch", (512 * devices, full), "{:.0f}"),
        ("mean answer", "output_len", (seen, answer), "{:.0f} tokens"),
        ("bits of a weight", "weight_bits", (5, 4), "{:g}"),
    ]
    base = float(rack(key).tokens_per_second)
    rows = []
    for label, name, ends, words in cases:
        rates = [float(rack(key, **{name: end}).tokens_per_second) / base for end in ends]
        shown = [end / devices if name == "batch" else end for end in ends]
        order = np.argsort(rates)
        rows.append(
            {
                "label": label,
                "low": rates[order[0]],
                "high": rates[order[1]],
                "low_setting": words.format(shown[order[0]]),
                "high_setting": words.format(shown[order[1]]),
            }
        )
    return pd.DataFrame(rows).sort_values("low", ignore_index=True)


def ring(vectors: Array) -> tuple[Array, float, int]:
    """An all-reduce around a ring, message by message: what each holds, what it sent, rounds.

    Args:
        vectors: one row a device; the length must be a multiple of their number.

    Returns:
        The rows after the exchange, numbers sent by one device, and rounds.

    Raises:
        ValueError: the length is no multiple of the number of devices.
    """
    count, length = vectors.shape
    if length % count:
        raise ValueError(f"vectors have {length} numbers; it must be a multiple of {count}")
    held = vectors.reshape(count, count, length // count).astype(float)
    places = np.arange(count)
    sent, rounds = 0, 0
    for phase in ("add", "copy"):
        for turn in range(count - 1):
            piece = (places - turn + (phase == "copy")) % count
            moving = held[places, piece]
            target = (places + 1) % count
            if phase == "add":
                held[target, piece] += moving
            else:
                held[target, piece] = moving
            sent, rounds = sent + length // count, rounds + 1
    return held.reshape(count, length), float(sent), rounds


def halving(vectors: Array) -> tuple[Array, float, int]:
    """The same by halving and doubling: in each round a partner twice as far away.

    Args:
        vectors: one row a device; number and length powers of two.

    Returns:
        The rows after the exchange, numbers sent by one device, and messages one after another.

    Raises:
        ValueError: the number of devices is no power of two, or more than the length.
    """
    count, length = vectors.shape
    if count & (count - 1) or length % count:
        raise ValueError(f"{count} devices and {length} numbers; both must be powers of two")
    held, places = vectors.astype(float), np.arange(count)
    first, width = np.zeros(count, dtype=int), length
    sent, rounds, trail = 0, 0, []
    for bit in range(count.bit_length() - 1):
        partner, width = places ^ (1 << bit), width // 2
        upper = (places >> bit) & 1
        first = first + upper * width
        trail.append((partner, width))
        before = held.copy()
        for me in places:
            part = slice(first[me], first[me] + width)
            held[me, part] = before[me, part] + before[partner[me], part]
        sent, rounds = sent + width, rounds + 1
    for partner, width in reversed(trail):
        before, start = held.copy(), first.copy()
        for me in places:
            part = slice(start[partner[me]], start[partner[me]] + width)
            held[me, part] = before[partner[me], part]
        first = np.minimum(start, start[partner])
        sent, rounds = sent + width, rounds + 1
    return held, float(sent), rounds


# Software whose runs for one user on one to eight devices are published.
ONE_USER = "gpt-fast"
SHARING = (1, 2, 4, 8, 16, 32, 72)


def one_user(machine: str, devices: Sequence[int], bits: float) -> Array:
    """Tokens per second of one user whose model is split over ever more devices [token/s].

    Args:
        machine: of the machine table.
        devices: how many share every matrix.
        bits: mean bits of a weight.
    """
    made = predict(
        MODEL,
        machine,
        devices=np.array(devices),
        tensor_parallel=np.array(devices),
        batch=1,
        input_len=facts(WORKLOAD)["prompt_length"],
        output_len=facts(WORKLOAD)["answer_length"],
        weight_bits=bits,
        engine=ONE_USER,
    )
    return np.asarray(made.tokens_per_second_per_user)


def scaling() -> pd.DataFrame:
    """One device to ten racks: all users' rate with a copy on each, one user's with a shared copy.

    Returns:
        Columns devices, machine_rate (nan is nowhere), one_user (nan beyond the rack) [token/s].
    """
    import pandas as pd

    counts = [*SHARING, 720]
    users = dict(zip(SHARING, one_user(RACKS[RECORD], SHARING, stored_bits()), strict=True))
    every = [float(rack(devices=count).tokens_per_second) for count in counts]
    return pd.DataFrame(
        {
            "devices": counts,
            "machine_rate": every,
            "one_user": [users.get(count, math.nan) for count in counts],
        }
    )


def published_sharing() -> pd.DataFrame:
    """Measured tokens per second of one user on several A100, beside the prediction.

    Returns:
        Columns devices, measured and predicted [token/s].
    """
    import pandas as pd

    table = selected("rack-sharing").sort_values("devices")
    devices = table["devices"].astype(int).tolist()
    return pd.DataFrame(
        {
            "devices": devices,
            "measured": table["si_value"].to_numpy(float),
            "predicted": one_user("a100-sxm-80gb", devices, 16),
        }
    )


# Below this pace nobody reads along [token/s].
SLOWEST = 3.0
# Machines of the map of rates: label, arguments, and how the model lies on them; without bits it
# has those of the record.
MAP: Mapping[str, dict[str, Any]] = {
    "72 GB300": {
        "machine": "gb300-nvl72",
        "devices": 72,
        "tensor_parallel": 1,
        "bits": None,
        "engine": SERVER,
    },
    "8 H100": {
        "machine": "h100-sxm",
        "devices": 8,
        "tensor_parallel": 8,
        "bits": 8,
        "engine": SERVER,
    },
    "M2 Ultra": {"machine": "apple-m2-ultra", "devices": 1, "tensor_parallel": 1, "bits": None},
    "4 WSE-3": {
        "machine": "wse-3",
        "devices": 4,
        "tensor_parallel": 1,
        "pipeline_parallel": 4,
        "bits": 16,
    },
}
# Published rates of one user, drawn as marks: the machine, and its name there.
MARKS = {"wse-3": "4 WSE-3", "groq-lpu": "Groq LPUs", "a100-sxm-80gb": "8 A100"}


def rate_map() -> pd.DataFrame:
    """Rate of a machine and of each of its users, over the batch, until memory or patience ends.

    Returns:
        Columns machine, batch (of all devices), user and rate [token/s].
    """
    import pandas as pd

    frames = []
    for label, given in MAP.items():
        asked = dict(given)
        bits, name = asked.pop("bits") or stored_bits(), asked.pop("machine")
        copies = asked["devices"] // asked["tensor_parallel"] // asked.get("pipeline_parallel", 1)
        asked |= {
            "weight_bits": bits,
            "kv_bits": 16 if bits == 16 else 8,
            "input_len": facts(WORKLOAD)["prompt_length"],
            "output_len": facts(WORKLOAD)["answer_length"],
        }
        full = float(predict(MODEL, name, batch=None, **asked).batch)
        batch = np.geomspace(copies, full, 60)
        made = predict(MODEL, name, batch=batch, **asked)
        frame = pd.DataFrame(
            {
                "machine": label,
                "batch": batch,
                "user": np.asarray(made.tokens_per_second_per_user),
                "rate": np.asarray(made.tokens_per_second),
            }
        )
        frames.append(frame[frame["user"] >= SLOWEST])
    return pd.concat(frames, ignore_index=True)


def marks() -> pd.DataFrame:
    """Published rates of one user: label and rate [token/s]."""
    import pandas as pd

    table = selected("rack-marks")
    return pd.DataFrame(
        {"label": table["machine"].map(MARKS), "rate": table["si_value"].to_numpy(float)}
    )


def microsecond() -> pd.DataFrame:
    """What one user's token takes part by part, on the number of devices that serves one best.

    Returns:
        Columns part, seconds, limit and over (how many times a millionth of a second); the frame's
        attribute "devices" is that number.
    """
    import pandas as pd

    counts = np.arange(1, facts(RECORD)["accelerators"] + 1)
    best = int(counts[np.argmax(one_user(RACKS[RECORD], counts.tolist(), stored_bits()))])
    made = predict(
        MODEL,
        RACKS[RECORD],
        devices=best,
        tensor_parallel=best,
        batch=1,
        input_len=facts(WORKLOAD)["prompt_length"],
        output_len=facts(WORKLOAD)["answer_length"],
        weight_bits=stored_bits(),
        engine=ONE_USER,
    )
    parts = made.explain().query("phase == 'decoding step' and seconds > 0")
    frame = pd.DataFrame(
        {"part": parts["part"], "seconds": parts["seconds"], "limit": parts["limit"]}
    ).sort_values("seconds", ascending=False, ignore_index=True)
    frame["over"] = frame["seconds"] * MILLION
    frame.attrs["devices"] = best
    return frame

"""Published measurements as requests to predict, and the predictions beside them."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tokenwall import data, steps
from tokenwall.serving import workload as load
from tokenwall.serving.engines import (
    ASSUMED,
    FITTED_OR_ASSUMED,
    IDEAL,
    Engine,
    default_engine,
    engine,
    stack_of,
)
from tokenwall.serving.parts import Array, Device, Shape, device_of, shape_of
from tokenwall.serving.predict import _call

__all__ = ["Case", "cases", "compare", "predicted", "regime_of"]

# Batches of a server that took as many requests as fit, where how many is not published.
_SATURATED = ("output_rate", "output_rate_per_device")
_CHANGED = ("model changed", "mixed with", "in place")
# Devices whose unit the sources leave open: a chip or half of one, a node or a card.
_UNSURE = ("mi250-gcd", "max-1550")


@dataclass(frozen=True)
class Case:
    """One published measurement as a request.

    Attributes:
        key: id of the measurement.
        quantity: "step" [s], "prompt" [s], "batch" (prompts and outputs of a static batch) [s] or
            "served" (seconds of a group of devices for one output token of a saturated server).
        measured: value of the quantity [s].
        shape: the model.
        device: one device.
        stack: engine that it belongs to.
        asked: the request.
        context: tokens in the cache before a step or a prompt [token].
        row: row of the measurement table.
    """

    key: str
    quantity: str
    measured: float
    shape: Shape
    device: Device
    stack: str
    asked: load.Workload
    context: float
    row: Any


def regime_of(case: Case) -> str:
    """Kind of work: single (one user), batched, prompt or saturated.

    Args:
        case: a published measurement.
    """
    if case.quantity == "prompt":
        return "prompt"
    if case.quantity == "served":
        return "saturated"
    return "single" if float(case.asked.batch) == 1 else "batched"


@functools.cache
def cases() -> tuple[list[Case], pd.DataFrame]:
    """Every published measurement that the model covers, and why the others are left out.

    Returns:
        The cases, and a frame with id, source and reason of those left out.
    """
    found, left = [], []
    for row in data.measurements().itertuples():
        made = _case(row)
        if isinstance(made, Case):
            found.append(made)
        else:
            left.append((row.id, row.source, made))
    return found, pd.DataFrame(left, columns=["id", "source", "reason"])


def _case(row: Any) -> Case | str:
    reason = _unfit(row)
    if reason:
        return reason
    try:
        shape, device = shape_of(row.model), device_of(row.machine)
    except ValueError as error:
        return f"model or machine not described: {error}"
    bits = row.weight_bits
    if not math.isnan(row.weight_bytes):
        bits = 8 * row.weight_bytes / shape.parameters
    if math.isnan(bits):
        return "bits of the weights not published"
    stack = stack_of(row.engine, row.source, row.model, device.vendor)
    if not stack:
        return f"engine {row.engine} not fitted"
    quantity, measured, context = _measured(row)
    if not quantity or not measured > 0:
        return f"metric {row.metric} or its lengths"
    layout = _layout(row, quantity, shape, device, bits)
    if isinstance(layout, str):
        return layout
    asked = _request(row, device, stack, bits, layout)
    if quantity == "served":
        try:
            full = load.largest_batch(shape, device, _memory_only(), asked)
        except ValueError:
            return "does not fit as described"
        running = min(full, _most(row) * asked.copies)
        if not math.isnan(row.requests):
            # Requests of one length that start together also end together: they come in waves.
            running = row.requests / math.ceil(row.requests / running)
        asked = load.Workload(**{**asked.__dict__, "batch": running})
    if quantity == "batch":
        asked = _in_turns(shape, device, asked)
        measured *= float(asked.batch) / float(row.batch)
    return Case(row.id, quantity, measured, shape, device, stack, asked, context, row)


def _in_turns(shape: Shape, device: Device, asked: load.Workload) -> load.Workload:
    """A batch whose caches do not fit runs as the part that does, again and again.

    Paged caches grow as they are filled: what counts is the mean length.
    """
    if math.isnan(device.capacity):
        return asked
    middle = load.Workload(**{**asked.__dict__, "output": asked.output / 2})
    try:
        fitting = load.largest_batch(shape, device, _memory_only(), middle)
    except ValueError:
        return asked
    return load.Workload(**{**asked.__dict__, "batch": min(float(asked.batch), float(fitting))})


def _memory_only() -> Engine:
    return Engine("memory", memory_fraction=ASSUMED["memory_fraction"])


def _most(row: Any) -> float:
    """Most sequences of one copy of the model: an engine's limit where its note names it."""
    stated = re.search(r"(?:max(?:imum)? batch|batch limit)[^0-9]{0,20}(\d+)", row.note)
    return float(stated[1]) if stated else 8192.0


def _unfit(row: Any) -> str:
    if not row.plausible:
        return "physics excludes it"
    if any(word in row.note for word in _CHANGED):
        return "another model or machine than named"
    if row.metric.startswith("speculative"):
        return "speculative decoding"
    if "offload" in row.parallelism:
        return "weights outside the device's memory"
    if "doubtful" in row.note:
        return "doubtful for a reason that its note gives"
    if row.engine == "Transformers" and row.weight_bits < 16:
        return "weights unpacked by a library that no constants describe"
    if row.machine in _UNSURE:
        return "what one device is, is not stated"
    if math.isnan(row.devices):
        return "devices not stated"
    if row.scenario in ("server", "interactive", "single-stream"):
        return "limits on latency, not capacity, set the rate"
    return ""


def _measured(row: Any) -> tuple[str, float, float]:
    """Quantity, its value in seconds, and the context before it."""
    value = row.si_value
    context = 0.0 if math.isnan(row.context) else row.context
    if row.metric == "decode_rate":
        return "step", row.batch / value, context
    if row.metric == "decode_rate_per_user":
        return "step", 1 / value, context
    if row.metric == "decode_rate_per_device":
        return "step", row.batch / value, context
    if row.metric == "time_per_output_token":
        return "step", value, context
    if row.metric in ("prefill_rate", "time_to_first_token"):
        if math.isnan(row.input_tokens) or row.input_tokens == 0:
            return "", math.nan, 0.0
        before = context if row.metric == "prefill_rate" else 0.0
        took = row.batch * row.input_tokens / value if row.metric == "prefill_rate" else value
        return "prompt", took, before
    if row.metric == "batch_latency":
        return "batch", value, 0.0
    if row.metric in _SATURATED and not math.isnan(row.input_tokens + row.output_tokens):
        rate = value * (row.devices if row.metric.endswith("device") else 1.0)
        if math.isnan(row.batch):
            return "served", 1 / rate, 0.0
        return "batch", row.batch * row.output_tokens / rate, 0.0
    return "", math.nan, 0.0


def _layout(
    row: Any, quantity: str, shape: Shape, device: Device, bits: float
) -> dict[str, float] | str:
    """Devices, tensor, expert and stages from the words of the source."""
    count, words = row.devices, row.parallelism
    if words == "layer-split":
        return {"devices": count, "tensor": 1.0, "expert": 1.0, "stages": count}
    attention_apart = re.search(r"DEP(\d+)|attention DP(\d+)", words)
    if attention_apart and shape.mixture:
        return {"devices": count, "tensor": 1.0, "expert": count, "stages": 1.0}
    tensor = re.search(r"TP(\d+)", words)
    stages = re.search(r"PP(\d+)", words)
    if "expert" in words.lower() and "EP" in words and not tensor:
        return "experts spread in a way that is not described"
    if tensor or stages:
        split = float(tensor[1]) if tensor else 1.0
        behind = float(stages[1]) if stages else 1.0
        if count % (split * behind):
            return "devices do not divide into the groups stated"
        return {"devices": count, "tensor": split, "expert": split, "stages": behind}
    if count == 1:
        return {"devices": 1.0, "tensor": 1.0, "expert": 1.0, "stages": 1.0}
    if quantity == "served" and not words:
        return _smallest_group(count, shape, device, bits)
    if words in ("", "none"):
        return "how devices share the work is not stated"
    return f"parallelism {words} not covered"


def _smallest_group(
    count: float, shape: Shape, device: Device, bits: float
) -> dict[str, float] | str:
    """Where a saturated server does not say: the fewest devices with room beside the weights."""
    split = float(load.fewest_devices(shape, device, count, bits))
    if split < load.needed_devices(shape, device, bits):
        return "does not fit as described"
    return {"devices": count, "tensor": split, "expert": split, "stages": 1.0}


def _request(
    row: Any, device: Device, stack: str, bits: float, layout: dict[str, float]
) -> load.Workload:
    kv = row.kv_bits
    if math.isnan(kv):
        # Quantised checkpoints of this engine keep their caches in eight bits.
        kv = 8.0 if row.engine == "TensorRT-LLM" and bits <= 8.5 else 16.0
    width = row.activation_bits
    if math.isnan(width) or stack.startswith("llama.cpp"):
        width = float(load.arithmetic_bits(device, stack, bits))
    batch = 1.0 if math.isnan(row.batch) else row.batch
    if row.metric == "decode_rate_per_device":
        batch *= layout["devices"]
    return load.Workload(
        batch=batch,
        prompt=0.0 if math.isnan(row.input_tokens) else row.input_tokens,
        output=1.0 if math.isnan(row.output_tokens) else max(row.output_tokens, 1.0),
        weight_bits=bits,
        expert_bits=bits,
        kv_bits=kv,
        activation_bits=_width(width),
        **layout,
    )


def _width(bits: float) -> float:
    return next(width for width in (4.0, 8.0, 16.0, 32.0) if bits <= width)


def predicted(case: Case, constants: Engine) -> float:
    """Predicted value of a case's quantity [s].

    Args:
        case: a published measurement.
        constants: of an engine.
    """
    return float(Batch([case]).times([constants])[0])


class Batch:
    """Many cases at once: their arguments as columns, with the constants left open."""

    def __init__(self, wanted: list[Case]) -> None:
        self.cases = wanted
        asked = [case.asked for case in wanted]
        one = [
            max(float(each.attention_copies), float(each.batch / each.copies / each.stages))
            for each in asked
        ]
        self.output = np.array([float(each.output) for each in asked])
        self.batch = np.array([float(each.batch) for each in asked])
        self.at_once = np.array(
            [float(load.stages_at_once(each, each.batch / each.copies)) for each in asked]
        )
        quantity = np.array([case.quantity for case in wanted])
        self.kind = quantity
        middle = [
            case.context
            if case.quantity == "step"
            else float(case.asked.prompt + case.asked.output / 2)
            for case in wanted
        ]
        self.unit = np.array(
            [float(case.device.rate(case.asked.activation_bits)[1]) for case in wanted]
        )
        self.step = _columns(
            [
                load.step_arguments(c.shape, c.device, _named(c.stack), c.asked, b, m)
                for c, b, m in zip(wanted, one, middle, strict=True)
            ]
        )
        self.prompt = _columns(
            [
                load.prompt_arguments(
                    c.shape,
                    c.device,
                    _named(c.stack),
                    c.asked,
                    float(c.asked.batch / c.asked.copies),
                    past=c.context if c.quantity == "prompt" else 0.0,
                )
                for c in wanted
            ]
        )

    def times(self, constants: list[Engine]) -> Array:
        """Predicted quantity of each case with the constants of its engine [s].

        Args:
            constants: one for each case.
        """
        columns = {
            name: np.array([getattr(e, name) for e in constants]) for name in FITTED_OR_ASSUMED
        }
        return self.with_constants(columns)

    def with_constants(self, open_: dict[str, Array]) -> Array:
        """The same with constants as columns.

        Args:
            open_: constant to values, one for each case.
        """
        factor = np.where(self.unit == 8, open_["eight_bit_factor"], 1.0)
        factor = np.where(self.unit == 4, open_["four_bit_factor"], factor)
        step_args = {**self.step, **{k: v for k, v in open_.items() if k in self.step}}
        step_args["peak_rate"] = self.step["peak_rate"] * factor
        prompt_args = {**self.prompt, **{k: v for k, v in open_.items() if k in self.prompt}}
        prompt_args["peak_rate"] = self.prompt["peak_rate"] * factor
        prompt_args["compute_fraction"] = open_["prompt_fraction"]
        prompt_args["attention_fraction"] = open_["prompt_attention_fraction"]
        for args in (step_args, prompt_args):
            args["exchanges_per_layer"] = load.exchanges_per_layer(open_["exposed_fraction"])
        step = _call(steps.served_step_time, step_args)
        prompt = _call(steps.prompt_time, prompt_args) / self.at_once
        prompt_of_batch = np.where(self.prompt["prompt_length"] > 1, prompt, 0.0)
        rate = steps.lifetime_token_rate.numpy(self.batch, self.output, step, prompt_of_batch, 1.0)
        return np.select(
            [self.kind == "step", self.kind == "prompt", self.kind == "batch"],
            [step, prompt, self.batch * self.output / rate],
            1 / rate,
        )


def _named(stack: str) -> Engine:
    """An engine without losses that computes in the widths of another."""
    return replace(IDEAL, name=stack)


def _columns(rows: list[dict[str, Any]]) -> dict[str, Array]:
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def compare(
    wanted: list[Case] | None = None, constants: dict[str, Engine] | None = None
) -> pd.DataFrame:
    """Predicted beside measured, a row for each case.

    Args:
        wanted: cases; all that the model covers by default.
        constants: engine by stack; the stored ones by default.

    Returns:
        Columns: id, source, machine, model, stack, regime, quantity, batch, context, measured,
        predicted [s], error (of the rate: measured time over predicted, less one) and ideal [s],
        the prediction without any loss.
    """
    some = cases()[0] if wanted is None else wanted
    used = [engine(case.stack) if constants is None else constants[case.stack] for case in some]
    batch = Batch(some)
    times, ideal = batch.times(used), batch.times([IDEAL] * len(some))
    frame = pd.DataFrame(
        {
            "id": [case.key for case in some],
            "source": [case.row.source for case in some],
            "machine": [case.device.key for case in some],
            "category": [case.device.category for case in some],
            "model": [case.shape.key for case in some],
            "mixture": [case.shape.mixture for case in some],
            "stack": [case.stack for case in some],
            "default_stack": [
                default_engine(
                    case.device.category,
                    case.device.vendor,
                    saturated=case.quantity == "served",
                )
                for case in some
            ],
            "regime": [regime_of(case) for case in some],
            "quantity": [case.quantity for case in some],
            "devices": [float(case.asked.devices) for case in some],
            "batch": [float(case.asked.batch) for case in some],
            "context": [case.context for case in some],
            "measured": [case.measured for case in some],
            "predicted": times,
            "ideal": ideal,
        }
    )
    frame["error"] = frame["measured"] / frame["predicted"] - 1
    return frame

"""Name a model and a machine: tokens a second, time to the first, bytes, joules, dollars."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tokenwall import steps
from tokenwall.data.facts import interval
from tokenwall.serving import workload as load
from tokenwall.serving.engines import NINE_IN_TEN, Engine, default_engine, engine
from tokenwall.serving.parts import Array, Device, Number, Shape, device_of, shape_of
from tokenwall.serving.result import Interval, Memory, Prediction
from tokenwall.serving.stored import stored_bits

__all__ = ["decode_step_times", "predict"]

# Beyond this many devices to a copy, advice to take more is none.
_MOST_DEVICES = 4096
_PARTS = {
    "matrices": (steps.dense_time, "memory"),
    "experts": (steps.expert_time, "memory"),
    "caches": (steps.cache_time, "memory"),
    "unpacking": (steps.unpacking_time, "compute"),
    "exchanges": (steps.exchange_time, "network"),
    "engine": (steps.overhead_time, "overhead"),
}


def predict(
    model: Any,
    machine: Any,
    *,
    devices: Any = 1,
    batch: Any = 1,
    input_len: Any = 512,
    output_len: Any = 512,
    weight_bits: Any = None,
    kv_bits: Any = 16,
    activation_bits: Any = None,
    expert_bits: Any = None,
    tensor_parallel: Any = None,
    expert_parallel: Any = None,
    pipeline_parallel: Any = 1,
    engine: str | Engine | None = None,
    price_per_device_hour: Any = None,
    context_limit: Any = None,
) -> Prediction:
    """How fast a language model runs on a machine, how much it takes, and how sure that is.

    A decoding step is a sum over its operators, each the longer of its memory traffic and its
    arithmetic, plus exchanges between devices and the time of the engine; prompts are read apart.
    The numbers of model and machine come from the tables, a few constants from the engine. All
    numeric arguments broadcast, so that a sweep is one call.

    Args:
        model: name, key or alias of the model table, one of its rows, or a mapping with its
            columns.
        machine: the same of the machine table; one device of it.
        devices: all devices.
        batch: sequences in flight on all devices together, or None for as many as fit.
        input_len: tokens of each prompt; while decoding they are in the cache.
        output_len: tokens generated for each request; the step is that of their middle.
        weight_bits: mean bits of a stored weight, scales included, or the name of a format such as
            "q4_k_m" or "nvfp4". By default what the model's name says ("Llama-3-8B Q4_K_M"), else
            the format that the model was published in, else 16.
        kv_bits: bits of a cached number.
        activation_bits: width of the arithmetic, 4, 8, 16 or 32. By default that of the weights
            where the engine computes in it and the machine can, else 16.
        expert_bits: mean bits of a weight of a routed expert, where they differ from the others.
        tensor_parallel: devices that split each matrix. By default all of a copy of the model;
            with batch None the fewest that hold the weights and leave four tenths of their memory.
        expert_parallel: devices that split the routed experts. Where they are more than
            `tensor_parallel`, attention runs data-parallel on as many copies as it takes.
        pipeline_parallel: groups of layers on devices one after another. A batch is cut into as
            many parts that follow each other.
        engine: key or alias of an engine, "ideal" for the bound, or an `Engine`. By default what
            most people would run on such a machine, or "any", what all engines have in common;
            the result names it.
        price_per_device_hour: USD for an hour of one device, in place of the table's.
        context_limit: tokens that a sequence may have, in place of the table's; benchmarks go
            beyond what a model was made for, `math.inf` lets them.

    Returns:
        A `Prediction`; its quantities are numbers, or arrays if any argument is one.

    Raises:
        ValueError: a name is unknown (the nearest are given), a number is not allowed, a sequence
            is longer than the model allows, or a table lacks a quantity that is needed.

    Example:
        >>> fast = predict("Llama 3.1 70B", "H100 SXM", devices=8, batch=64, weight_bits=8)
        >>> bool(fast.low("tokens_per_second") < fast.tokens_per_second), fast.fits
        (True, True)
        >>> small = predict("Llama 3.1 70B", "RTX 4090", weight_bits=4.8)
        >>> small.fits, round(small.shortfall_bytes / 1e9)
        (False, 19)
    """
    shape, device = shape_of(model), device_of(machine)
    constants = _engine(engine, device, saturated=batch is None)
    stored = stored_bits(model, shape, weight_bits, expert_bits)
    asked = load.workload(
        shape,
        device,
        constants,
        devices=devices,
        batch=batch,
        input_len=input_len,
        output_len=output_len,
        weight_bits=stored.weight_bits,
        expert_bits=stored.expert_bits,
        kv_bits=kv_bits,
        activation_bits=activation_bits,
        tensor_parallel=tensor_parallel,
        expert_parallel=expert_parallel,
        pipeline_parallel=pipeline_parallel,
        context_limit=context_limit,
    )
    together = _together(asked)
    step_args = load.step_arguments(
        shape, device, constants, asked, together, asked.prompt + asked.output / 2
    )
    step = _call(steps.served_step_time, step_args)
    each = np.maximum(1.0, asked.batch / asked.copies)
    prompts = _prompts(shape, device, constants, asked, each)
    reading = _reading(asked, each, prompts)
    first = _reading(asked, 1.0, _prompts(shape, device, constants, asked, 1.0))
    rate = steps.lifetime_token_rate.numpy(asked.batch, asked.output, step, reading, 1.0)
    memory = _memory(shape, device, asked)
    fits, shortfall = _fits(memory, asked)
    watts = _watts(device, asked)
    rent = _rent(device, asked, price_per_device_hour)
    spread = constants.served_spread if batch is None else constants.decode_spread
    return Prediction(
        tokens_per_second=rate,
        tokens_per_second_per_user=1 / step,
        decode_tokens_per_second=asked.batch / step,
        time_per_output_token=step,
        time_to_first_token=first,
        batch_time=asked.batch * asked.output / rate,
        memory_bytes=memory,
        fits=fits,
        bound=_bound(step_args, prompts, reading, asked, fits),
        joules_per_token=None if watts is None else watts[1] / rate,
        dollars_per_million_tokens=None if rent is None else 1e6 * rent[1] / rate,
        batch=asked.batch,
        model=shape.name,
        machine=device.name,
        engine=constants.name,
        weights=stored.words,
        intervals=_intervals(constants, spread, rate, step, first, asked, watts, rent),
        shortfall_bytes=shortfall,
        advice=_advice(shape, device, asked, memory, shortfall),
        _explain=functools.partial(_explain, shape, device, constants, asked, step_args),
    )


def _engine(given: str | Engine | None, device: Device, *, saturated: bool = False) -> Engine:
    if given is None:
        return engine(default_engine(device.category, device.vendor, saturated=saturated))
    return engine(given)


def _together(asked: load.Workload) -> Number:
    """Sequences that pass a group of devices together: pipelined batches go in parts.

    Never less than one each: copies without a sequence are idle and make nobody's step shorter.
    """
    return np.maximum(asked.attention_copies, asked.batch / asked.copies / asked.stages)


def _call(equation: Any, arguments: dict[str, Number]) -> Number:
    return equation.numpy(*[arguments[name] for name in equation.parameters])


def _prompts(
    shape: Shape, device: Device, constants: Engine, asked: load.Workload, batch: Number
) -> dict[str, Number]:
    """Arguments of reading a group's prompts; each copy of attention has at least one."""
    together = np.maximum(asked.attention_copies, batch)
    return load.prompt_arguments(shape, device, constants, asked, together)


def _reading(asked: load.Workload, batch: Number, prompts: dict[str, Number]) -> Number:
    """Time to read the prompts of a group's batch; its stages work on different prompts."""
    time = _call(steps.prompt_time, prompts)
    return np.where(asked.prompt > 0, time / load.stages_at_once(asked, batch), 0.0)[()]


def _memory(shape: Shape, device: Device, asked: load.Workload) -> Memory:
    one = asked.batch / asked.copies
    full = load.cache_bytes_of(shape, asked, asked.prompt + asked.output)
    return Memory(
        weights=load.weight_bytes_of(shape, asked) * asked.copies,
        cache=full * asked.batch,
        activations=load.activation_bytes_of(shape, asked, one) * asked.copies,
        capacity=device.capacity * asked.devices,
    )


def _fits(memory: Memory, asked: load.Workload) -> tuple[Any, Number]:
    over = np.maximum(np.nan_to_num(memory.total - memory.capacity, nan=0.0), 0.0)
    fits = over == 0
    return (bool(fits) if np.ndim(fits) == 0 else fits), over


def _advice(
    shape: Shape, device: Device, asked: load.Workload, memory: Memory, shortfall: Number
) -> str:
    if np.ndim(shortfall) or not shortfall:
        return ""
    words = _more_devices(shape, device, asked, memory)
    left = float(memory.capacity - memory.cache - memory.activations)
    bytes_of_all = replace(asked, weight_bits=8.0, expert_bits=8.0)
    bits = 8 * left / float(load.weight_bytes_of(shape, bytes_of_all) * asked.copies)
    bits = math.floor(10 * bits) / 10
    if bits >= 2:
        words.append(f"weights of {bits:.1f} bits")
    room = float(memory.capacity - memory.weights - memory.activations)
    if room > 0 and float(asked.batch) > 1:
        batch = math.floor(room / float(memory.cache) * float(asked.batch))
        if batch >= 1:
            words.append(f"a batch of {batch}")
    would = ", or ".join(words) or "nothing of more devices, fewer bits or a smaller batch alone"
    return f"{float(shortfall):.4g} B too many; would fit: {would}"


def _more_devices(shape: Shape, device: Device, asked: load.Workload, memory: Memory) -> list[str]:
    """The fewest devices that hold as many copies, each spread over more of them."""
    once = float(asked.stages * asked.copies)
    apart = bool(asked.attention_copies > 1)
    unit = float(asked.tensor) if apart else 1.0

    def enough(units: int) -> bool:
        spread = units * unit
        tensor = unit if apart else spread
        wider = replace(asked, devices=spread * once, tensor=tensor, expert=spread)
        return bool(_fits(_memory(shape, device, wider), wider)[0])

    short = max(1, math.ceil(float(memory.total) / device.capacity / once / unit) - 1)
    while not enough(2 * short):
        short *= 2
        if short > _MOST_DEVICES:
            return []
    many = 2 * short
    while many - short > 1:
        middle = (short + many) // 2
        short, many = (short, middle) if enough(middle) else (middle, many)
    spread = (short if enough(short) else many) * unit
    split = "" if once == 1 else f" ({spread:g} to share each layer)"
    return [f"{spread * once:g} devices instead of {float(asked.devices):g}{split}"]


def _watts(device: Device, asked: load.Workload) -> tuple[Number, Number, Number] | None:
    if math.isnan(device.tdp):
        return None
    shares = _power_shares()
    rated = device.tdp * asked.devices
    return rated * shares[0], rated * shares[1], rated * shares[2]


@functools.cache
def _power_shares() -> tuple[float, float, float]:
    middle, low, high = interval("decoding-accelerator", "power_share")
    return low, middle, high


def _rent(device: Device, asked: load.Workload, price: Any) -> tuple[Number, Number, Number] | None:
    if price is not None:
        own = load._checked("price_per_device_hour", price, 0, math.inf) / 3600 * asked.devices
        return own, own, own
    if math.isnan(device.rent):
        return None
    return tuple(rent * asked.devices for rent in (device.rent_low, device.rent, device.rent_high))


def _intervals(
    constants: Engine,
    spread: float,
    rate: Number,
    step: Number,
    first: Number,
    asked: load.Workload,
    watts: Any,
    rent: Any,
) -> dict[str, Interval]:
    """Low and high: step and prompt err apart, a rate errs as their mixture."""
    whole = asked.batch * asked.output / rate
    share = asked.output * step / whole
    mixed = np.sqrt((share * spread) ** 2 + ((1 - share) * constants.prompt_spread) ** 2)
    made = {
        "tokens_per_second": _around(rate, mixed),
        "tokens_per_second_per_user": _around(1 / step, spread),
        "decode_tokens_per_second": _around(asked.batch / step, spread),
        "time_per_output_token": _around(step, spread),
        "time_to_first_token": _around(first, constants.prompt_spread),
        "batch_time": _around(whole, mixed),
    }
    rates = made["tokens_per_second"]
    if watts is not None:
        made["joules_per_token"] = Interval(watts[0] / rates.high, watts[2] / rates.low)
    if rent is not None:
        made["dollars_per_million_tokens"] = Interval(
            1e6 * rent[0] / rates.high, 1e6 * rent[2] / rates.low
        )
    return made


def _around(value: Number, spread: Number) -> Interval:
    factor = np.exp(NINE_IN_TEN * spread)
    return Interval(value / factor, value * factor)


def _sides(name: str, arguments: dict[str, Number]) -> tuple[Number, Number]:
    """Time of a part, and the same with arithmetic that takes no time."""
    equation = _PARTS[name][0]
    whole = _call(equation, arguments)
    free = {**arguments, "peak_rate": np.inf, "attention_rate": np.inf}
    return whole, _call(equation, free)


def _limits(arguments: dict[str, Number]) -> dict[str, tuple[Number, Any]]:
    """Seconds of each part and what limits it."""
    found: dict[str, tuple[Number, Any]] = {}
    for name, (equation, kind) in _PARTS.items():
        if kind != "memory":
            found[name] = (_call(equation, arguments), kind)
            continue
        whole, memory = _sides(name, arguments)
        found[name] = (whole, np.where(memory < whole, "compute", "memory")[()])
    return found


def _prompt_limits(prompts: dict[str, Number]) -> dict[str, tuple[Number, Any]]:
    """Seconds of each part of reading prompts and what limits it, as if on one stage."""
    whole = _call(steps.prompt_time, prompts)
    tokens = {**prompts, "batch": prompts["batch"] * prompts["prompt_length"]}
    found: dict[str, tuple[Number, Any]] = {}
    for name in ("matrices", "experts"):
        seconds, memory = _sides(name, tokens)
        found[name] = (seconds, np.where(memory < seconds, "compute", "memory")[()])
    links = _call(steps.exchange_time, prompts)
    own = prompts["overhead_per_layer"] * prompts["layers"] + prompts["overhead_per_step"]
    rest = whole - found["matrices"][0] - found["experts"][0] - links - own
    found["attention"] = (rest, "compute")
    found["exchanges"], found["engine"] = (links, "network"), (own, "overhead")
    return found


def _bound(
    arguments: dict[str, Number],
    prompts: dict[str, Number],
    reading: Number,
    asked: load.Workload,
    fits: Any,
) -> Any:
    """What takes most of the life of a batch, its steps and the reading of its prompts."""
    # Parts of a prompt take their share of the reading, which stages may do at once.
    share = reading / _call(steps.prompt_time, prompts)
    totals: dict[str, Any] = dict.fromkeys(("memory", "compute", "network", "overhead"), 0.0)
    for parts, times in ((_limits(arguments), asked.output), (_prompt_limits(prompts), share)):
        for seconds, limit in parts.values():
            for kind in totals:
                totals[kind] = totals[kind] + np.where(limit == kind, seconds, 0.0) * times
    names = np.array(list(totals))
    stacked = np.stack(np.broadcast_arrays(*totals.values()))
    answer = np.where(fits, names[np.argmax(stacked, axis=0)], "capacity")
    return str(answer) if np.ndim(answer) == 0 else answer


def _explain(
    shape: Shape,
    device: Device,
    constants: Engine,
    asked: load.Workload,
    arguments: dict[str, Number],
) -> pd.DataFrame:
    if not load.scalars({**arguments, "devices": asked.devices, "output": asked.output}):
        raise ValueError("explain takes one request; this prediction holds arrays")
    rows = []
    whole = _call(steps.served_step_time, arguments)
    for name, (seconds, limit) in _limits(arguments).items():
        rows.append(("decoding step", name, float(seconds), float(seconds / whole), str(limit)))
    if asked.prompt > 0:
        rows += _explain_prompt(shape, device, constants, asked)
    return pd.DataFrame(rows, columns=["phase", "part", "seconds", "share", "limit"])


def _explain_prompt(
    shape: Shape, device: Device, constants: Engine, asked: load.Workload
) -> list[tuple[Any, ...]]:
    prompts = _prompts(shape, device, constants, asked, 1.0)
    at_once = float(load.stages_at_once(asked, 1.0))
    whole = float(_call(steps.prompt_time, prompts))
    return [
        ("prompt", name, float(seconds) / at_once, float(seconds) / whole, str(limit))
        for name, (seconds, limit) in _prompt_limits(prompts).items()
    ]


def decode_step_times(
    model: Any,
    machine: Any,
    batch: Any,
    context: Any,
    *,
    devices: int = 1,
    weight_bits: float = 16,
    kv_bits: float = 16,
    engine: str | Engine | None = None,
    block: int = 16384,
    threads: int = 2,
) -> Array:
    """Time of one decoding step for arrays of batches and contexts, all operators, fast [s].

    The same equation as in `predict` without its checks of each point, in blocks that stay in the
    processor's cache, on several threads.

    Args:
        model: as in `predict`.
        machine: as in `predict`.
        batch: sequences in flight.
        context: tokens in each cache.
        devices: devices that split each matrix.
        weight_bits: mean bits of a stored weight.
        kv_bits: bits of a cached number.
        engine: as in `predict`.
        block: points of one block.
        threads: blocks at a time.

    Returns:
        Seconds, broadcast of batch and context.

    Raises:
        ValueError: a name is unknown or a number is not allowed.

    Example:
        >>> import numpy as np
        >>> times = decode_step_times("Llama 3.1 8B", "H100 SXM", np.array([1, 64]), 1024)
        >>> bool(times[0] < times[1] < 64 * times[0])
        True
    """
    shape, device = shape_of(model), device_of(machine)
    constants = _engine(engine, device)
    asked = load.workload(
        shape,
        device,
        constants,
        devices=devices,
        batch=1,
        input_len=0,
        output_len=1,
        weight_bits=weight_bits,
        expert_bits=None,
        kv_bits=kv_bits,
        activation_bits=None,
        tensor_parallel=devices,
        expert_parallel=None,
        pipeline_parallel=1,
    )
    batches, contexts = np.broadcast_arrays(
        np.asarray(load._checked("batch", batch, 1e-9, math.inf), dtype=float),
        np.asarray(load._checked("context", context, 0, shape.context_limit), dtype=float),
    )
    for name, count in (("block", block), ("threads", threads)):
        load._checked(name, count, 1, math.inf, whole=True)
    return _blocks(shape, device, constants, asked, batches, contexts, block, threads)


def _blocks(
    shape: Shape,
    device: Device,
    constants: Engine,
    asked: load.Workload,
    batches: Array,
    contexts: Array,
    block: int,
    threads: int,
) -> Array:
    from concurrent.futures import ThreadPoolExecutor

    flat_batches, flat_contexts = batches.ravel(), contexts.ravel()
    times = np.empty(flat_batches.size)

    def fill(start: int) -> None:
        part = slice(start, start + block)
        arguments = load.step_arguments(
            *(shape, device, constants, asked),
            np.maximum(flat_batches[part], 1.0),
            flat_contexts[part],
        )
        times[part] = _call(steps.served_step_time, arguments)

    starts = range(0, times.size, block)
    if threads == 1 or len(starts) == 1:
        for start in starts:
            fill(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, starts))
    return times.reshape(batches.shape)

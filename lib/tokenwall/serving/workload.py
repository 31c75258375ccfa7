"""A request to predict, checked and laid out over devices; and the arguments of its equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenwall.serving.engines import IDEAL, Engine, arithmetic_of
from tokenwall.serving.parts import Device, Number, Shape

__all__ = [
    "Workload",
    "arithmetic_bits",
    "exchanges_per_layer",
    "fewest_devices",
    "format_bits",
    "largest_batch",
    "needed_devices",
    "prompt_arguments",
    "stages_at_once",
    "step_arguments",
    "workload",
]

_WIDTHS = (4.0, 8.0, 16.0, 32.0)
# Mean bits, scales included, up to which a weight has a format of four, and from which one of 16.
_FOUR, _SIXTEEN = 5.0, 12.0
# Numbers that cross a link and lie in buffers have 16 bits.
_BYTES = 2.0
# Engines cut long prompts into blocks; the activations of one block are alive at a time.
_BLOCK = 8192.0
# Shortest block into which engines cut a prompt to keep several groups of layers busy.
_CHUNK = 512.0
# Part of the memory that weights may fill where a server shall run as much as fits.
_FILLED = 0.6


@dataclass(frozen=True)
class Workload:
    """What is to be predicted, in numbers or arrays that broadcast.

    Attributes:
        batch: sequences in flight on all devices together [1].
        prompt: tokens of each prompt [token].
        output: tokens generated for each request [token].
        weight_bits: mean bits of a weight outside routed experts [bit].
        expert_bits: mean bits of a weight of a routed expert [bit].
        kv_bits: bits of a cached number [bit].
        activation_bits: bits that arithmetic uses [bit].
        devices: all devices [1].
        tensor: devices that split each matrix [1].
        expert: devices that split the routed experts [1].
        stages: groups of layers on devices one after another [1].
    """

    batch: Number
    prompt: Number
    output: Number
    weight_bits: Number
    expert_bits: Number
    kv_bits: Number
    activation_bits: Number
    devices: Number
    tensor: Number
    expert: Number
    stages: Number

    @property
    def attention_copies(self) -> Number:
        """Copies of attention in a group, each with a part of the batch [1]."""
        return np.maximum(1.0, self.expert / self.tensor)

    @property
    def group(self) -> Number:
        """Devices that hold one copy of the model [1]."""
        return np.maximum(self.tensor, self.expert) * self.stages

    @property
    def copies(self) -> Number:
        """Copies of the whole model, each with a part of the batch [1]."""
        return self.devices / self.group


def _checked(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> Number:
    try:
        if value is None or np.asarray(value).dtype.kind not in "iufO":
            raise TypeError
        values = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; it must be a number or numbers") from None
    bad = ~np.isfinite(values) | (values < low) | (values > high)
    if whole:
        bad |= values != np.floor(values)
    if bad.any():
        kind = "a whole number" if whole else "a number"
        end = "" if math.isinf(high) else f" and at most {high:g}"
        raise ValueError(
            f"{name} is {values[bad].flat[0]:g}; it must be {kind} of at least {low:g}{end}"
        )
    return values[()]


def _bits(name: str, value: Any) -> Number:
    values = _checked(name, value, 1.0, 32.0)
    odd = (values > 17) & (values < 32)
    if np.any(odd):
        raise ValueError(
            f"{name} is {np.asarray(values)[odd].flat[0]:g}; formats have 1 to 16 bits, a little "
            "more with scales, or 32"
        )
    return values


def _widths(value: Any) -> Number:
    values = _checked("activation_bits", value, 4.0, 32.0)
    if not np.isin(values, _WIDTHS).all():
        odd = np.asarray(values)[~np.isin(values, _WIDTHS)].flat[0]
        raise ValueError(f"activation_bits is {odd:g}; it must be 4, 8, 16 or 32")
    return values


def workload(
    shape: Shape,
    device: Device,
    engine: Engine,
    *,
    devices: Any,
    batch: Any,
    input_len: Any,
    output_len: Any,
    weight_bits: Any,
    expert_bits: Any,
    kv_bits: Any,
    activation_bits: Any,
    tensor_parallel: Any,
    expert_parallel: Any,
    pipeline_parallel: Any,
    context_limit: Any = None,
) -> Workload:
    """A request, checked; see `tokenwall.predict` for the arguments.

    Raises:
        ValueError: a number is not allowed, the devices do not divide into groups, or a sequence
            is longer than the model allows.
    """
    count = _checked("devices", devices, 1, math.inf, whole=True)
    stages = _checked("pipeline_parallel", pipeline_parallel, 1, shape.layers, whole=True)
    weight = _bits("weight_bits", weight_bits)
    experts = weight if expert_bits is None else _bits("expert_bits", expert_bits)
    prompt = _checked("input_len", input_len, 0, math.inf)
    output = _checked("output_len", output_len, 1, math.inf)
    limit = shape.context_limit
    if context_limit is not None:
        limit = (
            math.inf
            if context_limit == math.inf
            else _checked("context_limit", context_limit, 1, math.inf)
        )
    if np.any(prompt + output > limit):
        longest = float(np.max(prompt + output))
        raise ValueError(
            f"input_len and output_len make {longest:g} tokens; {shape.name} allows {limit:g} "
            "(context_limit lifts that)"
        )
    if activation_bits is None:
        width = arithmetic_bits(device, engine.name, experts if shape.mixture else weight)
    else:
        width = _widths(activation_bits)
    tensor, expert = _split(
        shape,
        device,
        count,
        stages,
        tensor_parallel,
        expert_parallel,
        experts if batch is None and not math.isnan(device.capacity) else None,
    )
    asked = Workload(
        batch=1.0,
        prompt=prompt,
        output=output,
        weight_bits=weight,
        expert_bits=experts,
        kv_bits=_bits("kv_bits", kv_bits),
        activation_bits=width,
        devices=count,
        tensor=tensor,
        expert=expert,
        stages=stages,
    )
    apart = asked.attention_copies
    if np.any(apart != np.floor(apart)):
        raise ValueError(
            f"expert_parallel is {np.max(expert):g}; it must be a multiple of tensor_parallel, "
            f"here {np.max(tensor):g}"
        )
    whole = asked.devices / asked.group
    if np.any(whole != np.floor(whole)) or np.any(whole < 1):
        raise ValueError(
            f"devices is {np.max(count):g}; it must be a multiple of the "
            f"{np.max(asked.group):g} that hold one copy of the model"
        )
    if batch is None:
        number = largest_batch(shape, device, engine, asked)
    else:
        number = _checked("batch", batch, 0, math.inf)
        if np.any(number == 0):
            raise ValueError("batch is 0; it must be a number above 0, or None for what fits")
    return Workload(**{**asked.__dict__, "batch": number})


def format_bits(bits: float) -> float:
    """Width of the format of weights whose mean bits count their scales: 4, 8 or 16 [bit].

    Scales and the few layers left in more bits lift the mean above the format, to 4.25 or 4.8 for
    formats of four bits; they do not make it a format of eight.

    Args:
        bits: mean bits of a stored weight, scales included.

    Example:
        >>> [format_bits(bits) for bits in (4, 4.5, 6.6, 8.5, 16)]
        [4.0, 4.0, 8.0, 8.0, 16.0]
    """
    return 4.0 if bits <= _FOUR else 8.0 if bits < _SIXTEEN else 16.0


def arithmetic_bits(device: Device, engine: str, bits: Number) -> Number:
    """Width in which an engine multiplies weights of some bits on a device [bit].

    Args:
        device: the device.
        engine: key of the engine.
        bits: of the weights.
    """
    kind = arithmetic_of(engine)
    if kind == "as weights":
        # Weights narrower than any unit for floating-point numbers are unpacked to 16 bits.
        eight = np.where(
            (np.asarray(bits) > _FOUR) & (np.asarray(bits) < _SIXTEEN) & device.float8, 8.0, 16.0
        )
        return np.where((np.asarray(bits) <= _FOUR) & (4 in device.rates), 4.0, eight)[()]
    if kind == "integers":
        return np.where(np.asarray(bits) < _SIXTEEN, 8.0, 16.0)[()]
    return np.full(np.shape(bits), 16.0)[()]


def _split(
    shape: Shape, device: Device, count: Number, stages: Number, tensor: Any, expert: Any, bits: Any
) -> tuple[Number, Number]:
    """Devices that split matrices, and experts; `bits` are given where as many as fit shall run."""
    if expert is not None and not shape.mixture:
        raise ValueError(f"expert_parallel is {expert!r}; {shape.name} has no routed experts")
    given = None if expert is None else _checked("expert_parallel", expert, 1, 1e6, whole=True)
    if tensor is not None:
        split = _checked("tensor_parallel", tensor, 1, 1e6, whole=True)
    else:
        free = count / stages if given is None else np.maximum(1.0, count / stages / given)
        split = np.floor(free)
        if bits is not None:
            split = fewest_devices(shape, device, split, bits)
    return split, split if given is None else np.maximum(split, given)


def fewest_devices(shape: Shape, device: Device, count: Number, bits: Number) -> Number:
    """Fewest devices that hold the weights and leave a good part of their memory for caches [1].

    Args:
        shape: the model.
        device: one device.
        count: devices to divide into such groups.
        bits: of a weight.
    """
    needed = needed_devices(shape, device, bits)
    return np.vectorize(_divisor, otypes=[float])(count, needed)[()]


def needed_devices(shape: Shape, device: Device, bits: Number) -> Number:
    """Fewest devices, a power of two, that leave such a part whatever divides [1].

    Args:
        shape: the model.
        device: one device.
        bits: of a weight.
    """
    held = shape.parameters * np.asarray(bits) / 8 / (_FILLED * device.capacity)
    return 2.0 ** np.ceil(np.log2(np.maximum(held, 1.0)))


def _divisor(count: float, least: float) -> float:
    """Smallest divisor of a number of devices that is not below another number, if there is one."""
    whole = int(count)
    return float(
        min((d for d in range(1, whole + 1) if whole % d == 0 and d >= least), default=whole)
    )


def weight_bytes_of(shape: Shape, asked: Workload) -> Number:
    """Weights that one copy of the model fills, copies of attention counted [B]."""
    routed = shape.routed * asked.expert_bits / 8
    rest = (shape.parameters - shape.routed) * asked.weight_bits / 8
    return routed + rest * asked.attention_copies


def cache_bytes_of(shape: Shape, asked: Workload, context: Number) -> Number:
    """Cache of one sequence on all devices that hold it, copies of key-value heads counted [B]."""
    held = shape.attended(context) * shape.cached_values * asked.kv_bits / 8
    return held * asked.tensor / np.minimum(asked.tensor, shape.kv_heads)


def activation_bytes_of(shape: Shape, asked: Workload, batch: Number) -> Number:
    """Activations of the largest block of tokens in flight on one copy of the model [B]."""
    block = np.maximum(np.minimum(batch * np.maximum(asked.prompt, 1.0), _BLOCK), batch)
    return _BYTES * (block * _width_of(shape, asked) + batch * shape.vocabulary)


def _width_of(shape: Shape, asked: Workload) -> Number:
    """Numbers of one token that are alive at a time on one copy of the model."""
    return 2 * shape.hidden * asked.tensor + 2 * shape.feedforward


def largest_batch(shape: Shape, device: Device, engine: Engine, asked: Workload) -> Number:
    """Sequences of full length that fit on all devices together [1].

    Args:
        shape: the model.
        device: one device.
        engine: how much of the memory it fills.
        asked: the rest of the request.

    Raises:
        ValueError: the table has no capacity for the machine, or not one sequence fits.
    """
    if math.isnan(device.capacity):
        raise ValueError(f"{device.name} has no memory_capacity in its table; state a batch")
    usable = engine.memory_fraction * device.capacity * asked.group
    free = usable - weight_bytes_of(shape, asked)
    full = cache_bytes_of(shape, asked, asked.prompt + asked.output)
    # Three straight lines: short prompts fill no block, longer ones one, very many tokens more.
    width = _BYTES * _width_of(shape, asked)
    each = full + _BYTES * shape.vocabulary
    short = free / (each + np.maximum(asked.prompt, 1.0) * width)
    block, many = (free - _BLOCK * width) / each, free / (each + width)
    fitting = np.floor(np.minimum(np.maximum(short, block), many))
    spare = free - activation_bytes_of(shape, asked, 1.0)
    if np.any(fitting < 1):
        raise ValueError(
            f"no sequence fits: {shape.name} leaves {float(np.min(spare)):.3g} B of "
            f"{float(np.max(usable)):.3g} B for caches of {float(np.max(full)):.3g} B"
        )
    return fitting * asked.copies


def _own_rate(device: Device, engine: Engine, bits: Number, rate: Number, unit: Number) -> Number:
    """Engines that use integers or sums of 16 bits have rates of their own; a bound has all."""
    kind = arithmetic_of(engine.name)
    if kind != "integers" and engine.name != IDEAL.name:
        return rate
    wide = np.asarray(bits) > 16
    other = np.where(unit == 8, device.integer_rate, np.where(unit == 16, device.half_rate, rate))
    if engine.name == IDEAL.name:
        other = np.maximum(rate, other)
    return np.where(wide, rate, other)[()]


def _shared(shape: Shape, device: Device, engine: Engine, asked: Workload) -> dict[str, Number]:
    rate, unit = device.rate(asked.activation_bits)
    rate = _own_rate(device, engine, asked.activation_bits, rate, unit)
    ones = np.ones(np.shape(unit))
    factor = np.where(unit == 8, engine.eight_bit_factor, ones)
    factor = np.where(unit == 4, engine.four_bit_factor, factor)[()]
    return {
        "dense_parameters": shape.dense,
        "expert_parameters": shape.expert,
        "experts": shape.experts,
        "experts_per_token": shape.experts_per_token,
        "bytes_per_weight": asked.weight_bits / 8,
        "expert_bytes_per_weight": asked.expert_bits / 8,
        "layers": shape.layers,
        "dense_devices": asked.tensor,
        "expert_devices": np.maximum(asked.tensor, asked.expert),
        "replicas": asked.attention_copies,
        "sharing_devices": np.maximum(asked.tensor, asked.expert),
        "bandwidth": device.bandwidth,
        "peak_rate": rate * factor,
        "attention_rate": _attention_rate(device, engine, asked),
        "link_bandwidth": device.link_bandwidth,
        "bandwidth_fraction": engine.bandwidth_fraction,
        "overhead_per_layer": engine.overhead_per_layer,
        # Every group of layers is launched by a host of its own.
        "overhead_per_step": engine.overhead_per_step * asked.stages,
        "round_latency": engine.round_latency,
        "link_fraction": engine.link_fraction,
        "routing_agreement": engine.routing_agreement,
        "exchanges_per_layer": exchanges_per_layer(engine.exposed_fraction),
        "flop_per_multiply_add": 2.0,
    }


def exchanges_per_layer(exposed: Number) -> Number:
    """Exchanges in a layer that nothing hides: one after attention, one after its other half [1].

    Args:
        exposed: share of them that nothing hides.
    """
    return 2.0 * exposed


def _attention_rate(device: Device, engine: Engine, asked: Workload) -> Number:
    """Attention over a cache of eight bits uses eight-bit units where they take floats."""
    if not device.float8 or arithmetic_of(engine.name) != "as weights":
        return device.rates[16]
    return np.where(
        np.asarray(asked.kv_bits) <= 8, device.rates.get(8, device.rates[16]), device.rates[16]
    )[()]


def _message(shape: Shape, asked: Workload, tokens: Number) -> Number:
    """Bytes that a device exchanges in a layer for some tokens of its own copy of attention.

    Devices that split matrices add up whole vectors. Devices that hold different experts send each
    token to those it needs and get it back, which is half of what adding up would send.
    """
    apart = np.minimum(shape.experts_per_token, asked.expert) / 2
    times = np.where(asked.attention_copies > 1, apart, 1.0)
    return tokens / asked.attention_copies * shape.hidden * _BYTES * times


def step_arguments(
    shape: Shape, device: Device, engine: Engine, asked: Workload, batch: Number, context: Number
) -> dict[str, Number]:
    """Arguments of `served_step_time` for one group of devices.

    Args:
        shape: the model.
        device: one device.
        engine: its constants.
        asked: the request.
        batch: sequences that pass a group together.
        context: mean tokens in their caches.
    """
    return {
        **_shared(shape, device, engine, asked),
        "batch": batch,
        "context": shape.attended(np.maximum(context, 1e-9)),
        "cache_bytes_per_token": shape.cached_values * asked.kv_bits / 8,
        "attention_flop_per_token": shape.decode_flop,
        "message_bytes": _message(shape, asked, batch),
        "cache_devices": np.minimum(asked.tensor, shape.kv_heads),
        "vector_rate": device.vector_rate,
        "cache_fraction": engine.cache_fraction,
        "compute_fraction": engine.compute_fraction,
        "attention_fraction": engine.attention_fraction,
        "flop_per_weight": engine.flop_per_weight,
        "overhead_per_sequence": engine.overhead_per_sequence,
    }


def prompt_arguments(
    shape: Shape,
    device: Device,
    engine: Engine,
    asked: Workload,
    batch: Number,
    *,
    past: Number = 0.0,
) -> dict[str, Number]:
    """Arguments of `prompt_time` for one group of devices.

    Args:
        shape: the model.
        device: one device.
        engine: its constants.
        asked: the request.
        batch: prompts that are read together.
        past: tokens in the caches before the prompts.
    """
    length = np.maximum(asked.prompt, 1.0)
    return {
        **_shared(shape, device, engine, asked),
        "dense_parameters": shape.dense - shape.head,
        "batch": batch,
        "prompt_length": length,
        "context": shape.attended(past + length / 2),
        "attention_flop_per_token": shape.prompt_flop,
        "message_bytes": _message(shape, asked, batch * length),
        "compute_fraction": engine.prompt_fraction,
        "attention_fraction": engine.prompt_attention_fraction,
    }


def stages_at_once(asked: Workload, batch: Number) -> Number:
    """Groups of layers that work at once while prompts are read, in blocks that follow each other.

    Args:
        asked: the request.
        batch: prompts that are read together.
    """
    blocks = np.maximum(1.0, np.ceil(batch * asked.prompt / _CHUNK))
    # The first block fills the groups one after another and the last one empties them.
    return asked.stages * blocks / (blocks + asked.stages - 1)


def scalars(values: Mapping[str, Number]) -> bool:
    """Whether no argument is an array."""
    return all(np.ndim(value) == 0 for value in values.values())

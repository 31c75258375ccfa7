"""What a sweep may be asked for, checked before anything is computed."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tokenwall import data
from tokenwall.data.names import format_of
from tokenwall.serving import Device, Engine, Prediction, Shape, engine, predict
from tokenwall.units import Domain

__all__ = ["ARGUMENTS", "NAMES", "QUANTITIES", "Argument", "Request", "Variable", "request_of"]

BOUNDS = ("memory", "compute", "network", "overhead", "capacity")
NAMES = ("model", "machine", "engine")
_MEMORY = ("weights", "cache", "activations", "total", "capacity")


@dataclass(frozen=True)
class Argument:
    """A numeric argument of a prediction.

    Attributes:
        unit: of its numbers.
        long_name: what it is.
        domain: where its numbers may lie.
    """

    unit: str
    long_name: str
    domain: Domain


_COUNT = Domain(low=1, whole=True)
_BITS = Domain(low=1, high=32)
ARGUMENTS = {
    "devices": Argument("1", "devices", _COUNT),
    "batch": Argument("1", "sequences in flight on all devices", Domain(low=0, low_open=True)),
    "input_len": Argument("token", "tokens of each prompt", Domain(low=0)),
    "output_len": Argument("token", "tokens generated for each request", Domain(low=1)),
    "weight_bits": Argument("bit", "mean bits of a stored weight", _BITS),
    "kv_bits": Argument("bit", "bits of a cached number", _BITS),
    "activation_bits": Argument("bit", "width of the arithmetic", Domain(low=4, high=32)),
    "expert_bits": Argument("bit", "mean bits of a weight of a routed expert", _BITS),
    "tensor_parallel": Argument("1", "devices that split each matrix", _COUNT),
    "expert_parallel": Argument("1", "devices that split the routed experts", _COUNT),
    "pipeline_parallel": Argument("1", "groups of layers one after another", _COUNT),
    "context_limit": Argument("token", "tokens that a sequence may have", Domain(low=1)),
    "price_per_device_hour": Argument("USD", "price of an hour of one device", Domain(low=0)),
}


@dataclass(frozen=True)
class Variable:
    """A data variable of a sweep.

    Attributes:
        unit: of its numbers.
        long_name: what it is.
        read: takes it from a prediction.
        dtype: of its numbers.
        uncertain: whether it has a low and a high end.
    """

    unit: str
    long_name: str
    read: Callable[[Prediction], Any]
    dtype: str = "f8"
    uncertain: bool = False


@dataclass(frozen=True)
class _Attribute:
    """Reads one attribute; a class rather than a lambda, so that it travels to other processes."""

    name: str

    def __call__(self, prediction: Prediction) -> Any:
        value = getattr(prediction, self.name)
        return math.nan if value is None else value


@dataclass(frozen=True)
class _End:
    name: str
    high: bool

    def __call__(self, prediction: Prediction) -> Any:
        if self.name not in prediction.intervals:
            return math.nan
        return prediction.high(self.name) if self.high else prediction.low(self.name)


@dataclass(frozen=True)
class _Part:
    name: str

    def __call__(self, prediction: Prediction) -> Any:
        return getattr(prediction.memory_bytes, self.name)


def _bound(prediction: Prediction) -> Any:
    words = np.asarray(prediction.bound)
    codes = np.full(words.shape, -1)
    for code, word in enumerate(BOUNDS):
        codes = np.where(words == word, code, codes)
    return codes


def _variables() -> dict[str, Variable]:
    uncertain = {
        "tokens_per_second": ("token/s", "output tokens of all devices, prompts included"),
        "tokens_per_second_per_user": ("token/s", "tokens of one sequence while decoded"),
        "decode_tokens_per_second": ("token/s", "tokens of all sequences while decoded"),
        "time_per_output_token": ("s", "time of a decoding step"),
        "time_to_first_token": ("s", "time to read the prompt of one request alone"),
        "batch_time": ("s", "time to read all prompts and decode all outputs"),
        "joules_per_token": ("J/token", "energy of the devices for an output token"),
        "dollars_per_million_tokens": ("USD", "rent of the devices for a million tokens"),
    }
    made = {
        name: Variable(unit, words, _Attribute(name), uncertain=True)
        for name, (unit, words) in uncertain.items()
    }
    for part in _MEMORY:
        words = "memory of all devices" if part == "capacity" else f"bytes of {part}"
        words = "weights, cache and activations" if part == "total" else words
        made[f"memory_{part}"] = Variable("B", words, _Part(part))
    made["shortfall_bytes"] = Variable(
        "B", "bytes by which it does not fit", _Attribute("shortfall_bytes")
    )
    made["fits"] = Variable("1", "whether it fits in the memory", _Attribute("fits"), "?")
    made["bound"] = Variable("1", "what takes most of the time", _bound, "i1")
    for name in uncertain:
        for end in ("low", "high"):
            made[f"{name}_{end}"] = Variable(
                made[name].unit,
                f"{made[name].long_name}, {end} end",
                _End(name, end == "high"),
            )
    return made


QUANTITIES = _variables()


@dataclass(frozen=True)
class Request:
    """A checked sweep.

    Attributes:
        axes: values of each named axis, in the caller's order.
        fixed: all other arguments of `predict`, its defaults included.
        quantities: data variables.
    """

    axes: Mapping[str, Any]
    fixed: Mapping[str, Any]
    quantities: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(values) for values in self.axes.values())

    def given(self, name: str) -> list[Any]:
        """Models, machines or engines of the sweep, one or several."""
        return list(self.axes[name]) if name in self.axes else [self.fixed[name]]


def request_of(
    arguments: Mapping[str, Any], quantities: Sequence[str], *, intervals: bool = False
) -> Request:
    """Arguments sorted into axes and fixed ones, all checked.

    Args:
        arguments: of `predict`, numbers or names, or sequences of them.
        quantities: names of data variables.
        intervals: whether to add the low and high end of each.

    Raises:
        ValueError: an argument or quantity is unknown, missing or not allowed.
    """
    known = list(inspect.signature(predict).parameters)
    for name in arguments:
        if name not in known:
            raise ValueError(f"argument {name!r} is unknown; {nearest(name, known)}")
    for name in ("model", "machine"):
        if arguments.get(name) is None:
            raise ValueError(f"{name} is missing; it must be a name or a list of names")
    axes: dict[str, Any] = {}
    fixed = {name: value for name, value in defaults().items() if name not in arguments}
    for name, value in arguments.items():
        checked = _named(name, value) if name in NAMES else _numeric(name, value)
        (axes if _several(name, value) else fixed)[name] = checked
    return Request(axes, fixed, _quantities(quantities, intervals))


def defaults() -> dict[str, Any]:
    """The optional arguments of `predict` and what they are unless given."""
    parameters = inspect.signature(predict).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def nearest(name: str, known: Sequence[str]) -> str:
    """Words that give the nearest known names, or all of them."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"nearest: {', '.join(near)}" if near else f"there are {', '.join(known)}"


def _quantities(given: Sequence[str], intervals: bool) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in QUANTITIES:
            raise ValueError(f"quantity {name!r} is unknown; {nearest(name, list(QUANTITIES))}")
    if not names:
        raise ValueError("quantities is empty; name at least one")
    if intervals:
        names += [f"{n}_{end}" for n in names if QUANTITIES[n].uncertain for end in ("low", "high")]
    return tuple(dict.fromkeys(names))


def _several(name: str, value: Any) -> bool:
    if name in NAMES:
        return isinstance(value, list | tuple | np.ndarray | pd.Index)
    return np.ndim(value) > 0


def label(value: Any) -> str:
    """A model, machine or engine as a coordinate: the caller's own word for it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | pd.Series):
        return str(value.get("name", getattr(value, "name", None) or "own"))
    return str(getattr(value, "name", value))


def _named(name: str, value: Any) -> Any:
    values = list(value) if _several(name, value) else [value]
    if not values:
        raise ValueError(f"{name} is an empty list; it must name at least one")
    for one in values:
        _known(name, one)
    words = [label(one) for one in values]
    twice = {word for word in words if words.count(word) > 1}
    if twice:
        raise ValueError(f"{name} names {', '.join(sorted(twice))} twice")
    return tuple(values) if _several(name, value) else value


def _known(name: str, value: Any) -> None:
    """A name that no table has is a slip of the caller; a row that lacks a number is not."""
    if name == "engine":
        if value is not None:
            engine(value)
    elif isinstance(value, str):
        data.resolve(f"{name}s", value)
    elif not isinstance(value, Mapping | pd.Series | Shape | Device):
        raise ValueError(
            f"{name} is {value!r}; it must be a name, a row of the {name} table or a mapping"
        )


def _numeric(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str) and name == "weight_bits":
        try:
            format_of(value)
        except ValueError as error:
            raise ValueError(f"weight_bits is {value!r}; it must be a number: {error}") from None
        return value
    argument = ARGUMENTS[name]
    try:
        numbers = np.asarray(value)
        floats = numbers.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; it must be a number or numbers") from None
    if numbers.ndim > 1 or numbers.size == 0:
        raise ValueError(
            f"{name} has the shape {numbers.shape}; it must be a number or one row of them"
        )
    offender = argument.domain.offender(np.atleast_1d(floats))
    if offender is None and name.endswith("_bits"):
        offender = _odd_bits(name, floats)
    if offender is not None:
        allowed = "4, 8, 16 or 32" if name == "activation_bits" else str(argument.domain)
        raise ValueError(f"{name} is {offender:g}; it must be {allowed}")
    return numbers if numbers.ndim else value


def _odd_bits(name: str, values: Any) -> float | None:
    flat = np.atleast_1d(values)
    odd = (flat > 17) & (flat < 32)
    if name == "activation_bits":
        odd = ~np.isin(flat, (4.0, 8.0, 16.0, 32.0))
    return float(flat[odd][0]) if odd.any() else None


def engine_of(given: str | Engine | None, device: Device, *, saturated: bool = False) -> Engine:
    """Constants of a named engine, or of the usual one of a device."""
    from tokenwall.serving.engines import default_engine

    if given is None:
        return engine(default_engine(device.category, device.vendor, saturated=saturated))
    return engine(given)

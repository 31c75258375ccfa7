"""What a prediction says, and how it explains itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from tokenwall.serving.parts import Number

__all__ = ["Interval", "Memory", "Prediction"]


@dataclass(frozen=True)
class Interval:
    """Low and high end of a predicted quantity; `Prediction` says what they hold.

    Attributes:
        low: lower end, in the unit of the quantity.
        high: upper end.
    """

    low: Number
    high: Number


@dataclass(frozen=True)
class Memory:
    """Bytes that a model fills on all devices together.

    Attributes:
        weights: all weights; as many times as there are copies of the model [B].
        cache: caches of the whole batch at full length [B].
        activations: largest block of tokens in flight [B].
        capacity: memory of all devices, nan where the table has none [B].
    """

    weights: Number
    cache: Number
    activations: Number
    capacity: Number

    @property
    def total(self) -> Number:
        """Weights, cache and activations [B]."""
        return self.weights + self.cache + self.activations


@dataclass(frozen=True)
class Prediction:
    """What a model on a machine is predicted to do; a number each, or arrays that broadcast.

    `intervals` holds low and high of every uncertain quantity by its name. About nine of ten
    measurements that no fit had seen lay within those of rates and times; of a publication whose
    errors did not set the widths it was eight to nine of ten. Energy and price take the ends of
    power and rent at once with those of the rate, so theirs are wider; where a rent is a range of
    cases, so is the price.

    Attributes:
        tokens_per_second: output tokens of all devices, the reading of prompts included [token/s].
        tokens_per_second_per_user: of one sequence while it is being decoded [token/s].
        decode_tokens_per_second: of all sequences while they are being decoded [token/s].
        time_per_output_token: a decoding step at the mean context of the output [s].
        time_to_first_token: reading the prompt of one request, alone [s].
        batch_time: reading all prompts, then decoding all outputs [s].
        memory_bytes: weights, cache and activations apart [B].
        fits: whether they fit in the memory of the devices.
        bound: what takes most of the time: memory, compute, network or overhead; capacity where
            it does not fit.
        joules_per_token: energy of the devices for an output token, None without a rated power
            [J/token].
        dollars_per_million_tokens: rent of the devices for a million output tokens, None without
            a price [USD].
        batch: sequences in flight on all devices [1].
        model: printed name of the model.
        machine: printed name of the machine.
        engine: key of the engine whose constants were used.
        weights: format of the weights and what made it be chosen, empty where bits were given.
        intervals: low and high by quantity.
        shortfall_bytes: bytes by which it does not fit, 0 where it does [B].
        advice: what would make it fit, empty where it does.
    """

    tokens_per_second: Number
    tokens_per_second_per_user: Number
    decode_tokens_per_second: Number
    time_per_output_token: Number
    time_to_first_token: Number
    batch_time: Number
    memory_bytes: Memory
    fits: Any
    bound: Any
    joules_per_token: Number | None
    dollars_per_million_tokens: Number | None
    batch: Number
    model: str
    machine: str
    engine: str
    weights: str
    intervals: dict[str, Interval]
    shortfall_bytes: Number
    advice: str
    _explain: Callable[[], pd.DataFrame] = field(repr=False, compare=False)

    def low(self, quantity: str) -> Number:
        """Lower end of a quantity's interval, in its unit.

        Args:
            quantity: name of an attribute that is uncertain.

        Raises:
            ValueError: the quantity has no interval.
        """
        return self._interval(quantity).low

    def high(self, quantity: str) -> Number:
        """Upper end of a quantity's interval, in its unit.

        Args:
            quantity: name of an attribute that is uncertain.

        Raises:
            ValueError: the quantity has no interval.
        """
        return self._interval(quantity).high

    def _interval(self, quantity: str) -> Interval:
        if quantity not in self.intervals:
            raise ValueError(f"{quantity!r} has no interval; there are {', '.join(self.intervals)}")
        return self.intervals[quantity]

    def explain(self) -> pd.DataFrame:
        """Where the time goes: a row for each part of a step and of a prompt.

        Returns:
            Columns: phase, part, seconds, share (of the phase) and limit (memory, compute, network
            or overhead). The step is that of `time_per_output_token`, the prompt that of
            `time_to_first_token`.

        Raises:
            ValueError: the prediction holds arrays; index the request, not the answer.
        """
        return self._explain()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words, ready for JSON; nan and missing values become None.

        Raises:
            ValueError: the prediction holds arrays.
        """
        arrays = [self.tokens_per_second, self.dollars_per_million_tokens]
        if any(np.ndim(value) for value in arrays if value is not None):
            raise ValueError("a prediction of arrays has no plain form; use sweep for tables")
        plain: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name.startswith("_"):
                continue
            if isinstance(value, Memory):
                plain[entry.name] = {
                    key: _plain(getattr(value, key))
                    for key in ("weights", "cache", "activations", "total", "capacity")
                }
            elif entry.name == "intervals":
                plain[entry.name] = {
                    key: [_plain(pair.low), _plain(pair.high)] for key, pair in value.items()
                }
            else:
                plain[entry.name] = _plain(value)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    number = float(value)
    return None if math.isnan(number) else number

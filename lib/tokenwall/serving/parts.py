"""Rows of the model and machine tables as the arguments of the equations of a step."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tokenwall import data, kvcache, weights

Array = npt.NDArray[np.float64]
Number = Any  # a number or an array of numbers

__all__ = ["Device", "Shape", "device_of", "shape_of"]

# Vector arithmetic for each byte of bandwidth, where a table has no rate of vector units: the
# middle of those machines that have both.
_VECTOR_FLOP_PER_BYTE = 34.0
# One way, 16 lanes of the fourth generation: what a device with no link of its own is plugged into.
_HOST_LINK = 31.5e9


@dataclass(frozen=True)
class Shape:
    """A language model as a step sees it; counts of weights, values and arithmetic.

    Attributes:
        key: key of the row, or the caller's name.
        name: printed name.
        parameters: all weights, both embedding tables [1].
        routed: weights of all routed experts [1].
        embedding: input table, of which a step gathers rows; 0 if shared with the output [1].
        dense: weights that every token multiplies, outside routed experts [1].
        head: output table, which a prompt needs only for its last token [1].
        expert: weights of one routed expert in all layers [1].
        experts: experts of one layer, 2 if dense [1].
        experts_per_token: experts that one token uses [1].
        layers: layers run one after another [1].
        hidden: width [1].
        feedforward: widest inner size of a block [1].
        vocabulary: tokens that it knows [1].
        kv_heads: heads that a cache can be split by, 1 for a latent cache [1].
        cached_values: numbers cached for one token of context [1].
        decode_flop: arithmetic of attention of one new token with one of its past [FLOP/token].
        prompt_flop: the same while reading a prompt [FLOP/token].
        window: tokens that windowed layers see, inf without [token].
        windowed: share of the layers that see only a window [1].
        context_limit: tokens that a sequence may have, inf where not stated [token].
        mixture: whether it has routed experts.
    """

    key: str
    name: str
    parameters: float
    routed: float
    embedding: float
    dense: float
    head: float
    expert: float
    experts: float
    experts_per_token: float
    layers: float
    hidden: float
    feedforward: float
    vocabulary: float
    kv_heads: float
    cached_values: float
    decode_flop: float
    prompt_flop: float
    window: float
    windowed: float
    context_limit: float
    mixture: bool

    def attended(self, context: Number) -> Number:
        """Mean tokens that attention reads of a context, windows taken into account [token].

        Args:
            context: tokens of the sequence so far.
        """
        if not self.windowed:
            return context
        inside = np.minimum(context, self.window)
        return (1 - self.windowed) * context + self.windowed * inside


@dataclass(frozen=True)
class Device:
    """One device of a machine as a step sees it.

    Attributes:
        key: key of the row, or the caller's name.
        name: printed name.
        category: of the machine table, such as "gpu-datacentre".
        vendor: of the machine table.
        bandwidth: peak memory bandwidth [B/s].
        capacity: memory, nan where not stated [B].
        rates: peak arithmetic rate by bits of the operands, those that it has [FLOP/s].
        float8: whether its 8-bit unit takes floating-point numbers.
        integer_rate: for integers of 8 bits, the 16-bit rate where it has no such unit [FLOP/s].
        half_rate: of 16-bit operands with sums of 16 bits [FLOP/s].
        vector_rate: of the vector units in 32 bits [FLOP/s].
        link_bandwidth: what it sends in one direction [B/s].
        link_domain: devices that its links join, 1 where not stated [1].
        tdp: power, nan where not stated [W].
        rent: price of an hour's use over 3600, nan where not stated [USD/s].
        rent_low: lower end of the price [USD/s].
        rent_high: upper end of the price [USD/s].
    """

    key: str
    name: str
    category: str
    vendor: str
    bandwidth: float
    capacity: float
    rates: Mapping[int, float]
    float8: bool
    integer_rate: float
    half_rate: float
    vector_rate: float
    link_bandwidth: float
    link_domain: float
    tdp: float
    rent: float
    rent_low: float
    rent_high: float

    def rate(self, bits: Number) -> tuple[Number, Number]:
        """Peak rate for operands of some bits, and the bits of the unit that does it.

        The narrowest unit that holds them: 4-bit operands use an 8-bit unit where there is no
        4-bit one, and 16-bit where there is neither.

        Args:
            bits: of both operands.
        """
        widths = sorted(self.rates, reverse=True)
        rate, unit = np.full(np.shape(bits), self.rates[16]), np.full(np.shape(bits), 16.0)
        for width in widths:
            fits = np.asarray(bits) <= width
            if width <= 16:
                rate = np.where(fits, self.rates[width], rate)
                unit = np.where(fits, float(width), unit)
        full = self.rates.get(32, min(self.vector_rate, self.rates[16] / 2))
        rate = np.where(np.asarray(bits) > 16, full, rate)
        return rate[()], unit[()]


def _get(row: Any, quantity: str, default: float = math.nan) -> float:
    value = row.get(quantity, math.nan)
    return default if value is None or math.isnan(float(value)) else float(value)


_WORDS = frozenset("name vendor category year aliases family architecture attention".split())
_MAY_BE_NOUGHT = frozenset(
    "dense_layers experts shared_experts latent_size query_latent_size rope_head_size "
    "sliding_window sliding_layers tied_embeddings".split()
)


def _own(table: str, row: pd.Series, known: frozenset[str] | None) -> pd.Series:
    """A row of the caller's own, its numbers checked."""
    who = f"{table[:-1]} {row.get('name', row.name)!r}"
    for quantity, value in row.items():
        if known is not None and quantity not in known:
            near = difflib.get_close_matches(str(quantity), known, n=3, cutoff=0.4)
            hint = ", ".join(near or sorted(known - _WORDS))
            raise ValueError(f"{who} has {quantity!r}, which is no column; nearest: {hint}")
        if quantity in _WORDS or value is None:
            continue
        least = "at least 0" if quantity in _MAY_BE_NOUGHT else "above 0"
        try:
            number = math.nan if isinstance(value, str) else float(value)
            missing = not isinstance(value, str) and math.isnan(number)
        except (TypeError, ValueError):
            number, missing = math.nan, False
        low = number < 0 or (number == 0 and quantity not in _MAY_BE_NOUGHT)
        if not missing and (not math.isfinite(number) or low):
            raise ValueError(f"{who}: {quantity} is {value!r}; it must be a number {least}")
    for part, whole in (("sliding_layers", "layers"), ("experts_per_token", "experts")):
        if _get(row, part, 0.0) > _get(row, whole, math.inf):
            most = _get(row, whole)
            raise ValueError(f"{who}: {part} is {row[part]:g}; {whole} allows at most {most:g}")
    return row


@functools.cache
def _columns(table: str) -> frozenset[str]:
    frame = data.models() if table == "models" else data.machines()
    return frozenset({*frame.columns, "layers_with_cache"})


def _row(table: str, given: Any) -> pd.Series:
    if isinstance(given, str):
        return data.model(given) if table == "models" else data.machine(given)
    if isinstance(given, pd.Series):
        return _own(table, given, None)
    if isinstance(given, Mapping):
        row = pd.Series(dict(given), name=given.get("name", "own"), dtype=object)
        return _own(table, row, _columns(table))
    raise ValueError(
        f"{table[:-1]} is {given!r}; it must be a name, a row of the {table[:-1]} table or a "
        "mapping with the same columns"
    )


def shape_of(model: Any) -> Shape:
    """A model as a step sees it.

    Args:
        model: name, key or alias, a row of the model table, or a mapping with its columns.

    Raises:
        ValueError: the model is unknown or its row lacks a quantity.

    Example:
        >>> shape = shape_of("Mixtral 8x7B")
        >>> shape.experts, round(shape.expert / 1e9, 2), round(shape.dense / 1e9, 2)
        (8.0, 5.64, 1.47)
    """
    if isinstance(model, Shape):
        return model
    if isinstance(model, str):
        return _named_shape(data.resolve("models", model))
    return _shape(_row("models", model))


@functools.cache
def _named_shape(key: str) -> Shape:
    return _shape(data.model(key))


def _shape(row: pd.Series) -> Shape:
    parts = weights.parts_of(row)
    layers, heads = _get(row, "layers"), _get(row, "heads")
    experts = _get(row, "experts", 0.0)
    if experts and math.isnan(_get(row, "experts_per_token")):
        raise ValueError(f"{row.get('name', row.name)} has no experts_per_token in its table")
    shared = parts.output == 0
    window, sliding = _get(row, "sliding_window", 0.0), _get(row, "sliding_layers", 0.0)
    cached, kv_heads, decode, prompt = _attention(row, layers, heads)
    return Shape(
        key=str(row.name),
        name=str(row.get("name", row.name)),
        parameters=parts.total,
        routed=parts.routed_experts,
        embedding=0.0 if shared else parts.embedding,
        dense=parts.total - parts.routed_experts - (0.0 if shared else parts.embedding),
        head=parts.embedding if shared else parts.output,
        expert=parts.routed_experts / experts if experts else 0.0,
        experts=experts or 2.0,
        experts_per_token=_get(row, "experts_per_token", 1.0),
        layers=layers,
        hidden=_get(row, "hidden_size"),
        feedforward=max(
            _get(row, "feedforward_size", 0.0),
            _get(row, "expert_feedforward_size", 0.0) * _get(row, "experts_per_token", 1.0),
        ),
        vocabulary=_get(row, "vocabulary"),
        kv_heads=kv_heads,
        cached_values=cached,
        decode_flop=decode,
        prompt_flop=prompt,
        window=window or math.inf,
        windowed=sliding / layers if window else 0.0,
        context_limit=_get(row, "context_limit", math.inf),
        mixture=bool(experts),
    )


def _attention(row: pd.Series, layers: float, heads: float) -> tuple[float, float, float, float]:
    """Numbers cached for a token, heads to split by, arithmetic of decoding and of a prompt."""
    head, latent = _get(row, "head_size"), _get(row, "latent_size", 0.0)
    caching = _get(row, "layers_with_cache", layers)
    if latent:
        rope = _get(row, "rope_head_size", 0.0)
        cached = kvcache.latent_cache_bytes_per_token(
            caching, latent, rope_head_size=rope, bytes_per_value=1
        )
        decode = kvcache.latent_attention_flop(
            caching, heads, latent_size=latent, rope_head_size=rope, context=1
        )
        # Keys with their rotated part and values, expanded for every head.
        wide = (head + rope + _get(row, "value_head_size", head)) / 2
        prompt = kvcache.attention_flop(caching, heads, head_size=wide, context=1)
        return float(cached), 1.0, float(decode), float(prompt)
    kv_heads = _get(row, "kv_heads")
    cached = kvcache.cache_bytes_per_token(caching, kv_heads, head_size=head, bytes_per_value=1)
    flop = float(kvcache.attention_flop(caching, heads, head_size=head, context=1))
    return float(cached), kv_heads, flop, flop


def device_of(machine: Any) -> Device:
    """One device of a machine as a step sees it.

    Args:
        machine: name, key or alias, a row of the machine table, or a mapping with its columns;
            memory_bandwidth and peak_rate_fp16 are the least that it needs.

    Raises:
        ValueError: the machine is unknown or its row lacks a quantity.

    Example:
        >>> device = device_of("H100 SXM")
        >>> [round(float(rate) / 1e12) for rate, _ in map(device.rate, (16, 8, 4.25))]
        [989, 1979, 1979]
    """
    if isinstance(machine, Device):
        return machine
    if isinstance(machine, str):
        return _named_device(machine)
    return _device(_row("machines", machine))


@functools.cache
def _named_device(name: str) -> Device:
    return _device(data.machine(name))


@functools.cache
def _rents() -> pd.DataFrame:
    chosen = data.chosen("machines")
    return chosen[chosen["quantity"] == "rental_price"].set_index("key")


def _halves(row: pd.Series) -> bool:
    """Consumer boards of one vendor sum 32 bits at half the rate of 16, and the table has 32."""
    return (
        row.get("category") == "gpu-consumer"
        and row.get("vendor") == "NVIDIA"
        and not math.isnan(_get(row, "peak_rate_fp16"))
    )


def _device(row: pd.Series) -> Device:
    bandwidth = _get(row, "memory_bandwidth")
    if math.isnan(bandwidth):
        raise ValueError(f"{row.get('name', row.name)} has no memory_bandwidth in its table")
    fp32 = _get(row, "peak_rate_fp32")
    rates = {
        32: fp32,
        16: _get(row, "peak_rate_fp16", fp32),
        8: _get(row, "peak_rate_fp8", _get(row, "peak_rate_int8")),
        4: _get(row, "peak_rate_fp4"),
    }
    rates = {bits: rate for bits, rate in rates.items() if not math.isnan(rate)}
    if 16 not in rates:
        # Half the bits, twice the rate; vector units where no narrower rate is known either.
        narrow = [rate * bits / 16 for bits, rate in rates.items() if bits < 16]
        rates[16] = min(narrow, default=bandwidth * _VECTOR_FLOP_PER_BYTE)
    rates = {bits: rate for bits, rate in rates.items() if bits >= 16 or rate > rates[16]}
    rent = _get(row, "rental_price")
    low, high = rent, rent
    if str(row.name) in _rents().index and not math.isnan(rent):
        stored = _rents().loc[str(row.name)]
        low, high = (float(stored[f"si_{end}"]) for end in ("low", "high"))
        low, high = (rent if math.isnan(end) else end for end in (low, high))
    return Device(
        key=str(row.name),
        name=str(row.get("name", row.name)),
        category=str(row.get("category", "")),
        vendor=str(row.get("vendor", "")),
        bandwidth=bandwidth,
        capacity=_get(row, "memory_capacity"),
        rates=rates,
        float8=not math.isnan(_get(row, "peak_rate_fp8")) and 8 in rates,
        integer_rate=_get(row, "peak_rate_int8", rates.get(8, rates[16])),
        half_rate=rates[16] * (2.0 if _halves(row) else 1.0),
        vector_rate=fp32
        if not math.isnan(fp32)
        else min(rates[16], bandwidth * _VECTOR_FLOP_PER_BYTE),
        link_bandwidth=_get(row, "link_bandwidth", _HOST_LINK),
        link_domain=_get(row, "link_domain", 1.0),
        tdp=_get(row, "tdp"),
        rent=rent,
        rent_low=low,
        rent_high=high,
    )

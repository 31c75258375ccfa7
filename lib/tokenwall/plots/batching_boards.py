"""Explorables of batched decoding: their axes, what moves on them, and real settings to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Min, Symbol, log, sympify

from tokenwall import style
from tokenwall.equation import symbol
from tokenwall.explorable import Curve, Marker, Move, Preset, Readout, Slider, Text, VLine
from tokenwall.kvcache import (
    cache_bytes_per_token,
    largest_batch,
    latent_cache_bytes_per_token,
    sliding_cache_bytes,
)
from tokenwall.plots.board import Board
from tokenwall.roofline import batch_token_rate, critical_batch, decode_step_time
from tokenwall.scenario import cache_bytes_of, machine_presets, model_presets
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FRONTIER = ((1.0, 1000.0), (30.0, 3e5))
DIAL_CONTEXT = (256.0, 262144.0)
DIAL_CACHE = (1e6, 2e12)
FRONTIER_MACHINES = ("h100-sxm", "a100-sxm-80gb", "h200-sxm", "b200", "mi300x", "rtx-4090", "gb10")
FRONTIER_MODELS = (
    "llama-3.1-8b",
    "llama-2-7b",
    "llama-3.1-70b",
    "llama-3.1-405b",
    "deepseek-v3",
)
FRONTIER_SLIDERS = (
    Slider("batch", "Readers in the batch", "1", 1, 4096, 16, whole=True),
    Slider("context", "Context of each reader", "token", 128, 131072, 8192, whole=True),
    Slider("bytes_per_weight", "Bytes of a weight", "B", values=[0.5, 1, 2], default=2),
    Slider("devices", "Devices that share the work", values=[1, 2, 4, 8, 16, 32, 72], default=1),
)

NO_ROOM = "not even one reader fits beside the weights"


def frontier_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of the frontier: all readers' rate over one reader's, with what moves on them.

    The curve that fits is named "fits", the one with memory without end "endless", the point of
    the present batch "here" and its label "here-label", the full machine "full".

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 4.4))
    (xlow, xhigh), (ylow, yhigh) = FRONTIER
    ax.set(xscale="log", yscale="log", xlim=(xlow, xhigh), ylim=(ylow, yhigh))
    ax.plot([1, 1], [1, 1], color=style.MUTED, lw=1.1, ls=(0, (2, 2)), gid="endless")
    ax.plot([1, 1], [1, 1], color=style.MEMORY, gid="fits")
    ax.plot([30], [1e3], "s", color=style.MEMORY, ms=7, gid="full")
    ax.text(30, 1e3, "", color=style.MEMORY, ha="right", va="bottom", gid="full-label")
    ax.plot([30], [1e3], "o", color=style.COMPUTE, ms=9, gid="here")
    ax.text(30, 1e3, "", color=style.COMPUTE, ha="right", va="top", gid="here-label")
    gap = "\n" if narrow else " "
    ax.set_title(f"More readers, more tokens,{gap}each reader slower")
    ax.set_xlabel("tokens per second of one reader")
    ax.set_ylabel("tokens per second of all")
    style.unit_axis(ax.xaxis, "1")
    style.unit_axis(ax.yaxis, "1")
    return fig


def frontier(machines: pd.DataFrame, models: pd.DataFrame) -> Board:
    """All readers' rate over one reader's, as the batch grows, for machines and models to choose.

    Args:
        machines: the machine table.
        models: the model table.
    """
    names = ("batch", "context", "bytes_per_weight", "bandwidth", "capacity", "peak_rate")
    batch, context, size, bandwidth, capacity, peak = (symbol(name) for name in names)
    held = symbol("parameters") * size
    devices, cache = Symbol("devices", positive=True), symbol("cache_bytes_per_token")
    cost = {
        "weight_bytes": held,
        "cache_bytes_per_token": cache,
        "active_parameters": symbol("active_parameters"),
        "bandwidth": devices * bandwidth,
        "peak_rate": devices * peak,
    }
    most = largest_batch(devices * capacity, held, context=context, cache_bytes_per_token=cache)

    def place(readers: Any) -> tuple[Any, Any]:
        return (
            1 / decode_step_time(readers, context, **cost),
            batch_token_rate(readers, context, **cost),
        )

    grid = ("batch", np.geomspace(1, 16384, 160))
    one, every = place(batch)
    one_fit, every_fit = place(Min(batch, most))
    one_full, every_full = place(most)
    moves: list[Move] = [
        Curve("endless", x=grid, y=every, along=one),
        Curve("fits", x=grid, y=every_fit, along=one_fit),
        Marker("full", x=one_full, y=every_full),
        Text(
            "full-label",
            x=one_full * 0.94,
            y=every_full * 1.2,
            value=most,
            template="full: {} readers",
        ),
        Marker("here", x=one_fit, y=every_fit),
        Text(
            "here-label",
            x=one_fit * 0.95,
            y=every_fit * 0.82,
            value=Min(batch, most),
            template="{} readers",
        ),
    ]
    traffic = devices * bandwidth
    # Nothing, but without a finite value where not one sequence fits.
    unless_empty = log(most) * 1e-300
    readouts = [
        Readout("One reader", one_fit + unless_empty, "token/s", missing=NO_ROOM),
        Readout("All readers", every_fit + unless_empty, "token/s", missing=NO_ROOM),
        Readout("Largest batch that fits", most),
        Readout(
            "Critical batch",
            critical_batch(
                peak,
                bandwidth,
                bytes_per_weight=size,
                active_fraction=symbol("active_parameters") / symbol("parameters"),
            ),
        ),
        Readout("Time to read the weights", held / traffic, "s"),
        Readout("Time to read the caches", Min(batch, most) * context * cache / traffic, "s"),
        Readout(
            "Time of the arithmetic",
            2 * symbol("active_parameters") * Min(batch, most) / (devices * peak),
            "s",
        ),
    ]
    rows = [
        *machine_presets(
            [m for m in FRONTIER_MACHINES if m in machines.index],
            ["bandwidth", "capacity", "peak_rate"],
        ),
        *model_presets(
            [m for m in FRONTIER_MODELS if m in models.index],
            ["parameters", "active_parameters", "cache_bytes_per_token"],
        ),
    ]
    presets = [Preset(row.group, row.label, row.values, row.key) for row in rows]
    first = [next(row for row in rows if row.group == group) for group in ("machine", "model")]
    fixed = {**first[0].values, **first[1].values}
    alt = (
        f"Tokens per second of all readers over those of one, both logarithmic, for "
        f"{first[1].label} on {first[0].label}. As the batch grows the curve climbs to the left "
        f"and flattens; its solid part ends where memory is full."
    )
    caption = (
        "A bound: no overheads, links between devices cost nothing, all weights are read in each "
        "step, the cache has 16 bits, and arithmetic runs at the dense 16-bit rate."
    )
    return Board(moves, readouts, presets, fixed, alt, [], caption)


def context_axes(labels: Sequence[str], *, narrow: bool = False) -> Figure:
    """Empty axes of the cache dial: cache of one sequence over its context.

    The curves are named "cache-0", "cache-1", ... with labels "name-0", ...; the line of the
    present context is named "context".

    Args:
        labels: of the curves.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 4.4))
    ax.set(xscale="log", yscale="log", xlim=DIAL_CONTEXT, ylim=DIAL_CACHE)
    colours = [style.MEMORY, style.COMPUTE, style.NETWORK, style.ENERGY, style.NEUTRAL]
    for number, label in enumerate(labels):
        colour = colours[number % len(colours)]
        ax.plot([1e3, 1e3], [1e9, 1e9], color=colour, gid=f"cache-{number}", lw=1.8)
        ax.text(290, 1e9, label, color=colour, va="top", gid=f"name-{number}")
    ax.axhline(80e9, color=style.MUTED, lw=1)
    ax.text(290, 88e9, "one 80 GB accelerator", color=style.MUTED, va="bottom")
    ax.axvline(8192, color=style.MUTED, lw=1.2, ls=(0, (4, 2)), gid="context")
    ax.set_title("Every token stays, for every reader")
    ax.set_xlabel("tokens in the cache")
    ax.set_ylabel("cache of one reader")
    style.unit_axis(ax.xaxis, "1")
    style.unit_axis(ax.yaxis, "B")
    return fig


def context_dial(models: pd.DataFrame, keys: Sequence[str]) -> Board:
    """The cache of one sequence of several models over its context.

    Args:
        models: the model table.
        keys: of the models, at most five.
    """
    context, size = symbol("context"), symbol("bytes_per_value")
    grid = ("context", np.geomspace(*DIAL_CONTEXT, 60))
    moves: list[Move] = [VLine("context", x=context)]
    readouts = []
    for number, key in enumerate(keys):
        row = models.loc[key]
        total = _cache_expression(row, context, size)
        start = total.subs(context, DIAL_CONTEXT[0])
        moves.append(Curve(f"cache-{number}", x=grid, y=total))
        moves.append(Text(f"name-{number}", y=start))
        readouts.append(Readout(str(row["name"]), total, "B"))
    labels = [str(models.loc[key, "name"]) for key in keys]
    at = {
        name: cache_bytes_of(models.loc[key], 8192) for name, key in zip(labels, keys, strict=True)
    }
    listed = "; ".join(f"{name}, {engineering(value, 'B')}" for name, value in at.items())
    alt = (
        "Cache of one reader over the context, straight lines on logarithmic axes. "
        f"At 8,192 tokens: {listed}."
    )
    presets = [
        Preset("length", label, {"context": tokens})
        for label, tokens in (("A question", 512), ("A long chat", 8192), ("A novel", 131072))
    ]
    return Board(moves, readouts, presets, {}, alt, labels)


def _cache_expression(row: Any, context: Any, size: Any) -> Any:
    """Cache of one sequence as an expression in its context and the bytes of a number."""
    if row["latent_size"] == row["latent_size"]:
        rope = row["rope_head_size"]
        counts = {"rope_head_size": sympify(int(rope)), "bytes_per_value": size}
        each = latent_cache_bytes_per_token(
            sympify(int(row["layers"])), sympify(int(row["latent_size"])), **counts
        )
        return each * context
    layers, heads, width = (int(row[key]) for key in ("layers", "kv_heads", "head_size"))
    sliding = row["sliding_layers"]
    if sliding == sliding and sliding > 0:
        return sliding_cache_bytes(
            context,
            sympify(int(row["sliding_window"])),
            full_layers=sympify(layers - int(sliding)),
            sliding_layers=sympify(int(sliding)),
            kv_heads=sympify(heads),
            head_size=sympify(width),
            bytes_per_value=size,
        )
    each = cache_bytes_per_token(
        sympify(layers), sympify(heads), head_size=sympify(width), bytes_per_value=size
    )
    return each * context

"""Figures of sweeps: machines side by side, the spread of a prediction, and what makes it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenwall import style
from tokenwall.units import engineering

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

# Inputs as words; the others are named as in the tables.
_WORDS = {
    "step_residual": "what no constant explains, in a step",
    "prompt_residual": "what no constant explains, in a prompt",
    "exposed_fraction": "share of exchanges that nothing hides",
    "overhead_per_step": "time of a step without work",
    "overhead_per_layer": "time of a layer without work",
    "overhead_per_sequence": "time for each sequence",
    "round_latency": "time of one round of an exchange",
    "rental_price": "rent of a device",
    "power_share": "share of the rated power drawn",
    "bandwidth_fraction": "share of the memory's bandwidth",
    "cache_fraction": "share of the bandwidth for caches",
    "compute_fraction": "share of the arithmetic, decoding",
    "prompt_fraction": "share of the arithmetic, prompts",
    "link_fraction": "share of the link's bandwidth",
    "eight_bit_factor": "gain of 8-bit arithmetic",
    "memory_bandwidth": "bandwidth of the memory",
    "peak_rate_fp16": "rate of the arithmetic",
}
# Below this share of the variance a bar cannot be seen.
_VISIBLE = 0.005


def _title(ax: Any, text: str, narrow: bool) -> None:
    ax.set_title(textwrap.fill(text, 38 if narrow else 92))


def words_of(name: str) -> str:
    """An uncertain input in words.

    Args:
        name: as in the rows of `ranking`.
    """
    return _WORDS.get(name, name.replace("_", " "))


def busiest(found: xr.Dataset) -> tuple[str, float, float]:
    """The machine that makes most tokens a second of what fits, how many, and at which batch.

    Args:
        found: a sweep over machine and batch, with decode_tokens_per_second and fits.
    """
    rates = found["decode_tokens_per_second"].where(found["fits"]).transpose("machine", "batch")
    values = np.nan_to_num(rates.values)
    machine, place = np.unravel_index(int(values.argmax()), values.shape)
    name, batch = found["machine"].values[machine], found["batch"].values[place]
    return str(name), float(values[machine, place]), float(batch)


def _apart(values: npt.ArrayLike, ratio: float) -> list[float]:
    """Heights on a logarithmic axis, moved up where two labels would touch."""
    heights = np.array(values, dtype=float)
    below = 0.0
    for place in np.argsort(heights):
        heights[place] = below = max(float(heights[place]), below * ratio)
    return [float(height) for height in heights]


def machines_figure(found: xr.Dataset, *, narrow: bool = False) -> Figure:
    """Rate of all users against the batch, a line for each machine; dotted where it does not fit.

    Args:
        found: a sweep over machine and batch, with decode_tokens_per_second and fits.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow)
    batch = found["batch"].values
    ax.set(xscale="log", yscale="log", xlim=(batch[0], batch[-1] * (12 if narrow else 4)))
    last = found["decode_tokens_per_second"].isel(batch=-1).values
    heights = _apart(last, 1.35 if narrow else 1.22)
    for place, name in enumerate(found["machine"].values):
        here = found.isel(machine=place)
        rates, fits = here["decode_tokens_per_second"].values, here["fits"].values
        shade = style.MEMORY if place == 0 else style.NEUTRAL
        ax.plot(batch, np.where(fits, rates, np.nan), color=shade)
        ax.plot(batch, rates, color=shade, ls=":", lw=1)
        ax.annotate(
            str(name),
            (batch[-1], heights[place]),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=shade,
            fontsize=8,
        )
    style.unit_axis(ax.xaxis)
    style.unit_axis(ax.yaxis)
    ax.set_xlabel("sequences at a time")
    ax.set_ylabel("tokens per second of all")
    name, most, at = busiest(found)
    words = f"{name} makes most: {engineering(most, digits=2)} tokens per second"
    _title(ax, f"{words} at {engineering(at)} sequences", narrow)
    return fig


def machines_alt(found: xr.Dataset) -> str:
    """The figure in words.

    Args:
        found: as for `machines_figure`.
    """
    parts = []
    for place, name in enumerate(found["machine"].values):
        here = found.isel(machine=place)
        ends = [float(here["decode_tokens_per_second"].values[i]) for i in (0, -1)]
        fits = here["batch"].values[here["fits"].values]
        room = f"fits up to {engineering(float(fits[-1]))}" if len(fits) else "fits none"
        first, last = (engineering(end, "token/s") for end in ends)
        parts.append(f"{name} from {first} to {last}, {room}")
    low, high = (engineering(float(found["batch"].values[i])) for i in (0, -1))
    return (
        f"Tokens per second of all sequences against the batch, {low} to {high}, both "
        f"logarithmic: {'; '.join(parts)}."
    )


def spread_figure(drawn: Mapping[str, xr.Dataset], *, narrow: bool = False) -> Figure:
    """Where nine tenths of the draws lie, against the batch, for each set of uncertain inputs.

    Args:
        drawn: label to quantiles 0.05, 0.5 and 0.95 of tokens_per_second over the batch; the
            widest first.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow)
    ax.set(xscale="log", yscale="log")
    for number, (label, ends) in enumerate(drawn.items()):
        rates = ends["tokens_per_second"]
        low, middle, high = (rates.isel(quantile=i).values for i in range(3))
        batch = rates["batch"].values
        colour = style.NEUTRAL if number == 0 else style.MEMORY
        ax.fill_between(batch, low, high, color=colour, alpha=0.22 + 0.2 * number, lw=0)
        ax.plot(batch, middle, color=colour, lw=1.2)
        text = f"{label}: × {spread_factor(ends):.2g} either way"
        ax.text(
            0.03,
            0.92 - (0.16 if narrow else 0.08) * number,
            textwrap.fill(text, 30) if narrow else text,
            transform=ax.transAxes,
            color=colour,
            va="top",
            fontsize=8.5,
        )
    style.unit_axis(ax.xaxis)
    style.unit_axis(ax.yaxis)
    ax.set_xlabel("sequences at a time")
    ax.set_ylabel("tokens per second")
    widths = [spread_factor(ends) for ends in drawn.values()]
    more = np.log(widths[-1]) / np.log(widths[0])
    _title(ax, f"The engine's constants alone give a band {more:.0%} as wide", narrow)
    return fig


def spread_factor(ends: xr.Dataset) -> float:
    """Half the spread of nine tenths of the draws as a factor, at the middle of the axis.

    Args:
        ends: quantiles 0.05, 0.5 and 0.95 of tokens_per_second over the batch.
    """
    rates = ends["tokens_per_second"]
    place = rates.sizes["batch"] // 2
    column = rates.isel(batch=place)
    return float(np.sqrt(column.isel(quantile=2) / column.isel(quantile=0)))


def spread_alt(drawn: Mapping[str, xr.Dataset]) -> str:
    """The figure in words.

    Args:
        drawn: as for `spread_figure`.
    """
    parts = []
    for label, ends in drawn.items():
        rates = ends["tokens_per_second"]
        for place in (0, -1):
            low, middle, high = (
                engineering(float(rates.isel(quantile=i).values[place])) for i in range(3)
            )
            batch = engineering(float(rates["batch"].values[place]))
            parts.append(f"{label}, batch {batch}: {middle}, from {low} to {high}")
    return (
        "Tokens per second against the batch, median and the band of nine tenths of the draws. "
        f"{'; '.join(parts)}."
    )


def ranking_figure(table: pd.DataFrame, *, most: int = 6, narrow: bool = False) -> Figure:
    """What each input does: its share of the variance, and the result at its two ends.

    Args:
        table: as `ranking` makes it.
        most: inputs shown.
        narrow: for a phone's width.
    """
    shown = table[table["total"] > _VISIBLE].head(most)
    rows = len(shown)
    size = (3.6, 1.0 * rows + 2.2) if narrow else (7.2, 0.5 * rows + 1.5)
    layout = {"nrows": 2} if narrow else {"ncols": 2}
    fig, (left, right) = style.figure(narrow, figsize=size, **layout)
    every = shown[["at_low", "at_high"]].to_numpy()
    start = min(every.min(), 0.5) * 0.9
    right.set_xlim(start, max(every.max(), 1.5) * 1.05)
    for place, (name, row) in enumerate(shown.iterrows()):
        first = max(row["first"], 0.0)
        left.barh(place, row["total"], height=0.3, color=style.NEUTRAL, alpha=0.35)
        left.barh(place, first, height=0.3, color=style.NEUTRAL)
        ends = sorted((row["at_low"], row["at_high"]))
        right.barh(place, ends[1] - ends[0], left=ends[0], height=0.3, color=style.NEUTRAL)
        right.plot([1, 1], [place - 0.15, place + 0.15], color=style.INK, lw=1)
        left.text(0, place - 0.22, words_of(str(name)), fontsize=8, va="bottom")
        text = f"× {ends[0]:.2f} to {ends[1]:.2f}"
        text = f"{words_of(str(name))}: {text}" if narrow else text
        right.text(start, place - 0.22, text, fontsize=8, va="bottom")
    for ax in (left, right):
        ax.set_ylim(rows - 0.5, -0.9)
        ax.set_yticks([])
        ax.grid(False, axis="y")
        ax.spines["left"].set_visible(False)
    left.set_xlim(0, 1)
    left.set_xlabel("share of the variance, faint: with others")
    right.set_xlabel("factor on the result at either end")
    top = shown.iloc[0]
    _title(left, f"Most comes from {words_of(str(shown.index[0]))}: {top['total']:.0%}", True)
    right.set_title("One input at a time", fontweight="normal")
    return fig


def ranking_alt(table: pd.DataFrame, *, most: int = 6) -> str:
    """The figure in words.

    Args:
        table: as for `ranking_figure`.
        most: inputs shown.
    """
    shown = table[table["total"] > _VISIBLE].head(most)
    parts = [
        f"{words_of(str(name))}: {max(row['first'], 0):.0%} alone, {row['total']:.0%} with others, "
        f"the result times {row['at_low']:.2f} at its low end and {row['at_high']:.2f} at its high"
        for name, row in shown.iterrows()
    ]
    return f"Shares of the variance and factors by input. {'; '.join(parts)}."

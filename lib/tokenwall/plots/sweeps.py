"""Figures of sweeps: machines side by side, the spread of a prediction, and what makes it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenwall import style
from tokenwall.units import engineering

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def trade(found: xr.Dataset) -> tuple[str, str, float, float]:
    """Who leads at the smallest and at the largest batch, and by what factor over the next.

    Args:
        found: a sweep over machine and batch, with decode_tokens_per_second.
    """
    rates = found["decode_tokens_per_second"].where(found["fits"])
    ends = []
    for place in (0, -1):
        column = rates.isel(batch=place)
        order = np.argsort(-np.nan_to_num(column.values))
        first, second = column.values[order[:2]]
        ends.append((str(found["machine_name"].values[order[0]]), float(first / second)))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def machines_figure(found: xr.Dataset, *, narrow: bool = False) -> Figure:
    """Rate of all users against the batch, a line for each machine; dotted where it does not fit.

    Args:
        found: a sweep over machine and batch, with decode_tokens_per_second and fits.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow)
    batch = found["batch"].values
    ax.set(xscale="log", yscale="log", xlim=(batch[0], batch[-1] * (12 if narrow else 4)))
    for place, name in enumerate(found["machine_name"].values):
        here = found.isel(machine=place)
        rates, fits = here["decode_tokens_per_second"].values, here["fits"].values
        shade = style.MEMORY if place == 0 else style.NEUTRAL
        ax.plot(batch, np.where(fits, rates, np.nan), color=shade)
        ax.plot(batch, rates, color=shade, ls=":", lw=1)
        ax.annotate(
            textwrap.fill(str(name), 14) if narrow else str(name),
            (batch[-1], rates[-1]),
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
    few, many, _, lead = trade(found)
    same = "leads throughout" if few == many else f"leads when alone, {many} when full"
    _title(ax, f"{few} {same}, by a factor of {engineering(lead, digits=2)}", narrow)
    return fig


def machines_alt(found: xr.Dataset) -> str:
    """The figure in words.

    Args:
        found: as for `machines_figure`.
    """
    parts = []
    for place, name in enumerate(found["machine_name"].values):
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
    heights = (0.86, 0.55, 0.3)
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
            heights[0] - 0.14 * number,
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
    _title(ax, f"The engine's constants alone make {more:.0%} of the spread", narrow)
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
    for place, (name, row) in enumerate(shown.iterrows()):
        first = max(row["first"], 0.0)
        left.barh(place, row["total"], height=0.3, color=style.NEUTRAL, alpha=0.35)
        left.barh(place, first, height=0.3, color=style.NEUTRAL)
        ends = sorted((row["at_low"], row["at_high"]))
        right.barh(place, ends[1] - ends[0], left=ends[0], height=0.3, color=style.NEUTRAL)
        for ax, at in ((left, 0.0), (right, None)):
            if at is None and not narrow:
                continue
            x = 0.0 if at is not None else right.get_xlim()[0]
            if ax is left:
                ax.text(x, place - 0.22, words_of(str(name)), fontsize=8, va="bottom")
        text = f"× {ends[0]:.2f} to {ends[1]:.2f}"
        right.text(1.0, place - 0.22, text, fontsize=8, va="bottom", ha="center")
    for ax in (left, right):
        ax.set_ylim(rows - 0.5, -0.9)
        ax.set_yticks([])
        ax.grid(False, axis="y")
        ax.spines["left"].set_visible(False)
    left.set_xlim(0, 1)
    left.set_xlabel("share of the variance: dark alone, pale with others")
    ends = shown[["at_low", "at_high"]].to_numpy()
    right.set_xlim(min(ends.min(), 0.5) * 0.9, max(ends.max(), 1.5) * 1.05)
    right.axvline(1, color=style.MUTED, lw=1)
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

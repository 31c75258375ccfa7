"""Figures of joules: the ladder, erasing a bit in haste, and served tokens against their batch."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import k

from tokenwall import style
from tokenwall.energy import finite_time_erasure_energy, served_energy_per_token, simulate_erasure
from tokenwall.plots.energy_tables import SERIES
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KIND = {
    "floor": style.NEUTRAL,
    "silicon": style.COMPUTE,
    "brain": style.NETWORK,
    "token": style.ENERGY,
}
_SERIES_COLOUR = {
    "llama-3.1-405b-8xb200": style.MEMORY,
    "llama-3.1-70b-4xh100": style.ENERGY,
    "llama-3.1-70b-2xb200": style.COMPUTE,
    "llama-3.1-8b-1xh100": style.NETWORK,
    "llama-3.1-8b-1xb200": style.MUTED,
}

_SERIES_PLACE = {
    "llama-3.1-405b-8xb200": ((0, 9), "center", "bottom"),
    "llama-3.1-70b-4xh100": ((6, 2), "left", "bottom"),
    "llama-3.1-70b-2xb200": ((0, -8), "center", "top"),
    "llama-3.1-8b-1xh100": ((6, 3), "left", "center"),
    "llama-3.1-8b-1xb200": ((6, 5), "left", "center"),
}


def title(ax: Axes, text: str, narrow: bool) -> None:
    """Set a title that fits its figure's width.

    Args:
        ax: the axes.
        text: the finding.
        narrow: for a phone's width.
    """
    ax.set_title(textwrap.fill(text, 38 if narrow else 92))


def ladder_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Energies one below the other on one logarithmic axis.

    Args:
        table: as `ladder` makes it.
        narrow: for a phone's width.
    """
    height = (0.5 if narrow else 0.34) * len(table) + 1.3
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], height))
    ax.set(
        xscale="log", xlim=(table["low"].min() / 5, table["high"].max() * (30 if narrow else 20))
    )
    for place, row in enumerate(table.itertuples(index=False)):
        colour = _KIND[str(row.kind)]
        style.interval(ax, row.estimate, place, colour=colour, width=1.4)
        ax.plot([row.value], [place], "o", color=colour)
        left = place > len(table) / 2
        words = f"{row.label}, {engineering(float(row.value), 'J')}"
        edge = row.low if left else row.high
        ax.annotate(
            textwrap.fill(words, 26) if narrow else words,
            (edge, place),
            (-7 if left else 7, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=8 if narrow else 9,
            color=colour,
        )
    ax.set_yticks([])
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    style.unit_axis(ax.xaxis, "J")
    if narrow:
        ax.set_xticks(10.0 ** np.arange(-21, 4, 6))
    ax.set_xlabel("energy")
    style.interval_legend(fig, list(table["estimate"]), columns=2)
    powers = np.log10(table["value"].max() / table["value"].min())
    title(ax, f"From one bit's heat to one prompt: {powers:.0f} powers of ten", narrow)
    return fig


def ladder_alt(table: pd.DataFrame) -> str:
    """The ladder in words.

    Args:
        table: as `ladder` makes it.
    """
    rungs = "; ".join(
        f"{row.label}, {engineering(float(row.value), 'J')}"
        for row in table.itertuples(index=False)
    )
    return (
        f"Energies on a logarithmic axis, from least to most: {rungs}. "
        f"{style.interval_words(table['estimate'])}"
    )


def erasure_figure(*, narrow: bool = False) -> Figure:
    """Work of erasing one bit against the time it takes: formula and simulation.

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 3.4))
    times = np.geomspace(5, 1000, 120)
    points = np.array([5, 10, 30, 100, 300, 1000.0])
    law = finite_time_erasure_energy(1, times, relaxation_time=1) / k
    work = [simulate_erasure(float(time), steps=4000) for time in points]
    ax.set(xscale="log", xlim=(4.5, 1300), ylim=(0, 2.1))
    ax.plot(times, law, color=style.ENERGY)
    ax.plot(points, work, "o", color=style.INK, ms=5)
    ax.axhline(np.log(2), color=style.NEUTRAL, lw=1.2)
    ax.text(5, np.log(2) - 0.05, "ln 2", color=style.NEUTRAL, va="top")
    ax.text(13, 0.94, "formula", color=style.ENERGY)
    ax.text(6, 1.75, "dots: two states, step by step", color=style.INK)
    ax.set_xlabel("time of the erasure, in relaxation times of the bit")
    ax.set_ylabel("work over k T")
    style.unit_axis(ax.xaxis, "1")
    over = 100 * (work[3] / np.log(2) - 1)
    title(
        ax,
        f"Haste costs little: {points[3]:.0f} relaxation times come within {over:.0f} % of "
        "k T ln 2",
        narrow,
    )
    return fig


def erasure_alt() -> str:
    """The figure in words."""
    ends = [(time, simulate_erasure(time, steps=4000)) for time in (5.0, 100.0, 1000.0)]
    said = "; ".join(f"{work:.2f} k T in {time:.0f}" for time, work in ends)
    return (
        "Work of erasing one bit over the time it takes, which is logarithmic. Simulated: "
        f"{said} relaxation times. The formula falls to ln 2. Where the time is short the "
        "simulated way costs more than the formula, which holds for slow erasures."
    )


def served_figure(
    runs: pd.DataFrame, fits: pd.DataFrame, priced: pd.DataFrame, *, narrow: bool = False
) -> Figure:
    """Measured joules of a token over the batch, the law through every second point, and prices.

    Args:
        runs: as `token_energies` gives them.
        fits: as `served_fits` makes it.
        priced: as `priced` makes it.
        narrow: for a phone's width.
    """
    size = (style.NARROW[0], 4.4) if narrow else (style.WIDE[0], 4.6)
    fig, ax = style.figure(narrow, figsize=size)
    ax.set(xscale="log", yscale="log", xlim=(6, 20000 if narrow else 8000), ylim=(0.02, 60))
    grid = np.geomspace(8, 4000, 60)
    for series, label in SERIES.items():
        colour, part = _SERIES_COLOUR[series], runs[runs["series"] == series].sort_values("batch")
        row = fits.loc[series]
        law = served_energy_per_token(grid, row["step"], energy_floor=row["floor"])
        inside = grid <= part["batch"].max() * 1.02
        ax.plot(grid[inside], law[inside], color=colour, lw=1.5)
        seen, unseen = part.iloc[::2], part.iloc[1::2]
        ax.plot(seen["batch"], seen["value"], "o", color=colour, ms=5)
        ax.plot(unseen["batch"], unseen["value"], "o", color=colour, ms=5, mfc="none")
        last, (shift, side, level) = part.iloc[-1], _SERIES_PLACE[series]
        ax.annotate(
            label,
            (last["batch"], last["value"]),
            shift,
            textcoords="offset points",
            ha=side,
            va=level,
            color=colour,
            fontsize=8 if narrow else 9,
        )
    total = priced["moving"] + priced["computing"]
    ax.plot(priced["batch"], total, color=style.NEUTRAL, ls=(0, (3, 2)), lw=1.4)
    ax.annotate(
        "memory and operators\nof the 70 billion",
        (float(priced["batch"].iloc[-1]), float(total.iloc[-1])),
        (5, 4),
        textcoords="offset points",
        va="top",
        fontsize=8 if narrow else 9,
        color=style.NEUTRAL,
    )
    ax.set_xlabel("sequences in flight")
    ax.set_ylabel("accelerators' joules for each token")
    style.unit_axis(ax.xaxis, "1")
    style.unit_axis(ax.yaxis, "1")
    most = 100 * priced["share"].max()
    title(ax, f"Moving and computing, at published prices, are at most {most:.0f} % of it", narrow)
    return fig


def served_alt(runs: pd.DataFrame, fits: pd.DataFrame, priced: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        runs: as `token_energies` gives them.
        fits: as `served_fits` makes it.
        priced: as `priced` makes it.
    """
    parts = []
    for series, label in SERIES.items():
        part = runs[runs["series"] == series].sort_values("batch")
        first, last = part.iloc[0], part.iloc[-1]
        named = label.replace(",", " parameters on")
        parts.append(
            f"{named}, {first['value']:.3g} J at a batch of {first['batch']:.0f} and "
            f"{last['value']:.3g} J at {last['batch']:.0f}, the law misses "
            f"{100 * fits.loc[series, 'median_miss']:.0f} % in the median"
        )
    ends = priced.iloc[[0, -1]]
    total = ends["moving"] + ends["computing"]
    return (
        f"Joules of a token over the batch, both logarithmic: {'; '.join(parts)}. The dashed line "
        f"of published prices for 70 billion falls from {total.iloc[0]:.2g} J to "
        f"{total.iloc[1]:.2g} J."
    )

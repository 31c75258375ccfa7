"""Figures of the brain beside the rack: who makes more of a joule, and how sure that is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from tokenwall import style
from tokenwall.plots.energy import title
from tokenwall.units import engineering

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pandas as pd
    from matplotlib.figure import Figure

AHEAD = 0.95


def _colour(chance: float) -> str:
    if chance >= AHEAD:
        return style.NETWORK
    return style.ENERGY if chance <= 1 - AHEAD else style.NEUTRAL


def verdicts(table: pd.DataFrame) -> dict[str, int]:
    """How many axes the brain wins, the rack wins, and nobody surely wins.

    Args:
        table: as `comparison` makes it.
    """
    brain = int((table["chance"] >= AHEAD).sum())
    rack = int((table["chance"] <= 1 - AHEAD).sum())
    return {"brain": brain, "rack": rack, "open": len(table) - brain - rack}


def comparison_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Brain over rack for each joule, axis by axis, with the spread of the estimates.

    Args:
        table: as `comparison` makes it.
        narrow: for a phone's width.
    """
    height = (0.52 if narrow else 0.36) * len(table) + 1.5
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], height))
    ax.set(xscale="log", xlim=(1e-6 if narrow else 1e-11, table["high"].max() * 40))
    for place, row in enumerate(table.itertuples(index=False)):
        colour = _colour(row.chance)
        ax.plot([row.low, row.high], [place, place], color=colour, lw=1.6)
        ax.plot([row.ratio], [place], "o", color=colour)
        if narrow:
            ax.text(1.3e-6, place - 0.36, row.axis, color=colour, fontsize=8, va="center")
        else:
            ax.text(1.5e-11, place, row.axis, color=colour, va="center")
        ax.annotate(
            _percent(row.chance),
            (row.high, place),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8,
        )
    ax.axvline(1, color=style.MUTED, lw=1)
    ax.set_ylim(len(table) - 0.3, -1.5)
    ax.text(0.8, -1.0, "rack ahead", ha="right", color=style.ENERGY)
    ax.text(1.25, -1.0, "brain ahead", color=style.NETWORK)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.set_xlabel(
        "brain over rack for each joule"
        if narrow
        else "brain over rack for each joule; beside it the chance that the brain is ahead"
    )
    found = verdicts(table)
    title(
        ax,
        f"The rack is surely ahead on {found['rack']} axes, the brain on {found['brain']}; "
        f"{found['open']} stay open",
        narrow,
    )
    return fig


def _percent(chance: float) -> str:
    return (
        "below 1 %" if chance < 0.01 else "above 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"
    )


def comparison_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `comparison` makes it.
    """
    rows = "; ".join(
        f"{row.axis}, {engineering(row.ratio, digits=2)} (from {engineering(row.low, digits=2)} "
        f"to {engineering(row.high, digits=2)}), brain ahead: {_percent(row.chance)}"
        for row in table.itertuples(index=False)
    )
    return (
        "Brain over rack for each joule on a logarithmic axis, median, nine tenths, and the "
        f"chance that the brain is ahead: {rows}."
    )


def operations_figure(
    draws: Mapping[str, npt.NDArray[np.float64]],
    lines: Mapping[str, float],
    *,
    narrow: bool = False,
) -> Figure:
    """How the estimates of a brain's operations a joule lie against machines and limits.

    Args:
        draws: label to draws [FLOP/J]; the first is filled, the others are outlines.
        lines: label to operations a joule of machines and limits [FLOP/J].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(
        narrow, figsize=(style.NARROW[0], 4.2) if narrow else (style.WIDE[0], 3.8)
    )
    edges = np.arange(10, 22.01, 0.25)
    middles = 10 ** ((edges[1:] + edges[:-1]) / 2)
    top = 0.0
    for number, (label, values) in enumerate(draws.items()):
        share = np.histogram(np.log10(values), edges)[0] / len(values)
        top = max(top, float(share.max()))
        colour = style.NETWORK if number == 0 else style.MUTED
        if number == 0:
            ax.fill_between(middles, share, color=colour, alpha=0.25, lw=0)
        ax.plot(middles, share, color=colour, lw=1.6)
        # The filled one is named on its left, the outline above its long right tail.
        ax.annotate(
            textwrap.fill(label, 14 if narrow else 20),
            (1.5e16, 0.5 * top) if number else (1.5e10, top),
            color=colour,
            fontsize=8 if narrow else 9,
            va="top",
        )
    ax.set(xscale="log", xlim=(1e10, 1e22), ylim=(0, top * 1.9))
    for number, (label, value) in enumerate(lines.items()):
        ax.axvline(value, color=style.ENERGY if number == 0 else style.NEUTRAL, lw=1.2)
        ax.text(
            value * 1.12,
            top * 1.86,
            label,
            rotation=90,
            va="top",
            color=style.ENERGY if number == 0 else style.NEUTRAL,
            fontsize=8,
        )
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.set_xlabel("operations for each joule")
    ax.set_ylabel("share of the draws")
    limit = list(lines.values())[1]
    below = [f"{100 * float(np.mean(values < limit)):.0f} %" for values in draws.values()]
    title(ax, f"Estimates of the brain below the CMOS limit: {' or '.join(below)} of them", narrow)
    return fig


def operations_alt(draws: Mapping[str, npt.NDArray[np.float64]], lines: Mapping[str, float]) -> str:
    """The figure in words.

    Args:
        draws: label to draws [FLOP/J].
        lines: label to operations a joule of machines and limits [FLOP/J].
    """
    spread = "; ".join(
        f"{label}, median {engineering(float(np.median(values)), digits=2)}, nine tenths from "
        f"{engineering(float(np.quantile(values, 0.05)), digits=1)} to "
        f"{engineering(float(np.quantile(values, 0.95)), digits=1)}"
        for label, values in draws.items()
    )
    marks = "; ".join(f"{label}, {engineering(at, digits=2)}" for label, at in lines.items())
    return f"Distribution of operations a joule on a logarithmic axis. {spread}. Lines: {marks}."

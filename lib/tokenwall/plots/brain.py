"""Figures of the brain beside the rack: who makes more of a joule, and how sure that is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from tokenwall import style
from tokenwall.plots.energy import title
from tokenwall.plots.energy_tables import times
from tokenwall.units import engineering

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tokenwall.estimate import Estimate

_COLOUR = {"rack": style.ENERGY, "person": style.NETWORK, "open": style.NEUTRAL}


def standings(table: pd.DataFrame) -> dict[str, str]:
    """Who is ahead in each group of rows, over every end of every interval.

    Args:
        table: as `comparison` makes it.

    Returns:
        By group: "rack", "person", or "open" where rows or ends disagree.
    """
    found = table.groupby("group", sort=False)["ahead"].agg(set)
    return {
        group: next(iter(names)) if len(names) == 1 else "open" for group, names in found.items()
    }


def comparison_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Person over rack for each joule, by what is counted and who is charged.

    Args:
        table: as `comparison` makes it.
        narrow: for a phone's width.
    """
    blocks = list(table.groupby("counted", sort=False))
    lines = len(table) * (2 if narrow else 1) + len(blocks)
    height = (0.24 if narrow else 0.27) * lines + 1.9
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], height))
    left = 1e-8 if narrow else 1e-16
    ax.set(xscale="log", xlim=(left, 1e10 if narrow else 1e11))
    place = 0.0
    for counted, rows in blocks:
        ax.text(left * 1.5, place, counted, va="center", fontweight="bold", fontsize=8.5)
        place += 1
        for row in rows.itertuples(index=False):
            place = _row(ax, row, place, left, narrow)
    ax.axvline(1, color=style.MUTED, lw=1)
    ax.set_ylim(place - 0.3, -2.0)
    ax.text(0.7, -1.3, "rack ahead", ha="right", color=style.ENERGY)
    ax.text(1.4, -1.3, "person ahead", color=style.NETWORK)
    ax.set_yticks([])
    ax.set_xticks([1e-4, 1e-2, 1, 1e2, 1e4, 1e6])
    ax.minorticks_off()
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.set_xlabel("person over rack for each joule")
    style.interval_legend(fig, list(table["ratio"]), columns=2)
    title(ax, _finding(table), narrow)
    return fig


def _row(ax: Axes, row: object, place: float, left: float, narrow: bool) -> float:
    """One line of the figure; returns where the next one goes."""
    ratio, charged = row.ratio, row.charged  # type: ignore[attr-defined]
    colour = _COLOUR[row.ahead]  # type: ignore[attr-defined]
    ax.text(left * 1.5, place, charged, color=colour, va="center", fontsize=8)
    place += 0.9 if narrow else 0.0
    style.interval(ax, ratio, place, colour=colour, width=1.4)
    ax.plot([ratio.value], [place], "o", color=colour, ms=5)
    ahead = "rack" if ratio.value < 1 else "person"
    factor = times(max(ratio.value, 1 / ratio.value))
    ax.annotate(
        f"{ahead} {factor}",
        (ratio.low if ahead == "rack" else ratio.high, place),
        (-6 if ahead == "rack" else 6, 0),
        textcoords="offset points",
        ha="right" if ahead == "rack" else "left",
        va="center",
        color=colour,
        fontsize=8,
    )
    return place + 1


def _finding(table: pd.DataFrame) -> str:
    found = standings(table)
    named = {
        who: [group for group, ahead in found.items() if ahead == who]
        for who in ("rack", "person", "open")
    }
    parts = [
        f"the {who} leads in {' and '.join(named[who])}" for who in ("rack", "person") if named[who]
    ]
    if named["open"]:
        parts.append(f"{' and '.join(named['open'])} stay open")
    said = "; ".join(parts)
    return said[0].upper() + said[1:]


def comparison_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `comparison` makes it.
    """
    rows = "; ".join(
        f"{row.counted}, {row.charged}, {engineering(row.ratio.value, digits=2)} (from "
        f"{engineering(row.ratio.low, digits=2)} to {engineering(row.ratio.high, digits=2)})"
        for row in table.itertuples(index=False)
    )
    return (
        f"Person over rack for each joule on a logarithmic axis, value and interval: {rows}. "
        f"{style.interval_words(table['ratio'])}"
    )


def methods_figure(
    methods: Mapping[str, Estimate],
    credence: tuple[float, float],
    lines: Mapping[str, float],
    *,
    narrow: bool = False,
) -> Figure:
    """Estimates of a brain's operations a joule, by method, beside machines and limits.

    Args:
        methods: label to operations a joule [FLOP/J].
        credence: operations a joule that one author thinks more likely than not to be enough,
            and more than which he thinks unlikely to be needed [FLOP/J].
        lines: label to operations a joule of machines and limits, the CMOS limit among them
            [FLOP/J].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(
        narrow, figsize=(style.NARROW[0], 5.6) if narrow else (style.WIDE[0], 4.6)
    )
    left = 1e10 if narrow else 1e4
    ax.set(xscale="log", xlim=(left, 1e22))
    rise = 0.36 if narrow else 0.0
    for place, (label, each) in enumerate(methods.items()):
        ax.text(left * 1.5, place - rise, label, color=style.NETWORK, va="center", fontsize=8.5)
        style.interval(ax, each, place, colour=style.NETWORK, width=1.6)
        ax.plot([each.value], [place], "o", color=style.NETWORK, ms=5)
    last = len(methods)
    ax.text(left * 1.5, last - rise, "Carlsmith's own odds", va="center", fontsize=8.5)
    for at, words, side in zip(
        credence, ("more likely than not enough", "unlikely to need more"), (-1, 1), strict=True
    ):
        ax.plot([at], [last], "D", color=style.INK, ms=5)
        ax.annotate(
            textwrap.fill(words, 14) if narrow else words,
            (at, last),
            (0, -8),
            textcoords="offset points",
            va="top",
            ha="center" if side < 0 or not narrow else "right",
            fontsize=8,
        )
    top = -5.2 if narrow else -4.8
    ax.set_ylim(last + (1.5 if narrow else 1.0), top)
    for label, value in lines.items():
        machine = label.startswith("accelerators")
        colour = style.ENERGY if machine else style.NEUTRAL
        ax.axvline(value, color=colour, lw=1.2)
        ax.text(value * 1.15, top + 0.1, label, rotation=90, va="top", color=colour, fontsize=8)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.set_xticks(10.0 ** np.arange(10, 23, 4 if narrow else 2))
    ax.minorticks_off()
    ax.set_xlabel("operations for each joule")
    style.interval_legend(fig, list(methods.values()), columns=2)
    below = sum(each.value < lines["CMOS limit"] for each in methods.values())
    title(
        ax,
        f"The middle of {below} of {len(methods)} estimates lies below the CMOS limit",
        narrow,
    )
    return fig


def methods_alt(
    methods: Mapping[str, Estimate], credence: tuple[float, float], lines: Mapping[str, float]
) -> str:
    """The figure in words.

    Args:
        methods: label to operations a joule [FLOP/J].
        credence: as in `methods_figure` [FLOP/J].
        lines: label to operations a joule of machines and limits [FLOP/J].
    """
    spread = "; ".join(
        f"{label}, {engineering(each.value, digits=2)}, from {engineering(each.low, digits=1)} to "
        f"{engineering(each.high, digits=1)}"
        for label, each in methods.items()
    )
    marks = "; ".join(f"{label}, {engineering(at, digits=2)}" for label, at in lines.items())
    half, most = (engineering(at, digits=1) for at in credence)
    return (
        f"Operations a joule on a logarithmic axis, one estimate below the other. {spread}. "
        f"Carlsmith's own odds: {half} more likely than not enough, more than {most} unlikely to "
        f"be needed. Lines: {marks}. {style.interval_words(methods.values())}"
    )

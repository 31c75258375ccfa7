"""Figures of the attention chapter: bytes against bounds, what shares a sweep, speeds met.

Each figure is a function of a table from `tokenwall.plots.attention_tables`; its `_alt` twin says
the same in words, composed from the same table.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from tokenwall import style
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "three passes": style.MEMORY,
    "keys stay": style.NETWORK,
    "queries stay": style.COMPUTE,
}
MARKERS = {"three passes": "s", "keys stay": "D", "queries stay": "o"}
AXES = {
    "tokens": ("tokens", "1"),
    "head_size": ("numbers in a vector", "1"),
    "fast_memory": ("fast memory", "B"),
}


_FOUND = {
    "tokens": "Square in the text",
    "head_size": "Wide heads hurt tiles",
    "fast_memory": "Room helps only tiles",
}


def _title(ax: Axes, text: str, narrow: bool) -> None:
    ax.set_title(textwrap.fill(text, 38 if narrow else 92))


def sweep_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Bytes counted by the running code over three sizes, on lines of the closed forms.

    Args:
        table: as `sweep_table` makes it.
        narrow: for a phone's width.
    """
    size = (style.NARROW[0], 9.6) if narrow else (style.WIDE[0], 3.9)
    shape = {"nrows": 3} if narrow else {"ncols": 3, "sharey": True}
    fig, axes = style.figure(narrow, figsize=size, **shape)
    for ax, (sweep, (label, unit)) in zip(axes, AXES.items(), strict=True):
        rows = table[table["sweep"] == sweep]
        ax.set(xscale="log", yscale="log", ylim=(1.5e4, 1e9 if narrow else 2e10))
        for name, part in rows.groupby("algorithm", sort=False):
            ax.plot(part["x"], part["formula"], color=COLOURS[name], lw=1.4)
            ax.plot(part["x"], part["counted"], MARKERS[name], color=COLOURS[name], ms=5)
        floors = rows.drop_duplicates("x")
        ax.plot(floors["x"], floors["least"], color=style.NEUTRAL, lw=1.2, ls=(0, (4, 2)))
        ax.plot(floors["x"], floors["order"], color=style.NEUTRAL, lw=1.2, ls=(0, (1, 1.5)))
        ticks = sorted(set(rows["x"]))
        ax.set_xticks(ticks, [_size(x, unit) for x in ticks], rotation=30)
        ax.xaxis.set_minor_locator(_no_ticks())
        ax.set_xlabel(label)
        ax.set_title(_FOUND[sweep])
        style.unit_axis(ax.yaxis, "B")
    if narrow:
        for ax in axes:
            ax.set_ylabel("bytes moved")
    else:
        axes[0].set_ylabel("bytes moved")
    _name_lines(axes[0], narrow)
    return fig


def _no_ticks() -> object:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _size(value: float, unit: str) -> str:
    """An exact size: 2,048, or 512 KiB."""
    if unit != "B":
        return f"{value:,.0f}"
    return f"{value / 1024:,.0f} KiB" if value < 2**20 else f"{value / 2**20:,.0f} MiB"


def _name_lines(ax: Axes, narrow: bool) -> None:
    names = {
        "three passes": ("squares: three passes", style.MEMORY),
        "keys stay": ("diamonds: keys stay", style.NETWORK),
        "queries stay": ("discs: queries stay", style.COMPUTE),
        "least": ("dashed: proved least", style.NEUTRAL),
        "order": ("dotted: published order", style.NEUTRAL),
    }
    step = 0.085 if narrow else 0.062
    for row, (text, colour) in enumerate(names.values()):
        at = (0.03, 0.98 - step * row)
        ax.text(*at, text, color=colour, va="top", transform=ax.transAxes, fontsize=8)


def sweep_figure_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `sweep_table` makes it.
    """
    off = int((table["counted"] != table["formula"]).sum())
    parts = []
    for sweep, (label, unit) in AXES.items():
        rows = table[table["sweep"] == sweep]
        ends = rows[rows["x"].isin([rows["x"].min(), rows["x"].max()])]
        for name, part in ends.groupby("algorithm", sort=False):
            first, last = (engineering(b, "B") for b in part["counted"])
            span = " to ".join(_size(x, unit) for x in part["x"])
            parts.append(f"{name}, {label} {span}: {first} to {last}")
    return (
        f"Three panels of bytes moved, logarithmic. {len(table) - off} of {len(table)} counted "
        f"points lie exactly on the lines of the closed forms. {'; '.join(parts)}. A dashed line "
        "marks the least that the page proves, a dotted one the published order with its constant "
        "set to one."
    )


def gain_figure(table: pd.DataFrame, marks: dict[str, float], *, narrow: bool = False) -> Figure:
    """How many times less tiled attention moves, over the query rows that share a sweep.

    Args:
        table: as `gain_table` makes it.
        marks: names of numbers of rows.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow)
    top = float(table["best"].max())
    ax.set(xscale="log", ylim=(0.8, top * 1.2))
    ax.set_xlim(0.3 if narrow else 0.8, table["rows"].max() * 1.3)
    ax.plot(table["rows"], table["best"], color=style.COMPUTE, lw=1.2, ls=(0, (4, 2)))
    best = float(table["best"].iloc[-1])
    ax.text(table["rows"].max(), top * 1.08, f"both at their best: {best:.2g}", ha="right")
    ax.plot(table["rows"], table["gain"], color=style.COMPUTE)
    tile = table.attrs["tile"]
    ax.axvline(tile, color=style.MUTED, lw=1.1, ls=(0, (2, 2)))
    ax.text(tile * 1.12, 0.9, f"a tile of {tile:.0f} rows", color=style.MUTED, va="bottom")
    for name, rows in marks.items():
        gain = float(np.interp(rows, table["rows"], table["gain"]))
        ax.plot([rows], [gain], "o", color=style.COMPUTE)
        first = rows == 1
        ax.annotate(
            f"{name}: {gain:.3g}",
            (rows, gain),
            (-2, -14) if first else (2, -16) if rows > tile else (-4, 8),
            textcoords="offset points",
            ha="left" if first else "right",
        )
    _title(ax, "Tiling pays by the query rows that share a sweep of the keys", narrow)
    ax.set_xlabel("query rows at a time")
    ax.set_ylabel("bytes of three passes over bytes of tiles")
    style.unit_axis(ax.xaxis, "1")
    return fig


def gain_figure_alt(table: pd.DataFrame, marks: dict[str, float]) -> str:
    """The figure in words.

    Args:
        table: as `gain_table` makes it.
        marks: names of numbers of rows.
    """
    at = table.attrs
    found = [
        f"{name} ({rows:.0f}), {np.interp(rows, table['rows'], table['gain']):.3g}"
        for name, rows in marks.items()
    ]
    return (
        f"Bytes of three passes over bytes of tiled attention for {at['keys']:,} keys, vectors of "
        f"{at['head_size']} and {engineering(at['fast'], 'B')} of fast memory, over the query rows "
        f"at a time, logarithmic. With one tile for both, by the rule, it rises from one until the "
        f"tile of {at['tile']:.0f} rows is full and then stays: {'; '.join(found)}. A dashed line "
        f"has both in the shapes that move least and ends at {table['best'].iloc[-1]:.3g}."
    )


DEVICE_COLOURS = {
    "A100": style.ENERGY,
    "B200": style.NETWORK,
    "H100 PCIe": style.COMPUTE,
    "RTX A5000": style.MEMORY,
}


def speed_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Published speed-ups over those of the bounds: discs forward, squares with backward too.

    Crosses compare a kernel in 8 bits with one in 16, so they are no gain of tiles alone.

    Args:
        table: as `speed_table` makes it.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 4.6))
    ends = (2, 20)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    ax.plot(ends, ends, color=style.MUTED, lw=1.2, ls=(0, (4, 2)))
    ax.text(13, 14.5, "as predicted", color=style.MUTED, ha="right")
    ax.fill_between(
        ends, [e / 2 for e in ends], [2 * e for e in ends], color=style.MUTED, alpha=0.12, lw=0
    )
    for (device, phase, alike), rows in table.groupby(["device", "phase", "alike"]):
        marker = "X" if not alike else "o" if phase == "forward" else "s"
        ax.plot(
            rows["predicted"],
            rows["measured"],
            marker,
            color=DEVICE_COLOURS[device],
            ms=6,
            gid=f"{device}-{phase}".replace(" ", "-"),
        )
    for device, (at, align) in _DEVICE_NAMES.items():
        text = "H100 PCIe, 8 bits against 16" if device == "H100 PCIe" and not narrow else device
        ax.text(*at, text, color=DEVICE_COLOURS[device], ha=align, va="center")
    ticks = [2, 3, 5, 10, 20]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(_no_ticks())
        axis.set_ticks(ticks, [str(tick) for tick in ticks])
    near, alike = near_counts(table)
    title = f"{near} of {alike} speed-ups in one number format lie within a factor of two"
    _title(ax, title, narrow)
    ax.set_xlabel("speed-up of the bounds")
    ax.set_ylabel("speed-up measured")
    return fig


# Where the names stand, beside their points.
_DEVICE_NAMES = {
    "A100": ((5.6, 6.3), "left"),
    "RTX A5000": ((4.4, 3.6), "left"),
    "B200": ((10.2, 4.9), "left"),
    "H100 PCIe": ((10.5, 6.9), "left"),
}


def near_counts(table: pd.DataFrame) -> tuple[int, int]:
    """Pairs in one number format: those within a factor of two of their bounds, and all.

    Args:
        table: as `speed_table` makes it.
    """
    alike = table[table["alike"]]
    return int((alike["measured"] / alike["predicted"]).between(0.5, 2).sum()), len(alike)


def speed_figure_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `speed_table` makes it.
    """
    parts = []
    for (device, phase, alike), rows in table.groupby(["device", "phase", "alike"]):
        low, high = rows["predicted"].min(), rows["predicted"].max()
        slow, fast = rows["measured"].min(), rows["measured"].max()
        formats = "" if alike else ", the tiled kernel in 8 bits and the other in 16"
        parts.append(
            f"{device}, {phase}{formats}, {len(rows)}: predicted {low:.2g} to {high:.2g}, measured "
            f"{slow:.2g} to {fast:.2g}"
        )
    near, alike = near_counts(table)
    return (
        "Measured over predicted speed-up of tiled attention, both logarithmic, with a line of "
        f"equality and a band of a factor of two, in which {near} of the {alike} pairs in one "
        f"number format lie. {'; '.join(parts)}."
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One line a device, phase and pair of formats: medians of speed-ups and of times over bounds.

    Args:
        table: as `speed_table` makes it.
    """
    import pandas as pd

    lines = {
        f"{device}, {phase}": {
            "runs": len(rows),
            "formats": formats,
            "predicted": f"{rows['predicted'].median():.1f}",
            "measured": f"{rows['measured'].median():.1f}",
            "naive over its bound": f"{(rows['naive'] / rows['naive bound']).median():.1f}",
            "tiled over its bound": f"{(rows['fused'] / rows['fused bound']).median():.1f}",
        }
        for (device, phase, formats), rows in table.groupby(["device", "phase", "formats"])
    }
    return pd.DataFrame(lines).T

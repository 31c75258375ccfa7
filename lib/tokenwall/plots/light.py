"""Figures of the light chapter: bounds over size, signals against light, and what binds first.

Each figure is a function of a table from `tokenwall.plots.light_tables`; its `_alt` twin says the
same in words, composed from the same table.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import c

from tokenwall import style
from tokenwall.light import wire_delay
from tokenwall.plots.light_tables import LIMIT_LABELS, LIMITS
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _title(ax: Axes, text: str, narrow: bool, width: int = 36) -> None:
    ax.set_title(textwrap.fill(text, width if narrow else 92))


def radii_figure(radii: dict[str, float], *, narrow: bool = False) -> Figure:
    """Circles of growing radius, each the largest machine that light allows under a condition.

    Args:
        radii: radius by its label, the smallest first [m].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(style.NARROW[0] if narrow else style.WIDE[0], 3.4))
    from matplotlib.patches import Circle

    # Circles stand on one point, so that their tops leave room for the labels.
    sizes = [np.log10(each / 1e-3) for each in radii.values()]
    colours = [style.MEMORY, *[style.NETWORK] * (len(sizes) - 1)]
    most = sizes[-1]
    for size, colour in zip(sizes, colours, strict=True):
        ax.add_patch(Circle((0, size), size, fill=False, color=colour, lw=1.6))
    for (label, radius), size in zip(radii.items(), sizes, strict=True):
        words = f"{engineering(radius, 'm', digits=2)}: {label}"
        words = engineering(radius, "m", digits=2) if narrow else words
        ax.plot([0, most * 1.08], [2 * size, 2 * size], color=style.GRID, lw=0.9, zorder=0)
        ax.text(most * 1.12, 2 * size, words, va="center", fontsize=10 if narrow else 8)
    ax.set(aspect="equal", xlim=(-most * 1.05, most * (2.1 if narrow else 4.2)))
    ax.set_ylim(-0.4, 2 * most + 0.6)
    ax.set_axis_off()
    _title(ax, "How large a machine may be that gives one user a million", narrow, 32)
    return fig


def radii_figure_alt(radii: dict[str, float]) -> str:
    """The figure in words.

    Args:
        radii: radius by its label, the smallest first [m].
    """
    listed = "; ".join(
        f"{engineering(radius, 'm', digits=2)}, {label}" for label, radius in radii.items()
    )
    return f"Circles inside each other, on a logarithmic scale of their radii: {listed}."


def share_figure(*, narrow: bool = False) -> Figure:
    """Two light cones: what step k + 1 needs lies within the way of light before its result.

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(style.NARROW[0] if narrow else style.WIDE[0], 3.4))
    late, place, rim = 1.0, 0.35, 1.0
    ax.fill([place, place - rim, place + rim], [late, 0, 0], color=style.GRID)
    ax.plot([place - rim, place, place + rim], [0, late, 0], color=style.NETWORK)
    ax.plot([-1.15, 0, 1.15], [1.15, 0, 1.15], color=style.MUTED, lw=1, ls=(0, (4, 2)))
    ax.plot([place - 0.7, place + 0.7], [0, 0], color=style.MEMORY, lw=7, solid_capstyle="butt")
    ax.plot([0, place], [0, late], "o", color=style.INK, ms=7, zorder=4)
    ax.annotate("$E_k$", (0, 0), (-10, 6), textcoords="offset points", ha="right")
    ax.annotate("$E_{k+1}$", (place, late), (0, 8), textcoords="offset points", ha="center")
    below = "all weights of step k + 1,\na ball of radius r at least"
    ax.annotate(
        below, (place, 0), (0, -9), textcoords="offset points", ha="center", va="top",
        color=style.MEMORY,
    )  # fmt: skip
    words = "light that can\nreach $E_{k+1}$"
    ax.annotate(words, (0.27, 0.5), ha="center", color=style.NETWORK)
    ax.annotate("light from $E_k$", (-1.1, 1.15), (0, 3), textcoords="offset points", ha="center",
                color=style.MUTED)  # fmt: skip
    ax.set(xlim=(-1.5, 1.7), ylim=(-0.42, 1.35), xticks=[], yticks=[])
    ax.set_xlabel("place")
    ax.set_ylabel("time")
    ax.grid(False)
    _title(ax, "Every weight of a step must lie within light's reach of its result", narrow, 34)
    return fig


def share_figure_alt() -> str:
    """The figure in words."""
    return (
        "Place from left to right, time upwards. From the event E k a dashed cone opens upwards. "
        "The later event E k + 1 lies in it; a cone opens downwards from that event, and at the "
        "time of E k, 1 step earlier, all weights of step k + 1 lie inside its base. A ball of "
        "radius r, of 1 share of the weights, fits only if light goes r in the time of 1 step, "
        "for all of the n steps: k is 1, 2, 3 and so on."
    )


def orders_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Published rates of one user, and how far above them three light bounds lie.

    Args:
        table: as `single_users` makes it.
        narrow: for a phone's width.
    """
    height = (0.58 if narrow else 0.36) * len(table) + 1.3
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], height))
    ax.set(xscale="log", xlim=(20, 2e11), ylim=(-0.9, len(table) - 0.3))
    for place, row in enumerate(table.itertuples()):
        ax.plot([row.rate, row.densest], [place, place], color=style.GRID, lw=1.4, zorder=1)
        ax.plot([row.spanned], [place], "|", color=style.NETWORK, ms=11, mew=2)
        ax.plot([row.machine], [place], "D", color=style.NETWORK, ms=5)
        ax.plot([row.densest], [place], "D", color=style.MEMORY, ms=5)
        face = "none" if row.drafted else style.COMPUTE
        ax.plot([row.rate], [place], "o", color=style.COMPUTE, ms=7, mfc=face)
        if narrow:
            ax.text(24, place + 0.24, row.label, va="bottom", fontsize=8)
    ax.set_yticks([] if narrow else range(len(table)), [] if narrow else list(table.label))
    last, first, top = table.iloc[-1], table.iloc[0], len(table) - 1
    above = 24 if narrow else 8
    for x, place, words, colour in (
        (last.rate, top, "published", style.COMPUTE),
        (last.spanned, top, "each layer\nspans it", style.NETWORK),
        (last.densest, top, "weights\npacked", style.MEMORY),
        (first.machine, 0, "spread evenly\nin it", style.NETWORK),
    ):
        ax.annotate(
            words,
            (x, place),
            (0, above if place else -8),
            textcoords="offset points",
            ha="center",
            va="bottom" if place else "top",
            color=colour,
        )
    ax.set_ylim(-1.3, top + (1.9 if narrow else 1.5))
    ax.grid(False, axis="y")
    style.unit_axis(ax.xaxis, "1")
    ax.set_xlabel("tokens per second of one user")
    low, high = table.orders.min(), table.orders.max()
    _title(
        ax,
        f"Published rates are {low:.0f} to {high:.0f} powers of ten below light",
        narrow,
    )
    return fig


def orders_figure_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `single_users` makes it.
    """
    parts = "; ".join(
        f"{row.label}, {engineering(row.rate)} published against "
        f"{engineering(row.spanned, digits=2)}, "
        f"{engineering(row.machine, digits=2)} and {engineering(row.densest, digits=2)}"
        for row in table.itertuples(index=False)
    )
    return (
        "Tokens per second of one user on a logarithmic axis, each published rate against three "
        "light bounds: if every layer spans the machine, for weights spread evenly in it, "
        f"and for weights packed as in stacked memory. {parts}."
    )


def speed_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Signal speeds as fractions of the speed of light.

    Args:
        table: as `signal_speeds` makes it.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], 3.6))
    colours = {"nerve": style.ENERGY, "wire": style.COMPUTE, "wave": style.NETWORK}
    ax.set(xscale="log", xlim=(1e-9, 60 if not narrow else 3e4))
    ax.hlines(range(len(table)), 1e-9, table.fraction, color=[colours[k] for k in table.kind], lw=7)
    for place, row in enumerate(table.itertuples()):
        ax.annotate(
            engineering(row.fraction, digits=2),
            (row.fraction, place),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    ax.axvline(1, color=style.MUTED, lw=1)
    ax.set_yticks(range(len(table)), list(table.way))
    ax.grid(False, axis="y")
    style.unit_axis(ax.xaxis, "1")
    ax.set_xlabel("speed of a signal, in speeds of light")
    bare = table.set_index("way")["fraction"]["thin wire, 10 mm"]
    words = (
        f"A bare thin wire of 10 mm is {engineering(1 / bare, digits=2)} times slower than light"
    )
    _title(ax, words, narrow, 26)
    return fig


def speed_figure_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `signal_speeds` makes it.
    """
    listed = "; ".join(
        f"{row.way} {engineering(row.fraction, digits=2)}" for row in table.itertuples()
    )
    return f"Bars of signal speeds in speeds of light, logarithmic, slowest first: {listed}."


def wire_figure(
    wire: dict[str, float], repeated: float, crossing: float, *, narrow: bool = False
) -> Figure:
    """Delay over length: a bare thin wire, the same with repeaters, and light.

    Args:
        wire: resistance_per_length and capacitance_per_length of the thin wire.
        repeated: speed with repeaters [m/s].
        crossing: length at which the bare wire falls behind light [m].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow)
    length = np.geomspace(1e-7, 3e-2, 120)
    bare = wire_delay(**wire, wire_length=length)
    ax.set(xscale="log", yscale="log", xlim=(1e-7, 3e-2), ylim=(1e-16, 1e-5))
    slow = length > crossing / 3
    ax.plot(length[slow], bare[slow], color=style.COMPUTE)
    fixed = length > 1e-4
    ax.plot(length[fixed], length[fixed] / repeated, color=style.COMPUTE, ls=(0, (4, 2)))
    ax.plot(length, length / c, color=style.NETWORK)
    ax.plot([crossing], [crossing / c], "o", color=style.INK)
    at = 2e-3
    ax.text(
        at * 0.8,
        float(wire_delay(**wire, wire_length=at)) * 2.4,
        "bare wire",
        ha="right",
        color=style.COMPUTE,
    )
    ax.text(3e-4, 2.4 * 3e-4 / repeated, "with\nrepeaters", ha="right", color=style.COMPUTE)
    ax.text(4e-3, 4e-3 / c / 2.2, "light", va="top", color=style.NETWORK)
    ax.annotate(
        engineering(crossing, "m", digits=2),
        (crossing, crossing / c),
        (-6, 8),
        textcoords="offset points",
        ha="right",
    )
    style.unit_axis(ax.xaxis, "m")
    style.unit_axis(ax.yaxis, "s")
    ax.set_xlabel("length of the wire")
    ax.set_ylabel("delay")
    _title(
        ax,
        f"Beyond {engineering(crossing, 'm', digits=2)} a bare thin wire is slower than light",
        narrow,
    )
    return fig


def wire_figure_alt(wire: dict[str, float], repeated: float, crossing: float) -> str:
    """The figure in words.

    Args:
        wire: resistance_per_length and capacitance_per_length of the thin wire.
        repeated: speed with repeaters [m/s].
        crossing: length at which the bare wire falls behind light [m].
    """
    centimetre = float(wire_delay(**wire, wire_length=1e-2))
    return (
        "Delay over length, both logarithmic. A bare thin wire rises with the square of length, "
        f"meets light at {engineering(crossing, 'm', digits=2)} and takes "
        f"{engineering(centimetre, 's')} for 10 mm. With repeaters 10 mm take "
        f"{engineering(1e-2 / repeated, 's')}; light takes {engineering(1e-2 / c, 's')}."
    )


_LIMIT_COLOUR = {
    "reading": style.MEMORY,
    "launches": style.COMPUTE,
    "exchanges": style.NEUTRAL,
    "light_machine": style.NETWORK,
    "light_weights": style.NETWORK,
}


def limits_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Times of one token by their cause, machine by machine, down to light.

    Args:
        table: as `limits` makes it.
        narrow: for a phone's width.
    """
    height = (1.3 if narrow else 1.15) * len(table) + 1.0
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], height))
    low, start, each = 1e-12, (-0.22 if narrow else -0.36), 0.15
    ax.set(xscale="log", xlim=(low, 1e4 if narrow else 10))
    for place, row in enumerate(table.itertuples()):
        if narrow:
            ax.text(low * 1.5, place - 0.33, row.label, fontsize=8, fontweight="bold", va="bottom")
        for number, name in enumerate(LIMITS):
            time, y = getattr(row, name), place + start + each * number
            if time != time:
                continue
            ax.barh(y, time - low, left=low, height=0.12, color=_LIMIT_COLOUR[name])
            label = f"{LIMIT_LABELS[name]}, {engineering(time, 's', digits=2)}"
            _beside(ax, time, y, label)
        if row.measured == row.measured:
            y = place + start + each * len(LIMITS)
            ax.plot([row.measured], [y], "^", color=style.INK, ms=5)
            _beside(
                ax, row.measured * 1.6, y, f"measured, {engineering(row.measured, 's', digits=2)}"
            )
    names = [textwrap.fill(label, 18) for label in table.label]
    ax.set_yticks([] if narrow else range(len(table)), [] if narrow else names)
    ax.set_ylim(len(table) - 0.4, -0.65)
    ax.grid(False, axis="y")
    style.unit_axis(ax.xaxis, "s")
    ax.set_xlabel("time of one token")
    known = table[~table.binds.str.startswith("light")]
    least = min(row[row["binds"]] / row["light_machine"] for row in known.to_dict("records"))
    words = f"Light across the machine is at least {engineering(least, digits=1)} times quicker"
    _title(ax, f"{words} than what binds", narrow)
    return fig


def _beside(ax: Axes, x: float, y: float, text: str) -> None:
    ax.annotate(text, (x, y), (3, 0), textcoords="offset points", va="center", fontsize=7.5)


def limits_figure_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `limits` makes it.
    """
    parts = []
    for row in table.to_dict("records"):
        times = ", ".join(
            f"{LIMIT_LABELS[name]} {engineering(row[name], 's', digits=2)}"
            for name in LIMITS
            if row[name] == row[name]
        )
        seen = row["measured"]
        shown = f"; measured {engineering(seen, 's', digits=2)}" if seen == seen else ""
        parts.append(f"{row['label']}: {times}{shown}")
    return "Bars of the time of one token by cause, logarithmic. " + ". ".join(parts) + "."


def devices_figure(table: pd.DataFrame, name: str, *, narrow: bool = False) -> Figure:
    """Tokens per second of one user over the devices that share each layer.

    Args:
        table: as `device_curve` makes it.
        name: machine and model.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow)
    ax.set(xscale="log", yscale="log", xlim=(1, table.devices.max()), ylim=(10, 3e4))
    ax.plot(table.devices, table.reading, color=style.MEMORY)
    ax.plot(table.devices, table.rate, color=style.NEUTRAL)
    best = table.loc[table.rate.idxmax()]
    ax.plot([best.devices], [best.rate], "o", color=style.NEUTRAL)
    ax.annotate(
        f"{best.devices:.0f} devices,\n{engineering(best.rate)} token/s",
        (best.devices, best.rate),
        (0, -8),
        textcoords="offset points",
        va="top",
        ha="center",
        color=style.NEUTRAL,
    )
    at = table.iloc[round(len(table) * 0.7)]
    ax.text(at.devices * 0.85, at.reading, "reading alone", color=style.MEMORY, ha="right")
    style.unit_axis(ax.xaxis, "1")
    style.unit_axis(ax.yaxis, "1")
    ax.set_xlabel("devices that share every layer")
    ax.set_ylabel("tokens per second of one user")
    _title(ax, f"More than {best.devices:.0f} devices make one user slower: {name}", narrow)
    return fig


def devices_figure_alt(table: pd.DataFrame, name: str) -> str:
    """The figure in words.

    Args:
        table: as `device_curve` makes it.
        name: machine and model.
    """
    best, last = table.loc[table.rate.idxmax()], table.iloc[-1]
    return (
        f"Tokens per second of one user over devices, both logarithmic, for {name}. Reading alone "
        f"would rise to {engineering(last.reading)} at {last.devices:.0f}. With hops it peaks "
        f"at {engineering(best.rate)} with {best.devices:.0f} devices and falls to "
        f"{engineering(last.rate)}."
    )

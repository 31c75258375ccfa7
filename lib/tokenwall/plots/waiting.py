"""Figures of the chapter on waiting: who gained by it, where a repair pays, what doubt does.

Each figure is a function of a table from `tokenwall.plots.waiting_tables`; its `_alt` twin says the
same in words, composed from the same table.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenwall import style
from tokenwall.plots.waiting_tables import YEAR, effective_decline
from tokenwall.units import engineering
from tokenwall.waiting import price_decline_flip

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR = {
    "transistors": style.NEUTRAL,
    "single thread": style.COMPUTE,
    "accelerators": style.ENERGY,
}
# Which end of a record carries its name, and how far off.
_NAMED = {
    "transistors": (-1, (-12, 2)),
    "single thread": (-1, (4, 6)),
    "accelerators": (0, (-6, 3)),
}
FALLS, USES = (1.0, 1500.0), (0.5, 120.0)
PAYBACKS = (1.0, 2.0, 4.0)


def _title(ax: Axes, text: str, width: int, **options: Any) -> None:
    ax.set_title(textwrap.fill(text, width), **options)


def _panels(narrow: bool, height: float = 3.9) -> tuple[Figure, Any]:
    if narrow:
        return style.figure(True, figsize=(style.NARROW[0], 6.6), nrows=2)
    return style.figure(False, figsize=(style.WIDE[0], height), ncols=2)


def history_figure(
    records: Mapping[str, pd.DataFrame],
    gains: Mapping[str, pd.DataFrame],
    *,
    narrow: bool = False,
) -> Figure:
    """Records of hardware, and what waiting gained year by year: promised, realised.

    Args:
        records: as `histories` makes them.
        gains: by the same names, as `slack_history` makes them.
        narrow: for a phone's width.
    """
    size = (style.NARROW[0], 10.4) if narrow else (style.WIDE[0], 6.2)
    shape = {"nrows": 4} if narrow else {"nrows": 2, "ncols": 2}
    fig, axes = style.figure(narrow, figsize=size, **shape)
    first, *others = np.ravel(axes)
    for name, record in records.items():
        relative = record["value"] / record["value"].iloc[0]
        first.step(record["date"], relative, where="post", color=_COLOUR[name], lw=1.6)
        at, offset = _NAMED[name]
        first.annotate(
            name,
            (record["date"].iloc[at], relative.iloc[at]),
            offset,
            textcoords="offset points",
            ha="right",
            color=_COLOUR[name],
        )
    first.set(yscale="log", xlim=(1970, 2030), ylim=(0.5, 3e8))
    first.set_yticks([1, 1e2, 1e4, 1e6, 1e8])
    first.set_xlabel("year")
    first.set_ylabel("best so far, over the first")
    _title(first, "One thread slowed, the others did not", 34)
    for ax, (name, table) in zip(others, gains.items(), strict=True):
        colour = _COLOUR[name]
        ax.plot(table["start"], table["promised"], color=style.MUTED, lw=1.4, ls=(0, (3, 2)))
        ax.plot(table["start"], table["realised"], "o-", color=colour, lw=1.4, ms=4.5)
        ax.axhline(1, color=style.INK, lw=0.9)
        ax.set(ylim=(0.6, 3.0))
        ax.set_xlabel("year of the decision")
        ax.set_ylabel("gain over starting at once")
        ax.xaxis.get_major_locator().set_params(integer=True)
        _title(ax, _verdict(name, table), 40)
    _name_lines(others[0], gains["single thread"])
    return fig


def _name_lines(ax: Axes, table: pd.DataFrame) -> None:
    """Say once which line is the promise and which the truth."""
    peak = table.loc[table["promised"].idxmax()]
    words: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
    ax.annotate("promised", (peak["start"], peak["promised"]), (14, 2), **words)
    lowest = table.loc[table["realised"].idxmin()]
    at = (lowest["start"], lowest["realised"])
    ax.annotate("realised", at, (8, -6), color=_COLOUR["single thread"], **words)


def _verdict(name: str, table: pd.DataFrame) -> str:
    """What a panel shows, from its table."""
    if name == "single thread":
        return f"Single thread: first loss in {_first_loss(table)}"
    low, high = table["realised"].min(), table["realised"].max()
    return f"{name.capitalize()}: a gain of {low:.1f} to {high:.1f}"


def _first_loss(table: pd.DataFrame) -> int:
    """First start year in which waiting a while lost time."""
    lost = table[(table["wait"] > 0) & (table["realised"] < 1)]
    return int(lost["start"].iloc[0])


def history_figure_alt(
    records: Mapping[str, pd.DataFrame], gains: Mapping[str, pd.DataFrame]
) -> str:
    """The figure in words.

    Args:
        records: as `histories` makes them.
        gains: by the same names, as `slack_history` makes them.
    """
    grown = "; ".join(
        f"{name} from {record['date'].iloc[0]:.0f} to {record['date'].iloc[-1]:.0f}, "
        f"{engineering(record['value'].iloc[-1] / record['value'].iloc[0], digits=2)} times"
        for name, record in records.items()
    )
    told = "; ".join(
        f"{name}, {table['start'].iloc[0]:.0f} to {table['start'].iloc[-1]:.0f}: promised "
        f"{table['promised'].iloc[0]:.2f} to {table['promised'].iloc[-1]:.2f}, realised between "
        f"{table['realised'].min():.2f} and {table['realised'].max():.2f}"
        for name, table in gains.items()
    )
    return (
        f"First, records of hardware on a logarithmic axis: {grown}. Then the gain of waiting over "
        f"starting at once, by year of the decision: {told}. For one thread it first falls below "
        f"one in {_first_loss(gains['single thread'])}."
    )


def phase_figure(
    published: pd.DataFrame, rates: Mapping[str, float], *, narrow: bool = False
) -> Figure:
    """Where a repair can pay: fall of the price across, growth of use upwards, both published.

    Args:
        published: as `published_rates` makes it.
        rates: as `case` makes them; only interest, chances and the repair's own fall are used.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.6) if narrow else (style.WIDE[0], 4.6))
    ax.set(xscale="log", yscale="log", xlim=FALLS, ylim=USES)
    use = np.geomspace(*USES, 60)
    lines = [_boundary(payback, use, rates) for payback in PAYBACKS]
    ax.fill_betweenx(use, lines[-1], FALLS[1], color=style.MEMORY, alpha=0.12)
    ax.fill_betweenx(use, FALLS[0], lines[0], color=style.NETWORK, alpha=0.12)
    for payback, line in zip(PAYBACKS, lines, strict=True):
        ax.plot(line, use, color=style.INK, lw=1.5)
        ax.annotate(
            f"{engineering(12 / payback, digits=2)} months",
            (line[44], use[44]),
            (-2, 3),
            textcoords="offset points",
            rotation=_slope(narrow),
            rotation_mode="anchor",
            ha="center",
            fontsize=7.5 if narrow else 8.5,
        )
    for row in published.itertuples():
        if row.quantity == "price":
            ax.axvline(row.factor, color=style.COMPUTE, lw=0.9, ls=(0, (3, 2)))
            side = _SIDES.get(row.label, "center")
            name = "" if narrow else f"{_SHORT.get(row.label, row.label)}\n"
            ax.annotate(
                f"{name}{engineering(row.factor, digits=2)}×",
                (row.factor, USES[1]),
                ({"right": -1, "left": 1}.get(side, 0), 3),
                textcoords="offset points",
                ha=side,
                va="bottom",
                color=style.COMPUTE,
                fontsize=8,
            )
        else:
            ax.axhline(row.factor, color=style.ENERGY, lw=0.9, ls=(0, (3, 2)))
            ax.annotate(
                f"{row.label}, {engineering(row.factor, digits=2)}×",
                (FALLS[1] if row.factor == 1 else 1.5, row.factor),
                (-3 if row.factor == 1 else 0, 3),
                textcoords="offset points",
                ha="right" if row.factor == 1 else "left",
                va="bottom",
                color=style.ENERGY,
                fontsize=7.5 if narrow else 8.5,
            )
    bold = {"fontweight": "bold", "va": "center"}
    ax.text(1.7, 22, "repair,\nnow or later", color=style.NETWORK, **bold)
    place = (70, 0.6) if narrow else (90, 2.2)
    ax.text(*place, "never by hand", color=style.MEMORY, **bold)
    ax.set_xlabel("factor by which the price falls in a year")
    ax.set_ylabel("factor by which use grows in a year")
    style.unit_axis(ax.xaxis)
    style.unit_axis(ax.yaxis)
    finding = "A repair pays only while use keeps up with the falling price"
    _title(ax, finding, 40 if narrow else 90, pad=18 if narrow else 30)
    return fig


def _boundary(payback: float, use: Any, rates: Mapping[str, float]) -> Any:
    """Yearly fall of the price beyond which a repair never pays, over the yearly growth of use."""
    flip = price_decline_flip(
        payback / YEAR,
        np.log(use) / YEAR,
        **{name: rates[name] for name in _FIXED},
    )
    return np.exp(flip * YEAR)


_SHORT = {
    "score of 42 in MMLU": "MMLU 42",
    "hardware alone": "hardware",
    "GPT-4 on science": "GPT-4",
}
# Two falls that lie side by side.
_SIDES = {"slowest task": "right", "score of 42 in MMLU": "left"}
_FIXED = ("discount_rate", "fix_decline", "retirement_hazard", "arrival_hazard")


def _slope(narrow: bool) -> float:
    """Angle of a line of equal decades on the axes as drawn, roughly."""
    wide, high = (2.75, 3.6) if narrow else (6.3, 3.6)
    per_x = wide / np.log10(FALLS[1] / FALLS[0])
    per_y = high / np.log10(USES[1] / USES[0])
    return float(np.degrees(np.arctan2(per_y, per_x)))


def phase_figure_alt(published: pd.DataFrame, rates: Mapping[str, float]) -> str:
    """The figure in words.

    Args:
        published: as `published_rates` makes it.
        rates: as `case` makes them.
    """
    rows = "; ".join(
        f"{row.label} ({row.quantity}), {engineering(row.factor, digits=2)} times a year"
        for row in published.itertuples()
    )
    at = [float(_boundary(payback, np.array([1.0]), rates)[0]) for payback in PAYBACKS]
    steady = "; ".join(
        f"{engineering(fall, digits=2)} for a payback of {engineering(12 / payback, digits=2)} "
        "months"
        for fall, payback in zip(at, PAYBACKS, strict=True)
    )
    return (
        "Growth of use over the fall of the price, both as factors of a year on logarithmic axes. "
        "Straight parallel lines divide the plane: above them a repair pays now or later, below "
        f"them never. With steady use they lie at a fall of {steady}. Published rates: {rows}."
    )


def doubt_figure(
    values: Any, declines: Any, *, mean: float, horizon: float, narrow: bool = False
) -> Figure:
    """Uncertain rates: how the value of repairing now is spread, and what falls on average.

    Args:
        values: of repairing at once, one a world, for each dollar of the cost.
        declines: of the price, one a world [1/s].
        mean: of the values.
        horizon: up to which savings were counted [s].
        narrow: for a phone's width.
    """
    fig, (left, right) = _panels(narrow)
    shown = np.clip(values, -1, 4)
    edges = np.linspace(-1, 4, 41)
    counts, _ = np.histogram(shown, edges)
    share = 100 * counts / len(values)
    left.bar(edges[:-1], share, width=0.125, align="edge", color=style.NEUTRAL)
    middle = float(np.median(values))
    top = share.max()
    for value, text, colour in (
        (middle, f"median\n{middle:.2f}".replace("-", "−"), style.MEMORY),
        (mean, f"mean over\n{horizon / YEAR:.0f} years\n{mean:.2f}", style.NETWORK),
    ):
        left.axvline(value, color=colour, lw=2)
        left.text(value + 0.08, top * 1.24, text, color=colour, va="top", fontweight="bold")
    left.plot([0, 0], [0, top], color=style.INK, lw=0.8)
    left.set(xlim=(-1, 4.1), ylim=(0, top * 1.27))
    left.set_xlabel("value of repairing now, over its cost (last bar: 4 and more)")
    left.set_ylabel("share of worlds, %")
    years = f"{horizon / YEAR:.0f}"
    _title(left, f"Most worlds say no; the mean over {years} years says yes", 40)
    times = np.geomspace(0.05, 20, 60) * YEAR
    factor = np.exp(effective_decline(declines, times) * YEAR)
    right.plot(times / YEAR, factor, color=style.COMPUTE)
    right.axhline(np.exp(declines.mean() * YEAR), color=style.MUTED, lw=1, ls=(0, (3, 2)))
    right.text(19.5, np.exp(declines.mean() * YEAR) * 1.04, "mean rate", ha="right", va="bottom")
    right.axhline(np.exp(declines.min() * YEAR), color=style.MUTED, lw=1, ls=(0, (3, 2)))
    right.text(19.5, np.exp(declines.min() * YEAR) * 0.97, "slowest rate", ha="right", va="top")
    right.set(yscale="log", xlim=(0, 20), ylim=(1, 12))
    right.set_yticks([1, 2, 4, 8])
    style.unit_axis(right.yaxis)
    right.set_xlabel("years ahead")
    right.set_ylabel("yearly fall that gives the mean price")
    _title(right, "Further ahead, slow falls count most", 40)
    return fig


def doubt_figure_alt(values: Any, declines: Any, *, mean: float, horizon: float) -> str:
    """The figure in words.

    Args:
        values: of repairing at once, one a world, for each dollar of the cost.
        declines: of the price, one a world [1/s].
        mean: of the values.
        horizon: up to which savings were counted [s].
    """
    ends = np.exp(effective_decline(declines, np.array([0.05, 20]) * YEAR) * YEAR)
    return (
        f"Left: value of repairing now in {engineering(len(values), digits=5)} worlds, savings of "
        f"{horizon / YEAR:.0f} years. Its median is {np.median(values):.2f} of the cost and its "
        f"mean {mean:.2f}; {100 * np.mean(values < 0):.0f} % of the worlds lose. Right: the steady "
        f"yearly fall that gives the mean price, from {ends[0]:.1f} times soon to {ends[1]:.1f} "
        "times in twenty years."
    )

"""Figures of the rack: record and prediction, what a token costs, machines large and small.

Each figure is a function of a table from `tokenwall.plots.rack_tables`; its `_alt` twin says the
same in words, composed from the same table.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal

import numpy as np

from tokenwall import style
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR = 0.25  # share by which a prediction may miss and still count as near
_Across = Literal["left", "center"]
_Up = Literal["top", "bottom"]
_COLOUR = {
    "compute": style.COMPUTE,
    "memory": style.MEMORY,
    "network": style.NETWORK,
    "overhead": style.NEUTRAL,
}
_PARTS = {
    "answer at peak": "answers, at peak arithmetic",
    "prompt at peak": "prompts, at peak arithmetic",
    "below peak": "arithmetic below its peak",
    "caches": "reading caches",
    "unpacking": "unpacking weights",
    "engine": "engine",
    "matrices": "matrices",
    "exchanges": "exchanges",
}


def _title(ax: Axes, text: str, narrow: bool, width: int = 38) -> None:
    ax.set_title(textwrap.fill(text, width if narrow else 88))


def record_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Predicted rate over the record, rack by rack, by constants that saw ever less.

    Args:
        table: as `against_record` makes it.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 3.9) if narrow else (style.WIDE[0], 3.5))
    ax.axvspan(1 - BAR, 1 + BAR, color=style.GRID, alpha=0.5, lw=0)
    ax.axvline(1, color=style.ENERGY, lw=1.4)
    place, ticks = 0.0, []
    for machine, rows in table.groupby("machine", sort=True):
        for row in rows.itertuples():
            ratio = row.predicted / row.published
            ax.plot([1, ratio], [place, place], color=style.COMPUTE, lw=1.2)
            ax.plot([ratio], [place], "o", color=style.COMPUTE)
            ax.annotate(
                engineering(row.predicted),
                (ratio, place),
                (7 if ratio >= 1 else -7, 0),
                textcoords="offset points",
                va="center",
                ha="left" if ratio >= 1 else "right",
            )
            ticks.append((place, f"{machine}, {row.label}"))
            place += 1
        place += 0.6
    ax.set_yticks([at for at, _ in ticks], [words for _, words in ticks])
    ax.set(xlim=(0.6, 1.4), ylim=(place - 0.8, -0.8))
    ax.grid(False, axis="y")
    ax.set_xlabel(f"predicted over published{'' if narrow else ' tokens per second'}")
    worst = table["error"].abs().max()
    found = f"No prediction misses a record by more than {100 * worst:.0f} %"
    _title(ax, f"{found}, whatever the constants had seen", narrow, 27)
    return fig


def record_figure_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `against_record` makes it.
    """
    parts = [
        f"{row.machine} with {row.label} fitted: {engineering(row.predicted)} against "
        f"{engineering(row.published)}, {100 * row.error:+.0f} %"
        for row in table.itertuples()
    ]
    return f"Predicted over published tokens per second of both racks. {'; '.join(parts)}."


def budget_figure(table: pd.DataFrame, record: float, *, narrow: bool = False) -> Figure:
    """What one output token costs one device, part after part, up to the record.

    Args:
        table: as `token_budget` makes it.
        record: what the published rate means for one device [s].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 3.9) if narrow else (style.WIDE[0], 3.6))
    ends = table["seconds"].cumsum().to_numpy()
    starts = ends - table["seconds"].to_numpy()
    places = range(len(table))
    colours = [_COLOUR[limit] for limit in table["limit"]]
    ax.barh(places, table["seconds"], left=starts, color=colours, height=0.6)
    for place, (seconds, start, end) in enumerate(zip(table["seconds"], starts, ends, strict=True)):
        late = end > 0.75 * max(ends[-1], record)
        ax.annotate(
            engineering(seconds, "s", digits=2),
            (start if late else end, place),
            (-5 if late else 5, 0),
            textcoords="offset points",
            va="center",
            ha="right" if late else "left",
        )
    ax.axvline(record, color=style.ENERGY, lw=1.4)
    ax.annotate(
        "the record",
        (record, len(table) - 0.55),
        (-5, 0),
        textcoords="offset points",
        color=style.ENERGY,
        ha="right",
        va="center",
    )
    names = [_PARTS[part] for part in table["part"]]
    ax.set_yticks(places, [textwrap.fill(name, 15) if narrow else name for name in names])
    ax.set(xlim=(0, 1.12 * max(ends[-1], record)), ylim=(len(table) - 0.3, -0.6))
    ax.grid(False, axis="y")
    style.unit_axis(ax.xaxis, "s")
    ax.set_xlabel("time of one device for one output token")
    share = table.loc[table["limit"] == "compute", "seconds"].sum() / ends[-1]
    least = table["seconds"].iloc[:2]
    found = f"Arithmetic is {100 * share:.0f} % of a token's time"
    prompts = f"prompts are {100 * least.iloc[1] / least.sum():.0f} % of its least"
    _title(ax, f"{found}; {prompts}", narrow, 32)
    return fig


def budget_figure_alt(table: pd.DataFrame, record: float) -> str:
    """The figure in words.

    Args:
        table: as `token_budget` makes it.
        record: what the published rate means for one device [s].
    """
    parts = ", ".join(
        f"{_PARTS[row.part]} {engineering(row.seconds, 's', digits=2)}"
        for row in table.itertuples()
    )
    total = table["seconds"].sum()
    return (
        f"Time of one device for one output token, part after part: {parts}. The sum is "
        f"{engineering(total, 's')}; the record means {engineering(record, 's')}."
    )


def scaling_figure(table: pd.DataFrame, runs: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """More devices: all users' rate beside one user's.

    Args:
        table: as `scaling` makes it.
        runs: as `published_sharing` makes it.
        narrow: for a phone's width.
    """
    layout = {"nrows": 2} if narrow else {"ncols": 2}
    size = (3.6, 6.2) if narrow else (style.WIDE[0], 3.7)
    fig, (left, right) = style.figure(narrow, figsize=size, **layout)
    left.plot(table["devices"], table["machine_rate"], "o-", color=style.COMPUTE, ms=5)
    left.set(xscale="log", yscale="log", xlim=(0.8, 1500), ylim=(8e3, 3e7))
    left.set_ylabel("tokens per second, all users")
    _title(left, "A copy on each: twice the devices, twice the tokens", True)
    user = table.dropna(subset="one_user")
    right.plot(user["devices"], user["one_user"], "o-", color=style.NETWORK, ms=5)
    right.plot(runs["devices"], runs["predicted"], color=style.MUTED, lw=1.3, ls=(0, (4, 2)))
    right.plot(runs["devices"], runs["measured"], "s", color=style.MEMORY, ms=6)
    last, best = runs.iloc[-1], user.loc[user["one_user"].idxmax()]
    right.annotate(
        "A100, 16 bits,\nmeasured",
        (last["devices"], last["measured"]),
        (7, -4),
        textcoords="offset points",
        color=style.MEMORY,
        va="top",
    )
    right.annotate(
        "GB300, 4.5 bits,\npredicted",
        (best["devices"], best["one_user"]),
        (0, 8),
        textcoords="offset points",
        color=style.NETWORK,
        ha="center",
    )
    right.set(xscale="log", xlim=(0.8, 100), ylim=(0, 1.4 * user["one_user"].max()))
    right.set_ylabel("tokens per second, one user")
    _title(right, f"One copy for one: best near {best['devices']:.0f}", True)
    for ax in (left, right):
        ax.set_xlabel("devices")
        style.unit_axis(ax.xaxis)
        style.unit_axis(ax.yaxis, digits=3)
    return fig


def scaling_figure_alt(table: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `scaling` makes it.
        runs: as `published_sharing` makes it.
    """
    first, last = table.iloc[0], table.iloc[-1]
    user = table.dropna(subset="one_user")
    best = user.loc[user["one_user"].idxmax()]
    measured = ", ".join(f"{row.measured:.0f} on {row.devices:.0f}" for row in runs.itertuples())
    return (
        f"Left: all users of a copy on each device, from {engineering(first.machine_rate)} token/s "
        f"on {first.devices:.0f} device to {engineering(last.machine_rate)} on "
        f"{last.devices:.0f}, a straight line. Right: one user of one copy shared by all devices, "
        f"from {user.iloc[0].one_user:.0f} token/s up to {best.one_user:.0f} on "
        f"{best.devices:.0f} devices and down to {user.iloc[-1].one_user:.0f} on "
        f"{user.iloc[-1].devices:.0f}. Measured on A100: {measured}."
    )


_MAP_COLOUR = {
    "72 GB300": style.COMPUTE,
    "8 H100": style.NETWORK,
    "M2 Ultra": style.NEUTRAL,
    "4 WSE-3": style.MEMORY,
}
# Where each name stands beside the full machine: offset in points, and how it is aligned.
_MAP_PLACE: dict[str, tuple[tuple[int, int], _Across, _Up]] = {
    "72 GB300": ((-2, -7), "left", "top"),
    "8 H100": ((-2, -7), "left", "top"),
    "M2 Ultra": ((-2, 6), "left", "bottom"),
    "4 WSE-3": ((4, 6), "center", "bottom"),
}
_MAP_SPAN = ((1.0, 2000.0), (5.0, 6e6))


def map_figure(
    table: pd.DataFrame, marks: pd.DataFrame, record: float, *, narrow: bool = False
) -> Figure:
    """Rate of a whole machine over that of each user, with the batch along each curve.

    Args:
        table: as `rate_map` makes it.
        marks: as `marks` makes it.
        record: of the rack [token/s].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.6) if narrow else (style.WIDE[0], 4.6))
    ax.set(xscale="log", yscale="log", xlim=_MAP_SPAN[0], ylim=_MAP_SPAN[1])
    grid = np.array(_MAP_SPAN[0])
    ax.plot(grid, grid, color=style.MUTED, lw=1, ls=(0, (2, 2)))
    ax.axhline(record, color=style.ENERGY, lw=1.2, ls=(0, (4, 2)))
    ax.annotate(
        "record of the rack",
        (_MAP_SPAN[0][1], record),
        (-4, 4),
        textcoords="offset points",
        color=style.ENERGY,
        ha="right",
    )
    for label, rows in table.groupby("machine", sort=False):
        colour = _MAP_COLOUR[str(label)]
        ax.plot(rows["user"], rows["rate"], color=colour)
        full, one = rows.iloc[-1], rows.iloc[0]
        ax.plot([full["user"]], [full["rate"]], "o", color=colour, ms=6)
        at, across, up = _MAP_PLACE[str(label)]
        ax.annotate(
            f"{label},\n{engineering(full['batch'], digits=2)} users",
            (full["user"], full["rate"]),
            at,
            textcoords="offset points",
            color=colour,
            ha=across,
            va=up,
            fontsize=8,
        )
        ax.plot([one["user"]], [one["rate"]], "o", color=colour, ms=4, mfc="none")
    for row in marks.itertuples():
        ax.plot([row.rate], [row.rate], "D", color=style.INK, ms=5)
        ax.annotate(
            f"{row.label}, {row.rate:.0f}",
            (row.rate, row.rate),
            (-6, 4) if row.label.startswith("Groq") else (6, -6),
            textcoords="offset points",
            ha="right" if row.label.startswith("Groq") else "left",
            va="bottom" if row.label.startswith("Groq") else "top",
            fontsize=8,
        )
    style.unit_axis(ax.xaxis)
    style.unit_axis(ax.yaxis)
    ax.set_xlabel("tokens per second of each user")
    ax.set_ylabel("tokens per second of all")
    fastest = table.loc[table["user"].idxmax(), "machine"]
    largest = table.loc[table["rate"].idxmax(), "machine"]
    _title(ax, f"Nobody is in the upper right: {largest} write most, {fastest} fastest", narrow)
    return fig


def map_figure_alt(table: pd.DataFrame, marks: pd.DataFrame, record: float) -> str:
    """The figure in words.

    Args:
        table: as `rate_map` makes it.
        marks: as `marks` makes it.
        record: of the rack [token/s].
    """
    parts = []
    for label, rows in table.groupby("machine", sort=False):
        one, full = rows.iloc[0], rows.iloc[-1]
        parts.append(
            f"{label} from {engineering(one.user, digits=2)} for each of "
            f"{engineering(one.batch, digits=2)} users to {engineering(full.user, digits=2)} for "
            f"each of {engineering(full.batch, digits=2)}, together "
            f"{engineering(full.rate, 'token/s', digits=2)}"
        )
    seen = ", ".join(f"{row.label} {row.rate:.0f}" for row in marks.itertuples())
    return (
        "Tokens per second of a machine over those of each user, both logarithmic, batch along "
        f"each curve: {'; '.join(parts)}. Record of the rack: {engineering(record)}. Published "
        f"for one user: {seen}."
    )


def million_figure(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Parts of one user's token beside the microsecond that a million a second allows.

    Args:
        table: as `microsecond` makes it.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 3.4) if narrow else (style.WIDE[0], 3.0))
    ax.set(xscale="log", xlim=(1e-7, 1e-1))
    ax.axvspan(1e-7, 1e-6, color=style.GRID, alpha=0.5, lw=0)
    ax.axvline(1e-6, color=style.ENERGY, lw=1.4)
    colours = [_COLOUR[limit] for limit in table["limit"]]
    for place, (seconds, colour) in enumerate(zip(table["seconds"], colours, strict=True)):
        ax.plot([1e-6, seconds], [place, place], color=colour, lw=1.3)
        ax.plot([seconds], [place], "o", color=colour)
        ax.annotate(
            f"{engineering(seconds * 1e6, digits=2)} times",
            (seconds, place),
            (8, 0),
            textcoords="offset points",
            va="center",
        )
    ax.annotate(
        "one microsecond",
        (1e-6, len(table) - 0.55),
        (5, 0),
        textcoords="offset points",
        color=style.ENERGY,
        va="center",
    )
    ax.set_yticks(range(len(table)), [_PARTS[part] for part in table["part"]])
    ax.set_ylim(len(table) - 0.2, -0.6)
    ax.grid(False, axis="y")
    style.unit_axis(ax.xaxis, "s")
    ax.set_xlabel("time in one token of one user")
    over = (table["over"] > 1).sum()
    _title(ax, f"{over} of {len(table)} parts alone take longer than a whole token may", narrow, 30)
    return fig


def million_figure_alt(table: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        table: as `microsecond` makes it.
    """
    parts = ", ".join(
        f"{_PARTS[row.part]} {engineering(row.seconds, 's', digits=2)}"
        for row in table.itertuples()
    )
    return (
        f"Time in one token of one user on {table.attrs['devices']} devices, on a logarithmic "
        f"axis: {parts}. A million tokens a second allows one microsecond for all of them."
    )

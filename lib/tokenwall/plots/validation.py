"""Figures and tables of the page that sets predictions against measurements.

Each figure is a function of a frame from `tokenwall.validation`; its `_alt` twin says the same in
words, composed from the same frame. Tables hold text, ready to be shown.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenwall import data, style, validation
from tokenwall.serving import engines
from tokenwall.units import engineering

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tokenwall.plots.claims import Reference

REGIMES = {
    "single": "one user",
    "batched": "batches",
    "prompt": "prompts",
    "saturated": "full servers",
}
KINDS = {
    "fitted": ("row fitted", "|", style.MUTED),
    "device": ("device left out", "o", style.COMPUTE),
    "source": ("source left out", "D", style.MEMORY),
}
# Marks nearer to each other than this share of a power of ten are drawn as one.
_GRAIN = 0.03


def _title(ax: Axes, text: str, narrow: bool, width: int = 40) -> None:
    ax.set_title(textwrap.fill(text, width if narrow else 92))


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1%}" if abs(value) < 0.0995 else f"{value:.0%}"


def scatter_figure(frame: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Predicted against measured time of every covered row, a panel for each kind of work.

    Args:
        frame: as `validation.rows` makes it.
        narrow: for a phone's width.
    """
    shape = {"nrows": 4} if narrow else {"nrows": 2, "ncols": 2}
    fig, axes = style.figure(narrow, figsize=(3.6, 13.2) if narrow else (7.2, 7.2), **shape)
    for ax, (regime, name) in zip(np.ravel(axes), REGIMES.items(), strict=True):
        some = frame[frame["regime"].eq(regime)]
        held = some[["measured", "unseen"]].to_numpy()
        ends = np.array([0.6 * held.min(), 1.6 * held.max()])
        ax.fill_between(ends, ends / 2, ends * 2, color=style.GRID, alpha=0.5, lw=0)
        ax.plot(ends, ends, color=style.MUTED, lw=1)
        for far, colour in ((False, style.COMPUTE), (True, style.ENERGY)):
            part = _thinned(some[some["factor"].gt(validation.MISS) == far])
            _dots(ax, part["measured"], part["unseen"], colour)
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        for axis in (ax.xaxis, ax.yaxis):
            style.unit_axis(axis, "s")
        ax.set_xlabel("measured")
        ax.set_ylabel("predicted")
        near = (some["factor"] <= validation.MISS).mean()
        ax.set_title(f"{name}: {near:.0%} within a factor of 2")
    return fig


def _dots(ax: Axes, x: pd.Series, y: pd.Series, colour: str) -> None:
    """Many dots as one path of short strokes with round ends, which a page carries lightly."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    ends = np.stack([np.column_stack([x, y]), np.column_stack([x * 1.01, y])], axis=1)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(x))
    path = Path(ends.reshape(-1, 2), codes)
    ax.add_patch(PathPatch(path, fill=False, edgecolor=colour, lw=2.6, capstyle="round"))


def _thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """One row of those whose marks would lie on each other."""
    places = np.round(np.log10(frame[["measured", "unseen"]]) / _GRAIN)
    return frame[~places.duplicated()]


def scatter_figure_alt(frame: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        frame: as `validation.rows` makes it.
    """
    parts = []
    for regime, name in REGIMES.items():
        some = frame[frame["regime"].eq(regime)]
        near = (some["factor"] <= validation.MISS).mean()
        low, high = (engineering(some["measured"].agg(end), "s") for end in ("min", "max"))
        parts.append(
            f"{name}, {len(some)} rows from {low} to {high}, {near:.0%} within a factor of 2, "
            f"median error {_percent(validation.middle(some['unseen_error']))}"
        )
    return (
        "Four panels of predicted against measured time on logarithmic axes, with the line on which "
        f"both agree and a band of a factor of 2 around it: {'; '.join(parts)}."
    )


def ideal_figure(frame: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """How many times slower than a machine without losses the measured rows are, as shares of rows.

    Args:
        frame: as `validation.rows` makes it.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 3.8) if narrow else (7.2, 3.6))
    colours = (style.COMPUTE, style.MEMORY, style.NETWORK, style.ENERGY)
    ax.set(xscale="log", xlim=(0.8, 60), ylim=(0, 1.02))
    ax.axvline(1, color=style.MUTED, lw=1)
    for (regime, name), colour in zip(REGIMES.items(), colours, strict=True):
        ratio = np.sort(_slowness(frame[frame["regime"].eq(regime)]))
        kept = np.unique(np.linspace(0, len(ratio) - 1, 80).round().astype(int))
        ax.plot(ratio[kept], (kept + 1) / len(ratio), color=colour, label=name)
    ax.legend(loc="lower right", fontsize=8.5)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.set_xlabel("measured time over the time without any loss")
    ax.set_ylabel("share of the rows")
    fast = int((frame["measured"] < frame["ideal"]).sum())
    count = {0: "No row is", 1: "One row is"}.get(fast, f"{fast} rows are")
    _title(ax, f"{count} faster than a machine without losses, of {len(frame):,}", narrow)
    return fig


def _slowness(frame: pd.DataFrame) -> pd.Series:
    return frame["measured"] / frame["ideal"]


def ideal_figure_alt(frame: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        frame: as `validation.rows` makes it.
    """
    parts = []
    for regime, name in REGIMES.items():
        ratio = _slowness(frame[frame["regime"].eq(regime)])
        low, middle, high = ratio.quantile([0.1, 0.5, 0.9])
        parts.append(f"{name} {middle:.1f}, a tenth below {low:.1f} and a tenth above {high:.1f}")
    fast = int((frame["measured"] < frame["ideal"]).sum())
    return (
        "Share of rows against measured time over the time of a machine without losses, by kind of "
        f"work. Medians: {'; '.join(parts)}. Faster than that machine: {fast} of {len(frame)}."
    )


def group_figure(table: pd.DataFrame, what: str, *, narrow: bool = False) -> Figure:
    """Median errors of groups: with the row fitted, its device left out, its source left out.

    Args:
        table: as `validation.errors` makes it, for one column.
        what: what the groups are, such as "sources".
        narrow: for a phone's width.
    """
    table = _ordered(table)[::-1]
    height = (0.44 if narrow else 0.29) * len(table) + 1.5
    fig, ax = style.figure(narrow, figsize=(3.6 if narrow else 7.2, height))
    places = np.arange(len(table))
    ax.set(xscale="log", xlim=(0.008, 1.6), ylim=(-0.7, len(table) - 0.1))
    held = table[["device", "source"]].clip(0.008, 1.6)
    ax.hlines(places, held.min(axis=1), held.max(axis=1), color=style.GRID, lw=1.4)
    for name, (label, mark, colour) in KINDS.items():
        shown = table[name].clip(0.0085, 1.5)
        size = 9 if mark == "|" else 5
        ax.plot(shown, places, mark, color=colour, ms=size, mew=1.6, ls="", label=label)
    words = [f"{name} ({rows:,.0f})" for name, rows in zip(table.index, table["rows"], strict=True)]
    if narrow:
        ax.set_yticks([])
        for place, word in zip(places, words, strict=True):
            ax.text(0.0085, place + 0.18, word, va="bottom", fontsize=7.5)
    else:
        ax.set_yticks(places, words)
    marks = [0.01, 0.03, 0.1, 0.3, 1]
    ax.set_xticks(marks, [f"{mark:.0%}" for mark in marks])
    ax.minorticks_off()
    ax.grid(False, axis="y")
    ax.legend(
        loc="upper right",
        fontsize=8,
    )
    ax.set_xlabel("median absolute error of the rate")
    best, worst = table.index[-1], table.index[0]
    words = f"Of all {what}, {worst} are furthest off and {best} nearest"
    ax.set_title(textwrap.fill(words, 38 if narrow else 64))
    return fig


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[np.argsort(table["source"].to_numpy())]


def group_figure_alt(table: pd.DataFrame, what: str) -> str:
    """The figure in words.

    Args:
        table: as `validation.errors` makes it, for one column.
        what: what the groups are.
    """
    parts = "; ".join(
        f"{name}, {row.rows:.0f} rows: {_percent(row.fitted)}, {_percent(row.device)}, "
        f"{_percent(row.source)}"
        for name, row in _ordered(table).iterrows()
    )
    return (
        f"Median absolute errors by {what}, with the row fitted, its device left out and its source "
        f"left out: {parts}."
    )


def growth_figure(pairs: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Predicted against measured growth of a step's time from the shortest to the longest context.

    Args:
        pairs: as `validation.context_growth` makes it.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.2) if narrow else (7.2, 4.2))
    ends = np.array([0.8, 10.0])
    ax.fill_between(ends, ends / 1.15, ends * 1.15, color=style.GRID, alpha=0.6, lw=0)
    ax.plot(ends, ends, color=style.MUTED, lw=1)
    groups = {
        "Apple chips": pairs["machine"].str.startswith("apple"),
        "GB10": pairs["machine"].eq("gb10"),
    }
    rest = ~np.logical_or.reduce(list(groups.values()))
    marks = zip(
        {**groups, "other GPUs": rest}.items(),
        (("o", style.COMPUTE), ("s", style.NETWORK), ("D", style.MEMORY)),
        strict=True,
    )
    for (name, mask), (mark, colour) in marks:
        some = pairs[mask]
        ax.plot(
            some["measured"], some["predicted"], mark, color=colour, ms=3.6, mfc="none", label=name
        )
    ax.set(xscale="log", yscale="log", xlim=(0.8, 4), ylim=(0.8, 10))
    for axis, ticks in ((ax.xaxis, (1, 1.5, 2, 3)), (ax.yaxis, (1, 1.5, 2, 3, 5, 8))):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_minor_locator(_none())
    ax.legend(loc="upper left", fontsize=8.5)
    ax.set_xlabel("measured ratio of times")
    ax.set_ylabel("predicted ratio")
    near = (pairs["ratio_error"].abs() < 0.15).mean()
    _title(ax, f"{near:.0%} of {len(pairs)} pairs grow as predicted, to within 15 %", narrow)
    return fig


def _none() -> object:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def growth_figure_alt(pairs: pd.DataFrame) -> str:
    """The figure in words.

    Args:
        pairs: as `validation.context_growth` makes it.
    """
    near = (pairs["ratio_error"].abs() < 0.15).mean()
    worst = pairs.loc[pairs["ratio_error"].abs().idxmax()]
    return (
        f"Predicted against measured growth of a step's time with context for {len(pairs)} pairs of "
        f"rows on logarithmic axes. Measured growth is between {pairs['measured'].min():.2f} and "
        f"{pairs['measured'].max():.2f} times; {near:.0%} of the pairs lie within 15 % of the "
        f"prediction. Furthest off is {_model(worst['model'])} on {_machine(worst['machine'])}: "
        f"{worst['predicted']:.2f} predicted, {worst['measured']:.2f} measured."
    )


def _model(key: str) -> str:
    return str(data.models().loc[key, "name"])


def _machine(key: str) -> str:
    return str(data.machines().loc[key, "name"])


def bars_table(bars: Iterable[validation.Bar]) -> pd.DataFrame:
    """The bars as text.

    Args:
        bars: as `validation.bars` makes them.
    """
    lines = []
    for bar in bars:
        count = bar.bound == 0
        figure = "–" if bar.value != bar.value else f"{bar.value:.0f}" if count else _fine(bar.value)
        verdict = "met" if bar.met else "missed" if bar.rows else "no rows"
        lines.append(
            {
                "what is judged": bar.name,
                "figure": figure,
                "bar": "none" if count else f"below {_fine(bar.bound)}",
                "verdict": verdict,
                "rows": f"{bar.rows:,}",
                "measure": bar.measure,
                "beside it": bar.note,
            }
        )
    return pd.DataFrame(lines).set_index("what is judged")


def _fine(value: float) -> str:
    return f"{value:.3%}" if abs(value) < 0.001 else f"{value:.1%}"


def source_names(keys: Iterable[str], references: Mapping[str, Reference]) -> dict[str, str]:
    """Names of sources by which a reader knows them apart.

    Args:
        keys: keys of the bibliography.
        references: as `plots.claims.references` reads them.
    """
    labels = {key: references[key].label for key in keys}
    many = {label for label in labels.values() if list(labels.values()).count(label) > 1}
    return {k: f"{label}, {k}" if label in many else label for k, label in labels.items()}


def errors_table(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Errors of groups as text.

    Args:
        table: as `validation.errors` makes it, for one column.
        name: what the groups are.
    """
    made = pd.DataFrame(
        {
            "rows": table["rows"].map("{:,}".format),
            "sources": table["sources"],
            "devices": table["devices"],
            "row fitted": table["fitted"].map(_percent),
            "device left out": table["device"].map(_percent),
            "source left out": table["source"].map(_percent),
            "bias": table["bias"].map("{:+.0%}".format),
            "furthest": table["worst"].map(lambda v: f"{v:.1f}×" if v < 10 else f"{v:.0f}×"),
        }
    )
    return made.rename_axis(name)


def misses_table(table: pd.DataFrame) -> pd.DataFrame:
    """Rows beyond a factor of 2 by cause, as text.

    Args:
        table: as `validation.misses` makes it.
    """
    frame = validation.rows().set_index("id")
    example = [frame.loc[key] for key in table["example"]]
    made = pd.DataFrame(
        {
            "cause": table["cause"],
            "rows": table["rows"],
            "furthest": [
                f"{worst:.1f}× {'slower' if row['log_error'] > 0 else 'faster'}"
                for worst, row in zip(table["worst"], example, strict=True)
            ],
            "that row": [
                f"{_model(row['model'])}, {row['devices']:.0f} × {_machine(row['machine'])}, "
                f"{row['engine']}, {row['regime']}"
                for row in example
            ],
            "what is left out": table["text"],
        }
    )
    return made.set_index("cause")


def coverage_table(table: pd.DataFrame) -> pd.DataFrame:
    """Covered rows and those left out, as text.

    Args:
        table: as `validation.coverage` makes it.
    """
    total = table["rows"].sum()
    made = pd.DataFrame(
        {
            "published rows": table["reason"],
            "rows": table["rows"].map("{:,}".format),
            "share": (table["rows"] / total).map("{:.1%}".format),
            "sources": table["sources"],
        }
    )
    return made.set_index("published rows")


def peers_table(table: pd.DataFrame) -> pd.DataFrame:
    """Other programs beside this one, as text.

    Args:
        table: as `validation.peer_table` makes it.
    """
    made = pd.DataFrame(
        {
            "of 22 points": table["points"],
            "decode points": table["decode"].map(_percent),
            "prompt points": table["prefill"].map(_percent),
            "rows it answers": table["rows"].map("{:,}".format),
            "of all": table["share"].map("{:.0%}".format),
            "rows both answer": table["common"].map("{:,}".format),
            "its error there": table["theirs"].map(_percent),
            "ours there": table["ours"].map(_percent),
        }
    )
    return made.rename_axis("program")


def intervals_table(table: pd.DataFrame) -> pd.DataFrame:
    """Shares of rows within their intervals, as text.

    Args:
        table: as `validation.intervals` makes it.
    """
    made = pd.DataFrame(
        {
            "kind of work": [REGIMES[regime] for regime in table.index],
            "rows": table["rows"].map("{:,}".format).to_numpy(),
            "typical width": table["width"].map("÷ and × {:.2f}".format).to_numpy(),
            "within it": table["stored"].map("{:.0%}".format).to_numpy(),
            "within one that other sources set": table["blind"].map("{:.0%}".format).to_numpy(),
        }
    )
    return made.set_index("kind of work")


def noise_table(table: pd.DataFrame) -> pd.DataFrame:
    """How far submitters differ on the same machine, as text.

    Args:
        table: as `validation.noise` makes it.
    """
    made = pd.DataFrame(
        {
            "model": table["model"].map(_model),
            "machine": [
                f"{count:.0f} × {_machine(key)}"
                for count, key in zip(table["devices"], table["machine"], strict=True)
            ],
            "submitters": table["submitters"],
            "slowest, token/s": table["low"].map("{:,.0f}".format),
            "fastest, token/s": table["high"].map("{:,.0f}".format),
            "they differ by": table["spread"].map("{:.1%}".format),
        }
    )
    return made.sort_values("model").set_index("model")


_ATTRIBUTE = re.compile(r"(\w+): ([^:\[]+) \[(.+?)\]\.")


def meanings() -> dict[str, tuple[str, str]]:
    """What each constant of an engine means and its unit, from the documentation of `Engine`."""
    text = inspect.getdoc(engines.Engine) or ""
    found = _ATTRIBUTE.findall(text.partition("Attributes:")[2])
    return {name: (" ".join(words.split()), unit) for name, words, unit in found}


def constants_table(keys: Iterable[str]) -> pd.DataFrame:
    """Constants of some engines with their standard errors, as text.

    Args:
        keys: keys of the engines.
    """
    table = engines.engine_table().set_index(["key", "quantity"])
    said = meanings()
    lines = []
    for name in engines.CONSTANTS:
        words, unit = said[name]
        line = {"constant": name, "meaning": words}
        for key in keys:
            row = table.loc[(key, name)]
            line[key] = _with_error(row["value"], row["standard_error"], unit, row["kind"])
        lines.append(line)
    return pd.DataFrame(lines).set_index("constant")


def _with_error(value: float, error: float, unit: str, kind: str) -> str:
    if kind == "assumed":
        return f"{value:g} assumed"
    if unit == "1":
        return f"{value:.2f} ± {error:.2f}" if error else f"{value:.2f}"
    both = engineering(value, unit, digits=2)
    return f"{both} ± {error / value:.0%}" if error else both

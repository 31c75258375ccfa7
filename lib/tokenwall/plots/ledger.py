"""The ledger as a waterfall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tokenwall import style
from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger import Ledger, Step
from tokenwall.ledger_rows.walls import ERASED, SWITCH, Walls
from tokenwall.units import engineering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {
    "computed": style.MEMORY,
    "published": style.NETWORK,
    "bound": style.ENERGY,
    "open": style.NEUTRAL,
}
# Width of a letter of a label over the width of a figure, at a desk and on a phone.
LETTER = {False: 0.0082, True: 0.0165}


def waterfall(ledger: Ledger, *, title: str, narrow: bool = False) -> Figure:
    """Bars that lead from the start to the end, each as long as its factor, on a log axis.

    Args:
        ledger: at least one row.
        title: what the waterfall shows, as a finding.
        narrow: for a phone's width.
    """
    from matplotlib.ticker import LogLocator

    count = len(ledger.rows) + 2
    height = (0.62 if narrow else 0.52) * count + 0.9
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], height))
    ax.set_xscale("log")
    levels = [ledger.start, *(step.after for step in ledger.steps)]
    ax.set_xlim(min(e.low for e in levels) / 2, max(e.high for e in levels) * 2)
    _total(ax, 0, ledger.start, f"{ledger.start_label}", ledger.unit, narrow)
    for row, step in enumerate(ledger.steps, start=1):
        _bar(ax, row, step, narrow)
    _total(ax, count - 1, ledger.end, "That makes", ledger.unit, narrow)
    ax.set_ylim(count - 0.45, -0.75)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.xaxis.set_major_locator(LogLocator(numticks=4 if narrow else 8))
    style.unit_axis(ax.xaxis)
    ax.set_xlabel(ledger.unit if narrow else f"{ledger.unit}, each bar on from the one above")
    ax.set_title(title.replace(": ", ":\n") if narrow else title)
    style.interval_legend(fig, levels, columns=2 if narrow else 4)
    return fig


def _bar(ax: Axes, row: int, step: Step, narrow: bool) -> None:
    factor = step.row.factor
    ends = sorted((step.before.value, step.after.value))
    ax.barh(row, ends[1] - ends[0], left=ends[0], height=0.42, color=_COLOURS[step.row.kind])
    style.interval(ax, step.after, row)
    ax.plot([step.after.value] * 2, [row, row + 1], color=style.MUTED, lw=0.8, ls=":")
    grows = factor.value >= 1
    sign = f"{'×' if grows else '÷'} {engineering(factor.value if grows else 1 / factor.value)}"
    _label(ax, ends[0], ends[1], row - 0.27, f"{step.row.label}: {sign}", narrow)


def _total(ax: Axes, row: int, level: Estimate, label: str, unit: str, narrow: bool) -> None:
    ax.plot([level.value], [row], "D", color=style.INK, ms=6)
    style.interval(ax, level, row)
    text = f"{label}: {engineering(level.value, unit)}"
    _label(ax, level.low, level.high, row - 0.22, text, narrow)


def _label(ax: Axes, left: float, right: float, y: float, text: str, narrow: bool) -> None:
    """Text from the left end of its bar, or up to its right end, or where else it fits."""
    low, high = (math.log(end) for end in ax.get_xlim())
    width = LETTER[narrow] * len(text) * (high - low)
    start, end = math.log(left), math.log(right)
    if start + width <= high:
        x, ha = start, "left"
    elif end - width >= low:
        x, ha = end, "right"
    else:
        x, ha = low + 0.01 * (high - low), "left"
    ax.text(math.exp(x), y, text, ha=ha, va="bottom", fontsize=8 if narrow else 8.5).set_in_layout(
        False
    )


def waterfall_alt(ledger: Ledger) -> str:
    """The waterfall in words, composed from the ledger.

    Args:
        ledger: at least one row.
    """
    parts = [
        f"{step.row.label} {'multiplies' if step.row.factor.value >= 1 else 'divides'} it by "
        f"{engineering(max(step.row.factor.value, 1 / step.row.factor.value))}"
        for step in ledger.steps
    ]
    return (
        "Waterfall on a logarithmic axis. It starts at "
        f"{engineering(ledger.start.value, ledger.unit)} ({ledger.start_label}); "
        f"{'; '.join(parts)}; it ends at {engineering(ledger.end.value, ledger.unit)}. "
        f"{style.interval_words([ledger.start, *(step.after for step in ledger.steps)])}"
    ).strip()


def _interval(level: Estimate) -> str:
    """Both ends of an interval and what they are; without ends a bound is an upper end."""
    if level.low < level.high:
        return f"{engineering(level.low)} to {engineering(level.high)}, {level.spread}"
    return "at most, a bound" if level.spread == Spread.BOUND else str(level.spread)


def ledger_table(ledger: Ledger) -> Any:
    """The ledger as a table for a page: factor, rate after it with its interval, kinds of both.

    The interval is that of the rate, as the waterfall draws it. Rows that land share causes with
    the row above, so an interval of their factor would count these twice.

    Args:
        ledger: at least one row.
    """
    import pandas as pd
    from IPython.display import HTML

    rows = [
        {
            "row": step.row.label,
            "factor": engineering(step.row.factor.value),
            f"then {ledger.unit}": engineering(step.after.value),
            "interval of that": _interval(step.after),
            "kind": step.row.kind,
        }
        for step in ledger.steps
    ]
    # A fixed id, another for each ledger of a page: the output is the same from run to run.
    table = pd.DataFrame(rows).style.hide(axis="index").set_uuid(f"ledger-{ledger.rows[-1].key}")
    html: Any = HTML
    return html(table.to_html())


USERS = (0.5, 1e8)
PRICES = {SWITCH: "switches waste barriers", ERASED: "only erased bits cost"}


def walls(
    both: Walls, marks: Mapping[str, tuple[float, float]], *, title: str, narrow: bool = False
) -> Figure:
    """Light as a line that rises with the users, heat as two levels, and where they cross.

    Args:
        both: of one machine and one model.
        marks: users and tokens per second of all of them, by the words beside the mark.
        title: the finding.
        narrow: for a phone's width.
    """
    from matplotlib.ticker import LogLocator

    fig, ax = style.figure(narrow)
    ax.set(xscale="log", yscale="log", xlim=USERS, ylim=(10, 9e14))
    light = [users * both.light.value for users in USERS]
    (line,) = ax.plot(USERS, light, color=style.COMPUTE)
    place = (300, 300 * both.light.value / 6)
    ax.text(*place, "each user at light's pace", color=line.get_color(), va="top")
    for price, heat in both.heat.items():
        ax.axhline(heat.value, color=style.ENERGY, lw=1.6)
        words = PRICES[price] if narrow else f"heat, if {PRICES[price]}"
        ax.text(USERS[0] * 1.5, heat.value * 1.3, words, color=style.ENERGY, va="bottom")
        style.interval(ax, heat, USERS[1] / (2 if price == ERASED else 5), upright=True)
        ax.plot([both.equal_at(price).value], [heat.value], "o", color=style.INK, ms=5)
    for words, (users, rate) in marks.items():
        ax.plot([users], [rate], "D", color=style.MEMORY, ms=6)
        left = users < math.sqrt(USERS[1])
        ax.annotate(
            words,
            (users, rate),
            (7 if left else -7, -2),
            textcoords="offset points",
            ha="left" if left else "right",
            va="top",
            color=style.MEMORY,
        )
    ax.xaxis.set_major_locator(LogLocator(numticks=4 if narrow else 9))
    style.unit_axis(ax.xaxis)
    style.unit_axis(ax.yaxis)
    ax.set_xlabel("users")
    ax.set_ylabel("token/s of all users")
    ax.set_title(title.replace(", ", ",\n") if narrow else title)
    style.interval_legend(fig, both.heat.values())
    return fig


def walls_alt(both: Walls, marks: Mapping[str, tuple[float, float]]) -> str:
    """The walls in words.

    Args:
        both: of one machine and one model.
        marks: as for `walls`.
    """
    crossings = "; ".join(
        f"heat, if {PRICES[price]}, at {engineering(heat.value, 'token/s', digits=2)}, which light "
        f"reaches at {engineering(both.equal_at(price).value, digits=2)} users"
        for price, heat in both.heat.items()
    )
    points = "; ".join(
        f"{words}, {engineering(rate, 'token/s', digits=2)}" for words, (_, rate) in marks.items()
    )
    return (
        "Users across, tokens per second of all of them up, both logarithmic. Light's line rises "
        f"from {engineering(both.light.value, 'token/s', digits=2)} for one user. Level lines: "
        f"{crossings}. Marks: {points}. {style.interval_words(both.heat.values())}"
    )

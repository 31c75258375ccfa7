"""Single changes as bars, ranked: what moves one user's rate, and what moves everybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tokenwall import style
from tokenwall.sensitivity import Swing
from tokenwall.units import engineering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Below this a change does nothing that a reader would notice.
NOTHING = 1.005


def ranking(
    ranked: Mapping[str, Sequence[Swing]], *, title: str, most: int = 8, narrow: bool = False
) -> Figure:
    """A panel for each rate: bars as long as the factor that one change gives, longest first.

    Args:
        ranked: name of a rate to its swings, as `single_changes` gives them.
        title: the finding.
        most: changes shown in a panel.
        narrow: for a phone's width.
    """
    count = min(most, max(len(swings) for swings in ranked.values()))
    rows, columns = (len(ranked), 1) if narrow else (1, len(ranked))
    size = (3.6, 0.42 * count * rows + 1.4) if narrow else (7.2, 0.42 * count + 1.1)
    fig, axes = style.figure(
        narrow, figsize=size, nrows=rows, ncols=columns, sharex=True, squeeze=False
    )
    longest = max(swing.factor for swings in ranked.values() for swing in swings)
    for ax, (name, swings) in zip(axes.flat, ranked.items(), strict=True):
        _panel(ax, name, swings[:most], longest)
    words = title.replace(": ", ":\n") if narrow else title
    fig.suptitle(words, x=0.02, ha="left", fontsize=10, fontweight="bold", color=style.INK)
    return fig


def _panel(ax: Axes, name: str, swings: Sequence[Swing], longest: float) -> None:
    ax.set_xlim(1, max(longest, 1.5))
    ax.set_ylim(len(swings) - 0.4, -0.9)
    for place, swing in enumerate(swings):
        moves = swing.factor > NOTHING
        ax.barh(place, max(swing.factor - 1, 0), left=1, height=0.26, color=style.MEMORY)
        ax.plot([1], [place], "o", color=style.MEMORY, ms=3, clip_on=False)
        text = f"{swing.name}: × {engineering(swing.factor, digits=3)}" if moves else swing.name
        colour = style.INK if moves else style.MUTED
        ax.annotate(
            text, (1, place - 0.22), (2, 0), textcoords="offset points", fontsize=8.5, color=colour
        ).set_in_layout(False)
    ax.set_yticks([])
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("factor on the rate")
    ax.set_title(name, fontweight="normal")


def ranking_alt(ranked: Mapping[str, Sequence[Swing]]) -> str:
    """The ranking in words.

    Args:
        ranked: as for `ranking`.
    """
    parts = []
    for name, swings in ranked.items():
        moving = [
            f"{swing.name.lower()}, times {engineering(swing.factor, digits=3)}"
            for swing in swings
            if swing.factor > NOTHING
        ]
        still = [swing.name.lower() for swing in swings if swing.factor <= NOTHING]
        rest = f"; without effect: {', '.join(still)}" if still else ""
        parts.append(f"For {name}: {'; '.join(moving) or 'nothing moves it'}{rest}.")
    return "Bars of the factor that each single change gives. " + " ".join(parts)

"""What an Explorable needs beside its sliders and its drawing, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from tokenwall.explorable import Move, Preset, Readout


@dataclass(frozen=True)
class Board:
    """What an Explorable needs beside its sliders and its drawing.

    Attributes:
        moves: what moves.
        readouts: numbers below the figure.
        presets: named settings.
        fixed: values that no slider sets.
        alt: the figure in words.
        labels: names of its curves.
        caption: a sentence or two below.
    """

    moves: list[Move]
    readouts: list[Readout]
    presets: list[Preset]
    fixed: dict[str, float]
    alt: str
    labels: list[str]
    caption: str = ""

"""Figures that the reader moves, with no server behind them.

Matplotlib draws the figure, SymPy says how it moves, the page's script re-evaluates and moves what
Matplotlib drew. In a live notebook the same figure is a widget.
"""

from tokenwall.explorable.controls import Preset, Slider, Table
from tokenwall.explorable.core import Explorable, Step, Stepper
from tokenwall.explorable.moves import Area, Bar, Curve, HLine, Marker, Move, Readout, Text, VLine
from tokenwall.explorable.prediction import Prediction
from tokenwall.explorable.scores import Scoreboard

__all__ = [
    "Area",
    "Bar",
    "Curve",
    "Explorable",
    "HLine",
    "Marker",
    "Move",
    "Prediction",
    "Preset",
    "Readout",
    "Scoreboard",
    "Slider",
    "Step",
    "Stepper",
    "Table",
    "Text",
    "VLine",
]

"""Predict a served model: tokens a second, time to the first token, bytes, joules and dollars.

`predict` joins the equations of `tokenwall.steps` with the tables of models and machines and the
constants of an engine. How near it comes to published measurements is shown in the book.
"""

from tokenwall.serving.engines import Engine, engine, engine_table, stacks
from tokenwall.serving.parts import Device, Shape, device_of, shape_of
from tokenwall.serving.predict import decode_step_times, predict
from tokenwall.serving.result import Interval, Memory, Prediction

__all__ = [
    "Device",
    "Engine",
    "Interval",
    "Memory",
    "Prediction",
    "Shape",
    "decode_step_times",
    "device_of",
    "engine",
    "engine_table",
    "predict",
    "shape_of",
    "stacks",
]

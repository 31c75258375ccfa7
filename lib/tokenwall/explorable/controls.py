"""What the reader sets: sliders, presets that set several at once, and tables over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["log", "linear"]
STEPS = 500
GROUP_LABELS = {"machine": "Machine", "model": "Model"}


@dataclass(frozen=True)
class Slider:
    """One quantity that the reader sets.

    Args:
        name: the symbol's name in the expressions.
        label: what the reader sees.
        unit: of the number, in the library's own units.
        low: lowest setting.
        high: highest setting.
        default: where it stands at first.
        scale: "log" or "linear".
        whole: whole numbers only.
        step: distance of two settings on a linear scale; a fine one if not given.
        values: the only settings there are, instead of an even scale.

    Raises:
        ValueError: range, default, step and values do not fit together; the message says which.
    """

    name: str
    label: str
    unit: str = "1"
    low: float = math.nan
    high: float = math.nan
    default: float = math.nan
    scale: Scale = "log"
    whole: bool = False
    step: float | None = None
    values: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.values is not None:
            ordered = tuple(sorted({float(v) for v in self.values}))
            if not ordered:
                raise ValueError(f"slider {self.name!r}: values is empty")
            object.__setattr__(self, "values", ordered)
            object.__setattr__(self, "low", ordered[0])
            object.__setattr__(self, "high", ordered[-1])
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(
                f"slider {self.name!r}: its range is {self.low:g} to {self.high:g}; "
                "low must lie below high and both must be finite"
            )
        if self.scale not in ("log", "linear"):
            raise ValueError(
                f"slider {self.name!r}: scale is {self.scale!r}, not 'log' or 'linear'"
            )
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"slider {self.name!r}: a log scale cannot start at {self.low:g}")
        if self.step is not None:
            self._check_step(self.step)
        for end in (self.low, self.high):
            self.check(end, "an end of its range")
        self.check(self.default, "default")

    def _check_step(self, step: float) -> None:
        if self.scale != "linear" or self.whole or self.values is not None:
            raise ValueError(
                f"slider {self.name!r}: step is {step:g}; only a linear scale of any numbers has it"
            )
        count = (self.high - self.low) / step if step > 0 else 0.5
        if not math.isclose(count, round(count)):
            raise ValueError(
                f"slider {self.name!r}: step is {step:g}; "
                f"it must divide {self.low:g} to {self.high:g} evenly"
            )

    def check(self, value: float, what: str) -> float:
        """The value, if it lies on this slider.

        Args:
            value: the setting.
            what: where it comes from, for the error.
        """
        if not self.low <= value <= self.high:
            unit = "" if self.unit == "1" else f" {self.unit}"
            raise ValueError(
                f"slider {self.name!r}: {what} is {value:g}; "
                f"it must lie from {self.low:g} to {self.high:g}{unit}"
            )
        if self.values is not None and value not in self.values:
            raise ValueError(
                f"slider {self.name!r}: {what} is {value:g}; "
                f"it must be one of {', '.join(f'{v:g}' for v in self.values)}"
            )
        if self.whole and value != round(value):
            raise ValueError(f"slider {self.name!r}: {what} is {value:g}, not a whole number")
        return float(value)

    @property
    def digits(self) -> int:
        """Significant digits shown: enough for 8,192 where the settings are exact numbers."""
        return 5 if self.whole or self.values is not None else 3

    def settings(self) -> list[float] | None:
        """All settings of a slider that has few, or None for a continuous one.

        Both ends and the default are among them.
        """
        if self.values is not None:
            return list(self.values)
        if not self.whole:
            return None
        low, high = round(self.low), round(self.high)
        if self.scale == "log":
            stops = _binary(high)
        elif high - low <= STEPS:
            stops = set(range(low, high + 1))
        else:
            stops = {round(float(f"{v:.1e}")) for v in np.linspace(low, high, 200)}
        inside = {float(stop) for stop in stops if low <= stop <= high}
        return sorted(inside | {float(low), float(high), float(self.default)})

    def spec(self) -> dict[str, Any]:
        """Its description for the page."""
        settings = self.settings()
        steps = STEPS
        if self.step is not None:
            steps = max(1, round((self.high - self.low) / self.step))
        return {
            "name": self.name,
            "label": self.label,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "default": self.default,
            "log": self.scale == "log",
            "whole": self.whole and self.values is None,
            "digits": self.digits,
            **({"values": settings} if settings else {"steps": steps}),
        }


def _binary(high: int) -> set[int]:
    """Whole numbers that people choose: all up to 20, then powers of two and seven between each."""
    return {*range(1, 21), *(part << k for part in range(8, 16) for k in range(high.bit_length()))}


@dataclass(frozen=True)
class Preset:
    """A named setting of several sliders and fixed values.

    Args:
        group: "machine", "model" or a group of the explorable's own; one list per group.
        label: its name in the list.
        values: what it sets.
        key: its key in the data tables; the reader's machine and model are remembered by it.
    """

    group: str
    label: str
    values: Mapping[str, float]
    key: str = ""

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"preset {self.label!r} sets nothing")
        if not self.key:
            object.__setattr__(self, "key", "-".join(self.label.lower().split()))


@dataclass(frozen=True)
class Table:
    """Values computed in advance over a grid of settings, for what has no formula.

    Expressions use it by its name; between grid points it is interpolated linearly (on a log
    scale where `log` names the axis).

    Args:
        name: the symbol that stands for its value.
        axes: for each axis a slider's, fixed value's or curve grid's name and its grid, rising.
        values: one value per grid point, an array of the axes' lengths in their order.
        log: axes interpolated on a log scale.
    """

    name: str
    axes: Mapping[str, Sequence[float]]
    values: NDArray[np.float64] = field(repr=False)
    log: Sequence[str] = ()

    def __post_init__(self) -> None:
        shape = tuple(len(grid) for grid in self.axes.values())
        if np.shape(self.values) != shape:
            raise ValueError(
                f"table {self.name!r}: values have shape {np.shape(self.values)}, its axes {shape}"
            )
        for axis, grid in self.axes.items():
            if len(grid) < 2 or not bool((np.diff(grid) > 0).all()):
                raise ValueError(f"table {self.name!r}: the grid of {axis!r} does not rise")

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """Its value at the inputs (numbers or arrays by name), as the page computes it."""
        result: Any = None
        corners = [self._corner(axis, inputs[axis]) for axis in self.axes]
        for choice in np.ndindex(*(2,) * len(corners)):
            index = tuple(at + side for (at, _), side in zip(corners, choice, strict=True))
            weight: Any = 1.0
            for (_, part), side in zip(corners, choice, strict=True):
                weight = weight * (part if side else 1 - part)
            term = weight * np.asarray(self.values, dtype=float)[index]
            result = term if result is None else result + term
        return result

    def _corner(self, axis: str, value: Any) -> tuple[Any, Any]:
        grid = np.asarray(self.axes[axis], dtype=float)
        value = np.asarray(value, dtype=float)
        if axis in self.log:
            grid, value = np.log(grid), np.log(value)
        at = np.clip(np.searchsorted(grid, value, side="right") - 1, 0, len(grid) - 2)
        part = np.clip((value - grid[at]) / (grid[at + 1] - grid[at]), 0, 1)
        return at, part

    def spec(self) -> dict[str, Any]:
        """Its description for the page."""
        return {
            "name": self.name,
            "axes": [
                {"name": axis, "grid": digits(grid), "log": axis in self.log}
                for axis, grid in self.axes.items()
            ],
            "values": digits(np.ravel(self.values), 7),
        }


def digits(values: Any, significant: int = 12) -> list[float]:
    """Numbers rounded so that processors which differ in the last digit print the same."""
    return [float(f"{float(v):.{significant}g}") for v in np.ravel(values)]

"""Which single change moves a rate most: one input at a time, all others held."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from tokenwall.equation import Equation

__all__ = ["Swing", "elasticity", "swings"]


@dataclass(frozen=True)
class Swing:
    """What one change does, alone.

    Attributes:
        name: of the change.
        factor: the rate with the change over the rate without it.
    """

    name: str
    factor: float


def swings(
    rate: Callable[..., Any], base: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]
) -> list[Swing]:
    """Changes ranked by how far each alone moves a rate, in either direction.

    Args:
        rate: a positive function of the inputs, such as an equation.
        base: the inputs.
        changes: name of a change to the inputs that it replaces.

    Raises:
        ValueError: a change names an input that the base lacks, or a rate is not positive and
            finite.

    Example:
        >>> from tokenwall.roofline import decode_step_time
        >>> base = {"batch": 1, "context": 1e3, "weight_bytes": 1e10, "cache_bytes_per_token": 1e5,
        ...         "active_parameters": 5e9, "bandwidth": 1e12, "peak_rate": 1e14}
        >>> ranked = swings(decode_step_time, base, {
        ...     "half the weights": {"weight_bytes": 5e9}, "twice the context": {"context": 2e3}})
        >>> [(swing.name, round(swing.factor, 3)) for swing in ranked]
        [('half the weights', 0.505), ('twice the context', 1.01)]
    """
    before = _positive("the base", rate(**base))
    found = []
    for name, change in changes.items():
        unknown = sorted(set(change) - set(base))
        if unknown:
            raise ValueError(f"{name}: {', '.join(unknown)} is no input; known are {sorted(base)}")
        found.append(Swing(name, _positive(name, rate(**{**base, **change})) / before))
    return sorted(found, key=lambda swing: -abs(math.log(swing.factor)))


def elasticity(equation: Equation[...], name: str, **values: float) -> float:
    """Per cent by which a result grows when one input grows by one per cent [1].

    The derivative of the logarithm, taken from the equation's own expression. At a corner, where
    two limits are equal, it is the mean of both sides.

    Args:
        equation: a member of the registry.
        name: the input.
        values: all inputs, in the equation's units.

    Raises:
        ValueError: the name is no input of the equation; a value is missing, unknown or outside
            its domain; or there the result is zero or moves in whole steps, so that it has none.

    Example:
        >>> from tokenwall.roofline import bandwidth_law
        >>> elasticity(bandwidth_law, "bytes_per_step", bandwidth=1e12, bytes_per_step=1e10)
        -1.0
    """
    if name not in equation.symbols:
        inputs = ", ".join(equation.parameters)
        raise ValueError(f"{name!r} is no input of {equation.__name__}; it has {inputs}")
    here = f"{name} of {equation.__name__}"
    result = equation(**values)
    if not isinstance(result, float):
        raise ValueError(f"{here}: the result is {result!r}; all inputs must be single numbers")
    if result == 0:
        raise ValueError(f"{here}: the result is 0 there, of which nothing is one per cent")
    symbol = equation.symbols[name]
    steps = [f for f in equation.expr.atoms(sympy.floor, sympy.ceiling) if f.has(symbol)]
    if steps:
        raise ValueError(f"{here}: the result moves in whole steps, {steps[0]}, and has no slope")
    slope = sympy.diff(equation.expr, symbol) * symbol / equation.expr
    known = {**equation.defaults, **values}
    at = {equation.symbols[key]: sympy.Float(float(known[key])) for key in equation.parameters}
    found = float(slope.subs(at))
    if not math.isfinite(found):
        raise ValueError(f"{here}: the result has no slope there")
    return found


def _positive(name: str, value: Any) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name}: the rate is {number:g}; it must be positive and finite")
    return number

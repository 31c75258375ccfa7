"""Numbers that know how well they are known, and what their interval is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Estimate", "Spread", "through"]


class Spread(StrEnum):
    """What the interval of an estimate is, from the tightest statement to the loosest.

    Only `NINE_IN_TEN` is a probability. The other intervals are not, however alike they look: a
    range of cases holds what somebody may choose, a spread of opinions what authors have printed,
    and a bound what its assumptions leave open.
    """

    EXACT = "exact"
    NINE_IN_TEN = "nine in ten"
    OPINIONS = "spread of opinions"
    CASES = "range of cases"
    BOUND = "bound"


_ORDER = tuple(Spread)
Part = tuple[Spread, float, float]


@dataclass(frozen=True)
class Estimate:
    """A positive number with an interval, and what that interval is.

    In a product the half-widths of intervals that hold nine in ten add in quadrature in the
    logarithm, since their causes are independent; those of any other kind add as they are, since
    nothing says that two cases or two opinions do not come together. The product is called by the
    loosest kind in it.

    Args:
        value: best estimate.
        low: lower end, at most the value.
        high: upper end, at least the value.
        spread: what the interval is: "nine in ten", "spread of opinions", "range of cases" or
            "bound"; may be left out where low and high are the value.
        parts: half-widths in the logarithm by kind, where the interval has several causes.

    Raises:
        ValueError: not 0 < low <= value <= high < infinity, or an interval that says not what it
            is.

    Example:
        >>> rate = Estimate(2, 1, 4, "nine in ten") * Estimate(3, 1.5, 6, "nine in ten")
        >>> round(rate.high / rate.value, 2), str(rate.spread)
        (2.67, 'nine in ten')
        >>> rate = Estimate(2, 1, 4, "nine in ten") * Estimate(3, 1.5, 6, "range of cases")
        >>> round(rate.high / rate.value, 2), str(rate.spread)
        (4.0, 'range of cases')
    """

    value: float
    low: float
    high: float
    spread: Spread = Spread.EXACT
    parts: tuple[Part, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not 0 < self.low <= self.value <= self.high < math.inf:
            raise ValueError(
                f"estimate is {self.low:g} <= {self.value:g} <= {self.high:g}; "
                "it must be positive, finite and in that order"
            )
        if self.low == self.high:
            kind = Spread.EXACT if self.spread != Spread.BOUND else Spread.BOUND
        else:
            kind = self._kind()
        object.__setattr__(self, "spread", kind)
        if not self.parts:
            down, up = math.log(self.value / self.low), math.log(self.high / self.value)
            object.__setattr__(self, "parts", ((kind, down, up),))

    def _kind(self) -> Spread:
        kinds = [str(kind) for kind in Spread if kind != Spread.EXACT]
        if self.spread == Spread.EXACT or str(self.spread) not in kinds:
            raise ValueError(
                f"spread of the estimate {self.low:g} <= {self.value:g} <= {self.high:g} is "
                f"{str(self.spread)!r}; it must be one of {', '.join(kinds)}"
            )
        return Spread(self.spread)

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """An estimate without an interval, for what is known or chosen."""
        return cls(value, value, value)

    @property
    def is_probable(self) -> bool:
        """Whether the interval is meant to hold the truth nine times in ten, and nothing else."""
        return self.spread == Spread.NINE_IN_TEN

    def called(self, spread: Spread | str) -> Estimate:
        """The same interval under another name, for example once a number is used as a bound.

        Args:
            spread: what the interval is from here on.
        """
        return Estimate(self.value, self.low, self.high, Spread(spread))

    def __mul__(self, other: Estimate) -> Estimate:
        """Product of independent estimates."""
        return _combined(self.value * other.value, (*self.parts, *other.parts))

    def inverse(self) -> Estimate:
        """One over the estimate; the ends of the interval change places."""
        swapped = tuple((kind, up, down) for kind, down, up in self.parts)
        low, high = 1 / self.high, 1 / self.low
        return Estimate(1 / self.value, low, high, self.spread, swapped)


def through(function: Callable[..., float], *inputs: Estimate) -> Estimate:
    """A function of independent estimates, each moved to its two ends with the others held.

    Args:
        function: takes one number for each input; its result is positive.
        inputs: what it is evaluated at.

    Returns:
        The result at the inputs' values, with the half-widths of its inputs combined as those of
        a product are. An input has the kind of its interval, the loosest where it has several.

    Raises:
        ValueError: the result is not positive and finite at a value or an end.

    Example:
        >>> side = Estimate(2, 1, 4, "range of cases")
        >>> through(lambda s: s**2, side)
        Estimate(value=4.0, low=1.0, high=16.0, spread=<Spread.CASES: 'range of cases'>)
    """
    values = [each.value for each in inputs]
    middle = function(*values)
    parts: list[Part] = []
    for place, each in enumerate(inputs):
        ends = [
            function(*values[:place], end, *values[place + 1 :]) for end in (each.low, each.high)
        ]
        if not min(middle, *ends) > 0:
            raise ValueError(
                f"result is {min(middle, *ends):g} within an interval; must be positive"
            )
        steps = [math.log(end / middle) for end in ends]
        parts.append((each.spread, max(0.0, -min(steps)), max(0.0, *steps)))
    return _combined(middle, tuple(parts))


def _combined(value: float, parts: tuple[Part, ...]) -> Estimate:
    merged: list[Part] = []
    for kind in _ORDER:
        alike = [(down, up) for each, down, up in parts if each == kind]
        if not alike:
            continue
        downs, ups = zip(*alike, strict=True)
        probable = kind == Spread.NINE_IN_TEN
        down, up = (math.hypot(*ends) if probable else math.fsum(ends) for ends in (downs, ups))
        if down or up or kind == Spread.BOUND:
            merged.append((kind, down, up))
    down = math.fsum(part[1] for part in merged)
    up = math.fsum(part[2] for part in merged)
    kind = merged[-1][0] if merged else Spread.EXACT
    # Rounding must not push an end past the value.
    low = min(value * math.exp(-down), value)
    high = max(value * math.exp(up), value)
    return Estimate(value, low, high, kind, tuple(merged))

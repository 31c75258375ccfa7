"""The last rows before thermodynamics: what light allows one user of a memory of finite size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy.constants import c

from tokenwall.data import model as model_row
from tokenwall.data.facts import estimate, facts, sources
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.ledger import Row
from tokenwall.light import dependent_steps, even_rate, memory_radius
from tokenwall.roofline import weight_bytes
from tokenwall.scenario import read_parameters

__all__ = [
    "Extent",
    "flash_density",
    "light_bound",
    "light_row",
    "rack_extent",
    "rack_radius",
    "server_extent",
    "stack_density",
    "weights_radius",
]

CHAPTER = "book/physics/light.ipynb"


def stack_density() -> Estimate:
    """Bytes that a stack of memory holds for each volume [B/m**3]."""
    capacity = estimate("hbm3-stack", "capacity")
    footprint = estimate("hbm3-stack", "footprint")
    return capacity * (footprint * estimate("hbm3-stack", "height")).inverse()


def flash_density() -> Estimate:
    """Bytes that a stack of flash holds for each volume, in the outline of a stack [B/m**3]."""
    capacity = estimate("flash-stack", "capacity")
    footprint = estimate("hbm3-stack", "footprint")
    return capacity * (footprint * estimate("hbm3-stack", "height")).inverse()


def weights_radius(model: Any, density: Estimate | None = None) -> Estimate:
    """Radius of the ball that the weights of one token fill [m].

    The weights are those that a token multiplies, so a mixture of experts counts only the experts
    that it wakes, which is the same number for every token.

    Args:
        model: a row of the model table, or its name, key or alias.
        density: bytes for each volume; that of stacked memory if not given.

    Raises:
        ValueError: the model is unknown or lacks a quantity.
    """
    bits = estimate("light-bound", "weight_bits")
    room = bits * (density or stack_density()).inverse()
    parameters = read_parameters(model)
    # Only bytes over density count, so the density can be one where the bytes are a volume.
    return through(lambda each: float(memory_radius(weight_bytes(parameters, each / 8), 1)), room)


@dataclass(frozen=True)
class Extent:
    """How far a machine extends: the volume of its weights, and the box that it fits into.

    Attributes:
        volume: over which the weights are spread [m**3].
        thickness: shortest edge of the box [m].
        width: middle edge of the box [m].
        length: longest edge of the box [m].

    Raises:
        ValueError: an edge is not positive, or they are not in this order.
    """

    volume: float
    thickness: float
    width: float
    length: float

    def __post_init__(self) -> None:
        if not 0 < self.thickness <= self.width <= self.length or not self.volume > 0:
            raise ValueError(
                f"edges are {self.thickness:g}, {self.width:g} and {self.length:g} m around "
                f"{self.volume:g} m**3; they must be positive and in that order"
            )

    @classmethod
    def box(cls, *edges: float) -> Extent:
        """A box that is full of weights.

        Args:
            edges: three of them, in any order [m].
        """
        low, middle, high = sorted(edges)
        return cls(low * middle * high, low, middle, high)

    @classmethod
    def sheet(cls, area: float, thickness: float) -> Extent:
        """A square sheet, such as a chip or a wafer.

        Args:
            area: of one side [m**2].
            thickness: [m].
        """
        return cls.box(math.sqrt(area), math.sqrt(area), thickness)

    @classmethod
    def ball(cls, radius: float) -> Extent:
        """A ball.

        Args:
            radius: [m].
        """
        return cls(4 / 3 * math.pi * radius**3, 2 * radius, 2 * radius, 2 * radius)

    @property
    def radius(self) -> float:
        """Radius of a ball of the same volume [m]."""
        return float(memory_radius(self.volume, 1))


def rack_extent() -> Extent:
    """A rack from frame to frame."""
    frame = facts("open-rack")
    return Extent.box(frame["height"], frame["depth"], frame["width"])


def server_extent() -> Extent:
    """A server of eight accelerators from case to case."""
    case = facts("h100-server")
    return Extent.box(case["height"], case["depth"], case["width"])


def rack_radius() -> Estimate:
    """Radius of a ball of a rack's volume, the size that bounds weights spread over it [m]."""
    return Estimate.exact(rack_extent().radius)


def light_bound(model: Any, size: Estimate | Extent) -> Estimate:
    """Tokens per second that light allows one user of weights spread evenly [token/s].

    The value is the weakest bound, one step in each layer, and so is the upper end for the
    smallest radius; the lower end takes each of a layer's products as a step.

    Args:
        model: a row of the model table, or its name, key or alias.
        size: radius of a ball of the weights' volume, such as `weights_radius` for the densest
            one; or the extent of a machine, which may be flat or thin, such as `rack_extent`.

    Raises:
        ValueError: the model is unknown or has no layers in its table.

    Example:
        >>> round(light_bound("llama-3.1-70b", rack_extent()).value / 1e6, 1)
        22.7
    """
    row = model_row(model) if isinstance(model, str) else model
    layers = float(row["layers"])
    if math.isnan(layers):
        raise ValueError(f"{row['name']} has no layers in its table")
    steps = estimate("light-bound", "steps_per_layer")
    if isinstance(size, Extent):
        extent = size
        bound = through(lambda each: _rate(extent, layers, each), steps)
    else:
        bound = through(lambda r, each: _rate(Extent.ball(r), layers, each), size, steps)
    return bound.called(Spread.BOUND)


def _rate(extent: Extent, layers: float, each: float) -> float:
    rate = even_rate(
        extent.volume,
        dependent_steps(layers, each),
        memory_thickness=extent.thickness,
        memory_width=extent.width,
        signal_speed=c,
    )
    return float(rate)


def light_row(before: Estimate, bound: Estimate, *, key: str = "light", label: str = "") -> Row:
    """The factor that leads from a rate to a light bound.

    Args:
        before: the rate of one user that the ledger has reached.
        bound: as `light_bound` makes it.
        key: of the row, unique in a ledger.
        label: of the row.
    """
    return Row(
        key,
        label or "One user at the light bound",
        bound * before.inverse(),
        ("even_rate", "share_radius", "memory_radius", "dependent_steps"),
        {"signal_speed": c, "before": before.value, "bound": bound.value},
        sources("facts", "light-bound") + "; " + sources("facts", "hbm3-stack"),
        CHAPTER,
        note="A bound on the way of the signal alone: no heat, no wires, no arithmetic.",
        lands_on=bound,
    )

"""The last rows before thermodynamics: what light allows one user of a memory of finite size."""

from __future__ import annotations

import math
from typing import Any

from scipy.constants import c

from tokenwall.data import model as model_row
from tokenwall.data.facts import estimate, facts, sources
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.ledger import Row
from tokenwall.light import dependent_steps, memory_radius, travelling_rate
from tokenwall.roofline import weight_bytes
from tokenwall.scenario import read_parameters

__all__ = ["light_bound", "light_row", "rack_radius", "stack_density", "weights_radius"]

CHAPTER = "book/physics/light.ipynb"


def stack_density() -> Estimate:
    """Bytes that a stack of memory holds for each volume [B/m**3]."""
    capacity = estimate("hbm3-stack", "capacity")
    footprint = estimate("hbm3-stack", "footprint")
    return capacity * (footprint * estimate("hbm3-stack", "height")).inverse()


def weights_radius(model: Any, density: Estimate | None = None) -> Estimate:
    """Radius of the ball that the weights of one token fill [m].

    The weights are those that a token multiplies, so a mixture of experts counts only the experts
    that it wakes: the weakest bound, which holds for the luckiest token.

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


def rack_radius() -> Estimate:
    """Half the height of a rack, the nearest that both of its ends can be to its middle [m]."""
    return Estimate.exact(facts("open-rack")["height"] / 2)


def light_bound(model: Any, radius: Estimate) -> Estimate:
    """Tokens per second that light allows one user of weights spread evenly over a ball [token/s].

    The value is the weakest bound, one step in each layer, and so is the upper end for the
    smallest radius; the lower end takes each of a layer's products as a step.

    Args:
        model: a row of the model table, or its name, key or alias.
        radius: of the ball; `weights_radius` for the densest one, `rack_radius` for a rack.

    Raises:
        ValueError: the model is unknown or has no layers in its table.
    """
    row = model_row(model) if isinstance(model, str) else model
    layers = float(row["layers"])
    if math.isnan(layers):
        raise ValueError(f"{row['name']} has no layers in its table")
    steps = estimate("light-bound", "steps_per_layer")

    def rate(size: float, each: float) -> float:
        return float(travelling_rate(size, dependent_steps(layers, each), signal_speed=c))

    return through(rate, radius, steps).called(Spread.BOUND)


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
        ("travelling_rate", "memory_radius", "dependent_steps"),
        {"signal_speed": c, "before": before.value, "bound": bound.value},
        sources("facts", "light-bound") + "; " + sources("facts", "hbm3-stack"),
        CHAPTER,
        note="A bound on the way of the signal alone: no heat, no wires, no arithmetic.",
        lands_on=bound,
    )

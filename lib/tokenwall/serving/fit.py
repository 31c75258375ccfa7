"""Fit the constants of engines to published rows: few, global, and never to one row.

Every constant is a common value, plus what an engine's family adds, plus what the engine adds. Both
additions are drawn towards nothing, so that an engine with few rows keeps what its relatives say.
The loss grows with the size of an error and not with its square, and rows of one machine, model and
source share their weight.

How strongly each is drawn was set by hand, in sight of all rows, so that servers full of requests
do not decide what a single user waits for. Held-out figures do not know of those few choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from tokenwall.serving.engines import ASSUMED, Engine, stacks
from tokenwall.serving.parts import Array
from tokenwall.serving.published import Batch, Case

__all__ = ["FITTED", "Fit", "fit"]


@dataclass(frozen=True)
class _Prior:
    start: float
    common: float  # how far the common value may lie from the start, as a logarithm or logit
    apart: float  # how far families and engines may lie from it
    share: bool  # a share of 1, or a positive number


FITTED: dict[str, _Prior] = {
    "bandwidth_fraction": _Prior(0.85, 0.3, 0.2, True),
    "cache_fraction": _Prior(0.7, 0.6, 0.4, True),
    "compute_fraction": _Prior(0.5, 0.5, 0.4, True),
    "prompt_fraction": _Prior(0.5, 0.5, 0.5, True),
    "eight_bit_factor": _Prior(0.8, 0.4, 0.3, True),
    "four_bit_factor": _Prior(0.6, 0.4, 0.3, True),
    "attention_fraction": _Prior(0.15, 1.0, 0.8, True),
    "prompt_attention_fraction": _Prior(0.3, 0.7, 0.5, True),
    "flop_per_weight": _Prior(3.0, 1.0, 0.5, False),
    "overhead_per_layer": _Prior(5e-5, 1.0, 0.6, False),
    "overhead_per_step": _Prior(5e-4, 0.5, 0.25, False),
    "overhead_per_sequence": _Prior(5e-6, 1.0, 1.0, False),
    "round_latency": _Prior(4e-6, 0.4, 0.25, False),
    "link_fraction": _Prior(0.5, 0.5, 0.4, True),
    "routing_agreement": _Prior(0.3, 1.0, 0.7, True),
}
# Relative error beyond which a row pulls with constant force.
ROBUST_SCALE = 0.12
# Weight of all rows against the draw towards nothing.
_TRUST = 3.0
# How little a further row of the same machine, model, source and kind of work adds.
_SHARING = 0.8


class Fit:
    """Constants of all engines from some published rows."""

    def __init__(self, cases: list[Case]) -> None:
        self.cases = cases
        self.batch = Batch(cases)
        self.logs = np.log([case.measured for case in cases])
        self.names = list(FITTED)
        family = dict(zip(stacks()["key"], stacks()["family"], strict=True))
        self.family_of = family
        self.families = sorted(set(family.values()))
        self.stacks = sorted({case.stack for case in cases})
        self.stack_index = np.array([self.stacks.index(case.stack) for case in cases])
        self.family_index = np.array(
            [self.families.index(family[stack]) for stack in self.stacks], dtype=int
        )
        groups = pd.Series(
            [(c.stack, c.device.key, c.row.source, c.quantity, c.shape.key) for c in cases]
        )
        self.weight = _TRUST * groups.map(groups.value_counts()).to_numpy(float) ** (-_SHARING / 2)
        self.start = np.array([_to_free(FITTED[n].start, FITTED[n].share) for n in self.names])
        self.point = self._solve()

    def _spread(self) -> tuple[Array, Array]:
        common = np.array([FITTED[n].common for n in self.names])
        apart = np.array([FITTED[n].apart for n in self.names])
        return common, apart

    def _free(self, point: Array) -> Array:
        """Free value of each constant for each stack."""
        size = len(self.names)
        common, rest = point[:size], point[size:].reshape(-1, size)
        families, own = rest[: len(self.families)], rest[len(self.families) :]
        return np.asarray(common + families[self.family_index] + own)

    def _constants(self, free: Array) -> dict[str, Array]:
        columns = {
            name: _from_free(free[:, index], FITTED[name].share)
            for index, name in enumerate(self.names)
        }
        columns["exposed_fraction"] = np.full(len(free), ASSUMED["exposed_fraction"])
        return columns

    def _errors(self, free: Array) -> Array:
        times = self.batch.with_constants(self._constants(free))
        return np.asarray(np.log(times) - self.logs)

    def _residual(self, point: Array) -> Array:
        errors = self._errors(self._free(point)[self.stack_index]) / ROBUST_SCALE
        # Its square is the loss 2 (root - 1), without the loss of digits near nothing.
        soft = errors * np.sqrt(2 / (np.sqrt(1 + errors**2) + 1))
        return np.concatenate([self.weight * soft, self._draw(point)])

    def _draw(self, point: Array) -> Array:
        size = len(self.names)
        common, apart = self._spread()
        first = (point[:size] - self.start) / common
        return np.concatenate([first, (point[size:].reshape(-1, size) / apart).ravel()])

    def _jacobian(self, point: Array) -> Array:
        """Derivative by each constant once; common, family and own values share it."""
        size, step = len(self.names), 1e-5
        free = self._free(point)[self.stack_index]
        errors = self._errors(free)
        root = np.sqrt(1 + (errors / ROBUST_SCALE) ** 2)
        slope = np.sqrt((root + 1) / 2) / root
        by_constant = np.empty((len(errors), size))
        for index in range(size):
            moved = free.copy()
            moved[:, index] += step
            by_constant[:, index] = (self._errors(moved) - errors) / step
        by_constant *= (self.weight * slope / ROBUST_SCALE)[:, None]
        blocks = 1 + len(self.families) + len(self.stacks)
        rows = np.zeros((len(errors), blocks, size))
        places = np.arange(len(errors))
        rows[:, 0] = by_constant
        rows[places, 1 + self.family_index[self.stack_index]] = by_constant
        rows[places, 1 + len(self.families) + self.stack_index] = by_constant
        common, apart = self._spread()
        draw = np.diag(np.concatenate([1 / common, np.tile(1 / apart, blocks - 1)]))
        return np.vstack([rows.reshape(len(errors), -1), draw])

    def _solve(self) -> Array:
        blocks = len(self.families) + len(self.stacks)
        first = np.concatenate([self.start, np.zeros(blocks * len(self.names))])
        solution = least_squares(
            self._residual, first, jac=self._jacobian, method="trf", max_nfev=40, ftol=1e-5
        )
        slopes: Array = np.asarray(solution.jac, dtype=float)
        self.curvature: Array = slopes.T @ slopes
        return np.asarray(solution.x)

    def engine(self, stack: str) -> Engine:
        """Constants of an engine; of its family or all where it has no rows.

        Args:
            stack: key of the engine, or "any" for the common values.
        """
        size = len(self.names)
        free = self.point[:size].copy()
        rest = self.point[size:].reshape(-1, size)
        if stack in self.family_of:
            free += rest[self.families.index(self.family_of[stack])]
        if stack in self.stacks:
            free += rest[len(self.families) + self.stacks.index(stack)]
        values = {
            name: float(_from_free(free[index], FITTED[name].share))
            for index, name in enumerate(self.names)
        }
        return Engine(stack, **values, **ASSUMED)

    def standard_errors(self, stack: str) -> dict[str, float]:
        """Standard error of each constant of an engine, from the curvature of the loss.

        Args:
            stack: key of the engine, or "any".
        """
        size = len(self.names)
        covariance = np.linalg.inv(self.curvature)
        places = [0]
        if stack in self.family_of:
            places.append(1 + self.families.index(self.family_of[stack]))
        if stack in self.stacks:
            places.append(1 + len(self.families) + self.stacks.index(stack))
        found = {}
        made = self.engine(stack)
        for index, name in enumerate(self.names):
            which = [place * size + index for place in places]
            free = float(np.sqrt(covariance[np.ix_(which, which)].sum()))
            value = getattr(made, name)
            found[name] = free * (value * (1 - value) if FITTED[name].share else value)
        return found


def _to_free(value: float, share: bool) -> float:
    return float(np.log(value / (1 - value)) if share else np.log(value))


def _from_free(free: Array, share: bool) -> Array:
    # A search may try values so far out that they overflow.
    free = np.clip(free, -20.0, 20.0)
    return np.asarray(1 / (1 + np.exp(-free)) if share else np.exp(free))


def fit(cases: list[Case]) -> dict[str, Engine]:
    """Constants of every engine from some published rows.

    Args:
        cases: published measurements.

    Returns:
        Engine by stack, with "any" for the common values.
    """
    made = Fit(cases)
    return {stack: made.engine(stack) for stack in ("any", *sorted(made.family_of))}

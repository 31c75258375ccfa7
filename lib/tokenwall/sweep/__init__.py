"""Predictions over grids, and how uncertain inputs move them.

`sweep` turns every list among the arguments of `tokenwall.predict` into a named axis, in memory or
lazily in blocks. `monte_carlo` draws the uncertain inputs, `ranking` says which of them matter.
The module needs the packages of `pip install tokenwall[sweep]`.
"""

from tokenwall.sweep.grid import QUANTITIES, STATUS, computed, labels, reasons, sweep
from tokenwall.sweep.uncertainty import (
    Uncertain,
    monte_carlo,
    quantiles,
    ranking,
    sobol,
    tornado,
    uncertain_inputs,
)

__all__ = [
    "QUANTITIES",
    "STATUS",
    "Uncertain",
    "computed",
    "labels",
    "monte_carlo",
    "quantiles",
    "ranking",
    "reasons",
    "sobol",
    "sweep",
    "tornado",
    "uncertain_inputs",
]

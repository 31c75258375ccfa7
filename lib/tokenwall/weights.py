"""Where the weights of a model are: embeddings, attention, blocks, experts and the rest.

The published total is taken from the table and the parts are counted by `tokenwall.parameters`;
what is left are norms, biases, learned positions and whatever the columns do not describe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tokenwall import parameters
from tokenwall.data import model as model_row

__all__ = ["WeightParts", "parts_of"]


@dataclass(frozen=True)
class WeightParts:
    """Weights of one model, part by part.

    Attributes:
        key: key of the row.
        total: published total [1].
        embedding: table that reads tokens [1].
        output: table that scores them, nought where it is the same [1].
        attention: matrices of attention in all layers [1].
        dense_feedforward: plain feed-forward blocks in all layers [1].
        routed_experts: all experts that a router chooses from, in all layers [1].
        shared_experts: experts that all tokens use, in all layers [1].
        router: rows that score the experts, in all layers [1].
        rest: published total less the parts: norms, biases, positions and rounding [1].
        active: weights that one token meets, both tables included, as in the table [1].
    """

    key: str
    total: float
    embedding: float
    output: float
    attention: float
    dense_feedforward: float
    routed_experts: float
    shared_experts: float
    router: float
    rest: float
    active: float

    @property
    def counted(self) -> float:
        """Sum of the parts, without the rest [1]."""
        return self.total - self.rest


def parts_of(model: Any) -> WeightParts:
    """The weights of a model, part by part.

    Args:
        model: a row of the model table, or its name, key or alias.

    Raises:
        ValueError: the model is unknown or its row does not describe all of its layers.

    Example:
        >>> parts = parts_of("DeepSeek-V3")
        >>> round(parts.routed_experts / parts.total, 3)
        0.974
    """
    row = model_row(model) if isinstance(model, str) else model
    layers, hidden = _known(row, "layers"), _known(row, "hidden_size")
    tied, experts = _known(row, "tied_embeddings"), _optional(row, "experts")
    tables = _count(parameters.embedding_parameters, row)
    embedding = tables / (2 - tied)
    latent = bool(_optional(row, "latent_size"))
    attention = _count(
        parameters.latent_attention_parameters if latent else parameters.attention_parameters, row
    )
    dense = _optional(row, "dense_layers") if experts else layers
    blocks = _count(parameters.feedforward_parameters, row, dense_layers=dense) if dense else 0.0
    routed = shared = router = 0.0
    if experts:
        sparse = {"mixture_layers": layers - dense}
        every = _count(parameters.mixture_parameters, row, shared_experts=0, **sparse)
        both = _count(parameters.mixture_parameters, row, **sparse)
        router = (layers - dense) * hidden * experts
        routed, shared = every - router, both - every
    counted = tables + attention + blocks + routed + shared + router
    total = _known(row, "parameters")
    return WeightParts(
        key=str(row.name),
        total=total,
        embedding=embedding,
        output=tables - embedding,
        attention=attention,
        dense_feedforward=blocks,
        routed_experts=routed,
        shared_experts=shared,
        router=router,
        rest=total - counted,
        active=_optional(row, "active_parameters", total),
    )


_NOUGHT = ("query_latent_size", "shared_experts")
_FROM_ROW = ("feedforward_matrices", "tied_embeddings")


def _count(equation: Any, row: Any, **given: float) -> float:
    """An equation of `parameters` with the quantities of a row; biases are left to the rest."""
    values = dict(given)
    for name in equation.parameters:
        if name in values:
            continue
        if name in _NOUGHT:
            values[name] = _optional(row, name)
        elif name not in equation.defaults or name in _FROM_ROW:
            values[name] = _known(row, name)
    return float(equation(**values))


def _known(row: Any, quantity: str) -> float:
    value = _optional(row, quantity, math.nan)
    if math.isnan(value):
        raise ValueError(f"{row.get('name', row.name)} has no {quantity} in its table")
    return value


def _optional(row: Any, quantity: str, default: float = 0.0) -> float:
    value = float(row.get(quantity, math.nan))
    return default if math.isnan(value) else value

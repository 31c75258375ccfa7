"""Mixture of experts: how many experts a batch touches, and so what a step must read.

A token uses few of the experts of a layer. A batch of tokens uses more of them, and soon all: the
weights that a step reads grow with the batch, up to the whole model.
"""

from __future__ import annotations

from sympy import Max

from tokenwall.equation import equation
from tokenwall.units import Count, Positive

__all__ = ["distinct_experts"]


@equation
def distinct_experts(batch: Positive, experts_per_token: Count, *, experts: Count) -> Positive:
    """Experts of one layer that at least one token of a batch uses, on average [1].

    Each token draws its experts evenly and apart from the others; an expert stays unread only if
    every token passes it by. Real routers are uneven and neighbouring tokens agree, so a real
    batch touches fewer. Exact for tokens that draw without knowing of each other; a whole batch
    is not needed, a mean will do.

    Args:
        batch (1): tokens that pass the layer in one step.
        experts_per_token (1): experts that one token uses.
        experts (1): experts of the layer.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one token touches exactly its own experts; a large batch touches all.

    Example:
        >>> [round(float(distinct_experts(batch, 8, experts=256)), 1) for batch in (1, 64, 4096)]
        [8.0, 222.4, 256.0]

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    unused = Max(0, 1 - experts_per_token / experts) ** batch
    return experts * (1 - unused)

"""Mixture of experts: how many experts a batch touches, and so what a step must read.

A token uses few of the experts of a layer. A batch of tokens uses more of them, and soon all: the
weights that a step reads grow with the batch, up to the whole model.
"""

from __future__ import annotations

from sympy import Max

from tokenwall.equation import equation
from tokenwall.units import Count, Positive, Probability

__all__ = ["distinct_experts"]


@equation
def distinct_experts(
    batch: Positive,
    experts_per_token: Count,
    *,
    experts: Count,
    routing_agreement: Probability = 0,
) -> Positive:
    """Experts of one layer that at least one token of a batch uses, on average [1].

    Each token draws its experts evenly and apart from the others; an expert stays unread only if
    every token passes it by. Real routers are uneven and tokens of a kind agree, so a batch touches
    fewer: it counts as a smaller one, by a power of its size. That power is measured, not derived.

    Args:
        batch (1): tokens that pass the layer in one step.
        experts_per_token (1): experts that one token uses.
        experts (1): experts of the layer.
        routing_agreement (1): 0 where tokens draw apart, 1 where all choose as one.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one token touches exactly its own experts; a large batch touches all, unless all
    agree.

    Example:
        >>> [round(float(distinct_experts(batch, 8, experts=256)), 1) for batch in (1, 64, 4096)]
        [8.0, 222.4, 256.0]

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    apart = batch ** (1 - routing_agreement)
    unused = Max(0, 1 - experts_per_token / experts) ** apart
    return experts * (1 - unused)

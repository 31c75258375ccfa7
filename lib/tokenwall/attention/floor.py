"""A lower bound on the traffic of exact attention, with its constant."""

from __future__ import annotations

from sympy import Max, sqrt

from tokenwall.attention.bounds import compulsory_traffic
from tokenwall.equation import equation
from tokenwall.units import Byte, Count

__all__ = ["least_traffic"]


@equation
def least_traffic(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    fast_memory: Byte,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic below which no order of the ordinary products of attention gets [B].

    While as many numbers cross as the fast memory holds, only so many products of a query's and
    a key's numbers can be formed. Holds for any order, also one that computes scores again, that
    forms each score from its ordinary products; fast matrix multiplication is outside. Neither
    the sum of the values nor a mask is in it, so the true least may lie higher, and with a causal
    mask the term of the scores counts only what is seen.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        fast_memory (B): memory beside the arithmetic units.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a fast memory that holds everything, inputs read and results written once; a long
    text in a memory of many vectors squared, twice the memory, half the traffic.

    Example:
        >>> float(least_traffic(8192, 8192, head_size=128, fast_memory=102400)) / 1e6
        21.6

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    room = fast_memory / bytes_per_value
    once = compulsory_traffic(queries, keys, head_size=head_size, bytes_per_value=bytes_per_value)
    scores = queries * keys * head_size**2 / (room + sqrt(3 * room) * head_size) - room
    return Max(once, bytes_per_value * scores)

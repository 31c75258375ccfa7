"""Bounds on what exact attention moves and computes, and the tile that fits.

No algorithm moves less than its inputs and results, nor, up to a constant, less than the order that
the size of the fast memory sets. All counts are for one key-value head.
"""

from __future__ import annotations

from sympy import Max, Min, floor, sqrt

from tokenwall.equation import equation
from tokenwall.units import Byte, Count, Flop, NonnegativeCount, Positive

__all__ = [
    "attention_tile",
    "compulsory_traffic",
    "score_flop",
    "tiling_gain",
    "traffic_order",
]


@equation
def attention_tile(
    fast_memory: Byte,
    head_size: Count,
    *,
    bytes_per_value: Byte = 2,
) -> NonnegativeCount:
    """Longest tile that fits in fast memory beside all that it meets there [1].

    Two matrices of a long tile, two of a short one, the scores between them and four numbers
    for each long row are resident at once. The short side is as long as the long one but no
    longer than a vector, which keeps the scores from crowding out the rest. A rule that gives
    a nearly square tile, not the shape that moves least: for that see sweep_tile. Leaves out the
    second buffer of a kernel that loads ahead.

    Args:
        fast_memory (B): memory beside the arithmetic units.
        head_size (1): numbers in one vector of a head.
        bytes_per_value (B): bytes of one number.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a memory that holds not even one row gives none; where tiles outgrow the vector,
    three times the memory, about three times the tile.

    Example:
        >>> float(attention_tile(102400, 128))
        85.0

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    room = fast_memory / bytes_per_value
    square = sqrt((2 * head_size + 2) ** 2 + room) - (2 * head_size + 2)
    slab = (room - 2 * head_size**2) / (3 * head_size + 4)
    return Max(0, floor(Max(square, slab)))


@equation
def compulsory_traffic(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic that no algorithm avoids: inputs read once, results written once [B].

    Assumes that nothing is in fast memory at the start and that the results must leave it.
    Fusing attention with the layers beside it could save part of even this.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one query, next to nothing but the cache; twice the tokens, twice the traffic.

    Example:
        >>> float(compulsory_traffic(8192, 8192, head_size=128)) / 1e6
        8.39

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    return 2 * bytes_per_value * head_size * (queries + keys)


@equation
def traffic_order(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    fast_memory: Byte,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Order of the least traffic of exact attention, with its constant set to one [B].

    Above a fast memory of a square of vectors the first term holds, below it the second, which
    is that of a plain matrix product. A lower bound up to a constant factor that the proofs
    leave open: compare slopes with it, not heights. The compulsory traffic binds besides.

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

    Limits: twice a large memory, half the traffic; four times a small one, half the traffic.

    Example:
        >>> float(traffic_order(8192, 8192, head_size=128, fast_memory=102400)) / 1e6
        42.9

    Source: saha2024, abstract; dao2022, theorem 2 and proposition 3
    Derivation: book/mitigations/attention.ipynb
    """
    table = queries * keys * head_size * bytes_per_value
    vector = head_size * bytes_per_value
    return table * Min(vector / fast_memory, sqrt(bytes_per_value / fast_memory))


@equation
def tiling_gain(
    query_tile: Count,
    head_size: Count,
) -> Positive:
    """How many times less tiled attention moves than the three passes, for long texts [1].

    Both read keys and values once for each tile of queries; the three passes also write and
    read four numbers for each score. The more query rows share a pass, the more scores are
    saved for each vector read. Assumes that a row of scores fits in fast memory; where it does
    not, a little more. Assumes one tile for both, which no memory forces: with tiles of their
    own it is the quotient of the tiles plus twice the tiled one's over the size of a head.

    Args:
        query_tile (1): query rows in fast memory at a time.
        head_size (1): numbers in one vector of a head.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one query row, next to no gain; a tile as long as half a vector, twice.

    Example:
        >>> float(tiling_gain(85, 128))
        2.33

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    return 1 + 2 * query_tile / head_size


@equation
def score_flop(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    flop_per_multiply_add: Flop = 2,
) -> Flop:
    """Arithmetic of the two matrix products of attention [FLOP].

    One multiply-add for each query, key and number of a vector, for scores and again for
    results. The same for every order of the loops. Leaves out the exponentials, one for each
    score, which other units compute; a causal mask hides half of it.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (FLOP), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the tokens, four times the arithmetic; where values are narrower than keys,
    that of the mean of both.

    Example:
        >>> float(score_flop(8192, 8192, head_size=128)) / 1e9
        34.4

    Source: daolab2026, benchmarks/benchmark_flash_attention.py, flops
    Derivation: book/mitigations/attention.ipynb
    """
    return 2 * flop_per_multiply_add * queries * keys * head_size

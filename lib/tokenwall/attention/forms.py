"""Bytes that exact attention moves between a fast and a slow memory, in closed form.

Attention multiplies queries with keys, turns each row of scores into weights that add up to one,
and sums the values with them. The table of scores is much larger than what goes in and comes out.
Whether it is written down, or made tile by tile and forgotten, decides the traffic. All counts are
for one key-value head; `tokenwall.attention.forward` and `backward` count the same bytes by moving
them. Where values are narrower than keys, `head_size` is the mean of both, except where results or
gradients travel with the queries.
"""

from __future__ import annotations

from typing import Any

from sympy import Min, Rational, ceiling

from tokenwall.equation import equation
from tokenwall.units import Byte, Count

__all__ = [
    "causal_keys_outer_traffic",
    "causal_queries_outer_traffic",
    "keys_outer_traffic",
    "naive_traffic",
    "queries_outer_traffic",
    "recomputed_backward_traffic",
    "stored_backward_traffic",
]


def _tiles(length: Any, tile: Any) -> Any:
    """Tiles that cover a length; the half keeps rounding from adding one where they divide it."""
    return ceiling((length - Rational(1, 2)) / tile)


@equation
def naive_traffic(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    query_tile: Count,
    fast_memory: Byte,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic of attention in three passes that write the table of scores down [B].

    Scores are written, read and written again as weights, and read once more. A softmax needs
    whole rows: if one does not fit in fast memory the scores are read twice. Keys and values
    are read once for each tile of queries. Leaves out masks, dropout and copies in another
    format, which frameworks add: a real naive attention moves more.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        query_tile (1): query rows in fast memory at a time.
        fast_memory (B): memory beside the arithmetic units.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a long table, next to nothing but four or five passes over it; a single tile of
    queries, keys and values read once.

    Example:
        >>> float(naive_traffic(8192, 8192, head_size=128,
        ...     query_tile=85, fast_memory=102400)) / 1e6
        948.

    Source: dao2022, algorithm 0 and theorem 2
    Derivation: book/mitigations/attention.ipynb
    """
    reads = Min(2, ceiling((keys + 2) * bytes_per_value / fast_memory))
    vectors = 2 * queries * head_size + 2 * _tiles(queries, query_tile) * keys * head_size
    return bytes_per_value * (vectors + (3 + reads) * queries * keys)


@equation
def keys_outer_traffic(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    key_tile: Count,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic of tiled attention that keeps a tile of keys and sweeps the queries [B].

    The order of the first FlashAttention. Every sweep reads queries, results and two running
    numbers for each row, and writes the last three back; they are also set to their start
    values once. Running numbers are kept in the format of the data: with 4-byte ones it moves
    slightly more.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        key_tile (1): keys in fast memory at a time.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: all keys in one tile, one sweep; half the tile, nearly twice the traffic.

    Example:
        >>> float(keys_outer_traffic(1024, 1024, head_size=64, key_tile=192)) / 1e6
        2.81

    Source: dao2022, algorithm 1
    Derivation: book/mitigations/attention.ipynb
    """
    sweeps = _tiles(keys, key_tile)
    start = queries * (head_size + 2)
    swept = sweeps * queries * (3 * head_size + 4)
    return bytes_per_value * (2 * keys * head_size + start + swept)


@equation
def queries_outer_traffic(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    query_tile: Count,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic of tiled attention that keeps a tile of queries and sweeps the keys [B].

    The order of the second FlashAttention. Results stay in fast memory until they are finished,
    so a sweep writes nothing. One number for each row is kept for the backward pass. Leaves out
    what a shared cache catches: where one lies between the two memories, less reaches main
    memory.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        query_tile (1): query rows in fast memory at a time.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: all queries in one tile, everything moved once; half the tile, nearly twice the
    traffic.

    Example:
        >>> float(queries_outer_traffic(8192, 8192, head_size=128, query_tile=85)) / 1e6
        411.

    Source: dao2023, algorithm 1
    Derivation: book/mitigations/attention.ipynb
    """
    sweeps = _tiles(queries, query_tile)
    once = queries * (2 * head_size + 1)
    return bytes_per_value * (once + 2 * sweeps * keys * head_size)


@equation
def causal_keys_outer_traffic(
    queries: Count,
    head_size: Count,
    *,
    key_tile: Count,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic of keys_outer_traffic where hidden tiles of a causal mask are skipped [B].

    No token sees later ones, keys are as many as queries, and groups have one head. Exact where
    the query tile divides the key tile and that divides the tokens; otherwise ragged tiles at
    the diagonal add a little.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        head_size (1): numbers in one vector of a head.
        key_tile (1): keys in fast memory at a time.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: many tiles, half the traffic of the full table; a single tile saves nothing.

    Example:
        >>> float(causal_keys_outer_traffic(1024, 64, key_tile=64)) / 1e6
        3.81

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    sweeps = (queries / key_tile + 1) / 2
    start = queries * (head_size + 2)
    swept = sweeps * queries * (3 * head_size + 4)
    return bytes_per_value * (2 * queries * head_size + start + swept)


@equation
def causal_queries_outer_traffic(
    queries: Count,
    head_size: Count,
    *,
    query_tile: Count,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic of queries_outer_traffic where hidden tiles of a causal mask are skipped [B].

    No token sees later ones, keys are as many as queries, and groups have one head. Exact where
    the key tile divides the query tile and that divides the tokens; otherwise ragged tiles at
    the diagonal add a little.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        head_size (1): numbers in one vector of a head.
        query_tile (1): query rows in fast memory at a time.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: many tiles, half the traffic of the full table; a single tile saves nothing.

    Example:
        >>> float(causal_queries_outer_traffic(8192, 128, query_tile=64)) / 1e6
        275.

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    sweeps = (queries / query_tile + 1) / 2
    once = queries * (2 * head_size + 1)
    return bytes_per_value * (once + 2 * sweeps * queries * head_size)


@equation
def stored_backward_traffic(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    query_tile: Count,
    key_tile: Count,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic of a backward pass that reads stored weights and writes two tables more [B].

    Four matrix products and a softmax gradient, each a pass of its own: the weights are read
    twice, the gradient by the weights is written and read, that by the scores written and read
    twice. Assumes that a row of both fits in fast memory. Leaves out masks and dropout.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        query_tile (1): query rows in fast memory at a time.
        key_tile (1): keys in fast memory at a time.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a long table, next to nothing but seven passes over it.

    Example:
        >>> float(stored_backward_traffic(1024, 1024, head_size=64,
        ...     query_tile=64, key_tile=64)) / 1e6
        23.6

    Source: dao2022, appendix B
    Derivation: book/mitigations/attention.ipynb
    """
    rows, columns = _tiles(queries, query_tile), _tiles(keys, key_tile)
    once = 2 * (queries + keys) * head_size
    again = 2 * (columns * queries + rows * keys) * head_size
    return bytes_per_value * (7 * queries * keys + once + again)


@equation
def recomputed_backward_traffic(
    queries: Count,
    keys: Count,
    *,
    head_size: Count,
    key_tile: Count,
    bytes_per_value: Byte = 2,
) -> Byte:
    """Traffic of a backward pass that computes the weights again from a number a row [B].

    Keeps a tile of keys and values with their gradients and sweeps queries with theirs and
    those of the results. Sums of results times their gradients are formed first, one number a
    row. Running gradients are kept in the format of the data. Kernels sum those of the queries
    in 4 bytes: two of the four vectors of a sweep then weigh twice, half as much again.

    Args:
        queries (1): query rows that share one pass over the keys: tokens times heads of a group.
        keys (1): keys, and as many values, that they attend to.
        head_size (1): numbers in one vector of a head.
        key_tile (1): keys in fast memory at a time.
        bytes_per_value (B): bytes of one number.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: all keys in one tile, one sweep; half the tile, nearly twice the traffic.

    Example:
        >>> float(recomputed_backward_traffic(1024, 1024, head_size=64, key_tile=64)) / 1e6
        9.37

    Source: dao2023, algorithm 2
    Derivation: book/mitigations/attention.ipynb
    """
    first = queries * (2 * head_size + 1) + queries * head_size
    tiles = 4 * keys * head_size
    swept = _tiles(keys, key_tile) * queries * (4 * head_size + 2)
    return bytes_per_value * (first + tiles + swept)

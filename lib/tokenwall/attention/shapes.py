"""Tiles of any shape that fit, and the shape that moves least.

The rule of `attention_tile` gives both algorithms one tile that is nearly square. Nothing forces
that: passes that write the table down hold less at once than a sweep does, and a short side of
few keys leaves room for more rows. Both sides at their best is what a fair comparison takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Max, floor

from tokenwall.attention.forms import naive_traffic, queries_outer_traffic
from tokenwall.attention.forward import Tiles
from tokenwall.equation import equation
from tokenwall.units import Byte, Count, Flop, FlopPerByte, NonnegativeCount

__all__ = [
    "Shape",
    "best_naive_shape",
    "best_tiled_shape",
    "sweep_intensity",
    "sweep_tile",
    "table_tile",
]


@equation
def table_tile(
    fast_memory: Byte,
    head_size: Count,
    *,
    short_side: Count,
    bytes_per_value: Byte = 2,
) -> NonnegativeCount:
    """Query rows that fit in a pass which writes the table of scores, or reads it [1].

    Such a pass holds one matrix of rows, one of keys or values, and the scores between them; no
    running numbers. It therefore has longer tiles than a sweep that holds all four matrices.

    Args:
        fast_memory (B): memory beside the arithmetic units.
        head_size (1): numbers in one vector of a head.
        short_side (1): keys in fast memory beside a tile of query rows.
        bytes_per_value (B): bytes of one number.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a short side of one key, nearly all memory for rows; a memory that the keys alone
    fill, none.

    Example:
        >>> float(table_tile(102400, 128, short_side=1))
        395.0

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    room = fast_memory / bytes_per_value
    return Max(0, floor((room - short_side * head_size) / (head_size + short_side)))


@equation
def sweep_tile(
    fast_memory: Byte,
    head_size: Count,
    *,
    short_side: Count,
    bytes_per_value: Byte = 2,
) -> NonnegativeCount:
    """Query rows that fit in a sweep which never writes the scores, beside a short side [1].

    Two matrices of rows, two of keys, the scores between them and four numbers for each row are
    resident at once, as in attention_tile; but the short side is free. Matrix units want at
    least 16 keys; a byte count does not.

    Args:
        fast_memory (B): memory beside the arithmetic units.
        head_size (1): numbers in one vector of a head.
        short_side (1): keys in fast memory beside a tile of query rows.
        bytes_per_value (B): bytes of one number.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a short side as long as the rows, the tile of attention_tile; a memory that the keys
    alone fill, none.

    Example:
        >>> float(sweep_tile(102400, 128, short_side=1))
        195.0

    Source: own derivation
    Derivation: book/mitigations/attention.ipynb
    """
    room = fast_memory / bytes_per_value
    return Max(0, floor((room - 2 * short_side * head_size) / (2 * head_size + short_side + 4)))


@equation
def sweep_intensity(
    query_tile: Count,
    head_size: Count,
    *,
    value_head_size: Count,
    cached_size: Count,
    bytes_per_value: Byte = 2,
    flop_per_multiply_add: Flop = 2,
) -> FlopPerByte:
    """Arithmetic for each byte of a cache that one sweep reads [FLOP/B].

    Every number of a key meets every row once, and so does every number of a value. Rows are
    heads that share the cache times new tokens. What is read for each token is a key and a
    value, or, where the value is a part of the key as in latent attention, the key alone. Leaves
    out queries and results, which are few beside a long cache.

    Args:
        query_tile (1): query rows in fast memory at a time.
        head_size (1): numbers in one vector of a head.
        value_head_size (1): numbers in the value of a head of latent attention.
        cached_size (1): numbers read for each token of the cache.
        bytes_per_value (B): bytes of one number.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (FLOP/B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: keys and values stored apart, as many operations a byte as there are rows in 16 bits;
    values within the keys, nearly twice that.

    Example:
        >>> float(sweep_intensity(128, 576, value_head_size=512, cached_size=576))
        242.

    Source: flashmla2025, docs/20250422-new-kernel-deep-dive.md, theoretical analysis
    Derivation: book/mitigations/attention.ipynb
    """
    met = flop_per_multiply_add * query_tile * (head_size + value_head_size)
    return met / (bytes_per_value * cached_size)


@dataclass(frozen=True)
class Shape:
    """The tiles that move least, and what they move.

    Attributes:
        tiles: query rows and keys in fast memory at a time.
        traffic: bytes moved for one key-value head [B].
    """

    tiles: Tiles
    traffic: float


def best_naive_shape(
    queries: float,
    keys: float,
    *,
    head_size: float,
    fast_memory: float,
    bytes_per_value: float = 2,
    narrowest: int = 1,
) -> Shape:
    """Three passes in the tiles with which they move least, of all that fit.

    Args:
        queries: query rows that share one pass over the keys [1].
        keys: keys that they attend to [1].
        head_size: numbers in one vector of a head [1].
        fast_memory: memory beside the arithmetic units [B].
        bytes_per_value: bytes of one number [B].
        narrowest: the shortest short side allowed; matrix units want 16 [1].

    Raises:
        ValueError: no tile with so wide a short side fits.

    Example:
        >>> shape = best_naive_shape(8192, 8192, head_size=128, fast_memory=102400)
        >>> shape.tiles, round(shape.traffic / 1e6)
        (Tiles(queries=391, keys=2), 629)
    """
    short = _short_sides(keys, head_size, fast_memory / bytes_per_value, narrowest)
    fit = {"bytes_per_value": bytes_per_value}
    rows = np.minimum(queries, table_tile(fast_memory, head_size, short_side=short, **fit))
    shape = {"head_size": head_size, "fast_memory": fast_memory, **fit}
    return _best(
        rows, short, lambda r: naive_traffic(queries, keys, query_tile=r, **shape), fast_memory
    )


def best_tiled_shape(
    queries: float,
    keys: float,
    *,
    head_size: float,
    fast_memory: float,
    bytes_per_value: float = 2,
    narrowest: int = 1,
) -> Shape:
    """Queries that stay, in the tiles with which they move least, of all that fit.

    Args:
        queries: query rows that share one pass over the keys [1].
        keys: keys that they attend to [1].
        head_size: numbers in one vector of a head [1].
        fast_memory: memory beside the arithmetic units [B].
        bytes_per_value: bytes of one number [B].
        narrowest: the shortest short side allowed; matrix units want 16 [1].

    Raises:
        ValueError: no tile with so wide a short side fits.

    Example:
        >>> shape = best_tiled_shape(8192, 8192, head_size=128, fast_memory=102400)
        >>> shape.tiles, round(shape.traffic / 1e6)
        (Tiles(queries=191, keys=3), 185)
    """
    short = _short_sides(keys, head_size, fast_memory / bytes_per_value, narrowest)
    fit = {"bytes_per_value": bytes_per_value}
    rows = np.minimum(queries, sweep_tile(fast_memory, head_size, short_side=short, **fit))
    shape = {"head_size": head_size, **fit}
    return _best(
        rows,
        short,
        lambda r: queries_outer_traffic(queries, keys, query_tile=r, **shape),
        fast_memory,
    )


def _short_sides(keys: float, head_size: float, room: float, narrowest: int) -> Any:
    longest = max(narrowest, int(min(keys, room // head_size)))
    return np.arange(narrowest, longest + 1, dtype=float)


def _best(rows: Any, short: Any, traffic: Any, fast_memory: float) -> Shape:
    fits = rows >= 1
    if not fits.any():
        raise ValueError(
            f"fast_memory is {fast_memory:g} B; it must hold a row beside {short[0]:g} keys"
        )
    rows, short = rows[fits], short[fits]
    moved = np.asarray(traffic(rows), dtype=float)
    # Of shapes that move the same, the widest: matrix units like it, and bytes do not mind.
    place = int(np.flatnonzero(moved == moved.min())[-1])
    return Shape(Tiles(int(rows[place]), int(short[place])), float(moved[place]))

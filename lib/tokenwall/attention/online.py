"""Softmax over scores that arrive tile by tile, and never all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenwall.attention.memory import Array, blocks


def renew(scores: Array, maximum: Array, total: Array, new: Array) -> Array:
    """Take a tile of scores into an online softmax, in place.

    Scores become exponentials measured from the renewed maximum, and the sum takes them in. A row
    that has met nothing but minus infinity, hidden keys, has no maximum to measure from: its
    exponentials and its sum stay zero until the first visible key comes.

    Args:
        scores: (rows, scores of the tile).
        maximum: largest score of each row so far, minus infinity at first, (rows, 1).
        total: sum of exponentials of each row so far, zero at first, (rows, 1).
        new: room for the renewed maximum, (rows, 1).

    Returns:
        The factor by which all that was summed before has shrunk, (rows, 1).
    """
    np.maximum(maximum, scores.max(axis=-1, keepdims=True), out=new)
    # Minus infinity less itself is not a number; less zero it stays what it is.
    base = np.where(np.isneginf(new), 0, new)
    shrink: Array = np.exp(maximum - base)
    np.exp(np.subtract(scores, base, out=scores), out=scores)
    total *= shrink
    total += scores.sum(axis=-1, keepdims=True)
    maximum[...] = new
    return shrink


def unless_empty(total: Array) -> Array:
    """Sums to divide by: one where a row has met no visible key, so that its result stays zero.

    Args:
        total: sum of exponentials of each row.
    """
    return np.where(total == 0, 1, total)


@dataclass(frozen=True)
class SoftmaxState:
    """Where an online softmax stands after a tile.

    Attributes:
        tile: the scores it has just met.
        maximum: the largest score so far, minus infinity while all were hidden.
        total: the sum of exponentials so far, all measured from that maximum.
        shrink: the factor by which the sum of before was multiplied.
    """

    tile: tuple[float, ...]
    maximum: float
    total: float
    shrink: float


def online_softmax(scores: Array, tile: int) -> list[SoftmaxState]:
    """The states of an online softmax over one row of scores, one for each tile.

    Args:
        scores: the row; minus infinity where a key is hidden.
        tile: scores met at a time.

    Raises:
        ValueError: the tile is not at least 1.

    Example:
        >>> [(s.maximum, round(s.total, 3)) for s in online_softmax(np.array([1., 3., 2., 5.]), 2)]
        [(3.0, 1.135), (5.0, 1.203)]
        >>> [(s.maximum, s.total) for s in online_softmax(np.array([-np.inf, 1.]), 1)]
        [(-inf, 0.0), (1.0, 1.0)]
    """
    maximum, total, new = np.array([[-np.inf]]), np.zeros((1, 1)), np.empty((1, 1))
    states = []
    for part in blocks(len(scores), tile):
        met = np.array(scores[None, part], dtype=float)
        seen = tuple(float(score) for score in scores[part])
        shrink = renew(met, maximum, total, new)
        numbers = (float(x[0, 0]) for x in (maximum, total, shrink))
        states.append(SoftmaxState(seen, *numbers))
    return states

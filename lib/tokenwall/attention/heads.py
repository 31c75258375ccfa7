"""One key-value head at a time: shapes, masks, and attention by its definition."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenwall.attention.memory import Array


@dataclass(frozen=True)
class Head:
    """The attention problem of one key-value head, as matrices in slow memory.

    Queries of all heads that share the keys are rows of one matrix, token by token, so that a tile
    of rows is a tile of places in the text.

    Attributes:
        q: queries, (tokens times heads of the group, head size).
        k: keys, (keys, head size).
        v: values, (keys, numbers of a value).
        group: query heads that share the keys.
        causal: whether a query sees only keys up to its own place, counted from the end.
    """

    q: Array
    k: Array
    v: Array
    group: int
    causal: bool

    @property
    def values_in_keys(self) -> bool:
        """Whether each value is the first numbers of its key, in the same place of slow memory."""
        k, v = self.k, self.v
        same_start = k.__array_interface__["data"][0] == v.__array_interface__["data"][0]
        return same_start and k.strides == v.strides and v.shape[1] <= k.shape[1]

    @property
    def scale(self) -> float:
        """What scores are multiplied by."""
        return 1 / math.sqrt(self.q.shape[1])

    def skipped(self, rows: slice, keys: slice) -> bool:
        """Whether no row of a tile sees any of its keys.

        Args:
            rows: of queries.
            keys: of keys.
        """
        return self.causal and keys.start > self._last_seen(rows.stop - 1)

    def finished(self, rows: slice, keys: slice) -> bool:
        """Whether no row of a tile sees a key beyond those of a tile of keys.

        Args:
            rows: of queries.
            keys: of keys.
        """
        return keys.stop >= len(self.k) or self.skipped(rows, slice(keys.stop, keys.stop + 1))

    def hide(self, scores: Array, rows: slice, keys: slice) -> None:
        """Set the scores of a tile that a mask hides to minus infinity.

        Args:
            scores: of the tile.
            rows: of queries.
            keys: of keys.
        """
        if self.causal and keys.stop - 1 > self._last_seen(rows.start):
            last = self._last_seen(np.arange(rows.start, rows.stop))
            scores[np.arange(keys.start, keys.stop) > last[:, None]] = -np.inf

    def _last_seen(self, row: Any) -> Any:
        """Last key that a row sees: its own place, where the last query is at the last key."""
        return row // self.group + len(self.k) - len(self.q) // self.group


def heads(q: Array, k: Array, v: Array, *, causal: bool) -> Iterator[Head]:
    """The problems of all key-value heads.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        causal: whether a query sees only keys up to its own place, counted from the end.

    Raises:
        ValueError: the shapes do not fit together; the message says which.
    """
    group = group_size(q, k, v, causal=causal)
    for head in range(len(k)):
        yield Head(packed(q, head, group), k[head], v[head], group, causal)


def packed(x: Array, head: int, group: int) -> Array:
    """Rows of one group of heads as a matrix, token by token.

    Args:
        x: (heads, tokens, numbers).
        head: which group.
        group: heads in it.
    """
    own = x[head * group : (head + 1) * group]
    return own.swapaxes(0, 1).reshape(-1, x.shape[2])


def unpacked(matrices: list[Array], group: int) -> Array:
    """The inverse of `packed` for all groups: (heads, tokens, numbers).

    Args:
        matrices: one for each group.
        group: heads in each.
    """
    parts = [m.reshape(-1, group, m.shape[1]).swapaxes(0, 1) for m in matrices]
    return np.concatenate(parts)


def group_size(q: Array, k: Array, v: Array, *, causal: bool) -> int:
    """Query heads that share a key-value head.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        causal: whether later keys are hidden.

    Raises:
        ValueError: the shapes or number formats do not fit together; the message says which.
    """
    for name, x in {"q": q, "k": k, "v": v}.items():
        if x.ndim != 3 or not x.size:
            raise ValueError(f"{name} has shape {x.shape}; it must be (heads, tokens, head size)")
        check_format(name, x, q)
    if k.shape[:2] != v.shape[:2]:
        raise ValueError(
            f"k has shape {k.shape} and v {v.shape}; "
            "heads and keys must be equal, widths may differ"
        )
    if q.shape[2] != k.shape[2]:
        raise ValueError(f"head_size of q is {q.shape[2]}; it must be that of k, {k.shape[2]}")
    if len(q) % len(k):
        raise ValueError(f"heads are {len(q)}; they must be a multiple of kv_heads, {len(k)}")
    if causal and q.shape[1] > k.shape[1]:
        raise ValueError(
            f"queries are {q.shape[1]}; with a causal mask at most as many as keys, {k.shape[1]}"
        )
    return len(q) // len(k)


def check_format(name: str, x: Array, q: Array) -> None:
    """Refuse numbers that are not floating, or not in the format of the queries.

    Args:
        name: of the array.
        x: the array.
        q: the queries.

    Raises:
        ValueError: naming the array, its format and that of the queries.
    """
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(f"{name} has numbers of type {x.dtype}; they must be floating")
    if x.dtype != q.dtype:
        raise ValueError(
            f"{name} has numbers of type {x.dtype}; they must have that of q, {q.dtype}"
        )


def reference_attention(q: Array, k: Array, v: Array, *, causal: bool = False) -> Array:
    """Attention by its definition, in double precision, with no tile and no count.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        causal: whether a query sees only keys up to its own place, counted from the end.

    Returns:
        Results, (heads, queries, numbers of a value).

    Raises:
        ValueError: the shapes do not fit together; the message says which.
    """
    group = group_size(q, k, v, causal=causal)
    q, k, v = (np.asarray(x, dtype=np.float64) for x in (q, k, v))
    scores = q @ np.repeat(k, group, axis=0).swapaxes(1, 2) / math.sqrt(q.shape[2])
    if causal:
        hidden = np.triu(np.ones(scores.shape[1:], dtype=bool), 1 + k.shape[1] - q.shape[1])
        scores[:, hidden] = -np.inf
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    output: Array = weights @ np.repeat(v, group, axis=0)
    return output

"""Exact attention, three ways, run on a memory that counts: three passes, and two orders of tiles.

Written for reading: a head at a time, tiles in the order of the published algorithms, nothing that
is not needed. What NumPy makes inside one line (a row's maximum, a product on its way into a sum)
stands for registers and is not counted as fast memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tokenwall.attention.bounds import attention_tile
from tokenwall.attention.heads import Head, group_size, heads, unpacked
from tokenwall.attention.memory import Array, FastMemory, blocks
from tokenwall.attention.online import renew, unless_empty


@dataclass(frozen=True)
class Tiles:
    """Rows of queries, and keys with their values, that are in fast memory at a time."""

    queries: int
    keys: int

    @classmethod
    def fitting(cls, memory: FastMemory, q: Array, v: Array, *, long: str) -> Tiles:
        """The largest tiles by the rule of `attention_tile`.

        Args:
            memory: the fast memory.
            q: the queries, for their size and number format.
            v: the values, for their size.
            long: the side to make long, "queries" or "keys".

        Raises:
            ValueError: not even tiles of one row fit.
        """
        # A query and a result, a key and a value: what matters is the mean of both widths.
        size = (q.shape[-1] + v.shape[-1] + 1) // 2
        most = int(attention_tile(memory.capacity, size, bytes_per_value=q.itemsize))
        if most < 1:
            raise ValueError(
                f"fast_memory is {memory.capacity} B; it must be at least "
                f"{(4 * size + 5) * q.itemsize} B for tiles of one row with head_size {size}"
            )
        short = min(most, size)
        return cls(most, short) if long == "queries" else cls(short, most)


@dataclass(frozen=True)
class Attended:
    """What attention leaves in slow memory.

    Attributes:
        output: results, (heads, queries, numbers of a value).
        kept: what a backward pass needs besides inputs and results: the table of weights,
            (heads, queries, keys), or the logarithm of each row's sum, (heads, queries, 1).
    """

    output: Array
    kept: Array


def naive_attention(
    q: Array,
    k: Array,
    v: Array,
    memory: FastMemory,
    *,
    causal: bool = False,
    tiles: Tiles | None = None,
) -> Attended:
    """Three passes with the whole table of scores between them, each in tiles that fit.

    A mask is laid over the scores when they are turned into weights, so it saves nothing.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        memory: the fast memory; it counts.
        causal: whether a query sees only keys up to its own place, counted from the end.
        tiles: those of the two passes of products; of the rule of `attention_tile` if not given.

    Raises:
        ValueError: the shapes do not fit together, or the fast memory is too small.
    """
    chosen = tiles or Tiles.fitting(memory, q, v, long="queries")

    def three_passes(head: Head) -> tuple[Array, Array]:
        table = np.empty((len(head.q), len(head.k)), dtype=q.dtype)
        output = _results(head)
        _score_pass(head, table, memory, chosen)
        _softmax_pass(head, table, memory)
        _value_pass(table, head.v, output, memory, chosen)
        return output, table

    return _over_heads(three_passes, q, k, v, causal)


def _score_pass(head: Head, table: Array, memory: FastMemory, tiles: Tiles) -> None:
    for i in blocks(len(head.q), tiles.queries):
        q = memory.load(head.q[i])
        for j in blocks(len(head.k), tiles.keys):
            k = memory.load(head.k[j])
            s = memory.make((len(q), len(k)), q)
            _scores(head, q, k, s)
            memory.store(s, table[i, j])
            memory.free(k, s)
        memory.free(q)


def _softmax_pass(head: Head, table: Array, memory: FastMemory) -> None:
    """Turn scores into weights in place, whole rows at a time where one fits."""
    keys = table.shape[1]
    at_once = memory.capacity // ((keys + 2) * table.itemsize)
    if not at_once:
        return _softmax_pass_of_long_rows(head, table, memory)
    for i in blocks(len(table), at_once):
        s = memory.load(table[i])
        head.hide(s, i, slice(0, keys))
        most, total = memory.make((len(s), 1), s), memory.make((len(s), 1), s)
        np.max(s, axis=1, keepdims=True, out=most)
        np.exp(np.subtract(s, most, out=s), out=s)
        np.sum(s, axis=1, keepdims=True, out=total)
        s /= total
        memory.store(s, table[i])
        memory.free(s, most, total)
    return None


def _softmax_pass_of_long_rows(head: Head, table: Array, memory: FastMemory) -> None:
    """Read each row once for its maximum and sum, and once more for its weights."""
    width = memory.capacity // table.itemsize - 3
    for row in blocks(len(table), 1):
        most = memory.make((1, 1), table, -np.inf)
        total, new = memory.make((1, 1), table), memory.make((1, 1), table)
        for j in blocks(table.shape[1], width):
            s = memory.load(table[row, j])
            head.hide(s, row, j)
            renew(s, most, total, new)
            memory.free(s)
        for j in blocks(table.shape[1], width):
            s = memory.load(table[row, j])
            head.hide(s, row, j)
            np.exp(np.subtract(s, most, out=s), out=s)
            s /= total
            memory.store(s, table[row, j])
            memory.free(s)
        memory.free(most, total, new)


def _value_pass(table: Array, v: Array, output: Array, memory: FastMemory, tiles: Tiles) -> None:
    for i in blocks(len(table), tiles.queries):
        o = memory.make((len(table[i]), v.shape[1]), v)
        for j in blocks(len(v), tiles.keys):
            p, v_tile = memory.load(table[i, j]), memory.load(v[j])
            o += p @ v_tile
            memory.free(p, v_tile)
        memory.store(o, output[i])
        memory.free(o)


def keys_outer_attention(
    q: Array,
    k: Array,
    v: Array,
    memory: FastMemory,
    *,
    causal: bool = False,
    tiles: Tiles | None = None,
) -> Attended:
    """Tiles of keys stay, queries sweep past: the order of the first FlashAttention.

    Unfinished results and two running numbers for each row travel with the queries. On a row's last
    tile the logarithm of its sum takes the place of its maximum, so that it costs no extra traffic.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        memory: the fast memory; it counts.
        causal: whether a query sees only keys up to its own place, counted from the end.
        tiles: the largest that fit if not given.

    Raises:
        ValueError: the shapes do not fit together, or the fast memory is too small.
    """
    chosen = tiles or Tiles.fitting(memory, q, v, long="keys")

    def sweep_queries(head: Head) -> tuple[Array, Array]:
        output = _results(head)
        maxima, totals = np.empty((2, len(head.q), 1), dtype=q.dtype)
        for array, value in ((output, 0.0), (maxima, -np.inf), (totals, 0.0)):
            memory.set(array, value)
        for j in blocks(len(head.k), chosen.keys):
            k, v = memory.load(head.k[j]), memory.load(head.v[j])
            for i in blocks(len(head.q), chosen.queries):
                if head.skipped(i, j):
                    continue
                rows, o = memory.load(head.q[i]), memory.load(output[i])
                most, total = memory.load(maxima[i]), memory.load(totals[i])
                s, new = memory.make((len(rows), len(k)), q), memory.make(most.shape, q)
                _scores(head, rows, k, s)
                head.hide(s, i, j)
                o *= total
                o *= renew(s, most, total, new)
                o += s @ v
                o /= unless_empty(total)
                if head.finished(i, j):
                    most += np.log(total)
                memory.store(o, output[i])
                memory.store(most, maxima[i])
                memory.store(total, totals[i])
                memory.free(rows, o, most, total, s, new)
            memory.free(k, v)
        return output, maxima

    return _over_heads(sweep_queries, q, k, v, causal)


def queries_outer_attention(
    q: Array,
    k: Array,
    v: Array,
    memory: FastMemory,
    *,
    causal: bool = False,
    tiles: Tiles | None = None,
) -> Attended:
    """Tiles of queries stay, keys sweep past: the order of the second FlashAttention.

    Results grow in fast memory, are divided by their sum at the end and written once. Values that
    are the first numbers of the keys, in the same memory, are not loaded twice: so it is with the
    cache of latent attention.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        memory: the fast memory; it counts.
        causal: whether a query sees only keys up to its own place, counted from the end.
        tiles: the largest that fit if not given.

    Raises:
        ValueError: the shapes do not fit together, or the fast memory is too small.
    """
    chosen = tiles or Tiles.fitting(memory, q, v, long="queries")

    def sweep_keys(head: Head) -> tuple[Array, Array]:
        output, sums = _results(head), np.empty((len(head.q), 1), dtype=q.dtype)
        for i in blocks(len(head.q), chosen.queries):
            rows = memory.load(head.q[i])
            o = memory.make((len(rows), head.v.shape[1]), q)
            most = memory.make((len(rows), 1), q, -np.inf)
            total, new = memory.make(most.shape, q), memory.make(most.shape, q)
            for j in blocks(len(head.k), chosen.keys):
                if head.skipped(i, j):
                    continue
                k = memory.load(head.k[j])
                v = k[:, : head.v.shape[1]] if head.values_in_keys else memory.load(head.v[j])
                s = memory.make((len(rows), len(k)), q)
                _scores(head, rows, k, s)
                head.hide(s, i, j)
                o *= renew(s, most, total, new)
                o += s @ v
                memory.free(k, s)
                if not head.values_in_keys:
                    memory.free(v)
            o /= unless_empty(total)
            most += np.log(total)
            memory.store(o, output[i])
            memory.store(most, sums[i])
            memory.free(rows, o, most, total, new)
        return output, sums

    return _over_heads(sweep_keys, q, k, v, causal)


def _results(head: Head) -> Array:
    """Room in slow memory for the results, as wide as the values."""
    return np.empty((len(head.q), head.v.shape[1]), dtype=head.q.dtype)


def _scores(head: Head, q: Array, k: Array, s: Array) -> None:
    np.matmul(q, k.T, out=s)
    s *= head.scale


def _over_heads(
    run: Callable[[Head], tuple[Array, Array]], q: Array, k: Array, v: Array, causal: bool
) -> Attended:
    results = [run(head) for head in heads(q, k, v, causal=causal)]
    group = group_size(q, k, v, causal=causal)
    output, kept = (unpacked(list(part), group) for part in zip(*results, strict=True))
    return Attended(output, kept)

"""The gradients of attention, two ways: from stored weights, and from weights computed again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tokenwall.attention.forward import Attended, Tiles
from tokenwall.attention.heads import Head, check_format, group_size, heads, packed, unpacked
from tokenwall.attention.memory import Array, FastMemory, blocks


@dataclass(frozen=True)
class Gradients:
    """Gradients by queries, keys and values, in their shapes."""

    q: Array
    k: Array
    v: Array


def backward_tile(memory: FastMemory, q: Array, v: Array | None = None) -> Tiles:
    """The largest square tiles with which both backward passes fit.

    Args:
        memory: the fast memory.
        q: the queries, for their size and number format.
        v: the values, for their size; that of the queries if not given.

    Raises:
        ValueError: not even tiles of one row fit.
    """
    room, size = memory.capacity // q.itemsize, q.shape[-1]
    # Queries and keys with their gradients, values with theirs and the gradient by the results,
    # two matrices of scores and two numbers a row: t (4 d_k + 3 d_v) + 2 t^2 + 2 t.
    vectors = 4 * size + 3 * (size if v is None else v.shape[-1])
    side = (math.isqrt((vectors + 2) ** 2 + 8 * room) - (vectors + 2)) // 4
    if side < 1:
        raise ValueError(
            f"fast_memory is {memory.capacity} B; it must be at least "
            f"{(vectors + 4) * q.itemsize} B for tiles of one row with head_size {size}"
        )
    return Tiles(side, side)


def stored_backward(
    q: Array,
    k: Array,
    v: Array,
    upstream: Array,
    forward: Attended,
    memory: FastMemory,
    *,
    causal: bool = False,
) -> Gradients:
    """Gradients from the stored table of weights, each product a pass of its own.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        upstream: gradient by the results, in their shape.
        forward: what `naive_attention` left.
        memory: the fast memory; it counts.
        causal: as in the forward pass.

    Raises:
        ValueError: the shapes do not fit together, or the fast memory is too small, also for one
            row of weights and one of gradients.
    """
    group = _group(q, k, v, upstream, causal)
    tiles = backward_tile(memory, q, v)
    parts = []
    for number, head in enumerate(heads(q, k, v, causal=causal)):
        weights, given = (packed(x, number, group) for x in (forward.kept, upstream))
        slope = np.empty_like(weights)
        d_q, d_k, d_v = np.empty_like(head.q), np.empty_like(head.k), np.empty_like(head.v)
        _transposed_product(weights, given, d_v, memory, tiles)
        _outer_product(given, head.v, slope, memory, tiles)
        _softmax_gradient(weights, slope, memory, head.scale)
        _product(slope, head.k, d_q, memory, tiles)
        _transposed_product(slope, head.q, d_k, memory, tiles)
        parts.append((d_q, d_k, d_v))
    return _gathered(parts, group)


def _group(q: Array, k: Array, v: Array, upstream: Array, causal: bool) -> int:
    group = group_size(q, k, v, causal=causal)
    wanted = (*q.shape[:2], v.shape[2])
    if upstream.shape != wanted:
        raise ValueError(f"upstream has shape {upstream.shape}; it must be {wanted}")
    check_format("upstream", upstream, q)
    return group


def _outer_product(a: Array, b: Array, out: Array, memory: FastMemory, tiles: Tiles) -> None:
    for i in blocks(len(a), tiles.queries):
        a_i = memory.load(a[i])
        for j in blocks(len(b), tiles.keys):
            b_j = memory.load(b[j])
            tile = memory.make((len(a_i), len(b_j)), a)
            np.matmul(a_i, b_j.T, out=tile)
            memory.store(tile, out[i, j])
            memory.free(b_j, tile)
        memory.free(a_i)


def _product(table: Array, b: Array, out: Array, memory: FastMemory, tiles: Tiles) -> None:
    for i in blocks(len(table), tiles.queries):
        total = memory.make((i.stop - i.start, b.shape[1]), b)
        for j in blocks(len(b), tiles.keys):
            tile, b_j = memory.load(table[i, j]), memory.load(b[j])
            total += tile @ b_j
            memory.free(tile, b_j)
        memory.store(total, out[i])
        memory.free(total)


def _transposed_product(
    table: Array, b: Array, out: Array, memory: FastMemory, tiles: Tiles
) -> None:
    for j in blocks(table.shape[1], tiles.keys):
        total = memory.make((j.stop - j.start, b.shape[1]), b)
        for i in blocks(len(b), tiles.queries):
            tile, b_i = memory.load(table[i, j]), memory.load(b[i])
            total += tile.T @ b_i
            memory.free(tile, b_i)
        memory.store(total, out[j])
        memory.free(total)


def _softmax_gradient(weights: Array, slope: Array, memory: FastMemory, scale: float) -> None:
    """Turn the gradient by the weights into that by the scores, in place, whole rows at a time."""
    at_once = max(1, memory.capacity // ((2 * weights.shape[1] + 1) * weights.itemsize))
    for i in blocks(len(weights), at_once):
        p, g = memory.load(weights[i]), memory.load(slope[i])
        mean = memory.make((len(p), 1), p)
        np.sum(p * g, axis=1, keepdims=True, out=mean)
        g -= mean
        g *= p
        g *= scale
        memory.store(g, slope[i])
        memory.free(p, g, mean)


def recomputed_backward(
    q: Array,
    k: Array,
    v: Array,
    upstream: Array,
    forward: Attended,
    memory: FastMemory,
    *,
    causal: bool = False,
    tiles: Tiles | None = None,
) -> Gradients:
    """Gradients from weights computed again, tile by tile, from one kept number a row.

    The order of the second FlashAttention, algorithm 2: sums of results times their gradients are
    formed first. The first kept two numbers a row and read the results in every sweep.

    Args:
        q: queries, (heads, queries, head size).
        k: keys, (key-value heads, keys, head size).
        v: values, (key-value heads, keys, numbers of a value).
        upstream: gradient by the results, in their shape.
        forward: what `queries_outer_attention` or `keys_outer_attention` left.
        memory: the fast memory; it counts.
        causal: as in the forward pass.
        tiles: the largest square ones that fit if not given.

    Raises:
        ValueError: the shapes do not fit together, or the fast memory is too small.
    """
    group = _group(q, k, v, upstream, causal)
    chosen = tiles or backward_tile(memory, q, v)
    parts = []
    for number, head in enumerate(heads(q, k, v, causal=causal)):
        given, output, log_sums = (
            packed(x, number, group) for x in (upstream, forward.output, forward.kept)
        )
        means = np.empty((len(head.q), 1), dtype=q.dtype)
        _row_means(given, output, means, memory, chosen)
        parts.append(_sweep(head, given, log_sums, means, memory, chosen))
    return _gathered(parts, group)


def _row_means(given: Array, output: Array, means: Array, memory: FastMemory, tiles: Tiles) -> None:
    """Mean gradient of each row of weights: the sum over a vector stands for that over all keys."""
    for i in blocks(len(given), tiles.queries):
        g, o = memory.load(given[i]), memory.load(output[i])
        mean = memory.make((len(g), 1), g)
        np.sum(g * o, axis=1, keepdims=True, out=mean)
        memory.store(mean, means[i])
        memory.free(g, o, mean)


def _sweep(
    head: Head, given: Array, log_sums: Array, means: Array, memory: FastMemory, tiles: Tiles
) -> tuple[Array, Array, Array]:
    d_q, d_k, d_v = np.empty_like(head.q), np.empty_like(head.k), np.empty_like(head.v)
    memory.set(d_q, 0)
    for j in blocks(len(head.k), tiles.keys):
        k, v = memory.load(head.k[j]), memory.load(head.v[j])
        k_slope, v_slope = memory.make(k.shape, k), memory.make(v.shape, v)
        for i in blocks(len(head.q), tiles.queries):
            if head.skipped(i, j):
                continue
            q, g, q_slope = memory.load(head.q[i]), memory.load(given[i]), memory.load(d_q[i])
            log_sum, mean = memory.load(log_sums[i]), memory.load(means[i])
            p, s_slope = memory.make((len(q), len(k)), q), memory.make((len(q), len(k)), q)
            np.matmul(q, k.T, out=p)
            p *= head.scale
            head.hide(p, i, j)
            np.exp(np.subtract(p, log_sum, out=p), out=p)
            v_slope += p.T @ g
            np.matmul(g, v.T, out=s_slope)
            s_slope -= mean
            s_slope *= p
            s_slope *= head.scale
            q_slope += s_slope @ k
            k_slope += s_slope.T @ q
            memory.store(q_slope, d_q[i])
            memory.free(q, g, q_slope, log_sum, mean, p, s_slope)
        memory.store(k_slope, d_k[j])
        memory.store(v_slope, d_v[j])
        memory.free(k, v, k_slope, v_slope)
    return d_q, d_k, d_v


def _gathered(parts: list[tuple[Array, Array, Array]], group: int) -> Gradients:
    d_q, d_k, d_v = (list(part) for part in zip(*parts, strict=True))
    return Gradients(unpacked(d_q, group), np.stack(d_k), np.stack(d_v))

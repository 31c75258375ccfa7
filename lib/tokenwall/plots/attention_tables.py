"""Tables of the attention chapter: bytes counted by the running code, and speeds against bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tokenwall.attention import (
    Attended,
    FastMemory,
    Shape,
    Tiles,
    attention_tile,
    backward_tile,
    best_naive_shape,
    best_tiled_shape,
    compulsory_traffic,
    keys_outer_attention,
    keys_outer_traffic,
    least_traffic,
    naive_attention,
    naive_traffic,
    queries_outer_attention,
    queries_outer_traffic,
    recomputed_backward_traffic,
    score_flop,
    stored_backward_traffic,
    sweep_intensity,
    traffic_order,
)
from tokenwall.data.attention import attention_device, attention_speeds
from tokenwall.data.comparisons import compared
from tokenwall.data.facts import facts
from tokenwall.data.selections import selected
from tokenwall.estimate import Estimate
from tokenwall.roofline import ridge_intensity, step_time

Algorithm = Callable[..., Attended]
ALGORITHMS: dict[str, Algorithm] = {
    "three passes": naive_attention,
    "keys stay": keys_outer_attention,
    "queries stay": queries_outer_attention,
}
# Small enough to run in NumPy while the page is made; numbers of four bytes.
BASE = {"tokens": 1024, "head_size": 32, "fast_memory": 32768}
SWEEPS = {
    "tokens": (128, 256, 512, 1024, 2048),
    "head_size": (8, 16, 32, 64, 128),
    "fast_memory": (8192, 32768, 131072, 524288, 2097152),
}


def inputs(
    heads: int, kv_heads: int, queries: int, keys: int, head_size: int, *, seed: int = 0
) -> tuple[Any, Any, Any]:
    """Random queries, keys and values in 32 bits.

    Args:
        heads: query heads.
        kv_heads: key-value heads.
        queries: new tokens.
        keys: tokens attended to.
        head_size: numbers in a vector.
        seed: of the generator.
    """
    generator = np.random.default_rng(seed)
    shapes = ((heads, queries, head_size), *2 * ((kv_heads, keys, head_size),))
    q, k, v = (generator.standard_normal(shape).astype(np.float32) for shape in shapes)
    return q, k, v


def counted(algorithm: Algorithm, arrays: tuple[Any, Any, Any], size: int, **options: Any) -> int:
    """Bytes that an algorithm moves, by running it.

    Args:
        algorithm: one of `ALGORITHMS`.
        arrays: queries, keys and values.
        size: of the fast memory [B].
        options: passed on, such as causal.
    """
    memory = FastMemory(size)
    algorithm(*arrays, memory, **options)
    return memory.moved


def formula(name: str, tokens: float, head_size: float, fast_memory: float, size: float) -> float:
    """The closed form of an algorithm's traffic for one head of its own keys [B].

    Args:
        name: as in `ALGORITHMS`.
        tokens: queries, and as many keys.
        head_size: numbers in a vector.
        fast_memory: its size [B].
        size: bytes of a number.
    """
    tile = attention_tile(fast_memory, head_size, bytes_per_value=size)
    shape = {"head_size": head_size, "bytes_per_value": size}
    if name == "three passes":
        return float(
            naive_traffic(tokens, tokens, query_tile=tile, fast_memory=fast_memory, **shape)
        )
    if name == "keys stay":
        return float(keys_outer_traffic(tokens, tokens, key_tile=tile, **shape))
    return float(queries_outer_traffic(tokens, tokens, query_tile=tile, **shape))


def sweep_table() -> pd.DataFrame:
    """Counted bytes beside closed forms and bounds, for sweeps of each of three sizes.

    Returns:
        A frame with sweep, x, algorithm, counted, formula, order, least, compulsory [B].
    """
    rows = []
    for sweep, values in SWEEPS.items():
        for x in values:
            at = {**BASE, sweep: x}
            tokens, width, fast = at["tokens"], at["head_size"], at["fast_memory"]
            arrays = inputs(1, 1, tokens, tokens, width)
            shape = {"head_size": width, "bytes_per_value": 4}
            for name, algorithm in ALGORITHMS.items():
                rows.append(
                    {
                        "sweep": sweep,
                        "x": x,
                        "algorithm": name,
                        "counted": counted(algorithm, arrays, fast),
                        "formula": formula(name, tokens, width, fast, 4),
                        "order": float(traffic_order(tokens, tokens, fast_memory=fast, **shape)),
                        "least": float(least_traffic(tokens, tokens, fast_memory=fast, **shape)),
                        "compulsory": float(compulsory_traffic(tokens, tokens, **shape)),
                    }
                )
    return pd.DataFrame(rows)


def gain_table(keys: int, head_size: int, fast_memory: float) -> pd.DataFrame:
    """How many times less tiled attention moves, by the query rows that are there at a time.

    Args:
        keys: tokens in the cache.
        head_size: numbers in a vector.
        fast_memory: its size [B].

    Returns:
        A frame with rows, the gain with one tile by the rule of `attention_tile` for both, and
        the best gain, both in the shapes that move least; `attrs` holds the tile and the
        arguments.
    """
    tile = float(attention_tile(fast_memory, head_size))
    rows = np.unique(np.round(np.geomspace(1, keys, 120)))
    naive = naive_traffic(rows, keys, head_size=head_size, query_tile=tile, fast_memory=fast_memory)
    tiled = queries_outer_traffic(rows, keys, head_size=head_size, query_tile=tile)
    shape: dict[str, Any] = {"head_size": head_size, "fast_memory": fast_memory}
    best = [
        best_naive_shape(n, keys, **shape).traffic / best_tiled_shape(n, keys, **shape).traffic
        for n in rows
    ]
    table = pd.DataFrame({"rows": rows, "gain": naive / tiled, "best": best})
    table.attrs |= {"tile": tile, "keys": keys, "head_size": head_size, "fast": fast_memory}
    return table


def shape_table(tokens: int, head_size: int, fast_memory: float) -> pd.DataFrame:
    """Three passes and tiles that sweep, by the rule and in the shapes that move least.

    Args:
        tokens: queries, and as many keys.
        head_size: numbers in a vector.
        fast_memory: its size [B].

    Returns:
        A frame by shape: rows and keys of both tiles, bytes of both [B], their quotient, and the
        tiled bytes over the least that is proved.
    """
    size: dict[str, Any] = {"head_size": head_size, "fast_memory": fast_memory}
    tile = int(attention_tile(fast_memory, head_size))
    square = Tiles(tile, min(tile, head_size))
    ruled = [
        Shape(square, formula(name, tokens, head_size, fast_memory, 2))
        for name in ("three passes", "queries stay")
    ]
    shapes = {"by the rule": ruled}
    for name, narrowest in (("64 keys or more", 64), ("16 keys or more", 16), ("any", 1)):
        shapes[name] = [
            find(tokens, tokens, **size, narrowest=narrowest)
            for find in (best_naive_shape, best_tiled_shape)
        ]
    least = float(least_traffic(tokens, tokens, **size))
    return pd.DataFrame(
        {
            name: {
                "naive rows": naive.tiles.queries,
                "naive keys": naive.tiles.keys,
                "naive": naive.traffic,
                "tiled rows": tiled.tiles.queries,
                "tiled keys": tiled.tiles.keys,
                "tiled": tiled.traffic,
                "gain": naive.traffic / tiled.traffic,
                "over the least": tiled.traffic / least,
            }
            for name, (naive, tiled) in shapes.items()
        }
    ).T


def fewer_bytes(naive: Shape, tiled: Shape) -> float:
    """How many times fewer bytes the second moves, where each has the shape that moves least.

    Args:
        naive: three passes in their best tiles.
        tiled: attention that never writes its scores, in its own.
    """
    sides = (Estimate.exact(shape.traffic) for shape in (naive, tiled))
    return compared("attention-bytes", *sides).value


# Rows that share a sweep of the cache, and the widths of its keys, its values and its tokens.
DECODERS = {
    "one head": (1, 128, 128, 256),
    "8 heads share": (8, 128, 128, 256),
    "16 heads share": (16, 128, 128, 256),
    "16 heads share, 8 drafted tokens": (128, 128, 128, 256),
    "128 heads share a latent cache": (128, 576, 512, 576),
    "the same, 2 tokens at a time": (256, 576, 512, 576),
}


def decode_table(peak_rate: float, bandwidth: float) -> pd.DataFrame:
    """Arithmetic that a step of decoding gets out of a byte of its cache, against the ridge.

    Args:
        peak_rate: arithmetic rate of the device [FLOP/s].
        bandwidth: of its memory [B/s].

    Returns:
        A frame by kind of decoding: rows, numbers read for each token of the cache, FLOP/B, and
        that over the ridge.
    """
    ridge = float(ridge_intensity(peak_rate, bandwidth))
    lines = {}
    for name, (rows, keys, values, cached) in DECODERS.items():
        found = float(sweep_intensity(rows, keys, value_head_size=values, cached_size=cached))
        lines[name] = {
            "rows": rows,
            "numbers a token": cached,
            "arithmetic": found,
            "over the ridge": found / ridge,
        }
    return pd.DataFrame(lines).T


def backward_table(tokens: int, head_size: int, fast_memory: int) -> pd.DataFrame:
    """Stored against computed again: bytes kept, moved, and arithmetic, of one head in 16 bits.

    The last row keeps the numbers of a row and the gradients of the queries, which sweeps sum up,
    in 4 bytes as kernels do.

    Args:
        tokens: of the sequence.
        head_size: numbers in a vector.
        fast_memory: its size [B].
    """
    side = _backward_side(head_size, fast_memory)
    shape = {"head_size": head_size, "key_tile": side}
    again = float(recomputed_backward_traffic(tokens, tokens, **shape))
    # Set once, then read and written in every sweep: gradients of the queries. Two numbers a row
    # are kept and formed besides, written once and read in every sweep.
    sweeps = math.ceil(tokens / side)
    wider = 2.0 * tokens * (head_size * (1 + 2 * sweeps) + 1 + 2 * sweeps)
    forward = float(score_flop(tokens, tokens, head_size=head_size))
    rows = {
        "stored": {
            "kept for the backward pass": 2.0 * tokens * tokens,
            "moved by it": float(stored_backward_traffic(tokens, tokens, query_tile=side, **shape)),
            "arithmetic of both passes": 3 * forward,
        },
        "computed again": {
            "kept for the backward pass": 2.0 * tokens,
            "moved by it": again,
            "arithmetic of both passes": 3.5 * forward,
        },
        "again, sums in 4 bytes": {
            "kept for the backward pass": 4.0 * tokens,
            "moved by it": again + wider,
            "arithmetic of both passes": 3.5 * forward,
        },
    }
    return pd.DataFrame(rows).T


def _backward_side(head_size: int, fast_memory: int) -> int:
    return backward_tile(FastMemory(fast_memory), np.empty((1, 1, head_size), np.float16)).keys


def speed_table() -> pd.DataFrame:
    """Published times of naive and tiled attention beside the least that each could take.

    Main memory is read at the data sheet's rate and arithmetic runs at its peak. Re-reads of keys
    and values are left to the shared cache, so that the bounds hold whatever the tiles are. Holds
    every row that the rules "attention-alike" and "attention-unlike" select.

    Returns:
        A frame with device, kernel, phase, tokens, the formats of both kernels and whether they
        are alike, and for naive and fused the bound and the time [s], their quotients predicted
        and measured, and which limit binds the fused bound.
    """
    every = attention_speeds().set_index("id")
    rows = [
        _judged(every.loc[key], alike=rule == "attention-alike")
        for rule in ("attention-alike", "attention-unlike")
        for key in selected(rule)["id"]
    ]
    order = ["alike", "device", "phase", "tokens"]
    table = pd.DataFrame(rows).sort_values(order, ascending=[False, True, True, True])
    return table.reset_index(drop=True)


def _judged(row: Any, *, alike: bool) -> dict[str, Any]:
    device = attention_device(row["machine"])
    pairs, tokens, width = row["batch"] * row["heads"], row["tokens"], row["head_size"]
    both = row["phase"] == "forward and backward"
    flop = pairs * float(score_flop(tokens, tokens, head_size=width))
    shape = {"head_size": width, "key_tile": tokens}
    fast = facts("h100-sm")["block_memory"]
    written = float(
        naive_traffic(tokens, tokens, head_size=width, query_tile=tokens, fast_memory=fast)
    )
    passing = float(
        compulsory_traffic(tokens, tokens, head_size=width, bytes_per_value=row["fused_bytes"])
    )
    if both:
        written += float(stored_backward_traffic(tokens, tokens, query_tile=tokens, **shape))
        passing += float(recomputed_backward_traffic(tokens, tokens, **shape))
    bandwidth = device["memory_bandwidth"]
    fast_rate = device["peak_rate_fp8" if row["fused_bytes"] == 1 else "peak_rate_fp16"]
    naive_bound = step_time(
        pairs * written,
        (3 if both else 1) * flop,
        bandwidth=bandwidth,
        peak_rate=device["peak_rate_fp16"],
    )
    fused_flop = (3.5 if both else 1) * flop
    fused_bound = step_time(pairs * passing, fused_flop, bandwidth=bandwidth, peak_rate=fast_rate)
    # The benchmark divides the same arithmetic, 3.5 passes with the backward one, by both times.
    naive, fused = (
        row[f"{n}_si"] if row["unit"] == "ms" else fused_flop / row[f"{n}_si"]
        for n in ("naive", "fused")
    )
    return {
        "device": _DEVICES[row["machine"]],
        "kernel": row["kernel"],
        "phase": row["phase"],
        "tokens": tokens,
        "formats": f"{row['naive_format']}, {row['fused_format']}",
        "alike": alike,
        "naive bound": float(naive_bound),
        "naive": naive,
        "fused bound": float(fused_bound),
        "fused": fused,
        "predicted": float(naive_bound / fused_bound),
        "measured": _speed_up(naive, fused) if alike else naive / fused,
        "fused by arithmetic": bool(fused_flop / fast_rate > pairs * passing / bandwidth),
    }


def _speed_up(naive: float, fused: float) -> float:
    """The gain of tiles; for formats that differ the quotient holds the gain of the format too."""
    return compared("attention-speed", Estimate.exact(naive), Estimate.exact(fused)).value


_DEVICES = {
    "a100-sxm-40gb": "A100",
    "b200": "B200",
    "h100-pcie": "H100 PCIe",
    "rtx-a5000": "RTX A5000",
}


def extreme_scores(scale: float) -> tuple[Any, Any, Any]:
    """Queries, keys and values whose scores are whole multiples of a scale, exact in 32 bits.

    Args:
        scale: of the scores.
    """
    generator = np.random.default_rng(3)
    q = generator.integers(-2, 3, (1, 40, 16)).astype(np.float32) * scale
    k = generator.integers(-2, 3, (1, 40, 16)).astype(np.float32)
    v = generator.standard_normal((1, 40, 16)).astype(np.float32)
    return q, k, v


__all__ = [
    "ALGORITHMS",
    "DECODERS",
    "backward_table",
    "counted",
    "decode_table",
    "extreme_scores",
    "fewer_bytes",
    "formula",
    "gain_table",
    "inputs",
    "shape_table",
    "speed_table",
    "sweep_table",
]

"""What tiled attention gains for a real model: much while it reads a prompt, little per token."""

from __future__ import annotations

import math
from typing import Any

from tokenwall import scenario
from tokenwall.attention import (
    attention_tile,
    compulsory_traffic,
    naive_traffic,
    queries_outer_traffic,
    score_flop,
)
from tokenwall.data.facts import facts, sources
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.ledger import Row
from tokenwall.roofline import prefill_time, step_time

__all__ = ["PROMPT", "decode_attention_row", "prefill_attention_row", "prefill_times"]

CHAPTER = "book/mitigations/attention.ipynb"
# Tokens of a prompt; from a page of text to a small book.
PROMPT = Estimate(8192, 2048, 32768, Spread.CASES)
FAST_MEMORY = "h100-sm"


def prefill_times(machine: Any, model: Any, prompt: float, share: float = 1) -> dict[str, float]:
    """Bounds on the time to read a prompt, by part [s].

    The naive table of scores goes through main memory; re-reads of keys and values are taken to be
    caught by a shared cache, for the naive and the tiled algorithm alike. A causal mask halves the
    arithmetic of the tiled one only, because the naive one fills the whole table.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        prompt: tokens.
        share: of the peak arithmetic that kernels reach.

    Returns:
        weights: the products with the weights; naive and tiled: attention itself.
    """
    bandwidth, peak = float(machine["memory_bandwidth"]), float(machine["peak_rate_fp16"])
    heads, kv_heads = float(model["heads"]), float(model["kv_heads"])
    size, rows = float(model["head_size"]), prompt * heads / kv_heads
    copies = float(model["layers"]) * kv_heads
    flop = copies * float(score_flop(rows, prompt, head_size=size))
    written = copies * float(
        naive_traffic(
            rows,
            prompt,
            head_size=size,
            query_tile=rows,
            fast_memory=facts(FAST_MEMORY)["shared_memory"],
        )
    )
    passing = copies * float(compulsory_traffic(rows, prompt, head_size=size))
    roof = {"bandwidth": bandwidth, "peak_rate": share * peak}
    reading = prefill_time(
        model["active_parameters"], prompt, peak_rate=peak, compute_fraction=share
    )
    return {
        "weights": float(reading),
        "naive": float(step_time(written, flop, **roof)),
        "tiled": float(step_time(passing, flop / 2, **roof)),
    }


def prefill_attention_row(machine: Any, model: Any, prompt: Estimate = PROMPT) -> Row:
    """How many times faster a prompt is read with tiled attention.

    The value takes all arithmetic at the share of its peak that kernels reach, and the naive table
    at the full bandwidth. The interval joins the prompt's with that of the share: from the second
    FlashAttention on a chip it was not written for to the third on its own.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        prompt: tokens of the prompt.
    """
    second = facts("flash-attention-2")
    shares = Estimate(
        second["reached_fraction"],
        second["h100_reached_fraction"],
        facts("flash-attention-3")["reached_fraction"],
        Spread.CASES,
    )

    def gain(tokens: float, share: float) -> float:
        times = prefill_times(machine, model, tokens, share)
        return (times["weights"] + times["naive"]) / (times["weights"] + times["tiled"])

    value = gain(prompt.value, shares.value)
    ends = [gain(p, s) for p in (prompt.low, prompt.high) for s in (shares.low, shares.high)]
    return Row(
        "tiled-prefill",
        "Attention that never writes its scores, reading a prompt",
        Estimate(value, min(ends), max(ends), Spread.CASES),
        ("naive_traffic", "compulsory_traffic", "score_flop", "prefill_time", "step_time"),
        {"prompt": prompt.value, "reached_fraction": shares.value},
        f"{_sources(machine, model)}; dao2022; dao2023; shah2024",
        CHAPTER,
        note="A factor on the time of a prompt, not on the rate of later tokens.",
    )


def decode_attention_row(machine: Any, model: Any, context: Estimate, batch: float = 1) -> Row:
    """How many times faster a token is written with tiled attention: next to nothing.

    The table has one row for each head of a group, so little is saved beside the cache, and the
    weights are read besides.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        context: tokens in the cache of each sequence.
        batch: sequences in flight.
    """
    group = float(model["heads"]) / float(model["kv_heads"])
    size = float(model["head_size"])
    copies = batch * float(model["layers"]) * float(model["kv_heads"])
    weights = scenario.step_weight_bytes(model)
    fast = facts(FAST_MEMORY)["shared_memory"]
    tile = max(group, float(attention_tile(fast, size)))

    def gain(tokens: float) -> float:
        naive = naive_traffic(group, tokens, head_size=size, query_tile=tile, fast_memory=fast)
        tiled = queries_outer_traffic(group, tokens, head_size=size, query_tile=tile)
        return float((weights + copies * naive) / (weights + copies * tiled))

    return Row(
        "tiled-decode",
        "Attention that never writes its scores, writing a token",
        through(lambda tokens: gain(math.floor(tokens)), context),
        ("naive_traffic", "queries_outer_traffic", "attention_tile"),
        {"context": context.value, "batch": batch, "weight_bytes": weights},
        f"{_sources(machine, model)}; dao2022",
        CHAPTER,
        note="Traffic only: launches saved by a fused kernel are not in it.",
    )


def _sources(machine: Any, model: Any) -> str:
    chip = sources("machines", str(machine.name), "memory_bandwidth", "peak_rate_fp16")
    return f"{chip}; {sources('models', str(model.name), 'heads', 'kv_heads', 'head_size')}"

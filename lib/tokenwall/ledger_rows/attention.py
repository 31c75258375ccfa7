"""What tiled attention gains for a real model: much while it reads a prompt, little per token."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

from tokenwall import scenario
from tokenwall.attention import (
    attention_tile,
    compulsory_traffic,
    naive_traffic,
    queries_outer_traffic,
    score_flop,
)
from tokenwall.data.facts import estimate, facts, sources
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.ledger import Row
from tokenwall.roofline import prefill_time, step_time

__all__ = [
    "PROMPT",
    "decode_attention_row",
    "expanded_decode_factor",
    "prefill_attention_row",
    "prefill_times",
]

CHAPTER = "book/mitigations/attention.ipynb"
# Tokens of a prompt; from a page of text to a small book.
PROMPT = Estimate(8192, 2048, 32768, Spread.CASES)
FAST_MEMORY = "h100-sm"


def prefill_times(
    machine: Any,
    model: Any,
    prompt: float,
    *,
    attention_fraction: float = 1,
    compute_fraction: float = 1,
) -> dict[str, float]:
    """Bounds on the time to read a prompt, by part [s].

    The naive table of scores goes through main memory; re-reads of keys and values are taken to be
    caught by a shared cache, for the naive and the tiled algorithm alike. A causal mask halves the
    arithmetic of the tiled one only, because the naive one fills the whole table.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        prompt: tokens.
        attention_fraction: share of the peak arithmetic that a kernel of attention reaches.
        compute_fraction: the same of plain matrix products, those of naive attention among them.

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
            fast_memory=facts(FAST_MEMORY)["block_memory"],
        )
    )
    passing = copies * float(compulsory_traffic(rows, prompt, head_size=size))
    roof = {"bandwidth": bandwidth, "peak_rate": attention_fraction * peak}
    products = {"bandwidth": bandwidth, "peak_rate": compute_fraction * peak}
    reading = prefill_time(
        model["active_parameters"], prompt, peak_rate=peak, compute_fraction=compute_fraction
    )
    return {
        "weights": float(reading),
        "naive": float(step_time(written, flop, **products)),
        "tiled": float(step_time(passing, flop / 2, **roof)),
    }


def prefill_attention_row(machine: Any, model: Any, prompt: Estimate = PROMPT) -> Row:
    """How many times faster a prompt is read with tiled attention.

    Products with weights, and those of naive attention, run at the share of the peak that plain
    matrix products were measured to reach on an H100; tiled attention at that of its own kernels.
    The value takes the kernel written for the chip, the interval joins the prompt's with both
    shares: down to the second FlashAttention on a chip that it was not written for. The naive table
    crosses main memory at the full bandwidth.

    Args:
        machine: a row of the machine table; the shares are those of an H100.
        model: a row of the model table.
        prompt: tokens of the prompt.
    """
    best = facts("flash-attention-3")["reached_fraction"]
    slow = facts("flash-attention-2")["h100_reached_fraction"]
    shares = Estimate(best, slow, best, Spread.CASES)
    products = estimate("h100-gemm", "reached_fraction")

    def gain(tokens: float, share: float, plain: float) -> float:
        times = prefill_times(
            machine, model, tokens, attention_fraction=share, compute_fraction=plain
        )
        return (times["weights"] + times["naive"]) / (times["weights"] + times["tiled"])

    inputs = (prompt, shares, products)
    value = gain(*(each.value for each in inputs))
    ends = [gain(*at) for at in product(*((each.low, each.high) for each in inputs))]
    return Row(
        "tiled-prefill",
        "Attention that never writes its scores, reading a prompt",
        Estimate(value, min(value, *ends), max(value, *ends), Spread.CASES),
        ("naive_traffic", "compulsory_traffic", "score_flop", "prefill_time", "step_time"),
        {
            "prompt": prompt.value,
            "attention_fraction": shares.value,
            "compute_fraction": products.value,
        },
        f"{_sources(machine, model)}; dao2022; shah2024; aiconfigurator2026",
        CHAPTER,
        note="A factor on the time of a prompt, not on the rate of later tokens.",
    )


def expanded_decode_factor(model: Any) -> float:
    """How many times the cache crosses memory where keys are copied out for every head of a group.

    Frameworks of the time first wrote keys and values once for each query head and then attended
    to the copies: the cache is read, and the copies are written and read. Against that baseline
    a kernel that shares them gains this much in the attention of a step.

    Args:
        model: a row of the model table.

    Example:
        >>> from tokenwall.data import model
        >>> expanded_decode_factor(model("llama-3.1-70b"))
        17.0
    """
    return 1 + 2 * float(model["heads"]) / float(model["kv_heads"])


def decode_attention_row(machine: Any, model: Any, context: Estimate, batch: float = 1) -> Row:
    """How many times faster a token is written with tiled attention: next to nothing.

    The table has one row for each head of a group, so little is saved beside the cache, and the
    weights are read besides. The naive side reads keys and values once for a group; frameworks
    that copied them out for each head moved more (`expanded_decode_factor`). One new token for
    each sequence; with several, or with many heads on one cache, arithmetic may limit instead.

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
    fast = facts(FAST_MEMORY)["block_memory"]
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

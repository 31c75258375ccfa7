"""Rows whose chapter is still to come: each carries a published factor and says so."""

from __future__ import annotations

import math

from tokenwall.data.facts import estimate, facts
from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger import Row
from tokenwall.record import RACKS, record

__all__ = [
    "RACKS",
    "experts_row",
    "router_row",
    "served_fraction",
    "serving_row",
    "speculation_row",
]

LEDGER = "book/ledger.ipynb"


def served_fraction(key: str) -> Estimate:
    """Share of the bound without losses that a published rack has served [1].

    The record over the smaller of what memory and arithmetic allow, prompts included. The interval
    is that of what its vendor did not publish: the lengths and the bits of the cache.

    Args:
        key: of the record in facts.csv, one of `RACKS`.

    Raises:
        ValueError: the record is not one of the racks.
    """
    return record(key).share


def serving_row(before: Estimate) -> Row:
    """What serving loses against the bound, as the two published racks lost it.

    Args:
        before: the rate without losses.
    """
    shares = [served_fraction(key) for key in RACKS]
    middle = math.sqrt(math.prod(share.value for share in shares))
    share = Estimate(middle, min(s.low for s in shares), max(s.high for s in shares), Spread.CASES)
    return Row(
        "serving",
        "Waits and losses of serving",
        share,
        (),
        {"before": before.value, "racks": len(RACKS)},
        "azure2025",
        LEDGER,
        kind="published",
        note="Geometric mean of two racks of one company, each over the smaller of its bounds; the "
        "interval is that of their prompts and caches.",
    )


def _published(key: str, label: str, fact: tuple[str, str], source: str, note: str) -> Row:
    """A row whose factor stands in facts.csv as it was published."""
    return Row(
        key,
        label,
        estimate(*fact),
        (),
        dict(facts(fact[0])),
        source,
        LEDGER,
        kind="published",
        note=note,
    )


def experts_row() -> Row:
    """What a mixture of experts with a latent cache gained over a dense model of like quality."""
    return _published(
        "experts",
        "Sparse experts and a latent cache",
        ("deepseek-v2-gain", "throughput_factor"),
        "deepseekv2",
        "DeepSeek-V2 against DeepSeek 67B, all tokens of one node; for another dense model of that "
        "size it is an analogy. The interval runs from fewer weights alone to a smaller cache "
        "alone.",
    )


def router_row() -> Row:
    """What sending easy questions to a small model saves, counted as tokens for the same cost."""
    return _published(
        "router",
        "A router: easy questions to a small model",
        ("routellm", "cost_factor"),
        "ong2024routellm",
        "A ratio of costs, read as a ratio of machine time. How many questions are easy depends on "
        "the questions, hence the interval.",
    )


def speculation_row() -> Row:
    """What guessing several tokens ahead gained for one user."""
    rates = facts("eagle-h100")
    plain = rates["rate_plain"]
    best, older = rates["rate_eagle3"] / plain, rates["rate_eagle2"] / plain
    return Row(
        "speculation",
        "Guess several tokens, check them together",
        Estimate(best, older, best * best / older, Spread.CASES),
        (),
        dict(rates),
        "sglang2026",
        LEDGER,
        kind="published",
        note="One model on one H100, EAGLE-3; the low end is EAGLE-2, the high end as far above. "
        "A full batch gains little, since it has no idle arithmetic.",
    )

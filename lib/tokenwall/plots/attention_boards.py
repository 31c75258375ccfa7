"""Explorables of the attention chapter: online softmax in steps, and traffic for any chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Integer, Max, Min, Symbol, exp, log, sympify

from tokenwall import style
from tokenwall.attention import (
    attention_tile,
    compulsory_traffic,
    least_traffic,
    naive_traffic,
    online_softmax,
    queries_outer_traffic,
    score_flop,
)
from tokenwall.data import machine
from tokenwall.data.facts import facts
from tokenwall.equation import symbol
from tokenwall.explorable import (
    Bar,
    Curve,
    Marker,
    Move,
    Preset,
    Readout,
    Slider,
    Text,
    VLine,
)
from tokenwall.explorable.core import Step
from tokenwall.plots.board import Board
from tokenwall.scenario import model_presets
from tokenwall.units import engineering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCORES = (1.0, 0.2, 2.5, 1.4, 0.6, 3.0, 1.8, 2.2)
TILE = 2
LIFT = Slider("lift", "Added to every score", "1", 0, 100, 0, "linear", step=1)


def softmax_axes(*, narrow: bool = False) -> Figure:
    """Axes of the stepper: exponentials of the scores met so far, and their running sum.

    Bars are named "score-0", "score-1", ... and "total"; the sum's label "total-label".

    Args:
        narrow: for a phone's width.
    """
    fig, (left, right) = style.figure(
        narrow,
        figsize=((style.NARROW if narrow else style.WIDE)[0], 3.3),
        ncols=2,
        gridspec_kw={"width_ratios": [5, 1.3]},
    )
    left.set(xlim=(-0.6, len(SCORES) - 0.4), ylim=(0, 1.1))
    for place, bar in enumerate(left.bar(range(len(SCORES)), 0.5, color=style.COMPUTE, width=0.7)):
        bar.set_gid(f"score-{place}")
    left.set_xticks(range(len(SCORES)), [f"{score:g}" for score in SCORES])
    for edge in range(TILE, len(SCORES), TILE):
        left.axvline(edge - 0.5, color=style.GRID, lw=1)
    left.grid(False, axis="x")
    left.set_xlabel("score, tile by tile")
    left.set_ylabel("exp(score − maximum)")
    left.set_title("Old bars shrink" if narrow else "Every new maximum shrinks what was summed")
    right.set(xlim=(-0.7, 0.7), ylim=(0, 3.6), xticks=[])
    right.bar([0], [1], color=style.MEMORY, width=0.7)[0].set_gid("total")
    right.text(0, 1, "", ha="center", va="bottom", color=style.MEMORY, gid="total-label")
    right.grid(False, axis="x")
    right.set_title("Sum")
    return fig


def softmax_board() -> tuple[Board, list[Step]]:
    """An online softmax over eight scores in four tiles, with the steps that walk through it."""
    states = online_softmax(np.array(SCORES), TILE)
    met, maximum, total = (Symbol(name, real=True) for name in ("met", "largest", "running_sum"))
    lift = Symbol("lift", real=True)
    moves: list[Move] = []
    for place, score in enumerate(SCORES):
        shown = Min(1, Max(0, met - place))
        moves.append(Bar(f"score-{place}", height=shown * exp(Min(0, score - maximum))))
    moves.append(Bar("total", height=total))
    moves.append(Text("total-label", y=total, value=total, digits=4))
    plain = sum(Min(1, Max(0, met - p)) * exp(s + lift) for p, s in enumerate(SCORES))
    finite = log(Max(0, float(np.finfo(np.float32).max) - plain)) * 1e-300
    half = log(Max(0, float(np.finfo(np.float16).max) - plain)) * 1e-300
    too_large = "it is larger than the format can hold"
    readouts = [
        Readout("Running maximum", maximum + lift, digits=3),
        Readout("Running sum, from the maximum", total, digits=4),
        Readout("Plain sum of exponentials, 32 bits", plain + finite, missing=too_large),
        Readout("The same, 16 bits", plain + half, missing=too_large),
        Readout("Logarithm of the sum", maximum + lift + log(total), digits=5),
    ]
    settings = [
        {"met": float(TILE * (n + 1)), "largest": state.maximum, "running_sum": state.total}
        for n, state in enumerate(states)
    ]
    steps = [Step(_said(n, states), setting) for n, setting in enumerate(settings)]
    alt = (
        "Bars of the exponentials of eight scores, met two at a time, each measured from the "
        "largest so far, and a bar of their sum. "
        + "; ".join(
            f"after {TILE * (n + 1)} scores the maximum is {s.maximum:g} and the sum {s.total:.3f}"
            for n, s in enumerate(states)
        )
        + "."
    )
    caption = "Numbers from the running code. The slider lifts all scores; the bars do not move."
    return Board(moves, readouts, [], settings[0], alt, [], caption), steps


def _said(number: int, states: list[Any]) -> str:
    state = states[number]
    scores = " and ".join(f"{score:g}" for score in state.tile)
    if number == 0:
        return (
            f"The first tile brings {scores}. The maximum is {state.maximum:g}, and the sum of "
            f"exponentials measured from it is {state.total:.3f}."
        )
    before = states[number - 1]
    if state.maximum == before.maximum:
        return (
            f"The tile brings {scores}, nothing above {state.maximum:g}. The sum of before keeps "
            f"its size, and two terms bring it to {state.total:.3f}."
        )
    return (
        f"The tile brings {scores}, so the maximum rises to {state.maximum:g}. The sum of before, "
        f"{before.total:.3f}, shrinks to {before.total * state.shrink:.3f}, and two terms bring it "
        f"to {state.total:.3f}."
    )


KEYS = (128.0, 1e6)
BYTES = (1e4, 1e13)
TRAFFIC_SLIDERS = (
    Slider("queries", "Query rows at a time, at most", "1", 1, 1e6, 1e6, whole=True),
    Slider("keys", "Tokens in the cache", "1", *KEYS, 8192, whole=True),
    Slider(
        "head_size", "Numbers in a vector", values=[32, 64, 96, 100, 128, 192, 256], default=128
    ),
    Slider("fast_memory", "Fast memory", "B", 16384, 2.0**27, 102400.0),
)
MODELS = ("llama-3.1-8b", "gpt-2-medium", "phi-3-mini", "gemma-2-9b", "llama-3.1-405b")


def traffic_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of the sandbox: bytes of one head over the tokens in its cache.

    Curves are "naive", "tiled", "once" and "least", each with a label "name-..."; points at the
    present length "here-naive" and "here-tiled"; its line "keys".

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 4.6))
    ax.set(xscale="log", yscale="log", xlim=KEYS, ylim=BYTES)
    ax.axvline(8192, color=style.MUTED, lw=1.2, ls=(0, (2, 2)), gid="keys")
    looks = {
        "naive": (style.MEMORY, "-"),
        "tiled": (style.COMPUTE, "-"),
        "once": (style.NEUTRAL, (0, (4, 2))),
        "least": (style.NEUTRAL, (0, (1, 1.5))),
    }
    for name, (colour, line) in looks.items():
        ax.plot([1e3, 1e3], [1e8, 1e8], color=colour, ls=line, gid=name, lw=1.9)
    ax.plot([8192], [1e8], "s", color=style.MEMORY, ms=8, gid="here-naive")
    ax.plot([8192], [1e7], "o", color=style.COMPUTE, ms=8, gid="here-tiled")
    for row, (text, colour) in enumerate(
        (
            ("three passes", style.MEMORY),
            ("tiled", style.COMPUTE),
            ("dashed: in and out once", style.NEUTRAL),
            ("dotted: proved least", style.NEUTRAL),
        )
    ):
        ax.text(0.03, 0.96 - 0.07 * row, text, color=colour, va="top", transform=ax.transAxes)
    ax.set_title("Where the scores are not written")
    ax.set_xlabel("tokens in the cache")
    ax.set_ylabel("bytes moved for one key-value head")
    style.unit_axis(ax.xaxis, "1")
    style.unit_axis(ax.yaxis, "B")
    return fig


def traffic_board() -> Board:
    """Traffic of naive and tiled attention and both floors, for chips and models to choose."""
    keys, size, fast = (symbol(name) for name in ("keys", "head_size", "fast_memory"))
    rows = Min(symbol("queries"), keys)
    tile = Max(1, attention_tile(fast, size, bytes_per_value=Integer(2)))
    shape = {"head_size": size, "bytes_per_value": Integer(2)}
    naive = naive_traffic(rows, keys, query_tile=tile, fast_memory=fast, **shape)
    tiled = queries_outer_traffic(rows, keys, query_tile=tile, **shape)
    once = compulsory_traffic(rows, keys, **shape)
    least = least_traffic(rows, keys, fast_memory=fast, **shape)
    flop = score_flop(rows, keys, head_size=size)
    grid = ("keys", np.geomspace(*KEYS, 120))
    moves: list[Move] = [
        VLine("keys", x=keys),
        Curve("naive", x=grid, y=naive),
        Curve("tiled", x=grid, y=tiled),
        Curve("once", x=grid, y=once),
        Curve("least", x=grid, y=least),
        Marker("here-naive", x=keys, y=naive),
        Marker("here-tiled", x=keys, y=tiled),
    ]
    readouts = [
        Readout("Three passes", naive, "B"),
        Readout("Tiled", tiled, "B"),
        Readout("Times less", naive / tiled),
        Readout("In and out once", once, "B"),
        Readout("Proved least", least, "B"),
        Readout("Tile", tile, digits=5),
        Readout("Arithmetic for a byte, three passes", flop / naive, "FLOP/B"),
        Readout("Arithmetic for a byte, tiled", flop / tiled, "FLOP/B"),
    ]
    presets = [*_chips(), *_models(), *_phases()]
    at = {"keys": 8192, "queries": 8192, "head_size": 128, "fast_memory": 102400}
    board = Board(moves, readouts, presets, {}, "", [])
    shown = [
        engineering(float(sympify(e).subs({symbol(k): v for k, v in at.items()})), "B")
        for e in (naive, tiled, once)
    ]
    alt = (
        "Bytes moved for one head over the tokens in its cache, both logarithmic, with one tile by "
        "the rule for both sides. For 8,192 "
        f"tokens that attend to themselves, vectors of 128 and 102 kB of fast memory: three passes "
        f"{shown[0]}, tiled {shown[1]}, inputs and results once {shown[2]}."
    )
    caption = (
        "One key-value head, numbers of 16 bits, no mask. Both sides use one tile by the rule, not "
        "the shapes that move least. A chip's shared memory is what one block of threads may "
        "have; what lies between it and main memory is left out."
    )
    return Board(board.moves, readouts, presets, {}, alt, [], caption)


def _chips() -> list[Preset]:
    shared = {
        "a100-sxm-80gb": ("A100, one block", "a100-sm"),
        "h100-sxm": ("H100, one block", "h100-sm"),
        "rtx-4090": ("RTX 4090, one block", "rtx-4090-sm"),
    }
    chips = [
        Preset("machine", label, {"fast_memory": facts(key)["block_memory"]}, machine_key)
        for machine_key, (label, key) in shared.items()
    ]
    tpu = machine("tpu-v5e")
    whole = {"fast_memory": float(tpu["on_chip_memory"])}
    return [*chips, Preset("machine", f"{tpu['name']}, whole chip", whole, "tpu-v5e")]


def _models() -> list[Preset]:
    from tokenwall.data import models

    known = [key for key in MODELS if key in models().index]
    return [Preset(r.group, r.label, r.values, r.key) for r in model_presets(known, ["head_size"])]


def _phases() -> list[Preset]:
    rows = {
        "the whole prompt": KEYS[1],
        "a chunk of 512": 512.0,
        "8 drafted tokens, 16 heads share": 128.0,
        "one token, 8 heads share": 8.0,
        "one token, one head": 1.0,
    }
    return [Preset("phase", name, {"queries": count}) for name, count in rows.items()]

"""The whole ledger as an Explorable: the reader's own machine and model, bar by bar."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from scipy.constants import c
from sympy import Float, Max, Min, Symbol, floor

from tokenwall import style
from tokenwall.calibration import engine_constants
from tokenwall.data import model as model_row
from tokenwall.data.facts import estimate
from tokenwall.energy import erased_bits_per_multiply_add, erasure_rate, thermodynamic_rate
from tokenwall.equation import symbol
from tokenwall.estimate import Estimate
from tokenwall.explorable import Bar, Marker, Move, Preset, Readout, Slider, Text
from tokenwall.kvcache import throughput_at_capacity
from tokenwall.ledger_rows.energy import bit_operations, usual_setting
from tokenwall.ledger_rows.light import rack_radius
from tokenwall.ledger_rows.published import serving_row
from tokenwall.ledger_rows.serving import ENGINE
from tokenwall.light import dependent_steps, travelling_rate
from tokenwall.plots.board import Board
from tokenwall.record import SERVER, Service, answer_flop, stored_bits
from tokenwall.roofline import bandwidth_law, decode_rate, weight_bytes
from tokenwall.scenario import (
    cache_bytes_per_token_of,
    machine_presets,
    model_presets,
    read_parameters,
)
from tokenwall.serving import engine as _engine
from tokenwall.serving import shape_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MACHINES = (
    "gb300-nvl72",
    "b200",
    "h100-sxm",
    "a100-sxm-80gb",
    "mi300x",
    "rtx-4090",
    "rtx-3060-12gb",
)
MODELS = (
    "llama-2-70b",
    "llama-3.2-1b",
    "llama-3.1-8b",
    "llama-3.1-70b",
    "llama-3.1-405b",
    "deepseek-v3",
)
# Wide enough that no label has to turn left into its bar.
RANGE = (0.1, 1e21)
RADIUS = float(f"{rack_radius().value:.3g}")
SLIDERS = (
    Slider("devices", "Devices", values=[1, 2, 4, 8, 16, 32, 72, 144, 576], default=72),
    Slider("weight_bits", "Bits of a weight", values=[stored_bits(), 8, 16], default=stored_bits()),
    Slider("prompt", "Prompt of each user", "token", 1, 131072, Service().prompt.value),
    Slider("memory_radius", "Radius of the machine as a ball", "m", 1e-3, 1e3, RADIUS),
)
# What the arithmetic of an answer depends on.
SHAPE = ("dense", "expert", "experts_per_token", "head", "decode_flop", "prompt_flop")
# A board holds four sliders, so answers keep the record's mean length [token].
ANSWER = Service().answer.value
NO_ROOM = "these devices do not hold the model"
LIGHT = "Beside it: one user, at the bound of light"


@dataclass(frozen=True)
class Level:
    """One rate on the way up, in the order of the ledger."""

    key: str
    label: str
    rate: Any
    colour: str


def levels() -> list[Level]:
    """Every rate of the ledger as an expression in the reader's settings, from the start up."""
    bandwidth, capacity = map(symbol, ("bandwidth", "capacity"))
    active, cache = symbol("active_parameters"), symbol("cache_bytes_per_token")
    bits, prompt, answer = (Symbol(n, positive=True) for n in ("weight_bits", "prompt", "answer"))
    peak, size, context = _peak(bits), bits / 8, prompt + answer / 2
    read, devices = Symbol("read_parameters", positive=True), Symbol("devices", positive=True)
    constants = engine_constants(ENGINE)
    start = decode_rate(
        bandwidth,
        weight_bytes(read, Float(2)),
        layers=symbol("layers"),
        overhead_per_layer=Float(constants.overhead_per_layer),
        bandwidth_fraction=Float(constants.bandwidth_fraction),
    )
    held = weight_bytes(symbol("parameters"), size)
    filled, conversation = Float(_engine(SERVER).memory_fraction), (prompt + answer) * cache
    together = -floor(-(held + conversation) / (filled * capacity))
    groups = floor(devices / together)
    flop = answer_flop(
        SimpleNamespace(**{name: Symbol(name, positive=True) for name in SHAPE}),
        prompt,
        answer,
        attention=peak / Symbol("attention_rate", positive=True),
    )
    group = throughput_at_capacity(
        together * capacity,
        held,
        context=context,
        cache_bytes_per_token=cache,
        active_parameters=active,
        bandwidth=together * bandwidth,
        peak_rate=together * peak,
        flop_per_parameter=flop / active,
    )
    served = group * groups * serving_row(Estimate.exact(1)).factor.value
    return [
        Level("start", "One user today, 16 bits", start, style.INK),
        Level(
            "ideal",
            "Lose no time between reads",
            bandwidth_law(bandwidth, weight_bytes(read, Float(2))),
            style.MEMORY,
        ),
        Level(
            "bits",
            "Fewer bits a weight",
            bandwidth_law(bandwidth, weight_bytes(read, size)),
            style.MEMORY,
        ),
        Level("batch", "Share each sweep with users", group, style.MEMORY),
        Level("side", "All devices side by side", group * groups, style.NETWORK),
        Level("served", "Losses of serving (published)", served, style.NEUTRAL),
        Level("barrier", "Heat, if switches waste barriers", barrier_rate(), style.ENERGY),
        Level("erasure", "Heat, if only erased bits cost", erased_rate(), style.ENERGY),
    ]


def _peak(bits: Any) -> Any:
    """Rate of the narrowest format that holds the weights; bits are 4.5, 8 or 16."""
    sixteen, eight, four = (Symbol(f"peak_{n}", positive=True) for n in (16, 8, 4))
    narrow = Min(1, Max(0, (16 - bits) / 8))
    narrowest = Min(1, Max(0, (8 - bits) / 3.5))
    return sixteen + narrow * (eight - sixteen) + narrowest * (four - eight)


def level_rates(board: Board, **given: float) -> dict[str, float]:
    """Every rate of the ledger at a setting of the board, by key, and light's for one [token/s].

    Args:
        board: as `ledger_board` makes it.
        given: values by name that differ from the board's defaults.

    Raises:
        ValueError: a name is neither a slider nor a value that presets set.
    """
    known = {**board.fixed, **{slider.name: float(slider.default) for slider in SLIDERS}}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no setting; known are {', '.join(known)}")
    setting = {**known, **given}
    rates = {**{level.key: level.rate for level in levels()}, "light": light_rate()}
    return {
        key: float(rate.subs({s: setting[s.name] for s in rate.free_symbols}))
        for key, rate in rates.items()
    }


def light_rate() -> Any:
    """One user's bound of light in a machine of the reader's size, as an expression."""
    steps = dependent_steps(symbol("layers"), Float(1))
    return travelling_rate(symbol("memory_radius"), steps, signal_speed=Float(c))


def barrier_rate() -> Any:
    """What heat allows all users if each switch wastes its barrier, as an expression."""
    temperature, error = usual_setting()
    return thermodynamic_rate(
        Symbol("devices", positive=True) * symbol("power"),
        symbol("bit_operations_per_token"),
        temperature=Float(temperature),
        error_probability=Float(error),
    )


def erased_rate() -> Any:
    """What heat allows all users if only erased bits cost energy, as an expression."""
    return erasure_rate(
        Symbol("devices", positive=True) * symbol("power"),
        symbol("erased_bits_per_token"),
        temperature=Float(usual_setting()[0]),
    )


def ledger_axes(*, narrow: bool = False) -> Figure:
    """Empty rows of the ledger on a logarithmic axis, with what moves on them.

    Each level has a bar "bar-KEY" and a number "factor-KEY"; the start, the end and light for one
    user have markers "start", "end" and "light", and a line stands at a million tokens a second.

    Args:
        narrow: for a phone's width.
    """
    every = levels()
    height = (0.5 if narrow else 0.42) * (len(every) + 2) + 0.9
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], height))
    ax.set(xscale="log", xlim=RANGE, ylim=(len(every) + 1.6, -0.8))
    ax.set_yticks([])
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.axvline(1e6, color=style.MUTED, lw=1, ls=(0, (4, 2)))
    ax.text(1e6, len(every) + 1.5, " a million", color=style.MUTED, fontsize=8.5)
    for place, level in enumerate(every):
        ax.text(RANGE[0] * 1.3, place - 0.22, level.label, fontsize=8.5, va="bottom")
        ax.text(1, place, "", fontsize=8.5, va="center", gid=f"factor-{level.key}")
        if place:
            (bar,) = ax.barh(place, 1, left=1, height=0.34, color=level.colour)
            bar.set_gid(f"bar-{level.key}")
    ax.plot([1], [0], "D", color=style.INK, ms=6, gid="start")
    ax.plot([1], [len(every)], "D", color=style.INK, ms=6, gid="end")
    ax.text(1, len(every), "", fontsize=8.5, va="center", ha="right", gid="end-label")
    beside = len(every) + 1
    ax.text(RANGE[0] * 1.3, beside - 0.22, LIGHT, fontsize=8.5, va="bottom")
    ax.plot([1], [beside], "D", color=style.COMPUTE, ms=6, gid="light")
    ax.text(1, beside, "", fontsize=8.5, va="center", gid="light-label")
    ax.set_title("Your machine, your model," + ("\n" if narrow else " ") + "up to the walls")
    ax.set_xlabel(
        "tokens per second" if narrow else "tokens per second, each bar from the one above"
    )
    return fig


def ledger_board() -> Board:
    """The whole ledger for machines and models to choose, as moves, read-outs and presets."""
    every = levels()
    last = len(every)
    moves: list[Move] = [
        Marker("start", x=every[0].rate, y=Float(0)),
        Text("factor-start", x=every[0].rate * 2, value=every[0].rate, unit="token/s", digits=2),
        Marker("end", x=every[-1].rate, y=Float(last)),
        Text("end-label", x=every[-1].rate / 2, value=every[-1].rate, unit="token/s", digits=2),
        Marker("light", x=light_rate(), y=Float(last + 1)),
        Text("light-label", x=light_rate() * 2, value=light_rate(), unit="token/s", digits=2),
    ]
    for before, level in pairwise(every):
        low, high = Min(before.rate, level.rate), Max(before.rate, level.rate)
        moves.append(Bar(f"bar-{level.key}", width=high - low, base=low))
        moves.append(
            Text(
                f"factor-{level.key}",
                x=high * 1.5,
                value=level.rate / before.rate,
                template="× {}",
                digits=2,
            )
        )
    named = {level.key: level.rate for level in every}
    readouts = [
        Readout("One user today, llama.cpp", named["start"], "token/s", missing=NO_ROOM),
        Readout("All users, as racks serve", named["served"], "token/s", missing=NO_ROOM),
        Readout("All users, if switches waste barriers", named["barrier"], "token/s"),
        Readout("All users, if only erased bits cost", named["erasure"], "token/s"),
        Readout("One user at the bound of light", light_rate(), "token/s"),
        Readout("Users at light's pace that barriers allow", named["barrier"] / light_rate()),
        Readout("Users at light's pace that erasure allows", named["erasure"] / light_rate()),
    ]
    presets = [*_machines(), *_models()]
    first = [next(p for p in presets if p.group == group) for group in ("machine", "model")]
    fixed = {**first[0].values, **first[1].values, "answer": ANSWER}
    alt = (
        f"Waterfall of tokens per second on a logarithmic axis for {first[1].label} on "
        f"{first[0].label}: {', '.join(level.label.lower() for level in every)}."
    )
    caption = (
        "The row that says published waits for its chapter; the last two are walls of heat for the "
        "power and the model above, and light is a wall for each user. No interval is drawn here; "
        "the static waterfall has them. The start is the engine's prediction uncorrected for its "
        "misses, caches have 8 bits, answers the mean length of the record's, arithmetic runs at "
        "the dense rate of the narrowest format that holds the weights, prompts included, and the "
        "power is the chip's own rating."
    )
    return Board(moves, readouts, presets, fixed, alt, [level.label for level in every], caption)


def _machines() -> list[Preset]:
    rows = machine_presets(MACHINES, ["bandwidth", "capacity", "tdp"])
    return [
        Preset(
            row.group,
            row.label,
            {
                "bandwidth": row.values["bandwidth"],
                "capacity": row.values["capacity"],
                "power": row.values["tdp"],
                **_rates(row.key),
            },
            row.key,
        )
        for row in rows
    ]


def _rates(machine: str) -> dict[str, float]:
    found = {
        round(bits): Service(machine, weight_bits=bits).rates for bits in (16.0, 8.0, stored_bits())
    }
    return {
        **{f"peak_{bits}": peak for bits, (peak, _) in found.items()},
        "attention_rate": found[16][1],
    }


def _models() -> list[Preset]:
    names = ["parameters", "active_parameters", "layers"]
    return [
        Preset(
            row.group,
            row.label,
            {
                **row.values,
                "cache_bytes_per_token": cache_bytes_per_token_of(row.key, bytes_per_value=1),
                **{name: float(getattr(shape_of(row.key), name)) for name in SHAPE},
                "read_parameters": read_parameters(row.key),
                "bit_operations_per_token": bit_operations(model_row(row.key)).value,
                "erased_bits_per_token": read_parameters(row.key) * _erased_each(),
            },
            row.key,
        )
        for row in model_presets(MODELS, names)
    ]


def _erased_each() -> float:
    """Bits that the gates of one multiply-add forget, of the record's width [1]."""
    bits, width = (
        estimate("multiply-add", name, table="energies").value
        for name in ("operand_bits", "accumulator_bits")
    )
    return float(erased_bits_per_multiply_add(bits, width))

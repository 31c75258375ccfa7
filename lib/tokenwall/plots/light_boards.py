"""Explorables of the light chapter: rate over size for any machine, and which limit binds first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.constants import c
from sympy import Symbol, log

from tokenwall import scenario, style
from tokenwall.data import model as model_row
from tokenwall.data.facts import facts
from tokenwall.equation import symbol
from tokenwall.explorable import Bar, Curve, Marker, Move, Preset, Readout, Slider, Text, VLine
from tokenwall.explorable.core import Step
from tokenwall.ledger_rows import Extent, stack_density
from tokenwall.light import (
    crossing_time,
    even_rate,
    gathered_radius,
    gathered_rate,
    hop_time_per_token,
    memory_radius,
    share_radius,
    tensor_parallel_step_time,
    travelling_rate,
)
from tokenwall.plots.board import Board
from tokenwall.plots.light_tables import (
    LIMIT_LABELS,
    LIMITS,
    MILLION,
    SETUPS,
    Setup,
    extents,
    kernels,
    limit_times,
    signal_speeds,
    sizes,
)
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RADII = (1e-4, 1e4)
RATES = (10.0, 1e12)
MODELS = ("llama-3.1-70b", "llama-3.1-8b", "llama-3.1-405b", "deepseek-v3", "gpt-oss-120b")
SIZE_SLIDERS = (
    Slider("memory_radius", "Half of its longest edge", "m", *RADII, 1.0),
    Slider("thickness_share", "Its thickness, in parts of that edge", "1", 1e-3, 1, 1.0),
    Slider("layers", "Layers of the model", "1", 8, 160, 80, whole=True),
    Slider(
        "steps_per_layer", "Steps of a layer that must cross it", values=[1, 2, 4, 8], default=4
    ),
)
"""The sandbox's sliders."""


def size_axes(table: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Axes of the sandbox: rate over radius, with published rates as points that stay.

    The curves are named "spanned" and "packed", the machine's line "size" and its points
    "here-spanned" and "here-packed", the wanted rate "target".

    Args:
        table: as `single_users` makes it.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 4.6))
    ax.set(xscale="log", yscale="log", xlim=RADII, ylim=RATES)
    ax.plot([1, 1], [1, 1], color=style.NETWORK, gid="spanned")
    ax.plot([1, 1], [1, 1], color=style.NETWORK, ls=(0, (4, 2)), gid="packed")
    gap = "\n" if narrow else " "
    words = f"full: each step{gap}crosses the machine\ndashed: weights{gap}spread evenly"
    ax.text(8e3, 5e11, words, color=style.NETWORK, ha="right", va="top")
    ax.axvline(1, color=style.MUTED, lw=1.2, ls=(0, (2, 2)), gid="size")
    ax.plot([1e-4, 1e4], [MILLION, MILLION], color=style.ENERGY, lw=1.2, gid="target")
    ax.text(8e3, MILLION * 1.4, "wanted", color=style.ENERGY, ha="right", gid="target-label")
    ax.plot([1], [1e5], "o", color=style.NETWORK, ms=9, gid="here-spanned")
    ax.plot([1], [1e6], "D", color=style.NETWORK, ms=7, gid="here-packed")
    for row in table.itertuples():
        face = "none" if row.drafted else style.COMPUTE
        ax.plot([row.radius], [row.rate], "o", color=style.COMPUTE, ms=4.5, mfc=face)
    ax.text(2.2e-2, table.rate.max(), "published", color=style.COMPUTE, va="center")
    ax.set_title("Larger machines have slower chains")
    ax.set_xlabel("half of the machine's longest edge")
    ax.set_ylabel("tokens per second of one user")
    style.unit_axis(ax.xaxis, "m")
    style.unit_axis(ax.yaxis, "1")
    return fig


def size_board() -> Board:
    """Both light bounds over the radius of a machine, for models, media and sizes to choose."""
    radius, layers, each = (symbol(n) for n in ("memory_radius", "layers", "steps_per_layer"))
    speed = Symbol("speed_fraction", positive=True) * c
    target = symbol("target_rate")
    chain = layers * each
    fixed = {"signal_speed": speed}
    shape = _shape(2 * radius)
    spanned = gathered_rate(radius, chain, **fixed)
    even = even_rate(shape.pop("memory_volume"), chain, **shape, **fixed)
    unit = _shape(2)
    per_radius = share_radius(unit.pop("memory_volume"), chain, **unit)
    near = memory_radius(symbol("weight_bytes"), stack_density().value)
    grid = ("memory_radius", np.geomspace(*RADII, 60))
    moves: list[Move] = [
        Curve("spanned", x=grid, y=spanned),
        Curve("packed", x=grid, y=even),
        VLine("size", x=radius),
        Curve("target", x=("along", np.array(RADII)), y=target + 0 * Symbol("along")),
        Text("target-label", y=target * 1.4),
        Marker("here-spanned", x=radius, y=spanned),
        Marker("here-packed", x=radius, y=even),
    ]
    readouts = [
        Readout("Dependent steps", chain),
        Readout("Bound if each step crosses the machine", spanned, "token/s"),
        Readout("Bound if the weights are spread evenly", even, "token/s"),
        Readout("Wanted rate", target, "token/s"),
        Readout(
            "Half edge that forbids it if each step crosses",
            gathered_radius(target, chain, **fixed),
            "m",
        ),
        Readout(
            "Half edge that forbids it if spread evenly",
            speed / (target * chain * per_radius),
            "m",
        ),
        Readout("Radius of the weights, packed", near, "m"),
        Readout("Bound for the weights, packed", travelling_rate(near, chain, **fixed), "token/s"),
    ]
    presets = [*_models(), *_sizes(), *_media(), *_targets()]
    values = {
        "target_rate": MILLION,
        "weight_bytes": presets[0].values["weight_bytes"],
        "speed_fraction": 1.0,
        **{name: BALL[name] for name in ("width_share", "fill")},
    }
    at = {"memory_radius": 1, "dependent_steps": 320, "signal_speed": c}
    shown = [engineering(float(bound(**at))) for bound in (gathered_rate, travelling_rate)]
    alt = (
        "Tokens per second of one user over half of the machine's longest edge, both logarithmic. "
        "Two parallel lines fall with the size. For 80 layers of 4 steps, light and a ball of 1 m "
        f"they are at {shown[0]} and {shown[1]}. Published rates lie far below."
    )
    caption = (
        "Lines: light bounds for a machine of the chosen shape. Points: published rates of one "
        "user, each at half of what a signal crosses in its machine; open ones drafted several "
        "tokens at once, or may have. Weights of 8 bits."
    )
    return Board(moves, readouts, presets, values, alt, [], caption)


BALL = {"thickness_share": 1.0, "width_share": 1.0, "fill": math.pi / 6}


def _shape(edge: Any) -> dict[str, Any]:
    """Volume, thickness and width of a machine of this longest edge, as expressions."""
    thick, wide, fill = (
        Symbol(name, positive=True) for name in ("thickness_share", "width_share", "fill")
    )
    return {
        "memory_volume": fill * thick * wide * edge**3,
        "memory_thickness": thick * edge,
        "memory_width": wide * edge,
    }


def _models() -> list[Preset]:
    rows = scenario.model_presets(MODELS, ["layers"])
    return [
        Preset(row.group, row.label, {**row.values, "weight_bytes": _weights(row.key)}, row.key)
        for row in rows
    ]


def _weights(model: str) -> float:
    return scenario.step_weight_bytes(model_row(model), facts("light-bound")["weight_bits"])


def _sizes() -> list[Preset]:
    named = {
        "chip": "a chip",
        "wafer": "a wafer",
        "server": "a server",
        "rack": "a rack",
    }
    known = extents()
    boxes = {key: (label, known[key]) for key, label in named.items()}
    boxes["hall"] = ("a hall of 200 m, 10 m high", Extent.box(200, 200, 10))
    ball = Preset("size", "a ball of 1 m radius", {"memory_radius": 1.0, **BALL}, "ball")
    return [ball, *(Preset("size", label, _box(box), key) for key, (label, box) in boxes.items())]


def _box(box: Extent) -> dict[str, float]:
    return {
        "memory_radius": box.length / 2,
        "thickness_share": box.thickness / box.length,
        "width_share": box.width / box.length,
        "fill": 1.0,
    }


def _media() -> list[Preset]:
    table = signal_speeds().set_index("way")["fraction"]
    chosen = ("free space", "glass fibre", "circuit board", "thin wire, repeaters")
    return [Preset("signal", way, {"speed_fraction": float(table[way])}) for way in chosen]


def _targets() -> list[Preset]:
    return [
        Preset("wanted", label, {"target_rate": rate}, f"{rate:.0e}")
        for label, rate in (("a million", MILLION), ("17,000", 1.7e4), ("a billion", 1e9))
    ]


LIMIT_RANGE = (1e-12, 1.0)
LIMIT_SLIDERS = (
    Slider(
        "hop_time",
        "Time of one hop between devices",
        "s",
        1e-9,
        1e-5,
        facts("nvlink-exchange")["hop_time"],
    ),
    Slider(
        "launch_time",
        "Time of one launch",
        "s",
        1e-8,
        1e-5,
        facts("h100-launch")["graph_launch_time"],
    ),
)
"""The stepper's sliders."""


def limit_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of the stepper: a bar for each limit, named as in `LIMITS`.

    Labels are named "label-" and the limit; the measured time is the line "measured".

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=((style.NARROW if narrow else style.WIDE)[0], 3.2))
    low = LIMIT_RANGE[0]
    ax.set(xscale="log", xlim=(low, 1e4), ylim=(len(LIMITS) - 0.4, -0.7))
    colours = [style.MEMORY, style.COMPUTE, style.NEUTRAL, style.NETWORK, style.NETWORK]
    for place, (name, colour) in enumerate(zip(LIMITS, colours, strict=True)):
        ax.barh(place, 1e-6, left=low, height=0.62, color=colour)[0].set_gid(name)
        ax.text(1e-6, place, "", va="center", gid=f"label-{name}")
    ax.axvline(1e-3, color=style.INK, lw=1.5, gid="measured")
    labels = [LIMIT_LABELS[name] for name in LIMITS]
    if narrow:
        labels = [
            label.replace(" the ", "\nthe ").replace(" between", "\nbetween") for label in labels
        ]
    ax.set_yticks(range(len(LIMITS)), labels)
    ax.grid(False, axis="y")
    style.unit_axis(ax.xaxis, "s")
    ax.set_title("Time of one token, by cause")
    ax.set_xlabel("time of one token; upright line: measured")
    return fig


def limit_board() -> tuple[Board, list[Step]]:
    """Times of one token by cause, machine after machine, with the steps that walk through them."""
    low = LIMIT_RANGE[0]
    times = _limit_expressions()
    moves: list[Move] = []
    for name, time in times.items():
        # Nothing, but without a finite value where the limit does not apply.
        unless_none = log(time) * 1e-300
        moves.append(Bar(name, width=time - low + unless_none))
        moves.append(
            Text(f"label-{name}", x=time * 1.25 + unless_none, value=time + unless_none, unit="s")
        )
    moves.append(
        VLine("measured", x=Symbol("measured", positive=True) + log(Symbol("measured")) * 1e-300)
    )
    readouts = [
        Readout(
            LIMIT_LABELS[name].capitalize(),
            time + log(time) * 1e-300,
            "s",
            missing="it does not apply, or is not published",
        )
        for name, time in times.items()
    ]
    first = _setting(SETUPS[0])
    steps = [Step(_sentence(setup), _setting(setup)) for setup in SETUPS]
    alt = (
        "Bars of the time of one token by cause, logarithmic, for "
        f"{SETUPS[0].label}: "
        + ", ".join(
            f"{LIMIT_LABELS[n]} {engineering(t, 's', digits=2)}"
            for n, t in limit_times(SETUPS[0]).items()
            if t == t
        )
        + "."
    )
    caption = (
        "Bandwidth at the data sheet's peak. Launches as counted on an H100, in proportion to "
        "layers. Light across the machine: four crossings a layer; light through the weights: the "
        "bound of this chapter."
    )
    return Board(moves, readouts, [], first, alt, [], caption), steps


def _limit_expressions() -> dict[str, Any]:
    size, bandwidth = symbol("bytes_per_step"), symbol("bandwidth")
    layers, radius = symbol("layers"), symbol("memory_radius")
    devices = symbol("tensor_devices")
    wafer, each = Symbol("wafer_time", nonnegative=True), symbol("collectives_per_layer")
    linked = Symbol("linked", nonnegative=True)
    hops = hop_time_per_token(layers, each, hop_time=symbol("hop_time"))
    alone = {"hop_time_per_token": hops, "tensor_devices": devices}
    shared = tensor_parallel_step_time(size, bandwidth, **alone) - size / bandwidth / devices
    packed = memory_radius(size, stack_density().value)
    return {
        "reading": Symbol("reads", nonnegative=True) * size / (bandwidth * devices),
        "launches": symbol("kernels_per_step") * symbol("launch_time"),
        "exchanges": linked * shared + layers * each * wafer,
        "light_machine": layers * each * crossing_time(radius, c),
        "light_weights": 1 / travelling_rate(packed, layers, signal_speed=c),
    }


def _setting(setup: Setup) -> dict[str, float]:
    """Values by name of one setup; zero where a limit does not apply."""
    from tokenwall import data
    from tokenwall.plots.light_tables import limits

    row = data.model(setup.model)
    measured = float(limits([setup])["measured"].iloc[0])
    machine = data.machine(setup.machine)["memory_bandwidth"] if setup.machine else 1.0
    return {
        "bytes_per_step": scenario.step_weight_bytes(row, setup.bits),
        "bandwidth": float(machine),
        "reads": float(bool(setup.machine)),
        "layers": float(row["layers"]),
        "memory_radius": sizes()[setup.size],
        "tensor_devices": float(setup.devices),
        "kernels_per_step": kernels(float(row["layers"])) if setup.launched else 0.0,
        "linked": float(setup.exchange == "nvlink"),
        "wafer_time": facts("wafer-exchange")["time"] if setup.exchange == "wafer" else 0.0,
        "collectives_per_layer": facts("nvlink-exchange")["collectives_per_layer"],
        "measured": 0.0 if math.isnan(measured) else measured,
    }


def _sentence(setup: Setup) -> str:
    times = limit_times(setup)
    found = {name: time for name, time in times.items() if time == time}
    binds = max(found, key=lambda name: found[name])
    longest = engineering(found[binds], "s")
    if binds.startswith("light"):
        return f"{setup.label}: its other times are not published; light across it takes {longest}."
    gap = engineering(found[binds] / found["light_weights"], digits=2)
    return (
        f"{setup.label}: the longest time is to {LIMIT_LABELS[binds]}, {longest}, "
        f"{gap} times that of light through the weights."
    )

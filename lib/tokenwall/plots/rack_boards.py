"""The explorable of the rack: one model on ever more devices, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Expr, Max, Min, Symbol, log

from tokenwall import style
from tokenwall.explorable import Curve, Marker, Move, Preset, Readout, Slider, Text
from tokenwall.plots.board import Board
from tokenwall.serving import Engine, device_of, engine, shape_of
from tokenwall.steps import (
    cache_time,
    dense_time,
    exchange_time,
    expert_time,
    overhead_time,
    served_step_time,
    unpacking_time,
)
from tokenwall.units import engineering

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

SPAN = ((1.0, 576.0), (1.0, 1e5))
SLIDERS = (
    Slider("devices", "Devices that share one copy", "1", 1, 576, 8, whole=True),
    Slider("batch", "Users of the copy", "1", 1, 4096, 1, whole=True),
    Slider("context", "Context of each user", "token", 128, 131072, 512, whole=True),
    Slider("weight_bits", "Bits of a weight", values=[4.5, 8, 16], default=4.5),
)
MACHINES = ("gb300-nvl72", "gb200-nvl72", "b200", "h100-sxm", "a100-sxm-80gb", "wse-3", "rtx-4090")
MODELS = ("llama-2-70b", "llama-3.1-8b", "llama-3.1-405b", "mixtral-8x7b", "deepseek-v3")
SOFTWARE = {
    "gpt-fast (one user)": "gpt-fast",
    "TensorRT-LLM (many users)": "TensorRT-LLM",
    "no losses": "ideal",
}
# Devices whose rates the words name.
_SHOWN = (1, 8, 72, 576)
NO_ROOM = "weights and caches do not fit"
_FRACTIONS = (
    "bandwidth_fraction",
    "cache_fraction",
    "compute_fraction",
    "attention_fraction",
    "link_fraction",
    "flop_per_weight",
    "overhead_per_layer",
    "overhead_per_step",
    "overhead_per_sequence",
    "round_latency",
    "routing_agreement",
    "memory_fraction",
    "eight_bit_factor",
    "four_bit_factor",
)
_MODEL = (
    "dense_parameters",
    "expert_parameters",
    "experts",
    "experts_per_token",
    "layers",
    "hidden",
    "cached_values",
    "attention_flop_per_token",
    "kv_heads",
    "parameters",
)
_MACHINE = ("bandwidth", "capacity", "link_bandwidth", "vector_rate", "peak_16", "peak_8", "peak_4")


def share_axes(*, narrow: bool = False) -> Figure:
    """Empty axes: one user's rate over the devices that share the model, with what moves.

    The curve with software and exchanges is named "served", that of memory and arithmetic alone
    "bound", the present point "here" and its label "here-label".

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 4.3))
    ax.set(xscale="log", yscale="log", xlim=SPAN[0], ylim=SPAN[1])
    ax.plot([1, 1], [1, 1], color=style.MUTED, lw=1.2, ls=(0, (2, 2)), gid="bound")
    ax.plot([1, 1], [1, 1], color=style.NETWORK, gid="served")
    ax.plot([8], [100], "o", color=style.COMPUTE, ms=9, gid="here")
    ax.text(8, 100, "", color=style.COMPUTE, ha="center", va="top", gid="here-label")
    ax.text(1.15, 1.4, "dashed: memory and arithmetic alone", color=style.MUTED)
    gap = "\n" if narrow else " "
    ax.set_title(f"Sharing a model helps one user,{gap}up to a point")
    ax.set_xlabel("devices that share one copy of the model")
    ax.set_ylabel("tokens per second of each user")
    style.unit_axis(ax.xaxis, "1")
    style.unit_axis(ax.yaxis, "1")
    return fig


def _symbols() -> dict[str, Any]:
    names = (*_FRACTIONS, *_MODEL, *_MACHINE, "devices", "batch", "context", "weight_bits")
    return {name: Symbol(name, positive=True) for name in names}


def _peak(v: dict[str, Any]) -> Expr:
    """Rate of the widest unit that the bits of a weight allow; bits are 4.5, 8 or 16."""
    narrow = Min(1, Max(0, (16 - v["weight_bits"]) / 8))
    four = Min(1, Max(0, (8 - v["weight_bits"]) / 3.5))
    eight = v["peak_8"] * v["eight_bit_factor"]
    wide = v["peak_16"] + narrow * (eight - v["peak_16"])
    return wide + four * (v["peak_4"] * v["four_bit_factor"] - eight)


def _arguments(v: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the step in the symbols of the board."""
    own = {name: v[name] for name in (*_FRACTIONS, *_MODEL, *_MACHINE) if name in _OWN}
    return {
        **own,
        "batch": v["batch"],
        "context": v["context"],
        "bytes_per_weight": v["weight_bits"] / 8,
        "expert_bytes_per_weight": v["weight_bits"] / 8,
        "cache_bytes_per_token": v["cached_values"],
        "message_bytes": 2 * v["batch"] * v["hidden"],
        "exchanges_per_layer": 2,
        "dense_devices": v["devices"],
        "expert_devices": v["devices"],
        "sharing_devices": v["devices"],
        "cache_devices": Min(v["devices"], v["kv_heads"]),
        "replicas": 1,
        "peak_rate": _peak(v),
        "attention_rate": v["peak_16"],
        "flop_per_multiply_add": 2,
    }


_OWN = frozenset(served_step_time.parameters)


def _call(equation: Callable[..., Any], arguments: dict[str, Any], **changes: Any) -> Expr:
    given = {**arguments, **changes}
    return equation(**{name: given[name] for name in equation.parameters})  # type: ignore[attr-defined]


def sharing() -> Board:
    """One user's rate over the devices that share a model, for machines, models and software."""
    v = _symbols()
    given = _arguments(v)
    free = dict.fromkeys(
        ("overhead_per_layer", "overhead_per_step", "overhead_per_sequence", "flop_per_weight"), 0
    )
    step = _call(served_step_time, given)
    bound = _call(served_step_time, given, **free, exchanges_per_layer=0)
    held = v["parameters"] * v["weight_bits"] / 8
    held += v["batch"] * v["context"] * v["cached_values"]
    room = v["memory_fraction"] * v["capacity"] * v["devices"] - held
    # Nothing, but without a finite value where weights and caches do not fit.
    unless_full = log(room) * 1e-300
    rate, ideal = 1 / step + unless_full, 1 / bound + unless_full
    grid = ("devices", np.unique(np.round(np.geomspace(*SPAN[0], 90))))
    moves: list[Move] = [
        Curve("bound", x=grid, y=ideal),
        Curve("served", x=grid, y=rate),
        Marker("here", x=v["devices"], y=rate),
        Text("here-label", x=v["devices"], y=0.7 * rate, value=rate, template="{} token/s"),
    ]
    matrices = _call(dense_time, given) + _call(expert_time, given) + _call(unpacking_time, given)
    readouts = [
        Readout("One user", rate, "token/s", missing=NO_ROOM),
        Readout("For each device", v["batch"] * rate / v["devices"], "token/s", missing=NO_ROOM),
        Readout("Matrices and experts", matrices, "s"),
        Readout("Caches", _call(cache_time, given), "s"),
        Readout("Exchanges", _call(exchange_time, given), "s"),
        Readout("Engine", _call(overhead_time, given), "s"),
        Readout("Share of memory filled", held / (v["capacity"] * v["devices"]), digits=2),
    ]
    presets = [
        *(Preset("machine", device_of(key).name, _machine(key), key) for key in MACHINES),
        *(Preset("model", shape_of(key).name, _shape(key), key) for key in MODELS),
        *(Preset("software", label, _software(engine(key))) for label, key in SOFTWARE.items()),
    ]
    fixed = {**_machine(MACHINES[0]), **_shape(MODELS[0]), **_software(engine("gpt-fast"))}
    at = {v[name]: value for name, value in fixed.items()}
    at |= {v[slider.name]: slider.default for slider in SLIDERS if slider.name != "devices"}
    alone = np.vectorize(lambda count: float((1 / step).subs({**at, v["devices"]: count})))
    rates = dict(zip(_SHOWN, alone(_SHOWN), strict=True))
    best = max(rates, key=lambda count: rates[count])
    words = ", ".join(f"{engineering(rates[n], digits=2)} on {n}" for n in _SHOWN)
    alt = (
        f"Tokens per second of each user over the devices that share one copy, both logarithmic, "
        f"for {shape_of(MODELS[0]).name} on {device_of(MACHINES[0]).name}. The dashed line of "
        f"memory and arithmetic rises throughout; the served curve goes {words} devices, with the "
        f"most near {best}."
    )
    caption = (
        "All-reduces cross links inside one domain, whatever the number of devices; between racks "
        "they are slower. The cache has 8 bits, and arithmetic runs in the narrowest format "
        "that the chip has for the weights."
    )
    return Board(moves, readouts, presets, fixed, alt, [], caption)


def _machine(key: str) -> dict[str, float]:
    device = device_of(key)
    rates = {bits: float(device.rate(bits)[0]) for bits in (16, 8, 4)}
    return {
        "bandwidth": device.bandwidth,
        "capacity": device.capacity,
        "link_bandwidth": device.link_bandwidth,
        "vector_rate": device.vector_rate,
        **{f"peak_{bits}": rate for bits, rate in rates.items()},
    }


def _shape(key: str) -> dict[str, float]:
    shape = shape_of(key)
    return {
        "dense_parameters": shape.dense,
        "expert_parameters": shape.expert,
        "experts": shape.experts,
        "experts_per_token": shape.experts_per_token,
        "layers": shape.layers,
        "hidden": shape.hidden,
        "cached_values": shape.cached_values,
        "attention_flop_per_token": shape.decode_flop,
        "kv_heads": shape.kv_heads,
        "parameters": shape.parameters,
    }


def _software(constants: Engine) -> dict[str, float]:
    return {name: float(getattr(constants, name)) for name in _FRACTIONS}

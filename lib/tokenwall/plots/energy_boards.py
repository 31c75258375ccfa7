"""Explorables of the energy chapter: floors of a token, moving against computing, two writers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.constants import k
from sympy import Float, Symbol

from tokenwall import data, scenario, style
from tokenwall.data.energies import energies
from tokenwall.data.facts import facts
from tokenwall.energy import (
    computing_energy_per_token,
    erased_bits_per_multiply_add,
    erasure_rate,
    landauer_energy,
    moving_energy_per_token,
    moving_share,
    parity_batch,
    reliable_bit_energy,
    switches_per_multiply_add,
    thermodynamic_rate,
)
from tokenwall.equation import symbol
from tokenwall.explorable import Bar, Curve, Marker, Move, Preset, Readout, Slider, Text, VLine
from tokenwall.ledger_rows.energy import flop_energy, memory_price, rack_power, record_energy
from tokenwall.ledger_rows.serving import RECORD
from tokenwall.plots.board import Board
from tokenwall.plots.energy_tables import (
    METHODS,
    person_powers,
    rack_powers,
    record_operations,
    writer_rates,
)
from tokenwall.units import engineering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARE_MODELS = ("llama-3.1-70b", "llama-3.1-8b", "llama-3.1-405b", "gpt-3-175b", "deepseek-v3")
FLOOR_MODELS = ("llama-2-70b", "llama-3.1-8b", "llama-3.1-405b", "deepseek-v3")
BATCHES = (1.0, 4096.0)

FLOOR_SLIDERS = (
    Slider("temperature", "Temperature", "K", 4, 400, 300),
    Slider("error_probability", "Chance of a wrong switch", "1", 1e-30, 0.5, 1e-25),
    Slider("operand_bits", "Bits of each factor", values=[2, 4, 8, 11, 16], default=4),
    Slider("energy_per_flop", "Joules of one real operation", "J/FLOP", 1e-17, 1e-11, 5e-14),
)
"""The floors' sliders."""

SHARE_SLIDERS = (
    Slider("batch", "Readers in the batch", "1", 1, 4096, 64, whole=True),
    Slider("context", "Context of each reader", "token", 1, 131072, 1024, whole=True),
    Slider("memory_energy", "Joules of a byte from memory", "J/B", 1e-13, 1e-9, 3.136e-11),
    Slider("energy_per_flop", "Joules of one operation", "J/FLOP", 1e-15, 1e-11, 1.6e-13),
)
"""The sandbox's sliders."""

WRITER_SLIDERS = (
    Slider("person_power", "Watts of the person", "W", 0.1, 500, 20),
    Slider(
        "person_rate", "Tokens of the person", "token/s", 0.05, 20, writer_rates()["reads aloud"]
    ),
    Slider("brain_rate", "Brain's operations", "FLOP/s", 1e12, 1e20, 1e15),
    Slider("rack_power", "Watts of the rack", "W", 5e4, 5e5, rack_powers()["part"].value),
)
"""The writers' sliders."""

_FLOORS = (
    ("measured", "record rack, measured", style.ENERGY),
    ("real", "operators alone, at the slider's price", style.COMPUTE),
    ("reliable", "switches that throw their barrier away", style.NEUTRAL),
    ("gates", "k T ln 2 for each discarded bit", style.NEUTRAL),
    ("bit", "k T ln 2, once", style.NEUTRAL),
)


def floors_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of the floors of a token: one row each, named as in `floors`.

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(
        narrow, figsize=(style.NARROW[0], 4.2) if narrow else (style.WIDE[0], 4.0)
    )
    ax.set(xscale="log", xlim=(1e-24, 1e4), ylim=(len(_FLOORS) - 0.3, -0.8))
    for place, (gid, label, colour) in enumerate(_FLOORS):
        ax.text(2e-24, place - 0.3, label, color=colour, va="center", fontsize=8.5)
        ax.plot([1e-10], [place], "o", color=colour, ms=8, gid=gid)
        ax.text(1e-10, place + 0.34, "", color=colour, va="center", ha="center", gid=f"{gid}-label")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.set_title("Joules of one token, and what physics asks for")
    ax.set_xlabel("energy for each token")
    style.unit_axis(ax.xaxis, "J")
    if narrow:
        ax.set_xticks(10.0 ** np.arange(-24, 4, 6))
    return fig


def floors() -> Board:
    """The floors of one token, for temperature, reliability, width and price to choose."""
    warm, error = symbol("temperature"), symbol("error_probability")
    bits, price = symbol("operand_bits"), symbol("energy_per_flop")
    adds, width = Symbol("multiply_adds", positive=True), Symbol("sum_bits", positive=True)
    measured, power = Symbol("measured_energy", positive=True), Symbol("power", positive=True)
    one = landauer_energy(warm, Float(k))
    values = {
        "measured": measured,
        "real": 2 * adds * price,
        "reliable": adds
        * switches_per_multiply_add(bits, width)
        * reliable_bit_energy(warm, error, boltzmann_constant=Float(k)),
        "gates": adds * erased_bits_per_multiply_add(bits, width) * one,
        "bit": one,
    }
    moves: list[Move] = []
    for gid, value in values.items():
        moves.append(Marker(gid, x=value, y=[name for name, *_ in _FLOORS].index(gid)))
        moves.append(Text(f"{gid}-label", x=value, value=value, unit="J"))
    readouts = [
        Readout("Measured over discarded bits", measured / values["gates"], digits=2),
        Readout("Measured over wasted barriers", measured / values["reliable"], digits=2),
        Readout(
            "One switch, in k T ln 2",
            values["reliable"] / values["bit"] / adds / switches_per_multiply_add(bits, width),
            digits=3,
        ),
        Readout("Bits that a multiply-add discards", erased_bits_per_multiply_add(bits, width)),
        Readout(
            "Tokens of the rack's power, discarded bits alone",
            erasure_rate(
                power,
                adds * erased_bits_per_multiply_add(bits, width),
                temperature=warm,
                boltzmann_constant=Float(k),
            ),
            "token/s",
        ),
        Readout(
            "Tokens of the rack's power, wasted barriers alone",
            thermodynamic_rate(
                power,
                adds * switches_per_multiply_add(bits, width),
                temperature=warm,
                error_probability=error,
                boltzmann_constant=Float(k),
            ),
            "token/s",
        ),
    ]
    presets = [
        Preset("setting", label, values_)
        for label, values_ in (
            ("A computer's reliability, 300 K", {"temperature": 300, "error_probability": 1e-25}),
            ("A network that shrugs off errors", {"temperature": 300, "error_probability": 1e-3}),
            ("Cooled to 4 K", {"temperature": 4, "error_probability": 1e-25}),
            ("At the CMOS limit", {"energy_per_flop": 1 / energies("cmos-limit")["efficiency"]}),
        )
    ]
    for key in FLOOR_MODELS:
        row = data.model(key)
        presets.append(
            Preset("model", str(row["name"]), {"multiply_adds": scenario.read_parameters(row)}, key)
        )
    fixed = {
        "multiply_adds": scenario.read_parameters(data.model(FLOOR_MODELS[0])),
        "sum_bits": energies("multiply-add")["accumulator_bits"],
        "measured_energy": record_energy().value,
        "power": rack_power().value,
    }
    alt = (
        "Energies of one token on a logarithmic axis, one below the other: the record rack at "
        f"{engineering(fixed['measured_energy'], 'J')}, operators alone, wasted barriers, "
        "k T ln 2 for each discarded bit, and k T ln 2 once."
    )
    caption = (
        "The first row is the record's token and stays where it was measured, whatever model is "
        "chosen. Only the weights' multiply-adds are counted. Cooling does not lower these floors "
        "at the plug: a refrigerator takes at least the factor that its cold lowers them by."
    )
    return Board(moves, readouts, presets, fixed, alt, [], caption)


def share_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of moving and computing over the batch.

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=style.NARROW if narrow else (style.WIDE[0], 4.2))
    ax.set(xscale="log", yscale="log", xlim=BATCHES, ylim=(1e-5, 1e3))
    ax.plot([1, 1], [1, 1], color=style.MEMORY, gid="moving")
    ax.plot([1, 1], [1, 1], color=style.COMPUTE, gid="computing")
    ax.text(1.2, 1, "moving", color=style.MEMORY, va="bottom", gid="moving-label")
    ax.text(1.2, 1, "computing", color=style.COMPUTE, va="top", gid="computing-label")
    ax.axvline(64, color=style.MUTED, lw=1.2, ls=(0, (4, 2)), gid="batch-line")
    ax.plot([64], [1], "o", color=style.MEMORY, ms=8, gid="here-moving")
    ax.plot([64], [1], "o", color=style.COMPUTE, ms=8, gid="here-computing")
    ax.text(64, 1e-5, "", va="bottom", color=style.INK, gid="share-label")
    gap = "\n" if narrow else " "
    ax.set_title(f"A batch shares the moving,{gap}never the computing")
    ax.set_xlabel("readers in the batch")
    ax.set_ylabel("energy for each token")
    style.unit_axis(ax.xaxis, "1")
    style.unit_axis(ax.yaxis, "J")
    return fig


def share() -> Board:
    """Joules of moving and of computing for one token, for any model, process and memory."""
    batch, context = symbol("batch"), symbol("context")
    price, each = symbol("memory_energy"), symbol("energy_per_flop")
    read, cache = symbol("weight_bytes"), symbol("cache_bytes_per_token")
    active, size = symbol("active_parameters"), symbol("bytes_per_weight")
    moving = moving_energy_per_token(
        batch, context, weight_bytes=read, cache_bytes_per_token=cache, memory_energy=price
    )
    computing = computing_energy_per_token(active, each)
    grid = ("batch", np.geomspace(*BATCHES, 80))
    part = moving_share(moving, computing)
    moves: list[Move] = [
        Curve("moving", x=grid, y=moving),
        Curve("computing", x=grid, y=computing),
        Text("moving-label", y=moving.subs(batch, 1) * 1.25),
        Text("computing-label", y=computing / 1.25),
        VLine("batch-line", x=batch),
        Marker("here-moving", x=batch, y=moving),
        Marker("here-computing", x=batch, y=computing),
        Text("share-label", x=batch * 1.08, y=2e-5, value=100 * part, template="moving: {} %"),
    ]
    readouts = [
        Readout("Moving", moving, "J"),
        Readout("Computing", computing, "J"),
        Readout("Share of moving, %", 100 * part),
        Readout("Of it caches, %", 100 * context * cache * price / moving),
        Readout(
            "Batch of parity, without caches",
            parity_batch(size, price, energy_per_flop=each, active_fraction=active * size / read),
        ),
    ]
    presets = []
    for key in SHARE_MODELS:
        row = data.model(key)
        values = {
            "weight_bytes": scenario.step_weight_bytes(row),
            "cache_bytes_per_token": scenario.cache_bytes_per_token_of(row),
            "active_parameters": scenario.read_parameters(row),
        }
        presets.append(Preset("model", str(row["name"]), values, key))
    new, old = energies("silicon-7nm"), energies("silicon-45nm")
    stack = memory_price().value
    for label, values in (
        (
            "7 nm, stacked memory",
            {"memory_energy": stack, "energy_per_flop": flop_energy(16).value},
        ),
        (
            "7 nm, 8-bit operators",
            {"memory_energy": stack, "energy_per_flop": flop_energy(8).value},
        ),
        (
            "45 nm, DRAM of 2014",
            {
                "memory_energy": old["dram_word"] / 8,
                "energy_per_flop": (old["fp16_multiply"] + old["fp16_add"]) / 2,
            },
        ),
        (
            "7 nm, all weights in on-chip memory",
            {"memory_energy": new["sram_1m_word"] / 8, "energy_per_flop": flop_energy(16).value},
        ),
    ):
        presets.append(Preset("silicon", label, values))
    fixed = {**presets[0].values, "bytes_per_weight": 2.0}
    alt = (
        f"Joules of a token for {presets[0].label} over the batch, both logarithmic. Moving falls "
        "with the batch until the caches are left; computing is a level line."
    )
    caption = (
        "Weights and cache in 16 bits. A mixture of experts is shown as if one step woke only one "
        "token's experts, which flatters it at large batches. Nothing but memory and operators is "
        "counted."
    )
    return Board(moves, readouts, presets, fixed, alt, [], caption)


def writers_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of two writers: person over rack in tokens and in operations, as lying bars.

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(
        narrow, figsize=(style.NARROW[0], 3.2) if narrow else (style.WIDE[0], 2.8)
    )
    ax.set(xlim=(-6.5, 6.5), ylim=(1.7, -0.7))
    for place, (gid, label) in enumerate(
        (("tokens", "tokens"), ("operations", "estimated operations"))
    ):
        bars = ax.barh([place], [1], height=0.4, color=style.ENERGY if not place else style.NETWORK)
        bars[0].set_gid(gid)
        ax.text(-6.3, place - 0.36, label, va="center")
        ax.text(0, place + 0.36, "", va="center", ha="center", color=style.INK, gid=f"{gid}-label")
    ax.axvline(0, color=style.MUTED, lw=1)
    ax.text(-0.15, -0.58, "rack ahead", ha="right", color=style.MUTED)
    ax.text(0.15, -0.58, "person ahead", color=style.MUTED)
    ax.set_yticks([])
    ax.set_xticks([-6, -3, 0, 3, 6], ["10⁻⁶", "0.001", "1", "1000", "10⁶"])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.set_xlabel("person over rack for each joule")
    ax.set_title("Choose the unit and you choose the winner")
    return fig


def writers() -> Board:
    """A person and the record rack for each joule, in tokens and in estimated operations."""
    from sympy import log

    power, rate = Symbol("person_power", positive=True), Symbol("person_rate", positive=True)
    brain, rack = Symbol("brain_rate", positive=True), Symbol("rack_power", positive=True)
    written, done = Symbol("rack_rate", positive=True), Symbol("rack_operations", positive=True)
    watts = Symbol("brain_power", positive=True)
    tokens: Any = (rate / power) / (written / rack)
    operations: Any = (brain / watts) / done
    moves: list[Move] = []
    for gid, value in (("tokens", tokens), ("operations", operations)):
        moves.append(Bar(gid, width=log(value) / log(10)))
        moves.append(Text(f"{gid}-label", value=value, template="person over rack: {}"))
    readouts = [
        Readout("Person, tokens a joule", rate / power, digits=3),
        Readout("Rack, tokens a joule", written / rack, digits=3),
        Readout("Rack over person, in tokens", 1 / tokens, digits=3),
        Readout("Brain over accelerators, in operations", operations, digits=3),
    ]
    spent, paid, rates = person_powers(), rack_powers(), writer_rates()
    presets = [
        Preset(
            "person",
            label,
            {
                "person_power": spent[at].value,
                "rack_power": paid[at].value,
                "person_rate": rates[name],
            },
        )
        for label, name, at in (
            ("Reads aloud: brain, accelerators", "reads aloud", "part"),
            ("Reads aloud: body, rack", "reads aloud", "whole"),
            ("An expert typist: brain, accelerators", "types", "part"),
            ("Typist with computer, rack with hall", "types", "site"),
            ("Talks, day and night: body, rack", "talks, over day and night", "whole"),
        )
    ]
    low, high = (10.0**13, 10.0**17)
    for label, value in (
        ("Carlsmith, middle", energies(METHODS[0])["operation_rate"]),
        ("Carlsmith, low end", low),
        ("Carlsmith, high end", high),
        ("Hotz", energies("brain-hotz")["operation_rate"]),
    ):
        presets.append(Preset("arithmetic", label, {"brain_rate": value}))
    fixed = {
        "rack_rate": facts(RECORD)["token_rate"],
        "rack_operations": record_operations(paid["part"]).value,
        "brain_power": spent["part"].value,
    }
    alt = (
        "Two bars from a middle line at one, on a logarithmic axis. In tokens the bar points to "
        "the rack, in estimated operations to the person."
    )
    caption = (
        "Operations of a brain are an estimate of what would replace it, in no format; the rack's "
        "are those that the record's tokens took. Quality of the tokens is not matched. Operations "
        f"stay charged to the brain's own {engineering(fixed['brain_power'], 'W')} and to the "
        "accelerators, wherever the sliders of power stand."
    )
    return Board(moves, readouts, presets, fixed, alt, [], caption)

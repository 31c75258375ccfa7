"""Rows in joules for each token: from the record rack down to what thermodynamics asks for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from tokenwall import scenario
from tokenwall.data import machine as machine_row
from tokenwall.data import model as model_row
from tokenwall.data.energies import energies, energy_interval, energy_sources
from tokenwall.data.facts import estimate, facts
from tokenwall.energy import (
    computing_energy_per_token,
    energy_per_token,
    erased_bits_per_multiply_add,
    erasure_rate,
    irreversible_energy_per_token,
    landauer_energy,
    moving_energy_per_token,
    overwritten_bits,
    reliable_bit_energy,
    switches_per_multiply_add,
    thermodynamic_rate,
)
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.ledger import Ledger, Row
from tokenwall.ledger_rows.serving import RECORD, RECORD_MACHINE, RECORD_MODEL
from tokenwall.record import Service, stored_bits

__all__ = [
    "accounted_row",
    "arithmetic_energy",
    "arithmetic_row",
    "barrier_bound",
    "bit_operations",
    "cmos_energy",
    "cmos_row",
    "energy_ledger",
    "energy_rows",
    "erasure_bound",
    "flop_energy",
    "gate_energy",
    "landauer_row",
    "memory_price",
    "moving_energy",
    "overwriting_energy",
    "rack_power",
    "record_energy",
    "reliable_row",
    "switch_energy",
    "usual_setting",
]

CHAPTER = "book/physics/energy.ipynb"
RECORD_BITS = 4.0


def memory_price() -> Estimate:
    """Energy of reading one byte from stacked memory [J/B]."""
    return estimate("hbm2", "read", table="energies")


def flop_energy(bits: float) -> Estimate:
    """Energy of one operation of a multiply-add in 7 nm silicon, operators alone [J/FLOP].

    Published are 16-bit and 8-bit operators. For narrower numbers the 8-bit price stands, and the
    low end supposes that a multiplier shrinks with the square of its width.

    Args:
        bits: of the factors, at most 16.

    Raises:
        ValueError: the bits are not positive or exceed 16.
    """
    if not 0 < bits <= 16:
        raise ValueError(f"bits is {bits:g}; it must be above 0 and at most 16")
    price = energies("silicon-7nm")
    wide = (price["bf16_multiply"] + price["bf16_add"]) / 2
    if bits > 8:
        return Estimate(wide, wide, (price["fp16_multiply"] + price["fp16_add"]) / 2, Spread.CASES)
    narrow = (price["int8_multiply"] + price["int32_add"]) / 2
    smallest = (price["int8_multiply"] * (bits / 8) ** 2 + price["int8_add"]) / 2
    return Estimate(narrow, smallest, wide, Spread.CASES)


def rack_power() -> Estimate:
    """Power of the record rack [W]; it is the rating, since nobody published what was drawn."""
    return estimate("gb300-rack", "power", table="energies")


def record_energy() -> Estimate:
    """Energy of the record rack for each token, at the power it is built for [J/token]."""
    rate = facts(RECORD)["token_rate"]
    return _each(rack_power(), lambda power: energy_per_token(power, rate))


def moving_energy(machine: Any, model: Any, *, weight_bits: float | None = None) -> Estimate:
    """Energy of reading weights and caches for one token, with as many users as fit [J/token].

    Conversations and caches are the record's. The interval holds the price of memory and what
    nobody published of the conversations.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        weight_bits: mean bits of one stored weight; the record's if not given.
    """
    bits = stored_bits() if weight_bits is None else weight_bits
    service = Service.fitting(str(machine.name), str(model.name), weight_bits=bits)
    read = scenario.step_weight_bytes(model, bits)

    def reading(at: Service) -> float:
        return float(
            moving_energy_per_token(
                at.users.value,
                at.context.value,
                weight_bytes=read,
                cache_bytes_per_token=scenario.cache_bytes_per_token_of(
                    model, at.cache_bits.value / 8
                ),
                memory_energy=memory_price().value,
            )
        )

    relative = memory_price() * Estimate.exact(1 / memory_price().value)
    return service.through(reading) * relative


def arithmetic_energy(model: Any, *, bits: float = RECORD_BITS) -> Estimate:
    """Energy of the multiply-adds of one token at published prices [J/token].

    Args:
        model: a row of the model table.
        bits: of the factors.
    """
    price, active = flop_energy(bits), scenario.read_parameters(model)
    return through(lambda each: float(computing_energy_per_token(active, each)), price)


def cmos_energy(model: Any) -> Estimate:
    """Energy of the arithmetic of one token at the published limit of transistors [J/token].

    Args:
        model: a row of the model table.
    """
    limit, active = (
        estimate("cmos-limit", "efficiency", table="energies").inverse(),
        (scenario.read_parameters(model)),
    )
    return through(lambda each: float(computing_energy_per_token(active, each)), limit)


def bit_operations(model: Any) -> Estimate:
    """Bit operations of one token that gates cannot undo [1/token].

    One for each gate and adder of an array multiplier and its running sum, for each weight that a
    token multiplies. The interval holds factors of 2 to 8 bits. Attention's products, control and
    copies are left out, so a real machine does more.

    Args:
        model: a row of the model table, or its name, key or alias.

    Raises:
        ValueError: the model is unknown or lacks a quantity.
    """
    active = scenario.read_parameters(_found(model))

    def count(end: int) -> float:
        return active * float(switches_per_multiply_add(*_setting(end)[1:]))

    return _over_ends(count)


def switch_energy(model: Any) -> Estimate:
    """Energy of the gates of one token's multiply-adds, each as dear as its reliability [J/token].

    Args:
        model: a row of the model table, or its name, key or alias.

    Raises:
        ValueError: the model is unknown or lacks a quantity.
    """
    count = _ends(bit_operations(model))

    def total(end: int) -> float:
        each = reliable_bit_energy(_setting(end)[0], _error(end))
        return float(irreversible_energy_per_token(count[end], each))

    return _over_ends(total)


def gate_energy(model: Any) -> Estimate:
    """Least energy of the bits that the gates of one token's multiply-adds discard [J/token].

    Each discarded bit costs Landauer's k T ln 2. It binds a machine whose gates discard them.

    Args:
        model: a row of the model table, or its name, key or alias.

    Raises:
        ValueError: the model is unknown or lacks a quantity.
    """

    def total(end: int) -> float:
        least = landauer_energy(_setting(end)[0])
        return float(irreversible_energy_per_token(_erased(model, end), least))

    return _over_ends(total)


def overwriting_energy(model: Any) -> Estimate:
    """Least energy of overwriting one token's intermediate results, its gates reversible [J/token].

    Args:
        model: a row of the model table.

    Raises:
        ValueError: the model has no feed-forward size in its table.
    """
    shape = {key: float(model[key]) for key in ("layers", "hidden_size", "feedforward_size")}
    missing = [key for key, value in shape.items() if value != value]
    if missing:
        raise ValueError(f"{model['name']} has no {missing[0]} in its table")

    def total(end: int) -> float:
        bits = overwritten_bits(**shape, value_bits=(16, 8, 32)[end])
        return float(irreversible_energy_per_token(bits, landauer_energy(_setting(end)[0])))

    return _over_ends(total)


def erasure_bound(power: Estimate, model: Any) -> Estimate:
    """Tokens per second at a power, if only the bits that gates forget cost energy [token/s].

    Landauer's k T ln 2 for each bit that the gates of the multiply-adds discard (`gate_energy`),
    and nothing for reliability, wires, memory, attention or haste. It bounds machines whose gates
    discard those bits; for one that undoes its steps there is no bound of this kind. The low end
    takes the least power, the widest factors and the warmest chip, the high end the other of each.

    Args:
        power: that the machine may draw [W].
        model: a row of the model table, or its name, key or alias.

    Raises:
        ValueError: the model is unknown or lacks a quantity.
    """

    def rate(watts: float, end: int) -> float:
        return float(erasure_rate(watts, _erased(model, end), temperature=_setting(end)[0]))

    return _bound(power, rate)


def barrier_bound(power: Estimate, model: Any) -> Estimate:
    """Tokens per second at a power, if each switch throws its barrier away [token/s].

    Today's kind of switch at its ideal: k T ln(1/p) for each gate and adder of the multiply-adds
    (`switch_energy`), and nothing for wires, memory, attention or haste. It is no law: it bounds
    machines that waste the barrier which keeps a switch right, and no other. The low end takes the
    least power, the widest factors, the warmest chip and the rarest error, the high end the other
    of each.

    Args:
        power: that the machine may draw [W].
        model: a row of the model table, or its name, key or alias.

    Raises:
        ValueError: the model is unknown or lacks a quantity.
    """
    count = _ends(bit_operations(model))

    def rate(watts: float, end: int) -> float:
        warm = {"temperature": _setting(end)[0], "error_probability": _error(end)}
        return float(thermodynamic_rate(watts, count[end], **warm))

    return _bound(power, rate)


def usual_setting() -> tuple[float, float]:
    """Temperature [K] that the bounds take, and chance of an error [1] of `barrier_bound`."""
    return _setting(0)[0], _error(0)


def accounted_row(before: Estimate, machine: Any, model: Any) -> Row:
    """What published prices of moving and computing account for.

    Args:
        before: the measured energy for each token.
        machine: a row of the machine table.
        model: a row of the model table.
    """
    moving, computing = moving_energy(machine, model), arithmetic_energy(model)
    landed = through(operator.add, moving, computing)
    return _row(
        "accounted",
        "Pay for operators and memory alone",
        before,
        landed,
        ("moving_energy_per_token", "computing_energy_per_token"),
        energy_sources("hbm2", "silicon-7nm"),
        "Instructions, registers, caches on the chip, links, hosts, leakage and idling are what "
        "falls away. The batch and context of the record were not published.",
    )


def arithmetic_row(before: Estimate, model: Any) -> Row:
    """What is left if memory is free.

    Args:
        before: the energy that the ledger has reached.
        model: a row of the model table.
    """
    return _row(
        "arithmetic",
        "Move nothing",
        before,
        arithmetic_energy(model),
        ("computing_energy_per_token",),
        energy_sources("silicon-7nm"),
        "Operators of 7 nm; the record's four-bit ones were not published.",
    )


def cmos_row(before: Estimate, model: Any) -> Row:
    """What the published limit of today's kind of transistor leaves.

    Args:
        before: the energy that the ledger has reached.
        model: a row of the model table.
    """
    return _row(
        "cmos",
        "Transistors at their published limit",
        before,
        cmos_energy(model),
        ("computing_energy_per_token",),
        energy_sources("cmos-limit"),
        "A projection with wires of the chip, not a law.",
    )


def reliable_row(before: Estimate, model: Any) -> Row:
    """What ideal switches cost that are as reliable as a computer needs.

    Args:
        before: the energy that the ledger has reached.
        model: a row of the model table.
    """
    return _row(
        "reliable",
        "Ideal switches that throw their barrier away",
        before,
        switch_energy(model),
        ("irreversible_energy_per_token", "switches_per_multiply_add", "reliable_bit_energy"),
        energy_sources("switch", "multiply-add", "room"),
        "k T ln(1/p) for each switch, no wires at all; no law, since a barrier need not be thrown "
        "away. The gates of an integer multiplier of the record's width.",
    )


def landauer_row(before: Estimate, model: Any) -> Row:
    """What thermodynamics asks for the bits that the gates discard.

    Args:
        before: the energy that the ledger has reached.
        model: a row of the model table.
    """
    return _row(
        "landauer",
        "k T ln 2 for each bit that gates discard",
        before,
        gate_energy(model),
        ("irreversible_energy_per_token", "erased_bits_per_multiply_add", "landauer_energy"),
        energy_sources("multiply-add", "room"),
        "Endlessly slow, and for gates that discard; reversible ones have no such floor.",
    )


def energy_rows(machine: Any, model: Any) -> tuple[Row, ...]:
    """The rows from the record's joules of a token down to k T ln 2 for each discarded bit.

    Args:
        machine: a row of the machine table, or its name, key or alias.
        model: a row of the model table, or its name, key or alias.

    Raises:
        ValueError: a name is unknown or its table lacks a quantity.
    """
    chip = machine_row(machine) if isinstance(machine, str) else machine
    llm = _found(model)
    rows = [accounted_row(record_energy(), chip, llm)]
    for make in (arithmetic_row, cmos_row, reliable_row, landauer_row):
        before = rows[-1].lands_on
        assert before is not None
        rows.append(make(before, llm))
    return tuple(rows)


def energy_ledger(machine: str = RECORD_MACHINE, model: str = RECORD_MODEL) -> Ledger:
    """From the joules of a token on the record rack to those of thermodynamics.

    Args:
        machine: name, key or alias of one accelerator of the record.
        model: name, key or alias of the model.

    Raises:
        ValueError: a name is unknown or its table lacks a quantity.
    """
    ledger = Ledger(
        "energy_per_token",
        record_energy(),
        "The record rack at its rated power",
        "azure2025; lenovo2025gb300",
    )
    return ledger.add(*energy_rows(machine, model))


def _row(
    key: str,
    label: str,
    before: Estimate,
    landed: Estimate,
    equations: tuple[str, ...],
    source: str,
    note: str,
) -> Row:
    return Row(
        key,
        label,
        landed * before.inverse(),
        equations,
        {"before": before.value, "after": landed.value},
        source,
        CHAPTER,
        note=note,
        lands_on=landed,
    )


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _found(model: Any) -> Any:
    return model_row(model) if isinstance(model, str) else model


def _each(power: Estimate, rule: Callable[[float], Any]) -> Estimate:
    return through(lambda watts: float(rule(watts)), power)


def _error(end: int) -> float:
    """Chance of a wrong switch: a rarer error is dearer, so the ends change places."""
    return energy_interval("switch", "error_probability")[(0, 2, 1)[end]]


def _setting(end: int) -> tuple[float, float, float]:
    """Temperature, bits of a factor and of the sum: value, low or high end of each."""
    return (
        energy_interval("room", "temperature")[end],
        energy_interval("multiply-add", "operand_bits")[end],
        energy_interval("multiply-add", "accumulator_bits")[end],
    )


def _erased(model: Any, end: int) -> float:
    """Bits that the gates of one token's multiply-adds forget: at the value, low or high end."""
    each = erased_bits_per_multiply_add(*_setting(end)[1:])
    return float(scenario.read_parameters(_found(model)) * each)


def _bound(power: Estimate, rate: Callable[[float, int], float]) -> Estimate:
    """A bound at a power; the dear end of the setting makes the low end of the rate."""
    return Estimate(rate(power.value, 0), rate(power.low, 2), rate(power.high, 1), Spread.BOUND)


def _over_ends(total: Callable[[int], float]) -> Estimate:
    return Estimate(total(0), total(1), total(2), Spread.CASES)

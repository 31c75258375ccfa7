"""The whole ledger: from one user today to what physics allows, for any machine and model.

Three ledgers share their rows. `machine_ledger` follows the tokens of all users of a machine,
`user_ledger` the speed of one user, and `energy_ledger` the joules of a token.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import Any

from tokenwall import scenario
from tokenwall.data import machine as machine_row
from tokenwall.data import model as model_row
from tokenwall.data.facts import estimate, facts, sources
from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger import Ledger, Row, Step
from tokenwall.ledger_rows.energy import (
    accounted_row,
    arithmetic_row,
    barrier_bound,
    cmos_row,
    erasure_bound,
    landauer_row,
    rack_power,
    reliable_row,
)
from tokenwall.ledger_rows.light import light_bound, light_row, rack_radius, weights_radius
from tokenwall.ledger_rows.published import (
    LEDGER,
    serving_row,
    speculation_row,
)
from tokenwall.ledger_rows.serving import (
    RECORD,
    RECORD_MACHINE,
    RECORD_MODEL,
    batching_row,
    fewer_bits_row,
    no_time_lost_row,
    one_user,
    shards,
    side_by_side_row,
)
from tokenwall.ledger_rows.walls import Walls, heat_rows
from tokenwall.light import (
    best_tensor_devices,
    hop_time_per_token,
    tensor_parallel_step_time,
)
from tokenwall.record import Service, record, stored_bits

__all__ = [
    "Case",
    "device_power",
    "energy_ledger",
    "leading",
    "machine_ledger",
    "machine_power",
    "user_ledger",
    "users_of",
    "walls_of",
]

LIGHT = "book/physics/light.ipynb"
ENERGY = "book/physics/energy.ipynb"
POWER_SOURCE = "lenovo2025gb300"
# Rows that spare one user's joules as they add to their rate.
SHARED = ("no-time-lost", "fewer-bits")


@dataclass(frozen=True)
class Case:
    """A machine and a model, and how they are used; conversations are those of the record.

    Args:
        machine: name, key or alias of one accelerator.
        model: name, key or alias of a model.
        devices: accelerators in all.
        weight_bits: mean bits of a stored weight once weights are made smaller, scales included.

    Raises:
        ValueError: a name is unknown, or there are fewer devices than hold the weights.
    """

    machine: str = RECORD_MACHINE
    model: str = RECORD_MODEL
    devices: int = 72
    weight_bits: float = field(default_factory=stored_bits)

    def __post_init__(self) -> None:
        """Refuse a machine that holds no copy."""
        needed = shards(self.chip, self.llm, 16)
        if self.devices < needed:
            raise ValueError(
                f"devices is {self.devices}; the weights of {self.llm['name']} in 16 bits need at "
                f"least {needed} of {self.chip['name']}"
            )

    @functools.cached_property
    def service(self) -> Service:
        """Its users, their conversations, and the bounds of memory and arithmetic."""
        return Service.fitting(self.machine, self.model, self.devices, weight_bits=self.weight_bits)

    @property
    def context(self) -> Estimate:
        """Mean tokens in the cache of a sequence [token]."""
        return self.service.context

    @property
    def chip(self) -> Any:
        """Row of the machine table."""
        return machine_row(self.machine)

    @property
    def llm(self) -> Any:
        """Row of the model table."""
        return model_row(self.model)

    @property
    def has_power(self) -> bool:
        """Whether the power of a device is published; without it there is no bound of heat."""
        return float(self.chip["tdp"]) > 0

    @property
    def is_record(self) -> bool:
        """Whether this is the published rack and what ran on it."""
        ran = record().service
        asked = (str(self.chip.name), str(self.llm.name), self.devices, self.weight_bits)
        return asked == (ran.machine, ran.model, ran.devices, ran.weight_bits)


def machine_ledger(case: Case | None = None) -> Ledger:
    """Tokens per second of all users of a machine, from one user today to what heat allows.

    For the published rack the row of serving ends on the record itself; elsewhere it takes the
    share that published racks kept. The rows after it are walls, not steps: each says where one
    law stops the same power and the same model. Light has no row here, since it sets the pace of
    each user and no limit to how many there are (`user_ledger`, `walls_of`). Where no power is
    published the ledger ends at what the machine serves.

    Args:
        case: the machine and the model; the published rack if not given.
    """
    case = case or Case()
    chip, llm = case.chip, case.llm
    together = case.service.together
    ledger = _opening(case).add(
        no_time_lost_row(chip, llm),
        fewer_bits_row(chip, llm, case.weight_bits),
        batching_row(case.service),
        *([] if case.devices < 2 * together else [side_by_side_row(case.devices, together)]),
    )
    ledger = ledger.add(_served(case, ledger.end))
    if not case.has_power:
        return ledger
    return ledger.add(
        *heat_rows(ledger.end, machine_power(case), llm, power_source=_power_source(case))
    )


def walls_of(case: Case | None = None) -> Walls:
    """What light allows one user of a rack, and heat all users of a machine.

    Args:
        case: the machine and the model; the published rack if not given.

    Raises:
        ValueError: the table has no power for this machine, or no layers for the model.
    """
    case = case or Case()
    power = machine_power(case)
    return Walls(
        light_bound(case.llm, rack_radius()),
        barrier_bound(power, case.llm),
        erasure_bound(power, case.llm),
    )


def user_ledger(case: Case | None = None) -> Ledger:
    """Tokens per second of one user who has the whole machine, up to the bound of light.

    Args:
        case: the machine and the model; the published rack if not given.
    """
    case = case or Case()
    chip, llm = case.chip, case.llm
    ledger = _opening(case).add(
        no_time_lost_row(chip, llm),
        fewer_bits_row(chip, llm, case.weight_bits),
    )
    ledger = ledger.add(_shared_row(case, ledger.end), speculation_row())
    return ledger.add(*_light_for_one(case, ledger.end))


def energy_ledger(case: Case | None = None) -> Ledger:
    """Joules of a token, from one user today to the least that heat allows.

    Up to the serving machine each row is the inverse of the machine ledger's at the same power: a
    device draws its full power whether it serves one user or many, which overstates the start.

    Args:
        case: the machine and the model; the published rack if not given.
    """
    case = case or Case()
    rates = machine_ledger(case)
    ledger = Ledger(
        "energy_per_token",
        _power_of_group(case, shards(case.chip, case.llm, 16)) * rates.start.inverse(),
        f"{rates.start_label}, at full power",
        f"{rates.start_source}; {_power_source(case)}",
    )
    alone = _power_of_group(case, shards(case.chip, case.llm, 16))
    for step in rates.steps:
        if step.row.key in SHARED:
            ledger = ledger.add(_inverse(step, alone))
    served = next(step.after for step in rates.steps if step.row.key == "serving")
    used = case.service.together * case.service.groups
    ledger = ledger.add(
        leading(
            "serving",
            "Other users share the power, less the losses",
            ledger.end,
            _power_of_group(case, used) * served.inverse(),
            equations=("throughput_at_capacity", "energy_per_token"),
            inputs={"devices": float(used), "served": served.value},
            source=f"azure2025; {_power_source(case)}",
            chapter="book/memory/batching.ipynb",
            note="Batching and the losses of serving in one row, at the power of all devices.",
        )
    )
    ledger = ledger.add(accounted_row(ledger.end, case.chip, case.llm))
    ledger = ledger.add(arithmetic_row(ledger.end, case.llm))
    ledger = ledger.add(cmos_row(ledger.end, case.llm))
    for limit in (reliable_row, landauer_row):
        row = limit(ledger.end, case.llm)
        wall = (row.lands_on or ledger.end * row.factor).called(Spread.BOUND)
        ledger = ledger.add(replace(row, kind="bound", lands_on=wall))
    return ledger


def device_power(case: Case) -> Estimate:
    """Power of one device: its share of the rack's rating for the record's chip, else its own [W].

    The chip's own rating leaves out fans, processors and power supplies.

    Args:
        case: the machine and the model.

    Raises:
        ValueError: the table has no power for this machine.
    """
    if str(case.chip.name) == RECORD_MACHINE:
        return rack_power() * Estimate.exact(1 / facts(RECORD)["accelerators"])
    rated = float(case.chip["tdp"])
    if not rated > 0:
        raise ValueError(f"{case.chip['name']} has no tdp in its table")
    return Estimate.exact(rated)


def machine_power(case: Case) -> Estimate:
    """Power of all devices of a machine [W].

    Args:
        case: the machine and the model.

    Raises:
        ValueError: the table has no power for this machine.
    """
    return device_power(case) * Estimate.exact(case.devices)


def _power_source(case: Case) -> str:
    name = str(case.chip.name)
    return POWER_SOURCE if name == RECORD_MACHINE else sources("machines", name, "tdp")


def _power_of_group(case: Case, devices: int) -> Estimate:
    return device_power(case) * Estimate.exact(devices)


def _inverse(step: Step, power: Estimate) -> Row:
    """The row for joules at a constant power: what multiplies tokens divides their energy."""
    landed = power * step.after.inverse() if step.row.lands_on else None
    return replace(step.row, factor=step.row.factor.inverse(), lands_on=landed)


def leading(key: str, label: str, before: Estimate, after: Estimate, **fields: Any) -> Row:
    """A row that leads from one known rate to another; the intervals of both widen its factor.

    Args:
        key: short name.
        label: a few words for the reader.
        before: the rate before it.
        after: the rate after it.
        fields: the other fields of a `Row`.
    """
    return Row(key, label, after * before.inverse(), lands_on=after, **fields)


def _opening(case: Case) -> Ledger:
    needed = shards(case.chip, case.llm, 16)
    alone = "one accelerator" if needed == 1 else f"{needed} accelerators, one after the other"
    return Ledger(
        "token_rate",
        one_user(case.chip, case.llm),
        f"One user of {alone}, 16 bits",
        _sources(case),
    )


def _served(case: Case, before: Estimate) -> Row:
    row = serving_row(before)
    if not case.is_record:
        return row
    reached = Estimate.exact(record().rate)
    to_record = leading(
        row.key,
        row.label,
        before,
        reached,
        equations=(),
        inputs={"record": reached.value, "before": before.value},
        source=row.source,
        chapter=LEDGER,
        kind="published",
        note="Exactly what leads from the bound to the record; its interval is the bound's.",
    )
    # Its own share knows that the bound's interval is a range of cases.
    return replace(to_record, factor=record().share)


def users_of(case: Case) -> Estimate:
    """Users in flight: as many conversations as fit on the machine [1].

    Args:
        case: the machine and the model.
    """
    return case.service.users


def _sources(case: Case) -> str:
    chip = sources("machines", str(case.chip.name), "memory_bandwidth", "memory_capacity")
    return f"{chip}; {sources('models', str(case.llm.name), 'parameters', 'layers')}"


def _shared_row(case: Case, before: Estimate) -> Row:
    """What one user gains when devices share every layer, hops between them included."""
    reading = scenario.step_weight_bytes(case.llm, case.weight_bits)
    bandwidth, layers = float(case.chip["memory_bandwidth"]), float(case.llm["layers"])
    exchanges = estimate("nvlink-exchange", "collectives_per_layer")
    hop = estimate("nvlink-exchange", "hop_time")
    chains = [
        float(hop_time_per_token(layers, each, hop_time=time))
        for each, time in zip(_ends(exchanges), _ends(hop), strict=True)
    ]

    def rate(chain: float) -> float:
        best = best_tensor_devices(reading, bandwidth, hop_time_per_token=chain)
        step = tensor_parallel_step_time(
            reading,
            bandwidth,
            hop_time_per_token=chain,
            tensor_devices=min(max(round(float(best)), 1), case.devices),
        )
        return 1 / float(step)

    middle, slow, fast = rate(chains[0]), rate(chains[2]), rate(chains[1])
    return leading(
        "shared",
        "Devices share every layer",
        before,
        Estimate(middle, slow, fast, Spread.CASES),
        equations=("tensor_parallel_step_time", "best_tensor_devices", "hop_time_per_token"),
        inputs={"hop_time": hop.value, "collectives_per_layer": exchanges.value},
        source="erdil2025",
        chapter=LIGHT,
        note="As many devices as help: beyond them hops cost more than the bandwidth gains.",
    )


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _light_for_one(case: Case, before: Estimate) -> tuple[Row, Row]:
    """From the best machine of today to light at a rack's size, and at the density of memory."""
    guesses = speculation_row().factor
    rack = light_bound(case.llm, rack_radius()) * guesses
    dense = light_bound(case.llm, weights_radius(case.llm)) * guesses
    wide = light_row(before, rack, key="light-rack", label="Only light takes time, in a rack")
    packed = light_row(rack, dense, key="light-dense", label="Weights packed as memory packs bytes")
    note = (
        f"{wide.note} With the same guesses: times {guesses.value:.3g}, the gain of the row above."
    )
    return replace(wide, kind="bound", note=note), replace(packed, kind="bound", note=note)

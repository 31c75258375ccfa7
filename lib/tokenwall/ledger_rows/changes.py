"""Single changes to a machine or a model, and what each does to one user and to all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenwall import scenario
from tokenwall.calibration import engine_constants
from tokenwall.kvcache import throughput_at_capacity
from tokenwall.ledger_rows.serving import ENGINE, active_parameters, fastest_rate, shards
from tokenwall.roofline import decode_rate, weight_bytes
from tokenwall.sensitivity import Swing, swings

__all__ = ["CHANGES", "inputs_of", "machine_rate", "single_changes", "user_rate"]

# Each change halves a cost or doubles a means, so that they compare.
CHANGES: dict[str, dict[str, float]] = {
    "Twice the bandwidth": {"bandwidth": 2},
    "Twice the memory": {"capacity": 2},
    "Twice the arithmetic": {"peak_rate": 2},
    "Half the bytes of a weight": {"bytes_per_weight": 0.5},
    "Half the cache of a token": {"cache_bytes_per_token": 0.5},
    "Half the context": {"context": 0.5},
    "Half the wait of a layer": {"overhead_per_layer": 0.5},
    "Twice the devices": {"devices": 2},
}


def inputs_of(
    machine: Any, model: Any, *, devices: float, context: float, weight_bits: float
) -> dict[str, float]:
    """What both rates depend on, in the library's units.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        devices: accelerators in all.
        context: tokens in the cache of each sequence.
        weight_bits: mean bits of one stored weight.
    """
    constants = engine_constants(ENGINE)
    return {
        "bandwidth": float(machine["memory_bandwidth"]),
        "capacity": float(machine["memory_capacity"]),
        "peak_rate": fastest_rate(machine, weight_bits),
        "parameters": float(model["parameters"]),
        "active_parameters": active_parameters(model),
        "read_parameters": scenario.read_parameters(model),
        "layers": float(model["layers"]),
        "bytes_per_weight": weight_bits / 8,
        "cache_bytes_per_token": scenario.cache_bytes_per_token_of(model),
        "context": context,
        "overhead_per_layer": constants.overhead_per_layer,
        "bandwidth_fraction": constants.bandwidth_fraction,
        "devices": float(devices),
        "together": float(shards(machine, model, weight_bits)),
    }


def user_rate(**inputs: Any) -> Any:
    """Tokens per second of one user of one device, with an engine's constants [token/s].

    Args:
        inputs: as `inputs_of` gives them, numbers or SymPy expressions.
    """
    held = weight_bytes(inputs["read_parameters"], inputs["bytes_per_weight"])
    return decode_rate(
        inputs["bandwidth"],
        held + inputs["context"] * inputs["cache_bytes_per_token"],
        layers=inputs["layers"],
        overhead_per_layer=inputs["overhead_per_layer"],
        bandwidth_fraction=inputs["bandwidth_fraction"],
    )


def machine_rate(**inputs: Any) -> Any:
    """Tokens per second of all users of groups of devices with full memories [token/s].

    Args:
        inputs: as `inputs_of` gives them, numbers or SymPy expressions.
    """
    together = inputs["together"]
    group = throughput_at_capacity(
        together * inputs["capacity"],
        weight_bytes(inputs["parameters"], inputs["bytes_per_weight"]),
        context=inputs["context"],
        cache_bytes_per_token=inputs["cache_bytes_per_token"],
        active_parameters=inputs["active_parameters"],
        bandwidth=together * inputs["bandwidth"],
        peak_rate=together * inputs["peak_rate"],
    )
    return group * inputs["devices"] / together


def single_changes(inputs: Mapping[str, float]) -> dict[str, list[Swing]]:
    """Every change alone, ranked, for one user and for all users.

    Args:
        inputs: as `inputs_of` gives them.
    """
    changed = {
        name: {key: inputs[key] * factor for key, factor in change.items()}
        for name, change in CHANGES.items()
    }
    return {
        "one user": swings(user_rate, inputs, changed),
        "all users": swings(machine_rate, inputs, changed),
    }

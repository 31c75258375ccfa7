"""Single changes to a machine or a model, and what each does to one user and to all."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tokenwall import scenario
from tokenwall.calibration import engine_constants
from tokenwall.data import machine as machine_row
from tokenwall.data import model as model_row
from tokenwall.kvcache import throughput_at_capacity
from tokenwall.ledger_rows.serving import ENGINE, active_parameters
from tokenwall.record import Service, answer_flop
from tokenwall.roofline import decode_rate, weight_bytes
from tokenwall.sensitivity import Swing, swings
from tokenwall.serving import shape_of

__all__ = ["CHANGES", "inputs_of", "machine_rate", "single_changes", "user_rate"]

# Each change halves a cost or doubles a means, so that they compare.
CHANGES: dict[str, dict[str, float]] = {
    "Twice the bandwidth": {"bandwidth": 2},
    "Twice the memory": {"capacity": 2},
    "Twice the arithmetic": {"peak_rate": 2},
    "Half the bytes of a weight": {"bytes_per_weight": 0.5},
    "Half the cache of a token": {"cache_bytes_per_token": 0.5},
    "Half the prompt": {"prompt": 0.5},
    "Half the wait of a layer": {"overhead_per_layer": 0.5},
    "Twice the devices": {"devices": 2},
}


def inputs_of(service: Service) -> dict[str, Any]:
    """What both rates depend on, in the library's units.

    Args:
        service: machine, model, bits and lengths.
    """
    chip, llm = machine_row(service.machine), model_row(service.model)
    constants, shape = engine_constants(ENGINE), shape_of(service.model)
    peak, attention = service.rates
    return {
        "bandwidth": float(chip["memory_bandwidth"]),
        "capacity": float(chip["memory_capacity"]),
        "peak_rate": peak,
        "parameters": float(llm["parameters"]),
        "active_parameters": active_parameters(llm),
        "read_parameters": scenario.read_parameters(llm),
        "layers": float(llm["layers"]),
        "bytes_per_weight": service.weight_bits / 8,
        "cache_bytes_per_token": scenario.cache_bytes_per_token_of(
            llm, service.cache_bits.value / 8
        ),
        "prompt": service.prompt.value,
        "answer": service.answer.value,
        "flop": functools.partial(answer_flop, shape, attention=peak / attention),
        "overhead_per_layer": constants.overhead_per_layer,
        "bandwidth_fraction": constants.bandwidth_fraction,
        "devices": float(service.devices),
        "together": float(service.together),
    }


def user_rate(**inputs: Any) -> Any:
    """Tokens per second of one user of one device, with an engine's constants [token/s].

    Args:
        inputs: as `inputs_of` gives them.
    """
    held = weight_bytes(inputs["read_parameters"], inputs["bytes_per_weight"])
    return decode_rate(
        inputs["bandwidth"],
        held + _context(inputs) * inputs["cache_bytes_per_token"],
        layers=inputs["layers"],
        overhead_per_layer=inputs["overhead_per_layer"],
        bandwidth_fraction=inputs["bandwidth_fraction"],
    )


def machine_rate(**inputs: Any) -> Any:
    """Tokens per second of all users, the smaller of what memory and arithmetic allow [token/s].

    The same bound as `tokenwall.record.Service.bound`, as a function of single inputs.

    Args:
        inputs: as `inputs_of` gives them.
    """
    together = inputs["together"]
    flop = inputs["flop"](inputs["prompt"], inputs["answer"])
    group = throughput_at_capacity(
        together * inputs["capacity"],
        weight_bytes(inputs["parameters"], inputs["bytes_per_weight"]),
        context=_context(inputs),
        cache_bytes_per_token=inputs["cache_bytes_per_token"],
        active_parameters=inputs["active_parameters"],
        bandwidth=together * inputs["bandwidth"],
        peak_rate=together * inputs["peak_rate"],
        flop_per_parameter=flop / inputs["active_parameters"],
    )
    return group * (inputs["devices"] // together)


def _context(inputs: Mapping[str, Any]) -> Any:
    return inputs["prompt"] + inputs["answer"] / 2


def single_changes(inputs: Mapping[str, Any]) -> dict[str, list[Swing]]:
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

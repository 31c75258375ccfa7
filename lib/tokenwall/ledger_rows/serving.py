"""The rows that chapters add to the ledger, computed from the equations and the tables."""

from __future__ import annotations

import math
from typing import Any

from tokenwall import calibration, scenario
from tokenwall.data import machine as machine_row
from tokenwall.data import model as model_row
from tokenwall.data.facts import estimate, facts, sources
from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger import Ledger, Row
from tokenwall.record import MODEL, RACKS, RECORD, Service
from tokenwall.roofline import bandwidth_law, weight_bytes
from tokenwall.serving import device_of
from tokenwall.serving.workload import format_bits

__all__ = [
    "RECORD",
    "RECORD_MACHINE",
    "RECORD_MODEL",
    "active_parameters",
    "batching_row",
    "fastest_rate",
    "fewer_bits_row",
    "first_ledger",
    "known_rates",
    "no_time_lost_row",
    "one_user",
    "reading_rate",
    "shards",
    "side_by_side_row",
]

# The record that the ledger leads to: what was run on it stands in `tokenwall.record`.
RECORD_MACHINE, RECORD_MODEL = RACKS[RECORD], MODEL
# The only stack whose constants were fitted on several generations of data-centre GPUs.
ENGINE = "llama.cpp CUDA"
ONE_TOKEN = "book/memory/one_token.ipynb"
BATCHING = "book/memory/batching.ipynb"


def first_ledger(machine: str = RECORD_MACHINE, model: str = RECORD_MODEL) -> Ledger:
    """From one user of one accelerator to the record rack, as far as the chapters lead.

    Args:
        machine: name, key or alias of one accelerator.
        model: name, key or alias of the model.

    Raises:
        ValueError: a name is unknown or its table lacks a quantity.
    """
    chip, llm, record = machine_row(machine), model_row(model), facts(RECORD)
    service = Service.fitting(str(chip.name), str(llm.name), int(record["accelerators"]))
    opening = Ledger(
        "token_rate",
        one_user(chip, llm),
        "One user of one accelerator, 16 bits",
        _sources(chip, llm),
    )
    rows = (
        no_time_lost_row(chip, llm),
        fewer_bits_row(chip, llm, service.weight_bits),
        batching_row(service),
        side_by_side_row(service.devices, service.together),
    )
    return opening.add(*rows).close(
        key="unexplained",
        label="Waits and losses of serving",
        target=Estimate.exact(float(record["token_rate"])),
        source="azure2025",
        chapter="book/index.ipynb",
    )


def one_user(machine: Any, model: Any, *, weight_bits: float = 16) -> Estimate:
    """Tokens per second of one user, corrected by the engine's misses on its class [token/s].

    The engine's constants are fitted on all classes of machine and are too hopeful on some. The
    prediction is divided by the median miss on devices of the same class that took no part in the
    fit, and the interval holds nine tenths of those misses.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        weight_bits: mean bits of one stored weight.
    """
    rate = scenario.predict_batch1(model, machine, weight_bits, ENGINE).rate
    table = calibration.batch1_table()
    judged = table[(table["engine"] == ENGINE) & table["used_in_fit"]]
    alike = judged[judged["machine_class"] == machine["category"]]
    misses = 1 + (alike if len(alike) else judged)["error"].dropna()
    low, middle, high = (rate / float(misses.quantile(q)) for q in (0.95, 0.5, 0.05))
    law = bandwidth_law(machine["memory_bandwidth"], scenario.step_weight_bytes(model, weight_bits))
    return Estimate(middle, low, max(middle, min(high, float(law))), Spread.NINE_IN_TEN)


def no_time_lost_row(machine: Any, model: Any) -> Row:
    """What one user would gain if a step did nothing but read memory at its full rate.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
    """
    bandwidth = float(machine["memory_bandwidth"])
    reading = scenario.step_weight_bytes(model)
    ideal = Estimate.exact(float(bandwidth_law(bandwidth, reading)))
    return Row(
        "no-time-lost",
        "Lose no time between reads",
        ideal * one_user(machine, model).inverse(),
        ("bandwidth_law", "decode_rate"),
        {"bandwidth": bandwidth, "bytes_per_step": reading, "engine": ENGINE},
        _sources(machine, model),
        ONE_TOKEN,
        note="Full bandwidth, no fixed time per layer; its interval is the start's, turned round.",
        lands_on=ideal.called(Spread.BOUND),
    )


def fewer_bits_row(machine: Any, model: Any, weight_bits: float) -> Row:
    """What one user gains if each weight is stored in fewer bits than 16, without losses.

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        weight_bits: mean bits of one stored weight, scales included.
    """
    bandwidth = float(machine["memory_bandwidth"])
    wide, slim = (
        float(bandwidth_law(bandwidth, scenario.step_weight_bytes(model, bits)))
        for bits in (16, weight_bits)
    )
    return Row(
        "fewer-bits",
        f"{weight_bits:g} bits a weight instead of 16",
        Estimate.exact(slim / wide).called(Spread.BOUND),
        ("bandwidth_law", "weight_bytes"),
        {"weight_bits": weight_bits, "bandwidth": bandwidth},
        _sources(machine, model),
        ONE_TOKEN,
        note="A bound. Measured gains are smaller, since waits do not shrink with the bytes, and "
        "the answers change a little.",
        lands_on=Estimate.exact(slim).called(Spread.BOUND),
    )


def fastest_rate(machine: Any, weight_bits: float) -> float:
    """Dense arithmetic rate in the narrowest published format that holds the weights [FLOP/s].

    Scales lift the mean bits above those of the format and do not change it: weights of 4.5 bits
    run at the four-bit rate where there is one, else at the eight-bit rate.

    Args:
        machine: a row of the machine table.
        weight_bits: mean bits of one stored weight, scales included.

    Raises:
        ValueError: the table has no arithmetic rate for this machine.
    """
    device = device_of(str(machine.name))
    if not any(math.isfinite(float(machine.get(f"peak_rate_fp{n}", math.nan))) for n in (4, 8, 16)):
        raise ValueError(f"{machine['name']} has no peak_rate_fp16 in its table")
    return float(device.rate(format_bits(weight_bits))[0])


def shards(machine: Any, model: Any, weight_bits: float = 16) -> int:
    """Fewest devices that hold the weights with room for one token of cache [1].

    Args:
        machine: a row of the machine table.
        model: a row of the model table.
        weight_bits: mean bits of one stored weight.
    """
    held = float(weight_bytes(model["parameters"], weight_bits / 8))
    held += scenario.cache_bytes_of(model, 1)
    return math.ceil(held / float(machine["memory_capacity"]))


def batching_row(service: Service) -> Row:
    """What other users add to one, both without losses, until memory or arithmetic is used up.

    Where one device does not hold the weights, as few as do hold them work together.

    Args:
        service: machine, model, bits and lengths; one copy of it is counted.
    """
    chip, llm = machine_row(service.machine), model_row(service.model)
    bandwidth = float(chip["memory_bandwidth"])
    alone = bandwidth_law(bandwidth, scenario.step_weight_bytes(llm, service.weight_bits))
    binds = "Arithmetic, prompts included, is" if service.binding == "arithmetic" else "Memory is"
    return Row(
        "batching",
        "Share each sweep with other users",
        service.bound * Estimate.exact(1 / (service.groups * float(alone))),
        ("throughput_at_capacity", "lifetime_token_rate", "served_step_time", "prompt_time"),
        {
            "prompt_length": service.prompt.value,
            "answer_length": service.answer.value,
            "context": service.context.value,
            "cache_bits": service.cache_bits.value,
            "weight_bits": service.weight_bits,
            "bandwidth": bandwidth,
        },
        f"{_sources(chip, llm)}; mlcommons2026inference; mlperf2025v51",
        BATCHING,
        note=f"{binds} used up first. The mean prompt is recalled, the cache's bits are assumed.",
    )


def side_by_side_row(devices: float, together: int = 1) -> Row:
    """As many accelerators as given, in groups that hold the model, each with its own users.

    Args:
        devices: accelerators in all.
        together: accelerators of a group; those left over stand idle.

    Raises:
        ValueError: there are fewer devices than a group needs.
    """
    groups = int(devices) // together
    if groups < 1:
        raise ValueError(
            f"devices is {devices:g}; the weights need at least {together} of them to fit"
        )
    who = "accelerators" if together == 1 else f"groups of {together} accelerators"
    return Row(
        "side-by-side",
        f"{groups:,} {who} side by side" if groups > 1 else f"One of {who}",
        Estimate.exact(float(groups)),
        (),
        {"devices": float(devices), "together": float(together)},
        "azure2025",
        "book/index.ipynb",
        kind="published",
        note="Machines that share no users multiply throughput exactly, and speed not at all.",
    )


def active_parameters(model: Any) -> float:
    """Weights that one token multiplies: all of them in a dense model [1].

    Args:
        model: a row of the model table.
    """
    active = float(model.get("active_parameters", math.nan))
    return active if math.isfinite(active) else float(model["parameters"])


def reading_rate() -> Estimate:
    """Tokens per second of a silent reader of English [token/s]."""
    words = estimate("person", "reading_rate")
    return words * estimate("english", "tokens_per_word")


def known_rates() -> dict[str, float]:
    """Rates to compare with, by label [token/s]."""
    record = facts(RECORD)
    return {
        "reading silently": reading_rate().value,
        "the record, per accelerator": float(record["token_rate"]) / float(record["accelerators"]),
        "the record rack, all its users": float(record["token_rate"]),
        "a usual chat": facts("chat")["usual_token_rate"],
    }


def _sources(machine: Any, model: Any) -> str:
    chip = sources("machines", str(machine.name), "memory_bandwidth", "memory_capacity")
    return f"{chip}; {sources('models', str(model.name), 'parameters', 'layers')}"

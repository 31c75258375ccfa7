"""Tables of the energy chapter: served tokens and a law, a ladder of joules, two writers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.constants import N_A

from tokenwall import data, scenario
from tokenwall.brain import (
    affordable_spike_rate,
    energy_per_event,
    lognormal_draws,
    pooled_draws,
    synaptic_event_rate,
    tokens_per_joule,
)
from tokenwall.data.energies import energies, energy_interval, token_energies
from tokenwall.data.facts import facts, interval
from tokenwall.energy import (
    computing_energy_per_token,
    landauer_energy,
    moving_energy_per_token,
    reliable_bit_energy,
    served_energy_per_token,
    wire_energy,
)
from tokenwall.ledger_rows.energy import flop_energy, memory_price, record_energy
from tokenwall.ledger_rows.serving import RECORD, RECORD_MACHINE
from tokenwall.roofline import memory_step_time

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

DRAWS = 40_000
METHODS = (
    "brain-mechanism",
    "brain-retina-models",
    "brain-retina-networks",
    "brain-vision-networks",
)
SERIES = {
    "llama-3.1-405b-8xb200": "405 billion, 8 B200",
    "llama-3.1-70b-4xh100": "70 billion, 4 H100",
    "llama-3.1-70b-2xb200": "70 billion, 2 B200",
    "llama-3.1-8b-1xh100": "8 billion, 1 H100",
}
"""The dense models of the figure, with their labels."""


def fit_served(batch: Any, energy: Any) -> tuple[float, float]:
    """Floor [J/token] and energy of a step [J] of the law, by least squares of relative misses.

    Args:
        batch: sequences in flight, at least two settings.
        energy: measured joules for each token.
    """
    size, joules = np.asarray(batch, dtype=float), np.asarray(energy, dtype=float)
    columns = np.column_stack([1 / joules, 1 / (size * joules)])
    (floor, step), *_ = np.linalg.lstsq(columns, np.ones(len(joules)), rcond=None)
    return float(floor), float(step)


def served_fits(runs: pd.DataFrame | None = None) -> pd.DataFrame:
    """The law fitted to every second batch of each series, judged on the others.

    Args:
        runs: as `token_energies` gives them; all if not given.

    Returns:
        A frame indexed by series: floor [J/token], step [J], runs, kept (used in the fit), and
        the median and largest relative miss on the runs that the fit has not seen.
    """
    import pandas as pd

    table = token_energies() if runs is None else runs
    rows = []
    for series, part in table.groupby("series"):
        part = part.sort_values("batch")
        seen, unseen = part.iloc[::2], part.iloc[1::2]
        floor, step = fit_served(seen["batch"], seen["value"])
        law = served_energy_per_token.numpy(unseen["batch"], step, floor, 1.0)
        miss = (law / unseen["value"] - 1).abs()
        rows.append(
            {
                "series": series,
                "model": part["model"].iloc[0],
                "floor": floor,
                "step": step,
                "runs": len(part),
                "median_miss": float(miss.median()),
                "largest_miss": float(miss.max()),
            }
        )
    return pd.DataFrame(rows).set_index("series")


def priced(series: str = "llama-3.1-70b-4xh100") -> pd.DataFrame:
    """Measured joules of a token, and what published prices of moving and computing make of it.

    Caches are priced at the mean answer's length, half of which a token finds before it.

    Args:
        series: as in `token_energies`.

    Returns:
        A frame with batch, measured, moving, computing and share (of the measured) [J/token, 1].
    """
    table = token_energies()
    runs = table[table["series"] == series].sort_values("batch").reset_index(drop=True)
    row = data.model(str(runs["model"].iloc[0]))
    bits = float(runs["weight_bits"].iloc[0])
    out = runs[["batch"]].assign(measured=runs["value"])
    out["moving"] = moving_energy_per_token(
        runs["batch"].to_numpy(),
        runs["output_tokens"].to_numpy() / 2,
        weight_bytes=scenario.step_weight_bytes(row, bits),
        cache_bytes_per_token=scenario.cache_bytes_per_token_of(row),
        memory_energy=memory_price().value,
    )
    computing = computing_energy_per_token(scenario.read_parameters(row), flop_energy(bits).value)
    out["computing"] = float(computing)
    out["share"] = (out["moving"] + out["computing"]) / out["measured"]
    return out


def explained_step(series: str = "llama-3.1-70b-4xh100") -> dict[str, float]:
    """What a shared step should cost, in three ways, beside the fitted cost [J].

    Args:
        series: as in `token_energies`.

    Returns:
        fitted; memory (bytes at the published price); sweep (rated power for one sweep of the
        weights); power (the least mean power measured in the series, in watts).
    """
    table = token_energies()
    runs = table[table["series"] == series]
    first = runs.iloc[0]
    chip, row = data.machine(str(first["machine"])), data.model(str(first["model"]))
    read = scenario.step_weight_bytes(row, float(first["weight_bits"]))
    sweep = memory_step_time(read, first["devices"] * chip["memory_bandwidth"])
    power = float(runs["power"].min())
    return {
        "fitted": float(served_fits(runs)["step"].iloc[0]),
        "memory": read * memory_price().value,
        "sweep": power * float(sweep),
        "power": power,
    }


def spike_cost() -> dict[str, float]:
    """The cortex's budget: joules of a spike, watts, and the spikes that they pay for."""
    known = energies("brain")
    each = known["atp_energy"] / N_A
    cells = known["neurons"] * known["cortical_share"]
    power, spike = known["cortical_atp_rate"] * each, known["atp_per_spike"] * each
    return {
        "atp": each,
        "spike": spike,
        "power": power,
        "most": float(affordable_spike_rate(power, spike, neurons=cells)),
        "lennie": known["spike_rate"],
    }


def event_energy() -> tuple[float, float, float]:
    """Brain's joules for each synaptic event: middle, low and high by rate and synapses [J]."""
    power = energies("brain")["power"]
    synapses, rates = (energy_interval("brain", name) for name in ("synapses", "spike_rate"))
    shares = energy_interval("brain", "release_probability")

    def each(end: int) -> float:
        events = synaptic_event_rate(synapses[end], rates[end], release_probability=shares[end])
        return float(energy_per_event(power, events))

    return each(0), each(2), each(1)


def ladder() -> pd.DataFrame:
    """A ladder of joules, from the heat of one bit to a prompt.

    Returns:
        A frame with label, value, low, high [J], and kind: floor, silicon, brain or token.
    """
    import pandas as pd

    warm = energies("room")["temperature"]
    error = energies("switch")["error_probability"]
    old, new, wire = energies("silicon-45nm"), energies("silicon-7nm"), energies("wire-32nm")
    limit = energy_interval("cmos-limit", "efficiency")
    span = float(wire_energy(1e-3, wire["voltage"], capacitance_per_length=wire["capacitance"]))
    word = energy_interval("silicon-7nm", "dram_word")
    record, tokens = record_energy(), served_fits()
    spoken = writer_rates()["reads aloud"]
    watt, least, most = energy_interval("brain", "power")
    aloud = (watt / spoken, least / spoken, most / spoken)
    rows: list[tuple[str, str, float, float, float]] = [
        ("floor", "k T ln 2, one bit at room temperature", *(float(landauer_energy(warm)),) * 3),
        ("floor", "one reliable switch", *(float(reliable_bit_energy(warm, error)),) * 3),
        ("floor", "one operation at the CMOS limit", 1 / limit[0], 1 / limit[2], 1 / limit[1]),
        ("silicon", "adding two 8-bit numbers, 7 nm", *(new["int8_add"],) * 3),
        ("silicon", "one bit over 1 mm of wire", *(span,) * 3),
        ("silicon", "multiplying two 16-bit numbers, 7 nm", *(new["fp16_multiply"],) * 3),
        ("silicon", "multiplying two 32-bit numbers, 45 nm", *(old["fp32_multiply"],) * 3),
        ("silicon", "reading 64 bits from stacked memory", *word),
        ("brain", "one synaptic event, all upkeep included", *event_energy()),
        ("brain", "one spike with its synapses", *(spike_cost()["spike"],) * 3),
        ("token", "one token of the record rack", record.value, record.low, record.high),
        (
            "token",
            "one sweep of 70 billion weights",
            *(tokens.loc["llama-3.1-70b-4xh100", "step"],) * 3,
        ),
        ("brain", "one token read aloud, the brain's share", *aloud),
        (
            "token",
            "one median prompt of a large service",
            *(energies("gemini-prompt")["energy"],) * 3,
        ),
    ]
    frame = pd.DataFrame(rows, columns=["kind", "label", "value", "low", "high"])
    return frame.sort_values("value").reset_index(drop=True)


def price_list() -> pd.DataFrame:
    """Published energies of operations and accesses in two processes, and what shrinking gained.

    Returns:
        A frame indexed by the operation, with 45 nm and 7 nm [pJ] and their ratio.
    """
    import pandas as pd

    old, new = energies("silicon-45nm"), energies("silicon-7nm")
    names = {
        "int8_add": "add two 8-bit integers",
        "int8_multiply": "multiply two 8-bit integers",
        "fp16_add": "add two 16-bit numbers",
        "fp16_multiply": "multiply two 16-bit numbers",
        "fp32_add": "add two 32-bit numbers",
        "fp32_multiply": "multiply two 32-bit numbers",
        "sram_8k_word": "read 64 bits of 8 KB on the chip",
        "sram_1m_word": "read 64 bits of 1 MB on the chip",
        "dram_word": "read 64 bits of main memory",
    }
    rows = {
        label: {"45 nm [pJ]": old[key] * 1e12, "7 nm [pJ]": new[key] * 1e12}
        for key, label in names.items()
    }
    frame = pd.DataFrame(rows).T.rename_axis("operation")
    frame["times cheaper"] = frame["45 nm [pJ]"] / frame["7 nm [pJ]"]
    return frame


def writer_rates() -> dict[str, float]:
    """Tokens per second of a person, by activity [token/s]."""
    each, person = facts("english")["tokens_per_word"], energies("person")
    return {
        "reads silently": facts("person")["reading_rate"] * each,
        "reads aloud": facts("person")["reading_aloud_rate"] * each,
        "types": person["typing_rate"] * each,
        "talks, over day and night": person["words_per_day"] * each,
    }


def brain_operations(
    generator: np.random.Generator, keys: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Draws of a brain's operations a second from published estimates [FLOP/s].

    Args:
        generator: of random numbers.
        keys: of the estimates in energies.csv, each as likely as the next.
    """
    ends = [energy_interval(key, "operation_rate")[1:] for key in keys]
    return pooled_draws(generator, ends, count=DRAWS)


def comparison(seed: int = 0) -> pd.DataFrame:
    """What a brain and the record rack make of one joule, axis by axis, with their spread.

    Intervals of the tables are read as 5th and 95th percentiles and drawn together. A number that
    was printed without an interval stays as it is.

    Args:
        seed: of the draws.

    Returns:
        A frame with axis, unit, brain and rack (medians), ratio, low and high (brain over rack:
        median, 5th and 95th percentile), and chance (that the brain is ahead).
    """
    import pandas as pd

    generator = np.random.default_rng(seed)

    def drawn(key: str, quantity: str, table: str = "energies") -> Any:
        read = energy_interval if table == "energies" else interval
        _, low, high = read(key, quantity)
        return lognormal_draws(generator, low, high, count=DRAWS)

    person, each = energies("person"), drawn("english", "tokens_per_word", "facts")
    brain, rack = drawn("brain", "power"), drawn("gb300-rack", "power")
    reading = drawn("person", "reading_rate", "facts") * each
    spoken, typed = facts("person")["reading_aloud_rate"] * each, person["typing_rate"] * each
    daily = drawn("person", "words_per_day") * each
    record = facts(RECORD)
    written = tokens_per_joule(record["token_rate"], rack)
    known = energies("gemini-prompt")
    servers = (known["chip_share"] + known["host_share"] + known["idle_share"]) / known[
        "chip_share"
    ]
    device = energies("llama-2-70b-training")["device_time"]
    training = device * drawn("llama-2-70b-training", "device_power")
    served = record["token_rate"] * drawn("gb300-rack", "service_time")
    taught = 1 / (1 / written + training / served)
    life, youth = drawn("person", "life_time"), drawn("person", "learning_time")
    bits = drawn("english", "bits_per_character") * person_characters() / each
    peak = record["accelerators"] * float(data.machine(RECORD_MACHINE)["peak_rate_fp4"]) / rack
    own = brain_operations(generator, METHODS[:1]) / brain
    pooled = generator.permutation(brain_operations(generator, METHODS)) / brain
    minutes = drawn("gpqa", "time")
    asked = question_energies()
    axes = [
        ("tokens, reading silently", "token/J", reading / brain, written),
        ("tokens, reading aloud", "token/J", spoken / brain, written),
        ("tokens, an expert typing", "token/J", typed / brain, written),
        (
            "tokens aloud, the task's extra power",
            "token/J",
            spoken / (brain * drawn("brain", "task_increase")),
            written,
        ),
        (
            "tokens aloud, the whole body",
            "token/J",
            spoken / brain * energies("brain")["body_share"],
            written,
        ),
        ("tokens spoken, over day and night", "token/J", daily / brain, written),
        ("the same, with learning", "token/J", daily / brain * (1 - youth / life), taught),
        (
            "the same, all energy a person uses",
            "token/J",
            daily / drawn("person", "primary_power"),
            written / known["pue"],
        ),
        ("bits of text, speaking", "bit/J", person["speech_bit_rate"] / brain, written * bits),
        (
            "a hard question, by DeepSeek-R1",
            "question/J",
            1 / (brain * minutes),
            1 / (asked["deepseek-r1"] * servers * known["pue"]),
        ),
        (
            "a hard question, by gpt-oss-120b",
            "question/J",
            1 / (brain * minutes),
            1 / (asked["gpt-oss-120b"] * servers * known["pue"]),
        ),
        ("estimated operations, by spikes", "FLOP/J", own, peak),
        ("estimated operations, all methods", "FLOP/J", pooled, peak),
    ]
    rows = []
    for axis, unit, ours, theirs in axes:
        ratio = ours / theirs
        low, middle, high = np.quantile(ratio, [0.05, 0.5, 0.95])
        rows.append(
            {
                "axis": axis,
                "unit": unit,
                "brain": float(np.median(ours)),
                "rack": float(np.median(theirs)),
                "ratio": float(middle),
                "low": float(low),
                "high": float(high),
                "chance": float(np.mean(ratio > 1)),
            }
        )
    return pd.DataFrame(rows)


def person_characters() -> float:
    """Characters of a word of English, as typists count."""
    return energies("english")["characters_per_word"]


def question_energies() -> dict[str, float]:
    """Accelerators' joules for one hard question of GPQA, at the fullest batch published [J]."""
    runs = token_energies()
    runs = runs[runs["task"] == "gpqa"]
    return {
        name: float(runs[runs["id"].str.startswith(name)]["request_energy"].min())
        for name in ("deepseek-r1", "gpt-oss-120b")
    }

"""Tables of the energy chapter: served tokens and a law, a ladder of joules, two writers."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.constants import N_A

from tokenwall import data, scenario
from tokenwall.brain import (
    affordable_spike_rate,
    energy_per_event,
    synaptic_event_rate,
    tokens_per_joule,
)
from tokenwall.data.comparisons import compared, sides
from tokenwall.data.energies import energies, token_energies
from tokenwall.data.facts import estimate, facts
from tokenwall.data.selections import selected
from tokenwall.energy import (
    computing_energy_per_token,
    erased_bits_per_multiply_add,
    landauer_energy,
    moving_energy_per_token,
    reliable_bit_energy,
    served_energy_per_token,
    switches_per_multiply_add,
    wire_energy,
)
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.ledger_rows.energy import flop_energy, memory_price, rack_power, record_energy
from tokenwall.ledger_rows.serving import RECORD, RECORD_MACHINE, RECORD_MODEL
from tokenwall.roofline import memory_step_time

if TYPE_CHECKING:
    import pandas as pd

METHODS = (
    "brain-mechanism",
    "brain-retina-models",
    "brain-retina-networks",
    "brain-vision-networks",
)
CHARGED = {
    "part": "brain, or accelerators",
    "whole": "body, or rack",
    "site": "body and computer, or rack and hall",
    "taught": "body with youth, or rack with training",
}
"""Who is charged: on the person's side, and on the rack's."""
KEYS = {
    ("tokens", "part"): "energy-tokens-part",
    ("tokens", "whole"): "energy-tokens-whole",
    ("tokens", "site"): "energy-tokens-site",
    ("tokens", "taught"): "energy-tokens-taught",
    ("answers", "part"): "energy-answers-part",
    ("answers", "whole"): "energy-answers-whole",
    ("answers", "site"): "energy-answers-site",
    ("operations", "part"): "energy-operations-part",
    ("operations", "whole"): "energy-operations-whole",
}
"""The declared comparison of each group and boundary."""
SERIES = {
    "llama-3.1-405b-8xb200": "405 billion, 8 B200",
    "llama-3.1-70b-4xh100": "70 billion, 4 H100",
    "llama-3.1-70b-2xb200": "70 billion, 2 B200",
    "llama-3.1-8b-1xh100": "8 billion, 1 H100",
    "llama-3.1-8b-1xb200": "8 billion, 1 B200",
}
"""The dense models of the figure, with their labels: all of the selection "energy-dense"."""


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
        fitted; memory (bytes at the published price); sweep (that least power for one sweep of
        the weights); power (the least mean power measured in the series, in watts).
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


def event_energies() -> dict[str, Estimate]:
    """Joules of a synaptic event, by what is divided.

    Returns:
        "released": what one released vesicle adds, both sides of the synapse. "cortex": the
        cortex's own ATP over its events, upkeep included. "brain": all glucose of the brain over
        the cortex's events, so that the rest of the brain is charged to them too [J].
    """
    each = estimate("brain", "atp_energy", table="energies") * Estimate.exact(1 / N_A)
    rates = [
        estimate("brain", name, table="energies")
        for name in ("synapses", "spike_rate", "release_probability")
    ]

    def shared(power: float, synapses: float, rate: float, share: float) -> float:
        events = synaptic_event_rate(synapses, rate, release_probability=share)
        return float(energy_per_event(power, events))

    known = energies("brain")
    cortex = each * Estimate.exact(known["cortical_atp_rate"])
    brain = estimate("brain", "power", table="energies")
    return {
        "released": each * Estimate.exact(known["atp_per_vesicle"]),
        "cortex": through(shared, cortex, *rates),
        "brain": through(shared, brain, *rates),
    }


def bit_energies() -> dict[str, Estimate]:
    """Joules of one bit that nerve cells pass on, as metered in a fly's retina.

    Returns:
        "synapse": through one chemical synapse; "spike": by graded signals or spikes [J].
    """
    each = estimate("brain", "atp_energy", table="energies") * Estimate.exact(1 / N_A)
    return {
        name: each * estimate("fly-retina", f"{name}_atp_per_bit", table="energies")
        for name in ("synapse", "spike")
    }


def ladder() -> pd.DataFrame:
    """A ladder of joules, from the heat of one bit to a prompt.

    Returns:
        A frame with kind (floor, silicon, brain or token), label, estimate, and its value, low
        and high [J].
    """
    import pandas as pd

    warm = energies("room")["temperature"]
    error = energies("switch")["error_probability"]
    old, new, wire = energies("silicon-45nm"), energies("silicon-7nm"), energies("wire-32nm")
    span = float(wire_energy(1e-3, wire["voltage"], capacitance_per_length=wire["capacitance"]))
    sweep = float(served_fits().loc["llama-3.1-70b-4xh100", "step"])
    events, bits, exact = event_energies(), bit_energies(), Estimate.exact
    aloud = person_powers()["part"] * exact(1 / writer_rates()["reads aloud"])
    limit = estimate("cmos-limit", "efficiency", table="energies").inverse()
    rows: list[tuple[str, str, Estimate]] = [
        ("floor", "k T ln 2, one bit at room temperature", exact(float(landauer_energy(warm)))),
        (
            "floor",
            "a switch that throws its barrier away",
            exact(float(reliable_bit_energy(warm, error))),
        ),
        ("floor", "one operation at the CMOS limit", limit),
        ("silicon", "adding two 8-bit numbers, 7 nm", exact(new["int8_add"])),
        ("silicon", "one bit over 1 mm of wire", exact(span)),
        ("silicon", "multiplying two 16-bit numbers, 7 nm", exact(new["fp16_multiply"])),
        ("silicon", "multiplying two 32-bit numbers, 45 nm", exact(old["fp32_multiply"])),
        (
            "silicon",
            "reading 64 bits from stacked memory",
            estimate("silicon-7nm", "dram_word", table="energies"),
        ),
        ("brain", "one bit through a synapse of a fly", bits["synapse"]),
        ("brain", "one released vesicle, what it adds", events["released"]),
        ("brain", "one synaptic event, cortex's energy", events["cortex"]),
        ("brain", "one synaptic event, brain's energy", events["brain"]),
        ("brain", "one spike with its synapses", exact(spike_cost()["spike"])),
        ("token", "one token of the record rack", record_energy()),
        ("token", "one sweep of 70 billion weights", exact(sweep)),
        ("brain", "one token read aloud, the brain's share", aloud),
        (
            "token",
            "one median prompt of a large service",
            exact(energies("gemini-prompt")["energy"]),
        ),
    ]
    frame = pd.DataFrame(rows, columns=["kind", "label", "estimate"])
    for end in ("value", "low", "high"):
        frame[end] = [getattr(each, end) for each in frame["estimate"]]
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
        "int32_add": "add two 32-bit integers",
        "fp16_add": "add two 16-bit numbers",
        "fp16_multiply": "multiply two 16-bit numbers",
        "fp32_add": "add two 32-bit numbers",
        "fp32_multiply": "multiply two 32-bit numbers",
        "sram_8k_word": "read 64 bits of 8 KB on the chip",
        "sram_32k_word": "read 64 bits of 32 KB on the chip",
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


def brain_operations() -> dict[str, Estimate]:
    """Operations that would stand for a brain, by published method, and all four together [FLOP/s].

    The ranges are what a method allows. They are no chances, and are not drawn from.
    """
    found = {key: estimate(key, "operation_rate", table="energies") for key in METHODS}
    ends = [(each.low, each.high) for each in found.values()]
    lows, highs = zip(*ends, strict=True)
    spikes = found[METHODS[0]].value
    return {**found, "all methods": Estimate(spikes, min(lows), max(highs), Spread.OPINIONS)}


def operation_estimates() -> dict[str, Estimate]:
    """Published estimates of a brain's operations for each of its joules, by label [FLOP/J]."""
    keys = {
        "brain-mechanism": "spikes counted",
        "brain-retina-models": "a retina's arithmetic, scaled up",
        "brain-vision-networks": "networks that see, scaled up",
        "brain-retina-networks": "networks that predict a retina",
        "brain-hotz": "Hotz",
    }
    joule = person_powers()["part"].inverse()
    return {
        label: estimate(key, "operation_rate", table="energies") * joule
        for key, label in keys.items()
    }


def record_operations(power: Estimate) -> Estimate:
    """Operations that the record's tokens took, for each joule of a power [FLOP/J].

    The weights' multiply-adds alone, two operations each, at the record's rate.

    Args:
        power: charged with them [W].
    """
    done = float(computing_energy_per_token(record_multiply_adds(), 1.0))
    return Estimate.exact(done * facts(RECORD)["token_rate"]) * power.inverse()


def peak_operations(power: Estimate) -> Estimate:
    """Four-bit operations of the record rack at its peak, for each joule of a power [FLOP/J].

    Args:
        power: charged with them [W].
    """
    peak = float(data.machine(RECORD_MACHINE)["peak_rate_fp4"]) * facts(RECORD)["accelerators"]
    return Estimate.exact(peak) * power.inverse()


def person_powers() -> dict[str, Estimate]:
    """Watts of a person by what is charged: the brain, the body, and the body with a computer."""
    brain = estimate("brain", "power", table="energies")
    body = brain * Estimate.exact(1 / energies("brain")["body_share"])
    computer = estimate("person", "computer_power", table="energies")
    return {"part": brain, "whole": body, "site": through(operator.add, body, computer)}


def rack_powers() -> dict[str, Estimate]:
    """Watts of the record rack by what is charged: accelerators, the rack, and its hall.

    All are ratings, since nobody published what was drawn; the hall's overhead is a fleet's.
    """
    rated = float(data.machine(RECORD_MACHINE)["tdp"]) * facts(RECORD)["accelerators"]
    hall = Estimate.exact(energies("gemini-prompt")["pue"])
    return {"part": Estimate.exact(rated), "whole": rack_power(), "site": rack_power() * hall}


def task_energies() -> Estimate:
    """What speaking adds to the brain's energy, for each token read aloud [J/token]."""
    extra = person_powers()["part"] * estimate("brain", "task_increase", table="energies")
    return extra * _rate("reads aloud").inverse()


def even_increase() -> float:
    """Rise of the brain's power while speaking at which a token costs what the rack pays [1]."""
    brain, spoken = person_powers()["part"].value, writer_rates()["reads aloud"]
    return record_energy().value * spoken / brain


def comparison() -> pd.DataFrame:
    """What a person and the record rack make of one joule, by what is counted and who is charged.

    Each ratio is declared in comparisons.csv, so both sides count alike. Its interval spans the
    ends of all that went in, and its kind is that of the loosest of them: no chance is implied.

    Returns:
        A frame with counted, group, charged (in words), unit, person and rack (values),
        ratio (an Estimate, person over rack) and ahead ("person", "rack" or "open": the interval
        holds one).
    """
    import pandas as pd

    made = [*_words(), *_answers(), *_operations()]
    rows = []
    for group, counted, at, person, rack in made:
        key = KEYS[group, at]
        ratio = compared(key, person, rack)
        ahead = "rack" if ratio.high < 1 else "person" if ratio.low > 1 else "open"
        unit = sides(key)[0].unit
        values = person.value, rack.value
        rows.append((counted, group, CHARGED[at], unit, *values, ratio, ahead))
    names = ["counted", "group", "charged", "unit", "person", "rack", "ratio", "ahead"]
    return pd.DataFrame(rows, columns=names)


def matrix() -> pd.DataFrame:
    """The comparison as a matrix: what is counted against who is charged.

    Returns:
        A frame of words: who is ahead how many times at the values, and over the intervals' ends;
        empty where no like sides are published.
    """
    table = comparison()
    table["cell"] = [_cell(ratio) for ratio in table["ratio"]]
    wide = table.pivot(index="counted", columns="charged", values="cell").fillna("")
    wide = wide.loc[list(dict.fromkeys(table["counted"])), list(CHARGED.values())]
    return wide.rename_axis("counted", axis=0).rename_axis(None, axis=1)


def _cell(ratio: Estimate) -> str:
    rack = ratio.value < 1
    shown = ratio.inverse() if rack else ratio
    low, middle, high = (times(each) for each in (shown.low, shown.value, shown.high))
    return f"{'rack' if rack else 'person'} {middle} ({low} to {high})"


def times(number: float) -> str:
    """A factor in two digits and in words of plain size, for example 4,200 or 0.15.

    Args:
        number: the factor, above zero.
    """
    digits = 1 - int(np.floor(np.log10(number)))
    rounded = round(number, digits)
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:.{max(digits, 0)}f}"


Made = tuple[str, str, str, Estimate, Estimate]


def _rate(name: str) -> Estimate:
    each = estimate("english", "tokens_per_word")
    return Estimate.exact(writer_rates()[name] / each.value) * each


def _words() -> list[Made]:
    spent, paid = person_powers(), rack_powers()
    record = Estimate.exact(facts(RECORD)["token_rate"])
    daily = estimate("person", "words_per_day", table="energies")
    talk = daily * estimate("english", "tokens_per_word")
    aloud, typed = _rate("reads aloud"), _rate("types")
    rows = [
        ("tokens", label, at, _joule(rate, spent[at]), _joule(record, paid[at]))
        for label, rate, boundaries in (
            ("tokens, reading aloud", aloud, ("part", "whole")),
            ("tokens, an expert typing", typed, ("part", "whole", "site")),
            ("tokens spoken, over day and night", talk, ("part", "whole")),
        )
        for at in boundaries
    ]
    taught = talk * _writing_share()
    rows.append(
        (
            "tokens",
            "tokens spoken, over day and night",
            "taught",
            _joule(taught, spent["whole"]),
            _with_training(_joule(record, paid["whole"])),
        )
    )
    return rows


def _joule(rate: Estimate, power: Estimate) -> Estimate:
    return through(lambda each, watts: float(tokens_per_joule(each, watts)), rate, power)


def _writing_share() -> Estimate:
    """Share of a life that comes after learning to write."""
    life, youth = (
        estimate("person", name, table="energies") for name in ("life_time", "learning_time")
    )
    return through(lambda years, learning: 1 - learning / years, life, youth)


def _with_training(written: Estimate) -> Estimate:
    """Tokens a joule of a rack, once its model's training is shared out over its service."""
    device = estimate("llama-2-70b-training", "device_power", table="energies")
    spent = device * Estimate.exact(energies("llama-2-70b-training")["device_time"])
    years = estimate("gb300-rack", "service_time", table="energies")
    served = Estimate.exact(facts(RECORD)["token_rate"]) * years
    return through(lambda each, learnt: 1 / (1 / each + learnt), written, spent * served.inverse())


def _answers() -> list[Made]:
    """Right answers to questions of GPQA for each joule."""
    known, spent = energies("gemini-prompt"), person_powers()
    parts = known["chip_share"] + known["host_share"] + known["idle_share"]
    whole = parts / known["chip_share"]
    over = {"part": 1.0, "whole": whole, "site": whole * known["pue"]}
    minutes = estimate("gpqa", "time", table="energies")
    right = Estimate.exact(energies("gpqa")["nonexpert_accuracy"])
    asked = question_energies()
    return [
        (
            "answers",
            f"right answers, {label}",
            at,
            right * (spent[at] * minutes).inverse(),
            estimate("gpqa", accuracy, table="energies") * Estimate.exact(1 / asked[name] / more),
        )
        for name, label, accuracy in (
            ("deepseek-r1", "DeepSeek-R1", "deepseek_r1_accuracy"),
            ("gpt-oss-120b", "gpt-oss-120b", "gpt_oss_120b_accuracy"),
        )
        for at, more in over.items()
    ]


def _operations() -> list[Made]:
    spent, paid, rates = person_powers(), rack_powers(), brain_operations()
    return [
        (
            "operations",
            f"operations, {label}",
            at,
            rates[method] * spent[at].inverse(),
            record_operations(paid[at]),
        )
        for method, label in ((METHODS[0], "spikes counted"), ("all methods", "all methods"))
        for at in ("part", "whole")
    ]


def paths() -> pd.DataFrame:
    """Published operations that are not of ordinary silicon, beside the floors of the ledger.

    Returns:
        A frame indexed by operation: energy [J], counted, known ("measured" or "theory"),
        left_out, and how many times the energy is the CMOS limit's, the wasted barriers' and
        k T ln 2 for each forgotten bit. The floors are those of the multiply-add of the ledger at
        300 K, or of one switch at the temperature of its operation.
    """
    import pandas as pd

    warm, error = energies("room")["temperature"], energies("switch")["error_probability"]
    cold = energies("aqfp-2021")["temperature"]
    circuit = tuple(energies("multiply-add")[f"{name}_bits"] for name in ("operand", "accumulator"))
    gates = {
        "cmos": 2 / energies("cmos-limit")["efficiency"],
        "barrier": float(switches_per_multiply_add(*circuit) * reliable_bit_energy(warm, error)),
        "landauer": float(erased_bits_per_multiply_add(*circuit) * landauer_energy(warm)),
    }
    switch = {
        "cmos": np.nan,
        "barrier": float(reliable_bit_energy(cold, error)),
        "landauer": float(landauer_energy(cold)),
    }
    rows = {}
    for row in selected("energy-paths").itertuples():
        label, left_out = _PATHS[row.key]
        floors = switch if row.key.startswith("aqfp") else gates
        rows[label] = {
            "energy": row.si_value,
            "counted": f"{row.quantity.replace('_', '-')}"
            + (f" at {cold:g} K" if floors is switch else ""),
            "known": "measured" if row.kind == "measured" else "theory",
            "left_out": left_out,
            **{name: row.si_value / floor for name, floor in floors.items()},
        }
    return pd.DataFrame(rows).T.rename_axis("operation")


_PATHS = {
    "aqfp-2021": ("superconducting switch", "refrigerator"),
    "optical-2019": ("light, shot noise", "all but the light"),
    "optical-2022": ("light, 0.66 photons", "all but the light"),
}


def question_energies() -> dict[str, float]:
    """Accelerators' joules for one hard question of GPQA, at the fullest batch published [J]."""
    runs = token_energies()
    runs = runs[runs["task"] == "gpqa"]
    return {
        name: float(runs[runs["id"].str.startswith(name)]["request_energy"].min())
        for name in ("deepseek-r1", "gpt-oss-120b")
    }


def record_multiply_adds() -> float:
    """Multiply-adds of one token of the record's model, attention left out."""
    return scenario.read_parameters(data.model(RECORD_MODEL))

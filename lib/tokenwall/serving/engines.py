"""What an engine reaches of a machine: a few constants a software stack, fitted once.

An engine is the software of one time on one kind of device. Its constants are stored with their
uncertainty in `serving_engines.csv`, written by `tools/fit_serving.py`; which published rows belong
to which engine is in `stacks.csv`.
"""

from __future__ import annotations

import csv
import difflib
import functools
import math
import re
from dataclasses import dataclass, fields
from importlib import resources

import numpy as np
import pandas as pd

__all__ = [
    "ASSUMED",
    "CONSTANTS",
    "FITTED_OR_ASSUMED",
    "IDEAL",
    "NINE_IN_TEN",
    "Engine",
    "default_engine",
    "engine",
    "engine_table",
    "forget",
    "stack_of",
    "stacks",
]


@dataclass(frozen=True)
class Engine:
    """The constants of one engine.

    Attributes:
        name: key of the engine, such as "vLLM 2024".
        bandwidth_fraction: share of the peak bandwidth drawn while reading weights [1].
        cache_fraction: share of the peak bandwidth drawn while reading caches [1].
        compute_fraction: share of the 16-bit peak rate reached while decoding [1].
        prompt_fraction: share of the 16-bit peak rate reached while reading prompts [1].
        eight_bit_factor: what an 8-bit peak rate gives beside the 16-bit share [1].
        four_bit_factor: what a 4-bit peak rate gives beside the 16-bit share [1].
        attention_fraction: share of the 16-bit peak rate in attention while decoding [1].
        prompt_attention_fraction: the same while reading prompts [1].
        flop_per_weight: vector work for one weight that is read [FLOP].
        overhead_per_layer: time of one layer that does not depend on bytes [s].
        overhead_per_step: time of a step that depends on neither layers nor batch [s].
        overhead_per_sequence: time for one sequence in a step [s].
        round_latency: time of one round of an exchange that carries nothing [s].
        link_fraction: share of the link's bandwidth that an exchange reaches [1].
        routing_agreement: 0 where tokens choose experts apart, 1 where all as one [1].
        exposed_fraction: share of the exchanges that nothing else hides [1].
        memory_fraction: share of a device's memory that weights and caches may fill [1].
        decode_spread: spread of the logarithm of measured over predicted step times [1].
        prompt_spread: the same of the time to read prompts [1].
        served_spread: the same of servers saturated with requests [1].
    """

    name: str
    bandwidth_fraction: float = 1.0
    cache_fraction: float = 1.0
    compute_fraction: float = 1.0
    prompt_fraction: float = 1.0
    eight_bit_factor: float = 1.0
    four_bit_factor: float = 1.0
    attention_fraction: float = 1.0
    prompt_attention_fraction: float = 1.0
    flop_per_weight: float = 0.0
    overhead_per_layer: float = 0.0
    overhead_per_step: float = 0.0
    overhead_per_sequence: float = 0.0
    round_latency: float = 0.0
    link_fraction: float = 1.0
    routing_agreement: float = 0.0
    exposed_fraction: float = 0.0
    memory_fraction: float = 1.0
    decode_spread: float = 0.0
    prompt_spread: float = 0.0
    served_spread: float = 0.0

    def __post_init__(self) -> None:
        """Refuse constants that no engine can have."""
        for name in CONSTANTS:
            value, most = getattr(self, name), 1.0 if name in _SHARES else math.inf
            least = ("above" if name in _REACHED else "at least") + " 0"
            end = "" if math.isinf(most) else f" and at most {most:g}"
            try:
                # Arrays are draws of an uncertain constant.
                numbers = np.asarray(value, dtype=float)
            except (TypeError, ValueError):
                numbers = np.array(math.nan)
            bad = ~np.isfinite(numbers) | (numbers < 0) | (numbers > most)
            if name in _REACHED:
                bad |= numbers == 0
            if bad.any():
                worst = value if np.ndim(value) == 0 else numbers[bad].flat[0]
                raise ValueError(
                    f"engine {self.name!r}: {name} is {worst!r}; it must be {least}{end}"
                )


CONSTANTS = tuple(field.name for field in fields(Engine))[1:]
# Those that enter the time of a step or a prompt; the rest are memory and spreads.
FITTED_OR_ASSUMED = CONSTANTS[: CONSTANTS.index("memory_fraction")]
# What no published row can tell: exchanges are hidden behind nothing, and engines keep some memory.
ASSUMED = {"exposed_fraction": 1.0, "memory_fraction": 0.92}
# Nine of ten lie within this many spreads.
NINE_IN_TEN = 1.645
# What is reached of something and divides a time.
_REACHED = frozenset(n for n in CONSTANTS if n.endswith(("_fraction", "_factor"))) - {
    "exposed_fraction"
}
_SHARES = _REACHED | {"exposed_fraction", "routing_agreement"}
# No batch reads fewer experts than one whose tokens all choose alike: a bound.
IDEAL = Engine("ideal", routing_agreement=1.0)


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("tokenwall").joinpath(f"data/{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def engine_table() -> pd.DataFrame:
    """Constants as stored: one number a row, with standard error and what it was fitted on.

    Example:
        >>> table = engine_table().set_index(["key", "quantity"])
        >>> bool(0 < table.loc[("gpt-fast", "bandwidth_fraction"), "value"] <= 1)
        True
    """
    frame = pd.DataFrame(_rows("serving_engines"))
    numbers = ["value", "standard_error", "low", "high"]
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    return frame


@functools.cache
def _stored() -> dict[str, Engine]:
    made: dict[str, dict[str, float]] = {}
    for row in _rows("serving_engines"):
        made.setdefault(row["key"], {})[row["quantity"]] = float(row["value"])
    return {key: Engine(key, **constants) for key, constants in made.items()}


@functools.cache
def stacks() -> pd.DataFrame:
    """Engines and what belongs to each: sources of measurements, devices that default to it.

    Columns: `key`, `family`, `engine` and `source` of the measurements (empty for any), `models`
    and `vendors` (that the row is restricted to), `defaults` (categories of machines), `aliases`,
    `activations` (see `arithmetic_of`).
    """
    return pd.DataFrame(_rows("stacks"))


def stack_of(engine: str, source: str, model: str, vendor: str = "") -> str:
    """The engine that a published row belongs to, or nothing where no constants were fitted.

    Args:
        engine: as the measurement table names it.
        source: its source.
        model: key of its model.
        vendor: of its machine.
    """
    for row in stacks().itertuples():
        models, vendors = row.models.split(), row.vendors.split()
        fits = row.engine == engine and source in row.source.split("; ")
        if fits and (not models or model in models) and (not vendors or vendor in vendors):
            return str(row.key)
    return ""


@functools.cache
def _names() -> dict[str, str]:
    names = {_plain(key): key for key in _stored()}
    for row in stacks().itertuples():
        for alias in (row.key, *row.aliases.split(" | ")):
            if alias and row.key in _stored():
                names.setdefault(_plain(alias), row.key)
    return names


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def engine(name: str | Engine) -> Engine:
    """Constants of an engine by name, or those of the caller's own.

    Args:
        name: key or alias of an engine, "ideal" for a bound without any loss, or an `Engine`.

    Raises:
        ValueError: there is no such engine; the nearest names are given.

    Example:
        >>> engine("ideal").bandwidth_fraction
        1.0
    """
    if isinstance(name, Engine):
        return name
    if not isinstance(name, str):
        raise ValueError(f"engine is {name!r}; it must be a name or an Engine")
    wanted = _plain(name)
    if wanted == "ideal":
        return IDEAL
    if wanted not in _names():
        near = difflib.get_close_matches(wanted, _names(), n=4, cutoff=0.4)
        hint = ", ".join(dict.fromkeys(_names()[match] for match in near)) or ", ".join(_stored())
        raise ValueError(f"engine {name!r} is unknown; nearest: {hint}, or ideal")
    return _stored()[_names()[wanted]]


def default_engine(category: str, vendor: str = "", *, saturated: bool = False) -> str:
    """The engine that most people would run on a kind of machine; "any" where many would do.

    Args:
        category: of the machine table.
        vendor: of the machine table.
        saturated: whether it takes as many requests as fit.
    """
    kinds = [f"{category}/{vendor}", category]
    if saturated:
        kinds = [f"saturated {kind}" for kind in kinds] + kinds
    for kind in kinds if category else []:
        for row in stacks().itertuples():
            if kind in row.defaults.split(" | "):
                return str(row.key)
    return "any"


def arithmetic_of(name: str) -> str:
    """In which width an engine computes: "as weights", "integers" of 8 bits, or "16".

    Args:
        name: key of the engine.
    """
    return _arithmetic().get(name, "as weights")


@functools.cache
def _arithmetic() -> dict[str, str]:
    return dict(zip(stacks()["key"], stacks()["activations"], strict=True))


def forget() -> None:
    """Drop what was read, so that changed tables are read again."""
    for cached in (_stored, _names, stacks, _arithmetic):
        cached.cache_clear()

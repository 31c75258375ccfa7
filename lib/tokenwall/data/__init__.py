"""Tables of machines, models and published measurements, one number a row, each with its source.

The CSV files hold numbers and units as printed; the loaders convert to SI (with B, FLOP, token and
USD) once. Where sources disagree both rows are kept, and `machines` and `models` take one of them
by a stated rule. README.md beside the tables says how to add a row.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, cast

from tokenwall import units

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KINDS",
    "UNITS",
    "chosen",
    "decode_rows",
    "machine",
    "machines",
    "measurements",
    "model",
    "models",
    "resolve",
    "tidy",
]

# Machines whose memory is the system's and is sold in several sizes; the table has the largest.
_UNIFIED = ("apple-soc", "desktop-soc", "single-board")
# A name's gigabytes may be binary where the table's are decimal.
_SAME_MEMORY = 0.08

Rival = Literal["smallest", "largest"]

# Trusted first to last, where several rows give the same quantity.
KINDS = ("specified", "derived", "measured", "estimated", "assumed")

UNITS = {
    "memory_bandwidth": "B/s",
    "memory_capacity": "B",
    "peak_rate_fp32": "FLOP/s",
    "peak_rate_fp16": "FLOP/s",
    "peak_rate_fp8": "FLOP/s",
    "peak_rate_fp4": "FLOP/s",
    "peak_rate_int8": "FLOP/s",
    "link_bandwidth": "B/s",
    "link_domain": "1",
    "tdp": "W",
    "price": "USD",
    "rental_price": "USD/s",
    "on_chip_memory": "B",
    "parameters": "1",
    "active_parameters": "1",
    "layers": "1",
    "dense_layers": "1",
    "hidden_size": "1",
    "heads": "1",
    "kv_heads": "1",
    "head_size": "1",
    "value_head_size": "1",
    "vocabulary": "1",
    "feedforward_size": "1",
    "feedforward_matrices": "1",
    "experts": "1",
    "experts_per_token": "1",
    "expert_feedforward_size": "1",
    "shared_experts": "1",
    "latent_size": "1",
    "query_latent_size": "1",
    "rope_head_size": "1",
    "sliding_window": "token",
    "sliding_layers": "1",
    "context_limit": "token",
    "tied_embeddings": "1",
}

_TIDY = ("machines", "models", "facts", "trends", "energies")
_MACHINE = tuple(UNITS)[: tuple(UNITS).index("parameters")]
_MODEL = tuple(UNITS)[tuple(UNITS).index("parameters") :]
_NUMBERS = (
    "value",
    "devices",
    "weight_bits",
    "weight_bytes",
    "batch",
    "input_tokens",
    "output_tokens",
    "context",
    "kv_bits",
    "activation_bits",
    "requests",
)


def tidy(table: str) -> pd.DataFrame:
    """A table as printed, one number a row, with SI values beside the text.

    Args:
        table: "machines", "models", "facts", "trends" or "energies".

    Returns:
        The rows of the file and the columns si_value, si_low, si_high (nan where empty).

    Raises:
        ValueError: there is no such table, or a number or unit in it cannot be read.

    Example:
        >>> rows = tidy("machines").set_index(["key", "quantity", "source"])
        >>> float(rows.loc[("rtx-4090", "memory_bandwidth", "epoch2026hardware"), "si_value"])
        1.008e12
    """
    return _tidy(table).copy()


def machines(*, rival: Rival = "smallest") -> pd.DataFrame:
    """Machines, one a row, quantities in SI.

    Where rows disagree, the kind named first in `KINDS` wins; among rows of that kind the one that
    prints most digits, since others round it; and among those the smallest value, so that no
    machine is flattered.

    Args:
        rival: which of equally trusted and precise rows to take, "smallest" or "largest".

    Returns:
        A frame indexed by key; `attrs["units"]` gives the unit of each quantity.

    Raises:
        ValueError: the rule is unknown.

    Example:
        >>> float(machines().loc["h100-sxm", "memory_bandwidth"])
        3.35e12
    """
    return _wide("machines", rival).copy()


def models(*, rival: Rival = "smallest") -> pd.DataFrame:
    """Language models, one a row; a dense model's active parameters are all of them.

    Parameters count both embedding tables, active or not. Rival rows as in `machines`.

    Args:
        rival: which of equally trusted and precise rows to take, "smallest" or "largest".

    Returns:
        A frame indexed by key; `attrs["units"]` gives the unit of each quantity.

    Raises:
        ValueError: the rule is unknown.

    Example:
        >>> float(models().loc["llama-3.1-8b", "parameters"])
        8.03e9
    """
    return _wide("models", rival).copy()


def machine(name: str) -> pd.Series:
    """One machine, by key, name or alias; case and punctuation do not matter.

    Args:
        name: for example "h100-sxm", "NVIDIA H100 SXM" or "H100".

    Raises:
        ValueError: no machine has that name; the nearest names are given.

    Example:
        >>> float(machine("RTX 4090")["memory_capacity"])
        24e9
    """
    return _row("machines", name)


def model(name: str) -> pd.Series:
    """One model, by key, name or alias; case and punctuation do not matter.

    Args:
        name: for example "llama-2-70b" or "Llama 2 70B".

    Raises:
        ValueError: no model has that name; the nearest names are given.

    Example:
        >>> float(model("DeepSeek-R1")["latent_size"])
        512.0
    """
    return _row("models", name)


def measurements() -> pd.DataFrame:
    """Published measurements, numbers as floats, with `si_value` and its `si_unit`.

    Batch-1 decode rows come first. `context` is the prompt and half of what was generated: the mean
    number of tokens in the cache while decoding. It is empty where the lengths are unknown. An
    empty batch with an output rate means a server saturated with requests.

    Example:
        >>> bool(measurements()["plausible"].iloc[0])
        True
    """
    return _measurements().copy()


def decode_rows() -> pd.DataFrame:
    """Measured tokens per second of one user alone, without speculation.

    Returns:
        Rows of `measurements` at batch 1, implausible ones included, with the column rate
        [token/s]; rows printed as a time per token are inverted.

    Example:
        >>> rows = decode_rows()
        >>> len(rows) > 700 and bool((rows["rate"] > 0).all())
        True
    """
    rows = measurements()
    rates = rows["metric"].eq("decode_rate")
    times = rows["metric"].eq("time_per_output_token")
    single = rows[(rates | times) & rows["batch"].eq(1)].copy()
    inverse = single["metric"].eq("time_per_output_token")
    single["rate"] = single["si_value"].where(~inverse, 1 / single["si_value"])
    return single.reset_index(drop=True)


def resolve(table: str, name: str) -> str:
    """The key that a key, name or alias stands for.

    Args:
        table: "machines" or "models".
        name: key, name or alias, or as model hubs, tags and files write it; case and punctuation
            do not matter.

    Raises:
        ValueError: the name is unknown; the nearest names are given.

    Example:
        >>> resolve("models", "meta-llama/Llama-3.1-8B-Instruct")
        'llama-3.1-8b'
        >>> resolve("machines", "M2 Ultra 76-Core GPU 192GB")
        'apple-m2-ultra'
    """
    names = _names(table)
    wanted = _plain(name)
    if wanted in names:
        return names[wanted][0]
    from tokenwall.data.names import key_of

    return key_of(table, name)


def _row(table: str, name: str) -> pd.Series:
    row = cast("pd.Series", _wide(table, "smallest").loc[resolve(table, name)]).copy()
    return _with_memory(row, name) if table == "machines" else row


def _with_memory(row: pd.Series, name: str) -> pd.Series:
    """The row with the memory that a machine's name states, where it is sold with that much."""
    from tokenwall.data.names import memory_of

    stated, most = memory_of(name), float(row["memory_capacity"])
    if stated is not None and math.isnan(most):
        row["memory_capacity"] = stated
    if stated is None or math.isnan(most) or abs(stated / most - 1) < _SAME_MEMORY:
        return row
    if row["category"] not in _UNIFIED or stated > most:
        raise ValueError(
            f"machine {name!r} names {stated / 1e9:g} GB; {row['name']} has {most / 1e9:g} GB in "
            "the table. Give a mapping with memory_capacity for another"
        )
    row["memory_capacity"] = stated
    return row


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower().replace("+", "plus"))


def _read(name: str) -> pd.DataFrame:
    import pandas as pd

    with resources.files(__name__).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def _line(table: str, index: int) -> str:
    return f"{table}.csv, line {index + 2}"


@functools.cache
def _names(table: str) -> dict[str, tuple[str, str]]:
    """Plain spelling to key and printed spelling."""
    if table not in ("machines", "models"):
        raise ValueError(f"table is {table!r}; it must be 'machines' or 'models'")
    names: dict[str, tuple[str, str]] = {}
    for row in _read(f"{table}_index").itertuples():
        for text in (str(row.key), str(row.name), *str(row.aliases).split(" | ")):
            known = names.setdefault(_plain(text), (str(row.key), text)) if text else (row.key,)
            if known[0] != row.key:
                where = _line(f"{table}_index", cast("int", row.Index))
                raise ValueError(f"{where}: {text!r} of {row.key} is a name of {known[0]} already")
    return names


@functools.cache
def _tidy(table: str) -> pd.DataFrame:
    if table not in _TIDY:
        raise ValueError(f"table is {table!r}; it must be one of {', '.join(map(repr, _TIDY))}")
    frame = _read(table)
    keys = set(_read(f"{table}_index")["key"]) if table in ("machines", "models") else None
    for column in ("value", "low", "high"):
        frame[f"si_{column}"] = math.nan
    converted = []
    for row in frame.itertuples():
        try:
            converted.append(_numbers(row, keys))
        except ValueError as error:
            where = f"{_line(table, cast('int', row.Index))} ({row.key}, {row.quantity})"
            raise ValueError(f"{where}: {error}") from None
    frame[["si_value", "si_low", "si_high"]] = converted
    return frame


def _numbers(row: Any, keys: set[str] | None) -> list[float]:
    """Value, low and high of a row in SI, once it is known to be sound."""
    if row.kind not in KINDS:
        raise ValueError(f"kind is {row.kind!r}; it must be one of {', '.join(KINDS)}")
    if keys is not None:
        if row.key not in keys:
            raise ValueError(f"key {row.key!r} is not in the index")
        if row.quantity not in UNITS:
            near = difflib.get_close_matches(row.quantity, UNITS, n=1)
            raise ValueError(f"the quantity is unknown; nearest: {', '.join(near) or 'nothing'}")
        if _dimension(row.unit) != _dimension(UNITS[row.quantity]):
            raise ValueError(f"unit is {row.unit!r}; it must be one of {UNITS[row.quantity]}")
    numbers = [_si(text, row.unit) for text in (row.value, row.low, row.high)]
    if not math.isfinite(numbers[0]):
        raise ValueError(f"value is {row.value!r}; it must be a finite number")
    return numbers


@functools.cache
def _dimension(unit: str) -> Any:
    units.to_si(1.0, unit)
    return units.registry().get_dimensionality("" if unit == "1" else unit)


def _si(text: str, unit: str) -> float:
    if not text:
        return math.nan
    try:
        # Fifteen digits undo the last-bit noise of the factor, so that printed digits survive.
        return float(f"{_factor(unit) * float(text):.15g}")
    except ValueError:
        units.to_si(1.0, unit)
        raise ValueError(f"{text!r} is no number") from None


@functools.cache
def _factor(unit: str) -> float:
    return units.to_si(1.0, unit)


def _digits(text: str) -> int:
    """Digits printed, a trailing zero included: 2.00 has three."""
    return len(re.sub(r"e.*|\D", "", text.lower()).lstrip("0"))


def chosen(table: str, *, rival: Rival = "smallest") -> pd.DataFrame:
    """The rows of a table that count where sources disagree, by the rule of `machines`.

    Args:
        table: "machines" or "models".
        rival: which of equally trusted and precise rows to take, "smallest" or "largest".

    Returns:
        Rows of `tidy`, with its index, one for each key and quantity.

    Raises:
        ValueError: the rule is unknown.

    Example:
        >>> len(tidy("machines")) > len(chosen("machines"))
        True
    """
    if rival not in ("smallest", "largest"):
        raise ValueError(f"rival is {rival!r}; it must be 'smallest' or 'largest'")
    rows = _tidy(table)
    rows = rows.assign(rank=rows["kind"].map(KINDS.index), digits=rows["value"].map(_digits))
    rows = rows.sort_values(
        ["rank", "digits", "si_value"], ascending=[True, False, rival == "smallest"]
    )
    return rows.drop_duplicates(["key", "quantity"])


@functools.cache
def _wide(table: str, rival: Rival) -> pd.DataFrame:
    wide = chosen(table, rival=rival).pivot(index="key", columns="quantity", values="si_value")
    quantities = _MACHINE if table == "machines" else _MODEL
    index = _read(f"{table}_index")
    for row in index[index["key"].duplicated() | ~index["year"].str.isdecimal()].itertuples():
        where = _line(f"{table}_index", cast("int", row.Index))
        raise ValueError(
            f"{where}: key {row.key!r} stands twice, or year {row.year!r} is no number"
        )
    index = index.set_index("key").astype({"year": int})
    frame = index.join(wide.reindex(columns=list(quantities)))
    if table == "models":
        frame["active_parameters"] = frame["active_parameters"].fillna(frame["parameters"])
    frame.attrs["units"] = {quantity: UNITS[quantity] for quantity in quantities}
    return frame


@functools.cache
def _measurements() -> pd.DataFrame:
    import pandas as pd

    frame = _read("measurements")
    for column in _NUMBERS:
        numbers = pd.to_numeric(frame[column], errors="coerce").astype(float)
        _refuse("measurements", frame, column, numbers.isna() & frame[column].ne(""))
        frame[column] = numbers
    _refuse("measurements", frame, "plausible", ~frame["plausible"].isin(["true", "false"]))
    for table in ("machine", "model"):
        known = _read(f"{table}s_index")["key"]
        _refuse("measurements", frame, table, ~frame[table].isin(known))
    frame["plausible"] = frame["plausible"].eq("true")
    si_units = {unit: _base(unit) for unit in frame["unit"].unique()}
    frame["si_value"] = frame["value"] * frame["unit"].map(_factor)
    frame["si_unit"] = frame["unit"].map(si_units)
    return frame


def _refuse(table: str, frame: pd.DataFrame, column: str, wrong: pd.Series) -> None:
    for index in frame.index[wrong]:
        row = frame.loc[index]
        raise ValueError(
            f"{_line(table, index)} ({row['id']}): {column} {row[column]!r} is not one that can be"
        )


def _base(unit: str) -> str:
    """The unit without its prefix, as the library writes it."""
    return {"ms": "s", "ms/token": "s/token", "ms/token**2": "s/token**2", "GB/s": "B/s"}.get(
        unit, unit
    )

"""Published speeds of naive and of tiled attention on one device, and what was measured here."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from tokenwall.data import machine
from tokenwall.data.facts import facts
from tokenwall.units import to_si

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURED", "attention_device", "attention_speeds", "measured_here", "parsed"]

MEASURED = "attention_measured.csv"
_COUNTS = ("head_size", "heads", "batch", "tokens", "naive", "fused", "fused_bytes")


def attention_speeds() -> pd.DataFrame:
    """Published pairs of speeds, naive and tiled, of the same attention on the same device.

    Returns:
        The rows of attention_speed.csv with numbers as floats; naive and fused are as printed, in
        the unit of the row, and naive_si and fused_si are FLOP/s or s. The formats of both kernels
        have columns of their own, since a narrower one is faster for reasons besides its tiles.

    Example:
        >>> rows = attention_speeds().set_index("id")
        >>> float(rows.loc["a100-fig2", "naive_si"])
        0.0417
    """
    return _read("attention_speed.csv")


def measured_here() -> pd.DataFrame | None:
    """What `tools/measure_attention.py` stored, or None where no GPU has been at hand.

    Returns:
        A frame as `attention_speeds` gives, with the columns device and date besides.
    """
    found = resources.files(__package__).joinpath(MEASURED)
    return _read(MEASURED) if found.is_file() else None


def attention_device(key: str) -> dict[str, float]:
    """Memory bandwidth and arithmetic rates of a device in the table of speeds.

    Args:
        key: of the machine table, or of a fact for a device that the table lacks.

    Raises:
        ValueError: it is in neither.

    Example:
        >>> attention_device("rtx-a5000")["memory_bandwidth"]
        768000000000.0
    """
    row: Any
    try:
        row = machine(key)
    except ValueError:
        row = facts(key)
    wanted = ("memory_bandwidth", "peak_rate_fp16", "peak_rate_fp8")
    return {name: float(row[name]) for name in wanted if name in row and row[name] == row[name]}


def parsed(file: Any) -> pd.DataFrame:
    """A table of speeds from an open file, numbers as floats, with naive_si and fused_si.

    Args:
        file: with the columns of attention_speed.csv, and maybe more.
    """
    import pandas as pd

    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    for column in _COUNTS:
        frame[column] = frame[column].astype(float)
    frame["causal"] = frame["causal"].eq("true")
    factor = frame["unit"].map(lambda unit: to_si(1.0, unit))
    for column in ("naive", "fused"):
        values = (frame[column] * factor).map(lambda value: f"{value:.15g}")
        frame[f"{column}_si"] = values.astype(float)
    return frame


def _read(name: str) -> pd.DataFrame:
    with resources.files(__package__).joinpath(name).open(encoding="utf-8") as file:
        return parsed(file)

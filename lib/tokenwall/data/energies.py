"""Published energies: of an operation, a bit moved, a wire, a spike, a prompt, a token."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tokenwall.data import _read, tidy
from tokenwall.data.facts import _found

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["energies", "energy_interval", "energy_sources", "token_energies"]

_NUMBERS = (
    "devices",
    "weight_bits",
    "batch",
    "output_tokens",
    "value",
    "power",
    "token_rate",
    "request_energy",
)


def energies(key: str) -> dict[str, float]:
    """All numbers under one key of energies.csv, by quantity, in SI.

    Args:
        key: for example "silicon-7nm".

    Raises:
        ValueError: there is nothing under that key; the nearest keys are given.

    Example:
        >>> energies("silicon-7nm")["fp32_multiply"]
        1.31e-12
    """
    rows = _found(tidy("energies"), "key", key)
    return dict(zip(rows["quantity"], rows["si_value"].astype(float), strict=True))


def energy_interval(key: str, quantity: str) -> tuple[float, float, float]:
    """Value, low and high end of one number, in SI; without an interval all three are the value.

    Args:
        key: as in energies.csv.
        quantity: as in energies.csv.

    Raises:
        ValueError: there is no such number; the nearest are given.

    Example:
        >>> energy_interval("gb300-rack", "power")
        (142000.0, 135000.0, 155000.0)
    """
    row = _found(_found(tidy("energies"), "key", key), "quantity", quantity).iloc[0]
    value, low, high = (float(row[f"si_{name}"]) for name in ("value", "low", "high"))
    return value, value if low != low else low, value if high != high else high


def energy_sources(*keys: str) -> str:
    """Bibliography keys behind the numbers under some keys, joined by "; ".

    Args:
        keys: as in energies.csv.

    Raises:
        ValueError: there is nothing under a key; the nearest keys are given.

    Example:
        >>> energy_sources("gb300-rack", "cmos-limit")
        'ho2023; lenovo2025gb300'
    """
    rows = tidy("energies")
    return "; ".join(sorted({s for key in keys for s in _found(rows, "key", key)["source"]}))


def token_energies() -> pd.DataFrame:
    """Measured energy of the accelerators for each output token, one published run a row.

    Returns:
        A frame with value [J/token], power [W], token_rate [token/s], request_energy [J] and what
        was run; `series` names runs that differ in their batch alone.

    Example:
        >>> runs = token_energies()
        >>> bool((runs["value"] > 0).all()) and runs["series"].nunique() > 10
        True
    """
    return _token_energies().copy()


@functools.cache
def _token_energies() -> pd.DataFrame:
    frame = _read("token_energies")
    for column in _NUMBERS:
        frame[column] = frame[column].astype(float)
    frame["series"] = frame["id"].str.replace(r"-\d{4}b?$", "", regex=True)
    return frame

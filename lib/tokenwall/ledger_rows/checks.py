"""Bars of the ledger against measurements that they were not drawn from, and where doubt sits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tokenwall import scenario
from tokenwall.data import machine as machine_row
from tokenwall.data import measurements
from tokenwall.data import model as model_row
from tokenwall.data.facts import facts
from tokenwall.ledger import Ledger
from tokenwall.ledger_rows.published import RACKS, served_fraction
from tokenwall.ledger_rows.serving import fewer_bits_row
from tokenwall.light import hop_time_per_token, tensor_parallel_step_time
from tokenwall.roofline import memory_step_time
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["checks", "doubts", "rack_from_its_predecessor", "sharing_gain"]

# Rates of one engine on one kind of device: fewer bits, and more devices.
SLIM = {
    "Llama 2 7B on one A100": ("llama-2-7b", 1),
    "Llama 2 70B on eight A100": ("llama-2-70b", 8),
}
SHARED = ("llama-2-70b", 8, 8)  # model, bits, devices
DEVICE = "a100-sxm-80gb"


def rack_from_its_predecessor() -> tuple[float, float]:
    """The newer rack's rate from data sheets and the share its predecessor kept, and as measured.

    Returns:
        predicted and measured [token/s].
    """
    older, newer = sorted(RACKS)
    measured = facts(newer)["token_rate"]
    bound = measured / served_fraction(newer).value
    return bound * served_fraction(older).value, measured


def sharing_gain() -> tuple[float, float]:
    """Gain of one user from one to eight devices that share every layer, and as measured [1]."""
    name, bits, devices = SHARED
    model, device, link = model_row(name), machine_row(DEVICE), facts("nvlink-exchange")
    chain = hop_time_per_token(
        model["layers"], link["collectives_per_layer"], hop_time=link["hop_time"]
    )
    reading = scenario.step_weight_bytes(model, bits)
    bandwidth = float(device["memory_bandwidth"])
    shared = tensor_parallel_step_time(
        reading, bandwidth, hop_time_per_token=chain, tensor_devices=devices
    )
    gain = float(memory_step_time(reading, bandwidth) / shared)
    return gain, _rate(name, bits, devices) / _rate(name, bits, 1)


def checks() -> pd.DataFrame:
    """Each check as a line: what the ledger says, what was measured, and their ratio."""
    import pandas as pd

    rows = {"GB300 rack from the GB200 rack [token/s]": rack_from_its_predecessor()}
    for label, (name, devices) in SLIM.items():
        gained = _rate(name, 4, devices) / _rate(name, 16, devices)
        says = fewer_bits_row(machine_row(DEVICE), model_row(name), 4).factor.value
        rows[f"4 bits instead of 16, {label}"] = (says, gained)
    rows["Eight A100 share every layer instead of one, Llama 2 70B in 8 bits"] = sharing_gain()
    return pd.DataFrame(
        {
            "ledger": [engineering(says) for says, _ in rows.values()],
            "measured": [engineering(was) for _, was in rows.values()],
            "ledger over measured": [f"{says / was:.2f}" for says, was in rows.values()],
        },
        index=list(rows),
    )


def doubts(ledger: Ledger) -> pd.DataFrame:
    """What leaves the end of a ledger open, each cause alone, the widest first.

    A row that lands on a rate from elsewhere starts anew: whatever stands above it does not reach
    the end, however badly it is known. From the last such row on, its causes and the factors of
    the rows below it count. Shares are of widths in the logarithm, since most of these intervals
    are ranges of cases, which come together if somebody chooses them so.

    Args:
        ledger: its end has an interval.

    Returns:
        Columns from and to (the end with that cause at either end of its interval, over the end),
        share of the sum of widths and kind of the interval, by cause.

    Raises:
        ValueError: the end has no interval.
    """
    import pandas as pd

    causes = {ledger.start_label: ledger.start}
    for row in ledger.rows:
        if row.lands_on is not None:
            causes = dict(row.causes) or {row.label: row.lands_on}
        else:
            causes[row.label] = row.factor
    widths = {name: math.log(each.high / each.low) for name, each in causes.items()}
    total = math.fsum(widths.values())
    if total == 0:
        raise ValueError("the end of the ledger has no interval, so nothing leaves it open")
    open_ = sorted((name for name in causes if widths[name] > 0), key=lambda name: -widths[name])
    return pd.DataFrame(
        {
            "from": [causes[name].low / causes[name].value for name in open_],
            "to": [causes[name].high / causes[name].value for name in open_],
            "share": [widths[name] / total for name in open_],
            "kind": [str(causes[name].spread) for name in open_],
        },
        index=open_,
    )


def _rate(model: str, bits: float, devices: int) -> float:
    """Best measured rate of one user with gpt-fast [token/s]."""
    table = measurements()
    found = table[
        (table["engine"] == "gpt-fast")
        & (table["model"] == model)
        & (table["machine"] == DEVICE)
        & (table["metric"] == "decode_rate")
        & (table["weight_bits"] == bits)
        & (table["devices"] == devices)
        & (table["batch"] == 1)
    ]
    if found.empty:
        raise ValueError(f"no gpt-fast row for {model} in {bits:g} bits on {devices} {DEVICE}")
    return float(found["si_value"].max())

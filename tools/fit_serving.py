"""Fit the constants of engines to published rows and write data/serving_engines.csv.

Deterministic: the same measurements give the same file. What spread a prediction has is taken from
rows that a fit has not seen: whole sources left out in turn, and, for sources that alone measured
an engine, whole devices.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tokenwall.serving import engines, fit, held_out, published

PATH = Path(__file__).parents[1] / "lib" / "tokenwall" / "data" / "serving_engines.csv"
FITTED = "2026-11-25"
COLUMNS = (
    "key,quantity,value,unit,standard_error,low,high,kind,source,locator,retrieved,note".split(",")
)
UNITS = {"flop_per_weight": "FLOP"}
SHARES = {name for name, prior in fit.FITTED.items() if prior.share}
# Rows below which an engine's own spread says less than everybody's.
ENOUGH = 12


def row(key: str, name: str, value: float, error: float, **fields: str) -> dict[str, str]:
    unit = "s" if name.startswith("overhead") or name == "round_latency" else UNITS.get(name, "1")
    most = 1.0 if name in SHARES else np.inf
    # Two standard errors of the logarithm: no constant reaches nothing.
    factor = math.exp(2 * error / value) if value > 0 else 1.0
    low, high = value / factor, min(value * factor, most)
    return {
        "key": key,
        "quantity": name,
        "value": f"{value:.4g}",
        "unit": unit,
        "standard_error": f"{error:.2g}",
        "low": f"{low:.3g}",
        "high": f"{high:.3g}",
        "locator": "tools/fit_serving.py",
        "retrieved": FITTED,
        **fields,
    }


def spread_of(errors: pd.Series) -> float:
    """Spread of which `predict` takes so many that nine in ten logarithmic errors lie within."""
    return float(np.quantile(np.abs(errors), 0.9) / engines.NINE_IN_TEN)


def spreads(judged: pd.DataFrame, stack: str) -> dict[str, float]:
    """Spread of each regime for one engine, from rows that its fit did not see."""
    groups = {
        "decode_spread": ["single", "batched"],
        "prompt_spread": ["prompt"],
        "served_spread": ["saturated"],
    }
    found = {}
    for name, regimes in groups.items():
        every = judged[judged["regime"].isin(regimes)]
        own = every[every["stack"] == stack]
        found[name] = spread_of((own if len(own) >= ENOUGH else every)["log_error"])
    return found


def rows_of(made: fit.Fit, judged: pd.DataFrame, stack: str) -> list[dict[str, str]]:
    own = [case for case in made.cases if case.stack == stack] or made.cases
    devices = len({case.device.key for case in own})
    shared = {
        "kind": "derived",
        "source": "; ".join(sorted({case.row.source for case in own})),
        "note": f"{len(own)} rows on {devices} devices",
    }
    constants, errors = made.engine(stack), made.standard_errors(stack)
    rows = [row(stack, n, getattr(constants, n), errors[n], **shared) for n in made.names]
    rows += [
        row(stack, name, value, 0.0, **{**shared, "note": "of rows that no fit had seen"})
        for name, value in spreads(judged, stack).items()
    ]
    for name, note in (
        ("exposed_fraction", "exchanges are taken as hidden behind nothing"),
        ("memory_fraction", "engines keep a tenth of the free memory for themselves"),
    ):
        assumed = {**shared, "kind": "assumed", "note": note}
        rows.append(row(stack, name, getattr(constants, name), 0.0, **assumed))
        low, high = ("0", "1") if name == "exposed_fraction" else ("0.85", "0.97")
        rows[-1].update(low=low, high=high)
    return rows


def main() -> int:
    cases, left = published.cases()
    made = fit.Fit(cases)
    judged = held_out.judge(cases)
    rows = [
        found
        for stack in ("any", *sorted(made.family_of))
        for found in rows_of(made, judged, stack)
    ]
    with PATH.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda each: (each["key"], each["quantity"])))
    held_out.write(judged)
    engines.forget()
    with pd.option_context("display.width", 160, "display.max_rows", 200, "display.precision", 3):
        print(f"{len(cases)} rows fitted, {len(left)} left out")
        print(held_out.summary(judged, ["regime"]))
        print(held_out.summary(judged, ["stack", "regime"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

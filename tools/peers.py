"""Ask four published programs for times that were measured, and compare: `make peers`.

    python tools/peers.py [PEER ...]

Makes an environment for each under _build/peers (a first run fetches some 2 GB), hands all of them
the same list of cases, made from our tables, and writes lib/tokenwall/data/peer_predictions.csv. A
peer that cannot be installed or run keeps the rows it has.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import subprocess
import sys
import time
import venv
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from peer_calls import PEERS
from tokenwall import data
from tokenwall.data import peers

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "_build" / "peers"
TABLE = ROOT / "lib" / "tokenwall" / "data" / "peer_predictions.csv"
VERSIONS = {
    "llm-analysis": "0.2.2",
    "genz-llm": "0.0.16",
    "mlsysim": "0.3.0",
    "aiconfigurator": "0.12.0",  # Linux on x86-64 only
}
COLUMNS = ("peer", "version", "setting", "id", "quantity", "value", "unit")
FIELDS = ("batch", "context", "input_tokens", "output_tokens")
MACHINE = (
    "memory_bandwidth memory_capacity peak_rate_fp16 peak_rate_fp8 peak_rate_int8 link_bandwidth "
    "year"
).split()
DOUBTFUL = "D18"


def python(peer: str) -> Path:
    """The interpreter of a peer's environment, which may not exist."""
    return HOME / peer / "bin" / "python"


def install(peer: str) -> str:
    """Make the environment unless it is there; the error, or nothing."""
    wanted = f"{peer}=={VERSIONS[peer]}"
    stamp = HOME / peer / "installed.txt"
    if stamp.is_file() and stamp.read_text() == wanted:
        return ""
    print(f"Installing {wanted} ...", flush=True)
    try:
        venv.create(HOME / peer, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no environment: {error}"
    pip = [str(python(peer)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = subprocess.run([*pip, wanted], capture_output=True, text=True)
    if run.returncode:
        return (run.stderr.strip().splitlines() or ["pip failed"])[-1]
    stamp.write_text(wanted)
    return ""


def number(value: Any) -> float:
    """Zero where a table has nothing."""
    return 0.0 if value != value else float(value)


def question(
    model: str, machine: str, devices: float, bits: tuple[float, float, float]
) -> dict[str, Any]:
    """What a peer has to build: a model on a machine, in SI.

    Args:
        model: key.
        machine: key.
        devices: tensor parallelism.
        bits: widths of weights, cache and activations.
    """
    row = data.models().loc[model]
    quantities = data.models().attrs["units"]
    return {
        "model": {"name": model, **{name: number(row[name]) for name in quantities}},
        "machine": {
            "name": machine,
            **{name: number(data.machines().loc[machine, name]) for name in MACHINE},
        },
        "devices": devices,
        **dict(zip(("weight_bits", "kv_bits", "activation_bits"), bits, strict=True)),
    }


def cases() -> list[dict[str, Any]]:
    """Every workload that a plain static model can be asked for."""
    rows = peers.workloads()
    return [
        {
            "id": row.Index,
            "quantity": row.quantity,
            "question": question(
                row.model,
                row.machine,
                row.devices,
                (row.weight_bits, row.kv_bits, row.activation_bits),
            ),
            **{name: number(getattr(row, name)) for name in FIELDS},
        }
        for row in rows[rows["reason"].eq("")].itertuples()
    ]


def run(peer: str, asked: Path) -> dict[str, Any] | str:
    """A peer's answers, from a process of its own, or the error."""
    out = HOME / f"{peer}.json"
    command = [str(python(peer)), str(ROOT / "tools" / "peer_calls.py"), peer, str(asked), str(out)]
    start = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, cwd=HOME)
    if ended.returncode:
        return (ended.stderr.strip().splitlines() or ["no message"])[-1]
    print(f"{peer}: {time.perf_counter() - start:.0f} s", flush=True)
    return json.loads(out.read_text())


def lines(peer: str, made: dict[str, Any], quantities: dict[str, str]) -> list[dict[str, str]]:
    """Rows of the table: what the peer could answer."""
    return [
        {
            "peer": peer,
            "version": made["version"],
            "setting": setting,
            "id": case,
            "quantity": quantities[case],
            "value": f"{value:.5g}",
            "unit": "token/s" if quantities[case] == "output_rate" else "s",
        }
        for setting, given in made["answers"].items()
        for case, value in given.items()
        if not isinstance(value, str) and math.isfinite(value) and value > 0
    ]


def kept(ran: set[str]) -> list[dict[str, str]]:
    """Stored rows of peers that did not run now."""
    if not TABLE.is_file():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["peer"] not in ran]


def coverage(made: dict[str, dict[str, Any]], total: int) -> str:
    """How many cases each peer answered, and why not the others."""
    parts = []
    for peer, found in made.items():
        for setting, given in found["answers"].items():
            reasons = Counter(value for value in given.values() if isinstance(value, str))
            parts.append(f"{peer}, {setting}: {total - reasons.total()} of {total}")
            parts += [f"    {count:5d}  {reason}" for reason, count in reasons.most_common(8)]
    return "\n".join(parts)


def group(row: Any) -> str:
    """The line of the table of errors that a case belongs to."""
    if row.id[0] in "DP" and row.id[1:].isdigit():
        if row.quantity == "prefill_time":
            return "22 points: prefill"
        return f"22 points: decode, {'one device' if row.devices == 1 else 'several devices'}"
    engine = "llama.cpp" if row.engine.startswith("llama.cpp") else row.engine
    return f"{engine}: {row.quantity}, {'one device' if row.devices == 1 else 'several'}"


def summary() -> str:
    """Mean absolute error, its signed mean and the median, in %, by group and by setting."""
    frame = peers.errors()
    frame["who"] = frame["peer"] + ", " + frame["setting"]
    frame["group"] = [group(row) for row in frame.itertuples()]
    decode = frame["group"].str.startswith("22 points: decode")
    extra = [
        frame[decode].assign(group="22 points: decode, all"),
        frame[decode & frame["id"].ne(DOUBTFUL)].assign(group=f"22 points: decode, no {DOUBTFUL}"),
    ]
    whole = frame[~frame["group"].str.startswith("22 points")]
    everybody = [who for who in frame["who"].unique() if "added up" not in who]
    answered = whole[whole["who"].isin(everybody)].groupby("id")["who"].nunique()
    common = whole[whole["id"].isin(answered.index[answered.eq(len(everybody))])]
    for quantity in common["quantity"].unique():
        part = common[common["quantity"].eq(quantity) & common["who"].isin(everybody)]
        extra.append(part.assign(group=f"what all answer: {quantity}"))
    held = pd.concat([frame, *extra]).groupby(["group", "who"])["error"]
    table = pd.DataFrame(
        {
            "rows": held.size(),
            "mean |error| %": 100 * held.apply(lambda e: e.abs().mean()),
            "signed %": 100 * held.mean(),
            "median |error| %": 100 * held.apply(lambda e: e.abs().median()),
        }
    )
    return table.round(1).to_string()


def main() -> int:
    """Install, ask, write and say; 1 if a peer could not be run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--table", action="store_true", help="only print the stored errors")
    chosen = parser.parse_args()
    if chosen.table:
        print(summary())
        return 0
    unknown = set(chosen.peers) - set(PEERS)
    if unknown:
        parser.error(f"peer is {sorted(unknown)[0]!r}; it must be one of {', '.join(PEERS)}")
    HOME.mkdir(parents=True, exist_ok=True)
    asked, listed = HOME / "cases.json", cases()
    asked.write_text(json.dumps(listed))
    quantities = {case["id"]: case["quantity"] for case in listed}
    made, failed = {}, []
    for peer in chosen.peers or PEERS:
        found = install(peer) or run(peer, asked)
        if isinstance(found, str):
            failed.append(f"{peer} did not run: {found}")
        else:
            made[peer] = found
    rows = [row for peer, found in made.items() for row in lines(peer, found, quantities)]
    order = {case: place for place, case in enumerate(quantities)}
    rows += kept(set(made))
    rows.sort(key=lambda row: (row["peer"], row["setting"], order.get(row["id"], -1)))
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    reasons = peers.workloads()["reason"]
    asked_of = Counter(reason for reason in reasons if reason)
    print(f"{len(listed)} cases; {asked_of.total()} measurements that nobody is asked for:")
    for reason, count in asked_of.most_common():
        print(f"    {count:5d}  {reason}")
    print(coverage(made, len(listed)))
    if rows:
        print(summary())
    print("\n".join(failed))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())

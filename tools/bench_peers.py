"""How many points a second each peer evaluates, and this library: run by `make bench`.

    python tools/bench_peers.py [--seconds S]

A point is the time of one decode step of a dense model of 7 or 8 billion parameters on an A100 or
H100, batch 1 to 32, context 512 to 2,047. Each peer runs alone in a process of its environment,
which `make peers` makes; objects are built before the clock starts and no point is asked for twice,
so that an answer that was kept is not what is timed. The fastest pass counts, since a busy machine
only makes it slower; the median is beside it. Writes lib/tokenwall/data/peer_speeds.csv, if all
peers ran, so that its rows are of one machine.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from peer_calls import PEERS, Question, quiet

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "lib" / "tokenwall" / "data" / "peer_speeds.csv"
COLUMNS = "program version path value unit median points processor python date kind note".split()
MODELS, MACHINES = ("llama-2-7b", "llama-3-8b"), ("a100-sxm-80gb", "h100-sxm")
BATCHES, CONTEXTS = (1, 2, 4, 8, 16, 32), (512, 1024, 1536)
ARRAY, LEAST_PASSES, MOST_PASSES = 100_000, 3, 500
SLOW = 0.1  # s a point: then one pass over fewer points
REPORT = "REPORT "


def passes(call: Callable[[int], int], seconds: float) -> list[float]:
    """Seconds a point of each pass; `call` gets the number of the pass and returns its points."""
    call(0)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while (time.perf_counter() < end and len(found) < MOST_PASSES) or len(found) < LEAST_PASSES:
        start = time.perf_counter()
        count = call(1 + len(found))
        found.append((time.perf_counter() - start) / count)
    return found


def scalar(steps: list[Callable[[int, int], float]], seconds: float) -> dict[str, Any]:
    """Time of a function of one point, over models, machines, batches and contexts."""
    grid = [(step, b, c) for step in steps for b in BATCHES for c in CONTEXTS]
    start = time.perf_counter()
    steps[0](1, 511)
    steps[0](2, 511)
    if (time.perf_counter() - start) / 2 > SLOW:
        grid = grid[:: len(grid) // 6]

    def call(number: int) -> int:
        for step, batch, context in grid:
            step(batch, context + number)
        return len(grid)

    return {"points": len(grid), "passes": passes(call, seconds)}


def child(peer: str, seconds: float) -> None:
    """Inside a peer's environment: time its documented call and its cheapest path."""
    from importlib.metadata import version

    ask, documented, settings = PEERS[peer]
    options = next(iter(settings.values()))
    rows = []
    with quiet():
        asked = [Question(question) for question in json.load(sys.stdin)]
        if documented:
            slow = [documented(question, options) for question in asked]
            rows.append({"path": "documented call", **scalar(slow, seconds)})
        steps = [ask(question, options)[0] for question in asked]
        path = "cheapest path" if documented else "documented call, the only path"
        rows.append({"path": path, **scalar(steps, seconds)})
    print(REPORT + json.dumps({"version": version(peer), "rows": rows}))


def ours(model: str, machine: str, batch: Any, context: Any) -> Any:
    """Decode step times in s of whole arrays, by this library.

    Args:
        model: key.
        machine: key.
        batch: array.
        context: array.

    Raises:
        ImportError: the library has no such function yet.
    """
    from tokenwall.serving import decode_step_times

    return decode_step_times(model, machine, batch=batch, context=context)


def time_ours(seconds: float) -> dict[str, Any]:
    """The same models and machines, arrays of batches and contexts."""
    import numpy as np

    generator = np.random.default_rng(0)
    batch = generator.integers(1, 33, ARRAY).astype(float)
    context = generator.integers(512, 1537, ARRAY).astype(float)

    def call(number: int) -> int:
        for model in MODELS:
            for machine in MACHINES:
                found = np.asarray(ours(model, machine, batch, context + number))
                if found.shape != batch.shape or not (found > 0).all():
                    raise SystemExit("ours gives another shape, or times that are not positive")
        return len(MODELS) * len(MACHINES) * ARRAY

    return {"path": f"arrays of {ARRAY:,}", "points": call(-1), "passes": passes(call, seconds)}


def processor() -> str:
    """Name of the processor as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def rounded(rate: float) -> str:
    """Three digits, written out."""
    return f"{float(f'{rate:.3g}'):.10g}"


def row(program: str, version: str, python: str, found: dict[str, Any]) -> dict[str, str]:
    """A line of the table."""
    return {
        "program": program,
        "version": version,
        "path": found["path"],
        "value": rounded(1 / min(found["passes"])),
        "unit": "1/s",
        "median": rounded(1 / statistics.median(found["passes"])),
        "points": str(found["points"]),
        "processor": f"{processor()}, one core",
        "python": python,
        "date": datetime.date.today().isoformat(),
        "kind": "measured",
        "note": f"fastest of {len(found['passes'])} passes",
    }


def all_rows(seconds: float) -> list[dict[str, str]]:
    """Time every peer that has an environment, then this library."""
    from peers import python, question

    asked = [question(m, d, 1.0, (16.0, 16.0, 16.0)) for m in MODELS for d in MACHINES]
    rows = []
    for peer in PEERS:
        if not python(peer).is_file():
            print(f"{peer}: no environment; `make peers` makes it")
            continue
        command = [str(python(peer)), __file__, "--child", peer, "--seconds", str(seconds)]
        run = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
        told = [line for line in run.stdout.splitlines() if line.startswith(REPORT)]
        if run.returncode or not told:
            print(f"{peer}: failed: {(run.stderr.strip().splitlines() or ['no message'])[-1]}")
            continue
        report = json.loads(told[0].removeprefix(REPORT))
        rows += [
            row(peer, report["version"], platform.python_version(), found)
            for found in report["rows"]
        ]
    try:
        import tokenwall

        mine = time_ours(seconds)
        rows.append(row("tokenwall", tokenwall.__version__, platform.python_version(), mine))
    except ImportError as error:
        print(f"tokenwall: {error}")
    return rows


def main() -> None:
    """Measure, store and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each path of each program")
    parser.add_argument("--child", metavar="PEER", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child, chosen.seconds)
        return
    rows = all_rows(chosen.seconds)
    if set(PEERS) <= {line["program"] for line in rows}:  # one machine and day in the table
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    for line in sorted(rows, key=lambda line: float(line["value"])):
        name = f"{line['program']} {line['version']}, {line['path']}"
        best, usual = (f"{float(line[key]):,.10g}" for key in ("value", "median"))
        print(f"{name:<64} {best:>14} points/s (median {usual})")


if __name__ == "__main__":
    main()

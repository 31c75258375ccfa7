"""Print how far predictions lie from published measurements, beside the bars set for them.

It reads stored predictions by constants that never saw a row, so that it takes seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd

from tokenwall import validation
from tokenwall.plots import rack_tables

RACK_BOUND = 0.25


def refit() -> None:
    """Fit everything again: the engines, the held-out predictions and the points of the peers."""
    tool = Path(__file__).with_name("fit_serving.py")
    subprocess.run([sys.executable, str(tool)], check=True)
    validation.write_points(validation.judge_points())


def figure(bar: validation.Bar) -> str:
    """A bar's figure: a share in percent, or a count where none is allowed."""
    if bar.value != bar.value:
        return "-"
    return f"{bar.value:.0f}" if bar.bound == 0 else f"{bar.value:.2%}"


def print_bars(bars: list[validation.Bar]) -> None:
    for bar in bars:
        bound = "none" if bar.bound == 0 else f"< {bar.bound:.3g}"
        verdict = "met" if bar.met else "no rows" if bar.rows == 0 else "MISSED"
        start = f"{bar.name:46} {figure(bar):>8} {bound:>8}  {verdict:8}"
        print(f"{start} {bar.rows:5d}  {bar.measure}")
        if bar.note:
            print(f"{'':46} {bar.note}")


def print_racks() -> None:
    """Both published racks, by constants that saw neither their benchmark nor their chips."""
    table = rack_tables.against_record()
    for row in table[table["left_out"] == "both"].itertuples():
        verdict = "met" if abs(row.error) < RACK_BOUND else "MISSED"
        start = f"{'rack of ' + row.machine + ', not fitted':46} {row.error:>+8.1%}"
        print(f"{start} {'< ' + str(RACK_BOUND):>8}  {verdict:8}     1  bound by {row.bound}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refit", action="store_true", help="fit everything again (minutes)")
    parser.add_argument("--strict", action="store_true", help="fail on a missed bar")
    chosen = parser.parse_args()
    if chosen.refit:
        refit()
    bars = validation.bars()
    frame = validation.rows()
    print(f"{len(frame)} published rows; figures of rows and devices that no fit had seen\n")
    print_bars(bars)
    print_racks()
    with pd.option_context(
        "display.width",
        160,
        "display.max_columns",
        20,
        "display.max_rows",
        200,
        "display.precision",
        3,
    ):
        for by in (["work"], ["machine_class"], ["source"]):
            print("\n", validation.errors(by, frame), sep="")
        print("\n", validation.misses(frame).drop(columns="text"), sep="")
        fast = validation.beyond_ideal(frame)
        print("\nfaster than without any loss:" if len(fast) else "\nnothing beats the bound")
        print(fast.to_string(index=False) if len(fast) else "")
        print("\n", validation.peer_table(frame), sep="")
        print("\n", validation.intervals(frame), sep="")
        noise = validation.noise()
        print(f"\nsubmitters of one benchmark differ by {noise['spread'].median():.1%} (median)")
    print("\nspeed: make bench")
    missed = [bar.name for bar in bars if not bar.met and bar.rows]
    return 1 if chosen.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())

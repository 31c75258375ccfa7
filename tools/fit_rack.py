"""Fit constants that saw neither the racks' benchmark nor their chips; write rack_constants.csv.

The two published racks are no rows of the measurement table. But the constants of their engine were
fitted to other entries of the same benchmark and to chips of the same generation. So two fits leave
those out.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from tokenwall.serving.fit import FITTED, Fit
from tokenwall.serving.published import Case, cases

PATH = Path(__file__).parents[1] / "lib" / "tokenwall" / "data" / "rack_constants.csv"
ENGINE = "TensorRT-LLM 1"
# The generation of both racks, in every form that was measured.
CHIPS = re.compile(r"g?b[23]00|gb10|rtx-50|.*blackwell")


def left_out() -> dict[str, list[Case]]:
    """Cases that each fit keeps, by what it leaves out."""
    found = cases()[0]
    older = [c for c in found if not CHIPS.match(c.device.key)]
    return {
        "MLPerf": [c for c in found if not c.row.source.startswith("mlperf")],
        "Blackwell": older,
        "both": [c for c in older if not c.row.source.startswith("mlperf")],
    }


def main() -> None:
    with PATH.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["left_out", "engine", "quantity", "value", "rows"])
        for label, kept in left_out().items():
            made = Fit(kept).engine(ENGINE)
            for quantity in FITTED:
                value = f"{getattr(made, quantity):.4g}"
                writer.writerow([label, ENGINE, quantity, value, len(kept)])


if __name__ == "__main__":
    main()

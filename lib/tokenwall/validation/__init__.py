"""How far predictions lie from published measurements, beside the bars that the project set itself.

Every figure is of rows that the fit in question never saw: of devices that were left out (the same
software measured on other devices stays), or of whole sources. An error is that of the rate,
predicted over measured, less one.
"""

from tokenwall.validation.bars import BOUNDS, Bar, bars
from tokenwall.validation.checks import (
    beyond_ideal,
    context_growth,
    coverage,
    file_sizes,
    intervals,
    noise,
    published_slopes,
    weight_counts,
)
from tokenwall.validation.judged import (
    CAUSES,
    CLASSES,
    MISS,
    UNEXPLAINED,
    Cause,
    errors,
    middle,
    misses,
    rows,
)
from tokenwall.validation.points import judge_points, peer_table, point_table, write_points

__all__ = [
    "BOUNDS",
    "CAUSES",
    "CLASSES",
    "MISS",
    "UNEXPLAINED",
    "Bar",
    "Cause",
    "bars",
    "beyond_ideal",
    "context_growth",
    "coverage",
    "errors",
    "file_sizes",
    "intervals",
    "judge_points",
    "middle",
    "misses",
    "noise",
    "peer_table",
    "point_table",
    "published_slopes",
    "rows",
    "weight_counts",
    "write_points",
]

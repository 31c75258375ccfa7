"""Published numbers that the equations must reproduce; none of them comes from our own formula."""

import csv
import importlib
import json
import pkgutil
from pathlib import Path

import pytest
from pybtex.database import parse_file

import tokenwall
from tokenwall.equation import REGISTRY

ROOT = Path(__file__).parents[1]
for module in pkgutil.iter_modules(tokenwall.__path__):
    importlib.import_module(f"tokenwall.{module.name}")
with (ROOT / "tests" / "oracles.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=[f"{r['equation']}-{r['expected']}" for r in ROWS])
def test_published_value(row):
    equation = REGISTRY[row["equation"]]
    expected, tolerance = float(row["expected"]), float(row["tolerance"])
    assert equation(**json.loads(row["inputs"])) == pytest.approx(expected, abs=tolerance)
    assert row["unit"] == equation.unit


def test_tolerances_are_tight_enough_to_mean_something():
    assert all(float(r["tolerance"]) <= 0.1 * abs(float(r["expected"])) for r in ROWS)


def test_every_source_exists():
    keys = set(parse_file(ROOT / "book" / "references.bib").entries)
    assert {row["source"] for row in ROWS} <= keys
    assert all(row["locator"] for row in ROWS)


def test_rows_are_sorted():
    names = [row["equation"] for row in ROWS]
    assert names == sorted(names)

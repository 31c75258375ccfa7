"""Rules that keep errors of meaning out: unlike sides, unstated selections, untested orders."""

import csv
import json
import re
from pathlib import Path

import pytest

from bookpages import toc_pages
from tokenwall.data.comparisons import Side, compared, comparisons, sides
from tokenwall.data.selections import rule, selected, selections
from tokenwall.estimate import Estimate

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "lib" / "tokenwall" / "data"
NOTEBOOKS = [name for name in toc_pages() if (ROOT / f"{name}.ipynb").exists()]
ONE = Estimate.exact(1)
# Words that say which of two computed things is the larger, nearer or earlier one.
ORDER = re.compile(
    r"\bnearer\b|\bnearest (?:wall|limit|bound)\b|\bbinds? (?:first|before|earlier|later|last)\b"
    r"|\b(?:smaller|larger|higher|lower|longer|shorter|faster|slower|cheaper|dearer) than "
    r"(?:any|all|every|the|that|both)\b|\b(?:exceeds?|overtakes?|outweighs?)\b"
)


def cells(name: str) -> list[dict]:
    return json.loads((ROOT / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def printed(name: str) -> str:
    """All that a page says: prose, code and stored outputs."""
    path = ROOT / f"{name}.ipynb"
    if not path.exists():
        return (ROOT / f"{name}.md").read_text(encoding="utf-8")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("key", sorted(set(comparisons()["key"])))
def test_both_sides_of_a_comparison_are_counted_alike(key):
    first, second = sides(key)
    assert first.differences(second) == []
    assert compared(key, ONE, ONE).value == 1


@pytest.mark.parametrize(
    "row", comparisons().to_dict("records"), ids=lambda row: f"{row['key']} {row['name']}"
)
def test_a_comparison_is_made_where_it_is_declared(row):
    assert row["page"] in toc_pages()
    sources = [*(ROOT / "lib").rglob("*.py"), *(ROOT / "book").rglob("*.ipynb")]
    assert any(row["key"] in path.read_text(encoding="utf-8") for path in sources), row


@pytest.mark.parametrize("field", ["measure", "unit", "boundary", "level", "overhead"])
def test_unlike_sides_are_refused(field, monkeypatch):
    usual = {
        "name": "a",
        "measure": "tokens written",
        "unit": "token/J",
        "boundary": "part",
        "level": "mean",
        "overhead": "without",
    }
    other = {"boundary": "site", "level": "peak", "overhead": "with"}.get(field, "another")
    pair = Side(**usual), Side(**{**usual, field: other})
    monkeypatch.setattr("tokenwall.data.comparisons.sides", lambda key: pair)
    with pytest.raises(ValueError, match=rf"cannot be divided: {field} is"):
        compared("any", ONE, ONE)


@pytest.mark.parametrize("key", sorted(selections()["key"]))
def test_a_page_prints_the_rule_of_what_it_shows(key):
    row = selections().set_index("key").loc[key]
    assert len(selected(key)) > 0
    said = printed(row["page"])
    assert rule(key) in said.replace("\\u2019", "’") or f'"{key}"' in said, key


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_statements_of_order_are_asserted_beside_them(name):
    every = cells(name)
    for place, cell in enumerate(every):
        if cell["cell_type"] != "markdown" or not ORDER.search(text(cell)):
            continue
        before = next((c for c in reversed(every[:place]) if c["cell_type"] == "code"), None)
        after = next((c for c in every[place + 1 :] if c["cell_type"] == "code"), None)
        checked = any(c and re.search(r"\bassert\b", text(c)) for c in (before, after))
        assert checked, f"{name}: {ORDER.search(text(cell))[0]!r} in: {text(cell)[:200]}"


def rows(table: str) -> list[dict[str, str]]:
    with (TABLES / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", rows("errata"), ids=lambda row: row["key"])
def test_an_erratum_is_complete_and_names_a_page(row):
    assert row["page"] in toc_pages()
    assert all(row[name] for name in ("key", "quantity", "before", "reason"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"])


@pytest.mark.parametrize("row", rows("errata"), ids=lambda row: row["key"])
def test_what_an_erratum_says_is_printed_now_is_printed(site, row):
    from bs4 import BeautifulSoup

    page = BeautifulSoup((site / f"{row['page']}.html").read_text(encoding="utf-8"), "html.parser")
    said = " ".join(page.find("main").get_text(" ").split())
    squeezed = re.sub(r"\s+", "", said)
    for part in filter(None, row["now"].split(" | ")):
        assert re.sub(r"\s+", "", part) in squeezed, (row["page"], part)


def test_errata_have_unique_keys_and_known_sources():
    keys = [row["key"] for table in ("errata", "source_errata") for row in rows(table)]
    assert len(set(keys)) == len(keys)
    known = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    for row in rows("source_errata"):
        assert f"{{{row['source']}," in known, row
        assert all(row[name] for name in ("locator", "printed", "should_be", "reason"))

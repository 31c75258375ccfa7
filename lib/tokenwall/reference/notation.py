"""The page of notation: every quantity, by name and by letter."""

from __future__ import annotations

import csv
import functools
import re
from importlib import resources
from pathlib import Path

from tokenwall.equation import quantity, symbol_table
from tokenwall.reference import markup
from tokenwall.reference.book import Page, equations, pages


def notation(root: Path) -> str:
    """Every row of symbols.csv, with where it is first met and which equations use it.

    Args:
        root: folder of _toc.yml.
    """
    table = symbol_table()
    book = pages(root)
    return "\n\n".join(
        [
            f"## By name\n\nThe library has {len(table)} quantities.",
            markup.table(
                "Quantities by name",
                ("Name", "Letter", "Meaning", "Unit", "Usual range", "Met in"),
                [(f' id="{markup.slug(name)}"', _row(name, book)) for name in sorted(table)],
                "tw-notation",
            ),
            "## By letter\n\nLatin letters stand before Greek ones, in the order of the alphabet.",
            markup.table(
                "Quantities by letter",
                ("Letter", "Name", "Meaning", "Unit"),
                [("", _by_letter(name)) for name in sorted(table, key=_letter_order)],
                "tw-letters",
            ),
        ]
    )


@functools.cache
def elsewhere() -> dict[str, list[dict[str, str]]]:
    """How other authors write a quantity, by name: the rows of symbols_elsewhere.csv."""
    text = resources.files("tokenwall").joinpath("symbols_elsewhere.csv").read_text("utf-8")
    found: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["name"], []).append(row)
    return found


def _row(name: str, book: tuple[Page, ...]) -> list[str]:
    row = symbol_table()[name]
    known = equations()
    first = next((page for page in book if name in page.quantities), None)
    users = [key for key in known if name in known[key].parameters]
    where = [markup.page(first.name, first.title)] if first else []
    if users:
        where.append("goes into " + markup.listing(markup.formula(key) for key in users))
    given = f" Given by {markup.formula(name)}." if name in known else ""
    for other in elsewhere().get(name, []):
        place = markup.cite(other["source"], other["locator"])
        given += f" Elsewhere {markup.math(other['latex'])}: {place}."
    return [
        f'<a href="#{markup.slug(name)}">{markup.name(name)}</a>',
        markup.math(row.latex),
        markup.text(row.meaning) + f".{given}",
        markup.unit(row.unit),
        f"{markup.usual(name)}; allowed: {markup.domain(quantity(name).domain)}",
        "; ".join(where) or "–",
    ]


def _by_letter(name: str) -> list[str]:
    row = symbol_table()[name]
    return [
        markup.math(row.latex),
        f'<a href="#{markup.slug(name)}">{markup.name(name)}</a>',
        markup.text(row.meaning),
        markup.unit(row.unit),
    ]


def _letter_order(name: str) -> tuple[bool, str, str, str]:
    """Latin before Greek, small beside capital, a bare letter before one with an index."""
    latex = symbol_table()[name].latex
    letters = re.sub(r"\\text|[{}\s]", "", latex)
    greek = letters.startswith("\\") and not letters.startswith("\\ell")
    stem = re.split(r"[_^]", letters.removeprefix("\\"))[0]
    return greek, stem.lower(), stem.swapcase(), letters

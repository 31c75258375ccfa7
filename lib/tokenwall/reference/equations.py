"""The index of equations: each with its formula, parameters, source, checks and one call."""

from __future__ import annotations

import csv
import json
from itertools import groupby
from pathlib import Path

from tokenwall.data.claims import claims
from tokenwall.equation import Equation, quantity, symbol_table
from tokenwall.reference import markup
from tokenwall.reference.book import Page, computed_by, equations, modules, pages
from tokenwall.reference.docstrings import Docstring, parse
from tokenwall.units import engineering


def index(root: Path) -> str:
    """All equations by module.

    Args:
        root: folder of _toc.yml.
    """
    known = equations()
    book, checks, asked = pages(root), oracles(root), _claims()
    by_module = groupby(known, key=lambda name: known[name].__module__)
    derived = sum(bool(equation.derivation) for equation in known.values())
    lines = [
        f"There are {len(known)} equations: {len(set(checks) & set(known))} must reproduce "
        f"published numbers, and {derived} are derived on a page of this book."
    ]
    for module, names in by_module:
        about = parse(modules()[module].__doc__).summary
        lines.append(f"## {module.removeprefix('tokenwall.')}\n\n{about}")
        for name in names:
            equation = known[name]
            entry = _entry(name, equation, book, checks.get(name, []), asked.get(name, []))
            lines += [f"### {name}", *entry]
    return "\n\n".join(lines)


def oracles(root: Path) -> dict[str, list[dict[str, str]]]:
    """Published numbers that equations must reproduce, by equation.

    Args:
        root: folder that holds tests/oracles.csv.
    """
    found: dict[str, list[dict[str, str]]] = {}
    with (root / "tests" / "oracles.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["equation"], []).append(row)
    return found


def _claims() -> dict[str, list[str]]:
    """Claims whose figure an equation computes, by equation."""
    found: dict[str, list[str]] = {}
    for claim in claims():
        for name in computed_by(claim):
            found.setdefault(name, []).append(claim.id)
    return found


def _entry(
    name: str,
    equation: Equation[...],
    book: tuple[Page, ...],
    checks: list[dict[str, str]],
    asked: list[str],
) -> list[str]:
    doc = parse(equation.__doc__)
    unit = markup.unit(equation.unit)
    result = f"{markup.quantity(name)}, " + ("a pure number" if unit == "–" else f"in {unit}")
    about = markup.pairs(
        [
            ("Gives", result),
            ("Limits", markup.text(doc.sections.get("Limits", ""))),
            ("Source", _source(equation)),
            ("Derived in", _derived(equation, book)),
            ("Used on", _users(name, book)),
            ("Behind the claims", _asked(asked)),
            ("Must reproduce", _checks(equation, checks)),
        ]
    )
    example = doc.sections.get("Example") or doc.sections.get("Examples") or ""
    call = f">>> from {equation.__module__} import {name}\n{example}"
    more = "".join(f"<p>{markup.text(part)}</p>" for part in doc.body)
    return [
        f"<p>{markup.text(doc.summary)}</p>",
        f"$$\n{equation.latex}\n$$",
        f'<div class="tw-entry">{more}{_parameters(name, equation, doc)}{about}'
        f"{markup.code(call)}</div>",
    ]


def _parameters(name: str, equation: Equation[...], doc: Docstring) -> str:
    said = doc.entries("Args")
    rows = []
    for key in equation.parameters:
        default = equation.defaults.get(key)
        meaning = markup.text(said.get(key, symbol_table()[key].meaning))
        if default is not None:
            meaning += f" {engineering(default, equation.units[key])} if left out."
        rows.append(
            (
                "",
                [
                    f"{markup.math(symbol_table()[key].latex)} {markup.quantity(key)}",
                    meaning,
                    markup.unit(equation.units[key]),
                    markup.domain(quantity(key).domain),
                    markup.usual(key),
                ],
            )
        )
    columns = ("Parameter", "Meaning", "Unit", "Allowed", "Usual range")
    return markup.table(f"Parameters of {name}", columns, rows, "tw-parameters")


def _source(equation: Equation[...]) -> str:
    if equation.source.startswith("own derivation"):
        return "our own derivation"
    key, _, place = equation.source.partition(", ")
    return markup.cite(key, place)


def _derived(equation: Equation[...], book: tuple[Page, ...]) -> str:
    name = equation.derivation.rsplit(".", 1)[0]
    titles = {page.name: page.title for page in book}
    return markup.page(name, titles[name]) if name in titles else ""


def _users(name: str, book: tuple[Page, ...]) -> str:
    direct = [markup.page(page.name, page.title) for page in book if name in page.uses]
    through = [markup.page(page.name, page.title) for page in book if name in page.through]
    behind = f"behind figures, tables or ledger rows of {', '.join(through)}" if through else ""
    return "; ".join(filter(None, [", ".join(direct), behind]))


def _asked(ids: list[str]) -> str:
    return ", ".join(markup.page("book/reference/claims", key, key.lower()) for key in sorted(ids))


def _checks(equation: Equation[...], rows: list[dict[str, str]]) -> str:
    items = []
    for row in rows:
        inputs = json.loads(row["inputs"])
        given = ", ".join(
            f"{key} = {engineering(value, equation.units[key], digits=6)}"
            for key, value in inputs.items()
        )
        wanted = engineering(float(row["expected"]), row["unit"], digits=6)
        within = engineering(float(row["tolerance"]), row["unit"], digits=2)
        note = f" ({markup.text(row['note'])})" if row["note"] else ""
        items.append(
            f"<li><b>{wanted}</b> within {within}, from {markup.text(given)}: "
            f"{markup.cite(row['source'], row['locator'])}{note}</li>"
        )
    return f"<ul>{''.join(items)}</ul>" if items else ""

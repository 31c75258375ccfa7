"""Pieces of markup that the generated pages share: letters, links, units, tables.

A piece of HTML stands on one line, because a blank line would end it in the middle of a page of
Markdown.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Sequence

from tokenwall.equation import symbol_table
from tokenwall.units import Domain, engineering

_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def text(plain: str) -> str:
    """Text for markup: escaped, with the pages' quotation marks; names of code become code.

    Example:
        >>> text('"a" < `b` and b_c')
        '“a” &lt; <code>b</code> and <code>b_<wbr>c</code>'
    """
    marked = re.sub(r"(?<![`\w/.])([a-z]+(?:_[a-z0-9]+)+)(?![`\w/.])", r"`\1`", plain)
    parts = re.split(r"`+([^`]+)`+", " ".join(marked.split()))
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = name(part)
        else:
            curly = re.sub(r'"([^"]*)"', r"“\1”", part).replace("'", "’")
            parts[i] = html.escape(curly, quote=False)
    return "".join(parts)


def name(identifier: str) -> str:
    """A name of code, which may break after an underscore.

    Example:
        >>> name("a_b")
        '<code>a_<wbr>b</code>'
    """
    breakable = re.sub(r"([_.])(?=\w)", r"\1<wbr>", html.escape(identifier, quote=False))
    return f"<code>{breakable}</code>"


def code(source: str) -> str:
    """Lines of code or of a table as a block that the keyboard can scroll."""
    escaped = html.escape(source, quote=False).replace("\n", "&#10;")
    return f'<pre class="tw-code" tabindex="0"><code>{escaped}</code></pre>'


def math(formula: str) -> str:
    """A formula within a line."""
    return f'<span class="math notranslate nohighlight">\\({html.escape(formula)}\\)</span>'


def slug(written: str) -> str:
    """Anchor of a name, the same as the site makes of a heading.

    Letters, digits and hyphens only: the theme's script reads anchors as CSS selectors.

    Example:
        >>> slug("bandwidth_law"), slug("llama-3.1-8b"), slug("910b")
        ('bandwidth-law', 'llama-3-1-8b', 'id-910b')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", written.lower()).strip("-")
    return f"id-{plain}" if plain[:1].isdigit() else plain


def unit(written: str) -> str:
    """A unit as a page shows it, a dash for a pure number.

    Example:
        >>> unit("B/m**3"), unit("1")
        ('B/m³', '–')
    """
    raised = re.sub(r"\*\*(-?\d+)", lambda m: m[1].translate(_POWERS), written)
    return "–" if written == "1" else html.escape(raised.replace("ohm", "Ω").replace("*", "·"))


def usual(key: str) -> str:
    """The usual range of a quantity, from symbols.csv.

    Example:
        >>> usual("bandwidth")
        '10 GB/s to 30 TB/s'
    """
    row = symbol_table()[key]
    low, high = (engineering(value, row.unit) for value in (row.low, row.high))
    return re.sub(r"\*\*(\d)", lambda m: m[1].translate(_POWERS), f"{low} to {high}")


def domain(allowed: Domain) -> str:
    """A domain in words.

    Example:
        >>> domain(Domain(low=0, low_open=True))
        'above 0'
    """
    words = str(allowed).replace("a finite number", "").strip()
    return words.replace("a whole number", "whole,").rstrip(",") or "any"


def cite(key: str, place: str = "") -> str:
    """A source; the site's extension makes a link to its entry of this.

    Example:
        >>> cite("a2020", "table 1")
        '<a data-cite="a2020">a2020</a>, table 1'
    """
    return f'<a data-cite="{html.escape(key)}">{html.escape(key)}</a>' + (
        f", {text(place)}" if place else ""
    )


def link(page: str, label: str, anchor: str = "") -> str:
    """A link to another page of the reference, or to a place on it.

    Example:
        >>> link("equations", "the law", "bandwidth-law")
        '<a href="equations.html#bandwidth-law">the law</a>'
    """
    return f'<a href="{page}.html{"#" if anchor else ""}{anchor}">{label}</a>'


def quantity(key: str) -> str:
    """A quantity's name, linked to its line of the notation."""
    return link("notation", name(key), slug(key))


def formula(key: str) -> str:
    """An equation's name, linked to its entry."""
    return link("equations", name(key), slug(key))


def listing(items: Iterable[str]) -> str:
    """Items with commas between, or a dash."""
    return ", ".join(items) or "–"


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Terms and what is said of them; those of which nothing is said are left out."""
    body = "".join(f"<dt>{term}</dt><dd>{said}</dd>" for term, said in rows if said)
    return f'<dl class="tw-pairs">{body}</dl>' if body else ""


def table(
    label: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], kind: str = ""
) -> str:
    """A table whose rows become cards where there is no room for columns.

    Args:
        label: what the table is, for those who cannot see it.
        columns: headings; the first column names the row.
        rows: attributes of the row (such as an id) and its cells, as markup.
        kind: a class that sets the columns' widths.
    """
    head = "".join(f'<th role="columnheader" scope="col">{column}</th>' for column in columns)
    body = "".join(f"<tr role='row'{given}>{_cells(columns, cells)}</tr>" for given, cells in rows)
    return (
        f'<div class="tw-cards{f" {kind}" if kind else ""}">'
        f'<table role="table" aria-label="{html.escape(label)}"><thead role="rowgroup">'
        f'<tr role="row">{head}</tr></thead><tbody role="rowgroup">{body}</tbody></table></div>'
    )


def _cells(columns: Sequence[str], cells: Sequence[str]) -> str:
    first, *others = cells
    made = [f'<th role="rowheader" scope="row">{first}</th>']
    for column, cell in zip(columns[1:], others, strict=True):
        empty = " class='tw-none'" if cell in ("", "–") else ""
        made.append(f"<td role='cell' data-label='{html.escape(column)}'{empty}>{cell}</td>")
    return "".join(made)


def page(path: str, title: str, anchor: str = "") -> str:
    """A link from the reference to a page of the book.

    Example:
        >>> page("book/memory/x", "A title")
        '<a href="../memory/x.html">A title</a>'
    """
    address = os.path.relpath(path, "book/reference")
    return f'<a href="{address}.html{"#" if anchor else ""}{anchor}">{text(title)}</a>'

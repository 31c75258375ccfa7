"""The claims of the thread as a page: a table that style sheets filter, and one figure.

The table needs no script. Two groups of radio buttons stand above it, and the site's style sheet
hides the rows that do not fit. Every line that counts what is shown is written here, one for each
pair of choices, so that a choice only reveals the right one.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenwall import style
from tokenwall.data.claims import PARTS, VERDICTS, Claim, claims, rules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = {"right": "●", "loose": "◐", "wrong": "✕", "opinion": "◇"}
OUTCOME_MARKS = {"true": "✓", "false": "✕", "open": "?"}
EVERY = "all"
# The site's style sheet shows what it can work; elsewhere, as in a notebook, all rows stand alone.
HIDDEN = ' hidden="hidden"'
_COLUMNS = ("Claim and verdict", "Question and evidence", "Figure", "Readings, reason, sources")


@dataclass(frozen=True)
class Reference:
    """How a page names a source, and where the source is."""

    label: str
    url: str


def counts(rows: Iterable[Claim] | None = None) -> dict[tuple[str, str], int]:
    """Claims by verdict and part, "all" among both.

    Args:
        rows: the claims; all of them if left out.

    Example:
        >>> counts()["all", "all"], counts()["wrong", "mitigations"]
        (65, 0)
    """
    found: Counter[tuple[str, str]] = Counter()
    for row in claims() if rows is None else rows:
        for verdict in (row.verdict, EVERY):
            for part in (row.part, EVERY):
                found[verdict, part] += 1
    return {(v, p): found[v, p] for v in (EVERY, *VERDICTS) for p in (EVERY, *PARTS)}


def references(path: str | Path) -> dict[str, Reference]:
    """Short names and addresses of the entries of a bibliography, by key.

    Args:
        path: a BibTeX file. Reading it needs pybtex, which building the book brings.
    """
    from pybtex.database import parse_file

    found = {}
    for key, entry in parse_file(str(path)).entries.items():
        fields = entry.fields
        doi = fields.get("doi", "")
        url = fields.get("url", f"https://doi.org/{doi}" if doi else "")
        found[key] = Reference(f"{_authors(entry)} {fields['year']}", url)
    return found


def _authors(entry: Any) -> str:
    from pybtex.richtext import Text

    people = entry.persons["author"]
    names = [str(Text.from_latex(" ".join([*p.prelast_names, *p.last_names]))) for p in people]
    if "others" in names or len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


def claims_table(sources: Mapping[str, Reference]) -> Any:
    """All claims as a table with its filters, for a page.

    Args:
        sources: as `references` reads them.

    Raises:
        ValueError: a claim cites a source that is not among them.
    """
    from IPython.display import HTML

    show: Any = HTML
    return show(claims_html(claims(), sources))


def claims_html(rows: Iterable[Claim], sources: Mapping[str, Reference]) -> str:
    """Markup of the filters, the counting line and the table.

    Args:
        rows: the claims.
        sources: bibliography key to its name and address.

    Raises:
        ValueError: a claim cites a source that is not among them.
    """
    rows = tuple(rows)
    totals = counts(rows)
    head = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in _COLUMNS)
    body = "".join(_row(row, sources) for row in rows)
    return (
        f'<div class="tw-claims"><div class="tw-claims-filters"{HIDDEN}>'
        f"{_filter('verdict', 'Verdict', {v: f'{MARKS[v]} {v}' for v in VERDICTS}, totals)}"
        f"{_filter('part', 'Part of the book', PARTS, totals)}</div>"
        f"{_counting(totals)}"
        '<table role="table" aria-label="The claims of the thread">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )


def _filter(
    name: str, legend: str, labels: Mapping[str, str], totals: Mapping[tuple[str, str], int]
) -> str:
    choices = []
    for key, label in {EVERY: EVERY, **labels}.items():
        number = totals[(key, EVERY) if name == "verdict" else (EVERY, key)]
        checked = ' checked="checked"' if key == EVERY else ""
        choices.append(
            f'<span class="tw-choice"><input type="radio" name="tw-{name}" id="tw-{name}-{key}" '
            f'value="{key}" autocomplete="off"{checked}>'
            f'<label for="tw-{name}-{key}">{_text(label)} ({number})</label></span>'
        )
    return f"<fieldset><legend>{legend}</legend>{''.join(choices)}</fieldset>"


def _counting(totals: Mapping[tuple[str, str], int]) -> str:
    every = totals[EVERY, EVERY]
    lines = "".join(
        f'<span data-count="{verdict}-{part}"{"" if verdict == part else HIDDEN}>'
        f"{_shown(verdict, part, number, every)}</span>"
        for (verdict, part), number in totals.items()
    )
    return f'<p class="tw-claims-count" role="status">{lines}</p>'


def _shown(verdict: str, part: str, number: int, every: int) -> str:
    kind = "" if verdict == EVERY else f", verdict {verdict}"
    where = "" if part == EVERY else f", part {PARTS[part]}"
    return f"{number} of {every} claims shown{kind}{where}."


def _row(row: Claim, sources: Mapping[str, Reference]) -> str:
    anchor = row.id.lower()
    mark = f'<span aria-hidden="true">{MARKS[row.verdict]}</span>'
    cells = (
        f'<p class="tw-question">{_text(row.question)}</p><p>{_text(row.evidence)}</p>',
        f"<p>{_text(row.figure)}</p>",
        _reason(row, sources),
    )
    labelled = "".join(
        f'<td role="cell" data-label="{label}">{cell}</td>'
        for label, cell in zip(_COLUMNS[1:], cells, strict=True)
    )
    return (
        f'<tr role="row" id="{anchor}" data-verdict="{row.verdict}" data-part="{row.part}">'
        f'<th role="rowheader" scope="row"><p class="tw-verdict"><a href="#{anchor}">{row.id}</a> '
        f"{mark} {row.verdict}</p><p>“{_text(row.words, '‘’')}”</p>"
        f'<p class="tw-part">{PARTS[row.part]}</p></th>{labelled}</tr>'
    )


def _reason(row: Claim, sources: Mapping[str, Reference]) -> str:
    readings = "".join(
        f'<li data-outcome="{reading.outcome}"><b><span aria-hidden="true">'
        f"{OUTCOME_MARKS[reading.outcome]}</span> {reading.outcome}</b> ({reading.rule}): "
        f"{_text(reading.words)}</li>"
        for reading in row.readings
    )
    parts = [
        f'<ul class="tw-readings" aria-label="Fair readings of {row.id}">{readings}</ul>',
        f"<p>{_text(row.reason)}</p>",
        f"<p><b>What would change the verdict:</b> {_text(row.changes)}</p>",
    ]
    if row.quotes:
        people = ", ".join(f"{quote.person}: {quote.status}" for quote in row.quotes)
        parts.append(f"<p><b>Words of others:</b> {_text(people)}. {_text(row.quote_note)}</p>")
    page = row.chapter.rsplit("/", 1)[-1].replace("_", " ")
    parts.append(
        '<p class="tw-small"><b>Chapter:</b> '
        f'<span data-page="{row.chapter}">to come ({_text(page)})</span></p>'
    )
    cited = "; ".join(_cited(key, place, sources) for key, place in row.sources)
    seen = f"Seen {row.retrieved}." if row.retrieved else "Not seen again for this page."
    note = f" Note: {_text(row.note)}." if row.note else ""
    parts.append(f'<p class="tw-small"><b>Sources:</b> {cited}. {seen}{note}</p>')
    return "".join(parts)


def _cited(key: str, place: str, sources: Mapping[str, Reference]) -> str:
    if key not in sources:
        raise ValueError(f"source {key!r} is not in the bibliography")
    source = sources[key]
    name = _text(source.label)
    linked = f'<a href="{html.escape(source.url)}">{name}</a>' if source.url else name
    return f"{linked}, {_text(place)}"


def _text(text: str, marks: str = "“”") -> str:
    """Text for markup, with the quotation marks that the pages have, or those within others."""
    curly = re.sub(r'"([^"]*)"', rf"{marks[0]}\1{marks[1]}", text).replace("'", "’")
    return html.escape(curly, quote=False)


def verdict_bars(*, narrow: bool = False) -> Figure:
    """Verdicts by part: a bar for each pair, with its mark, word and number beside it.

    Args:
        narrow: for a phone's width.
    """
    from matplotlib.ticker import MaxNLocator

    totals = counts()
    size = (style.NARROW[0], 5.6) if narrow else (style.WIDE[0], 4.9)
    fig, ax = style.figure(narrow, figsize=size)
    place = 0.0
    for part, name in PARTS.items():
        ax.text(0, place, f"{name}, {totals[EVERY, part]} claims", fontweight="bold", va="center")
        for verdict in VERDICTS:
            place += 1
            number = totals[verdict, part]
            ax.barh(place, number, height=0.7, color=style.NEUTRAL)
            ax.annotate(
                f"{MARKS[verdict]} {verdict} {number}",
                (number, place),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
        place += 1.5
    most = max(totals[v, p] for v in VERDICTS for p in PARTS)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlim=(0, most * (1.5 if narrow else 1.25)), ylim=(place - 0.7, -0.8), yticks=[])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    ax.set_xlabel("claims")
    right, every, wrong = totals["right", EVERY], totals[EVERY, EVERY], totals["wrong", EVERY]
    false = f"{wrong} are false in all" if wrong else "none is false in all"
    ax.set_title(
        f"{right} of {every} claims hold in every fair reading,\n{false}"
        if narrow
        else f"{right} of {every} claims hold in every fair reading, {false}"
    )
    return fig


def verdict_bars_alt() -> str:
    """The figure in words, composed from the table."""
    totals = counts()
    parts = [
        f"{name}: " + ", ".join(f"{totals[verdict, part]} {verdict}" for verdict in VERDICTS)
        for part, name in PARTS.items()
    ]
    return f"Bars of the number of claims by part and verdict. {'; '.join(parts)}."


def rules_table(kind: str) -> Any:
    """The definitions of the verdicts, or the rules for readings and outcomes, for a page.

    Args:
        kind: "verdict", "reading" or "outcome".

    Raises:
        ValueError: the kind is none of these.
    """
    from IPython.display import HTML

    head = {
        "verdict": ("Verdict", "When"),
        "reading": ("Rule", "What is a fair reading"),
        "outcome": ("Rule", "How a reading comes out"),
    }
    lines = []
    for rule in rules(kind):
        name = f"{MARKS[rule.key]} {rule.key}" if kind == "verdict" else rule.key
        gives = f" <b>{' or '.join(rule.outcomes)}</b>." if rule.outcomes else ""
        lines.append(f'<tr><th scope="row">{name}</th><td>{_text(rule.words)}{gives}</td></tr>')
    first, second = head[kind]
    show: Any = HTML
    return show(
        f'<table class="tw-rules"><thead><tr><th scope="col">{first}</th>'
        f'<th scope="col">{second}</th></tr></thead><tbody>{"".join(lines)}</tbody></table>'
    )


def quotes_table() -> Any:
    """People to whom the thread gives words, and what was found, as a table for a page."""
    import pandas as pd
    from IPython.display import HTML

    lines = [
        {"claim": row.id, "person": quote.person, "words": quote.status}
        for row in claims()
        for quote in row.quotes
    ]
    table = pd.DataFrame(lines).style.hide(axis="index").set_uuid("quotes")
    show: Any = HTML
    return show(table.to_html())

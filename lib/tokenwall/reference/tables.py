"""The pages of data: every number of the tables as printed, with its kind and its source."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from itertools import groupby
from pathlib import Path

from tokenwall.data import KINDS, chosen, tidy
from tokenwall.reference import markup

Row = dict[str, str]

# Tables with a page of their own, and the column of their index that groups the keys.
PAGES = {"machines": "category", "models": "family", "measurements": "source", "claims": "part"}
# What a program wrote, too long to read, and what the page of claims shows itself: counted on the
# pages, and there to fetch.
LONG = frozenset(
    {"claim_readings", "claim_rules", "peer_predictions", "serving_engines", "serving_held_out"}
)
_COLUMNS = ("Quantity", "As printed", "Kind", "Source", "Note")
_RECALLED = "recalled"
# Columns that the parts of a row already show.
_SHOWN = frozenset("key quantity value unit low high kind source locator retrieved note".split())


def names() -> list[str]:
    """Names of all tables, found in the package's folder.

    Example:
        >>> "facts" in names()
        True
    """
    files = resources.files("tokenwall.data").iterdir()
    return sorted(f.name.removesuffix(".csv") for f in files if f.name.endswith(".csv"))


def rows(table: str) -> list[Row]:
    """Rows of a table as printed.

    Args:
        table: one of `names`.
    """
    with resources.files("tokenwall.data").joinpath(f"{table}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_recalled(row: Row) -> bool:
    """Whether a number was written from memory, as its note then says."""
    return _RECALLED in row.get("note", "")


def overview(root: Path) -> str:
    """All tables: how many rows of which kind, what they hold, where to read or fetch them.

    Args:
        root: folder of _toc.yml.
    """
    lines = []
    for name in names():
        held = rows(name)
        kinds = Counter(row["kind"] for row in held if row.get("kind"))
        counted = [f"{kinds[kind]:,} {kind}" for kind in _ordered(kinds)]
        recalled = sum(map(is_recalled, held))
        said = markup.listing(counted) + (f" ({recalled} recalled)" if recalled else "")
        lines.append(
            (
                f' id="{markup.slug(name)}-table"',
                [
                    _where(name),
                    f"{len(held):,}",
                    said,
                    f"{_sources(held):,}" if held and "source" in held[0] else "–",
                    ", ".join(map(markup.name, held[0] if held else ())),
                ],
            )
        )
    columns = ("Table", "Rows", "Kinds", "Sources", "Columns")
    total = sum(len(rows(name)) for name in names())
    return "\n\n".join(
        [
            f"The {len(names())} tables hold {total:,} rows.",
            markup.table("The tables", columns, lines, "tw-overview"),
            f"## Quantities that need a word\n\n{_explained('Quantities')}",
            "## Files\n\n" + "\n".join(f"- {_download(name)}" for name in names()),
        ]
    )


def machines(root: Path) -> str:
    """Every machine with its numbers, by category.

    Args:
        root: folder of _toc.yml.
    """
    return _by_key("machines")


def models(root: Path) -> str:
    """Every language model with its numbers, by family.

    Args:
        root: folder of _toc.yml.
    """
    return _by_key("models")


def others(root: Path) -> str:
    """The tables that have no page of their own, such as the single facts.

    Args:
        root: folder of _toc.yml.
    """
    own = {name for table in PAGES for name in (table, f"{table}_index")}
    parts = []
    for name in names():
        if name in own:
            continue
        held = rows(name)
        parts.append(f"## {name}\n\n{_counts(held)} {_download(name)}.")
        if name in LONG or not held:
            continue
        label = next(iter(held[0]))
        by_key: dict[str, list[Row]] = {}
        for row in held:
            by_key.setdefault(row[label], []).append(row)
        anchors = {key: f"{markup.slug(name)}-{markup.slug(key)}" for key in by_key}
        if len(by_key) == len(held):
            # A series: one table instead of a heading for each number.
            lines = [(f' id="{anchors[row[label]]}"', _cells(row, "", row[label])) for row in held]
            parts.append(markup.table(f"Numbers of {name}", _COLUMNS, lines, "tw-numbers"))
            continue
        for key, group in by_key.items():
            parts.append(_item(anchors[key], key, "", [(row, "") for row in group]))
    return "\n\n".join(parts)


def measurements(root: Path) -> str:
    """The published measurements, a line for each source.

    Args:
        root: folder of _toc.yml.
    """
    held = rows("measurements")
    by_source: dict[str, list[Row]] = {}
    for row in held:
        by_source.setdefault(row["source"], []).append(row)
    lines = []
    for source, group in sorted(by_source.items(), key=lambda item: (-len(item[1]), item[0])):
        odd = sum(row["plausible"] != "true" for row in group)
        lines.append(
            (
                f' id="{markup.slug(source)}"',
                [
                    markup.cite(source),
                    f"{len(group):,}" + (f", {odd} beyond a bound" if odd else ""),
                    f"{_distinct(group, 'metric', code=True)}; {_distinct(group, 'engine')}",
                    _distinct(group, "machine", page="machines"),
                    _distinct(group, "model", page="models"),
                ],
            )
        )
    implausible = sum(row["plausible"] != "true" for row in held)
    columns = ("Source", "Rows", "Metrics and engines", "Machines", "Models")
    return "\n\n".join(
        [
            f"{_counts(held)} {implausible} rows lie beyond what physics allows; they stay, "
            f"marked. {_download('measurements')}.",
            "## By source",
            markup.table("Measurements by source", columns, lines, "tw-measurements"),
            "## Metrics",
            _explained("Metrics"),
        ]
    )


def _by_key(table: str) -> str:
    column = PAGES[table]
    held = rows(table)
    by_key: dict[str, list[tuple[Row, str]]] = {}
    for row, mark in zip(held, _marks(table), strict=True):
        by_key.setdefault(row["key"], []).append((row, mark))
    index = sorted(rows(f"{table}_index"), key=lambda row: (row[column], row["name"].lower()))
    parts = [
        f"{_counts(held)} Where several sources print a quantity, the library takes the one marked "
        "*chosen* unless told otherwise; another *agrees* with it or is its *rival*. "
        f"{_download(table)}, {_download(f'{table}_index')}."
    ]
    for group, entries in groupby(index, key=lambda row: row[column]):
        # A family may be named like a model of it, and each needs an anchor of its own.
        parts.append(f"## {_title(group)}{' family' if table == 'models' else ''}")
        for entry in entries:
            left_out = ("key", "name", "aliases", column)
            about = [text for name, text in entry.items() if text and name not in left_out]
            lead = f"<code>{entry['key']}</code>, {markup.text(', '.join(about))}"
            if entry["aliases"]:
                lead += f"; also {markup.text(entry['aliases'].replace(' | ', ', '))}"
            own = by_key.get(entry["key"], [])
            parts.append(_item(markup.slug(entry["key"]), entry["name"], lead, own))
    return "\n\n".join(parts)


def _marks(table: str) -> list[str]:
    """For each row whether it is chosen among several, agrees with that one, or is its rival."""
    frame = tidy(table)
    taken = chosen(table)
    value = {(r.key, r.quantity): r.si_value for r in taken.itertuples()}
    several = frame.duplicated(["key", "quantity"], keep=False)
    marks = []
    for row in frame.itertuples():
        same = row.si_value == value[row.key, row.quantity]
        mark = "chosen" if row.Index in taken.index else "agrees" if same else "rival"
        marks.append(mark if several[row.Index] else "")
    return marks


def _title(group: str) -> str:
    words = group.replace("-", " ") if group.islower() else group
    words = re.sub(r"\b(asic|cpu|gpu|soc)\b", lambda m: m[0].upper(), words)
    return words[0].upper() + words[1:]


def _item(anchor: str, title: str, lead: str, held: list[tuple[Row, str]]) -> str:
    """One key with its numbers, each with its mark."""
    lines = [("", _cells(row, mark)) for row, mark in held]
    name = markup.text(title)
    heading = (
        f'<h3 class="tw-item" id="{anchor}">{name}'
        f'<a class="headerlink" href="#{anchor}" aria-label="Link to {name}">#</a></h3>'
    )
    about = f"<p>{lead}</p>" if lead else ""
    numbers = markup.table(f"Numbers of {title}", _COLUMNS, lines, "tw-numbers")
    return f"<div>{heading}{about}{numbers}</div>"


def _cells(row: Row, mark: str, key: str = "") -> list[str]:
    """A number's line: what it is, as printed, its kind, source and note."""
    marks = [_mark(word) for word in (("recalled" if is_recalled(row) else ""), mark) if word]
    more = [
        f"; {column.replace('_', ' ')} {markup.text(said)}"
        for column, said in row.items()
        if said and column not in _SHOWN
    ]
    quantity = markup.name(row.get("quantity", ""))
    return [
        f"{markup.text(key)}, {quantity}" if key else quantity,
        _value(row) + "".join(more),
        row.get("kind", ""),
        _cited(row),
        " ".join([*marks, markup.text(row.get("note", ""))]).strip(),
    ]


def _value(row: Row) -> str:
    shown = markup.text(row.get("value", ""))
    unit = markup.unit(row.get("unit", "1") or "1")
    between = ""
    if row.get("low") or row.get("high"):
        ends = (markup.text(row.get(end, "") or "?") for end in ("low", "high"))
        between = f" ({' to '.join(ends)})"
    return f"<b>{shown}</b>{between}" + ("" if unit == "–" else f" {unit}")


def _cited(row: Row) -> str:
    if "source" not in row:
        return ""
    cited = ", ".join(map(markup.cite, _keys(row)))
    place = f", {markup.text(row['locator'])}" if row.get("locator") else ""
    seen = f", seen {row['retrieved']}" if row.get("retrieved") else ""
    return cited + place + seen


def _mark(word: str) -> str:
    return f'<span class="tw-mark tw-{word}">{word}</span>'


def _counts(held: list[Row]) -> str:
    kinds = Counter(row["kind"] for row in held if row.get("kind"))
    said = ", ".join(f"{kinds[kind]:,} {kind}" for kind in _ordered(kinds))
    recalled = sum(map(is_recalled, held))
    also = f" Written from memory and marked *recalled*: {recalled:,}." if recalled else ""
    number = _sources(held) if held and "source" in held[0] else 0
    sources = f" from {number:,} {'source' if number == 1 else 'sources'}" if number else ""
    return f"{len(held):,} rows{sources}{f': {said}' if said else ''}.{also}"


def _explained(heading: str) -> str:
    """The section of the tables' own guide whose heading starts so."""
    guide = resources.files("tokenwall.data").joinpath("README.md").read_text("utf-8")
    section = guide.split(f"\n## {heading}")[1].partition("\n\n")[2].split("\n## ")[0].strip()
    if not section.startswith("|"):
        return section
    head, _, *body = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.split("\n\n")[0].splitlines()
    ]
    cells = [("", [markup.text(cell) for cell in line]) for line in body]
    after = "\n\n".join(section.split("\n\n")[1:])
    table = markup.table(heading, [markup.text(cell).capitalize() for cell in head], cells)
    return f"{table}\n\n{after}"


def _ordered(kinds: Iterable[str]) -> list[str]:
    """Kinds in the order of trust, unknown ones last."""
    return sorted(kinds, key=lambda kind: (kind not in KINDS, (*KINDS, kind).index(kind)))


def _sources(held: list[Row]) -> int:
    return len({key for row in held for key in _keys(row)})


def _keys(row: Row) -> list[str]:
    """Sources of a row; some tables part them by blanks alone."""
    return row["source"].replace(";", " ").split()


def _distinct(group: list[Row], column: str, *, code: bool = False, page: str = "") -> str:
    found = sorted({row[column] for row in group if row[column]})
    if page:
        keys = {row["key"] for row in rows(f"{page}_index")}
        found = [
            markup.link(page, key, markup.slug(key)) if key in keys else markup.text(key)
            for key in found
        ]
    elif code:
        found = [markup.name(key) for key in found]
    else:
        found = [markup.text(name) for name in found]
    return f"{len(found)}: {', '.join(found)}" if found else "–"


def _where(name: str) -> str:
    table = name.removesuffix("_index")
    if table in PAGES:
        return markup.link(table, f"<code>{name}</code>")
    return markup.link("tables", f"<code>{name}</code>", markup.slug(name))


def _download(name: str) -> str:
    return f"{{download}}`{name}.csv <../../lib/tokenwall/data/{name}.csv>`"

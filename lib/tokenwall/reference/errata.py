"""The errata: what the book printed before, and what is printed wrong in its sources."""

from __future__ import annotations

from pathlib import Path

from tokenwall.reference import markup
from tokenwall.reference.book import pages
from tokenwall.reference.tables import rows

_OWN = ("What", "Printed before", "Printed now", "Why")
_OTHERS = ("Where", "Printed", "Should be", "How we know")


def errata(root: Path) -> str:
    """Corrections by page in the order of the book, then the errors found in sources.

    Args:
        root: folder of _toc.yml.
    """
    held = rows("errata")
    parts = [f"{len(held)} corrections, by page. The newest stand first within a page."]
    for page in pages(root):
        own = [row for row in held if row["page"] == page.name]
        if not own:
            continue
        newest = sorted(own, key=lambda row: row["date"], reverse=True)
        lines = [(f' id="{markup.slug(row["key"])}"', _cells(row)) for row in newest]
        title = markup.page(page.name, page.title)
        parts.append(f"## {page.title}\n\n<p>In {title}:</p>")
        parts.append(markup.table(f"Corrections in {page.title}", _OWN, lines, "tw-errata"))
    parts.append("## Errors found in sources")
    found = [
        (
            f' id="{markup.slug(row["key"])}"',
            [
                markup.cite(row["source"], row["locator"]),
                *(markup.text(row[column]) for column in ("printed", "should_be", "reason")),
            ],
        )
        for row in rows("source_errata")
    ]
    parts.append(markup.table("Errors found in sources", _OTHERS, found, "tw-errata"))
    return "\n\n".join(parts)


def _cells(row: dict[str, str]) -> list[str]:
    now = row["now"].replace(" | ", " … ") or "nothing: it is withdrawn"
    reason = f"{markup.text(row['reason'])} ({row['date']})"
    return [markup.text(row["quantity"]), markup.text(row["before"]), markup.text(now), reason]

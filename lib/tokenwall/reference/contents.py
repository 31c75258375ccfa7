"""The map between pages and modules: what each page takes from the library, and what takes it."""

from __future__ import annotations

from pathlib import Path

from tokenwall.reference import markup
from tokenwall.reference.book import equations, modules, pages
from tokenwall.reference.docstrings import parse


def contents(root: Path) -> str:
    """Two tables: pages with their modules and equations, and modules with their pages.

    Args:
        root: folder of _toc.yml.
    """
    book = pages(root)
    by_page = [
        (
            f' id="{markup.slug(page.name)}"',
            [
                markup.page(page.name, page.title),
                markup.listing(map(_module, page.imports)),
                markup.listing(map(markup.formula, page.derives)),
                markup.listing(map(markup.formula, page.uses)),
                markup.listing(map(markup.formula, page.through)),
            ],
        )
        for page in book
    ]
    known = equations()
    by_module = []
    for name, module in modules().items():
        short = name.removeprefix("tokenwall.")
        if name == "tokenwall":
            continue
        own = {key for key in known if known[key].__module__ == name}
        direct = [page for page in book if short in page.imports]
        through = [
            page
            for page in book
            if page not in direct and own & {*page.uses, *page.through, *page.derives}
        ]
        by_module.append(
            (
                f' id="module-{markup.slug(short)}"',
                [
                    _module(short),
                    markup.text(parse(module.__doc__).summary),
                    markup.listing(markup.page(page.name, page.title) for page in direct),
                    markup.listing(markup.page(page.name, page.title) for page in through),
                ],
            )
        )
    return "\n\n".join(
        [
            "## From pages to modules",
            markup.table(
                "Pages and what they use",
                ("Page", "Modules", "Derives", "Uses", "Behind its figures and tables"),
                by_page,
                "tw-map",
            ),
            "## From modules to pages",
            markup.table(
                "Modules and the pages that use them",
                ("Module", "Subject", "Imported by", "Behind figures of"),
                by_module,
                "tw-modules",
            ),
        ]
    )


def _module(short: str) -> str:
    return markup.link("api", markup.name(short), markup.slug(short))

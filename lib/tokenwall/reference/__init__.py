"""The generated pages of the reference, made from the library whenever the site is built.

A page is a short file in book/reference/ with a title, two sentences and one block that names what
follows. The site's extension fills that block in, so nothing that is generated is ever committed,
and an equation, table or chapter that is added later appears by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tokenwall.reference import api, contents, equations, errata, notation, tables

__all__ = ["PARTS", "fill"]

PARTS: dict[str, Callable[[Path], str]] = {
    "notation": notation.notation,
    "equations": equations.index,
    "data": tables.overview,
    "machines": tables.machines,
    "models": tables.models,
    "tables": tables.others,
    "measurements": tables.measurements,
    "errata": errata.errata,
    "api": api.api,
    "map": contents.contents,
}
_BLOCK = re.compile(r"^```\{generated\} ([\w-]+)\n```$", re.MULTILINE)


def fill(source: str, root: Path) -> str:
    """A page's source with its block replaced by what it names.

    Args:
        source: Markdown.
        root: folder of _toc.yml.

    Raises:
        ValueError: the block names no part.

    Example:
        >>> fill("No block here.", Path())
        'No block here.'
    """

    def made(match: re.Match[str]) -> str:
        if match[1] not in PARTS:
            raise ValueError(f"generated {match[1]!r} is unknown; there are {', '.join(PARTS)}")
        return PARTS[match[1]](root)

    return _BLOCK.sub(made, source)

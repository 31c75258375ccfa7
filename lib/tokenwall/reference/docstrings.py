"""Docstrings taken apart into what they are made of."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_HEADING = re.compile(
    r"(Args|Attributes|Returns|Raises|Limits|Example|Examples|Source|Derivation|Note|Yields):\s*(.*)"
)


@dataclass
class Docstring:
    """A docstring in parts.

    Attributes:
        summary: the first line, without a unit at its end.
        body: the paragraphs after it.
        sections: the rest by heading, as written.
    """

    summary: str
    body: list[str]
    sections: dict[str, str] = field(default_factory=dict)

    def entries(self, heading: str) -> dict[str, str]:
        r"""Names and descriptions of a section such as Args.

        Example:
            >>> doc = parse("A.\n\nArgs:\n    a (B): first\n        word.\n    b: other.")
            >>> doc.entries("Args")
            {'a': 'first word.', 'b': 'other.'}
        """
        found: dict[str, str] = {}
        name = ""
        for line in self.sections.get(heading, "").splitlines():
            start = re.match(r"(\*{0,2}\w+)(?: \([^)]*\))?:\s*(.*)", line)
            if start:
                name = start[1]
                found[name] = start[2]
            elif name:
                found[name] += f" {line.strip()}"
        return found


def parse(doc: str | None) -> Docstring:
    r"""A docstring in parts.

    Args:
        doc: as written, in Google's style.

    Example:
        >>> parse("Rate of one user [token/s].\n\nMore.\n\nSource: a, b").summary
        'Rate of one user.'
    """
    lines = inspect.cleandoc(doc or "").splitlines()
    summary = re.sub(r"\s*\[[^\]]*\](?=\.?$)", "", lines[0]) if lines else ""
    plain: list[str] = []
    sections: dict[str, list[str]] = {}
    current = plain
    for line in lines[1:]:
        heading = _HEADING.match(line)
        if heading:
            current = sections.setdefault(heading[1], [])
            if heading[2]:
                current.append(heading[2])
        else:
            current.append(line)
    body = [part for part in re.split(r"\n\s*\n", "\n".join(plain).strip()) if part]
    return Docstring(
        summary, body, {name: inspect.cleandoc("\n" + "\n".join(s)) for name, s in sections.items()}
    )

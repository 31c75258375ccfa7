"""What the book's pages import, use and derive, read from their sources."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import tokenwall
from tokenwall.equation import REGISTRY, Equation, symbol_table

_NOT_IMPORTED = "sphinxext"


@dataclass(frozen=True)
class Page:
    """A page of the book.

    Attributes:
        name: path without suffix, such as book/memory/one_token.
        title: its first heading.
        imports: modules of the library that its code imports, without the package's name.
        uses: equations that its own code names.
        through: equations that the modules use from which it takes figures, tables and ledger rows.
        derives: equations that name it as the place of their derivation.
        quantities: names of symbols.csv that it uses, alone or in an equation.
    """

    name: str
    title: str
    imports: tuple[str, ...]
    uses: tuple[str, ...]
    through: tuple[str, ...]
    derives: tuple[str, ...]
    quantities: frozenset[str]


@functools.cache
def modules() -> dict[str, ModuleType]:
    """All modules of the library by name, imported, but for the site's extension.

    Example:
        >>> "tokenwall.roofline" in modules()
        True
    """
    found = {"tokenwall": tokenwall}
    for module in pkgutil.walk_packages(tokenwall.__path__, "tokenwall."):
        if not module.name.endswith(_NOT_IMPORTED):
            found[module.name] = importlib.import_module(module.name)
    return found


def equations() -> dict[str, Equation[...]]:
    """All equations of the library, by module and then in the order of the source.

    Example:
        >>> equations()["bandwidth_law"].unit
        'token/s'
    """
    modules()
    order = list(REGISTRY)
    names = sorted(order, key=lambda name: (REGISTRY[name].__module__, order.index(name)))
    return {name: REGISTRY[name] for name in names}


def reading_order(root: Path) -> list[str]:
    """Names of the pages, from the table of contents.

    Args:
        root: folder of _toc.yml.
    """
    import yaml

    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [contents["root"], *_files(contents)]


def _files(entry: Any) -> list[str]:
    """Files named anywhere below an entry, in order."""
    if isinstance(entry, list):
        return [name for part in entry for name in _files(part)]
    if not isinstance(entry, dict):
        return []
    own = [entry["file"]] if "file" in entry else []
    inner = [entry[key] for key in ("parts", "chapters", "sections") if key in entry]
    return own + _files(inner)


def pages(root: Path) -> tuple[Page, ...]:
    """The pages of the book in reading order.

    Args:
        root: folder of _toc.yml, from which the names of the pages start.
    """
    return _pages(root.resolve())


@functools.lru_cache(maxsize=4)
def _pages(root: Path) -> tuple[Page, ...]:
    return tuple(_page(root, name) for name in reading_order(root))


def _page(root: Path, name: str) -> Page:
    prose, sources = _source(root / name)
    title = re.search(r"^# (.+)$", prose, re.MULTILINE)
    trees = [ast.parse(re.sub(r"(?m)^[%!].*$", "", source)) for source in sources]
    imports = sorted({module for tree in trees for module in _imports(tree)})
    words = {word for tree in trees for word in _words(tree)}
    called = _called(ast.Module([part for tree in trees for part in tree.body], []))
    known = equations()
    uses = tuple(key for key in known if key in called)
    derives = tuple(key for key in known if known[key].derivation.rsplit(".", 1)[0] == name)
    behind = {key for module in imports for key in _behind(module)}
    touched = {q for key in (*uses, *derives) for q in (key, *known[key].parameters)}
    return Page(
        name=name,
        title=title[1].strip() if title else name,
        imports=tuple(imports),
        uses=uses,
        through=tuple(key for key in known if key in behind and key not in uses),
        derives=derives,
        quantities=frozenset(touched | (words & set(symbol_table()))),
    )


def _source(stem: Path) -> tuple[str, list[str]]:
    """Prose of a page and its cells of code."""
    markdown = stem.with_suffix(".md")
    if markdown.exists():
        return markdown.read_text(encoding="utf-8"), []
    cells = json.loads(stem.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    by_kind: dict[str, list[str]] = {"markdown": [], "code": [], "raw": []}
    for cell in cells:
        by_kind[cell["cell_type"]].append("".join(cell["source"]))
    return "\n\n".join(by_kind["markdown"]), by_kind["code"]


def _imports(tree: ast.AST) -> set[str]:
    """Modules of the library that a tree imports, without the package's name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            # Names from a package may be modules; if so the package itself is only the way there.
            known = inner & set(modules())
            found |= known or {node.module}
            if known and known != inner and node.module != "tokenwall":
                found.add(node.module)
    return {name.removeprefix("tokenwall.") for name in found if name.startswith("tokenwall.")}


def _words(tree: ast.AST) -> set[str]:
    """Every name that a tree reads: variables, attributes, keywords, short strings."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.alias):
            found.add(node.name)
    return found


@functools.cache
def _behind(module: str) -> frozenset[str]:
    """Equations that a module of figures, tables or ledger rows draws on."""
    made = modules()[f"tokenwall.{module}"]
    inner = [name for name in modules() if name.startswith(f"tokenwall.{module}.")]
    known = equations()
    if any(equation.__module__ == made.__name__ for equation in known.values()):
        return frozenset()
    words: set[str] = set()
    for name in (made.__name__, *(inner if module == "ledger_rows" else [])):
        words |= _called(ast.parse(inspect.getsource(modules()[name])))
    return frozenset(words & set(known))


def _called(tree: ast.AST) -> set[str]:
    """Names that code takes from the library, imported or after a module's name and a dot."""
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in froms if (node.module or "").split(".")[0] == "tokenwall"]
    aliases = [alias for node in ours for alias in node.names]
    heads = {alias.asname or alias.name for alias in aliases}
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in heads
    }
    return {alias.name for alias in aliases} | attributes

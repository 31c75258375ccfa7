"""What the book's pages import, use and derive, read from their sources."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import tokenwall
from tokenwall.data.claims import Claim, claims
from tokenwall.equation import REGISTRY, Equation, symbol_table


@dataclass(frozen=True)
class Page:
    """A page of the book.

    Attributes:
        name: path without suffix, such as book/memory/one_token.
        title: its first heading.
        imports: modules of the library that its code imports, without the package's name.
        uses: equations that its own code names.
        through: equations behind the figures, tables and ledger rows that it shows.
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
    """All modules of the library by name, imported.

    Example:
        >>> "tokenwall.roofline" in modules()
        True
    """
    found = {"tokenwall": tokenwall}
    for module in pkgutil.walk_packages(tokenwall.__path__, "tokenwall."):
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


def computed_by(claim: Claim) -> set[str]:
    """Equations that compute the figures of a claim, whose table names them.

    Args:
        claim: one claim of the thread.
    """
    used = {name for slot in claim.slots.values() for name in slot.equations}
    return {name.rpartition(".")[2] for name in used}


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
    parts = [ast.parse(re.sub(r"(?m)^[%!].*$", "", source)).body for source in sources]
    tree = ast.Module([part for body in parts for part in body], [])
    imports, taken = _taken(tree)
    known = equations()
    direct = {thing.__name__ for thing in taken if hasattr(thing, "expr")}
    behind = _reached(taken)
    if "data.claims" in imports:
        behind |= {key for claim in claims() for key in computed_by(claim)}
    derives = tuple(key for key in known if known[key].derivation.rsplit(".", 1)[0] == name)
    touched = {q for key in (*direct, *derives) for q in (key, *known[key].parameters)}
    return Page(
        name=name,
        title=title[1].strip() if title else name,
        imports=tuple(sorted(imports)),
        uses=tuple(key for key in known if key in direct),
        through=tuple(key for key in known if key in behind - direct),
        derives=derives,
        quantities=frozenset(touched | (_words(tree) & set(symbol_table()))),
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


def _taken(tree: ast.AST) -> tuple[set[str], list[Any]]:
    """Modules of the library that code imports, and the functions and classes it takes."""
    known, imports, bound = modules(), set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tokenwall":
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                thing = known.get(module) or getattr(known[str(node.module)], alias.name)
                bound[alias.asname or alias.name] = thing
                # A name that the package itself offers belongs to the module that makes it.
                home = getattr(thing, "__module__", "") if node.module == "tokenwall" else ""
                imports.add(module if module in known else home or str(node.module))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in known:
                    bound[alias.asname or alias.name] = known[alias.name]
                    imports.add(alias.name)
    taken = [thing for thing in bound.values() if not inspect.ismodule(thing)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            head = bound.get(node.value.id)
            if inspect.ismodule(head) and hasattr(head, node.attr):
                taken.append(getattr(head, node.attr))
    return {name.removeprefix("tokenwall.") for name in imports}, taken


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


def _reached(start: Iterable[Any]) -> set[str]:
    """Equations that functions and classes come to when they run, by the names in their code."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = list(start)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if hasattr(thing, "expr") and getattr(thing, "__name__", "") in REGISTRY:
            found.add(thing.__name__)
        else:
            waiting += _next(thing)
    return found


def _next(thing: Any) -> list[Any]:
    """What a function names, a class does, a container holds."""
    if isinstance(thing, dict):
        return list(thing.values())
    if isinstance(thing, list | tuple | set | frozenset):
        return list(thing)
    if isinstance(thing, property):
        return [thing.fget]
    if isinstance(thing, functools.partial):
        return [thing.func]
    if inspect.isclass(thing):
        return list(vars(thing).values()) if _is_ours(thing) else []
    if not _is_ours(thing):
        return []
    plain = inspect.unwrap(getattr(thing, "__func__", thing))
    if not inspect.isfunction(plain):
        return list(getattr(thing, "__dict__", {}).values())
    scope, names = plain.__globals__, _names(plain.__code__)
    named = [scope[name] for name in names if name in scope]
    inner = [
        getattr(module, name)
        for module in named
        if inspect.ismodule(module) and module.__name__ in modules()
        for name in names
        if hasattr(module, name)
    ]
    return [thing for thing in named if not inspect.ismodule(thing)] + inner


def _is_ours(thing: Any) -> bool:
    module = getattr(thing, "__module__", None)
    return str(module or type(thing).__module__).split(".")[0] == "tokenwall"


def _names(code: CodeType) -> set[str]:
    """Names in a function and in those written inside it."""
    inner = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*inner)

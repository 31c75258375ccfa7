"""The page of the library: every public function and class with its documentation.

It is made from the objects themselves. Sphinx's own reader would show the annotated types of
`tokenwall.units` unfolded and repeat each equation's entry.
"""

from __future__ import annotations

import html
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from tokenwall.reference import markup
from tokenwall.reference.book import modules
from tokenwall.reference.docstrings import Docstring, parse


def api(root: Path) -> str:
    """All public functions and classes by module, each once, where it is defined.

    Args:
        root: folder of _toc.yml.
    """
    parts = []
    for name, module in modules().items():
        own = defined(module)
        if name == "tokenwall" or not (own or module.__doc__):
            continue
        doc = parse(module.__doc__)
        short = name.removeprefix("tokenwall.")
        lines = [f"<p>{markup.text(part)}</p>" for part in (doc.summary, *doc.body)]
        elsewhere = [key for key in getattr(module, "__all__", ()) if key not in own]
        if elsewhere:
            lines.append(f"<p>Also: {markup.listing(map(_home(module), elsewhere))}.</p>")
        lines += [_entry(name, key, thing) for key, thing in own.items()]
        # A heading of the page, so that it stands in the list of contents.
        parts.append(f"## {short}\n\n<div>{''.join(lines)}</div>")
    number = sum(len(defined(module)) for module in modules().values())
    return "\n\n".join([f"There are {number} functions and classes.", *parts])


def defined(module: ModuleType) -> dict[str, Any]:
    """Public functions and classes of a module that are defined in it, by name.

    Args:
        module: a module of the library.

    Example:
        >>> import tokenwall.ledger_rows
        >>> defined(tokenwall.ledger_rows)  # it only passes on what others define
        {}
    """
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(inspect.unwrap(thing)))
        and getattr(thing, "__module__", None) == module.__name__
        and getattr(thing, "__name__", None) == name
    }


def anchor(thing: Any) -> str:
    """Anchor of a function or class on the page; it keeps capitals, which tell Claim from claim.

    Example:
        >>> anchor(Docstring)
        'reference-docstrings-Docstring'
    """
    module = markup.slug(thing.__module__.removeprefix("tokenwall."))
    return f"{module}-{thing.__name__.replace('_', '-')}"


def _home(module: ModuleType) -> Any:
    """Makes a link to where a name of a module is defined; constants get none."""

    def linked(name: str) -> str:
        thing = getattr(module, name, None)
        where = modules().get(getattr(thing, "__module__", ""))
        if where is None or name not in defined(where):
            return markup.name(name)
        return f'<a href="#{anchor(thing)}">{markup.name(name)}</a>'

    return linked


def _entry(module: str, name: str, thing: Any) -> str:
    doc = parse(thing.__doc__)
    here = anchor(thing)
    heading = (
        f'<h3 class="tw-item" id="{here}">{html.escape(name)}'
        f'<a class="headerlink" href="#{here}" aria-label="Link to {html.escape(name)}">#</a></h3>'
    )
    if hasattr(thing, "expr"):
        said = f"<p>{markup.text(doc.summary)} Its entry is {markup.formula(name)}.</p>"
        return f"<div>{heading}{markup.code(name + _signature(thing))}{said}</div>"
    kind = "class " if inspect.isclass(thing) else ""
    methods = _methods(thing) if inspect.isclass(thing) else ""
    return (
        f"<div>{heading}{markup.code(kind + name + _signature(thing))}"
        f"{_documented(doc)}{methods}</div>"
    )


def _documented(doc: Docstring) -> str:
    prose = "".join(f"<p>{markup.text(part)}</p>" for part in (doc.summary, *doc.body) if part)
    named = [
        (markup.name(key), markup.text(said))
        for heading in ("Args", "Attributes")
        for key, said in doc.entries(heading).items()
    ]
    headings: tuple[str, ...] = ("Returns", "Yields", "Raises", "Limits", "Note")
    rest = [
        (heading, markup.text(doc.sections[heading]))
        for heading in headings
        if heading in doc.sections
    ]
    source = doc.sections.get("Source", "")
    key, _, place = " ".join(source.split()).partition(", ")
    if re.fullmatch(r"[a-z0-9-]+", key):
        rest.append(("Source", markup.cite(key, place)))
    elif source:
        rest.append(("Source", markup.text(source)))
    example = doc.sections.get("Example") or doc.sections.get("Examples")
    return prose + markup.pairs([*named, *rest]) + (markup.code(example) if example else "")


def _signature(thing: Any) -> str:
    """Parameters with their annotations, one a line where they do not fit one."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    parameters, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parameters.append("*")
            starred = True
        starred = starred or parameter.kind is parameter.VAR_POSITIONAL
        parameters.append(_parameter(parameter))
    given = _annotation(signature.return_annotation)
    result = f" -> {given}" if given and not inspect.isclass(thing) else ""
    line = f"({', '.join(parameters)}){result}"
    if len(thing.__name__ + line) > 76:
        line = "(\n" + "".join(f"    {part},\n" for part in parameters) + f"){result}"
    return line


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
    annotation = _annotation(parameter.annotation)
    typed = f"{stars}{parameter.name}{f': {annotation}' if annotation else ''}"
    if parameter.default is parameter.empty:
        return typed
    default = repr(parameter.default)
    shown = "…" if "0x" in default or default.startswith("<") or len(default) > 40 else default
    return f"{typed} = {shown}" if annotation else f"{typed}={shown}"


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _methods(thing: type) -> str:
    """Public methods and properties of a class, each with its first line."""
    rows = []
    for name, method in vars(thing).items():
        if name.startswith("_"):
            continue
        plain = getattr(method, "__func__", method)
        if isinstance(method, property) or hasattr(method, "attrname"):
            rows.append((markup.name(name), markup.text(parse(method.__doc__).summary)))
        elif inspect.isfunction(plain):
            signature = re.sub(r"\(self(, )?", "(", _signature(plain).replace("\n", " "))
            shown = f"<code>{html.escape(name + signature, quote=False)}</code>"
            rows.append((shown, markup.text(parse(plain.__doc__).summary)))
    return markup.pairs(rows)

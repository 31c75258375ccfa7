"""Sphinx extension of the site: local maths and scripts, a lighter theme, launch buttons.

The site asks no other host for anything. MathJax is copied from an installed package, the book's
script and style sheet from this one, and what the theme loads without using it is left out.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from tokenwall.reference import fill

logger = logging.getLogger(__name__)

EXPLORABLE = Path(__file__).parent / "explorable"
MATHJAX_SCRIPT = "tex-chtml.js"
MATHJAX_PARTS = (MATHJAX_SCRIPT, "output/chtml/fonts", "input/tex/extensions")
UNUSED = ("sphinx-thebe", "THEBE_JS_URL", "fontawesome")
DESCRIPTION_LENGTH = 160


def launch_options(environment: dict[str, str]) -> dict[str, Any]:
    """Theme options for the launch buttons, from the publishing workflow's environment.

    Empty where no repository is named, so that a page never shows a made-up address.

    Example:
        >>> launch_options({})
        {}
        >>> launch_options({"GITHUB_REPOSITORY": "a/b"})["repository_url"]
        'https://github.com/a/b'
    """
    repository = environment.get("GITHUB_REPOSITORY")
    if not repository:
        return {}
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    return {
        "repository_url": f"{server}/{repository}",
        "repository_branch": environment.get("GITHUB_REF_NAME", "main"),
        "path_to_docs": "",
        "use_repository_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
        },
    }


def summary(doctree: nodes.document, length: int = DESCRIPTION_LENGTH) -> str:
    """First paragraph of prose of a page, cut at a word to what search engines show."""
    for paragraph in doctree.findall(nodes.paragraph):
        if _in_output(paragraph):
            continue
        text = " ".join(paragraph.astext().split())
        if len(text) > length:
            text = text[: length - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
        if text:
            return text
    return ""


def _in_output(node: nodes.Node) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, nodes.container) and parent.get("nb_element"):
            return True
        parent = parent.parent
    return False


def _configure(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{MATHJAX_SCRIPT}"
    # The menu would fetch parts of MathJax that are not shipped.
    config.mathjax3_config = {"options": {"enableMenu": False}}
    config.html_theme_options = {**config.html_theme_options, **launch_options(dict(os.environ))}


def _add_static(app: Sphinx) -> None:
    if not EXPLORABLE.is_dir():
        return
    app.config.html_static_path.append(str(EXPLORABLE))
    for style in sorted(EXPLORABLE.glob("*.css")):
        app.add_css_file(style.name)
    # A classic deferred script: browsers refuse modules from file://.
    for script in sorted(EXPLORABLE.glob("*.js")):
        app.add_js_file(script.name, loading_method="defer")


def _describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    metatags = context.get("metatags", "")
    text = summary(doctree) if doctree is not None else ""
    if text and 'name="description"' not in metatags:
        escaped = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        context["metatags"] = f'{metatags}\n<meta name="description" content="{escaped}" />'


def _drop_unused(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if not _is_unused(file)]


def _is_unused(file: Any) -> bool:
    body = getattr(file, "attributes", {}).get("body") or ""
    text = f"{getattr(file, 'filename', file)} {body}"
    return any(name in text for name in UNUSED)


def mathjax_folder() -> Path:
    """Folder of MathJax in the installed package that carries it."""
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "MathJax is missing: install the package sphinx-mathjax-offline "
            "(it is in the book extra: pip install 'tokenwall[book]')"
        )
    return Path(spec.origin).parent / "static" / "mathjax"


def _copy_mathjax(output: Path) -> None:
    source, target = mathjax_folder(), output / "_static" / "mathjax"
    for part in MATHJAX_PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, target / part)


# Each is what the theme writes and what stands there instead. Text that a button shows is part of
# its accessible name, and what the page shows lies inside a landmark.
REPLACEMENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\s*<script[^>]*scripts/fontawesome\.js[^>]*></script>"), ""),
    (re.compile(r"\s*<script type=\"text/x-thebe-config\">.*?</script>", re.DOTALL), ""),
    (re.compile(r"\s*<script>kernelName = [^<]*</script>"), ""),
    (re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="[^"]*"'), r"\1"),
    (
        re.compile(r'<div id="pst-primary-sidebar" class="([^"]*)">'),
        r'<div id="pst-primary-sidebar" class="\1" role="region" aria-label="Contents and search">',
    ),
    (
        re.compile(r'<summary>(?=<span class="toctree-toggle")'),
        '<summary aria-label="Show or hide the pages below">',
    ),
    (re.compile(r'role="doc-biblioentry"'), 'role="listitem"'),
    # A long equation scrolls on a phone, so the keyboard must reach it.
    (
        re.compile(r'<div class="((?:output text_latex )?math notranslate nohighlight)"'),
        r'<div tabindex="0" role="group" aria-label="Equation" class="\1"',
    ),
)
UNUSED_FILES = (
    "_static/scripts/fontawesome.js*",
    "_static/sphinx-thebe.*",
    "_static/locales",
    "_static/*webpack-macros.html",
    "_static/**/*.map",
)


def polish(html: str) -> str:
    """A page of the theme without unused scripts and with its accessible names put right."""
    for pattern, replacement in REPLACEMENTS:
        html = pattern.sub(replacement, html)
    return html


# A place for a link to a page of the book that may not be written yet.
TO_COME = re.compile(r'<span data-page="([\w/]+)">[^<]*</span>')


def link_chapters(html: str, page: str, titles: dict[str, str]) -> str:
    """A page whose places for chapters have become links, where the chapters exist.

    Args:
        html: the page.
        page: its own name, such as book/index.
        titles: titles of the pages that were built, by name.

    Example:
        >>> place = '<span data-page="book/memory/rack">to come (rack)</span>'
        >>> link_chapters(place, "book/index", {"book/memory/rack": "The rack"})
        '<a href="memory/rack.html">The rack</a>'
        >>> link_chapters(place, "book/index", {}) == place
        True
    """

    def linked(match: re.Match[str]) -> str:
        name = match[1]
        if name not in titles:
            return match[0]
        return f'<a href="{os.path.relpath(name, os.path.dirname(page))}.html">{titles[name]}</a>'

    return TO_COME.sub(linked, html)


# A citation within generated markup, where the role of Markdown is not read.
CITED = re.compile(r'<a data-cite="([^"]+)">[^<]*</a>')


def link_citations(html: str, page: str, entries: dict[str, tuple[str, str]]) -> str:
    """A page whose places for citations have become links to the bibliography.

    Args:
        html: the page.
        page: its own name, such as book/index.
        entries: how a source is named and the address of its entry, by key.

    Raises:
        ValueError: a source is not in the bibliography.

    Example:
        >>> known = {"a2020": ("A 2020", "book/reference/bibliography.html#id1")}
        >>> link_citations('<a data-cite="a2020">a2020</a>', "book/reference/x", known)
        '<a href="bibliography.html#id1">A 2020</a>'
    """

    def linked(match: re.Match[str]) -> str:
        if match[1] not in entries:
            raise ValueError(f"{page} cites {match[1]!r}, which is not in the bibliography")
        label, address = entries[match[1]]
        return f'<a href="{os.path.relpath(address, os.path.dirname(page))}">{label}</a>'

    return CITED.sub(linked, html)


def _entries(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Name and address of each source, by key."""
    from tokenwall.plots.claims import references

    names = {
        key: reference.label
        for file in app.config.bibtex_bibfiles
        for key, reference in references(Path(app.srcdir) / file).items()
    }
    return {
        entry.key: (
            escape(names[entry.key]),
            f"{entry.bibliography_key.docname}.html#{entry.citation_id}",
        )
        for entry in app.env.get_domain("cite").citations  # type: ignore[attr-defined]
    }


def _generate(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = fill(source[0], Path(app.srcdir))


def _always(app: Sphinx, env: Any, added: set[str], changed: set[str], removed: set[str]) -> Any:
    """Pages to read again in every build: what they show is not in their own files."""
    folder = Path(app.srcdir)
    return [
        name
        for name in env.found_docs
        if (file := folder / f"{name}.md").exists() and "```{generated}" in file.read_text("utf-8")
    ]


def _pages(output: Path) -> Iterator[Path]:
    return output.rglob("*.html")


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    output = Path(app.outdir)
    _copy_mathjax(output)
    titles = {name: escape(title.astext()) for name, title in app.env.titles.items()}
    entries = _entries(app)
    for page in _pages(output):
        before = page.read_text(encoding="utf-8")
        name = page.relative_to(output).with_suffix("").as_posix()
        after = link_citations(link_chapters(polish(before), name, titles), name, entries)
        if after != before:
            page.write_text(after, encoding="utf-8")
    for pattern in UNUSED_FILES:
        for file in output.glob(pattern):
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension to the build."""
    app.connect("config-inited", _configure, priority=900)
    app.connect("builder-inited", _add_static)
    app.connect("source-read", _generate)
    app.connect("env-get-outdated", _always)
    app.connect("html-page-context", _describe)
    app.connect("html-page-context", _drop_unused, priority=900)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

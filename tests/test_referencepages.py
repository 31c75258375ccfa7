"""The generated pages of the reference: nothing is missing, nothing dangles, nothing is heavy."""

import ast
import doctest
import functools
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from bookpages import toc_pages
from tokenwall import reference
from tokenwall.data import chosen, tidy
from tokenwall.equation import REGISTRY, quantity, symbol_table
from tokenwall.reference import api, book, docstrings, markup, notation, tables
from tokenwall.reference.equations import oracles

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "book/reference"
WEIGHT_LIMIT = 400_000
MODULES = book.modules()
FUNCTIONS = {
    f"{module}.{name}": thing
    for module, found in MODULES.items()
    for name, thing in api.defined(found).items()
}


def stubs() -> list[str]:
    """Names of the pages that a block fills in."""
    files = sorted((ROOT / FOLDER).glob("*.md"))
    return [f.stem for f in files if "```{generated}" in f.read_text(encoding="utf-8")]


@functools.cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def page(site):
    return lambda name: soup(site / FOLDER / f"{name}.html")


def ids(parsed: BeautifulSoup) -> set[str]:
    return {tag["id"] for tag in parsed.find("main").find_all(id=True)}


def section(parsed: BeautifulSoup, name: str) -> BeautifulSoup:
    return parsed.find(id=markup.slug(name))


def test_every_part_has_its_page_and_every_page_its_line_in_the_contents():
    assert sorted(stubs()) == sorted(reference.PARTS)
    assert {f"{FOLDER}/{name}" for name in stubs()} <= set(toc_pages())


def test_what_is_generated_is_not_committed():
    """A stub holds a title, how to read the page, and one block."""
    for name in stubs():
        text = (ROOT / FOLDER / f"{name}.md").read_text("utf-8")
        assert text.startswith("# ")
        assert len(text) < 1500, name
        assert text.count("```") == 2, name
    run = subprocess.run(
        ["git", "status", "--porcelain", FOLDER], cwd=ROOT, capture_output=True, text=True
    )
    assert "??" not in run.stdout


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="'nothing' is unknown; there are notation, equations"):
        reference.fill("```{generated} nothing\n```", ROOT)


@pytest.mark.parametrize("name", sorted(reference.PARTS))
def test_pages_are_the_same_every_time(name):
    assert reference.PARTS[name](ROOT) == reference.PARTS[name](ROOT)


@pytest.mark.parametrize("name", sorted(reference.PARTS))
def test_pages_are_light(site, name):
    weight = len(gzip.compress((site / FOLDER / f"{name}.html").read_bytes()))
    assert weight < WEIGHT_LIMIT, f"{name} weighs {weight} bytes compressed"


def test_every_quantity_is_in_the_notation(page):
    assert {markup.slug(name) for name in symbol_table()} <= ids(page("notation"))
    by_name, by_letter = page("notation").select(".tw-cards table")
    for table in (by_name, by_letter):
        assert len(table.select("tbody tr")) == len(symbol_table())
    text = by_name.get_text().replace("’", "'")
    assert [row.meaning for row in symbol_table().values() if row.meaning not in text] == []


def test_the_usual_range_lies_in_the_domain():
    """What the notation prints as usual must be what it prints as allowed."""
    for name, row in symbol_table().items():
        for end in (row.low, row.high):
            assert quantity(name).domain.offender(end) is None, f"{name} is usually {end:g}"


def test_other_authors_letters_are_sourced_and_shown(page):
    rows = [row for several in notation.elsewhere().values() for row in several]
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    for row in rows:
        assert row["latex"] != symbol_table()[row["name"]].latex
        assert row["locator"]
        said = section(page("notation"), row["name"]).get_text()
        assert f"Elsewhere \\({row['latex']}\\)" in said


def test_a_quantity_names_the_equations_that_it_goes_into(page):
    for name in ("bandwidth", "context", "batch"):
        hrefs = {a["href"] for a in section(page("notation"), name).find_all("a")}
        users = [key for key, equation in REGISTRY.items() if name in equation.parameters]
        assert {f"equations.html#{markup.slug(key)}" for key in users} <= hrefs


@pytest.mark.parametrize("name", list(book.equations()))
def test_every_equation_has_a_whole_entry(page, name):
    equation, entry = REGISTRY[name], section(page("equations"), name)
    assert entry is not None
    assert equation.latex in entry.get_text()
    rows = entry.select(".tw-parameters tbody tr")
    assert len(rows) == len(equation.parameters)
    for row, key in zip(rows, equation.parameters, strict=True):
        assert row.th.code.get_text() == key
        assert markup.usual(key) in row.get_text()
    hrefs = [a["href"] for a in entry.find_all("a")]
    if equation.derivation:
        assert f"{book_address(equation.derivation)}.html" in hrefs
    if not equation.source.startswith("own derivation"):
        assert any(href.startswith("bibliography.html#") for href in hrefs)
    checks = oracles(ROOT).get(name, [])
    assert len(entry.select(".tw-pairs > dd > ul > li")) == len(checks)
    assert entry.select_one("pre.tw-code").get_text().count(">>>") >= 2


def book_address(derivation: str) -> str:
    return "../" + derivation.removeprefix("book/").rsplit(".", 1)[0]


@pytest.mark.parametrize("name", list(book.equations()))
def test_the_worked_call_of_an_entry_runs(page, name):
    """The library's own doctests compare the result; here the code must stand by itself."""
    shown = section(page("equations"), name).select_one("pre.tw-code").get_text()
    examples = doctest.DocTestParser().get_examples(shown)
    assert len(examples) >= 2
    exec("".join(example.source for example in examples), {})


def test_every_table_is_listed_and_can_be_fetched(page, site):
    files = {f.stem for f in (ROOT / "lib/tokenwall/data").glob("*.csv")}
    assert set(tables.names()) == files
    links = [site / FOLDER / a["href"] for a in page("data").select("a.download")]
    fetched = {link.resolve().stem: link.resolve() for link in links}
    assert set(fetched) == files
    for name, path in fetched.items():
        assert path.read_bytes() == (ROOT / f"lib/tokenwall/data/{name}.csv").read_bytes()
        assert f"{len(tables.rows(name)):,}" in section(page("data"), f"{name}-table").get_text()


@pytest.mark.parametrize("name", ["machines", "models"])
def test_every_number_is_on_its_page(page, name):
    found = page(name)
    keys = {markup.slug(row["key"]) for row in tables.rows(f"{name}_index")}
    assert len(keys) == len(tables.rows(f"{name}_index"))
    assert keys <= ids(found)
    assert len(found.select(".tw-numbers tbody tr")) == len(tables.rows(name))
    marked = [mark.get_text() for mark in found.select(".tw-mark")]
    assert marked.count("recalled") == sum(map(tables.is_recalled, tables.rows(name)))
    several = tidy(name).duplicated(["key", "quantity"], keep=False)
    assert len(marked) - marked.count("recalled") == several.sum()
    times = tidy(name)[several].drop_duplicates(["key", "quantity"])
    assert marked.count("chosen") == len(times)


def test_a_mark_says_what_the_library_takes(page):
    """The rule is the library's: what is marked chosen is what `machines` gives."""
    taken = chosen("machines").set_index(["key", "quantity"])["value"]
    heading = page("machines").find(id="h100-sxm")
    rows = [r for r in heading.parent.select("tbody tr") if r.find(string="chosen")]
    assert len(rows) > 1
    for row in rows:
        quantity = row.th.get_text()
        assert row.b.get_text() == taken["h100-sxm", quantity]


def test_the_other_tables_are_whole(page):
    own = {name for table in tables.PAGES for name in (table, f"{table}_index")}
    rest = [name for name in tables.names() if name not in own]
    assert "facts" in rest
    assert set(rest) >= tables.LONG
    numbers = sum(len(tables.rows(name)) for name in rest if name not in tables.LONG)
    assert len(page("tables").select(".tw-numbers tbody tr")) == numbers
    assert {f"facts-{markup.slug(row['key'])}" for row in tables.rows("facts")} <= ids(
        page("tables")
    )


def test_the_measurements_are_summed_up_by_source(page):
    rows = tables.rows("measurements")
    lines = page("measurements").select(".tw-measurements tbody tr")
    assert len(lines) == len({row["source"] for row in rows})
    counts = [int(line.td.get_text().split(", ")[0].replace(",", "")) for line in lines]
    assert sum(counts) == len(rows)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_public_function_is_on_the_page_of_the_library(page, name):
    entry = page("api").find(id=api.anchor(FUNCTIONS[name]))
    assert entry is not None
    first = docstrings.parse(FUNCTIONS[name].__doc__).summary
    assert BeautifulSoup(markup.text(first), "html.parser").get_text() in entry.parent.get_text()


def test_public_functions_are_those_of_the_sources():
    """Counted again from the files, so that importing can hide none."""
    for name, module in MODULES.items():
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        written = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        }
        assert written - set(api.defined(module)) == set(), name


def test_the_map_holds_every_page_and_module(page):
    pages, modules = page("map").select(".tw-cards table")
    assert {f"{tr['id']}" for tr in pages.select("tbody tr")} == {
        markup.slug(name) for name in toc_pages()
    }
    shown = {tr["id"] for tr in modules.select("tbody tr")}
    assert shown == {
        f"module-{markup.slug(name.removeprefix('tokenwall.'))}"
        for name in MODULES
        if name != "tokenwall"
    }


def test_the_pages_are_read_in_the_order_of_the_contents():
    assert [page.name for page in book.pages(ROOT)] == toc_pages()


def test_what_a_page_uses_is_what_its_code_names():
    known = {page.name: page for page in book.pages(ROOT)}
    for name, found in known.items():
        path = ROOT / f"{name}.ipynb"
        if not path.exists():
            assert found.uses == ()
            continue
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        assert [key for key in found.uses if not re.search(rf"\b{key}\b", code)] == []
        dotted = {key for key in REGISTRY if re.search(rf"\b{_short(key)}\.{key}\(", code)}
        assert dotted <= set(found.uses), name


def _short(key: str) -> str:
    return REGISTRY[key].__module__.rsplit(".", 1)[-1]


def test_figures_lead_to_the_equations_behind_them():
    batching = next(p for p in book.pages(ROOT) if p.name == "book/memory/batching")
    assert "prefill_time" in batching.through
    assert set(batching.derives) >= {"largest_batch", "throughput_at_capacity"}


def test_a_docstring_comes_apart():
    doc = docstrings.parse(
        "One line [B/s].\n\nMore\ntext.\n\nArgs:\n    a (B): first\n        word.\n"
        "    *b: rest.\n\nLimits: none,\nat all.\n\n"
        "Example:\n    >>> 1\n    1\n\nSource: x2020, table 1"
    )
    assert (doc.summary, doc.body) == ("One line.", ["More\ntext."])
    assert doc.entries("Args") == {"a": "first word.", "*b": "rest."}
    assert doc.sections["Limits"] == "none,\nat all."
    assert doc.sections["Example"] == ">>> 1\n1"
    assert doc.sections["Source"] == "x2020, table 1"
    assert docstrings.parse(None).summary == ""


@pytest.mark.parametrize("name", sorted(reference.PARTS))
def test_anchors_are_selectors(page, name):
    """The theme's script looks each link within a page up as a CSS selector."""
    links = {a["href"] for a in page(name).find_all("a", href=re.compile("^#."))}
    assert [link for link in links if not re.fullmatch(r"#[a-z][\w-]*", link)] == []


def test_markup_holds_no_blank_line():
    """A blank line would end a piece of HTML within a page of Markdown."""
    assert "\n" not in markup.code("a\n\nb < c")
    assert markup.code("a\n\nb < c").count("&#10;") == 2


def test_a_source_without_an_entry_is_refused():
    from tokenwall.sphinxext import link_citations

    with pytest.raises(ValueError, match="x cites 'nobody', which is not in the bibliography"):
        link_citations(markup.cite("nobody"), "x", {})


def test_every_module_is_reached_from_the_package():
    """Without an import of its own, as the page of the library suggests."""
    code = "import tokenwall; print(len([getattr(tokenwall, name) for name in dir(tokenwall)]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    direct = [name for name in MODULES if name.count(".") == 1]
    # Beside the modules: the version, and what the package itself offers.
    assert int(run.stdout) == len(direct) + 1 + len(["predict"])

"""Every page in a browser: silent, self-contained, light, fit for a phone, accessible.

A page is opened three times (desk, desk in the dark, phone); all its checks read what was seen.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import pytest

from bookpages import toc_pages

pytestmark = pytest.mark.browser

PAGES = [*toc_pages(), "search"]
WEIGHT_LIMIT = 1_500_000
# Fonts and the maths renderer are apart in the budget.
APART = ("/mathjax/", ".woff", ".woff2", ".ttf")
# Violations of the theme's own that could not be mended from outside it: rule -> reason.
BASELINE: dict[str, str] = {}
# What can differ between the visits of a page: only colours in the dark; on a phone the layout, and
# what shows there only. The rest of the rules is asked on the desk.
COLOURS = ["color-contrast", "link-in-text-block"]
ASKED: dict[tuple[str, str], dict[str, Any]] = {
    ("desk", "light"): {},
    ("desk", "dark"): {"runOnly": {"type": "rule", "values": COLOURS}},
    ("phone", "light"): {"rules": {"color-contrast": {"enabled": False}}},
}
VISITS = list(ASKED)
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
# Addresses that begin at the root and requests of our scripts are refused by other tests; what is
# left to go wrong without a server is the same on all pages of a kind.
FROM_FILES = ("book/index", "book/memory/one_token", "search")
# Formulas are set alike everywhere and make the rules slow: they are judged on this page alone.
MATHS = "book/memory/one_token"


@dataclass(frozen=True)
class Seen:
    """What one visit of a page found."""

    faults: list[str]
    sizes: dict[str, int]
    width: int
    screen: int
    wide: list[str]
    unseen: list[str]
    grave: list[str]


@pytest.fixture(scope="module")
def seen(opening: Any) -> Any:
    """What was seen of a page: `seen("book/index", "phone", "light")`, opened once."""
    found: dict[tuple[str, str, str], Seen] = {}

    def look(name: str, viewport: str = "desk", scheme: str = "light") -> Seen:
        key = (name, viewport, scheme)
        if key not in found:
            with opening() as visit:
                found[key] = _look(visit(name, viewport=viewport, scheme=scheme), ASKED[key[1:]])
        return found[key]

    return look


def _look(visit: Any, asked: dict[str, Any]) -> Seen:
    page = visit.page
    # Before anything is done to the page: the rules read its style sheets once more.
    faults, sizes = [*visit.foreign, *visit.missing, *visit.errors], dict(visit.sizes)
    width, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
            .slice(0, 8).map(e => e.tagName + '.' + e.className)"""
    )
    unseen = page.evaluate(
        """() => [...document.querySelectorAll('main figure')]
            .filter(f => f.querySelector('svg') && ![...f.querySelectorAll('svg')]
                .some(s => s.getBoundingClientRect().height > 80))
            .map(f => f.id || f.className)"""
    )
    page.evaluate("document.querySelectorAll('mjx-container').forEach(e => e.remove())")
    return Seen(faults, sizes, width, screen, wide, unseen, _violations(page, asked))


def _violations(page: Any, asked: dict[str, Any]) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate(
        "asked => axe.run(document, asked).then(results => results.violations)",
        {**asked, "resultTypes": ["violations"]},
    )
    return [_told(violation) for violation in found if _is_grave(violation)]


@pytest.mark.parametrize("name", PAGES)
def test_page_is_silent_and_self_contained(seen: Any, name: str) -> None:
    assert seen(name).faults == []


@pytest.mark.parametrize("name", FROM_FILES)
def test_page_is_silent_without_a_server(visit: Any, name: str) -> None:
    visit(name, over="file").assert_clean()


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_phone(seen: Any, name: str) -> None:
    found = seen(name, "phone")
    assert found.width <= found.screen, (
        f"{name} scrolls sideways: {found.width} > {found.screen} px, perhaps by {found.wide}"
    )


# Tables of every machine and model: long, and less than a tenth of that when compressed.
LONG = ("book/reference/machines", "book/reference/models")
LONG_LIMIT = 2_000_000


@pytest.mark.parametrize("name", PAGES)
def test_page_weight(seen: Any, name: str, record_property: Any) -> None:
    sizes = seen(name).sizes
    counted = {url: n for url, n in sizes.items() if not any(part in url for part in APART)}
    total = sum(counted.values())
    heaviest = sorted(counted.items(), key=lambda item: -item[1])[:5]
    listing = ", ".join(f"{urlsplit(url).path.rsplit('/', 1)[-1]} {n}" for url, n in heaviest)
    print(f"{name}: {total / 1e3:.0f} kB and {(sum(sizes.values()) - total) / 1e3:.0f} kB apart")
    record_property("bytes", total)
    limit = LONG_LIMIT if name in LONG else WEIGHT_LIMIT
    assert total < limit, f"{name} weighs {total} bytes: {listing}"


@pytest.mark.parametrize(("viewport", "scheme"), VISITS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(seen: Any, name: str, viewport: str, scheme: str) -> None:
    assert seen(name, viewport, scheme).grave == []


@pytest.mark.parametrize(("viewport", "scheme"), VISITS)
def test_formulas_are_accessible(visit: Any, viewport: str, scheme: str) -> None:
    page = visit(MATHS, viewport=viewport, scheme=scheme).page
    assert page.locator("mjx-container").count() > 0
    assert _violations(page, ASKED["desk", "dark"] if scheme == "dark" else {}) == []


def test_a_planted_fault_is_found(visit: Any) -> None:
    """The rules that are asked do run: on pale text, on a picture without a name."""
    page = visit("book/index", viewport="phone").page
    page.evaluate(
        """() => { document.querySelector('main').insertAdjacentHTML('beforeend',
            '<p style="color:#eee;background:#fff">pale</p><img src="data:,">'); }"""
    )
    found = {
        key: {v.split(" ")[0] for v in _violations(page, asked)} for key, asked in ASKED.items()
    }
    assert {"color-contrast", "image-alt"} <= found["desk", "light"]
    assert found["desk", "dark"] == {"color-contrast"}
    assert found["phone", "light"] == found["desk", "light"] - {"color-contrast"}


def _is_grave(violation: dict[str, Any]) -> bool:
    return violation["impact"] in ("serious", "critical") and violation["id"] not in BASELINE


def _told(violation: dict[str, Any]) -> str:
    nodes = [node["html"][:160] for node in violation["nodes"][:4]]
    return f"{violation['id']} ({violation['impact']}): {violation['help']}: {nodes}"


def test_search_finds_a_word(visit: Any) -> None:
    page = visit("search", fragment="?q=memory").page
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() > 0


def test_dark_mode_follows_the_reader(visit: Any) -> None:
    dark, light = (visit("book/index", scheme=scheme).page for scheme in ("dark", "light"))
    background = "getComputedStyle(document.body).backgroundColor"
    assert dark.evaluate(background) != light.evaluate(background)
    assert dark.evaluate("document.documentElement.dataset.theme") == "dark"


def test_formulas_are_set(visit: Any) -> None:
    page = visit(MATHS).page
    assert page.locator("mjx-container").count() > 0
    assert page.locator("mjx-merror").count() == 0


@pytest.mark.parametrize("viewport", ["desk", "phone"])
@pytest.mark.parametrize("name", toc_pages())
def test_every_figure_is_seen(seen: Any, name: str, viewport: str) -> None:
    """At each width one drawing of a figure shows, and it is large enough to read."""
    assert seen(name, viewport).unseen == []

"""Every page in a browser: silent, self-contained, light, fit for a phone, accessible."""

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


@pytest.mark.parametrize("over", ["http", "file"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_silent_and_self_contained(visit: Any, name: str, over: str) -> None:
    visit(name, over=over).assert_clean()


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_phone(visit: Any, name: str) -> None:
    page = visit(name, viewport="phone").page
    width, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
            .slice(0, 8).map(e => e.tagName + '.' + e.className)"""
    )
    assert width <= screen, f"{name} scrolls sideways: {width} > {screen} px, perhaps by {wide}"


# Tables of every machine and model: long, and less than a tenth of that when compressed.
LONG = ("book/reference/machines", "book/reference/models")
LONG_LIMIT = 2_000_000


@pytest.mark.parametrize("name", PAGES)
def test_page_weight(visit: Any, name: str, record_property: Any) -> None:
    sizes = visit(name).sizes
    counted = {url: n for url, n in sizes.items() if not any(part in url for part in APART)}
    total = sum(counted.values())
    heaviest = sorted(counted.items(), key=lambda item: -item[1])[:5]
    listing = ", ".join(f"{urlsplit(url).path.rsplit('/', 1)[-1]} {n}" for url, n in heaviest)
    print(f"{name}: {total / 1e3:.0f} kB and {(sum(sizes.values()) - total) / 1e3:.0f} kB apart")
    record_property("bytes", total)
    limit = LONG_LIMIT if name in LONG else WEIGHT_LIMIT
    assert total < limit, f"{name} weighs {total} bytes: {listing}"


@pytest.mark.parametrize(
    ("viewport", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "light")]
)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(visit: Any, name: str, viewport: str, scheme: str) -> None:
    page = visit(name, viewport=viewport, scheme=scheme).page
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    violations = page.evaluate("axe.run().then(results => results.violations)")
    grave = [_told(v) for v in violations if _is_grave(v)]
    assert grave == []


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
    page = visit("book/memory/one_token").page
    assert page.locator("mjx-container").count() > 0
    assert page.locator("mjx-merror").count() == 0


@pytest.mark.parametrize("viewport", ["desk", "phone"])
@pytest.mark.parametrize("name", toc_pages())
def test_every_figure_is_seen(visit: Any, name: str, viewport: str) -> None:
    """At each width one drawing of a figure shows, and it is large enough to read."""
    unseen = visit(name, viewport=viewport).page.evaluate(
        """() => [...document.querySelectorAll('main figure')]
            .filter(f => f.querySelector('svg') && ![...f.querySelectorAll('svg')]
                .some(s => s.getBoundingClientRect().height > 80))
            .map(f => f.id || f.className)"""
    )
    assert unseen == []

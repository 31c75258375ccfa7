"""The table of claims as readers use it: hand, keyboard, phone, no script, strict policy."""

import itertools
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tokenwall.data.claims import PARTS, VERDICTS, claims
from tokenwall.plots.claims import EVERY, claims_html, counts, references

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
NAME = "book/reference/claims"
POLICY = "default-src 'none'; style-src 'self'"
TOTALS = counts()


def shown(page: Page) -> list[str]:
    """Ids of the rows that can be seen."""
    rows = page.locator(".tw-claims tbody tr")
    return rows.evaluate_all("all => all.filter(r => r.getClientRects().length).map(r => r.id)")


def fitting(verdict: str, part: str) -> list[str]:
    return [
        claim.id.lower()
        for claim in claims()
        if verdict in (EVERY, claim.verdict) and part in (EVERY, claim.part)
    ]


def expect_choice(page: Page, verdict: str, part: str) -> None:
    """The rows of a choice show, no others, and the line that counts them agrees."""
    wanted = fitting(verdict, part)
    assert shown(page) == wanted
    status = page.locator(".tw-claims [role=status]")
    seen = status.evaluate("e => e.innerText")
    assert seen.startswith(f"{TOTALS[verdict, part]} of {len(claims())} claims shown")
    assert len(wanted) == TOTALS[verdict, part]
    assert seen.count("claims shown") == 1


@pytest.mark.parametrize("viewport", ["desk", "phone"])
def test_a_choice_hides_the_others_and_the_count_agrees(visit: Any, viewport: str) -> None:
    page = visit(NAME, viewport=viewport).page
    expect_choice(page, EVERY, EVERY)
    for verdict in VERDICTS:
        page.locator(f"label[for=tw-verdict-{verdict}]").click()
        expect_choice(page, verdict, EVERY)
    for part in PARTS:
        page.locator(f"label[for=tw-part-{part}]").click()
        expect_choice(page, "opinion", part)
    page.locator("#tw-verdict-all").click()
    expect_choice(page, "all", "physics")
    page.locator("#tw-part-all").click()
    expect_choice(page, EVERY, EVERY)


def test_the_keyboard_chooses_too(visit: Any) -> None:
    page = visit(NAME).page
    page.locator("#tw-verdict-all").focus()
    for verdict in VERDICTS:
        page.keyboard.press("ArrowRight")
        expect(page.locator(f"#tw-verdict-{verdict}")).to_be_focused()
        expect_choice(page, verdict, EVERY)
    page.keyboard.press("Tab")
    expect(page.locator("#tw-part-all")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect_choice(page, "opinion", "culture")
    page.keyboard.press("ArrowUp")
    expect_choice(page, "opinion", EVERY)


def test_on_a_phone_each_claim_is_a_card(visit: Any) -> None:
    page = visit(NAME, viewport="phone").page
    boxes = page.locator("#c01 > *").evaluate_all("all => all.map(e => e.getBoundingClientRect())")
    assert all(box["width"] > 280 for box in boxes)
    assert all(a["bottom"] <= b["top"] + 1 for a, b in itertools.pairwise(boxes))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    choices = page.locator(".tw-choice").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().height)"
    )
    assert min(choices) >= 24


def test_on_a_desk_the_columns_stand_beside_each_other(visit: Any) -> None:
    page = visit(NAME).page
    tops = page.locator("#c01 > *").evaluate_all("all => all.map(e => e.getBoundingClientRect().y)")
    assert max(tops) - min(tops) < 2


@pytest.mark.parametrize(
    ("viewport", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "dark")]
)
def test_axe_finds_nothing_serious_in_a_filtered_table(
    visit: Any, viewport: str, scheme: str
) -> None:
    page = visit(NAME, viewport=viewport, scheme=scheme).page
    page.locator("label[for=tw-verdict-wrong]").click()
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    violations = page.evaluate("axe.run('.tw-claims').then(results => results.violations)")
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []


def test_an_address_leads_to_its_claim(visit: Any) -> None:
    page = visit(NAME, fragment="#c36").page
    # The theme scrolls smoothly, so the row arrives a little later, below the bar at the top.
    page.wait_for_function(
        """() => {
            const top = document.querySelector('#c36').getBoundingClientRect().top;
            const bar = document.querySelector('.bd-header-article').getBoundingClientRect().bottom;
            return bar - 1 <= top && top < 300;
        }""",
        timeout=5000,
    )


def test_it_works_without_a_script_under_a_strict_policy(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text((ROOT / "book/_static/site.css").read_text("utf-8"))
    table = claims_html(claims(), references(ROOT / "book/references.bib"))
    (tmp_path / "page.html").write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Claims</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<link rel="stylesheet" href="site.css"></head>'
        f"<body><main><h1>Claims</h1>{table}</main></body></html>",
        encoding="utf-8",
    )
    context = browser.new_context()
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("#tw-verdict-wrong").click()
    page.locator("#tw-part-physics").click()
    expect_choice(page, "wrong", "physics")
    assert said == []
    context.close()

"""The scoreboard: guesses committed on a page are scored beside the computed answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tokenwall.explorable import Prediction, Scoreboard
from tokenwall.explorable.widget import asset

pytestmark = pytest.mark.browser
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'"
QUESTIONS = (
    Prediction("first", question="How fast?", unit="token/s", low=1, high=1e4, answer=50),
    Prediction("second", question="How many?", low=1, high=100, answer=10),
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scores")
    for name in ("explorable.js", "scores.js", "explorable.css"):
        (place / name).write_text(asset(name), encoding="utf-8")
    body = "".join(question.html for question in QUESTIONS) + Scoreboard().html
    (place / "page.html").write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<title>Scores</title><link rel="stylesheet" href="explorable.css">'
        '<script defer src="explorable.js"></script><script defer src="scores.js"></script>'
        f"</head><body><main><h1>Scores</h1>{body}</main></body></html>",
        encoding="utf-8",
    )
    return place / "page.html"


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(page_file.as_uri())
    yield page
    context.close()
    # axe reads the style sheet again, which the policy refuses.
    assert [p for p in problems if "explorable.css" not in p and "preload assets" not in p] == []


def commit(page: Page, id: str) -> None:
    page.locator(f"#{id} button").click()


def test_without_a_guess_it_says_how_to_make_one(page: Page) -> None:
    expect(page.locator(".sc-none")).to_be_visible()
    expect(page.locator(".sc-some")).to_be_hidden()


def test_guesses_are_scored_and_kept(page: Page, page_file: Path) -> None:
    commit(page, "first")  # stands at 100, twice too high
    commit(page, "second")  # stands at 10: right
    rows = page.locator(".tw-scores tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_have_text("How fast?100 token/s50 token/stoo high by 2")
    expect(rows.nth(1).locator("td").last).to_have_text("right")
    # The geometric mean of 2 and 1.
    said = page.locator(".sc-said")
    expect(said).to_contain_text("2 guesses: 2 within a factor of two, 1 too high.")
    expect(said).to_contain_text("Typically you were off by a factor of 1.4.")
    page.goto(page_file.as_uri())
    expect(rows).to_have_count(2)


def test_guesses_can_be_forgotten_by_key(page: Page) -> None:
    commit(page, "first")
    page.locator(".tw-scores button").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".sc-none")).to_be_focused()
    expect(page.locator(".sc-some")).to_be_hidden()


def test_entries_that_are_no_guesses_are_passed_over(page: Page, page_file: Path) -> None:
    commit(page, "first")
    page.evaluate(
        """() => {
            const kept = JSON.parse(localStorage.getItem("tokenwall.guesses"));
            const first = kept.first;
            Object.assign(kept, { a: null, b: 5, c: "x", d: { ...first, unit: 3 },
                e: { ...first, guess: null }, f: { ...first, factor: 1e999 }, g: { factor: 2 } });
            localStorage.setItem("tokenwall.guesses", JSON.stringify(kept));
        }"""
    )
    page.goto(page_file.as_uri())
    expect(page.locator(".tw-scores tbody tr")).to_have_count(1)
    page.locator(".tw-scores button").click()
    expect(page.locator(".sc-some")).to_be_hidden()


def test_it_reads_well_to_a_screen_reader(page: Page) -> None:
    commit(page, "first")
    found = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"][:80]) for v in serious] == []


def test_the_script_is_small_and_runs_no_text() -> None:
    script = asset("scores.js")
    assert len(script.encode()) < 4_000
    assert "eval(" not in script
    assert "innerHTML" not in script

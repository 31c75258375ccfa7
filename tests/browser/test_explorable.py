"""Explorables driven as a reader drives them: hand, keyboard, link, second visit, no script."""

import json
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from explorable_samples import bars, prediction, roofline, stepper
from tokenwall.explorable.widget import asset

pytestmark = pytest.mark.browser
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'"
SHOWN = "#roofline-explorer .tw-wide "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of explorables under a strict content security policy, as files."""
    place = tmp_path_factory.mktemp("explorables")
    for name in ("explorable.js", "explorable.css"):
        (place / name).write_text(asset(name), encoding="utf-8")
    (place / "page.css").write_text(
        "body{background:var(--pst-color-background,#fff);color:var(--pst-color-text-base,#222);"
        "font-family:sans-serif;margin:0 auto;max-width:46rem;padding:1rem}"
        "html[data-theme=dark]{--pst-color-background:#14181e;--pst-color-text-base:#ced6dd;"
        "--pst-color-surface:#222832;color-scheme:dark}"
    )
    shown = "".join(e.html for e in (prediction(), roofline(kind="compare"), stepper(), bars()))
    many = "".join(roofline(f"copy-{k}").html for k in range(20))
    for theme, body in (("light", shown), ("dark", shown), ("many", many)):
        (place / f"{theme}.html").write_text(
            f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<title>Explorables</title><link rel="stylesheet" href="page.css">'
            '<link rel="stylesheet" href="explorable.css">'
            '<script defer src="explorable.js"></script>'
            f'</head><body><main><h1>Explorables</h1><h2 id="below">Below</h2>{body}</main></body>'
            "</html>",
            encoding="utf-8",
        )
    return place


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def visit(context: BrowserContext, folder: Path) -> Iterator[Callable[..., Page]]:
    """Opens one of the pages from its file; any message on the console fails the test."""
    said: list[str] = []

    def open_page(name: str = "light", fragment: str = "") -> Page:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{(folder / name).as_uri()}.html{fragment}")
        return page

    yield open_page
    assert said == []


def values(page: Page, id: str = "roofline-explorer") -> dict[str, float]:
    return page.evaluate(f"document.getElementById('{id}').explorable.values")


def numbers(path: str) -> np.ndarray:
    return np.array([[float(v) for v in p.split()] for p in path.strip("MLz").split("L")])


def test_curve_follows_the_keyboard_and_matches_numpy(visit):
    page = visit()
    before = page.get_attribute(SHOWN + "[data-gid=roof] path", "d")
    slider = page.get_by_label("Memory bandwidth").first
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    after = page.get_attribute(SHOWN + "[data-gid=roof] path", "d")
    assert after != before
    bandwidth = values(page)["bandwidth"]
    assert bandwidth > 3.35e12
    assert slider.get_attribute("aria-valuetext") == f"{bandwidth / 1e12:.3g} TB/s"
    left, top, width, height = roofline().spec["drawings"][0]["axes"][0]["box"]
    x = np.geomspace(0.1, 1e4, 200)
    y = np.minimum(9.89e14, bandwidth * x)
    expected = np.column_stack(
        [left + width * np.log10(x / 0.1) / 5, top + height * (1 - np.log10(y / 1e9) / 7)]
    )
    np.testing.assert_allclose(numbers(after), expected, atol=0.011)


def test_page_draws_what_matplotlib_drew(visit, browser, folder):
    place = SHOWN + "[data-gid={}] {}"
    parts = [
        place.format("here", "use"),
        place.format("label", "text"),
        place.format("turned", "text"),
    ]

    def places(page: Page) -> list[list[float]]:
        return [[float(page.get_attribute(part, axis)) for axis in "xy"] for part in parts]

    live = visit()
    with browser.new_context(java_script_enabled=False) as context:
        still = context.new_page()
        still.goto(f"{(folder / 'light').as_uri()}.html")
        np.testing.assert_allclose(places(live), places(still), atol=0.021)
        for part in parts[1:]:
            assert live.text_content(part) == still.text_content(part)
    assert live.get_attribute(parts[2], "transform").startswith("rotate(-90 ")


def test_presets_own_values_and_reset(visit):
    page = visit()
    machine = page.get_by_label("Machine").first
    assert machine.input_value() == "h100-sxm"
    machine.select_option("pi-5")
    assert values(page)["bandwidth"] == 1.7e10
    page.get_by_label("Memory bandwidth").first.press("ArrowRight")
    assert machine.input_value() == ""
    page.locator("#roofline-explorer [data-do=reset]").click()
    assert values(page)["bandwidth"] == 3.35e12
    assert machine.input_value() == "h100-sxm"


def test_link_survives_reload_beside_others_and_an_anchor(visit):
    page = visit(fragment="#below")
    page.get_by_label("Machine").first.select_option("pi-5")
    page.get_by_label("Count").press("ArrowRight")
    page.wait_for_url("**/*bars=*")
    assert (
        page.url.split("#")[1] == "below&roofline-explorer=bandwidth:1.7e10,peak_rate:1e12&bars=n:9"
    )
    page.reload()
    assert values(page)["bandwidth"] == 1.7e10
    assert values(page, "bars")["n"] == 9
    page.locator("#roofline-explorer [data-do=reset]").click()
    page.wait_for_url(lambda url: "roofline-explorer" not in url)


def test_bad_links_are_held_to_the_sliders(visit):
    page = visit(fragment="#roofline-explorer=bandwidth:1e99,peak_rate:x,speed:3&bars=n:7.4")
    assert values(page) == {"bandwidth": 3e13, "peak_rate": 9.89e14, "intensity": 1}
    assert values(page, "bars")["n"] == 7


@pytest.mark.parametrize(
    ("link", "held"),
    [
        ("bandwidth%3A1.7e10%2Cpeak_rate%3A1e12", {"bandwidth": 1.7e10, "peak_rate": 1e12}),
        ("bandwidth%3A1.7e10%2Cpeak_rate%3", {"bandwidth": 1.7e10}),  # cut short by a chat program
        ("%", {}),
        ("%E0%A4%A", {}),
        ("bandwidth:1e12,__proto__:3,constructor:4", {"bandwidth": 1e12}),
    ],
)
def test_a_malformed_link_leaves_all_figures_alive(visit, link, held):
    page = visit(fragment=f"#roofline-explorer={link}")
    expected = {"bandwidth": 3.35e12, "peak_rate": 9.89e14, "intensity": 1}
    assert values(page) == {**expected, **held}
    assert page.locator("figure.explorable:not(.ex-ready)").count() == 0
    assert values(page, "bars")["n"] == 8


def test_a_figure_that_fails_leaves_the_others_alive(context, folder):
    broken = context.new_page()
    said: list[str] = []
    broken.on("console", lambda message: said.append(message.text))
    source = (folder / "light.html").read_text(encoding="utf-8")
    start = source.index('<script type="application/json">', source.index('id="roofline-explorer"'))
    (folder / "broken.html").write_text(
        source[:start] + source[start:].replace("{", "?", 1), encoding="utf-8"
    )
    broken.goto(f"{(folder / 'broken').as_uri()}.html")
    assert values(broken, "bars")["n"] == 8
    dead = broken.locator("figure.explorable:not(.ex-ready)")
    assert [figure.get_attribute("id") for figure in dead.all()] == ["roofline-explorer"]
    # It shows what it was drawn for, and no control that would do nothing.
    assert dead.locator("input:visible, button:visible").count() == 0
    assert "Drawn for" in dead.inner_text()
    assert len(said) == 1


def test_links_hold_settings_that_a_reader_can_make(visit):
    """Steps are whole, listed values are listed ones, and the rest is what a preset sets."""
    page = visit(fragment="#bars=q:2.6,held:-1&roofline-steps=step:0.6")
    assert values(page, "bars") == {"n": 8, "q": 3, "held": 2}
    assert page.text_content("#roofline-steps .ex-count") == "2 of 3"
    assert page.locator("#roofline-steps .ex-steps li:visible").count() == 1
    page.get_by_label("Setup").select_option("three-held")
    page.wait_for_url("**/*held:3*")
    page.reload()
    assert values(page, "bars") == {"n": 4, "q": 3, "held": 3}


def test_a_second_link_starts_from_the_defaults_too(visit):
    page = visit(fragment="#roofline-explorer=bandwidth:1e12")
    page.evaluate("location.hash = '#roofline-explorer=intensity:64'")
    page.wait_for_function(
        "document.getElementById('roofline-explorer').explorable.values.intensity === 64"
    )
    assert values(page)["bandwidth"] == 3.35e12


@pytest.mark.parametrize("kept", ["null", "5", "[null]", "{}", '{"guess": null}', '{"guess": "x"}'])
def test_a_kept_guess_that_is_none_counts_as_none(visit, kept):
    page = visit()
    page.evaluate(f"localStorage.setItem('tokenwall.guesses', '{{\"first-guess\": {kept}}}')")
    page.reload()
    assert values(page, "first-guess") == {"guess": 1000}
    assert page.get_by_label("Your guess").is_enabled()


REACH = """() => [...document.querySelectorAll("figure.explorable")].flatMap((figure) =>
  figure.explorable.spec.sliders.flatMap((slider) => {
    const input = figure.querySelector(`input[name=${slider.name}]`), reached = new Set();
    for (let k = 0; k <= Number(input.max); k++) {
      input.value = k;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      reached.add(figure.explorable.values[slider.name]);
    }
    return ["low", "default", "high"].filter((end) => !reached.has(slider[end]))
      .map((end) => `${figure.id} ${slider.name} ${end} ${slider[end]}`);
  }))"""


def test_ends_and_default_of_every_slider_can_be_reached(visit):
    assert visit().evaluate(REACH) == []


def test_chosen_machine_travels_and_a_link_wins(visit):
    visit().get_by_label("Machine").first.select_option("pi-5")
    assert values(visit())["bandwidth"] == 1.7e10
    assert values(visit(fragment="#roofline-explorer=bandwidth:1e12"))["bandwidth"] == 1e12


def test_missing_values_are_gaps_hidden_points_and_words(visit):
    page = visit()
    table, bounded = page.locator("#bars .ex-readouts output").all()
    assert bounded.text_content() == "no value here: the queue never empties"
    point = page.locator("#bars .tw-wide [data-gid=point]")
    assert point.get_attribute("visibility") == "hidden"
    page.get_by_label("Choice").press("ArrowRight")
    assert point.get_attribute("visibility") == "visible"
    assert abs(float(point.locator("use").get_attribute("x"))) < 600
    for slider in ("Count", "Choice"):
        for key in ("Home", "End"):
            page.get_by_label(slider).press(key)
            drawn = page.locator("#bars svg").all()
            assert not any("NaN" in svg.inner_html() for svg in drawn)
            assert not any("Infinity" in svg.inner_html() for svg in drawn)
    found = values(page, "bars")
    assert table.text_content() == str(round(bars().results(**found)["Table"], 2)).removesuffix(
        ".0"
    )


def test_pin_compares(visit):
    page = visit()
    page.locator("#roofline-explorer [data-do=pin]").click()
    page.get_by_label("Machine").first.select_option("pi-5")
    assert page.locator(SHOWN + ".ex-ghost").count() == 4
    assert "pinned: 3.35 TFLOP/s, now ×0.00507" in page.inner_text(
        "#roofline-explorer .ex-readouts"
    )
    page.locator("#roofline-explorer [data-do=pin]").click()
    assert page.locator(".ex-ghost").count() == 0


def test_stepper_walks(visit):
    page = visit()
    step = page.locator("#roofline-steps .ex-steps li:visible")
    assert step.text_content().startswith("At batch 1")
    following = page.locator("#roofline-steps [data-do=next]")
    following.click()
    following.click()
    assert values(page, "roofline-steps") == {
        "bandwidth": 6.7e12,
        "peak_rate": 9.89e14,
        "intensity": 64,
    }
    assert following.is_disabled()
    page.wait_for_url("**/*step:2*")
    page.reload()
    assert step.text_content().startswith("Then double")


def test_prediction_is_judged_kept_and_remembered(visit):
    page = visit()
    assert page.locator("#first-guess details").is_hidden()
    page.locator("#first-guess button").click()
    verdict = page.locator("#first-guess .ex-said")
    said = "You said 1,000 token/s; the answer is 23.9 token/s. Too high by a factor of 41.8."
    assert verdict.text_content() == said
    kept = page.evaluate("TokenWall.guesses()")["first-guess"]
    assert kept["guess"] == 1000
    page.reload()
    assert verdict.text_content() == said
    page.locator("#first-guess button").click()
    assert page.get_by_label("Your guess").is_enabled()


def test_what_is_said_to_a_screen_reader(visit):
    page = visit()
    page.get_by_role("slider", name="Intensity").first.press("ArrowRight")
    live = page.locator("#roofline-explorer .ex-said")
    expect(live).to_have_text(re.compile(r"^Attainable rate: 3.42 TFLOP/s. Ridge: 295 FLOP/B"))
    assert live.get_attribute("aria-live") == "polite"


def test_reads_without_a_script(browser, folder):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{(folder / 'light').as_uri()}.html")
        assert page.locator("input[type=range]:visible, button:visible").count() == 0
        assert page.locator("#roofline-explorer .tw-wide svg").is_visible()
        assert page.locator("#roofline-explorer .tw-narrow svg").is_hidden()
        assert "Drawn for memory bandwidth 3.35 TB/s" in page.inner_text("#roofline-explorer")
        assert "3.35 TFLOP/s" in page.inner_text("#roofline-explorer .ex-readouts")
        assert page.locator("summary").is_visible()
        assert page.locator("#roofline-steps li:visible").count() == 3


def test_prints_figure_and_values_without_controls(visit):
    page = visit()
    page.emulate_media(media="print")
    assert page.locator("select:visible, button:visible, input:visible").count() == 0
    assert page.locator("#roofline-explorer .ex-slider output").first.is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_fits_its_width_with_readable_text(visit, width):
    page = visit()
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('#roofline-explorer svg text')]"
        ".map((t) => t.getBoundingClientRect()).filter((b) => b.height)"
        ".map((b) => Math.min(b.height, b.width < 5 ? 99 : b.height))"
    )
    assert min(sizes) > 9
    for target in page.locator("button:visible, select:visible, input:visible").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 24


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(browser, folder, theme, width):
    with browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{(folder / theme).as_uri()}.html")
        page.locator("#first-guess button").click()
        found = Axe().run(page).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []


# A browser hands input to the page just before it paints; the message arrives after that paint.
MEASURE = """async () => {
  const input = document.querySelector("#roofline-explorer input");
  const { port1, port2 } = new MessageChannel();
  const script = [], repaint = [];
  for (let k = 0; k < 220; k++) {
    await new Promise((done) => requestAnimationFrame(() => {
      input.value = 100 + k;
      const start = performance.now();
      input.dispatchEvent(new Event("input", { bubbles: true }));
      script.push(performance.now() - start);
      port2.onmessage = () => { repaint.push(performance.now() - start); done(); };
      port1.postMessage(0);
    }));
  }
  return { script: script.slice(20), repaint: repaint.slice(20) };
}"""


def test_moves_within_a_frame(visit, capsys):
    times = visit().evaluate(MEASURE)
    with capsys.disabled():
        for what, ms in times.items():
            print(f"\n{what}: median {statistics.median(ms):.2f} ms,", end=" ")
            print(f"95th percentile {statistics.quantiles(ms, n=20)[-1]:.2f} ms", end="")
    assert statistics.median(times["script"]) < 4
    assert statistics.median(times["repaint"]) < 16.7


def test_many_mount_quickly(visit, capsys):
    page = visit("many")
    took = page.evaluate(
        "(() => { for (const f of document.querySelectorAll('.explorable')) delete f.explorable;"
        " const t = performance.now(); TokenWall.hydrateAll(); return performance.now() - t; })()"
    )
    with capsys.disabled():
        print(f"\n20 explorables mount in {took:.1f} ms", end="")
    assert took < 1000


def test_guesses_are_data_others_can_read(visit):
    page = visit()
    page.locator("#first-guess button").click()
    stored = json.loads(page.evaluate("localStorage.getItem('tokenwall.guesses')"))
    assert set(stored["first-guess"]) == {"guess", "answer", "factor", "question", "unit"}


STUB = """async ([source, html, values]) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const kept = { html, values }, heard = {};
  const model = {
    get: (name) => kept[name], set: (name, value) => { kept[name] = value; },
    on: (name, call) => { heard[name] = call; }, save_changes() { model.saved = true; },
  };
  const el = document.body.appendChild(document.createElement("div"));
  widget.render({ model, el });
  const slider = el.querySelector("input[name=bandwidth]");
  slider.value = 0;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  const moved = kept.values.bandwidth;
  kept.values = { ...kept.values, intensity: 64 };
  heard["change:values"]();
  return { moved, saved: model.saved, hash: location.hash,
    readout: el.querySelector(".ex-readouts output").textContent };
}"""


def test_same_script_is_the_live_widget(browser):
    explorable = roofline()
    page = browser.new_page()
    source = explorable.widget._esm
    sent = [str(source), explorable.html, explorable.values]
    found = page.evaluate(STUB, sent)
    page.close()
    assert found == {"moved": 1e10, "saved": True, "hash": "", "readout": "640 GFLOP/s"}

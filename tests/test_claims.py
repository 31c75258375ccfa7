"""The thread's claims: all there, sourced, judged from a closed set, their figures computed."""

import json
import math
import re
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from pybtex.database import parse_file

from bookpages import toc_pages
from tokenwall import style
from tokenwall.data import claims as table
from tokenwall.plots import claims as page
from tokenwall.sphinxext import link_chapters

ROOT = Path(__file__).parents[1]
CLAIMS = table.claims()
BIBLIOGRAPHY = page.references(ROOT / "book" / "references.bib")
OPTIONAL = {"decides", "quotes", "quote_note", "retrieved", "note", "slots"}
PEOPLE = re.compile(r"Hotz|Keller|Musk|Nadella")
every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


@pytest.fixture(scope="module")
def soup():
    return BeautifulSoup(page.claims_html(CLAIMS, BIBLIOGRAPHY), "html.parser")


def agrees(value: float, printed: str) -> bool:
    """Whether a value rounds to a printed number: within half of its last digit."""
    half = 0.5 * 10.0 ** Decimal(printed).as_tuple().exponent
    return abs(value - float(printed)) <= half * (1 + 1e-9)


def test_all_sixty_three_are_there_in_the_order_of_the_thread():
    assert [claim.id for claim in CLAIMS] == [f"C{number:02d}" for number in range(1, 64)]
    assert len({claim.words for claim in CLAIMS}) == 63


@every_claim
def test_no_cell_is_empty(claim):
    assert [key for key, cell in asdict(claim).items() if not cell and key not in OPTIONAL] == []
    assert claim.verdict in table.VERDICTS
    assert claim.part in table.PARTS
    assert re.fullmatch(r"book(/[a-z]+)?/[a-z_]+", claim.chapter)
    assert claim.question.endswith("?")
    assert len(claim.words) < 80


@every_claim
def test_every_source_resolves_and_has_a_place(claim):
    known = parse_file(str(ROOT / "book" / "references.bib")).entries
    assert {key for key, _ in claim.sources} <= set(known)
    assert all(place.strip() for _, place in claim.sources)


@every_claim
def test_what_was_recalled_says_so(claim):
    assert claim.retrieved or "recalled" in claim.note
    assert re.fullmatch(r"(\d{4}-\d\d-\d\d)?", claim.retrieved)


@every_claim
def test_an_opinion_says_what_would_decide_it_and_nothing_else_does(claim):
    assert bool(claim.decides) == (claim.verdict == "opinion")


@every_claim
def test_words_of_living_people_have_a_status_and_say_what_was_found(claim):
    assert all(quote.status in ("checked", "unconfirmed") for quote in claim.quotes)
    assert bool(claim.quotes) == bool(claim.quote_note)
    told = f"{claim.words} {claim.question} {claim.evidence} {claim.reason}"
    for person in PEOPLE.findall(told):
        assert any(person in quote.person for quote in claim.quotes), person


@every_claim
def test_computed_figures_agree_with_the_printed_ones(claim):
    for name, slot in claim.slots.items():
        value = 100 * slot.value if slot.percent else slot.value
        assert agrees(value, slot.printed), (name, value, slot.printed)


@every_claim
def test_every_computed_number_is_shown(claim):
    shown = f"{claim.evidence} {claim.figure} {claim.reason}"
    assert all(slot.text in shown for slot in claim.slots.values())
    assert "{" not in shown


def test_agreement_is_to_half_of_the_last_printed_digit():
    assert agrees(295.49, "295")
    assert not agrees(295.51, "295")
    assert agrees(5.24426e4, "5.24e4")
    assert not agrees(5.25426e4, "5.24e4")
    assert agrees(64.1, "6e1")


def test_figures_without_an_equation_are_right_too():
    figures = {claim.id: claim.figure for claim in CLAIMS if not claim.slots}
    gain = [1 / (1 - share + share / 3) for share in (0.1, 0.9)]
    assert figures["C05"].startswith(f"{gain[0]:.2f} times")
    assert f"{gain[1]:.1f} times at nine" in figures["C05"]
    assert 0.1 + 0.2 + math.log(2) == pytest.approx(1, abs=0.05)
    assert f"{math.factorial(18) // math.factorial(9):,} join" in figures["C29"]


def test_an_urn_of_chance_alone_makes_lopsided_worlds():
    generator = np.random.default_rng(11)
    ours = np.ones(4000)
    for balls in range(2, 1500):
        ours += generator.random(ours.size) < ours / balls
    share = ours / 1500
    lopsided = np.mean(np.maximum(share, 1 - share) > 0.9)
    assert lopsided == pytest.approx(0.2, abs=0.02)
    assert table.claim("C11").figure.startswith("in 2 of 10")


def test_a_batch_wakes_as_many_experts_as_the_row_says():
    generator = np.random.default_rng(45)
    choices = generator.random((300, 32, 256)).argsort(axis=-1)[..., :8]
    awake = np.mean([len(np.unique(layer)) for layer in choices])
    assert awake == pytest.approx(163, abs=1)
    assert "163 of 256" in table.claim("C45").figure


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (None, "no number"),
        (True, "no number"),
        ({"sum": [1, 2]}, "no operation"),
        ("machines:h100-sxm:colour", "names no number"),
        ("machines:llama-9:layers", "names no number"),
        ("machines:h100-sxm:peak_rate_fp4", "is empty"),
        ("facts:person:height", "nearest"),
        ("constant:nothing", "no constant of nature"),
        ("engines:x:y", "must begin with"),
        ({"equation": "roofline.nothing", "inputs": {}}, "not in the library"),
        ({"equation": "nothing.critical_batch", "inputs": {}}, "not in the library"),
        ({"equation": "queueing.simulate_continuous_batching", "inputs": {}}, "no equation"),
        (
            {"equation": "roofline.bandwidth_law", "inputs": {"bandwidth": -1}},
            "bandwidth_law|bandwidth",
        ),
    ],
)
def test_bad_references_are_refused(reference, message):
    with pytest.raises(ValueError, match=message):
        table.value(reference)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "fine"}, "C01: verdict is 'fine'"),
        ({"part": "rest"}, "C01: part is 'rest'"),
        ({"locator": "a; b; c"}, "differ in number"),
        ({"quoted": "A; B"}, "differ in number"),
        ({"quote_status": "surely"}, "status of the quotation"),
    ],
)
def test_bad_rows_are_refused(change, message):
    import csv

    with (ROOT / "lib/tokenwall/data/claims.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    table._claim(row)
    with pytest.raises(ValueError, match=message):
        table._claim({**row, **change})


def test_unknown_claims_and_sources_are_refused():
    with pytest.raises(ValueError, match="from C01 to C63"):
        table.claim("C64")
    with pytest.raises(ValueError, match="not in the bibliography"):
        page.claims_html(CLAIMS[:1], {})


def test_references_read_names_and_addresses():
    assert BIBLIOGRAPHY["azure2025"].label == "Gitau and Affaticati 2025"
    assert BIBLIOGRAPHY["leiserson2020"].label == "Leiserson et al. 2020"
    assert BIBLIOGRAPHY["dao2022"].url == "https://arxiv.org/abs/2205.14135"
    labels = [BIBLIOGRAPHY[key].label for claim in CLAIMS for key, _ in claim.sources]
    assert [label for label in labels if not re.fullmatch(r"[^{}\\]+ \d{4}", label)] == []


def test_the_page_has_a_row_for_every_claim(soup):
    rows = soup.select("tbody tr")
    assert [row["id"] for row in rows] == [claim.id.lower() for claim in CLAIMS]
    for row, claim in zip(rows, CLAIMS, strict=True):
        assert (row["data-verdict"], row["data-part"]) == (claim.verdict, claim.part)
        assert claim.verdict in row.th.text
        assert page.MARKS[claim.verdict] in row.th.text
        assert all(cell.get_text(strip=True) for cell in row.find_all(["th", "td"]))
        assert row.select_one("[data-page]")["data-page"] == claim.chapter


def test_the_counting_lines_count(soup):
    lines = {line["data-count"]: line.text for line in soup.select("[data-count]")}
    assert len(lines) == 25
    for verdict in (page.EVERY, *table.VERDICTS):
        for part in (page.EVERY, *table.PARTS):
            fits = [
                claim
                for claim in CLAIMS
                if verdict in (page.EVERY, claim.verdict) and part in (page.EVERY, claim.part)
            ]
            assert lines[f"{verdict}-{part}"].startswith(f"{len(fits)} of 63 claims shown")


def test_every_choice_has_a_label_and_a_rule(soup):
    css = (ROOT / "book/_static/site.css").read_text(encoding="utf-8")
    for choice in soup.select("input[type=radio]"):
        assert soup.select_one(f'label[for="{choice["id"]}"]').text.strip()
    assert [field.legend.text for field in soup.select("fieldset")] == [
        "Verdict",
        "Part of the book",
    ]
    for verdict in (page.EVERY, *table.VERDICTS):
        for part in (page.EVERY, *table.PARTS):
            rule = f"#tw-verdict-{verdict}:checked):has(#tw-part-{part}:checked)"
            assert f'{rule} [data-count="{verdict}-{part}"]' in css
    for name, keys in (("verdict", table.VERDICTS), ("part", table.PARTS)):
        for key in keys:
            assert f'#tw-{name}-{key}:checked) tbody tr:not([data-{name}="{key}"])' in css


def test_the_page_needs_no_script_and_no_inline_style(soup):
    assert soup.find("script") is None
    assert [tag for tag in soup.find_all(True) if tag.has_attr("style")] == []


def test_places_for_chapters_become_links_where_the_chapter_exists():
    place = '<p><span data-page="book/memory/rack">to come (rack)</span></p>'
    titles = {"book/memory/rack": "A &amp; B"}
    assert link_chapters(place, "book/reference/claims", {}) == place
    linked = link_chapters(place, "book/reference/claims", titles)
    assert linked == '<p><a href="../memory/rack.html">A &amp; B</a></p>'


def test_built_page_links_the_chapters_that_are_written(site):
    text = (site / "book/reference/claims.html").read_text(encoding="utf-8")
    built = BeautifulSoup(text, "html.parser")
    written = set(toc_pages())
    for claim in CLAIMS:
        line = built.select_one(f"#{claim.id.lower()} .tw-small")
        target = line.a and (site / "book/reference" / line.a["href"]).resolve()
        if claim.chapter in written:
            assert target == (site / f"{claim.chapter}.html").resolve()
        else:
            assert target is None
            assert "to come" in line.text


def test_built_page_is_light(site):
    import gzip

    data = (site / "book/reference/claims.html").read_bytes()
    assert len(gzip.compress(data)) < 100_000


def test_stored_page_is_of_today(soup):
    """The notebook's table is the one that the table of claims gives now."""
    cells = json.loads((ROOT / "book/reference/claims.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [out for cell in cells for out in cell.get("outputs", []) if "data" in out]
    shown = ["".join(out["data"].get("text/html", "")) for out in outputs]
    assert page.claims_html(CLAIMS, BIBLIOGRAPHY) in shown


@pytest.mark.parametrize("narrow", [False, True])
def test_the_figure_shows_every_count(narrow):
    with style.use():
        figure = page.verdict_bars(narrow=narrow)
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    totals = page.counts()
    for verdict in table.VERDICTS:
        for part in table.PARTS:
            assert f"{verdict} {totals[verdict, part]}" in texts
    assert style.inline_svg(figure, page.verdict_bars_alt()).startswith("<svg")
    style.close(figure)


def test_the_figure_s_words_add_up():
    numbers = [int(number) for number in re.findall(r"\d+", page.verdict_bars_alt())]
    assert sum(numbers) == 63
    assert len(numbers) == 16

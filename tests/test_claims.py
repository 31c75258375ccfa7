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
OPTIONAL = {"quotes", "quote_note", "retrieved", "note", "slots"}
PEOPLE = re.compile(r"Hotz|Keller|Musk|Nadella|Primeagen")
every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


@pytest.fixture(scope="module")
def soup():
    return BeautifulSoup(page.claims_html(CLAIMS, BIBLIOGRAPHY), "html.parser")


def agrees(value: float, printed: str) -> bool:
    """Whether a value rounds to a printed number: within half of its last digit."""
    half = 0.5 * 10.0 ** Decimal(printed).as_tuple().exponent
    return abs(value - float(printed)) <= half * (1 + 1e-9)


def test_all_sixty_five_are_there():
    assert [claim.id for claim in CLAIMS] == [f"C{number:02d}" for number in range(1, 66)]
    assert len({claim.words for claim in CLAIMS}) == 65


def test_a_quotation_that_stops_before_its_object_says_so():
    """Quotation marks and apostrophes stand in the table; where the object is left out, dots do."""
    words = {claim.id: claim.words for claim in CLAIMS}
    assert words["C14"] == 'they do not care about "software debt"'
    assert words["C64"] == "we're epochs away from matching"
    cut = ("C05", "C09", "C13", "C20", "C41")
    assert [key for key, said in words.items() if said.endswith("…")] == list(cut)
    last = re.compile(r"\b(?:under|about|when|for|with|raw|of|the|to)$")
    assert [key for key, said in words.items() if last.search(said)] == []


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["true"], "right"),
        (["true", "true"], "right"),
        (["true", "false"], "loose"),
        (["open", "true"], "loose"),
        (["true", "false", "open"], "loose"),
        (["false"], "wrong"),
        (["false", "false"], "wrong"),
        (["open"], "opinion"),
        (["open", "false"], "opinion"),
    ],
)
def test_a_verdict_follows_from_the_outcomes_of_the_readings(outcomes, expected):
    assert table.verdict(outcomes) == expected


@pytest.mark.parametrize("outcomes", [[], ["maybe"], ["true", ""]])
def test_outcomes_that_are_none_are_refused(outcomes):
    with pytest.raises(ValueError, match="outcomes are"):
        table.verdict(outcomes)


@every_claim
def test_every_verdict_follows_from_its_readings(claim):
    assert claim.verdict == table.verdict(reading.outcome for reading in claim.readings)
    gives = {rule.key: rule.outcomes for rule in table.rules("outcome")}
    assert all(reading.outcome in gives[reading.rule] for reading in claim.readings)
    assert len({reading.words for reading in claim.readings}) == len(claim.readings)


def test_the_verdicts_are_defined_and_every_rule_is_used():
    assert tuple(rule.key for rule in table.rules("verdict")) == table.VERDICTS
    used = {reading.rule for claim in CLAIMS for reading in claim.readings}
    assert used == {rule.key for rule in table.rules("outcome")}
    given = {outcome for rule in table.rules("outcome") for outcome in rule.outcomes}
    assert given == set(table.OUTCOMES)
    assert all(rule.words.endswith((".", ":")) for rule in table._rules())
    with pytest.raises(ValueError, match="kind of rule"):
        table.rules("colour")


def test_an_attribution_is_no_better_than_what_was_found():
    """What was found of somebody's words, and the rule of a reading, do not contradict."""
    for claim in CLAIMS:
        found = {quote.status for quote in claim.quotes}
        ways = {reading.rule for reading in claim.readings}
        if found and found <= {"checked", "reported"}:
            assert "said" in ways
        if "unconfirmed" in found:
            assert ways & {"unfound", "motive"} or "speed of light" in claim.quote_note


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
def test_every_row_says_what_would_change_its_verdict(claim):
    assert claim.changes[0].isupper()
    assert claim.changes.endswith(".")


@every_claim
def test_words_of_living_people_have_a_status_and_say_what_was_found(claim):
    assert all(quote.status in ("checked", "reported", "unconfirmed") for quote in claim.quotes)
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


@pytest.mark.parametrize(("returns", "lopsided"), [(1, 0.2), (2, 1)])
def test_an_urn_of_chance_alone_makes_lopsided_worlds(returns, lopsided):
    """The linear urn keeps both alive in 8 histories of 10; stronger returns leave one."""
    generator = np.random.default_rng(11)
    ours = np.ones(4000)
    for balls in range(2, 1500):
        share = ours / balls
        chance = share**returns / (share**returns + (1 - share) ** returns)
        ours += generator.random(ours.size) < chance
    share = ours / 1500
    found = np.mean(np.maximum(share, 1 - share) > 0.9)
    assert found == pytest.approx(lopsided, abs=0.02)
    figure = table.claim("C11").figure
    assert figure.startswith("in 2 of 10")
    assert figure.endswith("with stronger returns, in all")


def test_the_rates_of_repair_are_those_of_the_chapter_on_waiting():
    from tokenwall import waiting
    from tokenwall.plots.waiting_tables import YEAR, case, costs

    rates = case(yearly_fall=1.4)
    months = 12 / (YEAR * costs(rates)["user_cost"])
    assert table.claim("C14").slots["a"].value == pytest.approx(months)
    chance = rates["payback_rate"] - waiting.bill_decay(
        **{name: rates[name] for name in ("price_decline", "usage_growth", "discount_rate")},
        retirement_hazard=rates["retirement_hazard"],
        arrival_hazard=0,
    )
    assert table.claim("C15").slots["a"].value == pytest.approx(12 / (YEAR * float(chance)))


def test_brain_and_rack_are_compared_as_the_chapter_on_energy_does():
    from tokenwall.plots.energy_tables import comparison

    rows = comparison()
    part = rows[rows["charged"].str.startswith("brain")].set_index("counted")["ratio"]
    slots, evidence = table.claim("C57").slots, table.claim("C57").evidence
    assert slots["c"].value == pytest.approx(1 / part["tokens, reading aloud"].value)
    every = next(ratio for name, ratio in part.items() if "all methods" in name)
    assert slots["d"].value == pytest.approx(every.value, rel=0.01)
    assert f"{every.low:.2g} to {every.high / 1e6:.1f} million" in evidence
    answers = sorted(1 / ratio.value for name, ratio in part.items() if "right answers" in name)
    assert f"{answers[0]:.1f} and {round(answers[1], -2):,.0f} times" in evidence
    assert table.claim("C64").slots["d"].value == slots["d"].value
    limit = table.claim("C59")
    ends = [4.7e15 / (rate / 20) for rate in (1e17, 1e13)]
    assert f"{ends[0]:.2f} to {ends[1]:,.0f}" in limit.evidence


def test_the_bound_of_light_is_that_of_the_ledger():
    from tokenwall.ledger_rows.light import light_bound, rack_extent

    bound = light_bound("llama-3.1-70b", rack_extent())
    assert table.claim("C60").slots["a"].value == pytest.approx(bound.value)


def test_the_models_of_the_benchmark_are_transformers():
    from tokenwall import data

    rows = data.measurements()
    ran = set(rows[rows["source"].str.contains("mlperf2025v51")]["model"])
    assert table.claim("C16").figure.startswith(f"{len(ran)} of {len(ran)}")
    assert set(data.models().loc[sorted(ran), "attention"]) <= {"MHA", "GQA", "MLA"}


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
        ({"difference": [1, 2]}, "no operation"),
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
        ({"verdict": "fine"}, "C01: verdict is 'fine'; from its readings follows 'loose'"),
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
    readings = CLAIMS[0].readings
    table._claim(row, readings)
    with pytest.raises(ValueError, match=message):
        table._claim({**row, **change}, readings)


@pytest.mark.parametrize(
    ("outcome", "rule"), [("true", "motive"), ("maybe", "measured"), ("open", "x")]
)
def test_a_rule_gives_only_its_own_outcomes(outcome, rule):
    row = {"id": "C01", "reading": "It is so.", "outcome": outcome, "rule": rule}
    with pytest.raises(ValueError, match="does not give the outcome"):
        table._reading(row)


def test_unknown_claims_and_sources_are_refused():
    with pytest.raises(ValueError, match="from C01 to C65"):
        table.claim("C66")
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
        told = [line["data-outcome"] for line in row.select(".tw-readings li")]
        assert told == [reading.outcome for reading in claim.readings]
        assert "What would change the verdict:" in row.text


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
            assert lines[f"{verdict}-{part}"].startswith(f"{len(fits)} of 65 claims shown")


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
    assert sum(numbers) == 65
    assert len(numbers) == 16

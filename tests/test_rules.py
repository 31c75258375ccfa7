"""Rules that keep errors of meaning out: unlike sides, unstated selections, untested orders."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bookpages import toc_pages
from tokenwall import calibration, roofline, scenario, style, validation
from tokenwall.data import machine, machines, measurements, models, tidy
from tokenwall.data import model as data_model
from tokenwall.data.comparisons import Side, compared, comparisons, sides
from tokenwall.data.selections import rule, selected, selections
from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger_rows.serving import ENGINE, one_user
from tokenwall.plots import batching, batching_tables, decoding
from tokenwall.plots import validation as validation_plots
from tokenwall.plots.sweeps import spread_factor
from tokenwall.serving.engines import NINE_IN_TEN
from tokenwall.style import interval_words
from tokenwall.sweep import quantiles

# Words that call an interval a probability.
PROBABLE = re.compile(
    r"\bnine (?:(?:draws|measurements|rows|cases) )?(?:in|of|out of) ten\b|\bnine tenths\b"
    r"|\bnine times in ten\b|\b90[ \u202f]?(?:%|per cent)",
    re.IGNORECASE,
)
ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "lib" / "tokenwall" / "data"
NOTEBOOKS = [name for name in toc_pages() if (ROOT / f"{name}.ipynb").exists()]
ONE = Estimate.exact(1)
# Words that say which of two computed things is the larger, nearer or earlier one.
ORDER = re.compile(
    r"\bnearer\b|\bnearest (?:wall|limit|bound)\b|\bbinds? (?:first|before|earlier|later|last)\b"
    r"|\b(?:smaller|larger|higher|lower|longer|shorter|faster|slower|cheaper|dearer) than "
    r"(?:any|all|every|the|that|both)\b|\b(?:exceeds?|overtakes?|outweighs?)\b"
    r"|\bbeats (?:it|the)\b|\b(?:best|worst|largest|smallest|fastest|slowest) of (?:all|these)\b"
    r"|\b(?:always|never) (?:to the slow side|faster|slower)\b"
)
# A task, or a fact of how a thing is built, compares nothing that was computed.
NO_ORDER = re.compile(r"\blimit that binds first\b")


def cells(name: str) -> list[dict]:
    return json.loads((ROOT / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def printed(name: str) -> str:
    """All that a page says: prose, code and stored outputs."""
    path = ROOT / f"{name}.ipynb"
    if not path.exists():
        return (ROOT / f"{name}.md").read_text(encoding="utf-8")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("key", sorted(set(comparisons()["key"])))
def test_both_sides_of_a_comparison_are_counted_alike(key):
    first, second = sides(key)
    assert first.differences(second) == []
    assert compared(key, ONE, ONE).value == 1


@pytest.mark.parametrize(
    "row", comparisons().to_dict("records"), ids=lambda row: f"{row['key']} {row['name']}"
)
def test_a_comparison_is_made_where_it_is_declared(row):
    assert row["page"] in toc_pages()
    sources = [*(ROOT / "lib").rglob("*.py"), *(ROOT / "book").rglob("*.ipynb")]
    assert any(row["key"] in path.read_text(encoding="utf-8") for path in sources), row


@pytest.mark.parametrize("field", ["measure", "unit", "boundary", "level", "overhead"])
def test_unlike_sides_are_refused(field, monkeypatch):
    usual = {
        "name": "a",
        "measure": "tokens written",
        "unit": "token/J",
        "boundary": "part",
        "level": "mean",
        "overhead": "without",
    }
    other = {"boundary": "site", "level": "peak", "overhead": "with"}.get(field, "another")
    pair = Side(**usual), Side(**{**usual, field: other})
    monkeypatch.setattr("tokenwall.data.comparisons.sides", lambda key: pair)
    with pytest.raises(ValueError, match=rf"cannot be divided: {field} is"):
        compared("any", ONE, ONE)


@pytest.mark.parametrize("key", sorted(selections()["key"]))
def test_a_page_prints_the_rule_of_what_it_shows(key):
    row = selections().set_index("key").loc[key]
    assert len(selected(key)) > 0
    said = printed(row["page"])
    assert rule(key) in said.replace("\\u2019", "’") or f'"{key}"' in said, key


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_statements_of_order_are_asserted_beside_them(name):
    every = cells(name)
    for place, cell in enumerate(every):
        said = NO_ORDER.sub("", text(cell))
        if cell["cell_type"] != "markdown" or not ORDER.search(said):
            continue
        before = next((c for c in reversed(every[:place]) if c["cell_type"] == "code"), None)
        after = next((c for c in every[place + 1 :] if c["cell_type"] == "code"), None)
        checked = any(c and re.search(r"\bassert\b", text(c)) for c in (before, after))
        assert checked, f"{name}: {ORDER.search(said)[0]!r} in: {said[:200]}"


def probable(path: Path) -> list[str]:
    """Sentences of prose and lines of code that say nine in ten."""
    if path.suffix == ".ipynb":
        every = json.loads(path.read_text(encoding="utf-8"))["cells"]
        parts = [(cell["cell_type"] == "code", text(cell)) for cell in every]
    else:
        parts = [(path.suffix == ".py", path.read_text(encoding="utf-8"))]
    found = []
    for is_code, part in parts:
        pieces = part.splitlines() if is_code else re.split(r"(?<=[.:?!])\s|\n", part)
        found += [" ".join(piece.split()) for piece in pieces if PROBABLE.search(piece)]
    return found


def probable_places() -> dict[str, list[str]]:
    paths = [
        *(ROOT / "lib" / "tokenwall").rglob("*.py"),
        *(ROOT / f"{name}.ipynb" for name in NOTEBOOKS),
        *(ROOT / f"{name}.md" for name in toc_pages() if (ROOT / f"{name}.md").exists()),
    ]
    every = {path.relative_to(ROOT).as_posix(): probable(path) for path in sorted(set(paths))}
    return {name: found for name, found in every.items() if found}


def listed() -> list[dict[str, str]]:
    with (ROOT / "tests" / "probable.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_nine_in_ten_is_said_only_where_it_was_shown():
    """A sentence with these words is new or changed: list it, with the test that makes it so."""
    said = sorted((place, words) for place, found in probable_places().items() for words in found)
    assert said == sorted((row["place"], row["words"]) for row in listed())


@pytest.mark.parametrize("row", listed(), ids=lambda row: f"{row['place']}: {row['words'][:40]}")
def test_what_is_said_of_nine_in_ten_names_a_test(row):
    file, name = row["shown_by"].split("::")
    assert re.search(rf"^def {name}\(", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE)
    assert row["why"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("The interval holds nine in ten.", True),
        ("nine of ten measurements", True),
        ("nine measurements of ten", True),
        ("a 90 % interval", True),
        ("Nine times in ten", True),
        ("eight to nine powers of ten", False),
        ("nine tens", False),
        ("190 %", False),
        ("ninety", False),
    ],
)
def test_words_of_probability_are_found(words, found):
    assert bool(PROBABLE.search(words)) == found


def test_nine_tenths_of_the_rows_of_a_panel_lie_between_the_ends_it_prints():
    shown = decoding.in_panels(calibration.batch1_table())
    alt = decoding.bound_against_measured_alt(shown)
    parts = re.findall(
        r"([A-Z][\w -]+): (\d+) rows, median \d+%, nine tenths of them between (\d+)% and (\d+)%",
        alt,
    )
    real = shown[shown["plausible"]]
    assert {name for name, *_ in parts} == set(real["group"])
    for name, count, low, high in parts:
        share = (real["measured"] / real["bound"])[real["group"] == name]
        assert len(share) == int(count)
        # Printed ends are whole per cents.
        inside = share.between(float(low) / 100 - 0.005, float(high) / 100 + 0.005).mean()
        assert 0.88 <= inside <= 0.9 + 2 / len(share) + 0.04, name


def test_nine_in_ten_of_the_errors_of_a_class_are_within_what_is_printed():
    table = calibration.batch1_table()
    judged = table[table["used_in_fit"] & table["error"].notna()]
    for name, row in calibration.error_summary(table).iterrows():
        errors = judged.loc[judged["machine_class"] == name, "error"].abs()
        inside = (errors <= row["ninth_decile"] + 1e-12).mean()
        assert inside == pytest.approx(0.9, abs=1 / len(errors)), name


def test_quantiles_of_draws_hold_nine_tenths_of_them():
    draws = np.random.default_rng(3).lognormal(0, 0.4, (1, 4001))
    frame = xr.Dataset({"tokens_per_second": (("batch", "draw"), draws)}, coords={"batch": [8.0]})
    ends = quantiles(frame)
    low, high = (float(ends["tokens_per_second"].isel(quantile=i, batch=0)) for i in (0, -1))
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.9, abs=1e-3)
    assert spread_factor(ends) == pytest.approx((high / low) ** 0.5)


def test_the_width_of_an_interval_holds_nine_tenths_of_a_normal_law():
    from scipy.stats import norm

    assert norm.cdf(NINE_IN_TEN) - norm.cdf(-NINE_IN_TEN) == pytest.approx(0.9, abs=1e-3)


def test_stored_widths_hold_nearly_nine_of_ten_rows_that_no_fit_had_seen():
    table = validation.intervals()
    assert table["stored"].between(0.87, 0.92).all()
    # What the text of predictions says of publications that did not set the widths.
    assert table["blind"].between(0.79, 0.91).all()


def test_the_start_of_the_ledger_holds_nine_tenths_of_its_misses():
    chip, model = machine("h100-sxm"), data_model("llama-2-70b")
    found = one_user(chip, model)
    rate = scenario.predict_batch1(model, chip, 16, ENGINE).rate
    table = calibration.batch1_table().query("engine == @ENGINE and used_in_fit")
    misses = 1 + table.loc[table["machine_class"] == chip["category"], "error"].dropna()
    truths = rate / misses
    assert found.is_probable
    # The upper end may be cut at the bandwidth law, which no truth can pass.
    law = roofline.bandwidth_law(chip["memory_bandwidth"], scenario.step_weight_bytes(model))
    inside = truths.clip(upper=float(law)).between(found.low * 0.999, found.high * 1.001).mean()
    assert inside == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize("kind", [kind for kind in Spread if kind != Spread.EXACT])
def test_an_interval_is_called_in_words_what_it_is(kind):
    estimate = Estimate(2, 1, 4, kind)
    assert estimate.is_probable == (kind == Spread.NINE_IN_TEN)
    words = interval_words([estimate])
    assert str(kind) in words
    assert bool(PROBABLE.search(words)) == estimate.is_probable


def heights(figure) -> list[float]:
    """Heights of the dots and marks of a figure, as its artists have them."""
    drawn: list[float] = []
    for ax in figure.axes:
        for line in ax.get_lines():
            values = np.asarray(line.get_ydata(), dtype=float)
            gaps = np.isnan(values)
            if gaps.any():  # a row of dots: each stands twice, with a gap
                drawn += list(values[~gaps][::2])
            elif line.get_marker() not in (None, "None", ""):
                drawn += list(values)
    return drawn


def test_every_row_of_the_rule_is_drawn_for_one_reader():
    """The heights of the dots and crosses themselves, against the tables."""
    table = calibration.batch1_table()
    with style.use():
        figure = decoding.bound_against_measured(decoding.in_panels(table))
    drawn = heights(figure)
    wanted = selected("single-reader-drawn")
    rates = np.where(wanted["metric"] == "decode_rate", wanted["si_value"], 1 / wanted["si_value"])
    np.testing.assert_allclose(sorted(drawn), sorted(rates.astype(float)), rtol=1e-9)
    everything = selected("single-reader")
    assert set(everything["id"]) - set(wanted["id"]) == {
        row.id for row in everything.itertuples() if row.machine == "wse-3"
    }


def test_every_run_of_the_rule_is_drawn_for_batches_unless_it_is_mostly_prompt():
    """Which runs stay is found here from the words of the page; heights are read from the dots."""
    rows = selected("batching-static").set_index("id")
    chips, shapes = machines(), models()
    timed = rows[rows["metric"].isin(["batch_latency", "output_rate"])]
    seconds = timed["si_value"].where(
        timed["metric"] == "batch_latency",
        timed["batch"] * timed["output_tokens"] / timed["si_value"],
    )
    # NVIDIA's table of 2023 is in 8 bits of floating point, the others compute in 16.
    eight = (timed["weight_bits"] == 8) & (timed["source"] == "nvidia2023trtllm05")
    peak = timed["devices"] * timed["machine"].map(chips["peak_rate_fp16"]).where(
        ~eight, timed["machine"].map(chips["peak_rate_fp8"])
    )
    prompt = 2 * timed["model"].map(shapes["parameters"]) * timed["batch"]
    prompt = prompt * timed["input_tokens"].clip(lower=1) / (peak / 2)
    mostly_prompt = set(timed.index[prompt / seconds > 0.25])
    grid = batching_tables.static_batches(measurements(), chips, shapes)
    assert mostly_prompt
    assert set(grid["id"]) == set(rows.index) - mostly_prompt
    shown = grid[(grid["devices"] == 1) & grid["fits"]]
    with style.use():
        drawn = heights(batching.step_figure(grid))
    np.testing.assert_allclose(sorted(drawn), sorted(shown["measured"] / shown["bound"]))


def test_every_run_of_the_server_is_drawn():
    published = selected("batching-server").pivot(index="key", columns="quantity")["si_value"]
    runs = batching_tables.server_runs(tidy("facts"), "mlenergy-llama-3.1-70b-4xh100")
    with style.use():
        drawn = heights(
            batching.server_figure(runs, {"mean": (0.02, 1e-4), "median": (0.02, 1e-4)})
        )
    mean = published["batch"] / published["token_rate"]
    wanted = sorted([*mean, *published["median_token_time"]])
    np.testing.assert_allclose(sorted(drawn), wanted)


def test_every_run_of_the_vendor_is_counted():
    table = batching_tables.fullest_batches(measurements(), machines(), models())
    assert sorted(table["batch"]) == sorted(selected("batching-vendor")["batch"])


def test_every_judged_row_is_drawn_or_covered_by_a_dot():
    """The validation scatter: dots are the starts of short strokes."""
    every = validation.rows()
    with style.use():
        figure = validation_plots.scatter_figure(every)
    for ax, regime in zip(figure.axes, validation_plots.REGIMES, strict=True):
        paths = [patch.get_path() for patch in ax.patches]
        starts = [path.vertices[path.codes == path.MOVETO] for path in paths if len(path) > 5]
        dots = np.log10(np.concatenate(starts))
        wanted = np.log10(every.loc[every["regime"] == regime, ["measured", "unseen"]].to_numpy())
        apart = np.abs(wanted[:, None] - dots[None]).max(axis=2)
        assert len(wanted)
        assert apart.min(axis=1).max() < 0.031, f"a row of {regime} has no dot"
        assert apart.min(axis=0).max() < 1e-9, f"a dot of {regime} is no row"


def test_every_measurement_is_judged_or_left_out_for_a_reason():
    judged, covered = validation.rows(), validation.coverage().set_index("reason")["rows"]
    everything = selected("validation-all")
    assert set(judged["id"]) <= set(everything["id"])
    assert len(everything) == covered.sum()
    assert len(judged) == covered["covered"]


def test_no_range_has_equal_ends(site):
    """ "2.1 to 2.1" is one number, or needs a digit more."""
    from bs4 import BeautifulSoup

    for name in NOTEBOOKS:
        page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        for hidden in page.find_all(["script", "style", "sup"]):
            hidden.decompose()
        said = " ".join(page.find("main").get_text(" ").split())
        alike = re.search(
            r"(?<![\d.,×^])(\d[\d.,]*\d|\d) to \1(?![\d.,]*\d)(?! \d| \w+illion)", said
        )
        assert not alike, f"{name}: {said[max(0, alike.start() - 60) : alike.end() + 40]}"


def rows(table: str) -> list[dict[str, str]]:
    with (TABLES / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", rows("errata"), ids=lambda row: row["key"])
def test_an_erratum_is_complete_and_names_a_page(row):
    assert row["page"] in toc_pages()
    assert all(row[name] for name in ("key", "quantity", "before", "reason"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"])


@pytest.mark.parametrize("row", rows("errata"), ids=lambda row: row["key"])
def test_what_an_erratum_says_is_printed_now_is_printed(site, row):
    from bs4 import BeautifulSoup

    page = BeautifulSoup((site / f"{row['page']}.html").read_text(encoding="utf-8"), "html.parser")
    said = " ".join(page.find("main").get_text(" ").split())
    squeezed = re.sub(r"\s+", "", said)
    for part in filter(None, row["now"].split(" | ")):
        assert re.sub(r"\s+", "", part) in squeezed, (row["page"], part)


def test_errata_have_unique_keys_and_known_sources():
    keys = [row["key"] for table in ("errata", "source_errata") for row in rows(table)]
    assert len(set(keys)) == len(keys)
    known = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    for row in rows("source_errata"):
        assert f"{{{row['source']}," in known, row
        assert all(row[name] for name in ("locator", "printed", "should_be", "reason"))

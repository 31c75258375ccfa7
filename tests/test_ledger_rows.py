"""The first ledger: computed from the tables, it leads to the record, row by traceable row."""

import pytest
from pybtex.database import parse_file

from tokenwall.data import machine, model
from tokenwall.data.facts import facts, interval, sources
from tokenwall.equation import REGISTRY
from tokenwall.ledger_rows import (
    batching_row,
    fastest_rate,
    first_ledger,
    known_rates,
    one_user,
    reading_rate,
)
from tokenwall.plots.ledger import waterfall, waterfall_alt
from tokenwall.record import Service
from tokenwall.roofline import bandwidth_law
from tokenwall.scenario import step_weight_bytes


@pytest.fixture(scope="module")
def ledger():
    return first_ledger()


def test_it_ends_on_the_published_record(ledger):
    assert ledger.end.value == 1_100_948.3
    product = ledger.start.value
    for row in ledger.rows:
        product *= row.factor.value
    assert product == pytest.approx(1_100_948.3, rel=1e-12)


def test_every_row_can_be_traced(ledger, root):
    keys = set(parse_file(root / "book" / "references.bib").entries)
    for row in ledger.rows:
        assert (root / row.chapter).exists()
        assert set(row.equations) <= set(REGISTRY)
        assert set(row.source.split("; ")) <= keys
        assert row.factor.low <= row.factor.value <= row.factor.high


def test_the_first_row_ends_on_the_bandwidth_law(ledger):
    chip, llm = machine("gb300-nvl72"), model("llama-2-70b")
    law = bandwidth_law(chip["memory_bandwidth"], step_weight_bytes(llm))
    assert ledger.steps[0].after.value == pytest.approx(float(law))
    assert ledger.start.high <= law


def test_longer_prompts_leave_less_for_answers():
    row = batching_row(Service.fitting("h100-sxm", "llama-3.1-8b"))
    assert row.factor.low < row.factor.value < row.factor.high
    assert "recalled" in row.note


def test_scales_do_not_widen_a_format():
    """Four-bit weights with their scales run at the four-bit rate of the data sheet."""
    chip = machine("gb300-nvl72")
    assert fastest_rate(chip, 4.5) == fastest_rate(chip, 4) == 15e15
    assert fastest_rate(chip, 8.5) == 5e15
    assert fastest_rate(machine("h100-sxm"), 4.5) == fastest_rate(machine("h100-sxm"), 8)
    assert fastest_rate(chip, 16) == 2.5e15


@pytest.mark.parametrize("name", ["h100-sxm", "rtx-4090", "a100-sxm-80gb"])
def test_one_user_stays_below_the_law(name):
    chip, llm = machine(name), model("llama-3.1-8b")
    rate = one_user(chip, llm)
    assert rate.low < rate.value < bandwidth_law(chip["memory_bandwidth"], step_weight_bytes(llm))


def test_a_reader_and_the_record():
    assert 5 < reading_rate().value < 5.6
    assert known_rates()["the record, per accelerator"] == pytest.approx(15_291, abs=0.5)
    run = interval("azure-gb300-rack", "run_token_rate")
    rack = facts("azure-gb300-rack")
    assert rack["runs"] * run[0] == pytest.approx(rack["token_rate"], rel=1e-6)
    before = facts("azure-gb200-rack")["token_rate"]
    assert rack["token_rate"] / before - 1 == pytest.approx(0.27, abs=0.005)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: facts("azure-gb30-rack"), "nearest: azure-gb300-rack"),
        (lambda: interval("person", "readingrate"), "nearest: reading_rate"),
        (lambda: sources("machines", "h100-sxm", "bandwidth"), "nearest: .*memory_bandwidth"),
    ],
)
def test_unknown_facts_are_refused_with_the_nearest(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_waterfall_says_what_it_draws(ledger):
    words = waterfall_alt(ledger)
    assert words.startswith("Waterfall on a logarithmic axis. It starts at 26.7")
    assert "1.1 million token/s" in words
    fig = waterfall(ledger, title="t", narrow=True)
    texts = " ".join(text.get_text() for text in fig.axes[0].texts)
    for row in ledger.rows:
        assert row.label in texts

"""The record, stated once: its inputs, users and bounds, for the rack and for other machines."""

import ast
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookpages import toc_pages
from tokenwall.data import machine, model
from tokenwall.data.claims import claim
from tokenwall.data.facts import facts
from tokenwall.estimate import Estimate
from tokenwall.ledger_rows import changes, published, whole
from tokenwall.plots import rack_tables
from tokenwall.record import (
    INPUTS,
    RACKS,
    Service,
    answer_flop,
    fewest_devices,
    inputs,
    record,
    words,
)
from tokenwall.serving import device_of, shape_of

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = {
    "the record": Service(),
    "a gaming card": Service.fitting("rtx-4090", "llama-3.1-8b"),
    "an older card": Service.fitting("a100-sxm-80gb", "llama-2-70b", 8, weight_bits=8),
    "experts on a server": Service.fitting("h100-sxm", "deepseek-v3", 32, weight_bits=8),
    "long prompts": Service(prompt=Estimate.exact(16_384), answer=Estimate.exact(256)),
}
every = pytest.mark.parametrize("service", ELSEWHERE.values(), ids=list(ELSEWHERE))


def test_every_input_has_its_source_and_an_interval_that_says_what_it_is():
    table = inputs()
    assert len(table) == len(INPUTS)
    assert table["source"].str.len().gt(0).all()
    for row in table.itertuples():
        assert bool(row.low) == bool(row.spread), row.label
        assert row.kind != "assumed" or row.low, row.label


def test_bits_are_those_of_the_format():
    form = facts("nvfp4")
    assert record().service.weight_bits == 8 * (
        form["element_bits"] + form["scale_bits"] / form["block"]
    )


def test_by_hand():
    """One chip: two operations a weight and token, prompts too, at the rate of the data sheet."""
    served, chip, llama = record().service, machine("gb300-nvl72"), shape_of("llama-2-70b")
    prompt, answer = 300, 294.45
    weights = 2 * (llama.dense + (llama.dense - llama.head) * prompt / answer) / 15e15
    past = 4 * 80 * 64 * 128
    attention = past * (prompt + answer / 2 + prompt**2 / 2 / answer) / 5e15
    assert served.arithmetic_bound.value == pytest.approx(72 / (weights + attention))
    held = 1 - 68.98e9 * 4.5 / 8 / chip["memory_capacity"]
    cache = 2 * 80 * 8 * 128 * (prompt + answer / 2)
    assert served.memory_bound.value == pytest.approx(72 * 8e12 * held / cache, rel=1e-3)
    assert served.binding == "arithmetic"
    assert served.bound.value == served.arithmetic_bound.value


@every
def test_the_bound_is_the_smaller_one_and_nothing_served_beats_it(service):
    memory, arithmetic = service.memory_bound, service.arithmetic_bound
    assert service.bound.value == min(memory.value, arithmetic.value)
    assert (service.binding == "memory") == (memory.value < arithmetic.value)
    assert float(service.predict().tokens_per_second) < service.bound.value
    assert float(service.predict(engine="ideal").tokens_per_second) < service.bound.value


@every
def test_the_closed_form_of_the_boards_is_the_serving_model(service):
    peak, attention = service.rates
    flop = answer_flop(
        shape_of(service.model),
        service.prompt.value,
        service.answer.value,
        attention=peak / attention,
    )
    bound = service.groups * service.together * peak / flop
    assert bound == pytest.approx(service.arithmetic_bound.value, rel=1e-9)


@every
def test_single_changes_start_from_the_bound(service):
    rate = changes.machine_rate(**changes.inputs_of(service))
    assert rate == pytest.approx(service.bound.value, rel=1e-9)


@given(factor=st.floats(0.2, 20))
def test_longer_prompts_never_raise_a_bound(factor):
    usual = Service()
    longer = Service(prompt=Estimate.exact(usual.prompt.value * (1 + factor)))
    assert longer.bound.value < usual.bound.value
    assert longer.users.value < usual.users.value


def test_a_wide_cache_brings_memory_back():
    short, wide = Service(), Service(cache_bits=Estimate.exact(16))
    assert short.binding == "arithmetic"
    assert wide.binding == "memory"
    assert wide.bound.value < short.bound.value


def test_intervals_hold_what_nobody_published():
    share = record().share
    settings = [
        record().rate / Service(prompt=Estimate.exact(p), cache_bits=Estimate.exact(b)).bound.value
        for p in (150, 300, 500)
        for b in (8, 16)
    ]
    assert (share.low, share.high) == pytest.approx((min(settings), max(settings)))
    assert not share.is_probable


def test_ledger_rack_and_record_are_one_case():
    case, served = whole.Case(), record().service
    assert case.is_record
    assert case.service == served
    assert whole.users_of(case) == served.users
    assert float(rack_tables.rack().batch) == served.users.value
    assert published.served_fraction("azure-gb300-rack") == record().share
    steps = {step.row.key: step for step in whole.machine_ledger(case).steps}
    assert steps["side-by-side"].after.value == pytest.approx(served.bound.value)
    assert steps["serving"].row.factor.value == pytest.approx(record().share.value)


@pytest.mark.parametrize("key", RACKS)
def test_racks_have_the_machines_of_their_tables(key):
    made = record(key)
    assert made.service.devices == 72
    assert device_of(made.service.machine).link_domain == 72
    assert made.rate == facts(key)["token_rate"]


def test_the_fewest_devices_hold_a_conversation_and_one_less_does_not():
    count = fewest_devices("h100-sxm", "deepseek-v3", weight_bits=8)
    Service("h100-sxm", "deepseek-v3", count, count, weight_bits=8).predict()
    with pytest.raises(ValueError, match="no sequence fits"):
        Service("h100-sxm", "deepseek-v3", count - 1, count - 1, weight_bits=8).predict()
    assert math.isfinite(count)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="devices is 1; the weights need at least 2 of them"):
        Service(devices=1, together=2)
    with pytest.raises(ValueError, match="record is 'mine'; it must be one of"):
        record("mine")


# Pages that state what the record was, and what each of them must state.
PAGES = {
    "book/memory/rack": (
        "record-users",
        "record-context",
        "record-arithmetic-bound",
        "record-share",
    ),
    "book/index": ("record-bound", "record-share", "record-weight-bits"),
    "book/ledger": ("record-users", "record-bound", "record-share"),
    "book/memory/batching": ("record-context", "record-cache-bits", "record-memory-bound"),
}


def glued(page):
    """Every text that a page glues, by name, as its stored outputs have it."""
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    found = {}
    for output in (each for cell in cells for each in cell.get("outputs", [])):
        name = output.get("metadata", {}).get("scrapbook", {}).get("name")
        if name:
            (text,) = [v for k, v in output["data"].items() if k.endswith("text/plain")]
            found[name] = ast.literal_eval("".join(text))
    return found


def prose(page):
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@pytest.mark.parametrize("page", PAGES)
def test_pages_state_the_record_in_the_same_words(page):
    """To the last digit, and from the same value: the library's, by one name on every page."""
    said, stated = glued(page), words()
    assert {name: said[name] for name in stated} == stated
    for name in PAGES[page]:
        assert f"`{name}`" in prose(page), name


@pytest.mark.parametrize("page", toc_pages())
def test_no_page_states_another_record_under_the_same_name(page):
    if (ROOT / f"{page}.ipynb").exists():
        stated = words()
        assert {
            name: text for name, text in glued(page).items() if stated.get(name, text) != text
        } == {}


def test_the_claims_say_the_same_of_the_record():
    """The share of peak arithmetic and the rate of a chip, from the tables and from the record."""
    ran, slots = record().service, claim("C04").slots
    assert slots["a"].value == pytest.approx(record().rate / ran.devices)
    peak, _ = ran.rates
    weights = float(model("llama-2-70b")["parameters"])
    assert slots["m"].value == pytest.approx(2 * weights * record().rate / ran.devices / peak)

"""Engines: constants within their domains, names that resolve, and published rows read as meant."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pybtex.database import parse_file

from tokenwall import data, predict
from tokenwall.serving import (
    Engine,
    decode_step_times,
    engine,
    engine_table,
    engines,
    held_out,
    published,
    stacks,
)
from tokenwall.serving import fit as fitting

ROOT = Path(__file__).parents[1]
TABLE = engine_table()
KEYS = sorted(TABLE["key"].unique())
STACKS = stacks()
SPREADS = ("decode_spread", "prompt_spread", "served_spread")
MACHINES = data.machines()
MEASURED = data.measurements().set_index("id")


@pytest.fixture(scope="module")
def cases():
    """Published measurements that are covered, by id."""
    return {case.key: case for case in published.cases()[0]}


@pytest.fixture(scope="module")
def compared():
    """Predicted beside measured."""
    return published.compare().set_index("id")


def test_every_engine_has_every_constant_once():
    counted = TABLE.groupby("key")["quantity"].agg(["size", "nunique"])
    assert (counted == len(engines.CONSTANTS)).all().all()
    assert set(TABLE["quantity"]) == set(engines.CONSTANTS)
    assert set(KEYS) == {"any", *STACKS["key"]}


def test_constants_lie_within_their_domains_and_intervals():
    assert np.isfinite(TABLE[["value", "standard_error", "low", "high"]]).all().all()
    assert (TABLE["value"] >= 0).all()
    # Stored with a few digits each.
    slack = 0.005 * TABLE["value"]
    assert (TABLE["low"] <= TABLE["value"] + slack).all()
    assert (TABLE["value"] <= TABLE["high"] + slack).all()
    shares = TABLE[TABLE["unit"].eq("1") & ~TABLE["quantity"].isin(SPREADS)]
    assert shares["value"].le(1).all()
    assert shares["high"].le(1).all()
    seconds = TABLE[TABLE["unit"].eq("s")]
    assert set(seconds["quantity"]) == {
        "overhead_per_layer",
        "overhead_per_step",
        "overhead_per_sequence",
        "round_latency",
    }
    assert seconds["value"].between(1e-8, 0.1).all()
    assert TABLE[TABLE["quantity"].isin(SPREADS)]["value"].between(0.01, 2).all()


def test_every_fitted_constant_has_a_standard_error():
    fitted = TABLE[TABLE["quantity"].isin(fitting.FITTED)]
    assert set(fitted["kind"]) == {"derived"}
    assert (fitted["standard_error"] > 0).all()
    assumed = TABLE[~TABLE["quantity"].isin([*fitting.FITTED, *SPREADS])]
    assert set(assumed["kind"]) == {"assumed"}
    assert (assumed["low"] < assumed["high"]).all()


def test_sources_are_in_the_bibliography():
    known = set(parse_file(str(ROOT / "book" / "references.bib")).entries)
    cited = {name for names in STACKS["source"] for name in names.split("; ")}
    assert cited <= known, cited - known
    cited = {name.strip() for names in TABLE["source"] for name in names.split(";")}
    assert cited <= known, cited - known


@pytest.mark.parametrize("key", KEYS)
def test_an_engine_resolves_however_it_is_written(key):
    made = engine(key)
    assert made.name == key
    assert engine(key.upper()) == engine(key.replace(" ", "-")) == engine(made) == made
    own = TABLE[TABLE["key"].eq(key)].set_index("quantity")["value"]
    for name in engines.CONSTANTS:
        assert getattr(made, name) == own[name]


def test_an_alias_stands_for_one_engine():
    seen = {engines._plain(key): key for key in KEYS}
    for row in STACKS.itertuples():
        for alias in row.aliases.split(" | "):
            if alias:
                assert engine(alias).name == row.key, alias
                assert seen.setdefault(engines._plain(alias), row.key) == row.key, alias


def test_ideal_loses_nothing():
    ideal = engine("Ideal")
    assert ideal is engines.IDEAL
    gained = [n for n in engines.CONSTANTS if n.endswith(("_fraction", "_factor"))]
    assert all(getattr(ideal, n) == 1 for n in gained if n != "exposed_fraction")
    lost = ("flop_per_weight", "round_latency", "exposed_fraction", *SPREADS)
    assert all(getattr(ideal, n) == 0 for n in (*lost, "overhead_per_layer", "overhead_per_step"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("bandwidth_fraction", 0.0, r"bandwidth_fraction is 0\.0; it must be above 0 and at"),
        ("cache_fraction", 1.01, r"cache_fraction is 1\.01; .* at most 1"),
        ("compute_fraction", math.nan, r"compute_fraction is nan"),
        ("routing_agreement", -0.1, r"routing_agreement is -0\.1; it must be at least 0"),
        ("exposed_fraction", 2.0, r"exposed_fraction is 2\.0; .* at most 1"),
        ("overhead_per_layer", -1e-6, r"overhead_per_layer is -1e-06; it must be at least 0$"),
        ("round_latency", math.inf, r"round_latency is inf"),
        ("link_fraction", "half", r"link_fraction is 'half'"),
    ],
)
def test_engines_that_cannot_be_are_refused(name, value, message):
    with pytest.raises(ValueError, match=r"^engine 'own': " + message):
        Engine("own", **{name: value})


def test_every_category_of_machines_has_an_engine():
    for row in MACHINES.itertuples():
        chosen = engines.default_engine(row.category, row.vendor)
        if chosen == "any":
            assert row.category in ("gpu-datacentre", "accelerator-asic"), row.Index
            continue
        named = STACKS[STACKS["key"].eq(chosen)]["defaults"].str.split(" | ", regex=False)
        wanted = {row.category, f"{row.category}/{row.vendor}"}
        assert any(wanted & set(entry) for entry in named), row.Index
    assert engines.default_engine("abacus") == engines.default_engine("") == "any"


def test_a_default_is_named_once_and_exists():
    named = [d for entry in STACKS["defaults"] for d in entry.split(" | ") if d]
    assert len(named) == len(set(named))
    known = set(MACHINES["category"]) | set(MACHINES["category"] + "/" + MACHINES["vendor"])
    known |= {f"saturated {kind}" for kind in known}
    assert set(named) <= known | {"accelerator-asic/Groq", "accelerator-asic/Cerebras"}


@pytest.mark.parametrize(
    ("machine", "default"),
    [
        ("H100 SXM", "any"),
        ("MI300X", "any"),
        ("RTX 4090", "llama.cpp CUDA 2025"),
        ("RX 7900 XTX", "llama.cpp Vulkan"),
        ("Apple M2 Max", "llama.cpp Metal 2025"),
        ("Raspberry Pi 5", "llama.cpp CPU"),
        ("WSE-3", "On-chip memory"),
    ],
)
def test_the_default_is_what_people_run(machine, default):
    assert predict("Llama 3.2 1B", machine).engine == default


def test_saturated_servers_have_a_default_of_their_own():
    assert predict("Llama 3.1 8B", "H100 SXM", batch=None).engine == "TensorRT-LLM 1"
    assert predict("Llama 3.1 8B", "MI300X", batch=None).engine == "any"


def test_a_row_belongs_to_one_engine():
    claims = {}
    for row in STACKS.itertuples():
        for source in row.source.split("; "):
            for model in row.models.split() or [""]:
                for vendor in row.vendors.split() or [""]:
                    asked = (model, vendor)
                    claims.setdefault((row.engine, source), {}).setdefault(asked, set()).add(
                        row.key
                    )
    for (name, source), by_model in claims.items():
        assert all(len(keys) == 1 for keys in by_model.values()), (name, source)
        if ("", "") in by_model:
            assert len(by_model) == 1, (name, source)
        for (model, vendor), (key,) in by_model.items():
            assert engines.stack_of(name, source, model or "any model", vendor) == key
    assert engines.stack_of("TensorRT-LLM", "nvidia2025trtllmblogs", "deepseek-v3") != (
        engines.stack_of("TensorRT-LLM", "nvidia2025trtllmblogs", "llama-2-7b")
    )
    assert engines.stack_of("vLLM", "nobody1999", "llama-2-7b") == ""


def test_rows_of_an_engine_agree_on_its_family_and_arithmetic():
    agreed = STACKS.groupby("key")[["family", "activations"]].nunique()
    assert (agreed == 1).all().all()
    assert set(STACKS["activations"]) == {"as weights", "integers", "16"}


def test_arithmetic_is_that_of_the_engine():
    asked = {"batch": 512, "weight_bits": 4, "input_len": 4096}
    model, machine = "Llama 3.1 8B", "B200"
    for name, width in (("gpt-fast", 16), ("llama.cpp CUDA 2025", 8), ("TensorRT-LLM 1", 4)):
        said = predict(model, machine, engine=name, **asked)
        told = predict(model, machine, engine=name, activation_bits=width, **asked)
        assert said.to_dict() == told.to_dict(), name
        other = 8 if width == 16 else 16
        told = predict(model, machine, engine=name, activation_bits=other, **asked)
        assert said.time_to_first_token != told.time_to_first_token, name


def test_what_was_read_is_read_again_when_told():
    before = engine("gpt-fast")
    engines.forget()
    again = engine("gpt-fast")
    assert again == before
    assert again is not before


def test_every_published_row_is_covered_or_left_out_for_a_reason(cases):
    left = published.cases()[1]
    assert len(cases) == len(published.cases()[0])
    assert set(cases) | set(left["id"]) == set(MEASURED.index)
    assert not set(cases) & set(left["id"])
    assert left["reason"].str.len().gt(5).all()
    assert len(cases) > 0.7 * len(MEASURED)
    kinds = pd.Series([case.quantity for case in cases.values()]).value_counts()
    assert set(kinds.index) == {"step", "prompt", "batch", "served"}
    assert kinds.min() > 100
    regimes = {published.regime_of(case) for case in cases.values()}
    assert regimes == {"single", "batched", "prompt", "saturated"}
    assert {case.stack for case in cases.values()} <= set(KEYS)


def test_nothing_covered_had_weights_outside_its_memory(cases):
    for case in cases.values():
        assert "offload" not in case.row.parallelism
        capacity = case.device.capacity * case.asked.devices
        if not math.isnan(capacity):
            weights = case.shape.parameters * case.asked.weight_bits / 8 * case.asked.copies
            # Files of assumed bits may be a little smaller than thought.
            assert weights < 1.05 * capacity, case.key


# Devices, and those that split matrices, experts and layers; copies of the model, of attention.
LAYOUTS = {
    "tinychat-001": (1, 1, 1, 1, 1, 1),
    "gptfast-017": (2, 2, 2, 1, 1, 1),
    "gptfast-021": (8, 8, 8, 1, 1, 1),
    "trtblog-022": (8, 8, 8, 1, 1, 1),
    "xdai-079": (2, 1, 1, 2, 1, 1),
    "trt10-082": (8, 1, 1, 8, 1, 1),
    "mlp51-063": (8, 1, 1, 1, 8, 1),
    "mlp51-203": (8, 2, 2, 2, 2, 1),
    "trt12-001": (4, 1, 4, 1, 1, 4),
    "trt12-003": (8, 1, 8, 1, 1, 8),
    "trt12-015": (2, 1, 2, 1, 1, 2),
    "trtblog-038": (8, 1, 8, 1, 1, 8),
}


@pytest.mark.parametrize("key", LAYOUTS)
def test_layouts_are_read_as_the_source_means_them(key, cases):
    asked = cases[key].asked
    read = (asked.devices, asked.tensor, asked.expert, asked.stages)
    assert (*read, asked.copies, asked.attention_copies) == LAYOUTS[key], MEASURED.loc[key]


def test_measured_values_are_seconds_of_what_was_measured(cases):
    for key, case in cases.items():
        row = MEASURED.loc[key]
        value = row["si_value"]
        if row["metric"] in ("decode_rate", "decode_rate_per_user"):
            users = row["batch"] if row["metric"] == "decode_rate" else 1
            assert case.measured == pytest.approx(users / value), key
        elif row["metric"] in ("time_per_output_token", "batch_latency", "time_to_first_token"):
            # A batch that does not fit runs in turns, and counts for as much of it as fits.
            share = 1.0 if case.quantity != "batch" else case.asked.batch / row["batch"]
            assert case.measured == pytest.approx(share * value), key
        elif row["metric"] == "prefill_rate":
            assert case.measured == pytest.approx(row["batch"] * row["input_tokens"] / value), key
        elif row["metric"] == "output_rate" and math.isnan(row["batch"]):
            assert case.measured == pytest.approx(1 / value), key
        elif row["metric"] == "output_rate_per_device" and math.isnan(row["batch"]):
            assert case.measured == pytest.approx(1 / (value * row["devices"])), key


def test_rows_are_predicted_as_predict_would(cases):
    """One path of arithmetic for the fit and another for users: both say the same."""
    picked = [case for case in cases.values() if _plain_request(case)][::10]
    assert len(picked) > 10
    for case in picked:
        asked, constants = case.asked, engine(case.stack)
        fast = decode_step_times(
            case.shape,
            case.device,
            asked.batch,
            case.context,
            devices=int(asked.tensor),
            weight_bits=asked.weight_bits,
            kv_bits=asked.kv_bits,
            engine=constants,
        )
        assert published.predicted(case, constants) == pytest.approx(float(fast), rel=1e-9)
    batched = [case for case in cases.values() if case.quantity == "batch"][::60]
    for case in batched:
        asked, constants = case.asked, engine(case.stack)
        shape = replace(case.shape, context_limit=math.inf)
        said = predict(
            shape,
            case.device,
            devices=asked.devices,
            batch=asked.batch,
            input_len=asked.prompt,
            output_len=asked.output,
            weight_bits=min(asked.weight_bits, 17),
            kv_bits=asked.kv_bits,
            activation_bits=asked.activation_bits,
            tensor_parallel=asked.tensor,
            expert_parallel=asked.expert if shape.mixture else None,
            pipeline_parallel=asked.stages,
            engine=constants,
        )
        seconds = published.predicted(case, constants)
        assert seconds == pytest.approx(said.batch_time, rel=1e-9), case.key


def _plain_request(case):
    asked = case.asked
    plain = case.quantity == "step" and asked.devices == asked.tensor
    width = engines.arithmetic_of(case.stack) == "16" and asked.activation_bits == 16
    return plain and width and asked.weight_bits <= 17 and asked.batch == 1


def test_comparisons_add_up(compared):
    assert (compared[["measured", "predicted", "ideal"]] > 0).all().all()
    errors = compared["measured"] / compared["predicted"] - 1
    np.testing.assert_allclose(compared["error"], errors)
    assert (compared["predicted"] >= compared["ideal"] * (1 - 1e-9)).all()


def test_no_measurement_beats_the_bound_by_far(compared):
    """Physics allows none; a table's rate for wide sums lets a few that sum in 16 bits pass it."""
    ratio = compared["measured"] / compared["ideal"]
    assert ratio.min() > 0.85, ratio.idxmin()
    beaten = compared[ratio < 0.999]
    assert len(beaten) < 0.002 * len(compared)
    assert set(beaten["quantity"]) <= {"prompt"}


def test_stored_predictions_of_unseen_rows_cover_the_rows(cases):
    judged = held_out.judged().set_index("id")
    known = judged.loc[judged["unseen"].notna()]
    assert len(known) > 0.99 * len(cases)
    assert (known["unseen"] > 0).all()
    np.testing.assert_allclose(
        known["log_error"], np.log1p(known["unseen_error"]), rtol=1e-9, atol=1e-12
    )
    table = held_out.summary(known.reset_index(), ["regime"])
    assert table["rows"].sum() == len(known)
    assert (table["median_absolute_error"] <= table["worst_factor"] - 1).all()
    # What is off by a factor of two as often as not would be no use.
    typical = known.groupby("regime")["log_error"].apply(lambda e: e.abs().median())
    assert typical.max() < np.log(2)
    assert typical[["single", "batched", "saturated"]].max() < np.log(1.5)


def test_unseen_rows_are_not_judged_by_themselves():
    judged = held_out.judged()
    kind = judged["quantity"] == "prompt"
    alone = judged.groupby(["stack", kind])["source"].transform("nunique") == 1
    assert (judged["unseen"] == judged["by_device"])[alone & judged["by_device"].notna()].all()
    assert (judged["unseen"] == judged["by_source"])[~alone & judged["by_source"].notna()].all()


def test_a_fit_finds_the_times_of_constants_that_made_them(cases):
    some = [case for case in cases.values() if case.stack == "gpt-fast"]
    truth = replace(engine("gpt-fast"), bandwidth_fraction=0.8, overhead_per_layer=3e-5)
    batch = published.Batch(some)
    times = batch.times([truth] * len(some))
    made = fitting.Fit(
        [replace(case, measured=float(took)) for case, took in zip(some, times, strict=True)]
    )
    found = made.engine("gpt-fast")
    again = batch.times([found] * len(some))
    np.testing.assert_allclose(again, times, rtol=0.03)
    errors = made.standard_errors("gpt-fast")
    assert set(errors) == set(fitting.FITTED)
    assert min(errors.values()) > 0
    assert abs(found.bandwidth_fraction - 0.8) < 3 * errors["bandwidth_fraction"]
    # Engines without a row of their own say what all say, with no less doubt.
    other = made.standard_errors("SambaFlow")
    assert other["bandwidth_fraction"] > errors["bandwidth_fraction"]

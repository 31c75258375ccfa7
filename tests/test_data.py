"""The tables: complete, sourced, physical, and changed only on purpose.

Run as a script it writes the row counts and checksums of the tables as they now are.
"""

import csv
import hashlib
import math
import re
from pathlib import Path

import numpy as np
import pytest
from pybtex.database import parse_file

from tokenwall import data, units
from tokenwall.data.facts import facts
from tokenwall.estimate import Spread

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "lib" / "tokenwall" / "data"
MANIFEST = ROOT / "tests" / "data_manifest.csv"
FIXED = (
    "energies",
    "machines",
    "machines_index",
    "measurements",
    "models",
    "models_index",
    "peer_points",
    "peer_predictions",
    "token_energies",
    "trends",
)
TIDY = "key quantity value unit low high kind source locator retrieved note".split()
MEASURED = (
    "id model machine engine metric value unit devices parallelism weight_bits weight_bytes batch "
    "input_tokens output_tokens context kind plausible source locator note scenario submitter "
    "kv_bits activation_bits requests"
).split()
SCENARIOS = ("offline", "server", "interactive", "single-stream")
INDEX = {
    "machines_index": "key name vendor category year aliases".split(),
    "models_index": "key name family architecture attention year aliases".split(),
}
# What silicon and architectures have had so far, in SI, with room to spare.
BOUNDS = {
    "memory_bandwidth": (1e9, 1e17),
    "memory_capacity": (1e8, 1e13),
    "peak_rate_fp32": (1e10, 1e15),
    "peak_rate_fp16": (1e11, 1e17),
    "peak_rate_fp8": (1e13, 1e17),
    "peak_rate_fp4": (1e14, 1e17),
    "peak_rate_int8": (1e13, 1e17),
    "link_bandwidth": (1e9, 1e13),
    "link_domain": (1, 1e4),
    "tdp": (5, 3e4),
    "price": (50, 1e7),
    "rental_price": (1e-5, 1e-2),
    "on_chip_memory": (1e6, 1e11),
    "parameters": (1e8, 2e12),
    "active_parameters": (1e8, 1e12),
    "layers": (1, 200),
    "dense_layers": (1, 100),
    "hidden_size": (256, 32768),
    "heads": (1, 256),
    "kv_heads": (1, 256),
    "head_size": (32, 512),
    "value_head_size": (32, 512),
    "vocabulary": (1e4, 5e5),
    "feedforward_size": (1e3, 1e5),
    "feedforward_matrices": (2, 3),
    "experts": (2, 1024),
    "experts_per_token": (1, 64),
    "expert_feedforward_size": (128, 65536),
    "shared_experts": (1, 8),
    "latent_size": (64, 4096),
    "query_latent_size": (64, 4096),
    "rope_head_size": (16, 256),
    "sliding_window": (64, 65536),
    "sliding_layers": (1, 200),
    "context_limit": (512, 2e7),
    "tied_embeddings": (0, 1),
}
METRICS = {
    "achieved_bandwidth": "B/s",
    "batch_latency": "s",
    "decode_rate": "token/s",
    "decode_rate_per_device": "token/s",
    "decode_rate_per_user": "token/s",
    "output_rate": "token/s",
    "output_rate_per_device": "token/s",
    "prefill_compute_fraction": "1",
    "prefill_rate": "token/s",
    "prefill_rate_per_device": "token/s",
    "speculative_decode_rate_per_user": "token/s",
    "speculative_output_rate": "token/s",
    "speculative_time_per_output_token": "s/token",
    "time_per_output_token": "s/token",
    "time_to_first_token": "s",
    "token_time_intercept": "s/token",
    "token_time_slope": "s/token**2",
}
# Models whose published total is rounded, or holds parts that these columns do not describe.
LOOSE = {"chinchilla-70b": 0.08, "chinchilla-draft-4b": 0.05}
CLOSE = 0.015


def rows(table: str) -> list[dict[str, str]]:
    with (TABLES / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def checksum(table: str) -> str:
    text = (TABLES / f"{table}.csv").read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def bibliography() -> set[str]:
    return set(parse_file(str(ROOT / "book" / "references.bib")).entries)


def dimension(unit: str) -> dict[str, float]:
    return dict(units.registry().Quantity(1.0, "" if unit == "1" else unit).dimensionality)


@pytest.fixture(scope="module", params=["machines", "models", "facts", "energies"])
def numbers(request):
    return rows(request.param)


def test_tidy_tables_have_the_agreed_columns(numbers):
    assert [name for name in numbers[0] if name != "spread"] == TIDY


@pytest.mark.parametrize("table", ["facts", "energies"])
def test_an_interval_says_what_it_is(table):
    for row in rows(table):
        known = [kind for kind in Spread if (kind == Spread.EXACT) == (row["low"] == row["high"])]
        assert row["spread"] in (known if row["low"] or row["high"] else [""]), row


def test_every_number_is_complete(numbers):
    for row in numbers:
        assert all(row[name] for name in TIDY if name not in ("low", "high", "retrieved", "note"))
        assert row["kind"] in data.KINDS, row
        assert math.isfinite(float(row["value"])), row


def test_what_was_recalled_says_so(numbers):
    for row in numbers:
        assert row["retrieved"] or "recalled" in row["note"], row
        assert re.fullmatch(r"(\d{4}(-\d\d(-\d\d)?)?)?", row["retrieved"]), row


def test_estimates_have_an_interval_and_a_note(numbers):
    for row in numbers:
        if row["kind"] in ("estimated", "assumed"):
            assert row["low"], row
            assert row["high"], row
            assert row["note"], row
        if row["low"] and row["high"]:
            assert float(row["low"]) <= float(row["value"]) <= float(row["high"]), row


def test_one_number_for_a_key_quantity_and_source_in_order(numbers):
    keys = [(row["key"], row["quantity"], row["source"]) for row in numbers]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys)


@pytest.mark.parametrize("table", ["machines", "models"])
def test_units_fit_the_quantity(table):
    for unit, quantity in {(row["unit"], row["quantity"]) for row in rows(table)}:
        assert dimension(unit) == dimension(data.UNITS[quantity]), (unit, quantity)


@pytest.mark.parametrize("table", ["machines", "models"])
def test_values_are_physical(table):
    for row in data.tidy(table).itertuples():
        low, high = BOUNDS[row.quantity]
        assert low <= row.si_value <= high, (row.key, row.quantity, row.value, row.unit)


def test_bounds_and_units_name_the_same_quantities():
    assert BOUNDS.keys() == data.UNITS.keys()


@pytest.mark.parametrize("table", ["machines", "models"])
def test_rival_rows_agree_within_a_factor(table):
    tidy = data.tidy(table)
    tidy = tidy[tidy["kind"].isin(["specified", "derived"])]
    spread = tidy.groupby(["key", "quantity"])["si_value"].agg(lambda v: v.max() / max(v.min(), 1))
    assert spread.max() < 1.25, spread.idxmax()


@pytest.mark.parametrize("table", ["machines", "models"])
def test_index_and_table_hold_the_same_keys(table):
    index = rows(f"{table}_index")
    keys = [row["key"] for row in index]
    assert list(index[0]) == INDEX[f"{table}_index"]
    assert keys == sorted(set(keys))
    assert set(keys) == {row["key"] for row in rows(table)}
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*", key) for key in keys)
    assert all(1970 <= int(row["year"]) <= 2030 for row in index)


@pytest.mark.parametrize("table", ["machines", "models"])
def test_every_name_means_one_thing(table):
    for row in rows(f"{table}_index"):
        for name in (row["key"], row["name"], *filter(None, row["aliases"].split(" | "))):
            assert data.resolve(table, name) == row["key"], name


def test_every_source_is_in_the_bibliography():
    known = bibliography()
    for table in (
        "machines",
        "models",
        "facts",
        "measurements",
        "engines",
        "trends",
        "energies",
        "token_energies",
        "peer_points",
    ):
        for row in rows(table):
            for key in row["source"].split("; "):
                assert key in known, (table, key)


def test_every_citation_is_in_the_bibliography():
    known = bibliography()
    for page in (ROOT / "book").rglob("*"):
        if page.suffix in (".ipynb", ".md"):
            for group in re.findall(r"\{cite[^}]*\}`([^`]+)`", page.read_text(encoding="utf-8")):
                assert {key.strip() for key in group.split(",")} <= known, page


def test_every_entry_of_the_bibliography_is_used():
    places = [*(ROOT / "lib").rglob("*.py"), *TABLES.glob("*.csv"), ROOT / "tests" / "oracles.csv"]
    places += [page for page in (ROOT / "book").rglob("*") if page.suffix in (".ipynb", ".md")]
    text = "\n".join(place.read_text(encoding="utf-8") for place in places)
    words = set(re.findall(r"[A-Za-z][A-Za-z0-9]*", text))
    assert bibliography() <= words, bibliography() - words


def test_ridge_points_and_sweeps_are_sane():
    table = data.machines()
    ridge = (table["peak_rate_fp16"] / table["memory_bandwidth"]).dropna()
    # From a wafer of fast memory to a processor with matrix units on slow memory.
    assert ridge.between(0.2, 1000).all(), ridge[~ridge.between(0.2, 1000)]
    dram = table[table["memory_bandwidth"] < 3e13]
    sweep = (dram["memory_capacity"] / dram["memory_bandwidth"]).dropna()
    assert sweep.between(0.005, 30).all(), sweep[~sweep.between(0.005, 30)]


def test_narrower_numbers_are_never_slower():
    table = data.machines()
    for wide, narrow in (("fp32", "fp16"), ("fp16", "fp8"), ("fp8", "fp4")):
        pair = table[[f"peak_rate_{wide}", f"peak_rate_{narrow}"]].dropna()
        ratio = pair.iloc[:, 1] / pair.iloc[:, 0]
        # Matrix units reach the 37-fold of the vector units; a factor of sparsity more would show.
        assert ratio.between(0.99, 40).all(), ratio[~ratio.between(0.99, 40)]


def counted(row) -> tuple[float, float]:
    """Parameters and active parameters of an architecture, without norms and biases."""
    get = row.fillna(0).get
    layers, hidden, heads = get("layers"), get("hidden_size"), get("heads")
    if get("latent_size"):
        query, key = get("query_latent_size"), get("head_size") + get("rope_head_size")
        attention = hidden * query + query * heads * key if query else hidden * heads * key
        attention += hidden * (get("latent_size") + get("rope_head_size"))
        attention += get("latent_size") * heads * (get("head_size") + get("value_head_size"))
        attention += heads * get("value_head_size") * hidden
    else:
        attention = 2 * hidden * (heads + get("kv_heads")) * get("head_size")
    dense = get("dense_layers") if get("experts") else layers
    shared = get("vocabulary") * hidden * (2 - get("tied_embeddings")) + layers * attention
    shared += dense * get("feedforward_matrices") * hidden * get("feedforward_size")
    expert, router = 3 * hidden * get("expert_feedforward_size"), hidden * get("experts")
    if not get("experts"):
        expert = router = 0
    every, used = get("experts") + get("shared_experts"), get("shared_experts")
    used += get("experts_per_token")
    sparse = layers - dense
    return shared + sparse * (every * expert + router), shared + sparse * (used * expert + router)


# A row without the matrices of a block has layers of several shapes.
ARCHITECTURES = data.models().dropna(subset=["layers", "feedforward_matrices"]).index


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_parameters_follow_from_the_architecture(key):
    row = data.model(key)[list(data.models().attrs["units"])].astype(float)
    total, active = counted(row)
    assert total == pytest.approx(row["parameters"], rel=LOOSE.get(key, CLOSE))
    assert active == pytest.approx(row["active_parameters"], rel=LOOSE.get(key, CLOSE))


@pytest.mark.parametrize(
    ("key", "printed"),
    [
        ("llama-2-7b", 6.738e9),
        ("llama-3.1-8b", 8.030e9),
        ("llama-3.1-70b", 70.554e9),
        ("llama-3.1-405b", 405.853e9),
        ("mixtral-8x7b", 46.703e9),
        ("qwen3-30b-a3b", 30.532e9),
        ("deepseek-v3", 671e9),
        ("gpt-oss-20b", 20.91e9),
    ],
)
def test_published_totals(key, printed):
    row = data.model(key)[list(data.models().attrs["units"])].astype(float)
    assert counted(row)[0] == pytest.approx(printed, rel=3e-4)


def test_heads_share_keys_evenly():
    table = data.models().dropna(subset=["heads", "kv_heads"])
    assert (table["heads"] % table["kv_heads"] == 0).all()
    kinds = {"MHA": lambda r: r.heads == r.kv_heads, "MQA": lambda r: r.kv_heads == 1}
    kinds["GQA"] = lambda r: 1 < r.kv_heads < r.heads
    for row in table.itertuples():
        assert kinds.get(row.attention, lambda r: r.latent_size > 0)(row), row.Index


def test_measurements_have_the_agreed_columns_and_order():
    table = rows("measurements")
    assert list(table[0]) == MEASURED
    assert len({row["id"] for row in table}) == len(table)
    later = [not decodes_alone(row) for row in table]
    order = [(late, row["source"], row["id"]) for late, row in zip(later, table, strict=True)]
    assert order == sorted(order)


def decodes_alone(row: dict[str, str]) -> bool:
    return row["batch"] == "1" and row["metric"] in ("decode_rate", "time_per_output_token")


def test_measurements_are_complete_and_resolve():
    machines, models = data.machines().index, data.models().index
    for row in rows("measurements"):
        assert row["machine"] in machines, row
        assert row["model"] in models, row
        assert row["kind"] in data.KINDS, row
        assert row["plausible"] in ("true", "false"), row
        assert all(row[name] for name in ("engine", "parallelism", "source", "locator")), row
        assert row["devices"] or "number of devices" in row["note"], row
        saturated = row["metric"] in ("output_rate", "output_rate_per_device")
        prompts = row["metric"].startswith("prefill_")
        assert row["batch"] or saturated or prompts or "batch not stated" in row["note"], row
        assert row["note"] or row["plausible"] == "true", row


def test_rows_of_mlperf_name_their_scenario_submitter_and_lengths():
    table = data.measurements()
    mlperf = table["source"].isin(["mlperf2024v41", "mlperf2025v51"])
    assert mlperf.sum() == 404
    assert table.loc[mlperf, "scenario"].isin(SCENARIOS).all()
    assert (table.loc[mlperf, "submitter"] != "").all()
    assert (table.loc[~mlperf, ["scenario", "submitter"]] == "").all(axis=None)
    assert table.loc[mlperf, "context"].notna().all()


def test_mlperf_lengths_are_those_of_the_facts():
    """Prompts are the data set's mean; answers of a run lie within a tenth of the reference."""
    table = data.measurements()
    table = table[table["scenario"] != ""]
    keys = {"deepseek-v3": "deepseek-r1"}
    keys |= dict.fromkeys(("llama-2-70b", "llama-3.1-70b"), "llama2-70b")
    keys |= {key: key.replace("-", "", 1) for key in ("llama-3.1-8b", "llama-3.1-405b")}
    for key, rows_ in table.groupby("model"):
        found = facts(f"mlperf-{keys.get(key, key)}")
        assert (rows_["input_tokens"] == found["prompt_length"]).all()
        assert np.allclose(rows_["output_tokens"], found["answer_length"], rtol=0.1)


def test_no_server_beats_its_peak_arithmetic_with_the_model_it_names():
    """Prompts are computed too; only rows whose model was cut down may seem faster."""
    machines, models, table = data.machines(rival="largest"), data.models(), data.measurements()
    table = table[table["metric"].isin(["output_rate", "output_rate_per_device"])]
    table = table.dropna(subset=["input_tokens", "output_tokens", "weight_bits"])
    peaks = machines[[f"peak_rate_{bits}" for bits in ("fp16", "fp8", "int8", "fp4")]]
    table = table.merge(peaks, left_on="machine", right_index=True)
    table.loc[table["weight_bits"] > 5, "peak_rate_fp4"] = np.nan
    table.loc[table["weight_bits"] > 8, ["peak_rate_fp8", "peak_rate_int8"]] = np.nan
    devices = table["devices"].where(table["metric"] == "output_rate", 1)
    work = 2 * table["model"].map(models["active_parameters"])
    work *= (table["input_tokens"] + table["output_tokens"]) / table["output_tokens"]
    share = table["si_value"] * work / (devices * table[list(peaks)].max(axis=1))
    beyond = table.loc[share > 0.8, "note"]
    assert len(share.dropna()) > 800
    assert 0 < len(beyond) < 4
    assert beyond.str.startswith("model changed").all(), beyond


def test_all_of_the_carried_sources_is_there():
    counts = data.measurements()["source"].value_counts()
    assert counts["chitty2024bench"] == 662
    assert counts["nvidia2025trtllm10"] == 229
    assert counts["nvidia2025trtllm12"] == 130


def test_measurements_are_in_the_unit_of_their_metric():
    table = data.measurements()
    assert (table["si_unit"] == table["metric"].map(METRICS)).all()
    assert (table["si_value"] > 0).all()
    for unit, base in set(zip(table["unit"], table["si_unit"], strict=True)):
        assert dimension(unit) == dimension(base), unit


def test_context_is_the_prompt_and_half_the_output():
    table = data.measurements().dropna(subset=["context", "input_tokens", "output_tokens"])
    table = table[~table["metric"].isin(["prefill_rate", "time_to_first_token"])]
    assert len(table) > 500
    mean = table["input_tokens"] + table["output_tokens"] / 2
    assert np.allclose(table["context"], mean, rtol=1e-12)


def test_file_sizes_agree_with_their_bits():
    table = data.measurements().dropna(subset=["weight_bytes", "weight_bits"])
    total = table["model"].map(data.models()["parameters"])
    ratio = 8 * table["weight_bytes"] / total / table["weight_bits"]
    assert ratio.between(0.9, 1.2).all(), table[~ratio.between(0.9, 1.2)][["id", "model"]]


def test_enough_batch_one_rows_and_their_negative_controls():
    alone = data.decode_rows()
    assert len(alone) > 700
    assert (~alone["plausible"]).sum() == 8
    assert alone["machine"].nunique() > 60


@pytest.mark.parametrize("table", FIXED)
def test_an_edit_is_deliberate(table):
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        stored = {row["table"]: row for row in csv.DictReader(file)}[table]
    found = {"table": table, "rows": str(len(rows(table))), "sha256": checksum(table)}
    assert found == stored, "if you meant it: python tests/test_data.py"


def test_units_are_converted_once_and_binary_ones_kept_apart():
    tidy = data.tidy("machines").set_index(["key", "quantity", "source"])
    memory = tidy.loc[("trainium3", "memory_capacity", "aws2025trainium3")]
    assert memory["unit"] == "GiB"
    assert memory["si_value"] == 144 * 2**30
    assert data.machine("a100-sxm-80gb")["memory_capacity"] == 80e9


def test_rivals_are_chosen_by_the_rule():
    assert data.machine("a100-sxm-80gb")["memory_bandwidth"] == 2.039e12  # 2.00 is rounded
    assert data.machine("b200")["memory_bandwidth"] == 7.7e12
    assert data.machines(rival="largest").loc["mi250x", "link_bandwidth"] == 400e9
    assert data.machine("mi250x")["link_bandwidth"] == 350e9


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("h100", "h100-sxm"),
        ("nvidia  rtx-4090", "rtx-4090"),
        ("Pi CM5 - 16GB (Nvidia RTX 3060*)", "rtx-3060-12gb"),
        ("Apple M5 Max (40-core GPU; Metal only)", "apple-m5-max"),
        ("Raspberry Pi 5", "raspberry-pi-5"),
        ("A100 (ALCF; 40GB SXM on Polaris, unverified)", "a100-sxm-40gb"),
        ("AMD Instinct MI300X-NPS1-SPX-192GB-750W", "mi300x"),
        (
            "AMD Instinct MI325X 256GB HBM3E (x16), AMD Instinct MI300X 192GB HBM3 (x8)",
            "mi325x",
        ),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA H200-SXM-141GB-CTS", "h200-sxm"),
        ("NVIDIA GH200 Grace Hopper Superchip 144GB", "gh200-144gb"),
        ("NVIDIA Jetson AGX Thor 128G", "jetson-agx-thor"),
        ("INTEL(R) XEON(R) 6787P", "xeon-6787p-2s"),
        ("INTEL(R) XEON(R) 6980P", "xeon-6980p-2s"),
        ("[MAXSUN] MS-Intel Arc Pro B60 Dual 48G Turbo", "arc-pro-b60"),
        ("4080 16GB", "rtx-4080"),
        ("RTX4080 Super", "rtx-4080-super"),
        ("4060 Ti 16GB", "rtx-4060-ti-16gb"),
        ("A5000", "rtx-a5000"),
        ("A6000", "rtx-a6000"),
        ("M1 Max 32-Core GPU 64GB", "apple-m1-max"),
        ("M2 Max", "apple-m2-max"),
        ("RX 7800 XT", "rx-7800-xt"),
        ("Tesla P40", "p40"),
    ],
)
def test_machines_are_found_by_any_name(name, key):
    assert data.machine(name).name == key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Llama-2-70B int4 verifier + Llama-2-7B int4 draft", "llama-2-70b"),
        ("llama2-70b (sparse)", "llama-2-70b"),
        ("llama3.1-8b-edge", "llama-3.1-8b"),
        ("OPT-30B", "opt-30b"),
        ("gemma-4-E2B", "gemma-4-e2b"),
        ("DeepSeek-R1-Distill-Llama-70B", "llama-3.1-70b"),
        ("Command R+", "command-r-plus-104b"),
    ],
)
def test_models_are_found_by_any_name(name, key):
    assert data.model(name).name == key


def test_unknown_names_say_what_is_near():
    with pytest.raises(ValueError, match=r"machine 'H1000' is unknown; nearest: .*H100"):
        data.machine("H1000")
    with pytest.raises(ValueError, match=r"model 'Lama 2 70B' is unknown; nearest: .*70B"):
        data.model("Lama 2 70B")
    with pytest.raises(ValueError, match="nothing is near"):
        data.machine("§§")


def test_wrong_tables_and_rules_are_refused():
    with pytest.raises(ValueError, match="table is 'chips'"):
        data.tidy("chips")
    with pytest.raises(ValueError, match="table is 'facts'"):
        data.resolve("facts", "person")
    with pytest.raises(ValueError, match="rival is 'best'"):
        data.machines(rival="best")


@pytest.mark.parametrize("load", [data.machines, data.models, data.measurements, data.decode_rows])
def test_callers_cannot_spoil_the_cache(load):
    first = load()
    for column in first.columns:
        del first[column]
    assert load().shape[1] > 5


def test_totals_of_models_are_whole_numbers_of_weights():
    """All digits where files or configurations are public; a round number is a report's."""
    rows = data.chosen("models")
    totals = rows[rows["quantity"].eq("parameters")].set_index("key")["value"]
    whole = totals.map(lambda text: re.fullmatch(r"\d{9,13}", text) is not None)
    assert whole.mean() > 0.8
    assert data.model("llama-2-7b")["parameters"] == 6_738_415_616
    assert data.model("deepseek-v3")["parameters"] == 671_026_419_200


def test_an_hour_of_a_device_costs_a_sensible_share_of_it():
    table = data.machines().dropna(subset=["price", "rental_price"])
    hours = table["price"] / table["rental_price"] / 3600
    assert len(table) >= 4
    # Between a busy half-year and a decade of rent.
    assert hours.between(2000, 90_000).all(), hours


def test_frames_carry_their_units():
    assert data.machines().attrs["units"]["memory_bandwidth"] == "B/s"
    assert data.models().attrs["units"]["sliding_window"] == "token"


def write_manifest() -> None:
    with MANIFEST.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["table", "rows", "sha256"])
        out.writerows((table, len(rows(table)), checksum(table)) for table in FIXED)


if __name__ == "__main__":
    write_manifest()


SPOILT = [
    ("machines", {"value": "abc"}, r"machines\.csv, line 2 \(a10, .*\): 'abc' is no number"),
    ("machines", {"value": "nan"}, r"line 2 .*: value is 'nan'; it must be a finite number"),
    ("machines", {"value": ""}, r"line 2 .*: value is ''; it must be a finite number"),
    ("machines", {"unit": "GBps"}, r"line 2 .*: unit 'GBps' is unknown"),
    ("machines", {"unit": "GB"}, r"line 2 .*: unit is 'GB'; it must be one of B/s"),
    ("machines", {"kind": "guessed"}, r"line 2 .*: kind is 'guessed'; it must be one of specified"),
    ("machines", {"kind": ""}, r"line 2 .*: kind is ''; it must be one of"),  # a row cut short
    ("machines", {"key": "a11"}, r"line 2 .*: key 'a11' is not in the index"),
    ("machines", {"quantity": "memory_bandwith"}, r"line 2 .*unknown; nearest: memory_bandwidth"),
    ("facts", {"low": "1..2"}, r"facts\.csv, line 2 .*: '1\.\.2' is no number"),
    ("facts", {"unit": "furlong"}, r"facts\.csv, line 2 .*: unit 'furlong' is unknown"),
    ("machines_index", {"year": "soon"}, r"machines_index\.csv, line 2: .*year 'soon' is no"),
    ("machines_index", {"key": "a100-pcie-80gb"}, r"machines_index\.csv, line \d: key 'a100-pcie"),
    ("machines_index", {"aliases": "RTX 4090"}, r"line \d+: '.*' of .* is a name of a10 already"),
    ("measurements", {"plausible": "maybe"}, r"measurements\.csv, line 2 .*: plausible 'maybe'"),
    ("measurements", {"machine": "rtx-4091"}, r"measurements\.csv, line 2 .*: machine 'rtx-4091'"),
    ("measurements", {"batch": "one"}, r"measurements\.csv, line 2 .*: batch 'one'"),
]


@pytest.mark.parametrize(("table", "change", "message"), SPOILT)
def test_a_spoilt_row_is_refused_with_its_place(table, change, message, monkeypatch):
    sound = data._read

    def spoilt(name):
        frame = sound(name)
        if name == table:
            for column, text in change.items():
                frame.loc[0, column] = text
        return frame

    def load():
        if table == "measurements":
            data._measurements.__wrapped__()
        elif table.endswith("_index"):
            data._names.__wrapped__("machines")
            data._wide.__wrapped__("machines", "smallest")
        else:
            data._tidy.__wrapped__(table)

    load()
    monkeypatch.setattr(data, "_read", spoilt)
    with pytest.raises(ValueError, match=message):
        load()

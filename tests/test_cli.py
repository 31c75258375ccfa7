"""The command: what it prints, how it ends, and that a bad request leaves no output."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest

from tokenwall import data
from tokenwall.cli import _NUMBERS, _equations, _table, main
from tokenwall.equation import symbol_table
from tokenwall.serving import engine_table, predict
from tokenwall.sweep.request import defaults

ASKED = ["predict", "llama-3-70b", "H100 SXM", "--devices", "8", "--batch", "64"]
ASKED += ["--input", "1024", "--output", "512", "--weight-bits", "8"]
SAME = {"devices": 8, "batch": 64, "input_len": 1024, "output_len": 512, "weight_bits": 8}


def run(capsys, *words):
    """How the command ended and what it printed."""
    code = main(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_every_argument_of_a_prediction_is_an_option():
    assert {name for _, name, _ in _NUMBERS} | {"engine"} == set(defaults())


def test_a_prediction_is_a_table(capsys):
    code, out, err = run(capsys, *ASKED)
    assert (code, err) == (0, "")
    assert out.startswith("Llama 3 70B on 8 × NVIDIA H100 SXM, engine ")
    found = predict("llama-3-70b", "H100 SXM", **SAME)
    lines = {line[:32].strip(): line[32:] for line in out.splitlines()}
    step = lines["a decoding step"]
    assert f"{1000 * float(found.time_per_output_token):.3g} ms" in step
    assert f"{1000 * float(found.low('time_per_output_token')):.3g} ms .." in step
    assert "of 640 GB: fits" in out
    assert f"limited by  {found.bound}" in out
    assert max(map(len, out.splitlines())) <= 80


def test_json_is_the_prediction(capsys):
    code, out, _ = run(capsys, *ASKED, "--json")
    assert code == 0
    assert json.loads(out) == predict("llama-3-70b", "H100 SXM", **SAME).to_dict()


def test_every_option_reaches_the_prediction(capsys):
    values = {
        "devices": 16,
        "batch": 32,
        "input_len": 100,
        "output_len": 200,
        "weight_bits": 8,
        "kv_bits": 8,
        "activation_bits": 8,
        "expert_bits": 4.5,
        "tensor_parallel": 2,
        "expert_parallel": 8,
        "pipeline_parallel": 2,
        "context_limit": 4096,
        "price_per_device_hour": 1.5,
    }
    options = [word for option, name, _ in _NUMBERS for word in (option, str(values[name]))]
    words = ["predict", "DeepSeek-V3", "H200", *options, "--engine", "vLLM 2025", "--json"]
    _, out, err = run(capsys, *words)
    assert err == ""
    expected = predict("DeepSeek-V3", "H200", **values, engine="vLLM 2025").to_dict()
    assert json.loads(out) == expected


def test_the_parts_of_a_step_are_explained(capsys):
    _, out, _ = run(capsys, *ASKED, "--explain")
    parts = predict("llama-3-70b", "H100 SXM", **SAME).explain()
    for row in parts.itertuples():
        assert re.search(rf"^{row.phase} +{row.part} .* {row.share:.1%} +{row.limit}$", out, re.M)


def test_the_largest_batch_is_found(capsys):
    words = ["predict", "llama-3-70b", "H100", "--devices", "4", "--batch", "largest", "--json"]
    code, out, _ = run(capsys, *words)
    assert code == 0
    expected = predict("llama-3-70b", "H100", devices=4, batch=None)
    assert json.loads(out)["batch"] == float(expected.batch)


def test_what_does_not_fit_ends_with_one(capsys):
    code, out, err = run(capsys, "predict", "llama-3-70b", "RTX 4090", "--weight-bits", "4.8")
    assert (code, err) == (1, "")
    assert "does not fit" in out
    assert "would fit: 2 devices instead of 1" in out
    code, out, _ = run(capsys, "predict", "llama-3-70b", "RTX 4090", "--json")
    assert (code, json.loads(out)["fits"]) == (1, False)


def test_a_machine_without_price_or_power_says_so(capsys):
    _, out, _ = run(capsys, "predict", "qwen3-0.6b", "Raspberry Pi 5")
    assert "no price in the table" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "llama-3-70", "H100"], "model 'llama-3-70' is unknown; nearest: "),
        (["predict", "llama-3-70b", "H1000"], "machine 'H1000' is unknown; nearest: "),
        ([*ASKED, "--engine", "vlm"], "engine 'vlm' is unknown; nearest: "),
        ([*ASKED, "--devices", "1.5"], "devices is 1.5; it must be a whole number"),
        ([*ASKED, "--batch", "0"], "batch is 0"),
        ([*ASKED, "--batch", "many"], 'invalid number or "largest" value'),
        ([*ASKED, "--input", "x"], "invalid number value: 'x'"),
        ([*ASKED, "--input", "nan"], "input_len is nan"),
        ([*ASKED, "--input", "1e9"], "allows"),
        ([*ASKED, "--speed", "1"], "unrecognized arguments: --speed"),
        (["predict", "llama-3-70b"], "required: machine"),
        (["machines", "abacus"], "no machine matches 'abacus'"),
        (["models", "abacus"], "no model matches 'abacus'"),
        (["engines", "abacus"], "no engine matches 'abacus'"),
        (["explain", "decode_rat"], "did you mean decode_rate"),
        (["sweep", "llama-2-7b", "A100", "--batch", "1,x"], "invalid number value: '1,x'"),
        (["sweep", "llama-2-7b", "A100", "--quantities", "speed"], "quantity 'speed' is unknown"),
        (["fly"], "invalid choice: 'fly'"),
        ([], "required: COMMAND"),
    ],
)
def test_a_bad_request_ends_with_two_and_prints_nothing(capsys, words, message):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_help_ends_well(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "Ends with 0; with 1 where a model does not fit" in out
    for command in ("predict", "sweep", "machines", "models", "engines", "explain"):
        assert run(capsys, command, "--help")[0] == 0


@pytest.mark.parametrize("table", ["machines", "models"])
def test_tables_hold_every_row(capsys, table):
    keys = list(getattr(data, table)().index)
    code, out, _ = run(capsys, table)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == keys
    assert max(map(len, out.splitlines())) <= 80
    _, out, _ = run(capsys, table, "--json")
    assert [row["key"] for row in json.loads(out)] == keys


def test_a_pattern_chooses(capsys):
    _, out, _ = run(capsys, "machines", "h100-?xm", "--json")
    (row,) = json.loads(out)
    assert row["memory_bandwidth"] == data.machine("h100-sxm")["memory_bandwidth"]
    assert row["price"] is None or row["price"] > 0
    _, out, _ = run(capsys, "machines", "NVIDIA H100 sxm")
    assert "3.35 TB/s" in out.splitlines()[1]


def test_engines_are_listed(capsys):
    code, out, _ = run(capsys, "engines")
    assert code == 0
    assert len(out.splitlines()) == engine_table()["key"].nunique() + 1
    _, out, _ = run(capsys, "engines", "sglang", "--json")
    assert json.loads(out)[0]["bandwidth_fraction"] > 0


@pytest.mark.parametrize("name", sorted(_equations()))
def test_every_equation_can_be_explained(capsys, name):
    code, out, _ = run(capsys, "explain", name)
    made = _equations()[name]
    assert code == 0
    assert " ".join(f"{name} = {made.expr}".split()) in " ".join(out.split())
    assert made.latex in out
    for parameter in made.parameters:
        assert re.search(rf"^{parameter} +{re.escape(made.units[parameter])} ", out, re.M)
        assert symbol_table()[parameter].latex in out
    assert re.search(r"^source  \S", out, re.M)
    assert "Derivation:" not in out


def test_a_sweep_is_comma_separated(capsys):
    words = ["sweep", "llama-3-70b,qwen3-next-80b-a3b", "H100 SXM", "--devices", "8"]
    words += ["--batch", "1,8", "--quantities", "tokens_per_second,bound", "--engine", "any"]
    code, out, _ = run(capsys, *words)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [(row["model"], row["batch"]) for row in rows] == [
        ("llama-3-70b", "1"),
        ("llama-3-70b", "8"),
        ("qwen3-next-80b-a3b", "1"),
        ("qwen3-next-80b-a3b", "8"),
    ]
    single = predict("llama-3-70b", "H100 SXM", devices=8, batch=8, engine="any")
    assert float(rows[1]["tokens_per_second"]) == pytest.approx(float(single.tokens_per_second))
    assert rows[1]["bound"] == single.bound
    assert rows[2]["status"] == "table_lacks_a_number"
    assert rows[2]["tokens_per_second"] == ""


def test_long_names_are_cut_and_keys_are_not():
    lines = _table(("key", "name", "x"), [("k" * 30, "n" * 70, "1")]).splitlines()
    assert max(map(len, lines)) == 80
    assert "k" * 30 in lines[1]
    assert "n…" in lines[1]


def test_the_module_is_the_command():
    words = [sys.executable, "-m", "tokenwall", "predict", "llama-3-70b", "RTX 4090", "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert json.loads(ended.stdout)["machine"] == "GeForce RTX 4090"

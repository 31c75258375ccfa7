"""The parts of every model of the table against its published total."""

import dataclasses

import pytest

from tokenwall import data, parameters
from tokenwall.weights import parts_of

TABLE = data.models()
DESCRIBED = TABLE.dropna(subset=["layers", "feedforward_matrices"]).index
# Whose published total is rounded, or holds a part for pictures that these columns do not describe.
ROUNDED = ["chinchilla-70b", "chinchilla-draft-4b", "generic-13b", "kimi-k2"]
ROUNDED += ["llama-4-maverick", "llama-4-scout"]
# Learned positions and biases of models of before 2023, which are small.
POSITIONED = ["gpt-2", "gpt-2-medium", "gpt-2-large", "gpt-2-xl", "gpt-3-175b", "opt-6.7b"]
POSITIONED += ["opt-13b"]


@pytest.mark.parametrize("key", [k for k in DESCRIBED if k not in ROUNDED + POSITIONED])
def test_norms_and_biases_are_a_thousandth(key):
    parts = parts_of(key)
    assert abs(parts.rest) < 1e-3 * parts.total, parts


@pytest.mark.parametrize("key", [k for k in ROUNDED + POSITIONED if k in DESCRIBED])
def test_what_is_rounded_or_positioned_is_near(key):
    parts = parts_of(key)
    assert abs(parts.rest) < 0.08 * parts.total, parts


@pytest.mark.parametrize("key", DESCRIBED)
def test_parts_sum_to_the_total(key):
    parts = parts_of(key)
    numbers = dataclasses.asdict(parts)
    pieces = [v for k, v in numbers.items() if k not in ("key", "total", "active")]
    assert sum(pieces) == pytest.approx(parts.total, rel=1e-12)
    assert all(v >= 0 for k, v in numbers.items() if k not in ("key", "rest"))
    assert parts.counted == pytest.approx(parts.total - parts.rest, rel=1e-12)


@pytest.mark.parametrize("key", TABLE.dropna(subset=["experts", "layers"]).index)
def test_active_weights_follow_from_the_experts_chosen(key):
    parts, row = parts_of(key), TABLE.loc[key]
    dense = 0 if row.isna()["dense_layers"] else row["dense_layers"]
    counted = parameters.active_parameters(
        parts.counted,
        row["layers"] - dense,
        hidden_size=row["hidden_size"],
        experts=row["experts"],
        experts_per_token=row["experts_per_token"],
        expert_feedforward_size=row["expert_feedforward_size"],
    )
    assert counted == pytest.approx(parts.active, rel=2e-3)
    assert parts.active < parts.total


def test_a_shared_table_is_not_counted_twice():
    tied, untied = parts_of("Qwen3 0.6B"), parts_of("Qwen3 8B")
    assert tied.output == 0
    assert untied.output == untied.embedding


def test_most_of_a_mixture_are_experts_that_a_token_does_not_meet():
    parts = parts_of("DeepSeek-V3")
    assert parts.routed_experts / parts.total > 0.95
    assert parts.active / parts.total < 0.06
    # Norms and one correction for each expert.
    assert parts.rest == 61 * (2 * 7168 + 1536 + 512) + 7168 + 58 * 256


def test_a_row_is_as_good_as_a_name_and_a_gap_is_named():
    assert parts_of(data.model("llama-2-7b")) == parts_of("Llama 2 7B")
    with pytest.raises(ValueError, match="Gemma 4 E2B has no feedforward_matrices"):
        parts_of("gemma-4-E2B")
    with pytest.raises(ValueError, match="is unknown"):
        parts_of("Llama 9")

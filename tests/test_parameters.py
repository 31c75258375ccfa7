"""Weights counted from architectures against the counts of published weight files."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwall import data
from tokenwall.parameters import (
    active_parameters,
    attention_parameters,
    embedding_parameters,
    feedforward_parameters,
    latent_attention_parameters,
    mixture_parameters,
    model_parameters,
    norm_parameters,
)

whole = st.integers(1, 512)


def dense(layers, hidden, heads, kv_heads, head, inner, vocabulary, *, tied=0, matrices=3, **more):
    """A dense model; more are input_biases, output_biases, block_biases and what norms take."""
    norms = {k: more.pop(k) for k in list(more) if "norm" in k}
    blocks = {k: more.pop(k) for k in list(more) if k == "block_biases"}
    return model_parameters(
        embedding_parameters(vocabulary, hidden, tied_embeddings=tied),
        attention_parameters(
            layers, heads, kv_heads=kv_heads, head_size=head, hidden_size=hidden, **more
        ),
        feedforward_parameters=feedforward_parameters(
            layers, hidden, feedforward_size=inner, feedforward_matrices=matrices, **blocks
        ),
        norm_parameters=norm_parameters(layers, hidden, **norms),
    )


# Published counts of weight files; layers, width, heads, key-value heads, head, block, vocabulary.
DENSE = {
    "llama-2-7b": (6_738_415_616, (32, 4096, 32, 32, 128, 11008, 32000), {}),
    "llama-2-13b": (13_015_864_320, (40, 5120, 40, 40, 128, 13824, 32000), {}),
    "llama-2-70b": (68_976_648_192, (80, 8192, 64, 8, 128, 28672, 32000), {}),
    "llama-3-8b": (8_030_261_248, (32, 4096, 32, 8, 128, 14336, 128256), {}),
    "llama-3-70b": (70_553_706_496, (80, 8192, 64, 8, 128, 28672, 128256), {}),
    "llama-3.1-405b": (405_853_388_800, (126, 16384, 128, 8, 128, 53248, 128256), {}),
    "mistral-7b": (7_241_732_096, (32, 4096, 32, 8, 128, 14336, 32000), {}),
    "mistral-7b-v0.3": (7_248_023_552, (32, 4096, 32, 8, 128, 14336, 32768), {}),
    "mistral-nemo-12b": (12_247_782_400, (40, 5120, 32, 8, 128, 14336, 131072), {}),
    "yi-34b": (34_388_917_248, (60, 7168, 56, 8, 128, 20480, 64000), {}),
    "qwen2.5-7b": (
        7_615_616_512,
        (28, 3584, 28, 4, 128, 18944, 152064),
        {"input_biases": 1},
    ),
    "qwen2.5-3b": (
        3_085_938_688,
        (36, 2048, 16, 2, 128, 11008, 151936),
        {"input_biases": 1, "tied": 1},
    ),
    "qwen3-0.6b": (
        596_049_920,
        (28, 1024, 16, 8, 128, 3072, 151936),
        {"inner_norm_size": 256, "tied": 1},
    ),
    "qwen3-8b": (
        8_190_735_360,
        (36, 4096, 32, 8, 128, 12288, 151936),
        {"inner_norm_size": 256},
    ),
    "qwen3-32b": (
        32_762_123_264,
        (64, 5120, 64, 8, 128, 25600, 151936),
        {"inner_norm_size": 256},
    ),
    "gemma-7b": (8_537_680_896, (28, 3072, 16, 16, 256, 24576, 256000), {"tied": 1}),
    "phi-4": (14_659_507_200, (40, 5120, 40, 10, 128, 17920, 100352), {}),
    "bloom-176b": (
        # A norm after the embedding comes on top.
        176_247_271_424 - 2 * 14336,
        (70, 14336, 112, 112, 128, 57344, 250880),
        {
            "tied": 1,
            "matrices": 2,
            "input_biases": 1,
            "output_biases": 1,
            "block_biases": 1,
            "vectors_per_norm": 2,
        },
    ),
}


@pytest.mark.parametrize("key", DENSE)
def test_dense_models_to_the_last_weight(key):
    published, architecture, more = DENSE[key]
    assert dense(*architecture, **more) == published


@pytest.mark.parametrize("key", [k for k in DENSE if k != "bloom-176b"])
def test_the_table_prints_the_same_count(key):
    assert data.model(key)["parameters"] == DENSE[key][0]


def deepseek(layers, hidden, heads, *, dense_layers, inner, experts, small, shared, vocabulary, q):
    mixture_layers = layers - dense_layers
    return model_parameters(
        embedding_parameters(vocabulary, hidden),
        latent_attention_parameters(
            layers,
            heads,
            hidden_size=hidden,
            latent_size=512,
            rope_head_size=64,
            head_size=128,
            value_head_size=128,
            query_latent_size=q,
        ),
        feedforward_parameters=feedforward_parameters(dense_layers, hidden, feedforward_size=inner),
        mixture_parameters=mixture_parameters(
            mixture_layers,
            hidden,
            experts=experts,
            expert_feedforward_size=small,
            shared_experts=shared,
        ),
        norm_parameters=norm_parameters(layers, hidden, inner_norm_size=q + 512),
    )


def test_latent_attention_and_shared_experts_to_the_last_weight():
    lite = deepseek(
        *(27, 2048, 16),
        dense_layers=1,
        inner=10944,
        experts=64,
        small=1408,
        shared=2,
        vocabulary=102400,
        q=0,
    )
    assert lite == 15_706_484_224
    second = deepseek(
        *(60, 5120, 128),
        dense_layers=1,
        inner=12288,
        experts=160,
        small=1536,
        shared=2,
        vocabulary=102400,
        q=1536,
    )
    assert second == 235_741_434_880
    third = deepseek(
        *(61, 7168, 128),
        dense_layers=3,
        inner=18432,
        experts=256,
        small=2048,
        shared=1,
        vocabulary=129280,
        q=1536,
    )
    # The router of DeepSeek-V3 has a correction for each expert besides its matrix.
    assert third + 58 * 256 == 671_026_419_200


@pytest.mark.parametrize(
    ("published", "layers", "hidden", "heads", "kv", "experts", "small", "vocabulary", "norm"),
    [
        (46_702_792_704, 32, 4096, 32, 8, 8, 14336, 32000, 0),
        (140_630_071_296, 56, 6144, 48, 8, 8, 16384, 32768, 0),
        (30_532_122_624, 48, 2048, 32, 4, 128, 768, 151936, 256),
        (235_093_634_560, 94, 4096, 64, 4, 128, 1536, 151936, 256),
        (480_154_875_392, 62, 6144, 96, 8, 160, 2560, 151936, 256),
    ],
)
def test_mixtures_to_the_last_weight(
    published, layers, hidden, heads, kv, experts, small, vocabulary, norm
):
    counted = model_parameters(
        embedding_parameters(vocabulary, hidden),
        attention_parameters(layers, heads, kv_heads=kv, head_size=128, hidden_size=hidden),
        mixture_parameters=mixture_parameters(
            layers, hidden, experts=experts, expert_feedforward_size=small
        ),
        norm_parameters=norm_parameters(layers, hidden, inner_norm_size=norm),
    )
    assert counted == published


def test_the_gate_is_a_third_of_a_block_and_a_shared_table_counts_once():
    gated = feedforward_parameters(32, 4096, feedforward_size=11008)
    plain = feedforward_parameters(32, 4096, feedforward_size=11008, feedforward_matrices=2)
    assert gated == 1.5 * plain
    assert embedding_parameters(32000, 4096, tied_embeddings=1) == 32000 * 4096


@given(layers=whole, hidden=whole, experts=whole, small=whole, chosen=whole)
def test_a_token_that_meets_every_expert_meets_every_weight(layers, hidden, experts, small, chosen):
    shape = {"hidden_size": hidden, "experts": experts, "expert_feedforward_size": small}
    everything = active_parameters(1e15, layers, experts_per_token=experts, **shape)
    assert everything == 1e15
    used = active_parameters(1e15, layers, experts_per_token=min(chosen, experts), **shape)
    assert used <= everything


@given(heads=whole, head=whole, hidden=whole, layers=whole)
def test_sharing_keys_saves_weights_and_never_more_than_half(heads, head, hidden, layers):
    shape = {"head_size": head, "hidden_size": hidden}
    every = attention_parameters(layers, heads, kv_heads=heads, **shape)
    single = attention_parameters(layers, heads, kv_heads=1, **shape)
    assert every / 2 <= single <= every


def test_without_a_query_latent_queries_come_from_the_width():
    shape = {
        "hidden_size": 2048,
        "latent_size": 512,
        "rope_head_size": 64,
        "head_size": 128,
        "value_head_size": 128,
    }
    without = latent_attention_parameters(1, 16, query_latent_size=0, **shape)
    low = latent_attention_parameters(1, 16, query_latent_size=1, **shape)
    assert without - low == 2048 * 16 * 192 - (2048 + 16 * 192)
    assert math.isclose(latent_attention_parameters(2, 16, **shape), 2 * without)

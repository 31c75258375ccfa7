"""Attention that counts: exact to rounding, and every byte of it equal to the closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwall.attention import (
    FastMemory,
    Tiles,
    attention_tile,
    backward_tile,
    causal_keys_outer_traffic,
    causal_queries_outer_traffic,
    compulsory_traffic,
    keys_outer_attention,
    keys_outer_traffic,
    naive_attention,
    naive_traffic,
    online_softmax,
    queries_outer_attention,
    queries_outer_traffic,
    recomputed_backward,
    recomputed_backward_traffic,
    reference_attention,
    score_flop,
    stored_backward,
    stored_backward_traffic,
    tiling_gain,
    traffic_order,
)
from tokenwall.attention.memory import blocks
from tokenwall.equation import symbol

ALGORITHMS = {
    "naive": naive_attention,
    "keys outer": keys_outer_attention,
    "queries outer": queries_outer_attention,
}
TILED = {name: run for name, run in ALGORITHMS.items() if name != "naive"}
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-6}
every = pytest.mark.parametrize("name", ALGORITHMS)
# heads, key-value heads, queries, keys, head size, numbers of fast memory
SHAPES = {
    "square": (2, 2, 37, 37, 8, 1000),
    "grouped and longer cache": (4, 2, 33, 50, 16, 2200),
    "one token": (8, 1, 1, 77, 16, 2200),
    "tiles divide": (1, 1, 64, 64, 8, 500),
    "one-row tiles": (1, 1, 7, 9, 4, 21),
    "all at once": (2, 1, 12, 12, 4, 5000),
}


def arrays(shape, dtype=np.float64, seed=0):
    heads, kv_heads, queries, keys, size = shape
    generator = np.random.default_rng(seed)
    shapes = ((heads, queries, size), (kv_heads, keys, size), (kv_heads, keys, size))
    return [generator.standard_normal(x).astype(dtype) for x in shapes]


def closed_form(name, rows, keys, size, memory, itemsize):
    shape = {"head_size": size, "bytes_per_value": itemsize}
    tile = attention_tile(memory, size, bytes_per_value=itemsize)
    if name == "naive":
        return naive_traffic(rows, keys, query_tile=tile, fast_memory=memory, **shape)
    if name == "keys outer":
        return keys_outer_traffic(rows, keys, key_tile=tile, **shape)
    return queries_outer_traffic(rows, keys, query_tile=tile, **shape)


@every
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_results_are_those_of_the_definition(name, dtype, causal, shape):
    *sizes, numbers = SHAPES[shape]
    q, k, v = arrays(sizes, dtype)
    memory = FastMemory(numbers * q.itemsize)
    result = ALGORITHMS[name](q, k, v, memory, causal=causal)
    assert result.output.dtype == dtype
    reference = reference_attention(q, k, v, causal=causal)
    assert np.abs(result.output - reference).max() < TOLERANCE[dtype]
    assert memory.held == 0
    assert memory.peak <= memory.capacity


@every
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_counted_bytes_equal_the_closed_form(name, dtype, shape):
    heads, kv_heads, queries, keys, size, numbers = SHAPES[shape]
    q, k, v = arrays(SHAPES[shape][:5], dtype)
    memory = FastMemory(numbers * q.itemsize)
    ALGORITHMS[name](q, k, v, memory)
    rows = queries * heads // kv_heads
    each = closed_form(name, rows, keys, size, memory.capacity, q.itemsize)
    assert memory.moved == kv_heads * each


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(1, 40),
    keys=st.integers(1, 40),
    size=st.integers(1, 12),
    group=st.integers(1, 3),
    numbers=st.integers(60, 3000),
    name=st.sampled_from(sorted(ALGORITHMS)),
)
def test_any_size_is_exact_and_counted(queries, keys, size, group, numbers, name):
    q, k, v = arrays((group, 1, queries, keys, size))
    memory = FastMemory(numbers * 8)
    result = ALGORITHMS[name](q, k, v, memory)
    assert np.allclose(result.output, reference_attention(q, k, v), rtol=0, atol=1e-12)
    assert memory.moved == closed_form(name, queries * group, keys, size, numbers * 8, 8)


@every
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [1e3, 1e5])
def test_extreme_scores_neither_overflow_nor_lose_digits(name, dtype, scale):
    """Queries and keys are small whole numbers times a scale, so that scores are exact."""
    generator = np.random.default_rng(1)
    q, k = (generator.integers(-2, 3, (1, 30, 16)).astype(dtype) for _ in range(2))
    q *= scale
    v = generator.standard_normal((1, 30, 16)).astype(dtype)
    result = ALGORITHMS[name](q, k, v, FastMemory(4000 * q.itemsize), causal=True)
    reference = reference_attention(q, k, v, causal=True)
    assert np.abs(result.output - reference).max() < TOLERANCE[dtype]


def test_plain_exponentials_would_overflow():
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.float16(12)))
        assert np.isinf(np.exp(np.float32(89)))
    assert np.isfinite(np.exp(np.float32(88)))


def test_naive_reads_scores_twice_where_a_row_does_not_fit():
    q, k, v = arrays((1, 1, 10, 200, 4))
    moved = {}
    for numbers in (202, 201):
        memory = FastMemory(numbers * 8)
        result = naive_attention(q, k, v, memory)
        assert np.allclose(result.output, reference_attention(q, k, v), rtol=0, atol=1e-12)
        moved[numbers] = memory.moved
        assert memory.moved == closed_form("naive", 10, 200, 4, numbers * 8, 8)
    assert moved[201] - moved[202] == 10 * 200 * 8


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_causal_counts_equal_the_closed_forms_where_tiles_divide(dtype):
    tokens, size, tiles = 96, 8, Tiles(12, 12)
    q, k, v = arrays((1, 1, tokens, tokens, size), dtype)
    bytes_each = {"bytes_per_value": q.itemsize}
    expected = {
        keys_outer_attention: causal_keys_outer_traffic(tokens, size, key_tile=12, **bytes_each),
        queries_outer_attention: causal_queries_outer_traffic(
            tokens, size, query_tile=12, **bytes_each
        ),
    }
    for run, form in expected.items():
        memory = FastMemory(10**5)
        run(q, k, v, memory, causal=True, tiles=tiles)
        assert memory.moved == form


@pytest.mark.parametrize(("rows", "columns"), [(24, 8), (8, 24)])
def test_causal_forms_need_only_the_finer_tile_to_divide(rows, columns):
    q, k, v = arrays((1, 1, 96, 96, 8))
    memory = FastMemory(10**5)
    if rows > columns:
        queries_outer_attention(q, k, v, memory, causal=True, tiles=Tiles(rows, columns))
        form = causal_queries_outer_traffic(96, 8, query_tile=rows, bytes_per_value=8)
    else:
        keys_outer_attention(q, k, v, memory, causal=True, tiles=Tiles(rows, columns))
        form = causal_keys_outer_traffic(96, 8, key_tile=columns, bytes_per_value=8)
    assert memory.moved == form


@settings(max_examples=40, deadline=None)
@given(tokens=st.integers(1, 60), rows=st.integers(1, 20), columns=st.integers(1, 20))
def test_ragged_causal_tiles_add_at_most_the_diagonal(tokens, rows, columns):
    size = 4
    q, k, v = arrays((1, 1, tokens, tokens, size))
    full = {}
    for causal in (False, True):
        memory = FastMemory(10**6)
        queries_outer_attention(q, k, v, memory, causal=causal, tiles=Tiles(rows, columns))
        full[causal] = memory.moved
    sweeps = math.ceil(tokens / rows)
    form = causal_queries_outer_traffic(tokens, size, query_tile=rows, bytes_per_value=8)
    assert full[True] <= full[False]
    assert full[True] <= form + 2 * 8 * size * (rows + columns) * sweeps


def test_hidden_tiles_save_half_of_a_long_text():
    ratio = causal_queries_outer_traffic(2**20, 128, query_tile=64) / queries_outer_traffic(
        2**20, 2**20, head_size=128, query_tile=64
    )
    assert ratio == pytest.approx(0.5, abs=1e-3)


def test_one_fetch_serves_a_group():
    q, k, v = arrays((8, 2, 1, 300, 16))
    shared, alone = FastMemory(16000), FastMemory(16000)
    one = queries_outer_attention(q, k, v, shared)
    repeated = (np.repeat(x, 4, axis=0) for x in (k, v))
    other = queries_outer_attention(q, *repeated, alone)
    assert np.allclose(one.output, other.output, rtol=0, atol=1e-14)
    caches = 2 * k.nbytes
    assert alone.moved - shared.moved == 3 * caches


@pytest.mark.parametrize("name", TILED)
def test_kept_numbers_are_the_logarithms_of_the_sums(name):
    q, k, v = arrays((2, 1, 20, 30, 8))
    result = TILED[name](q, k, v, FastMemory(8000))
    scores = q @ k.swapaxes(1, 2) / math.sqrt(8)
    assert np.allclose(result.kept[..., 0], np.log(np.exp(scores).sum(axis=-1)), atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(numbers=st.integers(5, 10**6), size=st.integers(1, 256))
def test_the_longest_tile_fits_and_the_next_does_not(numbers, size):
    tile = int(attention_tile(numbers, size, bytes_per_value=1))

    def room(long):
        short = min(long, size)
        return 2 * long * size + 2 * short * size + long * short + 4 * long

    assert room(tile) <= numbers < room(tile + 1)


@settings(max_examples=200, deadline=None)
@given(
    queries=st.integers(1, 10**5),
    keys=st.integers(1, 10**5),
    size=st.integers(1, 256),
    roomy=st.floats(5, 2000),
)
def test_queries_outer_stays_within_the_published_constant(queries, keys, size, roomy):
    """Algorithm 1 as published moves 12 N^2 d^2 / M and 16 N^2 d / M, and a little more."""
    numbers = math.ceil(roomy * (5 * size + 4))
    shape = {"head_size": size, "bytes_per_value": 1}
    tile = attention_tile(numbers, size, bytes_per_value=1)
    moved = queries_outer_traffic(queries, keys, query_tile=tile, **shape)
    order = queries * keys * size**2 / numbers
    once = compulsory_traffic(queries, keys, **shape)
    assert moved <= (12 + 16 / size) * order + 2 * once
    assert moved >= once * (1 if tile < queries else 1 - 1e-12)


@settings(max_examples=100, deadline=None)
@given(size=st.integers(8, 256), more=st.floats(1, 50))
def test_the_constant_lies_between_six_and_ten_for_large_memories(size, more):
    numbers = math.ceil(more * 5 * size**2)
    tokens = 10**7
    shape = {"head_size": size, "bytes_per_value": 1}
    tile = attention_tile(numbers, size, bytes_per_value=1)
    moved = queries_outer_traffic(tokens, tokens, query_tile=tile, **shape)
    order = traffic_order(tokens, tokens, fast_memory=numbers, **shape)
    assert 5.9 < moved / order < 10 * (1 + 4 / size) + 1


def test_the_order_bends_at_a_square_of_vectors():
    shape = {"head_size": 64, "bytes_per_value": 2}
    small, edge, large = (
        float(traffic_order(1000, 1000, fast_memory=x * 64**2 * 2, **shape)) for x in (0.25, 1, 4)
    )
    assert small / edge == pytest.approx(2)
    assert edge / large == pytest.approx(4)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 2000), size=st.integers(8, 256), keys=st.integers(10**7, 10**8))
def test_the_gain_is_the_ratio_of_a_long_text(rows, size, keys):
    shape = {"head_size": size, "query_tile": rows}
    naive = naive_traffic(10**6 * rows, keys, fast_memory=10**9, **shape)
    tiled = queries_outer_traffic(10**6 * rows, keys, **shape)
    assert naive / tiled == pytest.approx(float(tiling_gain(rows, size)), rel=0.01)


def test_published_counts_of_the_first_algorithm():
    """Dao 2022, algorithm 1 at N = 1024, d = 64, M = 49152 numbers: 2 N d + T (3 N d + 4 N)."""
    moved = float(keys_outer_traffic(1024, 1024, head_size=64, key_tile=192, bytes_per_value=1))
    assert moved - 1024 * (64 + 2) == 1_335_296  # start values are written besides
    naive = naive_traffic(
        1024, 1024, head_size=64, query_tile=1024, fast_memory=10**6, bytes_per_value=1
    )
    assert float(naive) == 4_456_448


def test_arithmetic_is_that_of_the_two_products():
    assert float(score_flop(5, 7, head_size=3)) == 2 * 2 * 5 * 7 * 3


def test_online_softmax_equals_two_passes_in_any_tiles():
    scores = np.random.default_rng(2).normal(0, 300, 50)
    for tile in (1, 3, 50, 99):
        last = online_softmax(scores, tile)[-1]
        assert last.maximum == scores.max()
        assert last.total == pytest.approx(np.exp(scores - scores.max()).sum(), rel=1e-12)
    shuffled = online_softmax(np.sort(scores)[::-1].copy(), 7)[-1]
    assert shuffled.total == pytest.approx(last.total, rel=1e-12)


def gradients(causal, numbers=900):
    q, k, v = arrays((4, 2, 24, 24, 8))
    upstream = np.random.default_rng(5).standard_normal(q.shape)
    memories = FastMemory(numbers * 8), FastMemory(numbers * 8)
    weights = naive_attention(q, k, v, FastMemory(numbers * 8), causal=causal)
    sums = queries_outer_attention(q, k, v, FastMemory(numbers * 8), causal=causal)
    stored = stored_backward(q, k, v, upstream, weights, memories[0], causal=causal)
    again = recomputed_backward(q, k, v, upstream, sums, memories[1], causal=causal)
    return (q, k, v), upstream, stored, again, memories


@pytest.mark.parametrize("causal", [False, True])
def test_both_backward_passes_agree(causal):
    _, _, stored, again, memories = gradients(causal)
    for name in "qkv":
        assert np.abs(getattr(stored, name) - getattr(again, name)).max() < 1e-12
    assert all(memory.held == 0 for memory in memories)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_gradients_are_those_of_finite_differences(causal, which):
    inputs, upstream, stored, *_ = gradients(causal)
    generator, step = np.random.default_rng(6), 1e-6
    direction = generator.standard_normal(inputs[which].shape)

    def loss(sign):
        moved = list(inputs)
        moved[which] = inputs[which] + sign * step * direction
        return (reference_attention(*moved, causal=causal) * upstream).sum()

    slope = (loss(1) - loss(-1)) / (2 * step)
    gradient = getattr(stored, "qkv"[which])
    assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-7)


def test_backward_counts_equal_the_closed_forms():
    (q, _, _), _, _, _, memories = gradients(causal=False)
    side = backward_tile(memories[0], q).keys
    shape = {"head_size": 8, "key_tile": side, "bytes_per_value": 8}
    assert memories[0].moved == 2 * stored_backward_traffic(48, 24, query_tile=side, **shape)
    assert memories[1].moved == 2 * recomputed_backward_traffic(48, 24, **shape)


def test_hidden_tiles_save_bytes_in_the_backward_pass_too():
    plain, masked = gradients(causal=False)[-1][1], gradients(causal=True)[-1][1]
    assert masked.moved < plain.moved


def test_fast_memory_refuses_what_does_not_fit():
    memory = FastMemory(100)
    tile = memory.load(np.zeros(10))
    with pytest.raises(ValueError, match=r"fast_memory is 100 B, of which 80 B are held; .* 24 B"):
        memory.make((3,), tile)
    memory.free(tile)
    with pytest.raises(ValueError, match="not held"):
        memory.free(tile)
    assert (memory.read, memory.written, memory.held) == (80, 0, 0)


def test_a_tile_is_a_copy():
    memory, source = FastMemory(100), np.ones(5)
    memory.load(source)[:] = 0
    assert source.sum() == 5


@every
def test_a_memory_too_small_for_one_row_is_refused(name):
    q, k, v = arrays((1, 1, 5, 5, 8))
    with pytest.raises(ValueError, match="fast_memory is 100 B; it must be at least 296 B"):
        ALGORITHMS[name](q, k, v, FastMemory(100))
    assert ALGORITHMS[name](q, k, v, FastMemory(296)).output.shape == q.shape


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 5, 4), (2, 5, 4), (2, 6, 4)), r"k has shape .* and v .* widths may differ"),
        (((2, 5, 4), (2, 5, 4), (1, 5, 4)), r"k has shape .* heads and keys must be equal"),
        (((2, 5, 4), (2, 5, 8), (2, 5, 8)), "head_size of q is 4; it must be that of k, 8"),
        (((3, 5, 4), (2, 5, 4), (2, 5, 4)), "heads are 3; they must be a multiple of kv_heads, 2"),
        (((2, 9, 4), (2, 5, 4), (2, 5, 4)), "queries are 9; with a causal mask at most .* 5"),
        (((5, 4), (2, 5, 4), (2, 5, 4)), r"q has shape \(5, 4\); it must be"),
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes, message):
    with pytest.raises(ValueError, match=message):
        queries_outer_attention(*(np.zeros(x) for x in shapes), FastMemory(10**5), causal=True)


@pytest.mark.parametrize("bad", [0, -5, 2.5])
def test_capacities_are_whole_and_positive(bad):
    with pytest.raises(ValueError, match="capacity is"):
        FastMemory(bad)


def test_empty_tiles_are_refused():
    with pytest.raises(ValueError, match="tile is 0"):
        list(blocks(5, 0))
    with pytest.raises(ValueError, match=r"fast_memory is 10 B; it must be at least"):
        backward_tile(FastMemory(10), np.zeros((1, 1, 4)))


def test_symbols_of_the_forms_are_shared():
    assert symbol("queries") in naive_traffic.expr.free_symbols

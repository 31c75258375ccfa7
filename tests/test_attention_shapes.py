"""Tiles of any shape, values narrower than keys, hidden first tiles, and number formats."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwall.attention import (
    FastMemory,
    Tiles,
    attention_tile,
    best_naive_shape,
    best_tiled_shape,
    compulsory_traffic,
    keys_outer_attention,
    least_traffic,
    naive_attention,
    naive_traffic,
    online_softmax,
    queries_outer_attention,
    queries_outer_traffic,
    recomputed_backward,
    reference_attention,
    stored_backward,
    sweep_intensity,
    sweep_tile,
    table_tile,
)
from tokenwall.attention.online import renew, unless_empty
from tokenwall.data import machine
from tokenwall.roofline import ridge_intensity

ALGORITHMS = [naive_attention, keys_outer_attention, queries_outer_attention]
HEAD = {"head_size": 128, "fast_memory": 102400}


def normal(*shapes, dtype=np.float64, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def test_the_best_shapes_of_the_chapters_head():
    """The long sides that fit beside 1, 16 and 64 keys, and what they move."""
    assert [float(table_tile(102400, 128, short_side=c)) for c in (1, 16, 64)] == [395, 341, 224]
    assert [float(sweep_tile(102400, 128, short_side=c)) for c in (1, 16, 64)] == [195, 170, 107]
    expected = {1: (629, 185), 16: (646, 210), 64: (696, 327)}
    for narrowest, moved in expected.items():
        naive = best_naive_shape(8192, 8192, **HEAD, narrowest=narrowest)
        tiled = best_tiled_shape(8192, 8192, **HEAD, narrowest=narrowest)
        assert (round(naive.traffic / 1e6), round(tiled.traffic / 1e6)) == moved
    assert best_tiled_shape(8192, 8192, **HEAD).tiles == Tiles(191, 3)


@pytest.mark.parametrize("narrowest", [1, 16])
def test_the_best_shapes_fit_and_move_what_they_say(narrowest):
    """By running: 1,024 tokens, vectors of 32, 4 bytes, 32 KiB."""
    q, k, v = normal(*3 * [(1, 1024, 32)], dtype=np.float32)
    size = {"head_size": 32, "fast_memory": 32768, "bytes_per_value": 4, "narrowest": narrowest}
    reference = reference_attention(q, k, v)
    for run, best in (
        (naive_attention, best_naive_shape),
        (queries_outer_attention, best_tiled_shape),
    ):
        shape, memory, ruled = best(1024, 1024, **size), FastMemory(32768), FastMemory(32768)
        output = run(q, k, v, memory, tiles=shape.tiles).output
        assert np.abs(output - reference).max() < 1e-6
        assert memory.moved == shape.traffic
        run(q, k, v, ruled)
        assert memory.moved < ruled.moved


def test_counted_bytes_of_the_narrowest_short_side():
    q, k, v = normal(*3 * [(1, 1024, 32)], dtype=np.float32)
    moved = {}
    for run, rows in ((naive_attention, 247), (queries_outer_attention, 117)):
        memory = FastMemory(32768)
        run(q, k, v, memory, tiles=Tiles(rows, 1))
        moved[run] = memory.moved
    assert list(moved.values()) == [18_350_080, 2_625_536]


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.integers(1, 60),
    size=st.integers(1, 12),
    numbers=st.integers(60, 1500),
    narrowest=st.integers(1, 4),
)
def test_no_tile_that_runs_moves_less_than_the_best(tokens, size, numbers, narrowest):
    """All shapes by brute force on the running code; the best shape is one of them."""
    q, k, v = normal(*3 * [(1, tokens, size)])
    at = {
        "head_size": size,
        "fast_memory": 8 * numbers,
        "bytes_per_value": 8,
        "narrowest": narrowest,
    }
    for run, find, spare in (
        (naive_attention, best_naive_shape, 0),
        (queries_outer_attention, best_tiled_shape, 1),
    ):
        try:
            best = find(tokens, tokens, **at)
        except ValueError:
            continue
        memory = FastMemory(8 * numbers)
        run(q, k, v, memory, tiles=best.tiles)
        assert memory.moved == best.traffic
        # The rule reserves four numbers a row where the running code holds three.
        for rows in sorted({1, best.tiles.queries, best.tiles.queries + 1, tokens}):
            for short in (narrowest, narrowest + 1, best.tiles.keys):
                other = FastMemory(8 * max(1, numbers - spare * rows))
                try:
                    run(q, k, v, other, tiles=Tiles(rows, short))
                except ValueError:
                    continue
                assert other.moved >= best.traffic


@settings(max_examples=200, deadline=None)
@given(
    tokens=st.integers(1, 10**5),
    size=st.integers(1, 256),
    roomy=st.floats(2, 500),
)
def test_the_best_shape_beats_the_rule_and_obeys_the_least(tokens, size, roomy):
    fast = int(roomy * (5 * size + 4)) * 2
    tile = attention_tile(fast, size)
    at = {"head_size": size, "fast_memory": fast}
    naive, tiled = (find(tokens, tokens, **at) for find in (best_naive_shape, best_tiled_shape))
    assert naive.traffic <= naive_traffic(tokens, tokens, query_tile=tile, **at)
    assert tiled.traffic <= queries_outer_traffic(tokens, tokens, query_tile=tile, head_size=size)
    floor = max(
        float(least_traffic(tokens, tokens, **at)),
        float(compulsory_traffic(tokens, tokens, head_size=size)),
    )
    assert min(naive.traffic, tiled.traffic) >= floor * (1 - 1e-12)


@settings(max_examples=200, deadline=None)
@given(numbers=st.integers(5, 10**6), size=st.integers(1, 256), short=st.integers(1, 300))
def test_the_longest_rows_fit_and_one_more_does_not(numbers, size, short):
    passes = int(table_tile(numbers, size, short_side=short, bytes_per_value=1))
    sweep = int(sweep_tile(numbers, size, short_side=short, bytes_per_value=1))

    def table(rows):
        return rows * size + short * size + rows * short

    def swept(rows):
        return 2 * rows * size + 2 * short * size + rows * short + 4 * rows

    assert numbers < table(passes + 1)
    assert numbers < swept(sweep + 1)
    assert passes == 0 or table(passes) <= numbers
    assert sweep == 0 or swept(sweep) <= numbers


def test_a_memory_that_holds_no_row_is_refused():
    for find in (best_naive_shape, best_tiled_shape):
        with pytest.raises(ValueError, match="must hold a row beside 1 keys"):
            find(10, 10, head_size=64, fast_memory=100)
        with pytest.raises(ValueError, match="must hold a row beside 900 keys"):
            find(1000, 1000, **HEAD, narrowest=900)


# --- values narrower than keys, as in latent attention ---


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(8, 6), (8, 8), (6, 10), (5, 2)])
@pytest.mark.parametrize("run", ALGORITHMS)
def test_values_may_have_another_width(run, widths, causal):
    wide, narrow = widths
    q, k, v = normal((4, 20, wide), (2, 30, wide), (2, 30, narrow))
    memory = FastMemory(8 * 600)
    result = run(q, k, v, memory, causal=causal)
    assert result.output.shape == (4, 20, narrow)
    assert np.abs(result.output - reference_attention(q, k, v, causal=causal)).max() < 1e-12


@pytest.mark.parametrize("widths", [(8, 6), (6, 10)])
def test_the_mean_width_counts_the_bytes(widths):
    wide, narrow = widths
    q, k, v = normal((4, 20, wide), (2, 30, wide), (2, 30, narrow))
    mean = (wide + narrow) // 2
    shape = {"head_size": mean, "bytes_per_value": 8}
    tile = attention_tile(8 * 600, mean, bytes_per_value=8)
    for run, form in (
        (naive_attention, naive_traffic(40, 30, query_tile=tile, fast_memory=4800, **shape)),
        (queries_outer_attention, queries_outer_traffic(40, 30, query_tile=tile, **shape)),
    ):
        memory = FastMemory(8 * 600)
        run(q, k, v, memory)
        assert memory.moved == 2 * form


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_narrower_values(causal):
    q, k, v, upstream = normal((4, 12, 8), (2, 16, 8), (2, 16, 5), (4, 12, 5))
    memory = FastMemory(8 * 500)
    stored = stored_backward(
        q, k, v, upstream, naive_attention(q, k, v, memory, causal=causal), memory, causal=causal
    )
    kept = queries_outer_attention(q, k, v, memory, causal=causal)
    again = recomputed_backward(q, k, v, upstream, kept, memory, causal=causal)
    step, direction = 1e-6, normal(v.shape, seed=9)[0]

    def loss(sign):
        moved = reference_attention(q, k, v + sign * step * direction, causal=causal)
        return (moved * upstream).sum()

    slope = (loss(1) - loss(-1)) / (2 * step)
    assert (stored.v * direction).sum() == pytest.approx(slope, rel=1e-7)
    for name in "qkv":
        assert np.abs(getattr(stored, name) - getattr(again, name)).max() < 1e-12


def test_values_within_the_keys_are_read_once():
    """A latent cache: 8 heads share it, and the values are the first 12 numbers of the keys."""
    q, k = normal((8, 1, 16), (1, 200, 16))
    within, apart = FastMemory(8 * 2000), FastMemory(8 * 2000)
    one = queries_outer_attention(q, k, k[..., :12], within)
    two = queries_outer_attention(q, k, k[..., :12].copy(), apart)
    assert np.abs(one.output - two.output).max() < 1e-14
    assert np.abs(one.output - reference_attention(q, k, k[..., :12])).max() < 1e-12
    assert apart.moved - within.moved == 8 * 200 * 12
    assert within.held == 0


def test_values_beside_the_keys_are_read_too():
    """One array may hold both; only values that start where the keys start are within them."""
    q, both = normal((1, 4, 8), (1, 50, 16))
    k, v = both[..., :8], both[..., 8:]
    memory = FastMemory(8 * 500)
    result = queries_outer_attention(q, k, v, memory)
    assert memory.read >= 8 * 50 * 16
    assert np.abs(result.output - reference_attention(q, k, v)).max() < 1e-12


def test_intensity_is_arithmetic_over_the_bytes_that_a_run_reads():
    heads, wide, narrow, keys = 6, 16, 12, 4000
    q, k = normal((heads, 1, wide), (1, keys, wide))
    memory = FastMemory(8 * 20000)
    queries_outer_attention(q, k, k[..., :narrow], memory)
    counted = 2 * heads * keys * (wide + narrow) / memory.moved
    form = float(
        sweep_intensity(heads, wide, value_head_size=narrow, cached_size=wide, bytes_per_value=8)
    )
    assert counted == pytest.approx(form, rel=0.01)


def test_shared_heads_and_several_tokens_reach_the_ridge():
    """Few rows stay far below it; a latent cache for 128 heads is beside it, for two tokens past.

    Li and Liu (2025) print a limit of 128 rows, rounding (576 + 512) / 576 up to 2 and 129 down;
    their own formula and rates give 137.
    """
    chip = machine("h100-sxm")
    ridge = float(ridge_intensity(chip.peak_rate_fp16, chip.memory_bandwidth))
    apart = [
        float(sweep_intensity(rows, 128, value_head_size=128, cached_size=256)) / ridge
        for rows in (1, 8, 16)
    ]
    assert max(apart) < 0.06
    latent = [
        float(sweep_intensity(rows, 576, value_head_size=512, cached_size=576)) / ridge
        for rows in (128, 256)
    ]
    assert 0.8 < latent[0] < 1 < latent[1]
    limit = 865 / 3.35 * 576 / (576 + 512)
    assert 136 < limit < 137


# --- a first tile that is hidden ---


def test_a_hidden_first_tile_leaves_nothing_behind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        states = online_softmax(np.array([-np.inf, -np.inf, 1.0, 3.0]), 2)
        alone = online_softmax(np.array([-np.inf, -np.inf]), 1)
    assert (states[0].maximum, states[0].total, states[0].shrink) == (-np.inf, 0, 0)
    assert states[1].total == pytest.approx(1 + np.exp(-2))
    assert all(np.isfinite(state.total) for state in alone)


@settings(max_examples=100, deadline=None)
@given(hidden=st.integers(0, 30), tile=st.integers(1, 12))
def test_hidden_scores_never_count(hidden, tile):
    scores = np.random.default_rng(hidden).normal(0, 50, 30)
    scores[:hidden] = -np.inf
    last = online_softmax(scores, tile)[-1]
    seen = scores[hidden:]
    expected = np.exp(seen - seen.max()).sum() if len(seen) else 0
    assert last.total == pytest.approx(expected)


def test_rows_that_see_nothing_in_one_tile_merge_to_the_definition():
    """A window: the first rows see only later keys, the last rows only earlier ones."""
    q, k, v = normal(*3 * [(24, 4)])
    hidden = np.abs(np.arange(24)[:, None] - np.arange(24)[::-1]) > 5
    scores = q @ k.T
    scores[hidden] = -np.inf
    most, total, new = np.full((24, 1), -np.inf), np.zeros((24, 1)), np.empty((24, 1))
    output = np.zeros((24, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for start in range(0, 24, 6):
            tile = scores[:, start : start + 6].copy()
            output *= renew(tile, most, total, new)
            output += tile @ v[start : start + 6]
        output /= unless_empty(total)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    assert np.abs(output - weights @ v).max() < 1e-12


# --- number formats ---


@pytest.mark.parametrize("run", [*ALGORITHMS, reference_attention])
def test_formats_that_differ_are_refused_by_name(run):
    q, k, v = normal(*3 * [(1, 6, 4)], dtype=np.float32)
    given = () if run is reference_attention else (FastMemory(4000),)
    with pytest.raises(ValueError, match=r"k has numbers .* float64; .* that of q, float32"):
        run(q, k.astype(np.float64), v, *given)
    with pytest.raises(ValueError, match="v has numbers of type float16"):
        run(q, k, v.astype(np.float16), *given)
    with pytest.raises(ValueError, match="q has numbers of type int64; they must be floating"):
        run(*(x.astype(np.int64) for x in (q, k, v)), *given)


def test_a_gradient_in_another_format_or_shape_is_refused():
    q, k, v = normal(*3 * [(1, 6, 4)])
    memory = FastMemory(8 * 400)
    kept = queries_outer_attention(q, k, v, memory)
    with pytest.raises(ValueError, match="upstream has numbers of type float32"):
        recomputed_backward(q, k, v, q.astype(np.float32), kept, memory)
    with pytest.raises(ValueError, match=r"upstream has shape \(1, 5, 4\); it must be \(1, 6, 4\)"):
        stored_backward(q, k, v, q[:, :5], kept, memory)

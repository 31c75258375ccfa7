"""Attention against its slow memory: nothing is computed there, and no run moves less than it must.

The first half takes arithmetic away from the slow memory altogether; the second holds the proof of
the least traffic against runs that are cut into phases.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwall.attention import (
    FastMemory,
    Tiles,
    compulsory_traffic,
    keys_outer_attention,
    least_traffic,
    naive_attention,
    queries_outer_attention,
    recomputed_backward,
    reference_attention,
    stored_backward,
    traffic_order,
)
from tokenwall.attention import backward as backward_module
from tokenwall.attention import forward as forward_module

FORWARD = [naive_attention, keys_outer_attention, queries_outer_attention]
BACKWARD = {stored_backward: naive_attention, recomputed_backward: queries_outer_attention}
SIZES = [150, 3000]  # numbers that the fast memory holds: many tiles, and a single one


class Slow(np.ndarray):
    """An array that can be sliced, copied and replaced, and refuses all arithmetic."""

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        raise AssertionError(f"{ufunc.__name__} of an array in slow memory")


class NumpyWithSlowArrays:
    """NumPy, but what it makes without values lies in slow memory."""

    def __getattr__(self, name):
        if name != "empty":
            return getattr(np, name)
        return lambda *args, **kwargs: np.empty(*args, **kwargs).view(Slow)


@pytest.fixture
def strict(monkeypatch):
    for module in (forward_module, backward_module):
        monkeypatch.setattr(module, "np", NumpyWithSlowArrays())


def slow(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).view(Slow)


def test_the_trap_works(strict):
    with pytest.raises(AssertionError, match="add of an array in slow memory"):
        slow(3) + 1
    with pytest.raises(AssertionError, match="log of an array in slow memory"):
        np.log(forward_module.np.empty(3))


@pytest.mark.parametrize("numbers", SIZES)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("algorithm", FORWARD)
def test_forward_passes_compute_only_in_fast_memory(strict, algorithm, causal, numbers):
    q, k, v = slow(4, 20, 4), slow(2, 30, 4, seed=1), slow(2, 30, 4, seed=2)
    result = algorithm(q, k, v, FastMemory(8 * numbers), causal=causal)
    plain = [x.view(np.ndarray) for x in (q, k, v)]
    expected = reference_attention(*plain, causal=causal)
    assert np.abs(result.output.view(np.ndarray) - expected).max() < 1e-12


@pytest.mark.parametrize("numbers", SIZES)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("algorithm", BACKWARD)
def test_backward_passes_compute_only_in_fast_memory(strict, algorithm, causal, numbers):
    q, k, v = slow(4, 20, 4), slow(2, 30, 4, seed=1), slow(2, 30, 4, seed=2)
    memory = FastMemory(8 * numbers)
    kept = BACKWARD[algorithm](q, k, v, memory, causal=causal)
    upstream = slow(4, 20, 4, seed=3)
    made = algorithm(q, k, v, upstream, kept, memory, causal=causal)
    assert made.q.shape == q.shape
    assert memory.held == 0


@pytest.mark.parametrize("causal", [False, True])
def test_both_orders_keep_the_same_number_a_row(causal):
    """The logarithm that one order writes at a row's last tile is the other's."""
    generator = np.random.default_rng(4)
    q, k, v = (generator.standard_normal(shape) for shape in ((4, 23, 8), (2, 31, 8), (2, 31, 8)))
    kept = [
        run(q, k, v, FastMemory(8 * 400), causal=causal).kept
        for run in (keys_outer_attention, queries_outer_attention)
    ]
    assert np.abs(kept[0] - kept[1]).max() < 1e-12
    scores = q @ np.repeat(k, 2, axis=0).swapaxes(1, 2) / math.sqrt(8)
    if causal:
        scores[:, np.triu(np.ones((23, 31), dtype=bool), 9)] = -np.inf
    assert np.abs(kept[0][..., 0] - np.log(np.exp(scores).sum(axis=-1))).max() < 1e-12


def test_gradients_may_start_from_either_order():
    generator = np.random.default_rng(5)
    q, k, v, upstream = (generator.standard_normal((2, 24, 8)) for _ in range(4))
    made = [
        recomputed_backward(q, k, v, upstream, run(q, k, v, memory), memory, causal=False).k
        for run in (keys_outer_attention, queries_outer_attention)
        for memory in [FastMemory(8 * 700)]
    ]
    assert np.abs(made[0] - made[1]).max() < 1e-12


class Phases(FastMemory):
    """A fast memory that notes at which traffic each product of a query's and a key's numbers is.

    A phase ends whenever as many bytes have crossed as the memory holds.
    """

    def __init__(self, capacity):
        super().__init__(capacity)
        self.products = {}

    def multiplied(self, number):
        phase = self.moved // self.capacity
        self.products[phase] = self.products.get(phase, 0) + number


def phases(monkeypatch, algorithm, tokens, size, numbers):
    memory = Phases(8 * numbers)
    plain = forward_module._scores

    def noted(head, q, k, s):
        memory.multiplied(len(q) * len(k) * q.shape[1])
        plain(head, q, k, s)

    monkeypatch.setattr(forward_module, "_scores", noted)
    q, k, v = (np.random.default_rng(i).standard_normal((1, tokens, size)) for i in range(3))
    algorithm(q, k, v, memory)
    return memory


@pytest.mark.parametrize("algorithm", FORWARD)
@pytest.mark.parametrize(("tokens", "size", "numbers"), [(96, 4, 200), (96, 16, 300), (64, 8, 900)])
def test_no_phase_forms_more_products_than_the_proof_allows(
    monkeypatch, algorithm, tokens, size, numbers
):
    memory = phases(monkeypatch, algorithm, tokens, size, numbers)
    assert sum(memory.products.values()) == tokens**2 * size
    allowed = numbers**2 / size + math.sqrt(3) * numbers**1.5
    assert max(memory.products.values()) <= allowed


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), density=st.floats(0.05, 1), edge=st.integers(1, 8))
def test_products_of_three_tables_are_bounded_by_their_sizes(seed, density, edge):
    """The inequality of Loomis and Whitney, on which the second term of the proof rests."""
    generator = np.random.default_rng(seed)
    a, b, c = generator.random((3, edge, edge)) < density
    products = np.einsum("il,jl,ij->", *(x.astype(float) for x in (a, b, c)))
    assert products <= math.sqrt(float(a.sum()) * float(b.sum()) * float(c.sum())) + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(1, 60),
    keys=st.integers(1, 60),
    size=st.integers(1, 12),
    numbers=st.integers(70, 2000),
    algorithm=st.sampled_from(FORWARD),
)
def test_no_run_moves_less_than_the_least(queries, keys, size, numbers, algorithm):
    generator = np.random.default_rng(0)
    q, k, v = (generator.standard_normal((1, n, size)) for n in (queries, keys, keys))
    memory = FastMemory(8 * numbers)
    algorithm(q, k, v, memory)
    shape = {"head_size": size, "fast_memory": 8 * numbers, "bytes_per_value": 8}
    assert memory.moved >= least_traffic(queries, keys, **shape)


@settings(max_examples=200, deadline=None)
@given(
    queries=st.integers(1, 10**6),
    keys=st.integers(1, 10**6),
    size=st.integers(1, 256),
    numbers=st.integers(1, 10**9),
)
def test_the_least_lies_between_the_inputs_and_the_published_order(queries, keys, size, numbers):
    shape = {"head_size": size, "bytes_per_value": 1}
    least = least_traffic(queries, keys, fast_memory=numbers, **shape)
    once = compulsory_traffic(queries, keys, **shape)
    order = traffic_order(queries, keys, fast_memory=numbers, **shape)
    assert once <= least <= max(once, order)
    assert least >= min(1, 1 / (1 + math.sqrt(3))) * order - numbers - 1e-6 * order


@pytest.mark.parametrize("more", [2.0, 8.0])
def test_limits_of_the_least(more):
    long = {"queries": 10**13, "keys": 10**13, "head_size": 64, "bytes_per_value": 2}
    room = 2e6 * 64**2
    least, roomier = (least_traffic(**long, fast_memory=room * factor) for factor in (1, more))
    assert least / roomier == pytest.approx(more, rel=0.01)
    small = {"queries": 100, "keys": 100, "head_size": 64}
    assert least_traffic(**small, fast_memory=1e9) == compulsory_traffic(**small)


def test_a_run_with_the_published_tiles_moves_the_published_count():
    """Dao 2022, algorithm 1: N = 1024, d = 64, M = 49152 numbers, so tiles of 192 keys, 64 rows.

    2 N d + T (3 N d + 4 N) numbers, and N (d + 2) for the start values. Here the short side
    leaves room for the scores; with tiles no longer than a vector it would not.
    """
    generator = np.random.default_rng(6)
    q, k, v = (generator.standard_normal((1, 1024, 64)).astype(np.float32) for _ in range(3))
    memory = FastMemory(4 * 49152)
    result = keys_outer_attention(q, k, v, memory, tiles=Tiles(64, 192))
    assert memory.moved == 4 * (1_335_296 + 1024 * 66)
    assert np.abs(result.output - reference_attention(q, k, v)).max() < 1e-6


def test_three_passes_with_room_for_all_queries_move_four_tables_and_four_matrices():
    """Dao 2022, theorem 2: 4 N^2 + 4 N d numbers, 4,456,448 at N = 1024 and d = 64."""
    generator = np.random.default_rng(7)
    q, k, v = (generator.standard_normal((1, 1024, 64)).astype(np.float32) for _ in range(3))
    memory = FastMemory(4 * 300_000)
    naive_attention(q, k, v, memory)
    assert memory.moved == 4 * 4_456_448


def test_the_published_tiles_do_not_fit_where_they_are_shorter_than_a_vector():
    """M = 51200 numbers and d = 128 ask for 100 keys and 100 rows."""
    x = np.zeros((1, 200, 128), dtype=np.float32)
    with pytest.raises(ValueError, match="fast_memory is 204800 B"):
        keys_outer_attention(x, x, x, FastMemory(4 * 51200), tiles=Tiles(100, 100))

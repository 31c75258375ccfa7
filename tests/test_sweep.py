"""Sweeps: the same numbers as one prediction at a time, however the grid is cut."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwall.serving import Engine, predict
from tokenwall.sweep import (
    QUANTITIES,
    STATUS,
    Uncertain,
    computed,
    labels,
    monte_carlo,
    quantiles,
    ranking,
    reasons,
    sobol,
    sweep,
    tornado,
    uncertain_inputs,
)
from tokenwall.sweep.grid import _bar
from tokenwall.sweep.request import ARGUMENTS, NAMES, defaults

# A dense model, one with short contexts, one whose table lacks its layers, a mixture.
MODELS = ["Llama 3.1 70B", "Llama 2 7B", "Qwen3-Next 80B-A3B", "DeepSeek-V3"]
GRID = {
    "model": MODELS,
    "machine": ["H100 SXM", "RTX 4090"],
    "batch": [1, 7, 256],
    "devices": [1, 8],
    "input_len": [0, 512, 100_000],
    "weight_bits": 8,
}
ONE = {
    "model": "Llama 3.1 70B",
    "machine": "H100 SXM",
    "devices": 8,
    "batch": 64,
    "input_len": 1024,
    "weight_bits": 8,
}
STEP = "time_per_output_token"


@pytest.fixture(scope="module")
def grid():
    return sweep(**GRID, quantities=list(QUANTITIES))


def points(dataset, count, seed=0):
    """Random points of a sweep, as arguments of a prediction and the dataset's answers."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        place = {name: int(generator.integers(size)) for name, size in dataset.sizes.items()}
        here = dataset.isel(place)
        yield {name: here[name].item() for name in dataset.sizes}, here


def test_every_argument_of_a_prediction_can_be_swept():
    assert {*ARGUMENTS, *NAMES} == {*defaults(), "model", "machine"}


def test_a_sweep_is_a_loop_of_predictions(grid):
    seen = set()
    for asked, here in points(grid, 60):
        asked["weight_bits"] = 8
        seen.add(STATUS[here["status"].item()])
        try:
            single = predict(**asked)
        except ValueError:
            assert here["status"] > 0
            assert np.isnan(here["tokens_per_second"])
            assert not here["fits"]
            assert labels(here["bound"]).item() == "none"
            continue
        assert here["status"] == 0
        for name, variable in QUANTITIES.items():
            expected = float(variable.read(single))
            assert here[name].item() == pytest.approx(expected, rel=1e-12, nan_ok=True), name
        assert labels(here["bound"]).item() == single.bound
    assert seen == {"predicted", "context_too_long", "table_lacks_a_number"}


def test_nothing_is_nan_without_a_reason(grid):
    gone = np.isnan(grid["tokens_per_second"])
    assert (gone == (grid["status"] > 0)).all()
    assert sum(reasons(grid).values()) == grid["status"].size
    assert "Qwen3-Next 80B-A3B has no layers" in grid.attrs["missing"]


def test_what_a_machine_lacks_is_said():
    found = sweep(model="Llama 2 7B", machine=["Raspberry Pi 5", "H100 SXM"])
    assert np.isnan(found["dollars_per_million_tokens"].sel(machine="Raspberry Pi 5"))
    assert found["dollars_per_million_tokens"].sel(machine="H100 SXM") > 0
    assert "Raspberry Pi 5: no rent" in found.attrs["missing"]
    assert "H100" not in found.attrs["missing"]


def test_variables_and_axes_have_units_and_names(grid):
    for variable in grid.data_vars.values():
        assert variable.attrs["long_name"]
        assert variable.name == "status" or variable.attrs["units"]
    assert list(grid.sizes) == list(GRID)[:-1]
    assert grid["model"].values.tolist() == MODELS
    assert grid["machine_name"].values.tolist() == ["NVIDIA H100 SXM", "GeForce RTX 4090"]
    assert grid["input_len"].attrs["units"] == "token"
    assert grid["weight_bits"].item() == 8
    assert grid["kv_bits"].item() == 16
    assert grid["engine_key"].dims == ("machine",)


def test_layouts_that_do_not_divide_are_marked():
    found = sweep(
        **{**ONE, "devices": [8, 12]}, tensor_parallel=[4, 8], quantities=["tokens_per_second"]
    )
    assert found["status"].values.tolist() == [[0, 0], [0, STATUS.index("layout_impossible")]]
    dense = sweep(**ONE, expert_parallel=[1, 8])
    assert reasons(dense) == {"layout_impossible": 2}


def test_the_largest_batch_is_swept_where_something_fits():
    asked = {
        "model": ["Llama 3.1 70B", "Llama 3.1 8B"],
        "machine": ["H100 SXM", "RTX 4090"],
        "devices": [1, 2, 4],
        "weight_bits": [4.5, 8, 16],
    }
    found = sweep(**asked, batch=None, quantities=["tokens_per_second"])
    assert set(reasons(found)) == {"predicted", "nothing_fits"}
    for point, here in points(found, 30):
        if here["status"]:
            with pytest.raises(ValueError, match="no sequence fits"):
                predict(**point, batch=None)
        else:
            rate = float(predict(**point, batch=None).tokens_per_second)
            assert here["tokens_per_second"].item() == pytest.approx(rate, rel=1e-12)


def test_a_refusal_that_nobody_foresaw_costs_only_its_own_points(monkeypatch):
    real = predict

    def grumpy(*args, **kwargs):
        if np.any(np.asarray(kwargs["batch"]) == 5):
            raise ValueError("not five")
        return real(*args, **kwargs)

    monkeypatch.setattr("tokenwall.sweep.points.predict", grumpy)
    found = sweep(model="Llama 2 7B", machine="A100", batch=np.arange(1, 9))
    assert reasons(found) == {"predicted": 7, "refused": 1}
    assert np.isnan(found["tokens_per_second"].sel(batch=5))


@pytest.mark.parametrize("chunks", [1, 7, "auto", {"batch": 2, "model": 1}, 10**6])
def test_lazy_is_the_same_to_the_last_bit(grid, chunks):
    lazy = sweep(**GRID, quantities=list(QUANTITIES), chunks=chunks)
    assert dask.is_dask_collection(lazy)
    with dask.config.set(scheduler="synchronous"):
        assert computed(lazy).identical(grid)


@pytest.mark.parametrize("bits", [4.5, [4.5, 16]])
def test_the_fast_way_is_the_same(bits):
    asked = {**GRID, "weight_bits": bits, "output_len": [1, 200]}
    rates = ["time_per_output_token", "tokens_per_second_per_user", "decode_tokens_per_second"]
    fast = sweep(**asked, quantities=rates)
    slow = sweep(**asked, quantities=[*rates, "fits"])
    xr.testing.assert_allclose(fast, slow.drop_vars("fits"), rtol=1e-12)
    assert (fast["status"] == slow["status"]).all()
    lazy = sweep(**asked, quantities=rates, chunks=50)
    assert computed(lazy).identical(fast)


def test_one_number_is_a_sweep_too():
    found = sweep(**ONE, intervals=True)
    assert found.sizes == {}
    assert found["tokens_per_second_low"] < found["tokens_per_second"]
    assert found["tokens_per_second"] < found["tokens_per_second_high"]
    assert "fits_low" not in found


def test_rows_and_engines_can_be_swept():
    from tokenwall.data import machine

    faster = machine("H100 SXM").to_dict() | {"name": "Twice an H100"}
    faster["memory_bandwidth"] *= 2
    found = sweep(
        model="Llama 3.1 8B",
        machine=[machine("H100 SXM"), faster],
        engine=["ideal", Engine("half", bandwidth_fraction=0.5, cache_fraction=0.5)],
        quantities=[STEP],
    )
    assert found["machine"].values.tolist() == ["NVIDIA H100 SXM", "Twice an H100"]
    assert found["engine"].values.tolist() == ["ideal", "half"]
    twice = found[STEP].values
    assert twice[0] == pytest.approx(2 * twice[1], rel=1e-6)
    assert twice[:, 1] == pytest.approx(2 * twice[:, 0], rel=1e-2)


@settings(max_examples=15)
@given(
    order=st.permutations(["model", "machine", "batch", "input_len", "weight_bits"]),
    largest=st.booleans(),
    chunks=st.sampled_from([None, 3, 11]),
)
def test_the_order_of_axes_does_not_matter(order, largest, chunks):
    axes = {
        "model": MODELS[:3],
        "machine": ["H100 SXM", "RTX 4090"],
        "batch": [1, 32],
        "input_len": [100, 5000],
        "weight_bits": [4, 8],
    }
    if largest:
        axes["devices"] = axes.pop("batch")
        order = ["devices" if name == "batch" else name for name in order]
    rest = {"batch": None} if largest else {}
    with dask.config.set(scheduler="synchronous"):
        plain = computed(sweep(**axes, **rest, chunks=chunks))
        other = computed(sweep(**{name: axes[name] for name in order}, **rest, chunks=chunks))
    assert list(other.sizes) == order
    assert other.transpose(*plain.sizes).drop_attrs().equals(plain.drop_attrs())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batches": 3}, "argument 'batches' is unknown; nearest: batch"),
        ({"model": None}, "model is missing"),
        ({"model": []}, "model is an empty list"),
        ({"model": ["Lama 2 7B"]}, "model 'Lama 2 7B' is unknown; nearest: .*llama-2-7b"),
        ({"machine": ["H100", "H100"]}, "machine names H100 twice"),
        ({"machine": 3}, "machine is 3; it must be a name"),
        ({"engine": ["vlm"]}, "engine 'vlm' is unknown; nearest"),
        ({"batch": [1, 0]}, "batch is 0; it must be a finite number above 0"),
        ({"batch": ["many"]}, "batch is .*'many'.*; it must be a number or numbers"),
        ({"batch": [[1, 2]]}, "batch has the shape"),
        ({"batch": []}, "batch has the shape"),
        ({"devices": [1.5]}, "devices is 1.5; it must be a whole number"),
        ({"weight_bits": [4, 20]}, "weight_bits is 20"),
        ({"activation_bits": [6]}, "activation_bits is 6; it must be 4, 8, 16 or 32"),
        ({"quantities": ["token_per_second"]}, "quantity 'token_per_second' .*tokens_per_second"),
        ({"quantities": []}, "quantities is empty"),
        ({"chunks": 0, "batch": [1]}, "chunks is 0; it must be"),
        ({"chunks": {"bach": 2}, "batch": [1]}, "chunks name bach; the axes are batch"),
        ({"chunks": 3}, "no argument is a list"),
    ],
)
def test_a_bad_request_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        sweep(**{"model": "Llama 2 7B", "machine": "A100", **wrong})


def test_only_codes_have_words(grid):
    with pytest.raises(ValueError, match="fits holds no codes"):
        labels(grid["fits"])


def test_the_bar_shows_when_asked(capfd):
    asked = {**ONE, "batch": [1, 2, 3], "quantities": [STEP]}
    sweep(**asked)
    assert capfd.readouterr().err == ""
    sweep(**asked, progress=True)
    assert "3.00/3.00" in capfd.readouterr().err
    computed(sweep(**asked, chunks=1), progress=True)
    assert "Completed" in capfd.readouterr().err
    with _bar(False, 10) as advance:
        advance(10)
    assert capfd.readouterr().err == ""


def test_memory_is_that_of_a_few_blocks():
    import tracemalloc

    asked = {**ONE, "batch": np.linspace(1, 512, 20_000), "input_len": np.arange(1000)}
    lazy = sweep(**asked, quantities=[STEP], chunks=500_000)
    whole = lazy[STEP].nbytes
    assert whole == 160_000_000
    tracemalloc.start()
    with dask.config.set(scheduler="synchronous"):
        largest = computed(lazy[STEP].max()).item()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < whole / 4
    slowest = predict(**{**ONE, "batch": 512, "input_len": 999}).time_per_output_token
    assert largest == pytest.approx(float(slowest))


def test_a_cluster_of_two_processes_gives_the_same(grid):
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        lazy = sweep(**GRID, quantities=list(QUANTITIES), chunks=20)
        assert computed(lazy, progress=False).identical(grid)


def test_draws_are_the_same_for_the_same_seed():
    asked = {**ONE, "batch": [1, 64], "draws": 50}
    one, same, other = (monte_carlo(**asked, seed=seed) for seed in (1, 1, 2))
    assert one.identical(same)
    assert not one["tokens_per_second"].equals(other["tokens_per_second"])
    assert one["tokens_per_second"].dims == ("draw", "batch")


@pytest.mark.parametrize("model", ["Llama 3.1 70B", "DeepSeek-V3"])
@pytest.mark.parametrize("batch", [1, 64, None])
def test_intervals_hold_the_central_value(model, batch):
    asked = {**ONE, "model": model, "batch": batch, "devices": 16, "weight_bits": 8}
    names = [key for key, variable in QUANTITIES.items() if variable.uncertain]
    ends = quantiles(monte_carlo(**asked, quantities=names, draws=1000), (0.02, 0.98))
    central = predict(**asked)
    for name in names:
        low, high = ends[name].values
        assert low < getattr(central, name) < high, name


def test_without_uncertain_inputs_a_draw_is_the_prediction():
    names = [key for key, variable in QUANTITIES.items() if variable.uncertain]
    drawn = monte_carlo(**ONE, quantities=names, sources=[], draws=3)
    for name in names:
        assert drawn[name].values == pytest.approx([float(getattr(predict(**ONE), name))] * 3)


def test_the_residual_alone_gives_the_interval_of_the_prediction():
    drawn = monte_carlo(**ONE, quantities=[STEP], sources=["residual"], draws=20_000)
    low, high = quantiles(drawn, (0.05, 0.95))[STEP].values
    single = predict(**ONE)
    assert low == pytest.approx(float(single.low(STEP)), rel=0.03)
    assert high == pytest.approx(float(single.high(STEP)), rel=0.03)


def test_the_prompt_and_the_step_err_apart():
    names = [STEP, "time_to_first_token"]
    drawn = monte_carlo(**ONE, quantities=names, sources=["residual"], draws=2000)
    logs = np.log([drawn[name].values for name in names])
    assert abs(np.corrcoef(logs)[0, 1]) < 0.1


def test_inputs_come_from_the_tables():
    inputs = {one.name: one for one in uncertain_inputs("Raspberry Pi 4")}
    assert inputs["memory_bandwidth"].source == "machine"
    assert inputs["memory_bandwidth"].low < inputs["memory_bandwidth"].high == 1
    assert all(one.low <= one.value <= one.high for one in inputs.values())
    assert uncertain_inputs("H100 SXM", engine="ideal", sources=["engine", "residual"]) == []
    with pytest.raises(ValueError, match="source 'prize' is unknown; nearest: price"):
        uncertain_inputs("H100 SXM", sources=["prize"])


def test_a_slower_memory_is_a_slower_machine():
    asked = {"model": "Llama 2 7B", "machine": "Raspberry Pi 4", "weight_bits": 4}
    drawn = monte_carlo(**asked, sources=["machine"], quantities=[STEP], draws=200)
    bandwidth = drawn["input_memory_bandwidth"].values
    order = np.argsort(bandwidth)
    assert (np.diff(drawn[STEP].values[order]) <= 0).all()


@given(
    value=st.floats(0.1, 10),
    down=st.floats(0, 0.99),
    up=st.floats(0, 20),
    error=st.sampled_from([0, 0.1, 1]),
    spread=st.sampled_from([0, 0, 0.5]),
)
def test_draws_lie_within_the_ends_and_rise(value, down, up, error, spread):
    one = Uncertain("x", value, value * (1 - down), value * (1 + up), error, spread)
    drawn = one.at(np.linspace(0.001, 0.999, 200))
    assert np.isfinite(drawn).all()
    assert (np.diff(drawn) >= -1e-12 * value).all()
    if not spread:
        assert drawn.min() >= one.low * (1 - 1e-9)
        assert drawn.max() <= one.high * (1 + 1e-9)


def test_sobol_of_an_additive_function_is_known():
    """Variances 16, 4 and 1 twelfths: shares of 16, 4 and 1 of 21."""
    inputs = [Uncertain(name, 0.5, 0, 1) for name in "abc"]
    found = sobol(lambda x: 1 * x["c"] + 4 * x["a"] + 2 * x["b"], inputs, samples=4096)
    assert list(found.index) == ["a", "b", "c"]
    expected = np.array([16, 4, 1]) / 21
    assert found["first"].to_numpy() == pytest.approx(expected, abs=0.01)
    assert found["total"].to_numpy() == pytest.approx(expected, abs=0.01)


def test_sobol_finds_what_only_acts_together():
    """A product of two that are centred: no share alone, the whole together."""
    inputs = [Uncertain(name, 0.0, -1, 1) for name in "ab"]
    found = sobol(lambda x: x["a"] * x["b"], inputs, samples=4096)
    assert found["first"].to_numpy() == pytest.approx([0, 0], abs=0.03)
    assert found["total"].to_numpy() == pytest.approx([1, 1], abs=0.03)


def test_sobol_refuses_what_it_cannot_do():
    one = [Uncertain("a", 0.5, 0, 1)]
    with pytest.raises(ValueError, match="samples is 100; it must be a power of two"):
        sobol(lambda x: x["a"], one, samples=100)
    with pytest.raises(ValueError, match="inputs is empty"):
        sobol(lambda x: x["a"], [])
    with pytest.raises(ValueError, match="does not vary"):
        sobol(lambda x: 0 * x["a"], one, samples=8)


def test_the_widest_bar_comes_first():
    inputs = [Uncertain("a", 1, 0.9, 1.2), Uncertain("b", 2, 0.5, 4)]
    found = tornado(lambda x: x["a"] / x["b"], inputs)
    assert list(found.index) == ["b", "a"]
    assert found.loc["b", ["at_low", "at_high"]].tolist() == [4, 0.5]


def test_a_ranking_has_every_input_and_repeats():
    table = ranking(**ONE, samples=128)
    assert set(table.index) == {one.name for one in uncertain_inputs("H100 SXM")}
    assert table["total"].is_monotonic_decreasing
    assert table.loc["rental_price", "total"] == 0
    assert table.equals(ranking(**ONE, samples=128))
    assert set(table["source"]) == {"engine", "power", "price", "residual"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: monte_carlo(**ONE, draws=0), "draws is 0"),
        (lambda: monte_carlo(**{**ONE, "machine": ["A100"]}), "machine is a list"),
        (lambda: ranking(**{**ONE, "batch": [1, 2]}), "batch is a list"),
        (lambda: ranking(**ONE, quantity="speed"), "quantity 'speed' is unknown"),
        (lambda: quantiles(monte_carlo(**ONE, draws=2), [5]), "each must be between 0 and 1"),
        (lambda: monte_carlo(**{**ONE, "input_len": 10**7}), "Llama 3.1 70B allows"),
    ],
)
def test_bad_draws_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_sweep_takes_each_models_own_bits():
    models = ["gpt-oss-20b", "Llama-3-8B Q4_K_M", "Llama 3.1 8B"]
    found = sweep(model=models, machine="H100", batch=[1, 8], quantities=["time_per_output_token"])
    for place, name in enumerate(models):
        alone = predict(name, "H100", batch=[1, 8]).time_per_output_token
        np.testing.assert_allclose(found["time_per_output_token"].values[place], alone, rtol=1e-12)
    with pytest.raises(ValueError, match="says Q4_K_M"):
        sweep(model=models[1:], machine="H100", batch=[1, 8], weight_bits=16)


def test_a_sweep_takes_the_name_of_a_format():
    found = sweep(model="Llama 3.1 8B", machine="H100", batch=[1, 8], weight_bits="q4_k_m")
    alone = predict("Llama 3.1 8B", "H100", batch=[1, 8], weight_bits="q4_k_m")
    np.testing.assert_allclose(found["tokens_per_second"], alone.tokens_per_second, rtol=1e-12)

"""Single changes: ranked by what they do, and elasticities taken from the equations themselves."""

import math

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from tokenwall.equation import REGISTRY, symbol_table
from tokenwall.kvcache import throughput_at_capacity
from tokenwall.ledger_rows.changes import (
    CHANGES,
    inputs_of,
    machine_rate,
    single_changes,
    user_rate,
)
from tokenwall.plots.changes import ranking, ranking_alt
from tokenwall.record import Service
from tokenwall.roofline import bandwidth_law, decode_rate, decode_step_time
from tokenwall.sensitivity import elasticity, swings


@pytest.fixture(scope="module")
def inputs():
    return inputs_of(Service())


def test_swings_are_ranked_in_both_directions():
    base = {"bandwidth": 1e12, "bytes_per_step": 1e10}
    changes = {
        "a little more": {"bandwidth": 1.1e12},
        "a tenth": {"bytes_per_step": 1e11},
        "thrice": {"bandwidth": 3e12},
    }
    ranked = swings(bandwidth_law, base, changes)
    assert [swing.name for swing in ranked] == ["a tenth", "thrice", "a little more"]
    assert [swing.factor for swing in ranked] == pytest.approx([0.1, 3, 1.1])


def test_an_unknown_input_is_named():
    base = {"bandwidth": 1e12, "bytes_per_step": 1e10}
    with pytest.raises(ValueError, match=r"speed: colour is no input; known are .*bandwidth"):
        swings(bandwidth_law, base, {"speed": {"colour": 1}})


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="the base: the rate is 0"):
        swings(lambda x: 0 * x, {"x": 1.0}, {"more": {"x": 2.0}})


@given(
    bandwidth=st.floats(1e10, 1e13),
    bytes_per_step=st.floats(1e8, 1e12),
    layers=st.integers(1, 128),
    overhead_per_layer=st.floats(1e-7, 1e-3),
    bandwidth_fraction=st.floats(0.1, 1),
)
def test_elasticity_is_the_slope_of_the_logarithm(**values):
    step = 1e-6
    for name in ("bandwidth", "bytes_per_step", "overhead_per_layer"):
        up, down = (
            math.log(decode_rate(**{**values, name: values[name] * (1 + s)})) for s in (step, -step)
        )
        slope = (up - down) / (math.log1p(step) - math.log1p(-step))
        assert elasticity(decode_rate, name, **values) == pytest.approx(slope, abs=1e-6)


def test_elasticities_of_scale_free_formulas_sum_to_the_degree():
    """Twice the bandwidth and twice the bytes change nothing."""
    values = {"bandwidth": 3e12, "bytes_per_step": 2e10}
    assert sum(elasticity(bandwidth_law, name, **values) for name in values) == pytest.approx(0)


def test_elasticity_names_what_is_missing():
    with pytest.raises(ValueError, match="missing a required argument: 'bytes_per_step'"):
        elasticity(bandwidth_law, "bandwidth", bandwidth=1e12)
    with pytest.raises(ValueError, match="'colour' is no input of bandwidth_law"):
        elasticity(bandwidth_law, "colour", bandwidth=1e12, bytes_per_step=1e9)


def test_the_record_wants_arithmetic_or_more_devices(inputs):
    """Prompts included, arithmetic binds: nothing that memory could do raises the rate of all."""
    assert Service().binding == "arithmetic"
    ranked = {s.name: s.factor for s in single_changes(inputs)["all users"]}
    assert ranked["Twice the devices"] == pytest.approx(2)
    assert 1.1 < ranked["Twice the arithmetic"] <= 2
    for change in ("bandwidth", "memory"):
        assert ranked[f"Twice the {change}"] == 1
    assert ranked["Half the cache of a token"] == ranked["Half the wait of a layer"] == 1


def test_one_user_wants_neither_devices_nor_memory(inputs):
    ranked = {s.name: s.factor for s in single_changes(inputs)["one user"]}
    assert ranked["Twice the devices"] == ranked["Twice the memory"] == 1
    assert 1.1 < ranked["Half the wait of a layer"] < 2
    assert 1.1 < ranked["Twice the bandwidth"] < 2


@pytest.mark.parametrize("change", CHANGES)
def test_no_single_change_does_harm(inputs, change):
    for ranked in single_changes(inputs).values():
        assert next(s for s in ranked if s.name == change).factor >= 1 - 1e-12


def test_rates_are_those_of_the_equations(inputs):
    context = inputs["prompt"] + inputs["answer"] / 2
    group = throughput_at_capacity(
        inputs["capacity"],
        inputs["parameters"] * inputs["bytes_per_weight"],
        context=context,
        cache_bytes_per_token=inputs["cache_bytes_per_token"],
        active_parameters=inputs["active_parameters"],
        bandwidth=inputs["bandwidth"],
        peak_rate=inputs["peak_rate"],
    )
    # Reading the prompts is arithmetic too, so writing alone would be faster.
    assert 0.5 * 72 * group < machine_rate(**inputs) < 72 * group
    assert 1 / user_rate(**inputs) > decode_step_time(
        1,
        context,
        weight_bytes=inputs["read_parameters"] * inputs["bytes_per_weight"],
        cache_bytes_per_token=inputs["cache_bytes_per_token"],
        active_parameters=inputs["active_parameters"],
        bandwidth=inputs["bandwidth"],
        peak_rate=inputs["peak_rate"],
    )


def test_the_ranking_says_what_it_shows(inputs):
    ranked = single_changes(inputs)
    for narrow in (False, True):
        texts = [
            text.get_text()
            for ax in ranking(ranked, title="A finding", narrow=narrow).axes
            for text in ax.texts
        ]
        assert texts[0] == f"{ranked['one user'][0].name}: × {ranked['one user'][0].factor:.3g}"
        assert "Twice the arithmetic" in texts
    words = ranking_alt(ranked)
    assert "For all users: twice the devices, times 2" in words
    assert "without effect: " in words


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("bandwidth", {"bandwidth": -1, "bytes_per_step": 1e9}, "bandwidth is -1 B/s; it must be"),
        ("bandwidth", {"bandwidth": 1e12, "bytes_per_step": 1e9, "colour": 1}, "'colour' is not"),
        ("speed", {"bandwidth": 1e12, "bytes_per_step": 1e9}, "it has bandwidth, bytes_per_step,"),
        ("bandwidth", {"bandwidth": [1, 2], "bytes_per_step": 1e9}, "must be single numbers"),
    ],
)
def test_elasticity_checks_what_an_equation_checks(name, values, message):
    with pytest.raises(ValueError, match=message):
        elasticity(bandwidth_law, name, **values)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_equation_has_an_elasticity_or_says_why_not(name):
    """A number for each input, or words: in whole steps there is no slope, of zero no per cent."""
    equation, rows = REGISTRY[name], symbol_table()
    low_high = {key: (rows[key].low, rows[key].high) for key in equation.parameters}
    at = {
        key: math.sqrt(low * high) if low > 0 else (low + high) / 2
        for key, (low, high) in low_high.items()
    }
    whole = {key for key, quantity in equation.quantities.items() if quantity.domain.whole}
    at = {key: float(round(value)) if key in whole else value for key, value in at.items()}
    stepped = equation.expr.atoms(sympy.floor, sympy.ceiling)
    for key in equation.parameters:
        if any(step.has(equation.symbols[key]) for step in stepped) and equation(**at) != 0:
            with pytest.raises(ValueError, match=f"{key} of {name}: the result moves in whole"):
                elasticity(equation, key, **at)
        elif equation(**at) == 0:
            with pytest.raises(ValueError, match="the result is 0 there"):
                elasticity(equation, key, **at)
        else:
            assert math.isfinite(elasticity(equation, key, **at))

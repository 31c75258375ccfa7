"""The decorator itself: what it takes, what it refuses, and the forms it makes."""

import copy
import datetime
import inspect
import pickle
import warnings
from decimal import Decimal
from fractions import Fraction

import dask.array as da
import numpy as np
import pandas as pd
import pint
import pytest
import sympy
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tokenwall.dimensions import check_balance, dimension
from tokenwall.equation import REGISTRY, ArgumentError, equation, symbol
from tokenwall.roofline import attainable_rate, bandwidth_law, ridge_intensity, weight_bytes
from tokenwall.units import (
    BytePerSecond,
    FlopPerByte,
    FlopPerSecond,
    registry,
)

H100 = {"peak_rate": 989e12, "bandwidth": 3.35e12}


def test_whole_numbers_do_not_overflow():
    assert ridge_intensity(10**30, 1) == pytest.approx(1e30)
    assert ridge_intensity(np.array([2**62]), np.array([1])) == pytest.approx(2.0**62)


def test_pint_quantities_pass_through():
    unit = registry()
    ridge = ridge_intensity(unit("989 TFLOP/s"), unit("3.35 TB/s"))
    assert ridge.to("FLOP/B").magnitude == pytest.approx(295.2, abs=0.05)


def test_pint_and_plain_numbers_mix():
    ridge = ridge_intensity(registry()("989 TFLOP/s"), 3.35e12)
    assert ridge.magnitude == pytest.approx(295.2, abs=0.05)


def test_a_wrong_unit_is_refused_by_name():
    with pytest.raises(ValueError, match=r"bandwidth is in metre; it must be in B/s"):
        ridge_intensity(989e12, registry()("3 m"))


@pytest.mark.parametrize(
    "call",
    [
        lambda foreign: ridge_intensity(foreign("3 / s"), 3.35e12),
        # There a byte is eight pure numbers and a hertz is a rate of anything.
        lambda foreign: weight_bytes(foreign("7 byte"), 2),
        lambda foreign: bandwidth_law(foreign("3 Hz"), 1e9),
        lambda foreign: bandwidth_law(foreign("3.35 TB/s"), 1e9),
        lambda foreign: bandwidth_law(1e12, foreign("1 GB")),
        lambda foreign: bandwidth_law(symbol("bandwidth"), foreign("1 GB")),
        lambda foreign: bandwidth_law(pint.Quantity(3, "TB/s"), 1e9),
        lambda foreign: bandwidth_law(xr.DataArray(foreign.Quantity([3.0], "TB/s"), dims="x"), 1e9),
    ],
)
def test_a_foreign_registry_is_refused_with_advice(call):
    with pytest.raises(ValueError, match=r"use tokenwall\.units\.registry"):
        call(pint.UnitRegistry())


def test_a_unit_is_no_quantity():
    with pytest.raises(ValueError, match="bandwidth is the unit"):
        bandwidth_law(registry().Unit("B/s"), 1e9)


def test_quantities_come_back_from_a_pickle():
    for copied in (
        pickle.loads(pickle.dumps(registry()("3 TB/s"))),
        copy.deepcopy(registry()("3 TB/s")),
    ):
        assert copied == registry()("3 TB/s")
        assert ridge_intensity(989e12, copied).to("FLOP/B").magnitude == pytest.approx(989 / 3)
    unit = pickle.loads(pickle.dumps(registry().Unit("TB/s")))
    assert registry().Quantity(3, unit) == registry()("3 TB/s")
    # Those of others are left as they are.
    assert pickle.loads(pickle.dumps(pint.Quantity(3, "byte"))) == pint.Quantity(3, "byte")


def test_quantities_inside_labelled_arrays_are_converted():
    inside = xr.DataArray(registry().Quantity([1.0, 2.0], "TB/s"), dims="x")
    assert bandwidth_law(inside, 1e9).values.tolist() == [1000, 2000]


@pytest.mark.parametrize("made", [ridge_intensity, attainable_rate])
def test_equations_and_their_bare_forms_travel(made):
    assert pickle.loads(pickle.dumps(made)) is made
    assert copy.deepcopy(made) is made
    assert pickle.loads(pickle.dumps(made.numpy)) == made.numpy


def test_an_equation_looks_like_its_function():
    assert list(inspect.signature(ridge_intensity).parameters) == ["peak_rate", "bandwidth"]
    assert inspect.getdoc(ridge_intensity).startswith("Intensity at which")
    assert repr(ridge_intensity) == "tokenwall.roofline.ridge_intensity(peak_rate, bandwidth)"


def test_xarray_keeps_its_names():
    bandwidth = xr.DataArray([1e12, 2e12], dims="machine", coords={"machine": ["a", "b"]})
    intensity = xr.DataArray([1.0, 10.0, 100.0], dims="intensity")
    rate = attainable_rate(intensity, peak_rate=1e14, bandwidth=bandwidth)
    assert set(rate.dims) == {"intensity", "machine"}
    assert rate.sel(machine="b").values.tolist() == [2e12, 2e13, 1e14]


def test_dask_stays_lazy_and_is_still_checked():
    lazy = attainable_rate(da.arange(1, 101, chunks=10), peak_rate=1e14, bandwidth=2e12)
    assert isinstance(lazy, da.Array)
    assert lazy.max().compute() == 1e14
    bad = attainable_rate(da.zeros(10, chunks=5), peak_rate=1e14, bandwidth=2e12)
    with pytest.raises(ValueError, match="intensity is 0 FLOP/B"):
        bad.compute()


def test_lazy_xarray_stays_lazy():
    lazy = xr.DataArray(da.ones(10, chunks=5), dims="x")
    assert isinstance(ridge_intensity(lazy, 2.0).data, da.Array)
    bad = xr.DataArray(da.zeros(10, chunks=5), dims="x")
    with pytest.raises(ValueError, match="peak_rate is 0"):
        ridge_intensity(bad, 2.0).compute()


def test_lazy_overflow_is_refused_without_a_warning():
    for huge in (da.full(4, 1e300, chunks=2), xr.DataArray(da.full(4, 1e300, chunks=2), dims="x")):
        lazy = ridge_intensity(huge, 1e-300)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError, match="ridge_intensity: the result is too large"):
                lazy.compute()


def test_chunks_and_plain_arrays_broadcast():
    column = np.array([[1e12], [2e12]])
    lazy = attainable_rate(da.arange(1, 5, chunks=2), peak_rate=1e14, bandwidth=column)
    assert isinstance(lazy, da.Array)
    eager = attainable_rate(np.arange(1, 5), peak_rate=1e14, bandwidth=column)
    np.testing.assert_array_equal(lazy.compute(), eager)


LABELLED = {
    "series": lambda values: pd.Series(values),
    "table": lambda values: pd.DataFrame({"a": values}),
    "index": lambda values: pd.Index(values),
    "array": lambda values: np.array(values),
    "names": lambda values: xr.DataArray(values, dims="x"),
}


@pytest.mark.parametrize("make", LABELLED.values(), ids=LABELLED)
def test_overflow_is_refused_in_every_container(make):
    with pytest.raises(ValueError, match="bandwidth_law: the result is too large"):
        bandwidth_law(make([1e300, 1.0]), 1e-300)
    assert np.ravel(bandwidth_law(make([1e9, 2e9]), 1e9)).tolist() == [1, 2]


def test_pandas_keeps_its_labels():
    rates = pd.Series([1e12, 2e12], index=["a", "b"], name="bandwidth")
    found = attainable_rate(
        pd.Series([1.0, 100.0], index=["a", "b"]), peak_rate=1e14, bandwidth=rates
    )
    assert found.to_dict() == {"a": 1e12, "b": 1e14}
    assert found.name == "attainable_rate"
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["a", "b"], index=[7, 8])
    table = ridge_intensity(frame, rates)
    assert table.loc[8, "b"] == 2e-12
    assert bandwidth_law(pd.Series([1, 2], dtype="Int64"), 1).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.Series([1.0, 2.0], index=["a", "b"]), pd.Series([1.0, 2.0], index=["b", "c"])),
        # In another order the least of two columns was taken by position, with no word of it.
        (pd.Series([1.0, 2.0], index=["a", "b"]), pd.Series([1.0, 2.0], index=["b", "a"])),
        (pd.DataFrame({"a": [1.0], "b": [2.0]}), pd.Series([1.0, 2.0], index=["b", "c"])),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})),
        (
            xr.DataArray([1.0, 2.0], dims="x", coords={"x": [0, 1]}),
            xr.DataArray([1.0, 2.0], dims="x", coords={"x": [5, 6]}),
        ),
        (xr.DataArray([1.0, 2.0], dims="x"), xr.DataArray([1.0, 2.0, 3.0], dims="x")),
    ],
)
def test_labels_that_differ_are_refused(one, other):
    with pytest.raises(ValueError, match="ridge_intensity: the labels of the arguments differ"):
        ridge_intensity(one, other)


def test_kinds_of_labels_do_not_mix():
    with pytest.raises(ValueError, match="pandas and xarray arguments do not mix"):
        ridge_intensity(pd.Series([1.0]), xr.DataArray([1.0], dims="x"))
    with pytest.raises(ValueError, match=r"shape \(2, 2\) does not fit labels"):
        ridge_intensity(pd.Series([1.0, 2.0]), np.array([[1.0], [2.0]]))


def test_units_that_an_array_states_are_heeded():
    stated = xr.DataArray([3.35], dims="x", attrs={"units": "TB/s", "long_name": "bandwidth"})
    found = bandwidth_law(stated, 1e9)
    assert found.values == pytest.approx([3350])
    assert found.attrs == {"units": "token/s"}
    for units in ("GB", "furlong"):
        with pytest.raises(
            ValueError, match=f"bandwidth states units '{units}'; it must be in B/s"
        ):
            bandwidth_law(stated.assign_attrs(units=units), 1e9)


@pytest.mark.parametrize(
    "value",
    [
        "1e12",
        b"1e12",
        True,
        None,
        1 + 2j,
        np.complex128(1),
        np.bool_(True),
        np.datetime64("2020-01-01"),
        np.timedelta64(5, "s"),
        datetime.timedelta(seconds=5),
        pd.NA,
        pd.Timedelta("5s"),
        ["1e12"],
        [1, "2"],
        [1, True, None],
        [[1, 2], [3]],
        np.array([1 + 0j]),
        np.array(["2020"], dtype="M8[s]"),
        pd.Series(["1"]),
        pd.Series([True]),
        pd.DataFrame({"a": [1.0], "b": ["2"]}),
        xr.DataArray(["1"], dims="x"),
        da.from_array(np.array(["1"])),
        np.ma.array([1e12, -5.0], mask=[False, True]),
        sympy.true,
    ],
)
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"(?s)bandwidth is .*; it must be a number"):
        bandwidth_law(value, 1e9)


@pytest.mark.parametrize("value", [10**400, [1, 10**400], Fraction(10**400), Decimal("1e400")])
def test_whole_numbers_beyond_all_floats_are_refused_by_name(value):
    with pytest.raises(
        ValueError, match=r"bandwidth is inf B/s; it must be a finite number above 0"
    ):
        bandwidth_law(value, 1e9)


@pytest.mark.parametrize(
    "value", [Fraction(1, 2), Decimal("0.5"), np.float32(0.5), [Decimal("0.5")]]
)
def test_every_real_number_is_taken(value):
    assert np.ravel(bandwidth_law(value, 1)).tolist() == [0.5]


def test_a_matrix_is_multiplied_by_element():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    assert bandwidth_law(matrix, matrix).tolist() == [[1, 1], [1, 1]]


def test_shapes_that_do_not_fit_are_named():
    message = (
        r"ridge_intensity: these shapes do not fit together: peak_rate \(3,\), bandwidth \(4,\)"
    )
    with pytest.raises(ValueError, match=message):
        ridge_intensity(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match=r"attainable_rate: these shapes do not fit together"):
        attainable_rate(np.ones(3), peak_rate=np.ones(4), bandwidth=1)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (-5, r"bytes_per_step is -5 B; it must be"),
        (float("nan"), r"bytes_per_step is nan B"),
        (sympy.Integer(-5), r"bytes_per_step is -5 B"),
        (sympy.oo, r"bytes_per_step is inf B"),
        (sympy.I, r"bytes_per_step is nan B"),
        ("__import__('os').getpid()", r"bytes_per_step is .* must be a number"),
        ([1, 2], r"bytes_per_step is \[1, 2\]; beside SymPy it must be a single number"),
        (True, r"bytes_per_step is True; it must be a number"),
    ],
)
def test_numbers_beside_symbols_are_checked_too(other, message):
    with pytest.raises(ValueError, match=message):
        bandwidth_law(symbol("bandwidth"), other)


def test_quantities_beside_symbols_are_converted():
    assert bandwidth_law(symbol("bandwidth"), registry()("2 GB")) == symbol("bandwidth") / 2e9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ridge_intensity(1e12), "missing.*bandwidth.*It takes peak_rate"),
        (lambda: ridge_intensity(1e12, bandwith=3), "'bandwith'.*did you mean bandwidth"),
        (lambda: ridge_intensity("fast", 3), "peak_rate is 'fast'; it must be a number"),
        (lambda: ridge_intensity(1e300, 1e-300), "ridge_intensity: the result is too large"),
        (lambda: ridge_intensity([1, -2], 3), "peak_rate is -2 FLOP/s; it must be a finite"),
        (lambda: symbol("bandwith"), "no equation uses 'bandwith'; did you mean bandwidth"),
    ],
)
def test_bad_calls_say_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_argument_error_is_also_a_type_error():
    with pytest.raises(TypeError):
        ridge_intensity()
    assert issubclass(ArgumentError, ValueError)


def test_sympy_in_sympy_out():
    peak = symbol("peak_rate")
    assert ridge_intensity(peak, 2) == peak / 2


def test_the_unchecked_form_agrees():
    points = np.linspace(1, 1e4, 50)
    np.testing.assert_array_equal(
        attainable_rate(points, **H100),
        attainable_rate.numpy(points, H100["peak_rate"], H100["bandwidth"]),
    )


@given(st.floats(1e9, 1e16), st.floats(1e9, 1e14), st.floats(1e-3, 1e5))
def test_the_checked_form_is_the_expression(peak, bandwidth, intensity):
    value = attainable_rate(intensity, peak_rate=peak, bandwidth=bandwidth)
    at = dict(zip(attainable_rate.symbols.values(), (intensity, peak, bandwidth), strict=True))
    assert value == pytest.approx(float(attainable_rate.expr.subs(at)), rel=1e-14)


def test_an_unknown_name_is_refused_when_declared():
    def ridge_intensty(peak_rate: FlopPerSecond, bandwidth: BytePerSecond) -> FlopPerByte:
        return peak_rate / bandwidth

    with pytest.raises(ValueError, match="did you mean ridge_intensity"):
        equation(ridge_intensty)


def test_one_name_has_one_unit():
    def ridge_intensity(peak_rate: BytePerSecond, bandwidth: BytePerSecond) -> FlopPerByte:
        return peak_rate / bandwidth

    with pytest.raises(ValueError, match="exists already"):
        equation(ridge_intensity)
    ridge_intensity.__module__ = "tokenwall.roofline"
    with pytest.raises(ValueError, match=r"peak_rate is annotated in B/s.*FLOP/s"):
        equation(ridge_intensity)


def test_a_node_that_the_page_lacks_is_refused():
    def ridge_intensity(peak_rate: FlopPerSecond, bandwidth: BytePerSecond) -> FlopPerByte:
        return sympy.gamma(peak_rate / bandwidth)

    ridge_intensity.__module__ = "tokenwall.roofline"
    with pytest.raises(ValueError, match="gamma"):
        equation(ridge_intensity)


def test_a_refused_declaration_leaves_nothing_behind():
    """So that the corrected one is taken, in the same session."""

    def declared(node):
        def ridge_intensity(peak_rate: FlopPerSecond, bandwidth: BytePerSecond) -> FlopPerByte:
            return node(peak_rate / bandwidth)

        ridge_intensity.__module__ = "tokenwall.roofline"
        return ridge_intensity

    from tokenwall import equation as module

    before, registered = dict(module._SYMBOLS), dict(REGISTRY)
    removed = {
        name: module._SYMBOLS.pop(name) for name in ("peak_rate", "bandwidth", "ridge_intensity")
    }
    try:
        with pytest.raises(ValueError, match="gamma"):
            equation(declared(sympy.gamma))
        assert not removed.keys() & module._SYMBOLS.keys()
    finally:
        module._SYMBOLS.clear()
        module._SYMBOLS.update(before)
    assert dict(REGISTRY) == registered


def test_a_parameter_without_a_type_is_refused():
    def ridge_intensity(peak_rate, bandwidth: BytePerSecond) -> FlopPerByte:
        return peak_rate / bandwidth

    ridge_intensity.__module__ = "tokenwall.roofline"
    with pytest.raises(ValueError, match="ridge_intensity: peak_rate needs a type"):
        equation(ridge_intensity)


a, b, c = sympy.symbols("a b c", positive=True)
UNITS = {"a": "B", "b": "B/s", "c": "token"}


@pytest.mark.parametrize(
    "faulty",
    [
        a + b,
        sympy.Min(a, b),
        sympy.exp(a),
        a**c,
        1 + a,
        sympy.log(a) + 1,
        sympy.floor(b),
        a * b + a,
    ],
)
def test_planted_faults_are_caught(faulty):
    with pytest.raises(ValueError, match=r"combines|pure numbers"):
        dimension(faulty, UNITS)


def test_a_result_in_the_wrong_unit_is_caught():
    class Wrong:
        __name__ = "wrong"
        expr, units, unit = a / b, UNITS, "B"

    with pytest.raises(ValueError, match="declared B"):
        check_balance(Wrong())


@pytest.mark.parametrize(
    "sound", [a / b, sympy.Max(0, a), a + 0, sympy.sqrt(a * a), sympy.exp(a / a)]
)
def test_sound_expressions_pass(sound):
    dimension(sound, UNITS)

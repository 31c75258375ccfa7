"""Programs, run here by a second interpreter that knows only their definition."""

import functools
import math
import operator

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwall.program import compile_program

OPS = {
    "add": lambda *xs: functools.reduce(operator.add, xs),
    "mul": lambda *xs: functools.reduce(operator.mul, xs),
    "min": min,
    "max": max,
    "pow": operator.pow,
    "sqrt": math.sqrt,
    "recip": lambda x: 1 / x,
    "exp": math.exp,
    "log": math.log,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
}


def run(program, *values):
    registers = list(values)
    for op, *operands in program["code"]:
        if op == "num":
            registers.append(operands[0])
        else:
            registers.append(OPS[op](*[registers[i] for i in operands]))
    return [registers[i] for i in program["out"]]


x, y = sympy.symbols("x y", positive=True)
leaves = st.sampled_from([x, y, sympy.Integer(2), sympy.Rational(1, 3), sympy.Float(0.7)])
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(operator.add, inner, inner),
        st.builds(operator.mul, inner, inner),
        st.builds(lambda a, b: a / (1 + abs(b)), inner, inner),
        st.builds(lambda a: sympy.sqrt(1 + a**2), inner),
        st.builds(lambda a: sympy.log(2 + abs(a)), inner),
        st.builds(lambda a: sympy.exp(-abs(a)), inner),
        st.builds(lambda a, b: sympy.Min(a, b), inner, inner),
        st.builds(lambda a, b: sympy.Max(a, b), inner, inner),
        st.builds(sympy.tanh, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(expressions, st.floats(0.1, 5), st.floats(0.1, 5))
def test_programs_give_what_numpy_gives(expr, at_x, at_y):
    expr = sympy.sympify(expr)
    direct = sympy.lambdify([x, y], expr, "numpy")(np.float64(at_x), np.float64(at_y))
    (value,) = run(compile_program(expr, ["x", "y"]), at_x, at_y)
    assert value == pytest.approx(float(direct), rel=1e-12, abs=1e-12)


def test_common_parts_are_computed_once():
    shared = sympy.exp(x * y)
    program = compile_program([shared + 1, shared * 2], ["x", "y"])
    assert [line[0] for line in program["code"]].count("exp") == 1
    assert run(program, 0.5, 2.0) == [math.e + 1, math.e * 2]


def test_a_stray_symbol_is_refused():
    with pytest.raises(ValueError, match="symbol y is not among the arguments: x"):
        compile_program(x + y, ["x"])


@pytest.mark.parametrize(
    "expr", [sympy.Sum(x, (x, 1, 3)), sympy.gamma(x), sympy.Piecewise((x, x > 1), (y, True))]
)
def test_what_the_page_cannot_compute_is_refused(expr):
    with pytest.raises(ValueError, match="no form in the page"):
        compile_program(expr, ["x", "y"])


@pytest.mark.parametrize(
    "expr", [sympy.oo, sympy.nan, x * sympy.zoo, x + sympy.I, sympy.Integer(10) ** 400 * x]
)
def test_numbers_that_the_page_cannot_hold_are_refused_by_name(expr):
    with pytest.raises(ValueError, match="is no real and finite number"):
        compile_program(expr, ["x"])


def test_symbols_of_one_name_must_be_one():
    with pytest.raises(ValueError, match="symbols of one name differ"):
        compile_program(x + sympy.Symbol("x"), ["x"])


def test_plain_numbers_are_programs_and_texts_are_not():
    assert run(compile_program(3, [])) == [3]
    assert run(compile_program([0.5, x], ["x"]), 2) == [0.5, 2]
    with pytest.raises(ValueError, match="x"):
        compile_program("x + 1", ["x"])


def test_a_shared_part_hides_no_argument():
    first, second = sympy.symbols("x0 x1", positive=True)
    program = compile_program([sympy.exp(first) + second, sympy.exp(first) * 3], ["x0", "x1"])
    assert run(program, 0.0, 2.0) == [3.0, 3.0]

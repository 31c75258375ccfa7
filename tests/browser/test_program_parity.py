"""The page's interpreter against NumPy: every equation, and expressions made at random."""

import importlib
import pkgutil
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sympy
from playwright.sync_api import Browser, Page

import tokenwall
from tokenwall.equation import REGISTRY, symbol_table
from tokenwall.explorable.widget import asset
from tokenwall.program import compile_program
from tokenwall.units import PREFIXABLE, engineering

pytestmark = pytest.mark.browser
POINTS = 2000
SUBJECTS = [
    module.name
    for module in pkgutil.iter_modules(tokenwall.__path__)
    if module.name not in ("sphinxext", "explorable", "plots", "hostbench", "cli")
]
for name in SUBJECTS:
    importlib.import_module(f"tokenwall.{name}")

# Numbers travel as their own 64 bits: no text in between, and one call for many programs.
RUN = """(jobs) => jobs.map(([program, columns]) => {
  const inputs = columns.map((text) => new Float64Array(
    Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
  return TokenWall.evaluate(program, inputs).map((out) => {
    const bytes = new Uint8Array(Float64Array.from(typeof out === "number" ? [out] : out).buffer);
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  });
})"""


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_content("<!doctype html><title>blank</title>")
    page.add_script_tag(content=asset("explorable.js"))
    yield page
    page.close()


Job = tuple[dict, list[np.ndarray]]


def in_page(page: Page, jobs: list[Job]) -> list[list[np.ndarray]]:
    """What the page computes for each program from its columns."""
    sent = [
        [program, [b64encode(np.ascontiguousarray(column, "<f8")).decode() for column in columns]]
        for program, columns in jobs
    ]
    answers = page.evaluate(RUN, sent)
    return [[np.frombuffer(b64decode(out), "<f8") for out in outs] for outs in answers]


def random_columns(equation, rng: np.random.Generator) -> list[np.ndarray]:
    """Points over the whole range of each parameter, even on a log scale where it allows one."""
    rows, columns = symbol_table(), []
    for name in equation.parameters:
        low, high = float(rows[name].low), float(rows[name].high)
        if low > 0:
            column = np.exp(rng.uniform(np.log(low), np.log(high), POINTS))
        else:
            column = rng.uniform(low, high, POINTS)
        whole = "whole" in equation.domain[name]
        columns.append(np.round(column) if whole else column)
    return columns


def test_every_equation_is_here():
    """As many as the sources declare, so that none goes untested because nobody imports it."""
    sources = [path.read_text("utf-8") for path in Path(tokenwall.__file__).parent.rglob("*.py")]
    declared = sum(len(re.findall("^@equation$", text, re.MULTILINE)) for text in sources)
    assert len(REGISTRY) == declared > 0


@pytest.fixture(scope="module")
def answers(blank) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
    """Columns and the page's result of every equation, in one call."""
    columns = {
        name: random_columns(equation, np.random.default_rng(20240229))
        for name, equation in REGISTRY.items()
    }
    found = in_page(blank, [(REGISTRY[name].program, columns[name]) for name in columns])
    return {name: (columns[name], out) for name, (out,) in zip(columns, found, strict=True)}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_page_agrees_with_numpy(name, answers):
    columns, found = answers[name]
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(REGISTRY[name].numpy(*columns), (POINTS,))
    np.testing.assert_allclose(np.broadcast_to(found, (POINTS,)), expected, rtol=1e-12)


def random_expression(rng: np.random.Generator, symbols: list, depth: int) -> sympy.Expr:
    """A tree over all allowed operations, of positive values that do not cancel."""
    if depth == 0:
        return symbols[rng.integers(len(symbols))]
    one, two = (random_expression(rng, symbols, depth - 1) for _ in range(2))
    makers = [
        lambda: one + two,
        lambda: one * two,
        lambda: one / (1 + two),
        lambda: sympy.Min(one, two),
        lambda: sympy.Max(one, two),
        lambda: sympy.sqrt(one),
        lambda: (1 + one) ** sympy.Float(rng.uniform(-2, 2)),
        lambda: sympy.exp(-one / (1 + two)),
        lambda: sympy.log(2 + one),
        lambda: 1 + sympy.Abs(one - 2 * two),
        lambda: sympy.tanh(one),
        lambda: sympy.cosh(one / (1 + one)),
        lambda: sympy.sinh(one / (1 + one)),
        lambda: 2 + sympy.sin(one / (1 + one)),
        lambda: 2 + sympy.cos(two / (1 + two)),
        lambda: sympy.tan(one / (1 + one) / 2),
        lambda: 1 + sympy.floor(1 + one / (1 + one)),
        lambda: sympy.ceiling(sympy.Rational(1, 3) + two / (1 + two)),
    ]
    return makers[rng.integers(len(makers))]()


def test_random_expressions_agree(blank):
    rng = np.random.default_rng(7)
    names = ["a", "b", "c"]
    symbols = [sympy.Symbol(name, positive=True) for name in names]
    jobs, expected, seen = [], [], set()
    for _ in range(150):
        expressions = [random_expression(rng, symbols, 3) for _ in range(2)]
        program = compile_program(expressions, names)
        seen |= {line[0] for line in program["code"]}
        columns = [np.exp(rng.uniform(-2, 2, 40)) for _ in names]
        jobs.append((program, columns))
        expected.append(sympy.lambdify(symbols, expressions, "numpy", cse=True)(*columns))
    for answer, wanted in zip(in_page(blank, jobs), expected, strict=True):
        for found, exact in zip(answer, wanted, strict=True):
            np.testing.assert_allclose(found, np.broadcast_to(exact, found.shape), rtol=1e-12)
    operations = {"num", "add", "mul", "pow", "min", "max", "recip", "exp", "log", "sqrt", "abs"}
    operations |= {"floor", "ceil", "sin", "cos", "tan", "sinh", "cosh", "tanh"}
    assert operations - seen == set()


def test_negation_broadcast_and_gaps(blank):
    program = {
        "args": ["x", "k"],
        "code": [["num", -1], ["mul", 0, 2], ["log", 3], ["pow", 1, 3]],
        "out": [3, 4, 5],
    }
    columns = [np.array([-1.0, 0.0, 2.0]), np.array([2.0, 2.0, 2.0])]
    ((negated, logged, power),) = in_page(blank, [(program, columns)])
    np.testing.assert_array_equal(negated, [1, 0, -2])
    np.testing.assert_array_equal(logged, [0, -np.inf, np.nan])
    np.testing.assert_allclose(power, [2, 1, 0.25])


def test_numbers_are_written_alike(blank):
    rng = np.random.default_rng(3)
    units = ["1", "token/s", "USD", "K", "FLOP/B", *PREFIXABLE, "B/s", "J/token"]
    values = [0.0, 1.0, -1.0, 999.5, 999.4999, 0.125, 1.125, 2.5, 3.5, 1e-30, 1e30, 99950.0]
    values += [float("inf"), float("-inf"), float("nan"), 0.001, 0.0009995, 12345.0, 1e12, 999.5e9]
    values += (10 ** rng.uniform(-20, 25, 400) * rng.choice([-1, 1], 400)).tolist()
    values += [float(v) / 8 for v in range(200)]
    cases = [(v, unit, digits) for v in values for unit in units for digits in (1, 2, 3, 4)]
    expected = [engineering(v, unit, digits=digits) for v, unit, digits in cases]
    found = blank.evaluate(
        "(cases) => cases.map(([v, unit, digits]) =>"
        " TokenWall.engineering(Number(v), unit, digits))",
        [[repr(v).replace("inf", "Infinity"), unit, digits] for v, unit, digits in cases],
    )
    wrong = [pair for pair in zip(cases, expected, found, strict=True) if pair[1] != pair[2]]
    assert wrong == []

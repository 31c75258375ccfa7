"""What must hold for every equation; a new one is tested by existing."""

import csv
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
from pybtex.database import parse_file

import tokenwall
from tokenwall.dimensions import check_balance
from tokenwall.equation import REGISTRY, symbol_table

ROOT = Path(__file__).parents[1]
for module in pkgutil.iter_modules(tokenwall.__path__):
    importlib.import_module(f"tokenwall.{module.name}")

every_equation = pytest.mark.parametrize("name", sorted(REGISTRY))
SECTIONS = ("Args:", "Returns:", "Raises:", "Limits:", "Example:", "Source:")


def random_points(equation, count, seed=0):
    """Points spread evenly in the logarithm of each parameter's usual range."""
    generator = np.random.default_rng(seed)
    points = []
    for name in equation.parameters:
        row, whole = symbol_table()[name], equation.quantities[name].domain.whole
        if row.low > 0:
            values = np.exp(generator.uniform(np.log(row.low), np.log(row.high), count))
        else:
            values = generator.uniform(row.low, row.high, count)
        points.append(np.round(values) if whole else values)
    return points


def test_there_are_all_equations():
    """As many as the sources declare: one in a module that nobody imports would go untested."""
    sources = [path.read_text("utf-8") for path in Path(tokenwall.__file__).parent.rglob("*.py")]
    declared = sum(len(re.findall("^@equation$", text, re.MULTILINE)) for text in sources)
    assert len(REGISTRY) == declared > 0


@every_equation
def test_dimensions_balance(name):
    check_balance(REGISTRY[name])


@every_equation
def test_numpy_agrees_with_many_digits(name):
    equation = REGISTRY[name]
    points = random_points(equation, 25)
    fast = equation.numpy(*points)
    exact = sympy.lambdify(list(equation.symbols.values()), equation.expr, "mpmath", cse=True)
    with mpmath.workdps(60):
        for value, *at in zip(fast, *points, strict=True):
            many = exact(*(mpmath.mpf(float(each)) for each in at))
            assert value == pytest.approx(float(many), rel=1e-11, abs=1e-300)
    # And once by substitution, which no generated code takes part in.
    at = {
        symbol: sympy.Float(float(values[0]), 60)
        for symbol, values in zip(equation.symbols.values(), points, strict=True)
    }
    assert fast[0] == pytest.approx(float(equation.expr.subs(at).evalf(40)), rel=1e-11, abs=1e-300)


@every_equation
def test_shapes(name):
    equation = REGISTRY[name]
    columns = [values.reshape(3, 1) for values in random_points(equation, 3)]
    rows = [values.reshape(1, 3) for values in random_points(equation, 3)]
    named = dict(zip(equation.parameters, columns, strict=True))
    assert np.shape(equation(**named)) == (3, 1)
    scalars = {key: float(values[0, 0]) for key, values in named.items()}
    scalar = equation(**scalars)
    assert isinstance(scalar, float)
    assert np.ravel(equation(**named))[0] == pytest.approx(scalar, rel=1e-14)
    rest = equation.parameters[1:]
    if rest:
        mixed = {**named, rest[0]: rows[1]}
        assert np.shape(equation(**mixed)) == (3, 3)
    whole = {key: [float(v) for v in values.ravel()] for key, values in named.items()}
    np.testing.assert_array_equal(equation(**whole), equation(**named).ravel())


@every_equation
def test_what_is_outside_the_domain_is_refused(name):
    equation = REGISTRY[name]
    good = {
        key: float(values[0])
        for key, values in zip(equation.parameters, random_points(equation, 1), strict=True)
    }
    for key, quantity in equation.quantities.items():
        bad = [float("nan"), float("inf")]
        domain = quantity.domain
        if domain.low > -np.inf:
            bad += [domain.low if domain.low_open else domain.low - 1]
        if domain.high < np.inf:
            bad += [domain.high + 1]
        if domain.whole:
            bad += [domain.low + 0.5]
        for value in bad:
            with pytest.raises(ValueError, match=re.escape(key)) as caught:
                equation(**{**good, key: value})
            assert f"{value:g}" in str(caught.value)
            assert str(domain) in str(caught.value)
            with pytest.raises(ValueError, match=re.escape(key)):
                equation(**{**good, key: np.array([good[key], value])})


@every_equation
def test_docstring_agrees_with_annotation(name):
    equation = REGISTRY[name]
    doc = inspect.getdoc(equation)
    for section in SECTIONS:
        assert section in doc, f"{name} has no {section}"
    first = doc.splitlines()[0]
    assert first.endswith(f"[{equation.unit}].")
    args = doc.split("Args:")[1].split("Returns:")[0]
    documented = re.findall(r"^ +(\w+) \(([^)]+)\):", args, re.MULTILINE)
    assert documented == list(equation.units.items())
    returns = doc.split("Returns:")[1].split("Raises:")[0]
    assert re.match(r"\s*\(([^)]+)\)", returns).group(1) == equation.unit
    assert ">>>" in doc


@every_equation
def test_keyword_only_from_the_third_parameter(name):
    kinds = [p.kind for p in inspect.signature(REGISTRY[name]).parameters.values()]
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for kind in kinds[2:])


@every_equation
def test_source_resolves(name):
    equation = REGISTRY[name]
    keys = set(parse_file(ROOT / "book" / "references.bib").entries)
    assert equation.source, f"{name} names no source"
    if equation.source.startswith("own derivation"):
        assert equation.derivation, f"{name} is our own and names no chapter that derives it"
    else:
        assert equation.source.split(",")[0] in keys
    if equation.derivation:
        assert (ROOT / equation.derivation).exists()


@every_equation
def test_an_oracle_or_a_derivation_exists(name):
    """A derivation is a cell that asserts something of the equation, not a mention of its name."""
    with (ROOT / "tests" / "oracles.csv").open() as file:
        oracles = {row["equation"] for row in csv.DictReader(file)}
    derivation = REGISTRY[name].derivation
    if name in oracles and not derivation:
        return
    assert derivation, f"{name} has neither a published value nor a derivation"
    cells = json.loads((ROOT / derivation).read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    asserting = [cell for cell in code if re.search(r"^\s*assert\b", cell, re.MULTILINE)]
    assert name in oracles or any(re.search(rf"\b{name}\b", cell) for cell in asserting), (
        f"no cell of {derivation} asserts anything of {name}"
    )


@every_equation
def test_the_formula_can_be_shown(name):
    formula = REGISTRY[name].latex
    left, right = formula.split(" = ", 1)
    assert left
    assert right
    assert "_" not in re.sub(r"_\{[^{}]*(\{[^{}]*\}[^{}]*)*\}|_\w", "", right)


def test_every_equation_is_on_a_page():
    """One that no page uses is deleted, and a derivation stands on the page that is named."""
    cells = {
        path: " ".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
        for path in (ROOT / "book").rglob("*.ipynb")
    }
    for name, equation in REGISTRY.items():
        pages = {path for path, text in cells.items() if re.search(rf"\b{name}\b", text)}
        assert pages, f"no page uses {name}"
        if equation.derivation:
            assert ROOT / equation.derivation in pages, f"{equation.derivation} lacks {name}"


def test_every_symbol_is_used_and_sorted():
    names = list(symbol_table())
    used = set(REGISTRY) | {key for e in REGISTRY.values() for key in e.parameters}
    assert set(names) == used
    assert names == sorted(names)


def test_no_two_quantities_share_a_letter():
    letters = [row.latex for row in symbol_table().values()]
    doubled = {letter for letter in letters if letters.count(letter) > 1}
    assert not doubled

"""One equation, many lives: a typed function whose body is a SymPy expression.

Under `equation` an ordinary function becomes the number (checked, broadcast NumPy), the formula
(`f.latex`), the derivation (`f.expr`), the units check and the program that a page runs. Nothing is
written a second time.
"""

from __future__ import annotations

import csv
import difflib
import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any, ParamSpec, Protocol, cast, get_args, get_type_hints

import numpy as np
import sympy

from tokenwall.program import Program, check_nodes, compile_program
from tokenwall.units import Quantity, registry

P = ParamSpec("P")


class Equation(Protocol[P]):
    """A function made by `equation`: call it, or use one of its other forms.

    Attributes:
        expr: the body as a SymPy expression in the parameters' symbols.
        symbols: parameter name to SymPy symbol.
        parameters: parameter names, in the order that `numpy` takes them.
        defaults: values of the parameters that have one.
        units: unit of each parameter.
        unit: unit of the result.
        domain: domain of each parameter.
        latex: the whole formula, in the book's notation.
        source: bibliography key and locator.
        derivation: path of the chapter that derives it, empty if it is taken from its source.
        program: the form that the page evaluates, see `tokenwall.program`.
        numpy: the same formula, unchecked, for sweeps.
    """

    __name__: str
    __doc__: str | None
    __module__: str
    expr: sympy.Expr
    symbols: dict[str, sympy.Symbol]
    parameters: tuple[str, ...]
    defaults: dict[str, float]
    units: dict[str, str]
    unit: str
    domain: dict[str, str]
    quantities: dict[str, Quantity]
    latex: str
    source: str
    derivation: str
    program: Program
    numpy: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Evaluate; any SymPy argument makes the result an expression."""


class ArgumentError(TypeError, ValueError):
    """A call names a parameter that does not exist, or lacks one that does."""


@dataclass(frozen=True)
class SymbolRow:
    """One row of symbols.csv: how a quantity is written, and the range it usually lies in."""

    name: str
    latex: str
    meaning: str
    unit: str
    low: float
    high: float


REGISTRY: dict[str, Equation[...]] = {}
_SYMBOLS: dict[str, tuple[Quantity, sympy.Symbol]] = {}


def equation(function: Callable[P, Any]) -> Equation[P]:
    """Turn a typed function that returns a SymPy expression into an `Equation`.

    Args:
        function: its parameters and result are annotated with types of `tokenwall.units`; its
            docstring is the documentation and ends in "Source: key, locator".

    Raises:
        ValueError: a name has no row in symbols.csv or is used with another unit or domain
            elsewhere, the expression holds a node that the page cannot evaluate, or the
            equation's name is taken.

    Example:
        >>> from tokenwall.roofline import ridge_intensity
        >>> ridge_intensity.expr
        peak_rate/bandwidth
        >>> round(ridge_intensity(989e12, 3.35e12))
        295
    """
    name = function.__name__
    taken = REGISTRY.get(name)
    if taken is not None and taken.__module__ != function.__module__:
        raise ValueError(f"equation {name} exists already in {taken.__module__}")
    hints = {
        key: _quantity(hint, f"{name}: {key}")
        for key, hint in get_type_hints(function, include_extras=True).items()
    }
    result = hints.pop("return")
    _register(name, result)
    signature = inspect.signature(function)
    symbols = {key: _register(key, hints[key]) for key in signature.parameters}
    expr = sympy.sympify(function(**symbols))  # type: ignore[call-arg]
    check_nodes(expr)
    source, derivation = _provenance(function.__doc__ or "")
    generated = functools.cache(lambda: _generate(symbols, expr))

    def unchecked(*args: Any) -> Any:
        return generated()(*args)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        values = _bind(name, signature, hints, args, kwargs)
        if any(isinstance(value, sympy.Basic) for value in values.values()):
            return sympy.sympify(function(**{k: sympy.sympify(v) for k, v in values.items()}))  # type: ignore[call-arg]
        return _evaluate(name, unchecked, values, hints, result.unit)

    made = cast("Equation[P]", call)
    made.expr, made.symbols, made.parameters = expr, symbols, tuple(symbols)
    made.defaults = {
        key: float(parameter.default)
        for key, parameter in signature.parameters.items()
        if parameter.default is not parameter.empty
    }
    made.quantities = {**hints}
    made.units = {key: quantity.unit for key, quantity in hints.items()}
    made.unit, made.domain = result.unit, {key: str(q.domain) for key, q in hints.items()}
    made.source, made.derivation = source, derivation
    made.latex = f"{symbol_table()[name].latex} = {latex(expr)}"
    made.program, made.numpy = compile_program(expr, list(symbols)), unchecked
    REGISTRY[name] = cast("Equation[...]", made)
    return made


@functools.cache
def symbol_table() -> dict[str, SymbolRow]:
    """The rows of symbols.csv by name: notation, meaning, unit and usual range of each quantity."""
    text = resources.files("tokenwall").joinpath("symbols.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {
        row["name"]: SymbolRow(
            row["name"],
            row["latex"],
            row["meaning"],
            row["unit"],
            float(row["low"]),
            float(row["high"]),
        )
        for row in rows
    }


def symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol that the equations use for a quantity.

    Args:
        name: as in symbols.csv; the module that uses it must have been imported.

    Raises:
        ValueError: no equation uses that name; the message lists near ones.
    """
    if name not in _SYMBOLS:
        raise ValueError(f"no equation uses {name!r}{_nearest(name, _SYMBOLS)}")
    return _SYMBOLS[name][1]


def quantity(name: str) -> Quantity:
    """Unit and domain of a quantity that some equation takes or gives.

    Args:
        name: as in symbols.csv; the module that uses it must have been imported.

    Raises:
        ValueError: no equation uses that name; the message lists near ones.
    """
    if name not in _SYMBOLS:
        raise ValueError(f"no equation uses {name!r}{_nearest(name, _SYMBOLS)}")
    return _SYMBOLS[name][0]


def latex(expr: sympy.Basic) -> str:
    """An expression in the book's notation.

    Args:
        expr: any SymPy object; symbols that symbols.csv does not know keep their own names.
    """
    table = symbol_table()
    names = {s: table[s.name].latex for s in expr.free_symbols if s.name in table}
    return str(sympy.latex(expr, symbol_names=names))


def _quantity(hint: Any, where: str) -> Quantity:
    for extra in get_args(hint)[1:]:
        if isinstance(extra, Quantity):
            return extra
    raise ValueError(f"{where} needs a type from tokenwall.units, not {hint!r}")


def _register(name: str, quantity: Quantity) -> sympy.Symbol:
    if name not in symbol_table():
        raise ValueError(f"{name} has no row in symbols.csv{_nearest(name, symbol_table())}")
    listed = symbol_table()[name].unit
    if listed != quantity.unit:
        raise ValueError(f"{name} is annotated in {quantity.unit} but symbols.csv has {listed}")
    known, made = _SYMBOLS.setdefault(name, (quantity, sympy.Symbol(name, **quantity.assumptions)))
    if known != quantity:
        raise ValueError(f"{name} is {quantity} here and {known} elsewhere; one name, one quantity")
    return made


def _provenance(doc: str) -> tuple[str, str]:
    source = re.search(r"^\s*Source:\s*(.+(?:\n\s+\S.*)*)", doc, re.MULTILINE)
    derived = re.search(r"^\s*Derivation:\s*(\S+)", doc, re.MULTILINE)
    return (
        " ".join(source.group(1).split()) if source else "",
        derived.group(1) if derived else "",
    )


def _generate(symbols: dict[str, sympy.Symbol], expr: sympy.Expr) -> Callable[..., Any]:
    made = sympy.lambdify(list(symbols.values()), expr, modules="numpy", cse=True)
    missing = [s for s in symbols.values() if s not in expr.free_symbols]
    if not missing:
        return cast("Callable[..., Any]", made)
    # A result that does not depend on every argument still has their common shape.
    return lambda *args: (
        made(*args)
        + 0.0 * sum(arg for key, arg in zip(symbols, args, strict=True) if symbols[key] in missing)
    )


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _bind(
    name: str,
    signature: inspect.Signature,
    hints: dict[str, Quantity],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        unknown = [key for key in kwargs if key not in hints]
        wrong = (
            f"{unknown[0]!r} is not a parameter" + _nearest(unknown[0], hints) if unknown else error
        )
        takes = ", ".join(f"{key} [{quantity.unit}]" for key, quantity in hints.items())
        raise ArgumentError(f"{name}: {wrong}. It takes {takes}.") from None
    bound.apply_defaults()
    return dict(bound.arguments)


def _evaluate(
    name: str,
    numeric: Callable[..., Any],
    values: dict[str, Any],
    quantities: dict[str, Quantity],
    unit: str,
) -> Any:
    units = next((v._REGISTRY for v in values.values() if hasattr(v, "_REGISTRY")), None)
    clean = [_checked(key, value, quantities[key]) for key, value in values.items()]
    with np.errstate(all="ignore"):
        result = numeric(*clean)
    if isinstance(result, np.ndarray | float) and not np.isfinite(result).all():
        raise ValueError(f"{name}: the result is too large or undefined for these arguments")
    return result if units is None else units.Quantity(result, unit if unit != "1" else "")


def _checked(name: str, value: Any, quantity: Quantity) -> Any:
    """The value as float64 in the quantity's unit, or a ValueError that says what is allowed."""
    if hasattr(value, "_REGISTRY"):
        value = _magnitude(name, value, quantity.unit)
    if isinstance(value, int | float):
        plain: Any = np.float64(value)
    elif hasattr(value, "__array_ufunc__") and not isinstance(value, np.generic):
        plain = (
            value if getattr(value, "dtype", None) == np.float64 else _as_float(name, value, value)
        )
    else:
        plain = _as_float(name, np.asarray(value), value)
        plain = plain if plain.ndim else plain[()]
    if _is_lazy(plain):
        return _lazily(plain, functools.partial(_require, name, quantity))
    return _require(name, quantity, plain)


def _require(name: str, quantity: Quantity, values: Any) -> Any:
    offender = quantity.domain.offender(values)
    if offender is not None:
        unit = "" if quantity.unit == "1" else f" {quantity.unit}"
        raise ValueError(
            f"{name} is {offender:g}{unit}; it must be {quantity.domain}"
            + (f", in {quantity.unit}" if unit else "")
        )
    return values


def _magnitude(name: str, value: Any, unit: str) -> Any:
    import pint

    try:
        return value.to("" if unit == "1" else unit).magnitude
    except pint.DimensionalityError:
        raise ValueError(f"{name} is in {value.units}; it must be in {unit}") from None
    except pint.UndefinedUnitError:
        raise ValueError(
            f"{name} is in {value.units}, whose registry does not know {unit}; "
            f"use tokenwall.units.registry(), such as {registry()(unit):~}"
        ) from None


def _as_float(name: str, array: Any, given: Any) -> Any:
    try:
        return array.astype(float)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} is {given!r}; it must be a number or an array of numbers"
        ) from None


def _is_lazy(value: Any) -> bool:
    graph = getattr(value, "__dask_graph__", None)
    return graph is not None and graph() is not None


def _lazily(value: Any, check: Callable[[Any], Any]) -> Any:
    """Put the check into the graph, block by block, so that nothing is computed before its time."""
    if hasattr(value, "map_blocks") and not hasattr(value, "coords"):
        return value.map_blocks(check, dtype=float)
    return value.copy(data=value.data.map_blocks(check, dtype=float))

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
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from numbers import Real
from typing import Any, Generic, ParamSpec, cast, get_args, get_type_hints

import numpy as np
import sympy

from tokenwall.program import Program, compile_program
from tokenwall.units import Quantity, registry, to_si

P = ParamSpec("P")


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


class Equation(Generic[P]):
    """A function made by `equation`: call it, or use one of its other forms.

    Arguments may be numbers, NumPy arrays, pandas, xarray and Dask objects, and quantities of
    `tokenwall.units.registry`; what comes back is of the same kind. Labels must agree. An
    attribute "units" of an array is heeded.

    Attributes:
        expr: the body as a SymPy expression in the parameters' symbols.
        symbols: parameter name to SymPy symbol.
        parameters: parameter names, in the order that `numpy` takes them.
        defaults: values of the parameters that have one.
        units: unit of each parameter.
        unit: unit of the result.
        domain: domain of each parameter.
        quantities: unit and domain of each parameter as one.
        latex: the whole formula, in the book's notation.
        source: bibliography key and locator.
        derivation: path of the chapter that derives it, empty if it is taken from its source.
        program: the form that the page evaluates, see `tokenwall.program`.
    """

    __name__: str
    __qualname__: str
    __doc__: str | None

    def __init__(self, function: Callable[P, Any]) -> None:
        functools.update_wrapper(self, function)
        name = function.__name__
        hints = {
            key: _quantity(hint, f"{name}: {key}")
            for key, hint in get_type_hints(function, include_extras=True).items()
        }
        self._function, self._signature = function, inspect.signature(function)
        for key in ("return", *self._signature.parameters):
            if key not in hints:
                raise ValueError(f"{name}: {key} needs a type from tokenwall.units")
        result = hints.pop("return")
        self.quantities: dict[str, Quantity] = {
            key: hints[key] for key in self._signature.parameters
        }
        self._named = {
            key: (quantity, _symbol(key, quantity))
            for key, quantity in {name: result, **self.quantities}.items()
        }
        self.symbols: dict[str, sympy.Symbol] = {
            key: self._named[key][1] for key in self.quantities
        }
        self.parameters: tuple[str, ...] = tuple(self.symbols)
        self.expr: sympy.Expr = sympy.sympify(function(**self.symbols))  # type: ignore[call-arg]
        self.program: Program = compile_program(self.expr, list(self.symbols))
        self.defaults: dict[str, float] = {
            key: float(parameter.default)
            for key, parameter in self._signature.parameters.items()
            if parameter.default is not parameter.empty
        }
        self.units: dict[str, str] = {key: q.unit for key, q in self.quantities.items()}
        self.domain: dict[str, str] = {key: str(q.domain) for key, q in self.quantities.items()}
        self.unit: str = result.unit
        self.latex: str = f"{symbol_table()[name].latex} = {latex(self.expr)}"
        self.source, self.derivation = _provenance(function.__doc__ or "")

    def __repr__(self) -> str:
        return f"{self.__module__}.{self.__name__}({', '.join(self.parameters)})"

    def __reduce__(self) -> str:
        return self.__qualname__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Evaluate; any SymPy argument makes the result an expression."""
        values = self._bound(args, kwargs)
        if any(isinstance(value, sympy.Basic) for value in values.values()):
            return self._symbolic(values)
        has_unit = any(hasattr(value, "_REGISTRY") for value in values.values())
        result = self._numeric(
            {key: _in_unit(key, value, self.units[key]) for key, value in values.items()}
        )
        if not has_unit:
            return result
        return registry().Quantity(result, "" if self.unit == "1" else self.unit)

    def numpy(self, *args: Any) -> Any:
        """The same formula, unchecked, for sweeps.

        Args:
            args: the parameters in their order, floats or NumPy arrays.
        """
        return self._generated(*args)

    @functools.cached_property
    def _generated(self) -> Callable[..., Any]:
        return _generate(self.symbols, self.expr)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            unknown = [key for key in kwargs if key not in self.quantities]
            wrong = (
                f"{unknown[0]!r} is not a parameter" + _nearest(unknown[0], self.quantities)
                if unknown
                else error
            )
            takes = ", ".join(f"{key} [{unit}]" for key, unit in self.units.items())
            raise ArgumentError(f"{self.__name__}: {wrong}. It takes {takes}.") from None
        bound.apply_defaults()
        return dict(bound.arguments)

    def _symbolic(self, values: dict[str, Any]) -> sympy.Expr:
        given = {key: _in_unit(key, value, self.units[key]) for key, value in values.items()}
        for key, value in given.items():
            if not isinstance(value, sympy.Expr):
                number = _plain(key, value)
                if not isinstance(number, np.float64):
                    raise ValueError(f"{key} is {value!r}; beside SymPy it must be a single number")
                _require(key, self.quantities[key], number)
            elif value.is_number:
                _require(key, self.quantities[key], _real(value))
        exact = {key: sympy.sympify(value, strict=True) for key, value in given.items()}
        return sympy.sympify(self._function(**exact))  # type: ignore[call-arg]

    def _numeric(self, values: dict[str, Any]) -> Any:
        kinds = {_library(value) for value in values.values()} - {""}
        if kinds - {"xarray", "dask"} and len(kinds) > 1:
            raise ValueError(f"{self.__name__}: {' and '.join(sorted(kinds))} arguments do not mix")
        plain = [_plain(key, value) for key, value in values.items()]
        if "xarray" in kinds:
            return _over_names(self.__name__, self.unit, self._block, plain)
        if "dask" in kinds:
            return _over_chunks(self._block, plain)
        if "pandas" in kinds:
            return _over_labels(self.__name__, self._block, plain, values.values())
        return self._block(*plain)

    def _block(self, *values: Any) -> Any:
        """The checked result for plain floats and float arrays."""
        for (key, quantity), value in zip(self.quantities.items(), values, strict=True):
            _require(key, quantity, value)
        with np.errstate(all="ignore"):
            try:
                result = self._generated(*values)
            except ValueError:
                shapes = ", ".join(
                    f"{key} {np.shape(value)}"
                    for key, value in zip(self.parameters, values, strict=True)
                )
                raise ValueError(
                    f"{self.__name__}: these shapes do not fit together: {shapes}"
                ) from None
        if not np.isfinite(result).all():
            raise ValueError(
                f"{self.__name__}: the result is too large or undefined for these arguments"
            )
        return result


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
    taken = REGISTRY.get(function.__name__)
    if taken is not None and taken.__module__ != function.__module__:
        raise ValueError(f"equation {function.__name__} exists already in {taken.__module__}")
    made = Equation(function)
    # Only now, so that a declaration that was refused leaves nothing behind.
    for key, known in made._named.items():
        _SYMBOLS.setdefault(key, known)
    REGISTRY[function.__name__] = cast("Equation[...]", made)
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


def _symbol(name: str, quantity: Quantity) -> sympy.Symbol:
    """The symbol of a quantity, a new one where no equation uses it yet."""
    if name not in symbol_table():
        raise ValueError(f"{name} has no row in symbols.csv{_nearest(name, symbol_table())}")
    listed = symbol_table()[name].unit
    if listed != quantity.unit:
        raise ValueError(f"{name} is annotated in {quantity.unit} but symbols.csv has {listed}")
    if name not in _SYMBOLS:
        return sympy.Symbol(name, **quantity.assumptions)
    known, made = _SYMBOLS[name]
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


def _require(name: str, quantity: Quantity, values: Any) -> None:
    offender = quantity.domain.offender(values)
    if offender is not None:
        unit = "" if quantity.unit == "1" else f" {quantity.unit}"
        raise ValueError(
            f"{name} is {offender:g}{unit}; it must be {quantity.domain}"
            + (f", in {quantity.unit}" if unit else "")
        )


def _in_unit(name: str, value: Any, unit: str) -> Any:
    """A quantity, or an array that states its units, as a number in the wanted unit."""
    if hasattr(value, "_REGISTRY"):
        return _magnitude(name, value, unit)
    if _library(value) == "xarray" and hasattr(value.data, "_REGISTRY"):
        return value.copy(data=_magnitude(name, value.data, unit))
    attributes = getattr(value, "attrs", None)
    stated = attributes.get("units") if isinstance(attributes, Mapping) else None
    if not isinstance(stated, str) or stated == unit:
        return value
    try:
        alike = _dimension(stated) == _dimension(unit)
    except Exception:  # pint says in many ways that it knows no such unit
        alike = False
    if not alike:
        raise ValueError(f"{name} states units {stated!r}; it must be in {unit}")
    return value * to_si(1.0, stated)


def _dimension(unit: str) -> Any:
    return registry().get_dimensionality("" if unit == "1" else unit)


def _magnitude(name: str, value: Any, unit: str) -> Any:
    import pint

    if value._REGISTRY is not registry():
        raise ValueError(
            f"{name} is {value} of another registry, in which units may mean other things; "
            f"use tokenwall.units.registry(), such as {registry()('' if unit == '1' else unit):~}"
        )
    if not hasattr(value, "magnitude"):
        raise ValueError(f"{name} is the unit {value}; it must be a number of it")
    try:
        return value.to("" if unit == "1" else unit).magnitude
    except pint.DimensionalityError:
        raise ValueError(f"{name} is in {value.units}; it must be in {unit}") from None


def _library(value: Any) -> str:
    """Which library's labels or chunks a value brings, or an empty text."""
    library = type(value).__module__.partition(".")[0]
    marks = {"pandas": "axes", "xarray": "data", "dask": "map_blocks"}
    return library if hasattr(value, marks.get(library, "no such library")) else ""


def _plain(name: str, value: Any) -> Any:
    """A number as a float, an array as one of floats; names and chunks stay, labels do not."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return np.float64(_float(value))
    library = _library(value)
    if library == "xarray":
        return value.copy(data=_plain(name, value.data))
    if library == "dask" and value.dtype.kind in "iuf":
        return value.astype(float)
    array = _array(value) if library != "dask" else np.asarray(None)
    if array.dtype.kind not in "iuf":
        shown = repr(value)
        shown = shown if len(shown) < 200 else f"{shown[:150]} ..."
        raise ValueError(f"{name} is {shown}; it must be a number or an array of numbers")
    array = array.astype(float, copy=False)
    return array if array.ndim else array[()]


def _array(value: Any) -> Any:
    """As a plain array, of numbers if there are only real numbers in it."""
    if isinstance(value, np.ma.MaskedArray):  # to compute with what is hidden would be wrong
        return np.asarray(None)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return np.asarray(None)
    if array.dtype.kind != "O":
        return array
    return np.array([_float(v) if _is_real(v) else None for v in array.flat]).reshape(array.shape)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _real(value: sympy.Expr) -> float:
    try:
        return float(value)
    except TypeError:  # a complex one
        return math.nan


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond all floats
        return math.inf if value > 0 else -math.inf
    except ValueError:  # a signalling NaN
        return math.nan


def _over_names(name: str, unit: str, block: Callable[..., Any], plain: list[Any]) -> Any:
    """By the names of xarray; a Dask array inside stays lazy and is judged block by block."""
    import xarray as xr

    try:
        xr.align(*[v for v in plain if _library(v) == "xarray"], join="exact", copy=False)
    except ValueError as error:
        raise ValueError(f"{name}: the labels of the arguments differ: {error}") from None
    result = xr.apply_ufunc(
        block, *plain, dask="parallelized", output_dtypes=[float], keep_attrs=False
    )
    return result.assign_attrs(units=unit)


def _over_chunks(block: Callable[..., Any], plain: list[Any]) -> Any:
    """One task a chunk: nothing is computed, and nothing judged, before its time."""
    import dask.array

    da: Any = dask.array
    arrays = [da.asarray(value) if np.ndim(value) else value for value in plain]
    return da.map_blocks(block, *arrays, dtype=float, meta=np.empty((), dtype=float))


def _over_labels(
    name: str, block: Callable[..., Any], plain: list[Any], given: Iterable[Any]
) -> Any:
    """By the labels of pandas, which must agree in their order too: nothing is realigned."""
    first, *others = sorted(
        (value for value in given if _library(value) == "pandas"), key=lambda value: -value.ndim
    )
    for other in others:
        # As pandas has it, the labels of a series beside a table are those of its columns.
        for ours, theirs in zip(reversed(first.axes), reversed(other.axes), strict=False):
            if not ours.equals(theirs):
                raise ValueError(
                    f"{name}: the labels of the arguments differ: {list(ours)[:4]} ... "
                    f"and {list(theirs)[:4]} ..."
                )
    result = block(*plain)
    if np.shape(result) != first.shape:
        raise ValueError(
            f"{name}: a result of shape {np.shape(result)} does not fit labels of {first.shape}"
        )
    labelled = type(first)(result, *first.axes)
    if labelled.ndim == 1:
        labelled.name = name
    return labelled

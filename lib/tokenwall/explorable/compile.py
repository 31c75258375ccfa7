"""Expressions as programs for the page, and the same expressions evaluated by NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from tokenwall.explorable.controls import Table, digits
from tokenwall.explorable.moves import Grid
from tokenwall.program import check_nodes, compile_program

Place = list[int]


@dataclass
class _Batch:
    grid: Grid | None
    expressions: list[sympy.Expr] = field(default_factory=list)
    call: Callable[..., Sequence[Any]] | None = None


class Programs:
    """All expressions of one explorable, gathered by the grid that they run over.

    Args:
        inputs: names of sliders and fixed values.
        tables: tables computed in advance.
    """

    def __init__(self, inputs: Sequence[str], tables: Sequence[Table]) -> None:
        self.inputs, self.tables = list(inputs), list(tables)
        self.batches: list[_Batch] = []

    def add(self, what: str, expression: Any, grid: Grid | None = None) -> Place:
        """Take an expression in; where its value will be found: program and output.

        Args:
            what: whose expression it is, for the error.
            expression: SymPy or a number.
            grid: the running variable and its values, if it has one.
        """
        try:
            plain = _by_name(sympy.sympify(expression, strict=True))
        except sympy.SympifyError:
            raise ValueError(f"{what} is {expression!r}, no expression or number") from None
        known = self._names(grid)
        for symbol in sorted(plain.free_symbols, key=str):
            if symbol.name not in known:
                raise ValueError(
                    f"{what} uses {symbol.name!r}, which is no slider, fixed value, table or "
                    f"running variable; known are {', '.join(known)}"
                )
        if plain.has(sympy.oo, sympy.zoo, sympy.nan):
            raise ValueError(f"{what} is {plain}: it has no finite value anywhere")
        try:
            check_nodes(plain)
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from None
        index = self._batch(grid)
        outputs = self.batches[index].expressions
        if plain not in outputs:
            outputs.append(plain)
            self.batches[index].call = None
        return [index, outputs.index(plain)]

    def run(self, values: Mapping[str, float]) -> list[list[Any]]:
        """Every expression at one setting, by NumPy.

        Args:
            values: of all sliders and fixed values.
        """
        results = []
        for batch in self.batches:
            known: dict[str, Any] = {name: np.float64(value) for name, value in values.items()}
            if batch.grid is not None:
                known[batch.grid[0]] = np.asarray(batch.grid[1], dtype=float)
            names = self._names(batch.grid)
            with np.errstate(all="ignore"):
                known |= {table.name: table(known) for table in self.tables}
                if batch.call is None:
                    arguments = [_symbol(name) for name in names]
                    batch.call = sympy.lambdify(
                        arguments, batch.expressions, modules="numpy", cse=True
                    )
                results.append(list(batch.call(*[known[name] for name in names])))
        return results

    def spec(self) -> list[dict[str, Any]]:
        """The programs for the page."""
        return [
            {
                "program": compile_program(batch.expressions, self._names(batch.grid)),
                **({"grid": _grid_spec(batch.grid)} if batch.grid is not None else {}),
            }
            for batch in self.batches
        ]

    def _names(self, grid: Grid | None) -> list[str]:
        running = [] if grid is None or grid[0] in self.inputs else [grid[0]]
        names = [*self.inputs, *running]
        usable = [table.name for table in self.tables if set(table.axes) <= set(names)]
        return [*names, *usable]

    def _batch(self, grid: Grid | None) -> int:
        for index, batch in enumerate(self.batches):
            if (batch.grid is None) == (grid is None) and (
                grid is None or batch.grid is None or _same(batch.grid, grid)
            ):
                return index
        self.batches.append(_Batch(grid))
        return len(self.batches) - 1


def _same(one: Grid, other: Grid) -> bool:
    return one[0] == other[0] and bool(np.array_equal(one[1], other[1]))


def _symbol(name: str) -> sympy.Symbol:
    return sympy.Symbol(name, real=True)


def _by_name(expression: sympy.Expr) -> sympy.Expr:
    """One symbol per name, whatever each was assumed to be."""
    named = {symbol: _symbol(symbol.name) for symbol in expression.free_symbols}
    return expression.xreplace(named)


def _grid_spec(grid: Grid) -> dict[str, Any]:
    """An even grid as its ends and length, any other as its values."""
    name, values = grid[0], np.asarray(grid[1], dtype=float)
    low, high = digits(values[[0, -1]])
    ends: dict[str, Any] = {"name": name, "low": low, "high": high, "n": len(values)}
    if len(values) > 2 and low > 0:
        if np.allclose(values, np.geomspace(low, high, len(values)), rtol=1e-9, atol=0):
            return {**ends, "log": True}
    if len(values) > 2 and np.allclose(values, np.linspace(low, high, len(values)), rtol=1e-9):
        return {**ends, "log": False}
    return {"name": name, "values": digits(values)}

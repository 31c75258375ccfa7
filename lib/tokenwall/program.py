"""SymPy expressions as programs: plain data that the page's small interpreter runs.

A program is in single-assignment form. Registers 0 to n-1 hold the arguments, each line of code
appends one register, and ``out`` names the registers that hold the results. It is data, not
script, so a page needs neither ``eval`` nor a relaxed content security policy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import sympy

Program = dict[str, Any]

_VARIADIC: dict[Any, str] = {
    sympy.Add: "add",
    sympy.Mul: "mul",
    sympy.Min: "min",
    sympy.Max: "max",
}
_UNARY: dict[Any, str] = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.Abs: "abs",
    sympy.floor: "floor",
    sympy.ceiling: "ceil",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
}


def compile_program(exprs: sympy.Expr | Sequence[sympy.Expr], args: Sequence[str]) -> Program:
    """Program that evaluates the expressions from named arguments.

    Args:
        exprs: one expression or several; common parts are computed once.
        args: the names of all symbols that occur, in the order of the program's inputs.

    Returns:
        ``{"args": [...], "code": [[op, ...], ...], "out": [...]}``, ready for JSON.

    Raises:
        ValueError: a symbol is not among the arguments, two symbols share a name, a number is not
            real and finite, or a function is not one that both NumPy and the page compute.

    Example:
        >>> rate, size = sympy.symbols("rate size")
        >>> compile_program(size / rate, ["size", "rate"])["code"]
        [['recip', 1], ['mul', 2, 0]]
    """
    given = exprs if isinstance(exprs, Sequence) else [exprs]
    several = [sympy.sympify(expr, strict=True) for expr in given]
    for expr in several:
        check_nodes(expr)
    symbols = set().union(*[expr.free_symbols for expr in several])
    names = sorted(symbol.name for symbol in symbols)
    if len(set(names)) < len(names):
        raise ValueError(f"symbols of one name differ in what they assume: {', '.join(names)}")
    # Names that no argument can have, or a shared part could hide one.
    fresh = sympy.numbered_symbols("shared part ")
    shared, reduced = sympy.cse(several, symbols=fresh)
    emitter = _Emitter(args)
    for name, part in shared:
        emitter.registers[name.name] = emitter.emit(part)
    return {"args": list(args), "code": emitter.code, "out": [emitter.emit(e) for e in reduced]}


def check_nodes(expr: sympy.Basic) -> None:
    """Refuse an expression with a node that the page or NumPy could not evaluate alike.

    Args:
        expr: any SymPy object.

    Raises:
        ValueError: it holds such a node or a number that is not real and finite; the message
            names it.
    """
    allowed = (*_VARIADIC, *_UNARY, sympy.Pow)
    for node in sympy.preorder_traversal(expr):
        if not (node.is_Symbol or node.is_number or isinstance(node, allowed)):
            raise ValueError(
                f"{type(node).__name__} in {expr} has no form in the page; allowed are "
                f"{', '.join(sorted(kind.__name__ for kind in allowed))}"
            )
        if node.is_number and not math.isfinite(_number(node)):
            raise ValueError(f"{node} in {expr} is no real and finite number")


def _number(node: sympy.Expr) -> float:
    try:
        return float(node)
    except (TypeError, OverflowError):  # complex, or beyond all floats
        return math.nan


class _Emitter:
    def __init__(self, args: Iterable[str]) -> None:
        self.registers = {name: index for index, name in enumerate(args)}
        self.inputs = len(self.registers)
        self.code: list[list[Any]] = []

    def emit(self, expr: sympy.Expr) -> int:
        if expr.is_Symbol:
            return self._lookup(expr.name)
        if expr.is_number:
            return self._line("num", float(expr))
        if isinstance(expr, sympy.Pow):
            return self._power(*expr.args)
        for kind, op in _VARIADIC.items():
            if isinstance(expr, kind):
                # SymPy keeps the arguments of Min and Max in an order that changes from run to run.
                ordered = sorted(expr.args, key=sympy.default_sort_key)
                return self._line(op, *[self.emit(arg) for arg in ordered])
        return self._line(_UNARY[type(expr)], self.emit(expr.args[0]))

    def _power(self, base: sympy.Expr, exponent: sympy.Expr) -> int:
        if base == sympy.E:
            return self._line("exp", self.emit(exponent))
        simple = {sympy.Rational(1, 2): "sqrt", sympy.Integer(-1): "recip"}.get(exponent)
        if simple:
            return self._line(simple, self.emit(base))
        return self._line("pow", self.emit(base), self.emit(exponent))

    def _lookup(self, name: str) -> int:
        try:
            return self.registers[name]
        except KeyError:
            known = ", ".join(list(self.registers)[: self.inputs])
            raise ValueError(f"symbol {name} is not among the arguments: {known}") from None

    def _line(self, op: str, *operands: Any) -> int:
        line = [op, *operands]
        if line in self.code:
            return self.inputs + self.code.index(line)
        self.code.append(line)
        return self.inputs + len(self.code) - 1

"""The command `tokenwall`: predictions, tables and equations in a terminal.

Numbers have SI prefixes and at most three digits; `--json` gives them whole and in SI. The command
ends with 0, with 1 where a model does not fit in a machine's memory, and with 2 where a request
cannot be understood; then the reason is on the standard error and nothing on the standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import importlib
import inspect
import io
import json
import math
import pkgutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from tokenwall.equation import REGISTRY, symbol_table
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd

    from tokenwall.equation import Equation
    from tokenwall.serving import Prediction

__all__ = ["main"]

_WIDTH = 80
_FINE, _TOO_LARGE, _BAD = 0, 1, 2

# Option, argument of `predict`, and what it is; all are numbers.
_NUMBERS = (
    ("--devices", "devices", "all devices"),
    ("--batch", "batch", 'sequences in flight on all devices, or "largest" that fits'),
    ("--input", "input_len", "tokens of each prompt"),
    ("--output", "output_len", "tokens generated for each request"),
    ("--weight-bits", "weight_bits", "mean bits of a stored weight, or a format such as q4_k_m"),
    ("--kv-bits", "kv_bits", "bits of a cached number"),
    ("--activation-bits", "activation_bits", "width of the arithmetic: 4, 8, 16 or 32"),
    ("--expert-bits", "expert_bits", "mean bits of a weight of a routed expert"),
    ("--tensor-parallel", "tensor_parallel", "devices that split each matrix"),
    ("--expert-parallel", "expert_parallel", "devices that split the routed experts"),
    ("--pipeline-parallel", "pipeline_parallel", "groups of layers one after another"),
    ("--context-limit", "context_limit", "tokens that a sequence may have, for the table's"),
    ("--price", "price_per_device_hour", "USD for an hour of one device"),
)
_SHOWN = (
    ("tokens_per_second", "all output, prompts included", "token/s"),
    ("decode_tokens_per_second", "all output while decoding", "token/s"),
    ("tokens_per_second_per_user", "one user while decoding", "token/s"),
    ("time_per_output_token", "a decoding step", "s"),
    ("time_to_first_token", "first token of a request alone", "s"),
    ("batch_time", "the whole batch", "s"),
    ("joules_per_token", "energy", "J/token"),
    ("dollars_per_million_tokens", "rent for a million tokens", "USD"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return how it ended.

    Args:
        argv: words after the command's name; by default those of the process.

    Returns:
        0 where all is well, 1 where a model does not fit, 2 where the request is bad.

    Example:
        >>> main(["machines", "h100-s*"])
        key       name             memory  bandwidth  16-bit rate
        h100-sxm  NVIDIA H100 SXM   80 GB  3.35 TB/s  989 TFLOP/s
        0
    """
    parser = _parser()
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    # Held back, so that a request that fails half-way leaves nothing behind.
    held = io.StringIO()
    try:
        with contextlib.redirect_stdout(held):
            code = int(options.run(options))
    except (ValueError, ImportError) as error:
        print(f"tokenwall {options.command}: {error}", file=sys.stderr)
        return _BAD
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(held.getvalue())
        sys.stdout.flush()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tokenwall",
        description="How fast a language model runs on a machine, what limits it, and how sure "
        "that is.",
        epilog="Ends with 0; with 1 where a model does not fit; with 2 where a request is bad.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_sweep(commands)
    for name, run, about in (
        ("machines", _machines, "machines of the table"),
        ("models", _models, "models of the table"),
        ("engines", _engines, "engines with fitted constants"),
    ):
        listing = commands.add_parser(name, help=about, description=f"List the {about}.")
        listing.add_argument("pattern", nargs="?", default="", help="part of a name, or with *")
        listing.add_argument("--json", action="store_true", help="SI numbers as JSON")
        listing.set_defaults(run=run)
    explain = commands.add_parser(
        "explain", help="one equation", description="Show an equation, its units and its source."
    )
    explain.add_argument("equation", help="its name, such as decode_step_time")
    explain.set_defaults(run=_explain)
    return parser


def _add_predict(commands: Any) -> None:
    command = commands.add_parser(
        "predict",
        help="a model on a machine",
        description="Predict a model on a machine, with intervals: of rates and times, where "
        "about nine of ten measurements lay.",
    )
    command.add_argument("model", help='name, such as "Llama 3.1 70B"')
    command.add_argument("machine", help='name of one device, such as "H100 SXM"')
    for option, name, about in _NUMBERS:
        kind = {"batch": _batch, "weight_bits": _stored}.get(name, _number)
        more = {"metavar": "N", "default": argparse.SUPPRESS, "help": about}
        command.add_argument(option, dest=name, type=kind, **more)
    command.add_argument("--engine", default=None, help='key of an engine, or "ideal"')
    command.add_argument("--explain", action="store_true", help="where each microsecond goes")
    command.add_argument("--json", action="store_true", help="whole numbers in SI as JSON")
    command.set_defaults(run=_predict)


def _add_sweep(commands: Any) -> None:
    command = commands.add_parser(
        "sweep",
        help="many models, machines and numbers, as CSV",
        description="Predict all combinations; lists have commas: --batch 1,8,64.",
    )
    command.add_argument("model", help="names with commas between")
    command.add_argument("machine", help="names with commas between")
    for option, name, about in _NUMBERS:
        more = {"metavar": "N,N", "default": argparse.SUPPRESS, "help": about}
        command.add_argument(option, dest=name, type=_several, **more)
    command.add_argument("--engine", default=None, help="keys with commas between")
    command.add_argument(
        "--quantities", default="tokens_per_second,time_per_output_token,fits", help="columns"
    )
    command.set_defaults(run=_sweep)


def _number(text: str) -> float:
    number = float(text)
    return int(number) if math.isfinite(number) and number == int(number) else number


def _batch(text: str) -> float | None:
    return None if text == "largest" else _number(text)


def _stored(text: str) -> float | str:
    """A number of bits, or the name of a format, which `predict` knows or refuses."""
    try:
        return _number(text)
    except ValueError:
        return text


def _several(text: str) -> Any:
    numbers = [_batch(part) for part in text.split(",")]
    return numbers[0] if len(numbers) == 1 else numbers


# What argparse calls a value of the wrong type.
_number.__name__ = _several.__name__ = "number"
_batch.__name__ = 'number or "largest"'


def _given(options: argparse.Namespace) -> dict[str, Any]:
    names = [name for _, name, _ in _NUMBERS]
    return {name: value for name, value in vars(options).items() if name in names}


def _predict(options: argparse.Namespace) -> int:
    from tokenwall.serving import predict

    found = predict(options.model, options.machine, engine=options.engine, **_given(options))
    if options.json:
        print(json.dumps(found.to_dict(), indent=2, allow_nan=False))
    else:
        _show(found, options)
    return _FINE if found.fits else _TOO_LARGE


def _show(found: Prediction, options: argparse.Namespace) -> None:
    devices = getattr(options, "devices", 1)
    print(textwrap.fill(f"{found.model} on {devices} × {found.machine}, engine {found.engine}"))
    print(f"batch {engineering(float(found.batch))}")
    print(f"weights {found.weights}\n" if found.weights else "")
    rows = []
    for key, words, unit in _SHOWN:
        value = getattr(found, key)
        if value is None:
            lacks = "rated power" if key.startswith("joules") else "price"
            rows.append((words, f"no {lacks} in the table", ""))
            continue
        ends = (engineering(float(end), unit) for end in (found.low(key), found.high(key)))
        rows.append((words, engineering(float(value), unit), " .. ".join(ends)))
    print(_table(("", "predicted", "interval"), rows))
    print("\nIntervals of rates and times: about nine of ten measurements lay within.")
    print("Those of energy and price add the ends of power and rent, and are wider.")
    memory = found.memory_bytes
    parts = ("weights", "cache", "activations")
    words = ", ".join(f"{part} {_bytes(getattr(memory, part))}" for part in parts)
    print(f"\nmemory      {words}")
    fits = "fits" if found.fits else "does not fit"
    print(f"            {_bytes(memory.total)} of {_bytes(memory.capacity)}: {fits}")
    print(f"limited by  {found.bound}")
    if found.advice:
        print("\n" + textwrap.fill(_advice(found), _WIDTH))
    if options.explain:
        print("\n" + _parts(found.explain()))


def _advice(found: Prediction) -> str:
    after = found.advice.split("would fit: ", 1)[-1]
    return f"{_bytes(found.shortfall_bytes)} too many; would fit: {after}"


def _bytes(value: Any) -> str:
    return engineering(float(value), "B")


def _parts(parts: pd.DataFrame) -> str:
    rows = [
        (row.phase, row.part, engineering(row.seconds, "s"), f"{row.share:.1%}", row.limit)
        for row in parts.itertuples()
    ]
    return _table(("phase", "part", "time", "share", "limit"), rows, right=(2, 3))


def _sweep(options: argparse.Namespace) -> int:
    from tokenwall.sweep import labels, sweep

    chosen: dict[str, Any] = {"model": _names(options.model), "machine": _names(options.machine)}
    if options.engine is not None:
        chosen["engine"] = _names(options.engine)
    wanted = options.quantities.split(",")
    found = sweep(**chosen, **_given(options), quantities=wanted, progress=False)
    for key in ("bound", "status"):
        if key in found:
            found[key] = labels(found[key])
    frame = found[[*wanted, "status"]].to_dataframe()
    frame = frame.reset_index()[[*found.sizes, *wanted, "status"]]
    frame.to_csv(sys.stdout, index=False, lineterminator="\n")
    return _FINE


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _matching(frame: pd.DataFrame, pattern: str, columns: Iterable[str], kind: str) -> pd.DataFrame:
    """Rows of which some name holds the pattern."""
    wanted = pattern.lower() if set(pattern) & set("*?[") else f"*{pattern.lower()}*"
    kept = [
        key
        for key, row in frame.iterrows()
        if any(fnmatch.fnmatch(str(word).lower(), wanted) for word in (key, *row[list(columns)]))
    ]
    if not kept:
        raise ValueError(f"no {kind} matches {pattern!r}")
    return frame.loc[kept]


def _records(frame: pd.DataFrame) -> int:
    records = []
    for key, row in frame.iterrows():
        plain = {name: _plain(value) for name, value in row.items()}
        records.append({"key": key, **plain})
    print(json.dumps(records, indent=2, allow_nan=False, ensure_ascii=False))
    return _FINE


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    number = float(value)
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 1e6 else number


def _amount(value: float, unit: str = "1") -> str:
    return "-" if math.isnan(value) else engineering(value, unit)


def _machines(options: argparse.Namespace) -> int:
    from tokenwall import data

    names = ("name", "aliases", "vendor", "category")
    frame = _matching(data.machines(), options.pattern, names, "machine")
    if options.json:
        return _records(frame)
    rows = [
        (
            key,
            row["name"],
            _amount(row["memory_capacity"], "B"),
            _amount(row["memory_bandwidth"], "B/s"),
            _amount(row["peak_rate_fp16"], "FLOP/s"),
        )
        for key, row in frame.iterrows()
    ]
    print(_table(("key", "name", "memory", "bandwidth", "16-bit rate"), rows, right=(2, 3, 4)))
    return _FINE


def _models(options: argparse.Namespace) -> int:
    from tokenwall import data

    names = ("name", "aliases", "family", "architecture")
    frame = _matching(data.models(), options.pattern, names, "model")
    if options.json:
        return _records(frame)
    rows = [
        (
            key,
            row["name"],
            _amount(row["parameters"] / 1e9),
            _amount(row["active_parameters"] / 1e9),
            _amount(row["context_limit"]),
        )
        for key, row in frame.iterrows()
    ]
    heads = ("key", "name", "weights/10⁹", "active/10⁹", "longest")
    print(_table(heads, rows, right=(2, 3, 4)))
    return _FINE


def _engines(options: argparse.Namespace) -> int:
    from tokenwall.serving import engine_table, stacks
    from tokenwall.serving.engines import NINE_IN_TEN

    table = engine_table().pivot(index="key", columns="quantity", values="value")
    stored = stacks().groupby("key")[["family", "aliases", "defaults"]].agg(" | ".join)
    whole = table.join(stored).fillna("")
    frame = _matching(whole, options.pattern, ("family", "aliases"), "engine")
    if options.json:
        return _records(frame[list(table.columns)])
    rows = [
        (
            key,
            f"{row['bandwidth_fraction']:.0%}",
            f"{row['compute_fraction']:.0%}",
            engineering(row["overhead_per_step"], "s"),
            f"× {math.exp(NINE_IN_TEN * row['decode_spread']):.2f}",
        )
        for key, row in frame.iterrows()
    ]
    heads = ("key", "bandwidth", "arithmetic", "per step", "nine in ten within")
    print(_table(heads, rows, right=(1, 2, 3, 4)))
    return _FINE


def _explain(options: argparse.Namespace) -> int:
    from tokenwall.equation import _nearest

    known = _equations()
    if options.equation not in known:
        hint = _nearest(options.equation, known)
        raise ValueError(f"equation {options.equation!r} is unknown{hint}")
    shown = known[options.equation]
    table = symbol_table()
    print(f"{shown.__name__} ({shown.__module__})\n")
    print(_folded(f"{shown.__name__} = {shown.expr}") + f"\n\nLaTeX: {shown.latex}\n")
    rows = [
        (name, quantity.unit, str(quantity.domain), table[name].latex)
        for name, quantity in shown.quantities.items()
    ]
    rows.append((f"gives {shown.__name__}", shown.unit, "", table[shown.__name__].latex))
    print(_table(("", "unit", "allowed", "LaTeX"), rows))
    print(f"\nsource  {shown.source.split(' Derivation:')[0]}")
    print(f"page    {shown.derivation or 'book/reference/equations'}\n")
    print(inspect.cleandoc(shown.__doc__ or "").split("\nSource:")[0].rstrip())
    return _FINE


def _equations() -> dict[str, Equation[...]]:
    """Every equation, from the modules that hold one."""
    root = resources.files("tokenwall")
    for module in pkgutil.iter_modules([str(root)]):
        source = root.joinpath(f"{module.name}.py")
        if not module.ispkg and "\n@equation\n" in source.read_text("utf-8"):
            importlib.import_module(f"tokenwall.{module.name}")
    return REGISTRY


def _folded(text: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent="    ", break_long_words=False)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns as wide as they need to be; names are cut where a line would pass 80 characters."""
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    over = sum(widths) + 2 * (len(widths) - 1) - _WIDTH
    if over > 0 and heads[1] == "name":
        widths[1] = max(widths[1] - over, 8)
    lines = []
    for row in (heads, *rows):
        cells = [_cut(text, width) for text, width in zip(row, widths, strict=True)]
        cells = [
            text.rjust(widths[i]) if i in right else text.ljust(widths[i])
            for i, text in enumerate(cells)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


if __name__ == "__main__":
    sys.exit(main())

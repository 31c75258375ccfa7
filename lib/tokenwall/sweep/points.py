"""Predictions of many points, cell by cell; what cannot be is nan, with a code that says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tokenwall.serving import Device, Engine, Shape, decode_step_times, device_of, predict, shape_of
from tokenwall.serving.stored import stored_bits
from tokenwall.serving.workload import fewest_devices, workload
from tokenwall.sweep.request import NAMES, QUANTITIES, Request, defaults, engine_of

__all__ = ["STATUS", "fill"]

# What became of a point, in the order of the codes.
STATUS = (
    "predicted",
    "context_too_long",
    "layout_impossible",
    "nothing_fits",
    "table_lacks_a_number",
    "refused",
)
_LONG, _LAYOUT, _NOTHING, _TABLE, _REFUSED = range(1, 6)
_LAYOUTS = ("devices", "tensor_parallel", "expert_parallel", "pipeline_parallel")
# Points of one call: its arrays stay in the processor's cache.
_BLOCK = 16384
_FAST_BLOCK = 1 << 18
_FAST = ("time_per_output_token", "tokens_per_second_per_user", "decode_tokens_per_second")
_REST = (*_LAYOUTS, "weight_bits", "kv_bits", "activation_bits", "expert_bits")
_FAST_OUTER = ("devices", "weight_bits", "kv_bits")

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Cell:
    """One model on one machine with one engine; shape and device None where a table lacks one."""

    shape: Shape | None
    device: Device | None
    engine: Engine | None


def fill(
    request: Request, index: Mapping[str, Any], into: Columns, *, threads: int = 1
) -> Iterator[int]:
    """Predict a part of a sweep and write it into arrays.

    Args:
        request: the sweep.
        index: for each axis the places wanted.
        into: an array for each quantity and for "status", in the shape of the part.
        threads: blocks at a time, where the fast way is open.

    Yields:
        The number of points written since the last.
    """
    fast = _is_fast(request)
    outer = [name for name in request.axes if name in (*NAMES, *(_FAST_OUTER if fast else ()))]
    inner = [name for name in request.axes if name not in outer]
    places = [list(request.axes).index(name) for name in outer]
    views = {key: np.moveaxis(array, places, range(len(places))) for key, array in into.items()}
    values = {name: np.asarray(request.axes[name], dtype=float)[index[name]] for name in inner}
    for spot in np.ndindex(*(len(index[name]) for name in outer)):
        chosen = {
            name: request.axes[name][index[name][place]]
            for name, place in zip(outer, spot, strict=True)
        }
        saturated = request.fixed.get("batch", 1) is None
        cell = _cell({**request.fixed, **chosen}, saturated=saturated)
        numbers = {k: v for k, v in {**request.fixed, **chosen}.items() if k not in NAMES}
        numbers = _with_bits(numbers, cell, chosen.get("model", request.fixed.get("model")))
        target = {key: view[(*spot, ...)] for key, view in views.items()}
        layout = _layout(cell, numbers, values)
        shape = tuple(len(values[name]) for name in inner)
        for slab in _slabs(shape, _FAST_BLOCK if fast else _BLOCK):
            flat = _flat(values, inner, slab)
            size = int(np.prod([part.stop - part.start for part in slab], dtype=int))
            status = _status(cell, {**numbers, **flat}, size)
            status = np.maximum(status, _flat_layout(layout, slab, size))
            way = _fast if fast else _points
            found = way(request, cell, numbers, flat, status, threads)
            for key, array in found.items():
                target[key][slab] = array.reshape(target[key][slab].shape)
            yield size


def _is_fast(request: Request) -> bool:
    """Whether `decode_step_times` can answer: steps alone, of one group of devices."""
    plain = all(
        name in request.fixed and request.fixed[name] is None
        for name in ("activation_bits", "expert_bits", "tensor_parallel", "expert_parallel")
    )
    one = request.fixed.get("pipeline_parallel") == 1
    largest = request.fixed.get("batch", 1) is None
    same = _one_width(request)
    return plain and one and same and not largest and set(request.quantities) <= set(_FAST)


def _with_bits(numbers: dict[str, Any], cell: _Cell, model: Any) -> dict[str, Any]:
    """The numbers with the stored bits of this model; bits that are an axis stay as they are."""
    if cell.shape is None or "weight_bits" not in numbers:
        return numbers
    stored = stored_bits(model, cell.shape, numbers["weight_bits"], numbers.get("expert_bits"))
    both = {"weight_bits": stored.weight_bits, "expert_bits": stored.expert_bits}
    return {**numbers, **{name: bits for name, bits in both.items() if name in numbers}}


def _one_width(request: Request) -> bool:
    """Whether all weights of each model have the same bits."""
    bits = request.fixed.get("weight_bits", 16)
    if bits is not None and not isinstance(bits, str):
        return True
    models = request.axes.get("model", (request.fixed.get("model"),))
    try:
        return all(stored_bits(each, shape_of(each), bits).expert_bits is None for each in models)
    except ValueError:
        return False


def _cell(chosen: Mapping[str, Any], *, saturated: bool) -> _Cell:
    try:
        shape, device = shape_of(chosen["model"]), device_of(chosen["machine"])
    except ValueError:
        return _Cell(None, None, None)
    return _Cell(shape, device, engine_of(chosen["engine"], device, saturated=saturated))


def _slabs(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Slices that cut a grid into parts of at most some points, in the order of memory."""
    whole = tuple(slice(0, length) for length in shape)
    if np.prod(shape, dtype=float) <= most or not shape:
        yield whole
        return
    rest = int(np.prod(shape[1:], dtype=float))
    step = max(1, most // rest)
    for start in range(0, shape[0], step):
        head = slice(start, min(start + step, shape[0]))
        for tail in [whole[1:]] if rest <= most else _slabs(shape[1:], most):
            yield (head, *tail)


def _flat(values: Columns, inner: list[str], slab: tuple[slice, ...]) -> Columns:
    """Contiguous columns of one slab, so that a number does not depend on how a grid is cut."""
    size = [part.stop - part.start for part in slab]
    columns = {}
    for place, name in enumerate(inner):
        ones = [1] * len(inner)
        ones[place] = size[place]
        column = values[name][slab[place]].reshape(ones)
        columns[name] = np.ascontiguousarray(np.broadcast_to(column, size)).ravel()
    return columns


def _layout(cell: _Cell, numbers: Mapping[str, Any], values: Columns) -> npt.NDArray[Any] | None:
    """Status of each way to lay a model over devices, on the grid of all inner axes."""
    if cell.shape is None or cell.device is None or cell.engine is None:
        return None
    grid = np.zeros([len(v) if name in _LAYOUTS else 1 for name, v in values.items()], dtype="i1")
    for spot in np.ndindex(*grid.shape):
        ways = {
            name: column[place]
            for (name, column), place in zip(values.items(), spot, strict=True)
            if name in _LAYOUTS
        }
        try:
            workload(cell.shape, cell.device, cell.engine, **_trial(numbers, ways))
        except ValueError:
            grid[spot] = _LAYOUT
    return grid


def _trial(numbers: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """Arguments of a workload of one token, with the layout of a request."""
    given = {
        key: value
        for key, value in numbers.items()
        if key not in ("price_per_device_hour", "context_limit")
    }
    plain = {key: value for key, value in defaults().items() if key in _REST}
    plain["weight_bits"] = 16  # stands in where the bits are an axis
    return {**plain, **given, **columns, "batch": 1, "input_len": 0, "output_len": 1}


def _flat_layout(
    layout: npt.NDArray[Any] | None, slab: tuple[slice, ...], size: int
) -> npt.NDArray[Any]:
    if layout is None:
        return np.zeros(size, dtype="i1")
    sizes = zip(slab, layout.shape, strict=True)
    part = layout[tuple(cut if length > 1 else slice(None) for cut, length in sizes)]
    shape = [s.stop - s.start for s in slab]
    return np.ascontiguousarray(np.broadcast_to(part, shape)).ravel()


def _status(cell: _Cell, numbers: Mapping[str, Any], size: int) -> npt.NDArray[Any]:
    if cell.shape is None or cell.device is None:
        return np.full(size, _TABLE, dtype="i1")
    total = np.asarray(numbers["input_len"] + numbers["output_len"])
    return np.broadcast_to(np.where(total > cell.shape.context_limit, _LONG, 0), size).astype("i1")


def _empty(request: Request, size: int) -> Columns:
    blank = {"f8": np.nan, "i1": -1, "?": False}
    return {
        key: np.full(size, blank[QUANTITIES[key].dtype], dtype=QUANTITIES[key].dtype)
        for key in request.quantities
    }


def _fast(
    request: Request,
    cell: _Cell,
    numbers: Mapping[str, Any],
    flat: Columns,
    status: npt.NDArray[Any],
    threads: int,
) -> Columns:
    found: Columns = {"status": status}
    if cell.shape is None or not (status == 0).any():
        return {**_empty(request, len(status)), **found}
    both: dict[str, Any] = {**numbers, **flat}
    context = both["input_len"] + both["output_len"] / 2
    # Where a context is too long any allowed one stands in; its result is dropped.
    allowed = np.where(status == 0, context, 0.0)
    step = decode_step_times(
        cell.shape,
        cell.device,
        both["batch"],
        allowed,
        devices=both["devices"],
        weight_bits=both["weight_bits"],
        kv_bits=both["kv_bits"],
        engine=cell.engine,
        threads=threads,
    )
    step[status != 0] = np.nan
    for key in request.quantities:
        found[key] = step if key == _FAST[0] else (1 if key == _FAST[1] else both["batch"]) / step
    return found


def _points(
    request: Request,
    cell: _Cell,
    numbers: Mapping[str, Any],
    flat: Columns,
    status: npt.NDArray[Any],
    threads: int,
) -> Columns:
    found = {**_empty(request, len(status)), "status": status}
    if cell.shape is None or cell.device is None or cell.engine is None:
        return found
    if numbers.get("batch", 1) is None:
        _mark_what_cannot_fit(cell, numbers, flat, status)
    _predict(request, cell, numbers, flat, found, np.flatnonzero(status == 0))
    return found


def _mark_what_cannot_fit(
    cell: _Cell, numbers: Mapping[str, Any], flat: Columns, status: npt.NDArray[Any]
) -> None:
    """Status of points at which not one sequence fits, for a batch that is the largest."""
    if cell.shape is None or cell.device is None or cell.engine is None:
        return
    if np.isnan(cell.device.capacity):
        status[status == 0] = _TABLE
        return
    where = np.flatnonzero(status == 0)
    if not where.size:
        return
    columns = {name: column[where] for name, column in flat.items()}
    asked = {**numbers, **columns}
    try:
        trial = _trial(numbers, {k: v for k, v in columns.items() if k in _REST})
        if trial.get("tensor_parallel") is None and trial.get("expert_parallel") is None:
            # As `predict` lays out a server that takes as much as fits.
            split = fewest_devices(
                cell.shape,
                cell.device,
                np.asarray(trial["devices"]) // np.asarray(trial["pipeline_parallel"]),
                trial["weight_bits"] if trial["expert_bits"] is None else trial["expert_bits"],
            )
            trial["tensor_parallel"] = asked["tensor_parallel"] = split
        copies = workload(cell.shape, cell.device, cell.engine, **trial).copies
        alone = {**asked, "batch": copies}
        memory = predict(cell.shape, cell.device, engine=cell.engine, **alone).memory_bytes
    except ValueError:
        return
    over = memory.total > cell.engine.memory_fraction * memory.capacity
    status[where[np.broadcast_to(over, where.shape)]] = _NOTHING


def _predict(
    request: Request,
    cell: _Cell,
    numbers: Mapping[str, Any],
    flat: Columns,
    found: Columns,
    where: npt.NDArray[Any],
) -> None:
    """Predict some points; halves of them, where one among them is refused."""
    if not where.size:
        return
    asked = {**numbers, **{name: column[where] for name, column in flat.items()}}
    try:
        prediction = predict(cell.shape, cell.device, engine=cell.engine, **asked)
    except ValueError:
        if where.size == 1:
            found["status"][where] = _REFUSED
            return
        middle = where.size // 2
        for half in (where[:middle], where[middle:]):
            _predict(request, cell, numbers, flat, found, half)
        return
    for key in request.quantities:
        found[key][where] = QUANTITIES[key].read(prediction)

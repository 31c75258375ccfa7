"""Lists of arguments become named axes: predictions as an xarray dataset, in memory or lazy."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tokenwall.serving import device_of, shape_of
from tokenwall.sweep.points import STATUS, fill
from tokenwall.sweep.request import (
    ARGUMENTS,
    BOUNDS,
    NAMES,
    QUANTITIES,
    Request,
    engine_of,
    label,
    request_of,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["QUANTITIES", "STATUS", "computed", "labels", "reasons", "sweep"]

_USUAL = (
    "tokens_per_second",
    "tokens_per_second_per_user",
    "time_per_output_token",
    "time_to_first_token",
    "memory_total",
    "fits",
    "bound",
    "joules_per_token",
    "dollars_per_million_tokens",
)


def sweep(
    *,
    quantities: Sequence[str] = _USUAL,
    intervals: bool = False,
    chunks: Any = None,
    progress: bool | None = None,
    threads: int = 2,
    **arguments: Any,
) -> xr.Dataset:
    """Predictions over all combinations of the lists among the arguments.

    The arguments are those of `tokenwall.predict`. A list or an array of one becomes an axis of the
    result, in the order in which the axes are written; anything else holds for all points. Points
    that cannot be, such as a context longer than a model allows, are nan, and `status` says why;
    `reasons` counts them. Where only times and rates of decoding are asked for, the grid goes
    through `decode_step_times`, which is some ten times as fast.

    Args:
        quantities: names of data variables, see `QUANTITIES`.
        intervals: whether to add low and high ends; `Prediction` says what they hold.
        chunks: None to compute at once; else lazy, in blocks: the most points of a block, or
            lengths by name of axis, or "auto" of dask. Compute with the dataset's own methods or
            with `computed`; an active `dask.distributed` client is used.
        progress: whether to show a bar. By default on a terminal, after a second.
        threads: blocks computed at a time, where decoding alone is asked for.
        **arguments: of `tokenwall.predict`; `model` and `machine` are needed.

    Returns:
        Data variables with `units` and `long_name`. Models and machines are named as the caller
        named them; `model_name` and `machine_name` are the printed names, `engine_key` is the
        engine whose constants were used.

    Raises:
        ValueError: an argument, a name or a quantity is unknown, or a number is not allowed for
            any model; the nearest names are given.

    Example:
        >>> found = sweep(model=["Llama 3.1 8B", "Llama 3.1 70B"], machine="H100 SXM",
        ...               batch=[1, 8, 64], quantities=["time_per_output_token", "fits"])
        >>> dict(found.sizes), found["time_per_output_token"].attrs["units"]
        ({'model': 2, 'batch': 3}, 's')
        >>> found["fits"].sel(batch=1).values.tolist()
        [True, False]
    """
    request = request_of(arguments, quantities, intervals=intervals)
    if chunks is None:
        return _dataset(request, _in_memory(request, progress, threads))
    return _dataset(request, _lazily(request, chunks))


def _in_memory(request: Request, progress: bool | None, threads: int) -> dict[str, Any]:
    columns = _columns(request.shape, request)
    index = {name: np.arange(len(values)) for name, values in request.axes.items()}
    total = int(np.prod(request.shape, dtype=int))
    with _bar(progress, total) as advance:
        for size in fill(request, index, columns, threads=threads):
            advance(size)
    return columns


def _columns(shape: Sequence[int], request: Request) -> dict[str, npt.NDArray[Any]]:
    made = {key: np.empty(shape, dtype=QUANTITIES[key].dtype) for key in request.quantities}
    return {**made, "status": np.empty(shape, dtype="i1")}


@contextlib.contextmanager
def _bar(progress: bool | None, total: int) -> Any:
    """What to call with each number of finished points."""
    if progress is False:
        yield lambda size: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda size: None
        return
    silent = None if progress is None else False
    wait = 1.0 if progress is None else 0.0
    with tqdm(total=total, unit=" points", unit_scale=True, disable=silent, delay=wait) as bar:
        yield bar.update


def _lazily(request: Request, chunks: Any) -> dict[str, Any]:
    da: Any = importlib.import_module("dask.array")
    shape = request.shape
    if not shape:
        raise ValueError("chunks are given but no argument is a list; there is nothing to cut")
    blocks = da.core.normalize_chunks(**_chunked(request, chunks), shape=shape)
    pairs: list[Any] = []
    for place, (length, sizes) in enumerate(zip(shape, blocks, strict=True)):
        pairs += [da.arange(length, chunks=(sizes,)), (place,)]
    names = (*request.quantities, "status")
    stack = da.blockwise(
        _lazy_block,
        (len(shape), *range(len(shape))),
        *pairs,
        new_axes={len(shape): len(names)},
        dtype=float,
        meta=np.empty((0,) * (len(shape) + 1)),
        align_arrays=False,
        concatenate=True,
        request=request,
    )
    kinds = {key: "i1" if key == "status" else QUANTITIES[key].dtype for key in names}
    return {key: stack[place].astype(kinds[key]) for place, key in enumerate(names)}


def _chunked(request: Request, chunks: Any) -> dict[str, Any]:
    if isinstance(chunks, Mapping):
        unknown = [name for name in chunks if name not in request.axes]
        if unknown:
            raise ValueError(
                f"chunks name {', '.join(unknown)}; the axes are {', '.join(request.axes)}"
            )
        return {"chunks": tuple(chunks.get(name, -1) for name in request.axes)}
    if isinstance(chunks, str) and chunks == "auto":
        return {"chunks": "auto", "dtype": np.dtype(float)}
    if isinstance(chunks, int) and chunks >= 1:
        return {"chunks": "auto", "limit": 8 * chunks, "dtype": np.dtype(float)}
    raise ValueError(
        f"chunks is {chunks!r}; it must be a number of points, lengths by axis, or 'auto'"
    )


def _lazy_block(*places: npt.NDArray[Any], request: Request) -> npt.NDArray[Any]:
    """One block of every quantity, stacked; the places come as one array for each axis."""
    names = (*request.quantities, "status")
    stack = np.empty((len(names), *(len(place) for place in places)))
    index = dict(zip(request.axes, places, strict=True))
    for _ in fill(request, index, dict(zip(names, stack, strict=True))):
        pass
    return stack


def _dataset(request: Request, columns: Mapping[str, Any]) -> xr.Dataset:
    import xarray as xr

    dims = tuple(request.axes)
    variables = {}
    for key, values in columns.items():
        variables[key] = (dims, values, _attributes(key))
    return xr.Dataset(variables, coords=_coordinates(request), attrs=_notes(request))


def _attributes(key: str) -> dict[str, Any]:
    if key == "status":
        return {"long_name": "what became of the point", **_flags(range(len(STATUS)), STATUS)}
    attributes = {"units": QUANTITIES[key].unit, "long_name": QUANTITIES[key].long_name}
    if key == "bound":
        return {**attributes, **_flags((-1, *range(len(BOUNDS))), ("none", *BOUNDS))}
    return attributes


def _flags(codes: Any, words: Sequence[str]) -> dict[str, Any]:
    return {"flag_values": list(codes), "flag_meanings": " ".join(words)}


def _coordinates(request: Request) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in {**request.axes, **request.fixed}.items():
        dims = (name,) if name in request.axes else ()
        if name in NAMES:
            if dims or value is not None:
                words = [label(one) for one in value] if dims else label(value)
                made[name] = (dims, words, {"long_name": name})
        elif value is not None:
            about = ARGUMENTS[name]
            made[name] = (dims, value, {"units": about.unit, "long_name": about.long_name})
    for name in ("model", "machine"):
        words = [_printed(name, one) for one in request.given(name)]
        dims = (name,) if name in request.axes else ()
        made[f"{name}_name"] = (dims, words if dims else words[0])
    if "engine" not in request.axes:
        full = request.fixed.get("batch", 1) is None
        named = request.fixed["engine"]
        keys = [_engine_key(named, one, saturated=full) for one in request.given("machine")]
        dims = ("machine",) if "machine" in request.axes else ()
        made["engine_key"] = (dims, keys if dims else keys[0])
    return made


def _printed(name: str, value: Any) -> str:
    try:
        return shape_of(value).name if name == "model" else device_of(value).name
    except ValueError:
        return label(value)


def _engine_key(engine: Any, machine: Any, *, saturated: bool) -> str:
    try:
        return engine_of(engine, device_of(machine), saturated=saturated).name
    except ValueError:
        return ""


def _notes(request: Request) -> dict[str, Any]:
    """What the tables lack, in words, so that no gap is silent."""
    missing = []
    for name, make in (("model", shape_of), ("machine", device_of)):
        for one in request.given(name):
            try:
                found: Any = make(one)
            except ValueError as error:
                missing.append(f"{label(one)}: {error}")
                continue
            if name == "machine":
                missing += _gaps(request, label(one), found)
    notes = {"title": "Predictions of tokenwall", "missing": "; ".join(missing)}
    if request.fixed.get("batch", 1) is None:
        notes["batch"] = "as many sequences as fit"
    return notes


def _gaps(request: Request, name: str, device: Any) -> list[str]:
    wanted = " ".join(request.quantities)
    priced = "price_per_device_hour" in request.axes or request.fixed["price_per_device_hour"]
    gaps = []
    if "joules" in wanted and np.isnan(device.tdp):
        gaps.append(f"{name}: no rated power, so no joules_per_token")
    if "dollars" in wanted and np.isnan(device.rent) and not priced:
        gaps.append(f"{name}: no rent, so no dollars_per_million_tokens")
    if "memory" in wanted and np.isnan(device.capacity):
        gaps.append(f"{name}: no memory_capacity")
    return gaps


def reasons(dataset: xr.Dataset) -> dict[str, int]:
    """How many points of a sweep have which status; those of nan and why.

    Args:
        dataset: of `sweep`; a lazy one is computed.

    Example:
        >>> found = sweep(model="Llama 2 7B", machine="A100", input_len=[1000, 8000])
        >>> reasons(found)
        {'predicted': 1, 'context_too_long': 1}
    """
    counts = np.bincount(np.asarray(dataset["status"]).ravel(), minlength=len(STATUS))
    return {word: int(count) for word, count in zip(STATUS, counts, strict=True) if count}


def labels(variable: xr.DataArray) -> xr.DataArray:
    """A variable of codes, such as bound or status, in words.

    Args:
        variable: one that has `flag_values` and `flag_meanings`.

    Raises:
        ValueError: it has none.

    Example:
        >>> found = sweep(model="Llama 2 7B", machine="A100", batch=[1, 400])
        >>> labels(found["bound"]).values.tolist()
        ['memory', 'capacity']
    """
    if "flag_meanings" not in variable.attrs:
        raise ValueError(f"{variable.name} holds no codes; only bound and status do")
    words = np.array(variable.attrs["flag_meanings"].split())
    return variable.copy(data=words[np.asarray(variable) - variable.attrs["flag_values"][0]])


def computed(lazy: Any, *, progress: bool | None = None) -> Any:
    """A lazy sweep, or anything made of one, computed, with a bar where it takes long.

    Args:
        lazy: dataset or array of `sweep` with `chunks`, or a reduction of one.
        progress: whether to show a bar. By default on a terminal, after a second.

    Returns:
        The same in memory; on the cluster of the active `dask.distributed` client, if there is
        one.

    Example:
        >>> grid = sweep(model="Llama 2 7B", machine="A100", batch=[1, 2, 4], chunks=2)
        >>> computed(grid["tokens_per_second"].max() > 1).item()
        True
    """
    if progress is False or (progress is None and not sys.stderr.isatty()):
        return lazy.compute()
    client = _client()
    if client is not None:
        held = lazy.persist()
        distributed: Any = importlib.import_module("distributed")
        distributed.progress(held)
        return held.compute()
    diagnostics: Any = importlib.import_module("dask.diagnostics")
    with diagnostics.ProgressBar(minimum=0.0 if progress else 1.0, out=sys.stderr):
        return lazy.compute()


def _client() -> Any:
    """The active client of dask.distributed, or None."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        return None

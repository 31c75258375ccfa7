"""Uncertain inputs: drawn together, ranked by what they do, and moved one at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tokenwall import data, sensitivity
from tokenwall.data.facts import interval
from tokenwall.serving import Engine, device_of, engine_table, predict, shape_of
from tokenwall.serving.engines import CONSTANTS, NINE_IN_TEN
from tokenwall.steps import lifetime_token_rate
from tokenwall.sweep.request import (
    ARGUMENTS,
    NAMES,
    QUANTITIES,
    Request,
    engine_of,
    nearest,
    request_of,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "SOURCES",
    "Uncertain",
    "monte_carlo",
    "quantiles",
    "ranking",
    "sobol",
    "tornado",
    "uncertain_inputs",
]

Array = npt.NDArray[np.float64]

# Where uncertainty comes from, in the order in which inputs are listed.
SOURCES = ("engine", "machine", "power", "price", "residual")
_SPREADS = ("decode_spread", "prompt_spread", "served_spread")
# A factor on a rate of the machine is a factor on every share of it that the engine reaches.
_SHARES = {
    "memory_bandwidth": ("bandwidth_fraction", "cache_fraction"),
    "peak_rate_fp16": (
        "compute_fraction",
        "prompt_fraction",
        "attention_fraction",
        "prompt_attention_fraction",
    ),
}


@dataclass(frozen=True)
class Uncertain:
    """One uncertain input and how it is distributed.

    With a standard error it is normal, cut at both ends; with a spread log-normal; with neither a
    triangle over the interval, highest at the value; over its logarithm, if the interval is wider
    than a factor of two.

    Attributes:
        name: of the input.
        value: its central value.
        low: lower end; for a spread, of nine draws in ten.
        high: upper end.
        standard_error: of the value.
        spread: standard deviation of the logarithm.
        source: one of `SOURCES`.
    """

    name: str
    value: float
    low: float
    high: float
    standard_error: float = 0.0
    spread: float = 0.0
    source: str = "engine"

    def at(self, share: Any) -> Any:
        """Value below which a share of the draws lies.

        Args:
            share: between 0 and 1, a number or an array.

        Example:
            >>> round(float(Uncertain("x", 1.0, 0.8, 1.2).at(0.5)), 6)
            1.0
        """
        from scipy import stats

        if self.spread:
            return self.value * np.exp(self.spread * stats.norm.ppf(share))
        width = self.high - self.low
        if width == 0:
            return np.full(np.shape(share), self.value)[()]
        if self.standard_error:
            ends = [(end - self.value) / self.standard_error for end in (self.low, self.high)]
            return stats.truncnorm.ppf(share, *ends, loc=self.value, scale=self.standard_error)
        if 0 < 2 * self.low < self.high:
            low, value, high = (math.log(end) for end in (self.low, self.value, self.high))
            mode, width = (value - low) / (high - low), high - low
            return np.exp(stats.triang.ppf(share, mode, loc=low, scale=width))
        mode = (self.value - self.low) / width
        return stats.triang.ppf(share, mode, loc=self.low, scale=width)


def uncertain_inputs(
    machine: Any, *, engine: str | Engine | None = None, sources: Sequence[str] = SOURCES
) -> list[Uncertain]:
    """The uncertain inputs of predictions on a machine, those with an interval in a table.

    The engine's constants have the standard errors and ends of their fit, taken as independent.
    `residual` is the spread of measurements about predictions. It was found on rows that no fit had
    seen and so holds the errors of the constants already.

    Args:
        machine: as in `tokenwall.predict`.
        engine: as in `tokenwall.predict`.
        sources: which kinds of input, of `SOURCES`.

    Raises:
        ValueError: a name or a source is unknown.

    Example:
        >>> names = [one.name for one in uncertain_inputs("H100 SXM", sources=["price", "power"])]
        >>> names
        ['power_share', 'rental_price']
    """
    for one in sources:
        if one not in SOURCES:
            raise ValueError(f"source {one!r} is unknown; {nearest(one, SOURCES)}")
    device = device_of(machine)
    constants = engine_of(engine, device)
    found = {
        "engine": lambda: _constants(constants),
        "machine": lambda: _rates(device.key),
        "power": lambda: [] if math.isnan(device.tdp) else [_power()],
        "price": lambda: _prices(device),
        "residual": lambda: _residuals(constants),
    }
    listed = [one for source in SOURCES if source in sources for one in found[source]()]
    return [one for one in listed if one.spread or one.high > one.low]


def _constants(constants: Engine) -> list[Uncertain]:
    table = engine_table()
    rows = table[(table["key"] == constants.name) & ~table["quantity"].isin(_SPREADS)]
    made = []
    for row in rows.itertuples():
        value = float(getattr(constants, row.quantity))
        low, high = min(float(row.low), value), max(float(row.high), value)
        made.append(Uncertain(row.quantity, value, low, high, float(row.standard_error)))
    return made


def _rates(key: str) -> list[Uncertain]:
    """Factors on the rates of a machine, where the table has an interval."""
    rows = data.chosen("machines")
    rows = rows[(rows["key"] == key) & rows["quantity"].isin(list(_SHARES))]
    made = []
    for row in rows.itertuples():
        ends = [row.si_value if math.isnan(end) else end for end in (row.si_low, row.si_high)]
        low, high = (float(end / row.si_value) for end in ends)
        made.append(Uncertain(row.quantity, 1.0, low, high, source="machine"))
    return made


def _power() -> Uncertain:
    value, low, high = interval("decoding-accelerator", "power_share")
    return Uncertain("power_share", value, low, high, source="power")


def _prices(device: Any) -> list[Uncertain]:
    if math.isnan(device.rent):
        return []
    ends = (3600 * device.rent_low, 3600 * device.rent_high)
    return [Uncertain("rental_price", 3600 * device.rent, *ends, source="price")]


def _residuals(constants: Engine) -> list[Uncertain]:
    made = []
    spreads = ("decode_spread", "prompt_spread")
    for name, spread in zip(("step_residual", "prompt_residual"), spreads, strict=True):
        width = getattr(constants, spread)
        far = math.exp(NINE_IN_TEN * width)
        made.append(Uncertain(name, 1.0, 1 / far, far, spread=width, source="residual"))
    return made


def monte_carlo(
    *,
    draws: int = 1000,
    seed: int = 0,
    quantities: Sequence[str] = ("tokens_per_second", "time_per_output_token"),
    sources: Sequence[str] = SOURCES,
    **arguments: Any,
) -> xr.Dataset:
    """Predictions with the uncertain inputs drawn at random, the same for the same seed.

    Args:
        draws: how many.
        seed: of the generator.
        quantities: names of data variables, see `QUANTITIES`.
        sources: which kinds of input are drawn, see `uncertain_inputs`.
        **arguments: of `tokenwall.predict`, for one model, machine and engine; numeric ones may be
            lists, and become axes.

    Returns:
        The quantities with an axis `draw` before all others, and each input along `draw`.

    Raises:
        ValueError: as `sweep` and `tokenwall.predict`; or draws is not a whole number above 0.

    Example:
        >>> drawn = monte_carlo(model="Llama 3.1 8B", machine="H100 SXM", batch=[1, 64], draws=200)
        >>> low, high = quantiles(drawn, (0.05, 0.95))["time_per_output_token"].sel(batch=1).values
        >>> central = predict("Llama 3.1 8B", "H100 SXM").time_per_output_token
        >>> bool(low < central < high)
        True
    """
    import xarray as xr

    if draws != int(draws) or draws < 1:
        raise ValueError(f"draws is {draws}; it must be a whole number of at least 1")
    request = request_of(arguments, quantities)
    inputs = _inputs(request, sources)
    generator = np.random.default_rng(seed)
    shares = generator.uniform(size=(len(inputs), int(draws)))
    drawn = {one.name: np.asarray(one.at(u)) for one, u in zip(inputs, shares, strict=True)}
    found = _outcomes(request, drawn, int(draws))
    dims = ("draw", *request.axes)
    shape = (int(draws), *request.shape)
    variables: dict[str, Any] = {}
    for key, values in found.items():
        about = QUANTITIES[key]
        whole = np.array(np.broadcast_to(values, shape))
        variables[key] = (dims, whole, {"units": about.unit, "long_name": about.long_name})
    for name, values in drawn.items():
        variables[f"input_{name}"] = ("draw", values, {"long_name": f"drawn {name}"})
    coordinates = {
        name: (name, values, {"units": ARGUMENTS[name].unit})
        for name, values in request.axes.items()
    }
    attributes = {"title": "Draws of the uncertain inputs", "seed": seed}
    return xr.Dataset(variables, {"draw": np.arange(int(draws)), **coordinates}, attributes)


def quantiles(dataset: xr.Dataset, shares: Sequence[float] = (0.05, 0.5, 0.95)) -> xr.Dataset:
    """Values below which given shares of the draws lie, for each quantity that is a number.

    Args:
        dataset: of `monte_carlo`.
        shares: between 0 and 1.

    Raises:
        ValueError: a share is outside.
    """
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"shares are {tuple(shares)}; each must be between 0 and 1")
    numbers = [key for key, column in dataset.data_vars.items() if column.dtype.kind == "f"]
    return dataset[numbers].quantile(list(shares), dim="draw", keep_attrs=True)


def _inputs(request: Request, sources: Sequence[str]) -> list[Uncertain]:
    several = [name for name in NAMES if name in request.axes]
    if several:
        raise ValueError(f"{several[0]} is a list; draws are of one model, machine and engine")
    largest = request.fixed.get("batch", 1) is None
    machine = request.fixed["machine"]
    named = engine_of(request.fixed["engine"], device_of(machine), saturated=largest)
    inputs = uncertain_inputs(machine, engine=named, sources=sources)
    own = request.axes.get("price_per_device_hour", request.fixed.get("price_per_device_hour"))
    if own is not None:
        inputs = [one for one in inputs if one.name != "rental_price"]
    if largest:
        inputs = [_saturated(one, request) for one in inputs]
    return inputs


def _saturated(one: Uncertain, request: Request) -> Uncertain:
    """A server full of requests errs more than a step of a known batch."""
    if one.name != "step_residual":
        return one
    device = device_of(request.fixed["machine"])
    width = engine_of(request.fixed["engine"], device, saturated=True).served_spread
    far = math.exp(NINE_IN_TEN * width)
    return dataclasses.replace(one, low=1 / far, high=far, spread=width)


def _outcomes(request: Request, drawn: Mapping[str, Array], draws: int) -> dict[str, Any]:
    """The quantities for arrays of inputs, draws along the first axis."""
    shape, device = shape_of(request.fixed["model"]), device_of(request.fixed["machine"])
    saturated = request.fixed.get("batch", 1) is None
    constants = engine_of(request.fixed["engine"], device, saturated=saturated)
    behind = len(request.axes)
    columns = {name: values.reshape(-1, *[1] * behind) for name, values in drawn.items()}
    numbers = {key: value for key, value in request.fixed.items() if key not in NAMES}
    for place, (name, values) in enumerate(request.axes.items()):
        numbers[name] = np.asarray(values, dtype=float).reshape(-1, *[1] * (behind - 1 - place))
    if "rental_price" in columns:
        numbers["price_per_device_hour"] = columns["rental_price"]
    prediction = predict(shape, device, engine=_engine(constants, columns), **numbers)
    whole = np.broadcast_to(0.0, (draws, *request.shape))
    steps = prediction.time_per_output_token * columns.get("step_residual", 1.0) + whole
    output = numbers["output_len"]
    # What a batch takes besides its steps is the reading of its prompts.
    reading = prediction.batch_time - output * prediction.time_per_output_token
    reading = np.maximum(reading, 0.0) * columns.get("prompt_residual", 1.0)
    rate = lifetime_token_rate.numpy(prediction.batch, output, steps, reading, 1.0)
    slower = prediction.tokens_per_second / rate
    watts = columns.get("power_share", 1.0) / (_power().value if "power_share" in columns else 1.0)
    moved = {
        "tokens_per_second": rate,
        "tokens_per_second_per_user": 1 / steps,
        "decode_tokens_per_second": prediction.batch / steps,
        "time_per_output_token": steps,
        "time_to_first_token": prediction.time_to_first_token * columns.get("prompt_residual", 1.0),
        "batch_time": reading + output * steps,
    }
    for name, factor in (("joules_per_token", watts), ("dollars_per_million_tokens", 1.0)):
        value = getattr(prediction, name)
        moved[name] = np.nan if value is None else value * slower * factor
    return {
        key: moved[key] if key in moved else QUANTITIES[key].read(prediction)
        for key in request.quantities
    }


def _engine(constants: Engine, columns: Mapping[str, Any]) -> Engine:
    """The engine with arrays in place of the constants that were drawn."""
    changed = {name: columns[name] for name in CONSTANTS if name in columns}
    for rate, shares in _SHARES.items():
        if rate in columns:
            for share in shares:
                changed[share] = changed.get(share, getattr(constants, share)) * columns[rate]
    return dataclasses.replace(constants, **changed)


def sobol(
    function: Callable[[dict[str, Array]], Array],
    inputs: Sequence[Uncertain],
    *,
    samples: int = 1024,
    seed: int = 0,
) -> pd.DataFrame:
    """Sobol's indices: the share of a result's variance that each input makes, alone and in all.

    Args:
        function: of a dictionary of arrays, one for each input, to an array.
        inputs: the uncertain inputs.
        samples: a power of two; the function is asked for `samples * (len(inputs) + 2)` points.
        seed: of the sequence and of the intervals.

    Returns:
        A row for each input, largest total first: `first` is what is left of the variance's share
        when the input alone varies, `total` includes what it does together with others, and both
        have the half width of a 95 per cent interval.

    Raises:
        ValueError: samples is no power of two, there is no input, or the result does not vary.

    Example:
        >>> two = [Uncertain("a", 0.5, 0, 1), Uncertain("b", 0.5, 0, 1)]
        >>> found = sobol(lambda x: 3 * x["a"] + x["b"], two)
        >>> found.loc["a", ["first", "total"]].round(2).tolist()
        [0.9, 0.9]
    """
    from SALib.analyze import sobol as analyze
    from SALib.sample import sobol as sample

    if samples < 2 or samples & (samples - 1):
        raise ValueError(f"samples is {samples}; it must be a power of two")
    if not inputs:
        raise ValueError("inputs is empty; nothing is uncertain")
    names = [one.name for one in inputs]
    problem = {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}
    shares = sample.sample(problem, samples, calc_second_order=False, seed=seed)
    # The ends of an unbounded distribution are infinite.
    shares = np.clip(shares, 1e-9, 1 - 1e-9)
    drawn = {one.name: np.asarray(one.at(shares[:, i])) for i, one in enumerate(inputs)}
    results = np.asarray(function(drawn), dtype=float)
    if not np.ptp(results) > 0:
        raise ValueError("the result does not vary with any input")
    # A seed of 0 would be none there.
    found = analyze.analyze(problem, results, calc_second_order=False, seed=seed + 1)
    frame = pd.DataFrame(
        {
            "first": found["S1"],
            "first_error": found["S1_conf"],
            "total": found["ST"],
            "total_error": found["ST_conf"],
        },
        index=pd.Index(names, name="input"),
    )
    return frame.sort_values("total", ascending=False, kind="stable")


def tornado(
    function: Callable[[dict[str, Array]], Array], inputs: Sequence[Uncertain]
) -> pd.DataFrame:
    """What a result is when one input at a time goes from its low to its high end.

    Args:
        function: of a dictionary of arrays, one for each input, to an array of positive numbers.
        inputs: the uncertain inputs.

    Returns:
        A row for each input, the widest first: its ends, and the factor on the result at each.

    Example:
        >>> two = [Uncertain("a", 1, 0.5, 2), Uncertain("b", 1, 0.9, 1.1)]
        >>> tornado(lambda x: x["a"] * x["b"], two)["at_high"].tolist()
        [2.0, 1.1]
    """
    base = {one.name: one.value for one in inputs}
    changes = {
        f"{end} {one.name}": {one.name: getattr(one, end)}
        for one in inputs
        for end in ("low", "high")
    }

    def rate(**values: float) -> float:
        return float(np.ravel(function({k: np.array([v]) for k, v in values.items()}))[0])

    factors = {swing.name: swing.factor for swing in sensitivity.swings(rate, base, changes)}
    rows = [
        {
            "input": one.name,
            "low": one.low,
            "value": one.value,
            "high": one.high,
            "at_low": factors[f"low {one.name}"],
            "at_high": factors[f"high {one.name}"],
        }
        for one in inputs
    ]
    frame = pd.DataFrame(rows).set_index("input")
    width = np.abs(np.log(frame["at_high"] / frame["at_low"]))
    return frame.loc[width.sort_values(ascending=False, kind="stable").index]


def ranking(
    *,
    quantity: str = "tokens_per_second",
    samples: int = 512,
    seed: int = 0,
    sources: Sequence[str] = SOURCES,
    **arguments: Any,
) -> pd.DataFrame:
    """Which uncertain input makes a prediction uncertain: Sobol's indices and a tornado.

    Args:
        quantity: what is predicted.
        samples: as in `sobol`.
        seed: as in `sobol`.
        sources: which kinds of input vary, see `uncertain_inputs`.
        **arguments: of `tokenwall.predict`, none of them a list.

    Returns:
        The columns of `sobol` and of `tornado`, and the `source` of each input.

    Raises:
        ValueError: as `tokenwall.predict`, or an argument is a list.

    Example:
        >>> table = ranking(model="Llama 3.1 8B", machine="H100 SXM", samples=64,
        ...                 quantity="dollars_per_million_tokens")
        >>> "rental_price" in table.index, table["total"].idxmax() in table.index[:1]
        (True, True)
    """
    request = request_of(arguments, [quantity])
    if request.axes:
        raise ValueError(f"{next(iter(request.axes))} is a list; a ranking is of one prediction")
    inputs = _inputs(request, sources)

    def outcome(drawn: dict[str, Array]) -> Array:
        count = len(next(iter(drawn.values())))
        found: Array = np.asarray(_outcomes(request, drawn, count)[quantity], dtype=float)
        return found

    indices = sobol(outcome, inputs, samples=samples, seed=seed)
    swings = tornado(outcome, inputs)
    kinds = pd.Series({one.name: one.source for one in inputs}, name="source")
    return indices.join(swings).join(kinds)

"""The record, stated once: what ran on the rack, how many users it had, and what bounds its rate.

Every page that speaks of the record takes its inputs, users, bound and share from here. The same
service can be asked of any other machine and model.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tokenwall import scenario
from tokenwall.data import machine as machine_row
from tokenwall.data import model as model_row
from tokenwall.data import tidy
from tokenwall.data.facts import estimate, facts
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.kvcache import throughput_at_capacity
from tokenwall.roofline import weight_bytes
from tokenwall.serving import Prediction, device_of, predict, shape_of
from tokenwall.serving.engines import IDEAL
from tokenwall.serving.workload import format_bits, step_arguments, workload
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "INPUTS",
    "MODEL",
    "RACKS",
    "RECORD",
    "RUN",
    "SERVER",
    "WORKLOAD",
    "Record",
    "Service",
    "answer_flop",
    "fewest_devices",
    "inputs",
    "record",
    "stored_bits",
    "words",
]

# Both published racks of one company, each with the machine of its table, and what ran on them.
RACKS = {"azure-gb200-rack": "gb200-nvl72", "azure-gb300-rack": "gb300-nvl72"}
RECORD, MODEL = "azure-gb300-rack", "llama-2-70b"
# Where the inputs of the run stand in facts.csv.
RUN, WORKLOAD, FORMAT = "record-run", "mlperf-llama2-70b", "nvfp4"
# The software whose constants predict the racks.
SERVER = "TensorRT-LLM"
INPUTS = {
    (RECORD, "accelerators"): "devices",
    (RUN, "copy_devices"): "devices of one copy",
    (FORMAT, "element_bits"): "bits of a weight",
    (FORMAT, "scale_bits"): "bits of a scale",
    (FORMAT, "block"): "weights of one scale",
    (RUN, "cache_bits"): "bits of the cache",
    (WORKLOAD, "prompt_length"): "mean prompt",
    (WORKLOAD, "answer_length"): "mean answer",
}
# Far above any machine's: what is given it takes no time.
_FREE = 1e200
_MOST_DEVICES = 4096
# Inputs of a service that carry an interval.
_UNSURE = ("cache_bits", "prompt", "answer")


def inputs() -> pd.DataFrame:
    """The inputs of the record as they stand in the data, one a row.

    Returns:
        Rows of facts.csv with a column `label`: quantity, value, unit, interval and what it is,
        kind, source and locator.

    Example:
        >>> inputs().set_index("quantity").loc["prompt_length", "kind"]
        'assumed'
    """
    rows = tidy("facts").set_index(["key", "quantity"], drop=False).loc[list(INPUTS)]
    return rows.assign(label=list(INPUTS.values())).reset_index(drop=True)


def stored_bits() -> float:
    """Mean bits of a weight in four bits with a shared scale for each block [bit].

    Example:
        >>> stored_bits()
        4.5
    """
    form = facts(FORMAT)
    return 8 * (form["element_bits"] + form["scale_bits"] / form["block"])


def _cache_bits() -> Estimate:
    """Bits of a cached number [bit]; the tables hold it in bytes."""
    return estimate(RUN, "cache_bits") * Estimate.exact(8)


@dataclass(frozen=True)
class Service:
    """A model served on some devices to as many users as they hold; by default the record's run.

    Args:
        machine: name, key or alias of one device.
        model: name, key or alias of the model.
        devices: devices in all [1].
        together: devices that hold one copy of the model [1].
        weight_bits: mean bits of a stored weight, scales included [bit].
        cache_bits: bits of a cached number [bit].
        prompt: mean tokens of a prompt [token].
        answer: mean tokens of an answer [token].

    Raises:
        ValueError: a name is unknown, or there are fewer devices than one copy takes.

    Example:
        >>> served = Service()
        >>> round(served.context.value), served.binding
        (447, 'arithmetic')
    """

    machine: str = RACKS[RECORD]
    model: str = MODEL
    devices: int = 72
    together: int = 1
    weight_bits: float = field(default_factory=stored_bits)
    cache_bits: Estimate = field(default_factory=_cache_bits)
    prompt: Estimate = field(default_factory=lambda: estimate(WORKLOAD, "prompt_length"))
    answer: Estimate = field(default_factory=lambda: estimate(WORKLOAD, "answer_length"))

    def __post_init__(self) -> None:
        """Refuse a machine that holds no copy."""
        if self.devices < self.together:
            raise ValueError(
                f"devices is {self.devices:g}; the weights need at least {self.together} of them "
                "to fit"
            )

    @classmethod
    def fitting(
        cls, machine: str, model: str, devices: int | None = None, **fields: Any
    ) -> Service:
        """The record's conversations on another machine or model, in groups that hold it.

        Args:
            machine: name, key or alias of one device.
            model: name, key or alias of the model.
            devices: devices in all; the fewest that hold a copy if not given.
            fields: other fields that differ.

        Raises:
            ValueError: a name is unknown, or there are fewer devices than one copy takes.

        Example:
            >>> Service.fitting("H100 SXM", "Llama 2 70B", weight_bits=16).together
            2
        """
        together = fewest_devices(machine, model, **fields)
        return cls(machine, model, devices or together, together, **fields)

    @property
    def groups(self) -> int:
        """Copies of the model, side by side; devices left over stand idle [1]."""
        return self.devices // self.together

    @property
    def context(self) -> Estimate:
        """Mean tokens in the cache of a sequence while its answer is written [token]."""
        return through(lambda prompt, answer: prompt + answer / 2, self.prompt, self.answer)

    @property
    def users(self) -> Estimate:
        """Sequences in flight: as many as fit at full length in what a server fills [1].

        Example:
            >>> round(Service().users.value)
            165816
        """
        return self.through(lambda at: float(at.predict().batch))

    @property
    def memory_bound(self) -> Estimate:
        """Tokens per second if only memory took time, filled to the last byte [token/s].

        Every sequence at the mean context. Prompts are read in passing, with the same sweep.
        """
        return self.through(Service._memory_rate)

    @property
    def arithmetic_bound(self) -> Estimate:
        """Tokens of answers per second if only arithmetic took time [token/s].

        Prompts are computed as well, and attention, each at the dense rate of the narrowest format
        that holds the numbers.
        """
        return self.through(Service._arithmetic_rate)

    @property
    def bound(self) -> Estimate:
        """The smaller of the two bounds, whichever it is within the interval [token/s].

        Example:
            >>> bound = Service().bound
            >>> bool(bound.value == Service().arithmetic_bound.value)
            True
        """
        return self.through(lambda at: min(at._memory_rate(), at._arithmetic_rate()))

    @property
    def binding(self) -> str:
        """Which bound is the smaller: "memory" or "arithmetic"."""
        memory, arithmetic = self.memory_bound.value, self.arithmetic_bound.value
        return "arithmetic" if arithmetic < memory else "memory"

    @property
    def rates(self) -> tuple[float, float]:
        """Dense arithmetic rates of one device, of weights and of attention [FLOP/s].

        Each in the narrowest format that holds the numbers; scales do not widen a format.

        Example:
            >>> [f"{rate:.3g}" for rate in Service().rates]
            ['1.5e+16', '5e+15']
        """
        shape, device = shape_of(self.model), device_of(self.machine)
        asked = workload(
            shape,
            device,
            IDEAL,
            devices=1,
            batch=1,
            input_len=self.prompt.value,
            output_len=self.answer.value,
            weight_bits=self.weight_bits,
            expert_bits=None,
            kv_bits=self.cache_bits.value,
            activation_bits=format_bits(self.weight_bits),
            tensor_parallel=1,
            expert_parallel=None,
            pipeline_parallel=1,
            context_limit=math.inf,
        )
        used = step_arguments(shape, device, IDEAL, asked, 1.0, self.context.value)
        return float(used["peak_rate"]), float(used["attention_rate"])

    def predict(self, **changes: Any) -> Prediction:
        """What the serving model says of it: all users that fit, with an engine's losses.

        Args:
            changes: arguments of `tokenwall.predict` that differ.
        """
        asked: dict[str, Any] = {
            "devices": self.groups * self.together,
            "tensor_parallel": self.together,
            "batch": None,
            "input_len": self.prompt.value,
            "output_len": self.answer.value,
            "weight_bits": self.weight_bits,
            "kv_bits": self.cache_bits.value,
            "engine": SERVER,
            "context_limit": math.inf,
        }
        asked = {**asked, **changes}
        return predict(self.model, asked.pop("machine", self.machine), **asked)

    def through(self, function: Callable[[Service], float]) -> Estimate:
        """Something that follows from the service, over all its uncertain inputs together.

        The interval runs from the least to the most over every combination of their ends, since
        nothing says that two assumptions do not fail together.

        Args:
            function: of a service whose inputs are exact; its result is positive.
        """
        given: dict[str, Estimate] = {name: getattr(self, name) for name in _UNSURE}

        def at(**values: float) -> float:
            exact = {n: Estimate.exact(values.get(n, each.value)) for n, each in given.items()}
            return function(replace(self, **exact))  # type: ignore[arg-type]

        middle = at()
        ends = {name: sorted({each.low, each.high}) for name, each in given.items()}
        moving = [
            name for name, pair in ends.items() if any(at(**{name: end}) != middle for end in pair)
        ]
        corners = [
            at(**dict(zip(moving, values, strict=True)))
            for values in itertools.product(*(ends[name] for name in moving))
        ]
        kinds = [given[name].spread for name in moving]
        kind = max(kinds, key=list(Spread).index, default=Spread.EXACT)
        return Estimate(middle, min(middle, *corners), max(middle, *corners), kind)

    def _memory_rate(self) -> float:
        chip, llm = machine_row(self.machine), model_row(self.model)
        group = throughput_at_capacity(
            self.together * chip["memory_capacity"],
            float(weight_bytes(llm["parameters"], self.weight_bits / 8)),
            context=self.context.value,
            cache_bytes_per_token=scenario.cache_bytes_per_token_of(llm, self.cache_bits.value / 8),
            active_parameters=float(llm["active_parameters"]),
            bandwidth=self.together * chip["memory_bandwidth"],
            peak_rate=_FREE,
        )
        return self.groups * float(group)

    def _arithmetic_rate(self) -> float:
        made = self.predict(
            machine=replace(device_of(self.machine), bandwidth=_FREE),
            devices=1,
            tensor_parallel=1,
            batch=1,
            activation_bits=format_bits(self.weight_bits),
            engine="ideal",
        )
        return self.groups * self.together * float(made.tokens_per_second)


@dataclass(frozen=True)
class Record:
    """A published rack: what ran on it, its rate, and how far that is from its bound.

    Attributes:
        key: in facts.csv, one of `RACKS`.
        service: what ran on it.
        rate: as published [token/s].
    """

    key: str
    service: Service
    rate: float

    @property
    def share(self) -> Estimate:
        """What serving kept of the bound [1].

        Example:
            >>> share = record().share
            >>> round(share.value, 2), str(share.spread)
            (0.29, 'range of cases')
        """
        return Estimate.exact(self.rate) * self.service.bound.inverse()


@functools.cache
def record(key: str = RECORD) -> Record:
    """A published rack, with the inputs that the data state for it.

    Args:
        key: one of `RACKS`.

    Raises:
        ValueError: there is no such rack.

    Example:
        >>> record().rate
        1100948.3
    """
    if key not in RACKS:
        raise ValueError(f"record is {key!r}; it must be one of {sorted(RACKS)}")
    published = facts(key)
    service = Service(
        machine=RACKS[key],
        devices=int(published["accelerators"]),
        together=int(facts(RUN)["copy_devices"]),
    )
    return Record(key, service, float(published["token_rate"]))


def words(key: str = RECORD) -> dict[str, str]:
    """What pages say of the record, in the words that all of them use.

    Args:
        key: one of `RACKS`.

    Returns:
        Text by name, to be glued under that name: a page that states one of these quantities
        states it so.

    Example:
        >>> said = words()
        >>> said["record-users"], said["record-context"], said["record-share"]
        ('165,816', '447', '29 %')
    """
    found = record(key)
    service, share = found.service, found.share
    return {
        "record-rate": f"{found.rate:,.0f}",
        "record-devices": f"{service.devices}",
        "record-users": f"{service.users.value:,.0f}",
        "record-users-each": f"{service.users.value / service.devices:,.0f}",
        "record-prompt": f"{service.prompt.value:.0f}",
        "record-prompt-low": f"{service.prompt.low:.0f}",
        "record-prompt-high": f"{service.prompt.high:.0f}",
        "record-answer": f"{service.answer.value:.0f}",
        "record-context": f"{service.context.value:.0f}",
        "record-weight-bits": f"{service.weight_bits:g}",
        "record-cache-bits": f"{service.cache_bits.value:g}",
        "record-memory-bound": engineering(service.memory_bound.value, "token/s", digits=3),
        "record-arithmetic-bound": engineering(service.arithmetic_bound.value, "token/s", digits=3),
        "record-bound": engineering(service.bound.value, "token/s", digits=3),
        "record-binds": service.binding,
        "record-share": f"{100 * share.value:.0f} %",
        "record-share-low": f"{100 * share.low:.0f} %",
        "record-share-high": f"{100 * share.high:.0f} %",
    }


def fewest_devices(machine: str, model: str, **fields: Any) -> int:
    """Fewest devices on which a copy of the model and one conversation fit [1].

    Args:
        machine: name, key or alias of one device.
        model: name, key or alias of the model.
        fields: of a `Service`, where they are not the record's.

    Raises:
        ValueError: not even thousands of devices hold it, or the table lacks a quantity.

    Example:
        >>> fewest_devices("H100 SXM", "DeepSeek-V3", weight_bits=8)
        10
    """
    for count in range(1, _MOST_DEVICES + 1):
        asked = Service(machine, model, devices=count, together=count, **fields)
        try:
            asked.predict()
        except ValueError as error:
            if "no sequence fits" not in str(error):
                raise
        else:
            return count
    raise ValueError(f"{_MOST_DEVICES} of {machine} do not hold {model}")


def answer_flop(shape: Any, prompt: Any, answer: Any, *, attention: Any = 1) -> Any:
    """Arithmetic of one token of an answer, its share of the prompt's included [FLOP].

    The same as the steps of the serving model, in closed form for figures that move: the last
    layer's output table is needed once for a prompt, and attention may run at another rate.
    Layers that see only a window are counted as if they saw all.

    Args:
        shape: with dense, expert, experts_per_token, head, decode_flop and prompt_flop, as
            `tokenwall.serving.Shape` has them; numbers or SymPy expressions.
        prompt: mean tokens of a prompt.
        answer: mean tokens of an answer.
        attention: rate of the weights' arithmetic over that of attention.

    Example:
        >>> from tokenwall.serving import shape_of
        >>> round(answer_flop(shape_of("Llama 2 70B"), 300, 294.45, attention=3) / 1e9)
        282
    """
    weights = shape.dense + shape.experts_per_token * shape.expert
    each = 2 * weights + attention * shape.decode_flop * (prompt + answer / 2)
    before = 2 * (weights - shape.head) + attention * shape.prompt_flop * prompt / 2
    return each + before * prompt / answer

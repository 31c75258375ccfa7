"""The walls at the end of the ledger: what each depends on, and which is the nearer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenwall import scenario
from tokenwall.data.energies import energy_sources
from tokenwall.data.facts import estimate
from tokenwall.energy import (
    erased_bits_per_multiply_add,
    erasure_rate,
    switches_per_multiply_add,
    thermodynamic_rate,
)
from tokenwall.estimate import Estimate, Spread, through
from tokenwall.ledger import Row
from tokenwall.ledger_rows.energy import barrier_bound, erasure_bound

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Walls", "causes_of", "heat_rows"]

CHAPTER = "book/physics/energy.ipynb"
SETTING = {
    "Temperature": ("room", "temperature"),
    "Bits of a factor": ("multiply-add", "operand_bits"),
    "Bits of a running sum": ("multiply-add", "accumulator_bits"),
}
ERROR = {"Chance of a wrong switch": ("switch", "error_probability")}
POWER = "Power of the machine"
SWITCH, ERASED = "today's kind of switch", "k T ln 2 for each erased bit"


@dataclass(frozen=True)
class Walls:
    """What light and heat allow one machine and one model.

    Light sets the pace of each user and none for a crowd: a million users at light's pace break no
    law that one does not. Heat limits the tokens of all together. So which wall is nearer depends
    on how many users there are, and on what a switch must cost.

    Args:
        light: tokens per second of one user at the bound of light.
        barrier: tokens per second of all, if each switch throws its barrier away.
        erasure: tokens per second of all, if each erased bit costs k T ln 2 and nothing else does.
    """

    light: Estimate
    barrier: Estimate
    erasure: Estimate

    @property
    def heat(self) -> dict[str, Estimate]:
        """The two prices of heat, by what a switch costs."""
        return {SWITCH: self.barrier, ERASED: self.erasure}

    def equal_at(self, price: str) -> Estimate:
        """Users, each at light's pace, whose tokens heat just pays for [1].

        Fewer are held up by light first, more by heat.

        Args:
            price: of a switch, a key of `heat`.
        """
        return self.heat[price] * self.light.inverse()

    def nearer(self, users: float, price: str) -> str:
        """The wall that a number of users reaches first, "light" or "heat".

        Args:
            users: each of them at light's pace.
            price: of a switch, a key of `heat`.
        """
        return "light" if users < self.equal_at(price).value else "heat"

    def readings(self, users: Mapping[str, float]) -> pd.DataFrame:
        """Both walls for some numbers of users and both prices of heat, and which is nearer.

        Args:
            users: number of users by a few words that say who they are.

        Returns:
            Columns users, price, light and heat [token/s, of all users], nearer and by, the
            distance of the farther wall over that of the nearer.
        """
        import pandas as pd

        rows = []
        for words, count in users.items():
            for price, heat in self.heat.items():
                light = count * self.light.value
                rows.append(
                    {
                        "users": words,
                        "price": price,
                        "light": light,
                        "heat": heat.value,
                        "nearer": self.nearer(count, price),
                        "by": max(light, heat.value) / min(light, heat.value),
                    }
                )
        return pd.DataFrame(rows)


def heat_rows(
    before: Estimate, power: Estimate, model: Any, *, power_source: str
) -> tuple[Row, Row]:
    """From what a machine serves to the two walls that heat puts to its power.

    Neither row is a step that anyone could take. Each says where one law stops the same machine's
    power and the same model, if everything else were free.

    Args:
        before: tokens per second that the ledger has reached.
        power: that the machine may draw [W].
        model: a row of the model table.
        power_source: bibliography keys of the power.
    """
    barrier, erasure = barrier_bound(power, model), erasure_bound(power, model)
    each = barrier_rate_of(model), erasure_rate_of(model)
    shared = _inputs(power, {**SETTING, **ERROR})

    def between(*values: float) -> float:
        """One wall over the other; what both rest on, such as the power, cancels."""
        return each[1](*values[:-1]) / each[0](*values)

    return (
        _row(
            "barrier",
            "Heat, if switches throw their barriers away",
            before.value,
            barrier * before.inverse(),
            barrier,
            causes_of(each[0], shared),
            ("thermodynamic_rate", "switches_per_multiply_add"),
            f"{energy_sources('switch', 'multiply-add', 'room')}; {power_source}",
            "The most tokens that the power pays for with ideal switches of today's kind. No law "
            "forces a switch to waste its barrier.",
        ),
        _row(
            "erasure",
            "Heat, if only erased bits cost",
            barrier.value,
            through(between, *shared.values()),
            erasure,
            causes_of(each[1], _inputs(power, SETTING)),
            ("erasure_rate", "erased_bits_per_multiply_add"),
            f"{energy_sources('multiply-add', 'room')}; {power_source}",
            "The most tokens that the power pays for with gates that forget, k T ln 2 for each "
            "forgotten bit. Logic that forgets nothing has no such wall.",
        ),
    )


def barrier_rate_of(model: Any) -> Callable[..., float]:
    """Tokens per second as `barrier_bound` computes them, with each input open.

    Args:
        model: a row of the model table.
    """
    active = scenario.read_parameters(model)

    def rate(power: float, warmth: float, bits: float, width: float, error: float) -> float:
        count = active * float(switches_per_multiply_add(bits, width))
        return float(thermodynamic_rate(power, count, temperature=warmth, error_probability=error))

    return rate


def erasure_rate_of(model: Any) -> Callable[..., float]:
    """Tokens per second as `erasure_bound` computes them, with each input open.

    Args:
        model: a row of the model table.
    """
    active = scenario.read_parameters(model)

    def rate(power: float, warmth: float, bits: float, width: float) -> float:
        erased = active * float(erased_bits_per_multiply_add(bits, width))
        return float(erasure_rate(power, erased, temperature=warmth))

    return rate


def causes_of(
    function: Callable[..., float], inputs: Mapping[str, Estimate]
) -> dict[str, Estimate]:
    """What each input alone leaves open of a result, the others at their values.

    Args:
        function: takes one number for each input, in order.
        inputs: by name.

    Example:
        >>> one, other = Estimate(2, 1, 4, "range of cases"), Estimate.exact(3)
        >>> found = causes_of(lambda x, y: x * y, {"one": one, "other": other})
        >>> found["one"].high, found["other"].high
        (12.0, 6.0)
    """
    found = {}
    for name in inputs:
        alone = [
            each if other == name else Estimate.exact(each.value) for other, each in inputs.items()
        ]
        found[name] = through(function, *alone)
    return found


def _inputs(power: Estimate, setting: Mapping[str, tuple[str, str]]) -> dict[str, Estimate]:
    read = {name: estimate(*place, table="energies") for name, place in setting.items()}
    return {POWER: power, **read}


def _row(
    key: str,
    label: str,
    before: float,
    factor: Estimate,
    bound: Estimate,
    causes: Mapping[str, Estimate],
    equations: tuple[str, ...],
    source: str,
    note: str,
) -> Row:
    return Row(
        key,
        label,
        factor.called(Spread.BOUND),
        equations,
        {"bound": bound.value, "before": before},
        source,
        CHAPTER,
        kind="bound",
        note=note,
        lands_on=bound,
        causes=causes,
    )

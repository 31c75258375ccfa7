"""Quantities: a unit, a domain and the types that annotate every equation.

Inside the library every number is in SI plus four base units of the book's own:
``B`` (byte), ``FLOP``, ``token`` and ``USD``. Prefixes exist only at the edge: `to_si` on the way
in, `engineering` on the way out.
"""

from __future__ import annotations

import copyreg
import functools
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    import pint


@dataclass(frozen=True, slots=True)
class Domain:
    """The interval a quantity may lie in; always finite, sometimes whole numbers only.

    Args:
        low: lower end.
        high: upper end.
        low_open: whether the lower end itself is excluded.
        whole: whether only whole numbers are allowed.
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    whole: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a finite number"
        ends = []
        if self.low > -math.inf:
            ends.append(f"{'above' if self.low_open else 'at least'} {self.low:g}")
        if self.high < math.inf:
            ends.append(f"at most {self.high:g}")
        return " ".join([kind, " and ".join(ends)]).strip()

    def offender(self, values: Any) -> float | None:
        """First value that lies outside, or None.

        Args:
            values: a float, or a NumPy array of floats of any shape.
        """
        import numpy as np

        if isinstance(values, float):
            return None if self._holds(values) else values
        array = np.asarray(values, dtype=float)
        if array.size == 0 or (self._holds(array.min()) and self._holds(array.max())):
            if not self.whole or bool((array == np.floor(array)).all()):
                return None
        inside = np.isfinite(array) & (array <= self.high)
        inside &= (array > self.low) if self.low_open else (array >= self.low)
        if self.whole:
            inside &= array == np.floor(array)
        return float(array[~inside].flat[0])

    def _holds(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        finite = math.isfinite(value)
        return bool(
            finite and above and value <= self.high and (not self.whole or value == int(value))
        )


@dataclass(frozen=True, slots=True)
class Quantity:
    """What an annotation carries: the unit of a number and where it may lie.

    Args:
        unit: in SI, with B, FLOP, token and USD; "1" for a pure number.
        domain: the allowed interval.
    """

    unit: str
    domain: Domain

    @property
    def assumptions(self) -> dict[str, bool]:
        """SymPy's assumptions for a symbol of this quantity."""
        known: dict[str, bool] = {"real": True}
        if self.domain.low >= 0:
            strict = self.domain.low > 0 or self.domain.low_open
            known = {"positive": True} if strict else {"nonnegative": True}
        return known


ANY = Domain()
POSITIVE = Domain(low=0, low_open=True)
NONNEGATIVE = Domain(low=0)

Dimensionless = Annotated[Any, Quantity("1", ANY)]
Positive = Annotated[Any, Quantity("1", POSITIVE)]
Nonnegative = Annotated[Any, Quantity("1", NONNEGATIVE)]
Count = Annotated[Any, Quantity("1", Domain(low=1, whole=True))]
NonnegativeCount = Annotated[Any, Quantity("1", Domain(low=0, whole=True))]
Fraction = Annotated[Any, Quantity("1", Domain(low=0, high=1, low_open=True))]
Probability = Annotated[Any, Quantity("1", Domain(low=0, high=1))]

Byte = Annotated[Any, Quantity("B", POSITIVE)]
NonnegativeByte = Annotated[Any, Quantity("B", NONNEGATIVE)]
BytePerSecond = Annotated[Any, Quantity("B/s", POSITIVE)]
BytePerToken = Annotated[Any, Quantity("B/token", POSITIVE)]
Flop = Annotated[Any, Quantity("FLOP", POSITIVE)]
NonnegativeFlop = Annotated[Any, Quantity("FLOP", NONNEGATIVE)]
FlopPerSecond = Annotated[Any, Quantity("FLOP/s", POSITIVE)]
FlopPerByte = Annotated[Any, Quantity("FLOP/B", POSITIVE)]
FlopPerToken = Annotated[Any, Quantity("FLOP/token", POSITIVE)]
Token = Annotated[Any, Quantity("token", POSITIVE)]
NonnegativeToken = Annotated[Any, Quantity("token", NONNEGATIVE)]
TokenPerSecond = Annotated[Any, Quantity("token/s", POSITIVE)]
NonnegativeTokenPerSecond = Annotated[Any, Quantity("token/s", NONNEGATIVE)]
PerToken = Annotated[Any, Quantity("1/token", POSITIVE)]
Second = Annotated[Any, Quantity("s", POSITIVE)]
NonnegativeSecond = Annotated[Any, Quantity("s", NONNEGATIVE)]
SecondPerToken = Annotated[Any, Quantity("s/token", POSITIVE)]
PerSecond = Annotated[Any, Quantity("1/s", POSITIVE)]
NonnegativePerSecond = Annotated[Any, Quantity("1/s", NONNEGATIVE)]
Joule = Annotated[Any, Quantity("J", POSITIVE)]
JoulePerToken = Annotated[Any, Quantity("J/token", POSITIVE)]
Watt = Annotated[Any, Quantity("W", POSITIVE)]
Usd = Annotated[Any, Quantity("USD", POSITIVE)]
UsdPerToken = Annotated[Any, Quantity("USD/token", POSITIVE)]
Metre = Annotated[Any, Quantity("m", POSITIVE)]
MetrePerSecond = Annotated[Any, Quantity("m/s", POSITIVE)]
SquareMetre = Annotated[Any, Quantity("m**2", POSITIVE)]
CubicMetre = Annotated[Any, Quantity("m**3", POSITIVE)]
Volt = Annotated[Any, Quantity("V", POSITIVE)]
Farad = Annotated[Any, Quantity("F", POSITIVE)]
FaradPerMetre = Annotated[Any, Quantity("F/m", POSITIVE)]
Ohm = Annotated[Any, Quantity("ohm", POSITIVE)]
OhmPerMetre = Annotated[Any, Quantity("ohm/m", POSITIVE)]
BytePerCubicMetre = Annotated[Any, Quantity("B/m**3", POSITIVE)]
JoulePerByte = Annotated[Any, Quantity("J/B", POSITIVE)]
JoulePerFlop = Annotated[Any, Quantity("J/FLOP", POSITIVE)]
TokenPerJoule = Annotated[Any, Quantity("token/J", POSITIVE)]
Rate = Annotated[Any, Quantity("1/s", ANY)]
UsdPerSecond = Annotated[Any, Quantity("USD/s", POSITIVE)]
Kelvin = Annotated[Any, Quantity("K", POSITIVE)]


_LOCK = threading.Lock()


def registry() -> pint.UnitRegistry[Any]:
    """The pint registry of the book, in which B, FLOP, token and USD are base units.

    There is one, for all threads, and what is pickled comes back in it.

    Example:
        >>> print((3.35 * registry()("TB/s") / registry()("67 GB")).to("1/s"))
        50.0 / second
    """
    with _LOCK:
        return _registry()


@functools.cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint

    units: pint.UnitRegistry[Any] = pint.UnitRegistry(None)
    units.load_definitions(_DEFINITIONS.split("\n"))
    # By itself pint restores a quantity in the registry of its own, where a byte is no unit.
    copyreg.pickle(units.Quantity, lambda q: (_quantity, (q.magnitude, dict(q._units))))
    copyreg.pickle(units.Unit, lambda unit: (_unit, (dict(unit._units),)))
    return units


def _quantity(magnitude: Any, powers: dict[str, float]) -> Any:
    return registry().Quantity(magnitude, _unit(powers))


def _unit(powers: dict[str, float]) -> Any:
    units = registry()
    return units.Unit(units.UnitsContainer(powers))


# Our own list rather than pint's, in which a byte is dimensionless and B can be a bel.
_DEFINITIONS = """
atto- = 1e-18 = a-
femto- = 1e-15 = f-
pico- = 1e-12 = p-
nano- = 1e-9 = n-
micro- = 1e-6 = µ- = u-
milli- = 1e-3 = m-
centi- = 1e-2 = c-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
exa- = 1e18 = E-
kibi- = 2**10 = Ki-
mebi- = 2**20 = Mi-
gibi- = 2**30 = Gi-
tebi- = 2**40 = Ti-
second = [time] = s
metre = [length] = m = meter
kilogram = [mass] = kg
ampere = [current] = A
kelvin = [temperature] = K
byte = [information] = B
FLOP = [operation] = _ = OP
token = [token]
word = [word]
USD = [money]
bit = byte / 8 = b
gram = kilogram / 1000 = g
minute = 60 * second = min
hour = 3600 * second = h
day = 24 * hour
year = 365.25 * day
hertz = 1 / second = Hz
newton = kilogram * metre / second ** 2 = N
joule = newton * metre = J
watt = joule / second = W
coulomb = ampere * second = C
volt = watt / ampere = V
ohm = volt / ampere
farad = coulomb / volt = F
electronvolt = 1.602176634e-19 * joule = eV
inch = 0.0254 * metre
percent = 0.01
"""


def to_si(value: float, unit: str) -> float:
    """A number in the library's own units.

    Args:
        value: the number as printed.
        unit: its unit as printed, e.g. "GB", "GiB", "TFLOP/s", "ns"; "1" for a pure number.

    Returns:
        The number in s, m, kg, A, K, B, FLOP, token and USD.

    Raises:
        ValueError: the unit is unknown or no text.

    Example:
        >>> to_si(80, "GB"), to_si(80, "GiB"), to_si(4, "bit")
        (80000000000.0, 85899345920.0, 0.5)
    """
    if unit in ("", "1"):
        return float(value)
    try:
        base = registry().Quantity(1.0, registry().parse_units(unit)).to_base_units()
    except Exception as error:  # pint raises whatever its tokenizer does
        raise ValueError(f"unit {unit!r} is unknown: {error}") from error
    # Fifteen digits undo the last-bit noise of the factor, so that printed digits survive.
    return float(f"{float(value) * float(base.magnitude):.15g}")


_UP = ("", "k", "M", "G", "T", "P", "E", "Z")
_DOWN = ("", "m", "µ", "n", "p", "f", "a", "z", "y")
# Which way a leading unit takes prefixes; a unit that is not named takes none.
PREFIXABLE = {
    "B": "up",
    "FLOP": "up",
    "s": "down",
    "m": "down",
    "J": "both",
    "W": "both",
    "Hz": "both",
    "V": "both",
}


def engineering(value: float, unit: str = "1", *, digits: int = 3) -> str:
    """A number as a person writes it: a few digits, an SI prefix where the unit takes one.

    Tokens, dollars and pure numbers take no prefix; they get thousands separators, the words
    million, billion and trillion, and a power of ten below 0.001 and from 10¹⁵ on.

    Args:
        value: in the library's units.
        unit: that unit.
        digits: significant digits kept.

    Raises:
        ValueError: fewer than one digit is asked for.

    Example:
        >>> engineering(3.35e12, "B/s"), engineering(0.0243, "s"), engineering(1_100_948, "token/s")
        ('3.35 TB/s', '24.3 ms', '1.1 million token/s')
    """
    if digits < 1:
        raise ValueError(f"digits is {digits}; it must be at least 1")
    suffix = "" if unit in ("", "1") else f" {unit}"
    if not math.isfinite(value):
        return "no value" if math.isnan(value) else f"{'−' if value < 0 else ''}∞{suffix}"
    if value == 0:
        return f"0{suffix}"
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    power = int(exponent)
    sign = "−" if value < 0 else ""
    step = _prefix_step(unit, power)
    if step is None:
        if -3 <= power < 6:
            return f"{sign}{_plain(mantissa, power)}{suffix}"
        if 6 <= power < 15:
            return f"{sign}{_plain(mantissa, power % 3)} {_GROUPS[power // 3 - 2]}{suffix}"
        return f"{sign}{_plain(mantissa, 0)}×10{_superscript(power)}{suffix}"
    prefix = _UP[step] if step >= 0 else _DOWN[-step]
    return f"{sign}{_plain(mantissa, power - 3 * step)} {prefix}{unit}"


_GROUPS = ("million", "billion", "trillion")


def _prefix_step(unit: str, power: int) -> int | None:
    way = PREFIXABLE.get(unit.split("/")[0])
    if way is None:
        return None
    lowest = 0 if way == "up" else 1 - len(_DOWN)
    highest = 0 if way == "down" else len(_UP) - 1
    step = min(max(power // 3, lowest), highest)
    return step if -3 <= power - 3 * step < 6 else None


def _plain(mantissa: str, power: int) -> str:
    """Mantissa times ten to the power, without an exponent, trailing zeros or lost zeros."""
    places = max(len(mantissa.replace(".", "")) - 1 - power, 0)
    text = f"{float(f'{mantissa}e{power}'):,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))

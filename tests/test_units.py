"""Units in, units out."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwall.units import Domain, engineering, registry, to_si


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.35e12, "B/s", "3.35 TB/s"),
        (80e9, "B", "80 GB"),
        (999.96e9, "B", "1 TB"),
        (0.5, "B", "0.5 B"),
        (0.0243, "s", "24.3 ms"),
        (12_345, "s", "12,300 s"),
        (1_100_948.3, "token/s", "1.1 million token/s"),
        (154.24, "token/s", "154 token/s"),
        (999_999, "token/s", "1 million token/s"),
        (69e9, "1", "69 billion"),
        (123e12, "1", "123 trillion"),
        (1.2e-4, "1", "1.2×10⁻⁴"),
        (1e21, "1", "1×10²¹"),
        (-5e-13, "J", "−500 fJ"),
        (0, "B", "0 B"),
        (math.nan, "B", "no value"),
        (math.inf, "B", "∞ B"),
        (-math.inf, "B", "−∞ B"),
        (295.2, "FLOP/B", "295 FLOP/B"),
    ],
)
def test_engineering(value, unit, text):
    assert engineering(value, unit) == text


def test_engineering_refuses_no_digits():
    with pytest.raises(ValueError, match="digits is 0"):
        engineering(1.0, digits=0)


@given(st.floats(1e-12, 1e18), st.sampled_from(["B", "s", "token/s", "FLOP/s", "J", "1", "USD"]))
def test_engineering_keeps_three_digits(value, unit):
    number, *rest = engineering(value, unit).replace(",", "").split(" ")
    scale = {"million": 1e6, "billion": 1e9, "trillion": 1e12}
    if rest and rest[0] in scale:
        assert float(number) * scale[rest[0]] == pytest.approx(value, rel=5.001e-3)
        return
    shown = rest[0] if rest else unit
    if "×10" in number:
        mantissa, power = number.split("×10")
        read = float(mantissa) * 10.0 ** int(
            power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        )
    else:
        read = float(number) * (1 if shown == unit else to_si(1, shown) / 1)
    assert read == pytest.approx(value, rel=5.001e-3)


@pytest.mark.parametrize(
    ("value", "unit", "si"),
    [
        (80, "GB", 80e9),
        (80, "GiB", 80 * 2**30),
        (4, "bit", 0.5),
        (64, "Gbit/s", 8e9),
        (27.5, "ns", 27.5e-9),
        (3.9, "pJ/bit", 31.2e-12),
        (1, "TFLOP/s", 1e12),
        (2, "USD/GB", 2e-9),
        (1, "eV", 1.602176634e-19),
        (5, "1", 5.0),
        (40, "percent", 0.4),
    ],
)
def test_to_si(value, unit, si):
    assert to_si(value, unit) == pytest.approx(si, rel=1e-14)


@pytest.mark.parametrize(
    "unit", ["furlong", "Tflops", "GBps", "mph", "GB/", "GB)", "GB+s", "3 GB", "**", None, 3]
)
def test_unknown_units_are_refused(unit):
    with pytest.raises(ValueError, match="is unknown"):
        to_si(1, unit)


def test_bytes_tokens_and_flop_do_not_mix():
    unit = registry()
    names = ("B", "FLOP", "token", "USD", "s", "kg")
    assert len({str(unit.get_dimensionality(name)) for name in names}) == len(names)


def test_there_is_one_registry_for_all_threads():
    """Quantities of two registries would not mix."""
    code = (
        "import sys, threading, pint, tokenwall.units as units\n"
        "sys.setswitchinterval(1e-6)\n"
        "gate, found = threading.Barrier(8), []\n"
        "def ask():\n"
        "    gate.wait()\n"
        "    found.append(units.registry())\n"
        "threads = [threading.Thread(target=ask) for _ in range(8)]\n"
        "[t.start() for t in threads], [t.join() for t in threads]\n"
        "print(len(set(map(id, found))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "1"


def test_domains_say_what_they_allow():
    assert str(Domain(low=1, whole=True)) == "a whole number at least 1"
    assert str(Domain(0, 1, low_open=True)) == "a finite number above 0 and at most 1"

"""The measurement of the reader's own machine."""

import json
import re

import numpy as np
import pytest

from tokenwall import hostbench
from tokenwall.hostbench import (
    HostBenchmark,
    HostMeasurement,
    measure_bandwidth,
    measure_host,
    measure_matmul_rate,
    stored_measurement,
)


def test_quick_measurement_is_sane_and_reports_progress():
    shares = []
    result = measure_host(quick=True, progress=lambda share, word: shares.append((share, word)))
    assert set(result.bandwidths) == {"read", "copy", "scale", "add", "triad"}
    # A machine that others keep busy may stall for a while: no number here is a claim of speed.
    assert all(1e5 < value < 1e14 for value in result.bandwidths.values())
    assert all(1e5 < value < 1e16 for value in result.rates.values())
    assert result.bandwidth == max(result.bandwidths.values())
    assert result.peak_rate == max(result.rates.values())
    assert [share for share, _ in shares] == sorted(share for share, _ in shares)
    assert shares[-1] == (1.0, "done")


def test_bytes_are_counted_once_for_each_array_a_kernel_touches(monkeypatch):
    monkeypatch.setattr(hostbench, "_timed", lambda call: (call(), 1.0)[1])
    found = measure_bandwidth(array_bytes=2**20, repeats=1, threads=2)
    arrays = {key: value / 2**20 for key, value in found.items()}
    assert arrays == {"read": 3, "copy": 2, "scale": 2, "add": 3, "triad": 5}


def test_kernels_do_what_their_names_say():
    part = [np.full(4, 1.0), np.full(4, 2.0), np.full(4, 0.5)]

    def sweep(name):
        for one_pass in hostbench._KERNELS[name].passes:
            one_pass(part)

    sweep("triad")
    np.testing.assert_array_equal(part[0], 2.0 + 3.0 * 0.5)
    sweep("add")
    np.testing.assert_array_equal(part[2], 5.5)
    sweep("scale")
    np.testing.assert_array_equal(part[1], 16.5)
    sweep("copy")
    np.testing.assert_array_equal(part[2], part[0])


def test_round_trip_through_a_file(tmp_path):
    stored = stored_measurement()
    stored.save(tmp_path / "mine.json")
    assert HostMeasurement.load(tmp_path / "mine.json") == stored


@pytest.mark.parametrize("text", ["{}", "[1]", "not json"])
def test_a_file_that_holds_something_else_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="does not hold a measurement"):
        HostMeasurement.load(path)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: measure_bandwidth(array_bytes=8), "array_bytes is 8 B"),
        (lambda: measure_bandwidth(repeats=0), "repeats is 0"),
        (lambda: measure_matmul_rate("int8"), "dtype is 'int8'"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_no_room_is_said_plainly(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(np, "full", full)
    with pytest.raises(MemoryError, match="no room for three arrays of 168 MB"):
        measure_bandwidth()


def test_stored_example_names_nobody_and_has_a_date():
    stored = stored_measurement()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", stored.date)
    assert "virtual machine" in stored.machine
    assert 1e9 < stored.bandwidth < 1e12
    assert 1e9 < stored.peak_rate < 1e13


def test_static_display_is_the_stored_result_and_says_so():
    shown = HostBenchmark()._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert stored_measurement().date in shown["text/html"]
    assert "run this page's notebook with a kernel" in shown["text/html"].replace("\n", " ")
    assert shown == HostBenchmark()._repr_mimebundle_()


def test_live_display_is_a_button_that_measures(monkeypatch):
    quick = stored_measurement()
    monkeypatch.setattr(hostbench, "_kernel_is_live", lambda: True)
    told = []

    def measured(progress):
        progress(0.5, "memory: copy")
        told.append((bar.value, said.value, bar.layout.visibility, button.disabled))
        return quick

    monkeypatch.setattr(hostbench, "measure_host", measured)
    benchmark = HostBenchmark()
    shown = benchmark._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    row, table = benchmark._view.children
    button, bar, said = row.children
    assert bar.layout.visibility == "hidden"
    assert "Press the button" in table.value
    button.click()
    assert told == [(0.5, "memory: copy", "visible", True)]
    assert benchmark.measured
    assert benchmark.result is quick
    assert "This machine" in table.value
    assert not button.disabled


def test_a_failed_measurement_is_said_in_the_page(monkeypatch):
    def fails(progress):
        raise MemoryError("no room")

    monkeypatch.setattr(hostbench, "_kernel_is_live", lambda: True)
    monkeypatch.setattr(hostbench, "measure_host", fails)
    benchmark = HostBenchmark()
    benchmark._repr_mimebundle_()
    row, table = benchmark._view.children
    row.children[0].click()
    assert "The measurement failed: no room" in table.value
    assert not benchmark.measured


def test_json_is_plain():
    stored = stored_measurement()
    assert json.loads(json.dumps(dict(stored.bandwidths))) == stored.bandwidths

"""Explorables without a browser: what they check, what they say, and that it is deterministic."""

import json
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import I, Symbol, gamma, oo

from explorable_samples import RATE, bars, prediction, roofline, stepper
from tokenwall import style
from tokenwall.explorable import (
    Bar,
    Curve,
    Marker,
    Prediction,
    Preset,
    Readout,
    Slider,
    Step,
    Stepper,
    Table,
    Text,
)
from tokenwall.explorable.widget import asset


def spec_in(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])


def test_script_is_small_and_runs_no_text():
    script = asset("explorable.js")
    assert len(script.encode()) < 20_000
    assert not re.search(r"\beval\b|new Function|\bimport\b|fetch\(|XMLHttp", script)


def test_html_is_the_same_every_time():
    assert roofline().html == roofline().html
    assert bars().html == bars().html


def test_page_holds_figure_sliders_and_values():
    html = roofline().html
    assert html.startswith('<figure class="explorable" id="roofline-explorer"')
    assert html.count("<svg") == 2
    assert html.count('type="range"') == 3
    assert "3.35 TFLOP/s" in html
    assert "Drawn for memory bandwidth 3.35 TB/s" in html
    assert " style=" not in html
    assert not re.search(r"\son\w+=", html)


def test_data_cannot_end_its_element():
    explorable = roofline(readouts=[Readout("</script><b>", RATE)])
    assert "</script><b>" not in explorable.html
    assert spec_in(explorable.html)["readouts"][0]["label"] == "</script><b>"


def test_numbers_at_defaults_are_those_of_numpy():
    assert roofline().results() == {
        "Attainable rate": 3.35e12,
        "Ridge": pytest.approx(9.89e14 / 3.35e12),
    }
    assert roofline().results(intensity=1e4)["Attainable rate"] == 9.89e14


def test_missing_value_is_said_in_words():
    html = bars().html
    assert "no value here: the queue never empties" in html
    assert "NaN" not in html
    assert re.search(r'data-gid="point" visibility="hidden"', html)


def test_values_are_checked_and_kept():
    explorable = roofline()
    explorable.values = {"bandwidth": 1e12}
    assert explorable.values["bandwidth"] == 1e12
    assert explorable.results()["Attainable rate"] == 1e12
    with pytest.raises(ValueError, match="'speed' is no slider"):
        explorable.values = {"speed": 1}
    with pytest.raises(ValueError, match="'bandwidth': value is 1; it must lie from 1e"):
        explorable.values = {"bandwidth": 1}


def test_static_bundle(monkeypatch):
    monkeypatch.setenv("TOKENWALL_STATIC", "1")
    bundle = roofline()._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"].startswith("Explorable 'roofline-explorer': Drawn for")
    assert set(prediction()._repr_mimebundle_()) == {"text/html", "text/plain"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_live_bundle_and_traits(monkeypatch):
    pytest.importorskip("anywidget")
    monkeypatch.delenv("TOKENWALL_STATIC", raising=False)
    explorable = roofline()
    bundle = explorable._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "text/html" in bundle
    seen = []
    explorable.widget.observe(lambda change: seen.append(change["new"]), "values")
    explorable.values = {"intensity": 64}
    assert seen[-1]["intensity"] == 64
    explorable.widget.values = {**explorable.values, "intensity": 128}
    assert explorable.values["intensity"] == 128


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_live_markup_keeps_its_keys_and_has_no_link_to_copy():
    pytest.importorskip("anywidget")
    for shown in (roofline(kind="compare"), stepper(), prediction()):
        live = shown.widget.html
        controls = re.findall(r"<(?:input|select|button|summary)\b[^>]*", live)
        assert len(controls) > 2
        assert all('data-lm-suppress-shortcuts="true"' in control for control in controls)
        assert "Copy link" not in live
        assert "data-lm" not in shown.html


def test_controls_stay_hidden_where_empty_attributes_are_dropped():
    for shown in (roofline(), stepper(), prediction()):
        marks = re.findall(r'ex-live-only"([^>]*)', shown.html)
        assert marks
        assert set(marks) == {' hidden="hidden"'}


BAD = {
    "expression": (
        lambda: roofline(readouts=[Readout("Power", Symbol("watts"))]),
        "readout 'Power' uses 'watts'",
    ),
    "curve": (
        lambda: roofline(moves=[Curve("roof", x=("k", [1, 2]), y=Symbol("batch"))]),
        "curve 'roof' uses 'batch'",
    ),
    "gid": (
        lambda: roofline(moves=[Marker("ghost", x=1, y=1)]).html,
        "gid 'ghost' is on no artist",
    ),
    "artist": (
        lambda: roofline(moves=[Bar("roof", height=1)]).html,
        "gid 'roof' is on a Line2D; Bar moves",
    ),
    "twice": (
        lambda: roofline(moves=[Marker("here", x=1, y=1)] * 2),
        "gid 'here' is used twice",
    ),
    "default": (lambda: Slider("a", "A", low=1, high=2, default=3), "slider 'a': default is 3"),
    "range": (lambda: Slider("a", "A", low=2, high=1, default=1), "slider 'a': its range"),
    "log": (lambda: Slider("a", "A", low=0, high=1, default=1), "cannot start at 0"),
    "scale": (lambda: Slider("a", "A", low=1, high=2, default=1, scale="cubic"), "not 'log' or"),
    "whole": (
        lambda: Slider("a", "A", low=1, high=9, default=1.5, whole=True),
        "not a whole number",
    ),
    "sliders": (
        lambda: roofline(controls=[Slider(c, c, low=1, high=2, default=1) for c in "abcde"]),
        "has 5 sliders (a, b, c, d, e); at most 4",
    ),
    "preset": (
        lambda: roofline(presets=[Preset("machine", "Fast", {"speed": 1})]),
        "preset 'Fast': 'speed' is no slider",
    ),
    "preset range": (
        lambda: roofline(presets=[Preset("machine", "Slow", {"bandwidth": 1})]),
        "slider 'bandwidth': preset 'Slow' is 1",
    ),
    "preset twice": (
        lambda: roofline(presets=[Preset("machine", "A", {"bandwidth": 1e11}, "k")] * 2),
        "preset 'k' is in 'machine' twice",
    ),
    "empty preset": (lambda: Preset("machine", "None", {}), "sets nothing"),
    "infinite": (lambda: roofline(readouts=[Readout("All", oo)]), "no finite value"),
    "complex": (lambda: roofline(readouts=[Readout("All", I * RATE)]), "readout 'All': I in"),
    "huge": (lambda: roofline(readouts=[Readout("All", 10**400)]), "readout 'All': 1"),
    "function": (lambda: roofline(readouts=[Readout("All", gamma(RATE))]), "readout 'All': gamma"),
    "text": (lambda: roofline(readouts=[Readout("All", "RATE")]), "no expression or number"),
    "no values": (lambda: Slider("a", "A", default=1, values=[]), "values is empty"),
    "off values": (
        lambda: Slider("a", "A", default=3, values=[1, 2, 4]),
        "default is 3; it must be one of 1, 2, 4",
    ),
    "off values later": (lambda: bars().results(q=2), "value is 2; it must be one of 0, 1, 3"),
    "unit": (lambda: Slider("a", "A", low=1, high=10, default=11), "lie from 1 to 10$"),
    "whole ends": (
        lambda: Slider("a", "A", low=1.5, high=9, default=2, whole=True),
        "an end of its range is 1.5, not a whole number",
    ),
    "step on log": (
        lambda: Slider("a", "A", low=1, high=9, default=2, step=1),
        "step is 1; only a linear scale",
    ),
    "step below": (
        lambda: Slider("a", "A", low=1, high=9, default=2, scale="linear", step=-1),
        "step is -1; it must divide 1 to 9",
    ),
    "step uneven": (
        lambda: Slider("a", "A", low=1, high=9, default=2, scale="linear", step=3),
        "step is 3; it must divide 1 to 9",
    ),
    "id": (lambda: roofline("Not An Id"), "'Not An Id' must be lower-case"),
    "bar": (lambda: Bar("b"), "either its height or its width"),
    "table": (lambda: Table("t", {"n": [1, 2]}, np.ones(3)), r"shape \(3,\), its axes \(2,\)"),
    "table grid": (lambda: Table("t", {"n": [2, 1]}, np.ones(2)), "grid of 'n' does not rise"),
    "steps": (
        lambda: Stepper("s", steps=[Step("one")], draw=None, controls=[], moves=[], alt="a"),
        "has 1 steps",
    ),
    "answer": (
        lambda: Prediction("p", question="?", answer=0, low=1, high=2),
        "the answer is 0 1; it must be positive",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_name_the_thing(case):
    make, message = BAD[case]
    message = message.replace("(a", r"\(a").replace("e);", r"e\);")
    with pytest.raises(ValueError, match=message):
        make()


def test_scale_that_the_page_cannot_draw():
    def draw(narrow):
        fig, ax = style.figure(narrow)
        ax.set_xscale("symlog")
        ax.plot([1], [1], "o", gid="here")
        return fig

    with pytest.raises(ValueError, match="'symlog' scale"):
        _ = roofline(draw=draw, moves=[Marker("here", x=1, y=1)]).html


def test_text_with_a_formula_cannot_move():
    def draw(narrow):
        fig, ax = style.figure(narrow)
        ax.text(0, 0, "two\nlines", gid="t")
        return fig

    with pytest.raises(ValueError, match="one line and no formula"):
        _ = roofline(draw=draw, moves=[Text("t", x=0.5)]).html


def test_table_interpolates_like_numpy():
    grid, values = [1.0, 10.0, 40.0], np.array([0.0, 2.0, 5.0])
    table = Table("t", {"n": grid}, values)
    n = np.linspace(0.5, 50, 40)
    np.testing.assert_allclose(table({"n": n}), np.interp(n, grid, values))


def test_whole_sliders_have_few_settings():
    settings = Slider("batch", "Batch", low=1, high=4096, default=1, whole=True).settings()
    assert settings[:20] == list(range(1, 21))
    assert settings[-1] == 4096
    assert len(settings) < 200


WHOLE = st.integers(1, 10**6)


@given(st.tuples(WHOLE, WHOLE, WHOLE).map(sorted), st.sampled_from(["log", "linear"]))
def test_ends_and_default_of_a_whole_slider_can_be_reached(numbers, scale):
    low, default, high = numbers
    assume(low < high)
    slider = Slider("n", "N", low=low, high=high, default=default, whole=True, scale=scale)
    settings = slider.settings()
    assert {low, default, high} <= set(settings)
    assert settings[0] == low
    assert settings[-1] == high
    assert settings == sorted({slider.check(value, "setting") for value in settings})


def test_whole_sliders_stop_at_powers_of_two():
    settings = Slider("n", "N", low=1, high=2**17, default=1, whole=True).settings()
    assert {2**k for k in range(18)} <= set(settings)


def test_the_answer_of_a_prediction_may_lie_in_a_narrow_range():
    made = Prediction("narrow", question="?", answer=142, low=141, high=145)
    assert made.values == {"guess": 141}


def test_an_expression_is_translated_once(monkeypatch):
    explorable = roofline()
    before = explorable.results()
    monkeypatch.setattr("sympy.lambdify", None)
    assert explorable.results() == before


def test_stepper_and_prediction_read_without_a_script():
    assert stepper().html.count("<li>") == 3
    html = prediction().html
    assert "<summary>The answer</summary><p>23.9 token/s. One sweep" in html
    assert repr(prediction()).startswith("Prediction 'first-guess'")


def test_even_grids_travel_as_their_ends():
    programs = roofline().spec["programs"]
    assert {"name": "intensity", "low": 0.1, "high": 1e4, "n": 200, "log": True} in [
        p.get("grid") for p in programs
    ]

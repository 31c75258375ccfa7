"""The style's promises: colours apart for every eye, SVG that is stable and shares a page."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from tokenwall import style
from tokenwall.estimate import Estimate, Spread
from tokenwall.explorable.widget import asset

MEANINGS = ("compute", "memory", "network", "energy")
# Linear RGB as seen without one kind of cone (Machado, Oliveira and Fernandes, 2009).
SIGHT = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
    "protanopia": np.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
}
PAGES = {"light": "#ffffff", "dark": "#14181e"}


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    bright, dim = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))[::-1]
    return (bright + 0.05) / (dim + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.412, 0.358, 0.180], [0.213, 0.715, 0.072], [0.019, 0.119, 0.950]]) @ rgb
    f = np.cbrt(np.clip(xyz / [0.9505, 1.0, 1.089], 1e-6, None))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def palette(scheme: str) -> dict[str, str]:
    text = asset("explorable.css")
    block = text[text.index('html[data-theme="dark"]') :] if scheme == "dark" else text
    names = (*MEANINGS, "neutral", "muted")
    return {name: re.search(rf"--tw-{name}: (#\w{{6}})", block)[1] for name in names}


@pytest.mark.parametrize("scheme", PAGES)
def test_labels_can_be_read(scheme):
    for name, colour in palette(scheme).items():
        assert contrast(colour, PAGES[scheme]) >= 4.5, name


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", PAGES)
def test_meanings_differ_for_every_eye(scheme, sight):
    seen = {n: lab(np.clip(SIGHT[sight] @ linear(palette(scheme)[n]), 0, 1)) for n in MEANINGS}
    for one, other in itertools.combinations(MEANINGS, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)


def test_python_and_style_sheet_name_the_same_colours():
    for name, colour in palette("light").items():
        assert getattr(style, name.upper()) == colour


def drawn(narrow=False):
    with style.use():
        fig, ax = style.figure(narrow)
        ax.set_xscale("log")
        ax.plot([1, 10, 1e7], [1, 2, 1.5], gid="line")
        ax.text(10, 2, "name & <line>", va="bottom")
        ax.text(2, 1.2, "turned", rotation=90, va="bottom")
    return fig


def test_the_same_text_every_time():
    assert style.inline_svg(drawn(), "a line") == style.inline_svg(drawn(), "a line")


def test_svg_is_well_formed_and_self_contained():
    svg = style.inline_svg(drawn(), 'rises "fast" & <far>', keep=["line"])
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'rises "fast" & <far>'
    assert [e.get("data-gid") for e in root.iter() if e.get("data-gid")] == ["line"]
    assert "style" not in svg
    assert "http" not in svg
    ids = {e.get("id") for e in root.iter()} - {None}
    assert set(re.findall(r"#(tw[\w-]+)", svg)) == ids


def test_colours_follow_the_page():
    svg = style.inline_svg(drawn(), "a line")
    left = re.sub(r"var\([^)]*\)", "", svg)
    assert "var(--tw-compute,#1650bd)" in svg
    assert 'fill="currentColor"' in svg
    assert not re.search(r"#[0-9a-f]{6}\b", left)


def test_two_figures_share_no_id():
    one = style.inline_svg(drawn(), "one")
    two = style.inline_svg(drawn(narrow=True), "two")
    assert not set(re.findall(r' id="([^"]+)"', one)) & set(re.findall(r' id="([^"]+)"', two))


def test_coordinates_are_quantised():
    svg = style.inline_svg(drawn(), "a line")
    for attribute in re.findall(r' (?:d|x|y|transform)="([^"]*)"', svg):
        assert not re.search(r"\.\d{3,}", attribute)


def test_powers_of_ten_are_plain_text():
    svg = style.inline_svg(drawn(), "a line")
    assert "10⁶" in svg
    assert "<tspan" not in svg


def test_alt_and_gid_are_required():
    with pytest.raises(ValueError, match="alt is empty"):
        style.inline_svg(drawn(), " ")
    with pytest.raises(ValueError, match="'nowhere' is on no artist"):
        style.inline_svg(drawn(), "a", keep=["nowhere"])


def test_show_closes_and_carries_both_widths():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    with style.use():
        fig, ax = plt.subplots()
        ax.plot([1, 2])
    shown = style.show(fig, "a line", caption="Seen <here>.")
    assert plt.get_fignums() == before
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "Seen &lt;here&gt;." in shown.html
    both = style.show(drawn, "a line").html
    assert both.count("<svg") == 2
    assert repr(shown) == "Figure: a line"


def test_unit_axis_writes_prefixes():
    with style.use():
        fig, ax = style.figure()
        ax.set_ylim(0, 4e9)
        style.unit_axis(ax.yaxis, "B/s")
    assert ">2 GB/s<" in style.inline_svg(fig, "an axis")


def test_apply_sets_the_style():
    import matplotlib as mpl

    with mpl.rc_context():
        style.apply()
        assert mpl.rcParams["svg.hashsalt"] == "tokenwall"


KINDS = [kind for kind in Spread if kind != Spread.EXACT]


def shape_of(kind: Spread, *, upright: bool = False) -> tuple:
    """Everything that tells an interval from others, colour and place left out."""
    with style.use():
        fig, ax = style.figure()
        line, low, high = style.interval(ax, Estimate(2, 1, 4, kind), 0, upright=upright)
        svg = ElementTree.fromstring(style.inline_svg(fig, "an interval"))
    dashes = {e.get("stroke-dasharray") for e in svg.iter() if e.get("stroke-width") == "1.2"}
    ends = [end.get_marker().vertices.round(6).tolist() for end in (low, high)]
    assert list(line.get_ydata() if upright else line.get_xdata()) == [1, 4]
    return tuple(sorted(str(each) for each in dashes)), str(ends[0]), str(ends[1])


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(KINDS, 2)])
def test_kinds_of_intervals_look_apart_without_colour(one, other, upright):
    """By the dashes of the line and, where it is too short for dashes, by its ends."""
    first, second = shape_of(one, upright=upright), shape_of(other, upright=upright)
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert first[2] != second[2]


@pytest.mark.parametrize("kind", KINDS)
def test_an_interval_of_a_kind_is_named_beside_the_figure(kind):
    estimates = [Estimate(2, 1, 4, kind), Estimate.exact(3)]
    with style.use():
        fig, _ = style.figure(narrow=True)
        legend = style.interval_legend(fig, estimates)
        svg = style.inline_svg(fig, "an interval")
    names = [text.get_text() for text in legend.get_texts()]
    assert len(names) == 1
    assert names[0] in svg
    said = str(kind)
    assert said in names[0]
    assert said in style.interval_words(estimates)
    others = [str(other) for other in KINDS if other != kind]
    assert not any(other in style.interval_words(estimates) for other in others)


def test_what_has_no_interval_gets_none():
    with style.use():
        fig, ax = style.figure()
        assert style.interval(ax, Estimate.exact(1), 0) == []
        assert style.interval_legend(fig, [Estimate.exact(1)]) is None
    assert style.interval_words([Estimate.exact(1)]) == ""

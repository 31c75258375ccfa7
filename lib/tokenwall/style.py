"""The book's Matplotlib style, and figures as inline SVG that follow light and dark pages.

Colours have one meaning throughout: compute, memory, network, energy. A figure is drawn once in
these colours; on the page each becomes a CSS variable with a light and a dark value, and text and
axes take the colour of the page's own text.
"""

from __future__ import annotations

import hashlib
import html
import io
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from tokenwall.estimate import Estimate, Spread
from tokenwall.units import engineering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

COMPUTE = "#1650bd"
MEMORY = "#a85d14"
NETWORK = "#1c7b57"
ENERGY = "#801d72"
NEUTRAL = "#5a6470"
MUTED = "#656d75"
GRID = "#d4d8dc"
INK = "#1b1c1d"

WIDE = (7.2, 4.2)
NARROW = (3.6, 3.6)

_PAGE_COLOURS = {
    COMPUTE: "var(--tw-compute,#1650bd)",
    MEMORY: "var(--tw-memory,#a85d14)",
    NETWORK: "var(--tw-network,#1c7b57)",
    ENERGY: "var(--tw-energy,#801d72)",
    NEUTRAL: "var(--tw-neutral,#5a6470)",
    MUTED: "var(--tw-muted,#656d75)",
    GRID: "var(--tw-grid,#d4d8dc)",
    INK: "currentColor",
}

# How the interval of each kind is drawn: the dashes of its line, and the outline of its upper end,
# from the point itself outwards. The lower end is the mirror image.
_INTERVALS: dict[Spread, tuple[tuple[float, ...], tuple[tuple[float, float], ...]]] = {
    Spread.NINE_IN_TEN: ((), ((0, -1), (0, 1))),
    Spread.OPINIONS: (
        (1, 1.6),
        ((0, -0.45), (0.45, 0), (0, 0.45), (-0.45, 0), (0, -0.45)),
    ),
    Spread.CASES: ((4, 2), ((-0.7, -1), (0, -1), (0, 1), (-0.7, 1))),
    Spread.BOUND: ((5, 1.6, 1, 1.6), ((-0.9, -0.9), (0, 0), (-0.9, 0.9))),
}
_DRAWN = {
    Spread.NINE_IN_TEN: ("solid with caps", "nine in ten"),
    Spread.OPINIONS: ("dotted with points", "a spread of opinions"),
    Spread.CASES: ("dashed in brackets", "a range of cases"),
    Spread.BOUND: ("dashes and dots with arrows", "what a bound leaves open"),
}

_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.facecolor": "none",
    "figure.figsize": WIDE,
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "lines.markersize": 7,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0,
    "savefig.bbox": None,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "tokenwall",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8.5,
    "ytick.minor.size": 0,
}


def rc() -> Any:
    """Matplotlib's settings for this book, for `matplotlib.rcParams.update`."""
    from cycler import cycler

    cycle = cycler(color=[COMPUTE, MEMORY, NETWORK, ENERGY, NEUTRAL])
    return {**_RC, "axes.prop_cycle": cycle}


@contextmanager
def use() -> Iterator[None]:
    """Context in which Matplotlib draws in the book's style.

    Example:
        >>> import matplotlib
        >>> with use():
        ...     print(matplotlib.rcParams["svg.fonttype"])
        none
    """
    import matplotlib as mpl

    with mpl.rc_context(rc()):
        yield


def apply() -> None:
    """Draw in the book's style from here on: the first line of a chapter that draws."""
    import matplotlib as mpl

    mpl.rcParams.update(rc())


def figure(narrow: bool = False, **subplots: Any) -> tuple[Figure, Any]:
    """A figure and its axes in one of the book's two sizes.

    Call it inside `use()` or after `apply()`; `show` and Explorables draw inside `use()`.

    Args:
        narrow: for a phone's width instead of a desk's.
        subplots: passed to Matplotlib's `Figure.subplots`; `figsize` replaces the size.
    """
    from matplotlib.figure import Figure

    size = subplots.pop("figsize", NARROW if narrow else WIDE)
    fig = Figure(figsize=size, layout="constrained")
    return fig, fig.subplots(**subplots)


def unit_axis(axis: Axis, unit: str = "1", *, digits: int = 2) -> None:
    """Label an axis's ticks with prefixes ("10 GB/s") and leave its minor ticks bare.

    Args:
        axis: `ax.xaxis` or `ax.yaxis`.
        unit: the unit of the plotted numbers, in the library's own units.
        digits: significant digits of the labels.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda x, _: engineering(x, unit, digits=digits)))
    axis.set_minor_formatter(NullFormatter())


def interval(
    ax: Axes,
    estimate: Estimate,
    position: float,
    *,
    upright: bool = False,
    colour: str = INK,
    width: float = 1.2,
    size: float = 6,
) -> list[Line2D]:
    """The interval of an estimate on a figure, each kind with its own line and its own ends.

    Solid with caps holds nine in ten; dotted between points is a spread of opinions; dashed in
    brackets a range of cases; dashes and dots between open arrows what a bound leaves open. The
    shapes tell without colour. An exact estimate has no interval, so nothing is drawn.

    Args:
        ax: the axes, with their scale already set.
        estimate: what the interval belongs to; its value is not drawn.
        position: on the other axis.
        upright: along y instead of along x.
        colour: of line and ends.
        width: of the line, in points.
        size: height of the ends, in points.

    Returns:
        The line and its two ends; empty if the estimate has no interval.
    """
    if not estimate.low < estimate.high:
        return []
    ends = [(estimate.low, position), (estimate.high, position)]
    points = [(y, x) for x, y in ends] if upright else ends
    return _whisker(ax.plot, points, estimate.spread, colour, width, size, upright=upright)


def interval_legend(fig: Figure, estimates: Iterable[Estimate], *, columns: int = 4) -> Any:
    """One line below a figure that names the kinds of intervals in it, or None if it has none.

    Args:
        fig: a figure of `figure`, whose layout makes room.
        estimates: all that `interval` was given.
        columns: kinds on a line; two fit a phone.
    """
    kinds = _kinds(estimates)
    if not kinds:
        return None
    entries: list[Any] = [_Kind(kind) for kind in kinds]
    return fig.legend(
        entries,
        [str(kind) if kind != Spread.BOUND else "left open by a bound" for kind in kinds],
        handler_map={_Kind: _KindHandler()},
        loc="outside lower left",
        ncols=min(columns, len(kinds)),
        fontsize=8,
        handlelength=2.6,
        columnspacing=1.4,
        borderaxespad=0.2,
    )


def interval_words(estimates: Iterable[Estimate]) -> str:
    """The same for those who do not see the figure: a sentence, or nothing if it has none.

    Args:
        estimates: all that `interval` was given.

    Example:
        >>> interval_words([Estimate(2, 1, 4, "nine in ten"), Estimate(2, 1, 4, "range of cases")])
        'Intervals: solid with caps, nine in ten; dashed in brackets, a range of cases.'
    """
    parts = [", ".join(_DRAWN[kind]) for kind in _kinds(estimates)]
    return f"Intervals: {'; '.join(parts)}." if parts else ""


def _kinds(estimates: Iterable[Estimate]) -> list[Spread]:
    found = {each.spread for each in estimates if each.low < each.high}
    return [kind for kind in Spread if kind in found]


def _whisker(
    plot: Callable[..., list[Line2D]],
    points: list[tuple[float, float]],
    kind: Spread,
    colour: str,
    width: float,
    size: float,
    *,
    upright: bool = False,
) -> list[Line2D]:
    from matplotlib.path import Path

    dashes, outline = _INTERVALS[kind]
    pen = {"color": colour, "lw": width, "solid_capstyle": "butt", "dash_capstyle": "butt"}
    lines = plot(*zip(*points, strict=True), ls=(0, dashes) if dashes else "-", **pen)
    for point, way in zip(points, (-1, 1), strict=True):
        shape = [(y, way * x) if upright else (way * x, y) for x, y in outline]
        # Two corners far apart keep every end at one scale, however small its outline.
        scaled = Path([(-1, -1), (1, 1), *shape], [1, 1, 1, *[2] * (len(shape) - 1)])
        fill = colour if kind == Spread.OPINIONS else "none"
        lines += plot(
            *([x] for x in point), ls="", marker=scaled, ms=size, mew=width, mec=colour, mfc=fill
        )
    return lines


@dataclass(frozen=True)
class _Kind:
    """A kind of interval as an entry of a legend."""

    kind: Spread


class _KindHandler:
    """Draws an entry of `interval_legend`."""

    def legend_artist(self, legend: Legend, entry: _Kind, size: float, box: Any) -> Line2D:
        from matplotlib.lines import Line2D

        made: list[Line2D] = []

        def plot(x: Any, y: Any, **pen: Any) -> list[Line2D]:
            line = Line2D(x, y, transform=box.get_transform(), **pen)
            box.add_artist(line)
            made.append(line)
            return [line]

        middle = box.height / 2 - box.ydescent
        left, right = -box.xdescent + 2, box.width - box.xdescent - 2
        _whisker(plot, [(left, middle), (right, middle)], entry.kind, INK, 1.2, 6)
        return made[0]


def inline_svg(
    fig: Figure, alt: str, *, keep: Collection[str] = (), hidden: Collection[str] = ()
) -> str:
    """A figure as one `<svg>` element for a page, the same text on every run and machine.

    Coordinates are kept to a hundredth of a point, so that the last digits in which processors
    differ do not show. Styles become attributes, which a strict content security policy allows.

    Args:
        fig: the figure; it is not closed.
        alt: what the figure shows, for those who do not see it.
        keep: names (`gid`) of artists to mark with `data-gid`.
        hidden: those of them to hide.

    Raises:
        ValueError: the alternative text is empty, or a name is on no artist.
    """
    import matplotlib as mpl

    if not alt.strip():
        raise ValueError("alt is empty; it must say what the figure shows")
    _plain_log_labels(fig)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tokenwall"}):
        fig.savefig(
            buffer,
            format="svg",
            facecolor="none",
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    root = ElementTree.fromstring(buffer.getvalue())
    return _Cleaner(root, alt, keep, hidden).text()


def show(
    drawing: Figure | Callable[[bool], Figure], alt: str, caption: str | None = None
) -> InlineFigure:
    """A static figure for a chapter: inline SVG with its alternative text and caption.

    Args:
        drawing: a figure, or a function of `narrow` that draws it for a desk (False) and for a
            phone (True), so that its text stays readable on both.
        alt: what the figure shows, composed from the data.
        caption: a sentence below it.
    """
    if callable(drawing):
        with use():
            figures = [drawing(False), drawing(True)]
    else:
        figures = [drawing]
    svgs = [inline_svg(fig, alt) for fig in figures]
    for fig in figures:
        close(fig)
    return InlineFigure(figure_html(svgs, alt, caption), alt)


def figure_html(svgs: list[str], alt: str, caption: str | None) -> str:
    """Markup of a static figure, from one drawing or from a wide and a narrow one."""
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    if len(svgs) == 1:
        label = html.escape(alt, quote=True)
        scroll = f'<div class="tw-scroll" tabindex="0" role="group" aria-label="{label}">'
        return f'<figure class="tw-figure">{scroll}{svgs[0]}</div>{below}</figure>'
    return f'<figure class="tw-figure">{two_drawings(*svgs)}{below}</figure>'


def two_drawings(wide: str, narrow: str) -> str:
    """Both drawings of one figure; the style sheet shows the one that fits."""
    return f'<div class="tw-wide">{wide}</div><div class="tw-narrow" hidden="hidden">{narrow}</div>'


def close(fig: Figure) -> None:
    """Forget a figure, so that a notebook does not show it a second time."""
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)


@dataclass(frozen=True)
class InlineFigure:
    """What `show` returns: notebooks and the site display its `html`."""

    html: str
    alt: str

    def __repr__(self) -> str:
        """The alternative text, for front ends without HTML."""
        return f"Figure: {self.alt}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}


def _plain_log_labels(fig: Figure) -> None:
    """Matplotlib typesets powers of ten glyph by glyph, which breaks in the page's font."""
    from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter

    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set_major_formatter(FuncFormatter(lambda x, _: _power_of_ten(x)))
            if isinstance(axis.get_minor_formatter(), LogFormatter):
                axis.set_minor_formatter(NullFormatter())


def _power_of_ten(value: float) -> str:
    power = math.log10(value) if value > 0 else math.nan
    if not power.is_integer() or -3 <= power <= 5:
        return engineering(value)
    return "10" + str(round(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_REFERENCE = re.compile(r"#([A-Za-z][\w.-]*)")
_MOVED = re.compile(r"translate\((\S+) (\S+)\)(?: rotate\((\S+)\))?")
_SVG = "{http://www.w3.org/2000/svg}"
_MARK = "tw-to-be-named-"
_HREF = "{http://www.w3.org/1999/xlink}href"
_ROUNDED = ("d", "x", "y", "width", "height", "transform", "points", "stroke-width")


def _round(text: str) -> str:
    def shorten(match: re.Match[str]) -> str:
        short = f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
        return "0" if short == "-0" else short

    return " ".join(_NUMBER.sub(shorten, text).split())


class _Cleaner:
    """Turns Matplotlib's SVG tree into markup that can share a page with other figures."""

    def __init__(
        self,
        root: ElementTree.Element,
        alt: str,
        keep: Collection[str],
        hidden: Collection[str],
    ) -> None:
        self.root, self.keep, self.hidden = root, set(keep), set(hidden)
        self._strip()
        found = {e.get("data-gid") for e in root.iter()} - {None}
        for gid in keep:
            if gid not in found:
                raise ValueError(f"gid {gid!r} is on no artist of the figure")
        self._rename()
        attributes = dict(root.attrib)
        root.attrib.clear()
        root.attrib |= {
            "class": "tw-svg",
            "role": "img",
            "aria-label": " ".join(alt.split()),
            "viewBox": attributes["viewBox"],
            "width": _round(attributes["width"].replace("pt", "")),
            "height": _round(attributes["height"].replace("pt", "")),
            "stroke-linejoin": "round",
        }

    def text(self) -> str:
        markup = ElementTree.tostring(self.root, encoding="unicode").replace(" />", "/>")
        return markup.replace(_MARK, f"tw{hashlib.sha256(markup.encode()).hexdigest()[:8]}-")

    def _strip(self) -> None:
        for parent in list(self.root.iter()):
            for child in list(parent):
                if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                    parent.remove(child)
        for element in self.root.iter():
            self._clean(element)
        self._flatten(self.root)

    def _clean(self, element: ElementTree.Element) -> None:
        element.tag = element.tag.removeprefix(_SVG)
        if element.tag not in ("text", "tspan"):
            element.text = None
        element.tail = None
        gid = element.get("id")
        if gid in self.keep:
            element.set("data-gid", element.attrib.pop("id"))
            if gid in self.hidden:
                element.set("visibility", "hidden")
        if _HREF in element.attrib:
            element.set("href", element.attrib.pop(_HREF))
        for declaration in filter(None, element.attrib.pop("style", "").split(";")):
            name, value = (part.strip() for part in declaration.split(":", 1))
            if name != "font-family" and (name, value) != ("stroke-dashoffset", "0"):
                element.set(name, _PAGE_COLOURS.get(value, value))
        for name in _ROUNDED:
            if name in element.attrib:
                element.set(name, _round(element.attrib[name]))
        turn = element.get("transform", "")
        if turn.startswith(("rotate(-0 ", "rotate(0 ")):
            del element.attrib["transform"]
        moved = _MOVED.fullmatch(turn) if element.tag == "text" else None
        if moved and not len(element):
            x, y, angle = moved.groups()
            del element.attrib["transform"]
            element.attrib |= {"x": x, "y": y}
            if angle:
                element.set("transform", f"rotate({angle} {x} {y})")

    def _flatten(self, element: ElementTree.Element) -> None:
        children = []
        for child in element:
            self._flatten(child)
            bare = child.tag == "g" and not (set(child.attrib) - {"id"})
            if child.tag == "defs" and not len(child):
                continue
            if child.tag == "path" and child.get("fill") == "none" and "stroke" not in child.attrib:
                continue
            children += list(child) if bare else [child]
        element[:] = children

    def _rename(self) -> None:
        used = {
            name
            for element in self.root.iter()
            for value in element.attrib.values()
            for name in _REFERENCE.findall(value)
        }
        names: dict[str, str] = {}
        for element in self.root.iter():
            old = element.get("id", "")
            if old in used:
                names[old] = f"{_MARK}{len(names)}"
                element.set("id", names[old])
            elif old:
                del element.attrib["id"]
        for element in self.root.iter():
            for name in ("href", "clip-path", "fill", "mask"):
                if name in element.attrib:
                    element.set(
                        name,
                        _REFERENCE.sub(lambda m: f"#{names.get(m[1], m[1])}", element.attrib[name]),
                    )

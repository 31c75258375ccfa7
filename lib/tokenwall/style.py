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
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from tokenwall.units import engineering

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

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

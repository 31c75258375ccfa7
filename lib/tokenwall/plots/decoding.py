"""Figures of single-user decoding: the sweep of memory, its bound, and what is lost on the way.

Each figure is a function of a table, and its `_alt` twin says the same in words, composed from the
same numbers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenwall import style
from tokenwall.roofline import attainable_rate, ridge_intensity, sweep_time
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

INTENSITY = (0.3, 3000.0)
# Panels of the scatter, by class of machine; chips with their memory on board are in none.
PANELS = {
    "gpu-datacentre": "Data-centre GPUs",
    "gpu-workstation": "Workstation cards",
    "gpu-consumer": "Gaming cards",
    "apple-soc": "Apple chips",
    "desktop-soc": "Desktop chips",
    "cpu-server": "Processors",
    "cpu-laptop": "Processors",
    "single-board": "Processors",
}


def _title(ax: Axes, text: str, narrow: bool) -> None:
    ax.set_title(_wrapped(text, narrow))


def _wrapped(text: str, narrow: bool) -> str:
    return textwrap.fill(text, 36 if narrow else 88)


def dots(ax: Axes, x: ArrayLike, y: ArrayLike, colour: str, size: float = 4.0) -> None:
    """Many points as one path with round caps: hundreds of points in a few kilobytes of SVG.

    Args:
        ax: the axes.
        x: abscissae.
        y: ordinates, as many.
        colour: of all points.
        size: diameter of a point, in typographic points.
    """
    across, up = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    gap = np.full(across.shape, np.nan)
    (line,) = ax.plot(
        np.column_stack([across, across, gap]).ravel(),
        np.column_stack([up, up, gap]).ravel(),
        color=colour,
        linewidth=size,
        alpha=0.55,
        solid_capstyle="round",
    )
    line.get_path().should_simplify = False


def flagship_sweeps(flagships: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Capacity over bandwidth, flagship by flagship, with lines of equal sweep time.

    Args:
        flagships: `label`, `year`, `memory_capacity` [B] and `memory_bandwidth` [B/s], by year.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.2) if narrow else style.WIDE)
    x, y = flagships["memory_bandwidth"], flagships["memory_capacity"]
    ax.set(xscale="log", yscale="log", xlim=(x.min() / 2.2, x.max() * 2.1))
    ax.set_ylim(y.min() / 1.9, y.max() * 2.6)
    ends = np.array(ax.get_xlim())
    for seconds in (0.01, 0.02, 0.04):
        ax.plot(ends, ends * seconds, color=style.MUTED, lw=0.8, ls=":")
        _along(ax, seconds, ends)
    ax.plot(x, y, color=style.MEMORY, lw=1.2)
    ax.plot(x, y, "o", color=style.MEMORY, ms=6)
    for (_, row), (dx, dy, side) in zip(flagships.iterrows(), _spread(len(flagships)), strict=True):
        took = engineering(_sweep(row), "s", digits=2)
        text = f"{row['label']}\n{took}" if narrow else f"{row['label']}, {row['year']:.0f}\n{took}"
        at = (row["memory_bandwidth"], row["memory_capacity"])
        ax.annotate(text, at, (dx, dy), textcoords="offset points", ha=side, fontsize=7.5)
    style.unit_axis(ax.xaxis, "B/s")
    style.unit_axis(ax.yaxis, "B")
    ax.set(xlabel="memory bandwidth (log scale)", ylabel="memory capacity (log scale)")
    _title(ax, _sweep_finding(flagships), narrow)
    return fig


def _sweep(row: Any) -> float:
    return float(sweep_time(row["memory_capacity"], row["memory_bandwidth"]))


def _along(ax: Axes, seconds: float, ends: Any) -> None:
    """Write the sweep time at the upper end of its diagonal."""
    high = ax.get_ylim()[1]
    corner = min(ends[1], high / seconds)
    ax.annotate(
        engineering(seconds, "s"),
        (corner, corner * seconds),
        (-3, -8) if corner == ends[1] else (-4, -10),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
        color=style.MUTED,
    )


def _spread(count: int) -> list[tuple[float, float, str]]:
    """Labels alternate above left and below right of their points, so that they do not meet."""
    return [(-7.0, 5.0, "right") if i % 2 == 0 else (7.0, -13.0, "left") for i in range(count)]


def _sweep_finding(flagships: pd.DataFrame) -> str:
    first, last = flagships.iloc[0], flagships.iloc[-2]
    times = [_sweep(row) for _, row in flagships.iloc[:-1].iterrows()]
    grown = last["memory_bandwidth"] / first["memory_bandwidth"]
    return (
        f"{first['year']:.0f} to {last['year']:.0f}: {engineering(grown, digits=2)} times the "
        f"bandwidth, yet one sweep still takes {min(times) * 1e3:.0f} to {max(times) * 1e3:.0f} ms"
    )


def flagship_sweeps_alt(flagships: pd.DataFrame) -> str:
    """The flagships in words.

    Args:
        flagships: as for `flagship_sweeps`.
    """
    parts = [
        f"{row['label']} ({row['year']:.0f}) {engineering(_sweep(row), 's', digits=2)}"
        for _, row in flagships.iterrows()
    ]
    return (
        "Memory capacity over memory bandwidth on logarithmic axes, with diagonal lines of equal "
        f"sweep time. Time to read the whole memory once: {', '.join(parts)}."
    )


def in_panels(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a panel, with its name as `group`, panel by panel.

    Args:
        table: with `machine_class`, as `calibration.batch1_table` makes it.
    """
    import pandas as pd

    names = list(dict.fromkeys(PANELS.values()))
    group = pd.Categorical(table["machine_class"].map(PANELS), names)
    shown = table.assign(group=group)
    return shown[shown["group"].notna()].sort_values("group", kind="stable")


def bound_against_measured(rows: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Measured rate over the bandwidth law, a panel for each class of machine.

    Args:
        rows: `group`, `bound` and `measured` [token/s], `plausible` (bool).
        narrow: for a phone's width.
    """
    groups = list(dict.fromkeys(rows["group"]))
    columns = 2
    lines = -(-len(groups) // columns)
    size = (3.6, 1.75 * lines + 0.9) if narrow else (7.2, 2.35 * lines + 0.6)
    fig, axes = style.figure(
        narrow, figsize=size, nrows=lines, ncols=columns, sharex=True, sharey=True, squeeze=False
    )
    low, high = rows[["bound", "measured"]].min().min() / 1.6, rows["bound"].max() * 1.6
    for ax, group in zip(axes.flat, groups, strict=False):
        _panel(ax, rows[rows["group"] == group], group, (low, high), narrow)
    for ax in axes.flat[len(groups) :]:
        ax.set_visible(False)
    fig.suptitle(
        textwrap.fill(_bound_finding(rows), 42 if narrow else 88),
        x=0.01,
        ha="left",
        fontsize=10,
        fontweight="bold",
        color=style.INK,
    )
    fig.supxlabel("bound: bandwidth over bytes, token/s (log scale)", fontsize=9)
    fig.supylabel("measured, token/s (log scale)", fontsize=9)
    return fig


def _panel(
    ax: Axes, rows: pd.DataFrame, group: str, ends: tuple[float, float], narrow: bool
) -> None:
    real, wrong = rows[rows["plausible"]], rows[~rows["plausible"]]
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    ax.plot(ends, ends, color=style.MEMORY, lw=1.4)
    ax.plot(ends, np.array(ends) / 2, color=style.MUTED, lw=0.8, ls=":")
    dots(ax, real["bound"], real["measured"], style.NEUTRAL, 3.2 if narrow else 4)
    if len(wrong):
        ax.plot(wrong["bound"], wrong["measured"], "x", color=style.ENERGY, ms=5, mew=1.4)
        ax.text(0.04, 0.8, f"× {len(wrong)} impossible", transform=ax.transAxes, fontsize=7.5,
                color=style.ENERGY)  # fmt: skip
    fractions = real["measured"] / real["bound"]
    ax.text(
        0.04,
        0.9,
        f"{group}" if narrow else f"{group}: {len(real)} rows, median {fractions.median():.0%}",
        transform=ax.transAxes,
        fontsize=7.5 if narrow else 8.5,
        fontweight="bold",
    )
    if narrow:
        ax.text(0.96, 0.05, f"{fractions.median():.0%} of the bound", transform=ax.transAxes,
                ha="right", fontsize=7.5)  # fmt: skip
    style.unit_axis(ax.xaxis)
    style.unit_axis(ax.yaxis)


def _bound_finding(rows: pd.DataFrame) -> str:
    shares = rows["measured"] / rows["bound"]
    below, doubted = shares[shares <= 1], int((~rows["plausible"]).sum())
    above = int((shares > 1).sum())
    cause = f", {'all' if doubted == above else doubted} impossible as described" if doubted else ""
    return (
        f"{len(below)} of {len(rows)} measurements lie below the bound, the best at "
        f"{below.max():.0%} of it; {above or 'none'} above{cause}"
    )


def bound_against_measured_alt(rows: pd.DataFrame) -> str:
    """The scatter in words, class by class.

    Args:
        rows: as for `bound_against_measured`.
    """
    real = rows[rows["plausible"]]
    above = int((real["measured"] > real["bound"]).sum())
    parts = []
    for group, part in real.groupby("group", sort=False, observed=True):
        share = (part["measured"] / part["bound"]).quantile([0.05, 0.5, 0.95])
        parts.append(
            f"{group}: {len(part)} rows, median {share[0.5]:.0%}, nine tenths of them between "
            f"{share[0.05]:.0%} and {share[0.95]:.0%}"
        )
    return (
        "Measured tokens per second over the bound, on logarithmic axes, a panel for each class. "
        f"All {f'but {above} of ' if above else ''}{len(real)} plausible points lie below the "
        f"diagonal. Share of the bound reached: "
        f"{'; '.join(parts)}. {len(rows) - len(real)} crosses above the diagonal are measurements "
        "that cannot be right as described."
    )


def collapse(
    rows: pd.DataFrame,
    *,
    bandwidth_fraction: float,
    overhead_per_layer: float,
    marked: Mapping[str, str] | None = None,
    narrow: bool = False,
) -> Figure:
    """Share of the bandwidth drawn over the ideal time of one layer, with the fitted curve.

    Args:
        rows: `fraction` of the peak bandwidth drawn, `layer_time` [s] at full bandwidth, `machine`.
        bandwidth_fraction: fitted share of the peak bandwidth.
        overhead_per_layer: fitted time of one layer that does not depend on bytes [s].
        marked: keys of machines to ring, with the words to write beside them.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 3.9) if narrow else style.WIDE)
    x = np.geomspace(rows["layer_time"].min() / 1.4, rows["layer_time"].max() * 1.4, 120)
    ax.set(xscale="log", xlim=(x[0], x[-1]), ylim=(0, 1.04))
    dots(ax, rows["layer_time"], rows["fraction"], style.NEUTRAL, 3.4 if narrow else 4.2)
    ax.plot(x, 1 / (1 / bandwidth_fraction + overhead_per_layer / x), color=style.MEMORY)
    ax.axhline(1, color=style.MUTED, lw=0.9, ls=":")
    half = bandwidth_fraction * overhead_per_layer
    if x[0] < half < x[-1]:
        ax.plot([half, half], [0, bandwidth_fraction / 2], color=style.MUTED, lw=0.9, ls=":")
        note = f"half is lost where a layer's\nbytes take {engineering(half, 's', digits=2)}"
        ax.annotate(note, (half, 0.02), (5, 0), textcoords="offset points", fontsize=7.5)
    for name, text in (marked or {}).items():
        _ring(ax, rows[rows["machine"] == name], text, narrow)
    style.unit_axis(ax.xaxis, "s")
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.set_xlabel(
        "time of one layer's bytes (log scale)"
        if narrow
        else "time to read one layer's bytes at full bandwidth (log scale)"
    )
    ax.set_ylabel("share of the peak bandwidth drawn")
    finding = "The faster a layer's bytes arrive, the larger the share of time spent waiting"
    _title(ax, finding, narrow)
    return fig


def _ring(ax: Axes, rows: pd.DataFrame, text: str, narrow: bool) -> None:
    """Open rings round one machine's points and its name below the lowest of them."""
    size = 5.0 if narrow else 6.0
    ax.plot(rows["layer_time"], rows["fraction"], "o", mfc="none", color=style.COMPUTE, ms=size,
            mew=0.9)  # fmt: skip
    lowest = rows.loc[rows["fraction"].idxmin()]
    at = (lowest["layer_time"], lowest["fraction"])
    ax.annotate(text, at, (0, -12), textcoords="offset points", color=style.COMPUTE, fontsize=8,
                ha="center")  # fmt: skip


def collapse_alt(
    rows: pd.DataFrame, *, bandwidth_fraction: float, overhead_per_layer: float
) -> str:
    """The collapse in words.

    Args:
        rows: as for `collapse`.
        bandwidth_fraction: fitted share of the peak bandwidth.
        overhead_per_layer: fitted time of one layer that does not depend on bytes [s].
    """
    ordered = rows.sort_values("layer_time")
    third = max(len(ordered) // 3, 1)
    fast, slow = ordered["fraction"].iloc[:third], ordered["fraction"].iloc[-third:]
    return (
        f"Share of the peak bandwidth over the time that one layer's bytes take, {len(rows)} "
        f"measurements from {engineering(ordered['layer_time'].iloc[0], 's', digits=2)} to "
        f"{engineering(ordered['layer_time'].iloc[-1], 's', digits=2)}. The fastest third of the "
        f"layers draws a median of {fast.median():.0%}, the slowest third {slow.median():.0%}. The "
        f"fitted curve rises to {bandwidth_fraction:.0%} and reaches half of it at "
        f"{engineering(bandwidth_fraction * overhead_per_layer, 's', digits=2)}."
    )


def precision_fit(
    points: pd.DataFrame, *, base: float, bandwidth: float, narrow: bool = False
) -> Figure:
    """Step time over bytes for one model in several precisions, with the straight line through it.

    Args:
        points: `bits`, `bytes` [B] and `seconds` [s] of each precision.
        base: fitted time without bytes [s].
        bandwidth: fitted bandwidth [B/s].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 3.7) if narrow else (7.2, 3.6))
    x = np.array([0, points["bytes"].max() * 1.12])
    ax.plot(x, base + x / bandwidth, color=style.MEMORY)
    ax.plot(x, x / bandwidth, color=style.MUTED, lw=0.9, ls=":")
    ax.plot(points["bytes"], points["seconds"], "o", color=style.INK)
    for _, row in points.iterrows():
        text = f"{row['bits']:.0f} bits: {engineering(row['seconds'], 's')}"
        above = row["bytes"] > x[-1] / 2
        ax.annotate(text, (row["bytes"], row["seconds"]), (-7, 6) if above else (5, -13),
                    textcoords="offset points", ha="right" if above else "left")  # fmt: skip
    ax.annotate(
        f"{engineering(base, 's')} that no\nprecision removes",
        (0, base),
        (6, -4),
        textcoords="offset points",
        va="top",
        fontsize=8.5,
        color=style.MEMORY,
    )
    ax.set(xlim=(0, x[-1]), ylim=(0, (base + x[-1] / bandwidth) * 1.05))
    style.unit_axis(ax.xaxis, "B")
    style.unit_axis(ax.yaxis, "s")
    ax.set(xlabel="bytes read for one token", ylabel="time of one token")
    _title(ax, _precision_finding(points), narrow)
    return fig


def _precision_finding(points: pd.DataFrame) -> str:
    by = points.sort_values("bits")
    few, many = by.iloc[0], by.iloc[-1]
    paper, read, gain = (many[name] / few[name] for name in ("bits", "bytes", "seconds"))
    return (
        f"{many['bits']:.0f} bits to {few['bits']:.0f}: {paper:.0f} times fewer on paper, "
        f"{read:.1f} times fewer bytes, {gain:.1f} times faster"
    )


def precision_fit_alt(points: pd.DataFrame, *, base: float, bandwidth: float) -> str:
    """The fit in words.

    Args:
        points: as for `precision_fit`.
        base: fitted time without bytes [s].
        bandwidth: fitted bandwidth [B/s].
    """
    parts = [
        f"{row['bits']:.0f} bits, {engineering(row['bytes'], 'B')}, "
        f"{engineering(row['seconds'], 's')}"
        for _, row in points.iterrows()
    ]
    return (
        f"Time of one token over bytes read: {'; '.join(parts)}. The points lie near a straight "
        f"line that starts at {engineering(base, 's')} and climbs at one second for each "
        f"{engineering(bandwidth, 'B')}."
    )


def unseen_errors(rows: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Predicted over measured rate on devices that no constant was fitted on, by class.

    Args:
        rows: `group`, `unseen` and `measured` [token/s].
        narrow: for a phone's width.
    """
    groups = list(dict.fromkeys(rows["group"]))
    size = (3.6, 0.62 * len(groups) + 1.5) if narrow else (7.2, 0.5 * len(groups) + 1.3)
    fig, ax = style.figure(narrow, figsize=size)
    ax.axvline(1, color=style.INK, lw=0.9)
    for place, group in enumerate(groups):
        part = rows[rows["group"] == group]
        ratio = part["unseen"] / part["measured"]
        jitter = (np.arange(len(part)) * 0.618034 % 1 - 0.5) * 0.4
        dots(ax, ratio, place + jitter, style.NEUTRAL, 3.6)
        ax.plot([ratio.median()] * 2, [place - 0.32, place + 0.32], color=style.MEMORY, lw=2.4)
    ax.set(xscale="log", ylim=(len(groups) - 0.5, -0.5))
    ax.set_yticks(range(len(groups)), groups)
    ticks = [t for t in (0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4) if _inside(t, rows)]
    ax.set_xticks(ticks[:: 2 if narrow and len(ticks) > 6 else 1])
    style.unit_axis(ax.xaxis)
    ax.minorticks_off()
    ax.set_xlabel("predicted over measured (log scale); right of 1 the model is too hopeful")
    if narrow:
        ax.set_xlabel("predicted over measured (log scale)")
    _title(ax, _unseen_finding(rows), narrow)
    return fig


def _inside(tick: float, rows: pd.DataFrame) -> bool:
    ratio = rows["unseen"] / rows["measured"]
    return bool(ratio.min() / 1.05 <= tick <= ratio.max() * 1.05) or tick == 1


def _errors(rows: pd.DataFrame) -> Any:
    return (rows["unseen"] / rows["measured"] - 1).abs()


def _unseen_finding(rows: pd.DataFrame) -> str:
    return (
        f"Devices it has never seen: half of {len(rows)} predictions are within "
        f"{_errors(rows).median():.0%}"
    )


def unseen_errors_alt(rows: pd.DataFrame) -> str:
    """The errors in words, class by class.

    Args:
        rows: as for `unseen_errors`.
    """
    parts = [
        f"{group}: median error {_errors(part).median():.0%}, largest {_errors(part).max():.0%}"
        for group, part in rows.groupby("group", sort=False, observed=True)
    ]
    return (
        "Predicted over measured tokens per second on devices not used in fitting, a row of points "
        f"for each class. {'; '.join(parts)}."
    )


def roofline_chart(
    machines: Mapping[str, tuple[float, float]],
    *,
    intensities: Mapping[str, float],
    own: str | None = None,
    narrow: bool = False,
) -> Figure:
    """Rooflines of several machines, with the intensities of decoding marked.

    Args:
        machines: name to peak rate [FLOP/s] and bandwidth [B/s], fastest first.
        intensities: label to arithmetic intensity [FLOP/B].
        own: the machine to draw in full, the others are drawn thinner.
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.4) if narrow else (7.2, 4.6))
    x = np.geomspace(*INTENSITY, 200)
    for name, (peak, bandwidth) in machines.items():
        mine = name == own
        roof = attainable_rate(x, peak_rate=peak, bandwidth=bandwidth)
        colour = style.MEMORY if mine else style.NEUTRAL
        ax.plot(x, roof, color=colour, lw=2.4 if mine else 1.2)
        ridge = float(ridge_intensity(peak, bandwidth))
        ax.plot([ridge], [peak], "o", color=colour, ms=5)
        ax.annotate(name, (INTENSITY[1], peak), (0, 3), textcoords="offset points", ha="right",
                    color=colour, fontsize=8)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlim=INTENSITY)
    for label, intensity in intensities.items():
        ax.axvline(intensity, color=style.MUTED, lw=0.9, ls=":")
        ax.text(intensity * 1.07, 0.99, label, rotation=90, va="top", fontsize=7.5,
                color=style.MUTED, transform=ax.get_xaxis_transform())  # fmt: skip
    style.unit_axis(ax.xaxis, "FLOP/B")
    ax.xaxis.set_major_formatter(lambda value, _: engineering(value))
    style.unit_axis(ax.yaxis, "FLOP/s")
    ax.set_xlabel("arithmetic per byte, FLOP/B (log scale)")
    ax.set_ylabel("attainable arithmetic (log scale)")
    _title(ax, _roof_finding(machines, intensities), narrow)
    return fig


def _roof_finding(
    machines: Mapping[str, tuple[float, float]], intensities: Mapping[str, float]
) -> str:
    lowest = min(intensities.values())
    ridges = [peak / bandwidth for peak, bandwidth in machines.values()]
    return (
        f"One reader asks for {engineering(lowest, digits=2)} FLOP a byte; these machines are "
        f"built for {engineering(min(ridges), digits=2)} to {engineering(max(ridges), digits=2)}"
    )


def roofline_chart_alt(
    machines: Mapping[str, tuple[float, float]], *, intensities: Mapping[str, float]
) -> str:
    """The rooflines in words.

    Args:
        machines: as for `roofline_chart`.
        intensities: as for `roofline_chart`.
    """
    parts = [
        f"{name} climbs at {engineering(bandwidth, 'B/s')} to {engineering(peak, 'FLOP/s')}, "
        f"ridge at {engineering(peak / bandwidth, 'FLOP/B')}"
        for name, (peak, bandwidth) in machines.items()
    ]
    marks = [f"{label} at {engineering(value, 'FLOP/B')}" for label, value in intensities.items()]
    return (
        f"Rooflines on logarithmic axes: {'; '.join(parts)}. Dotted lines mark {', '.join(marks)}."
    )


def roofline_dial(*, low: float = 1e10, high: float = 1e16, narrow: bool = False) -> Figure:
    """The roofline whose parts move: names "roof", "ridge", "step" and "engine", with labels.

    Args:
        low: lowest arithmetic rate shown [FLOP/s].
        high: highest arithmetic rate shown [FLOP/s].
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.0) if narrow else (7.2, 4.2))
    ax.set(xscale="log", yscale="log", xlim=INTENSITY, ylim=(low, high))
    ax.axvline(100, color=style.COMPUTE, lw=1, ls="--", gid="ridge")
    ax.text(100, high / 3, "", color=style.COMPUTE, fontsize=8.5, ha="right", gid="ridge-label")
    ax.plot([], [], color=style.MEMORY, lw=2.6, gid="roof")
    ax.plot([1], [1e12], "o", color=style.INK, ms=8, gid="step")
    ax.plot([1], [1e11], "o", color=style.INK, mfc="none", ms=10, mew=1.6, gid="engine")
    for name, below, weight in (("step", 2, "bold"), ("engine", 15, "normal")):
        label = ax.annotate("", (1, 1e12), (12, -below), textcoords="offset points")
        label.set(fontsize=8.5, fontweight=weight, va="top", gid=f"{name}-label")
    style.unit_axis(ax.yaxis, "FLOP/s")
    ax.xaxis.set_major_formatter(lambda value, _: engineering(value))
    ax.set_xlabel("arithmetic per byte, FLOP/B (log scale)")
    ax.set_ylabel("arithmetic rate (log scale)")
    _title(ax, "One reader sits far left of the ridge, on the slope that memory draws", narrow)
    return fig


def roofline_dial_alt(peak_rate: float, bandwidth: float, rate: float) -> str:
    """The dial at its first setting in words.

    Args:
        peak_rate: dense arithmetic rate [FLOP/s].
        bandwidth: peak memory bandwidth [B/s].
        rate: tokens per second of one reader at the bound [token/s].
    """
    return (
        f"A roofline on logarithmic axes: it climbs with {engineering(bandwidth, 'B/s')} and turns "
        f"flat at {engineering(peak_rate, 'FLOP/s')}, the ridge lies at "
        f"{engineering(peak_rate / bandwidth, 'FLOP/B')}. A point on the slope marks one reader, "
        f"at most {engineering(rate, 'token/s')}; a ring below it the same with an engine's losses."
    )


def roofs(machines: pd.DataFrame, keys: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """16-bit arithmetic rate and bandwidth of some machines, for `roofline_chart`.

    Args:
        machines: the table of machines.
        keys: key to the label to write, in the order of drawing.
    """
    return {
        label: (
            float(machines.loc[key, "peak_rate_fp16"]),
            float(machines.loc[key, "memory_bandwidth"]),
        )
        for key, label in keys.items()
    }

"""Explorables of waiting: a computation that waits, and a repair among its three fates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Max, Min, Symbol, exp, log, sqrt, symbols

from tokenwall import style
from tokenwall.data.facts import facts
from tokenwall.explorable import Area, Curve, HLine, Marker, Move, Preset, Readout, Slider, Text
from tokenwall.plots.board import Board
from tokenwall.plots.waiting_tables import ASSUMED, YEAR, published_rates, task_arrivals
from tokenwall.units import engineering
from tokenwall.waiting import (
    best_wait,
    bill_decay,
    earliest_finish,
    finish_time,
    fix_hurdle,
    hazard_flip,
    loss_hazard,
    price_decline_flip,
    rented_finish,
    slacking_threshold,
    user_cost,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST, HIGHEST = 12.0, 16.0
FALLS, PAYBACKS = (1.0, 1000.0), (0.05, 20.0)
MEAN_ARRIVAL = 1 / ASSUMED["arrival_hazard"][0]
NEVER = "never by hand: the bill melts before the repair can pay"
ENDLESS = "use outgrows everything, and the savings have no finite sum"
SLACK_SLIDERS = (
    Slider("job_years", "The job on a machine of today", "years", 0.5, 15, 5, "linear", step=0.1),
    Slider("doubling_years", "Speed at the same price doubles in", "years", 0.5, 25, 1.5),
)


def slack_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of the slacking dial: time to the finish over the wait.

    The curve is named "finish", its lowest point "best" with "best-label", the line of starting at
    once "now" with "now-label" and that of renting "rent" with "rent-label".

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.0) if narrow else (style.WIDE[0], 4.2))
    ax.set(xlim=(0, LONGEST), ylim=(0, HIGHEST))
    ax.plot([0, LONGEST], [0, LONGEST], color=style.GRID, lw=1)
    ax.text(9.9, 9.2, "still waiting", color=style.MUTED, rotation=36, ha="center", va="top")
    ax.plot([0, 1], [1, 1], color=style.COMPUTE, gid="finish")
    ax.axhline(5, color=style.MUTED, lw=1.1, ls=(0, (3, 2)), gid="now")
    ax.text(LONGEST - 0.1, 5, "", color=style.MUTED, ha="right", va="bottom", gid="now-label")
    ax.axhline(3, color=style.NETWORK, lw=1.3, ls=(0, (5, 2)), gid="rent")
    ax.text(LONGEST - 0.1, 3, "", color=style.NETWORK, ha="right", va="bottom", gid="rent-label")
    ax.plot([2], [4], "o", color=style.MEMORY, ms=9, gid="best")
    ax.text(2, 4, "", color=style.MEMORY, va="top", ha="left", gid="best-label")
    gap = "\n" if narrow else " "
    ax.set_title(f"Wait until a day of waiting{gap}saves a day of running")
    ax.set_xlabel("wait before buying, years")
    ax.set_ylabel("years from today to the finish")
    return fig


def slacking() -> Board:
    """The slacking dial: best wait, threshold and what renting would do."""
    job_years, doubling_years = symbols("job_years doubling_years", positive=True)
    wait_years = Symbol("wait_years", nonnegative=True)
    job, doubling = job_years * YEAR, doubling_years * YEAR
    best, first = best_wait(job, doubling) / YEAR, earliest_finish(job, doubling) / YEAR
    rent = rented_finish(job, doubling) / YEAR
    curve = finish_time(job, wait_years * YEAR, doubling_time=doubling) / YEAR
    moves: list[Move] = [
        Curve("finish", x=("wait_years", np.linspace(0, LONGEST, 121)), y=curve),
        HLine("now", y=job_years),
        Text("now-label", y=job_years, value=job_years, unit="years", template="start now: {}"),
        HLine("rent", y=rent),
        Text("rent-label", y=rent - 0.75, value=rent, unit="years", template="always rent: {}"),
        Marker("best", x=best, y=first),
        Text("best-label", best + 0.2, first - 0.15, best, unit="years", template="wait {}"),
    ]
    readouts = [
        Readout("Best wait", best, "years"),
        Readout("Finish after the best wait", first, "years"),
        Readout("Share of the time saved", 1 - first / job_years),
        Readout("Shortest job that should wait", slacking_threshold(doubling) / YEAR, "years"),
        Readout("Finish when always renting the newest", rent, "years"),
    ]
    chip, core = facts("gpu-price-performance"), facts("one-core")
    paces = {
        "Slackers of 1999": facts("slacking")["doubling_time"],
        "One core, 1986 to 2003": YEAR * np.log(2) / np.log(core["growth_1986_2003"]),
        "One core, 2015 to 2018": YEAR * np.log(2) / np.log(core["growth_2015_2018"]),
        "FLOP/s for a dollar, all GPUs": chip["all_doubling_time"],
        "FLOP/s for a dollar, GPUs for learning": chip["learning_doubling_time"],
    }
    presets = [
        Preset("pace", label, {"doubling_years": float(time) / YEAR})
        for label, time in paces.items()
    ]
    at = [float(e.subs({job_years: 5, doubling_years: 1.5})) for e in (best, first, rent)]
    alt = (
        "Years from today to the finish over the years waited before buying. For a job of 5 years "
        f"and a doubling in 1.5 years the curve falls from 5 to {at[1]:.2f} at a wait of "
        f"{at[0]:.2f} and then rises towards the line of waiting for ever. Renting would finish in "
        f"{at[2]:.2f} years."
    )
    caption = (
        "One machine, bought once. Level line: a steady rent that hires one such machine today."
    )
    return Board(moves, readouts, presets, {}, alt, [], caption)


def phase_sliders() -> tuple[Slider, ...]:
    """The board's sliders; they start at the fall that hardware alone explains."""
    hardware = float(published_rates().set_index("label")["factor"]["hardware alone"])
    return (
        Slider("fall", "Price falls yearly by a factor of", "1", *FALLS, hardware),
        Slider("payback", "Repair saves its cost", "times a year", *PAYBACKS, 1),
        Slider("use", "Use grows yearly by a factor of", "1", 1, 100, 2),
        Slider("promise", "A free repair is expected in", "years", 0.3, 100, MEAN_ARRIVAL),
    )


def phase_axes(*, narrow: bool = False) -> Figure:
    """Empty axes of the three fates: payback rate over the fall of the price.

    The regions are named "now", "later" and their borders "hurdle" and "flip"; the point is named
    "here", its label "here-label" and the names of the regions "now-name", "later-name" and
    "never-name".

    Args:
        narrow: for a phone's width.
    """
    fig, ax = style.figure(narrow, figsize=(3.6, 4.2) if narrow else (style.WIDE[0], 4.6))
    ax.set(xscale="log", yscale="log", xlim=FALLS, ylim=PAYBACKS)
    ax.fill([1, 2], [1, 2], color=style.NETWORK, alpha=0.16, gid="now")
    ax.fill([1, 2], [1, 2], color=style.COMPUTE, alpha=0.16, gid="later")
    ax.plot([1, 2], [1, 1], color=style.INK, gid="hurdle")
    ax.plot([2, 2], [1, 2], color=style.INK, gid="flip")
    bold = {"fontweight": "bold", "ha": "center", "va": "center"}
    ax.text(30, 13, "repair now", color=style.NETWORK, **bold)
    ax.text(1.5, 0.1, "later", color=style.COMPUTE, gid="later-name", **bold)
    ax.text(80, 0.1, "never", color=style.MEMORY, gid="never-name", **bold)
    for row in published_rates().query("quantity == 'price'").itertuples():
        ax.axvline(row.factor, ymax=0.035, color=style.MUTED, lw=1.4)
        ax.annotate(
            engineering(row.factor, digits=2) + "×",
            (row.factor, PAYBACKS[0]),
            (-3 if row.factor == 9 else 3 if row.factor == 10 else 0, 13),
            textcoords="offset points",
            ha="right" if row.factor == 9 else "left" if row.factor == 10 else "center",
            color=style.MUTED,
            fontsize=7.5,
        )
    ax.plot([4], [1], "o", color=style.MEMORY, ms=10, gid="here")
    gap = "\n" if narrow else " "
    ax.set_title(f"Three fates of a repair,{gap}and where they meet")
    ax.set_xlabel("factor by which the price falls in a year")
    ax.set_ylabel("times a year that the repair saves its cost")
    style.unit_axis(ax.xaxis)
    style.unit_axis(ax.yaxis)
    return fig


def phases() -> Board:
    """The repair's three fates, with borders that follow interest, chances, use and the promise."""
    names = ("fall", "payback", "use", "promise", "discount", "retirement", "cheaper")
    fall, payback, use, promise, *rest = (Symbol(name, positive=True) for name in names)
    discount, retirement, cheaper = (value / YEAR for value in rest)
    chances = {"retirement_hazard": retirement, "arrival_hazard": 1 / (promise * YEAR)}
    grown, psi = log(use) / YEAR, payback / YEAR

    def hurdle(price: Any) -> Any:
        owed = user_cost(discount, cheaper, **chances)
        fading = bill_decay(log(price) / YEAR, grown, discount_rate=discount, **chances)
        return owed, fading, fix_hurdle(owed, fading)

    owed, fading, bar = hurdle(fall)
    # Where saving over cost stops growing: beyond it the repair is due now or never.
    turn = exp((owed - fading) * YEAR) * fall
    height, low, high = bar * YEAR, *PAYBACKS
    over = Symbol("fall", positive=True)
    rising = Min(1, Max(0, (log(turn) - log(over)) * 400))
    grid, part = ("fall", np.geomspace(*FALLS, 361)), Symbol("part", positive=True)
    corner = Max(height.subs(fall, turn), low)
    moves: list[Move] = [
        Area("now", x=grid, low=Min(Max(height, low), high), high=high),
        Area("later", x=grid, low=low, high=low * (Min(Max(height, low), high) / low) ** rising),
        Curve("hurdle", x=grid, y=Max(height, low)),
        Curve("flip", ("part", np.linspace(1e-9, 1, 3)), low * (corner / low) ** part, along=turn),
        Marker("here", x=fall, y=payback),
        Text("later-name", x=sqrt(turn)),
        Text("never-name", x=sqrt(Min(turn, 300) * FALLS[1])),
    ]
    # Nothing where the repair is due now, without end where it never is, in between the wait.
    later = Max(0, log(bar / psi)) / Max((owed - fading) * YEAR, 1e-320)
    common = {"discount_rate": discount, "fix_decline": cheaper}
    flip = price_decline_flip(psi, grown, **common, **chances)
    chance = hazard_flip(
        psi, log(fall) / YEAR, usage_growth=grown, retirement_hazard=retirement, **common
    )
    loss = loss_hazard(
        psi,
        log(fall) / YEAR,
        usage_growth=grown,
        discount_rate=discount,
        retirement_hazard=retirement,
    )
    sum_of_savings = psi / Max(fading, 0)
    best = sum_of_savings * exp(-fading * YEAR * later) - exp(-owed * YEAR * later)
    readouts = [
        Readout("Repair after", later, "years", missing=NEVER),
        Readout("Value of repairing today, over its cost", sum_of_savings - 1, missing=ENDLESS),
        Readout("Value at the best moment, over its cost", best, missing=ENDLESS),
        Readout("Repair at once if it saves its cost", height, "times a year"),
        Readout("Never, once the price falls yearly by more than", exp(flip * YEAR), "times"),
        Readout(
            "Another plan beats today, if only just, once a free repair is expected within",
            1 / Max(chance * YEAR, 0),
            "years",
            missing="another plan is better without a promise too",
        ),
        Readout(
            "Repairing today loses money once a free repair is expected within",
            1 / Max(loss * YEAR, 0),
            "years",
            missing="it loses money without a promise too",
        ),
    ]
    presets = [*_price_presets(), *_promise_presets()]
    fixed = {
        "discount": ASSUMED["discount_rate"][0],
        "retirement": ASSUMED["retirement_hazard"][0],
        "cheaper": ASSUMED["fix_decline"][0],
    }
    defaults = {slider.name: slider.default for slider in phase_sliders()} | fixed
    setting = {Symbol(name, positive=True): value for name, value in defaults.items()}
    at = [float(expression.subs(setting)) for expression in (height, turn)]
    alt = (
        "Times a year that a repair saves its cost over the yearly fall of the price, both "
        "logarithmic. At the top: repair now. At the lower left: later; at the lower right: never. "
        "At the defaults the point lies at a fall of 1.4 and one saving of the cost a year; the "
        f"bar for repairing now is {at[0]:.2f} there, and later turns into never at a fall of "
        f"{at[1]:.1f} a year."
    )
    caption = (
        f"Interest {100 * fixed['discount']:.0f} % a year, a program that lives "
        f"{1 / fixed['retirement']:.0f} years, a repair whose price falls at "
        f"{fixed['cheaper']:.1f} a year (assumed). Grey ticks: published falls."
    )
    return Board(moves, readouts, presets, fixed, alt, [], caption)


def _price_presets() -> list[Preset]:
    rows = published_rates()
    made = [
        Preset("price", f"{row.label}, {engineering(row.factor, digits=2)}×", {"fall": row.factor})
        for row in rows.itertuples()
        if row.quantity == "price"
    ]
    made.append(Preset("use", "the example, 2×", {"use": 2.0}))
    return made + [
        Preset("use", f"{row.label}, {engineering(row.factor, digits=2)}×", {"use": row.factor})
        for row in rows.itertuples()
        if row.quantity == "use"
    ]


def _promise_presets() -> list[Preset]:
    """The free repair as a trend of task lengths dates it, and the two extremes."""
    made = [
        Preset(
            "promise",
            f"{label}, by the trend of task lengths",
            {"promise": time / YEAR},
        )
        for label, time in task_arrivals().items()
    ]
    example = Preset("promise", "The example", {"promise": MEAN_ARRIVAL})
    return [example, *made, Preset("promise", "Nobody will do it for free", {"promise": 100.0})]

"""When to wait for something better: faster hardware, cheaper tokens, a fix that comes for free.

Two problems. A computation that must be finished soonest, on machines that double their speed at a
fixed pace: how long to wait before buying one. And a flaw in software that costs money every day:
whether to repair it now, later or never, when the bill grows with use and falls with prices, when
the repair gets cheaper, and when the code may be scrapped or somebody may repair it for nothing.
All rates are continuous, per second: a price that falls tenfold in a year falls at ln(10) a year.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sympy import Max, Min, exp, log, sqrt

from tokenwall.equation import equation
from tokenwall.units import (
    Dimensionless,
    Fraction,
    NonnegativePerSecond,
    NonnegativeSecond,
    PerSecond,
    Positive,
    Probability,
    Rate,
    Second,
    Usd,
    UsdPerSecond,
)

Array = npt.NDArray[np.float64]

__all__ = [
    "arrival_belief",
    "belief_threshold",
    "best_fix_wait",
    "best_wait",
    "bill_decay",
    "earliest_finish",
    "finish_time",
    "fix_hurdle",
    "fix_value",
    "growth_rate",
    "hardware_share",
    "hazard_flip",
    "loss_hazard",
    "payback_rate",
    "price_decline_flip",
    "rented_finish",
    "simulate_fix_value",
    "slacking_threshold",
    "user_cost",
    "waiting_gain",
]


@equation
def waiting_gain(wait: NonnegativeSecond, doubling_time: Second) -> Positive:
    """How much faster a machine of the same price is after a wait, at a steady pace [1].

    The extrapolation on which every argument for waiting rests. Real machines improve in steps and
    real paces change, so a long wait may gain far more or far less.

    Args:
        wait (s): time before buying.
        doubling_time (s): time in which speed at the same price doubles.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no wait gains nothing; one doubling time gains a factor of two.

    Example:
        >>> year = 365.25 * 86400
        >>> float(waiting_gain(year, 2.07 * year))
        1.40

    Source: gottbrath1999, section 2
    """
    return 2 ** (wait / doubling_time)


@equation
def finish_time(
    job_time: Second, wait: NonnegativeSecond, *, doubling_time: Second
) -> NonnegativeSecond:
    """Time from today to the end of a computation that starts after a wait on a new machine [s].

    The budget buys one machine, once, and nothing runs before. Leaves out that an answer is worth
    more the earlier it comes, and that idle people cost money: both shorten the best wait.

    Args:
        job_time (s): run time on the machine that the budget buys today.
        wait (s): time before buying.
        doubling_time (s): time in which speed at the same price doubles.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no wait takes the run time; a very long wait takes the wait alone.

    Example:
        >>> float(finish_time(60.0, 18.0, doubling_time=18.0))
        48.0

    Source: gottbrath1999, section 2
    Derivation: book/culture/waiting.ipynb
    """
    return wait + job_time / waiting_gain(wait, doubling_time)


@equation
def slacking_threshold(doubling_time: Second) -> Second:
    """Run time above which waiting for a faster machine finishes sooner [s].

    The time in which speed grows by the factor e. A shorter job is over before progress can repay
    the wait. The same idealisation as finish_time.

    Args:
        doubling_time (s): time in which speed at the same price doubles.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: progress twice as fast halves it; without progress no job is long enough.

    Example:
        >>> float(slacking_threshold(18.0))
        25.97

    Source: gottbrath1999, section 2
    """
    return doubling_time / log(2)


@equation
def best_wait(job_time: Second, doubling_time: Second) -> NonnegativeSecond:
    """Wait after which a computation finishes soonest [s].

    At the best moment a further day of waiting shortens the run by exactly one day. Whatever the
    job, what is then left to run is the threshold itself.

    Args:
        job_time (s): run time on the machine that the budget buys today.
        doubling_time (s): time in which speed at the same price doubles.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: none up to the threshold; a job twice as long waits one doubling time more.

    Example:
        >>> float(best_wait(60.0, 18.0))
        21.75

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    threshold = slacking_threshold(doubling_time)
    return threshold * Max(0, log(job_time / threshold))


@equation
def earliest_finish(job_time: Second, doubling_time: Second) -> Second:
    """Time to the end of a computation whose start was chosen best [s].

    Grows only with the logarithm of the job. Leaves out the same as finish_time.

    Args:
        job_time (s): run time on the machine that the budget buys today.
        doubling_time (s): time in which speed at the same price doubles.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: the run time itself up to the threshold; a job e times as long, one threshold more.

    Example:
        >>> float(earliest_finish(60.0, 18.0))
        47.72

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    threshold = slacking_threshold(doubling_time)
    return threshold * (Max(0, log(job_time / threshold)) + Min(1, job_time / threshold))


@equation
def rented_finish(job_time: Second, doubling_time: Second) -> Second:
    """Time to the end of a computation that always runs on the newest machine [s].

    Renting by the day at a constant spend, which hires one such machine today: work is done from
    the first day and speeds up with the market. Assumes that moving the job costs nothing and that
    rents fall as purchase prices do. The sum spent by the end is not that of one machine.

    Args:
        job_time (s): run time on the machine that the budget buys today.
        doubling_time (s): time in which speed at the same price doubles.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a short job takes its run time; a long one ends one threshold before earliest_finish.

    Example:
        >>> float(rented_finish(60.0, 18.0))
        31.09

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    threshold = slacking_threshold(doubling_time)
    return threshold * log(1 + job_time / threshold)


@equation
def growth_rate(growth_factor: Positive, span: Second) -> Rate:
    """Continuous rate of something that grew by a factor in a time [1/s].

    For a price that fell, the factor is the old price over the new. Says nothing about whether the
    growth was even.

    Args:
        growth_factor (1): last value over the first, or first price over the last.
        span (s): time between them.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no growth, no rate; the square of the factor in twice the time, the same rate.

    Example:
        >>> year = 365.25 * 86400
        >>> float(growth_rate(1000, 3 * year)) * year
        2.303

    Source: a16z2024, text: a thousandfold in three years is tenfold a year
    """
    return log(growth_factor) / span


@equation
def hardware_share(
    growth_factor: Positive, span: Second, *, doubling_time: Second
) -> Dimensionless:
    """Share of a fall in price that hardware explains, in the logarithm [1].

    Factors multiply, so shares are of their logarithms. What is left is smaller models, software,
    competition and margins; the equation cannot tell them apart.

    Args:
        growth_factor (1): first price over the last.
        span (s): time between them.
        doubling_time (s): time in which hardware's speed at the same price doubles.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: all of it when the price halves in one doubling time; none without progress.

    Example:
        >>> float(hardware_share(10, 1.0, doubling_time=2.07))
        0.145

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    return span * log(2) / (doubling_time * log(growth_factor))


@equation
def payback_rate(saved_fraction: Fraction, bill_rate: UsdPerSecond, *, fix_cost: Usd) -> PerSecond:
    """What a repair saves in a time, as a multiple of what it costs, at today's prices [1/s].

    Its inverse is the simple payback time. Says nothing about how the saving will grow or shrink.

    Args:
        saved_fraction (1): share of the bill that the repair saves.
        bill_rate (USD/s): what the code's machines cost today.
        fix_cost (USD): what the repair costs today.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: half the cost, twice the rate; a saving of nothing never pays back.

    Example:
        >>> year = 365.25 * 86400
        >>> float(payback_rate(0.3, 10e6 / year, fix_cost=5e6)) * year
        0.600

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    return saved_fraction * bill_rate / fix_cost


@equation
def user_cost(
    discount_rate: NonnegativePerSecond,
    fix_decline: Rate,
    *,
    retirement_hazard: NonnegativePerSecond,
    arrival_hazard: NonnegativePerSecond,
) -> PerSecond:
    """What owning the repair a moment earlier costs, for each dollar of its price [1/s].

    Interest, the fall in the repair's own price, and the two chances that it turns out wasted:
    because the code is scrapped, and because the same repair comes for free. The user cost of
    capital, with arrival in the place of depreciation.

    Args:
        discount_rate (1/s): what money is worth elsewhere.
        fix_decline (1/s): rate at which the repair gets cheaper; negative if it gets dearer.
        retirement_hazard (1/s): chance in a time that the code is scrapped and the bill stops.
        arrival_hazard (1/s): chance in a time that the repair arrives for free.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: without chance and with a steady price it is the interest; every part counts alike.

    Example:
        >>> year = 365.25 * 86400
        >>> float(user_cost(0.1 / year, 0.69 / year, retirement_hazard=0.1 / year,
        ...                 arrival_hazard=0.1 / year)) * year
        0.990

    Source: jorgenson1963, p. 249
    Derivation: book/culture/waiting.ipynb
    """
    return discount_rate + fix_decline + retirement_hazard + arrival_hazard


@equation
def bill_decay(
    price_decline: Rate,
    usage_growth: Rate,
    *,
    discount_rate: NonnegativePerSecond,
    retirement_hazard: NonnegativePerSecond,
    arrival_hazard: NonnegativePerSecond,
) -> Rate:
    """Rate at which the expected, discounted saving of a repair fades [1/s].

    Prices that fall shrink it, use that grows swells it. Where it is not positive the saving has no
    finite present value: growth outruns everything.

    Args:
        price_decline (1/s): rate at which the price of a unit of work falls.
        usage_growth (1/s): rate at which the work grows.
        discount_rate (1/s): what money is worth elsewhere.
        retirement_hazard (1/s): chance in a time that the code is scrapped and the bill stops.
        arrival_hazard (1/s): chance in a time that the repair arrives for free.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: prices and use that move alike leave interest and chance only.

    Example:
        >>> from math import log
        >>> year = 365.25 * 86400
        >>> float(bill_decay(log(10) / year, log(3.2) / year, discount_rate=0.1 / year,
        ...                  retirement_hazard=0.1 / year, arrival_hazard=0.1 / year)) * year
        1.439

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    return discount_rate + retirement_hazard + arrival_hazard + price_decline - usage_growth


@equation
def fix_value(
    wait: NonnegativeSecond, payback_rate: PerSecond, *, user_cost: PerSecond, bill_decay: Rate
) -> Dimensionless:
    """Expected present value of planning a repair after a wait, for each dollar of its cost [1].

    Against never repairing by hand. Savings run from the repair until the code is scrapped or the
    free repair arrives; if either comes first, the repair is not made and not paid. Rates are
    constant and chance has no memory.

    Args:
        wait (s): time until the repair.
        payback_rate (1/s): what it saves in a time today over what it costs today.
        user_cost (1/s): rate at which its expected, discounted cost falls.
        bill_decay (1/s): rate at which its expected, discounted saving falls.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit; a bill_decay
            that is not positive gives no finite value.

    Limits: at once, the payback rate over the decay, less one; after a very long wait, nothing.

    Example:
        >>> float(fix_value(0, 0.6, user_cost=0.99, bill_decay=1.439))
        -0.583

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    saving = payback_rate * exp(-bill_decay * wait) / Max(0, bill_decay)
    return saving - exp(-user_cost * wait)


@equation
def best_fix_wait(
    payback_rate: PerSecond, user_cost: PerSecond, *, bill_decay: Rate
) -> NonnegativeSecond:
    """Wait after which to repair, where the saving grows faster than the cost [s].

    The repair is due when its saving in a time has grown to its user cost. Where the saving grows
    slower than the cost, that moment is the worst one instead: then it is now or never, and the
    equation gives no value.

    Args:
        payback_rate (1/s): what the repair saves in a time today over what it costs today.
        user_cost (1/s): rate at which its expected, discounted cost falls.
        bill_decay (1/s): rate at which its expected, discounted saving falls.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit; the saving
            does not fade slower than the cost, so that no wait is best.

    Limits: none when the payback rate has reached the user cost; half the payback rate, later by
    the time in which saving over cost doubles.

    Example:
        >>> float(best_fix_wait(0.6, 0.99, bill_decay=-0.393))
        0.362

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    return Max(0, log(user_cost / payback_rate)) / Max(0, user_cost - bill_decay)


@equation
def fix_hurdle(
    user_cost: PerSecond, bill_decay: Rate, *, ratio_variance: NonnegativePerSecond = 0
) -> PerSecond:
    """Payback rate from which on to repair at once, with or without uncertainty [1/s].

    The saving over the cost drifts, and may also wander: then a repair that cannot be undone should
    clear a higher bar, since waiting keeps the choice open. Solves the option to invest of McDonald
    and Siegel; the drift is that of the mean, and risk itself has no price. Leaves out rivals, who
    take the option away, and what is learnt only by doing.

    Args:
        user_cost (1/s): rate at which the expected, discounted cost of the repair falls.
        bill_decay (1/s): rate at which its expected, discounted saving falls.
        ratio_variance (1/s): variance that the logarithm of saving over cost gains in a time.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: without variance, the larger of user_cost and bill_decay; more variance, higher.

    Example:
        >>> float(fix_hurdle(0.99, 1.439)), float(fix_hurdle(0.99, 1.439, ratio_variance=0.25))
        (1.439, 1.731)

    Source: mcdonald1986, section II
    Derivation: book/culture/waiting.ipynb
    """
    drift = user_cost - bill_decay
    lean = drift - ratio_variance / 2
    wander = sqrt(lean**2 + 2 * user_cost * ratio_variance)
    return user_cost + (wander - lean) / 2


@equation
def price_decline_flip(
    payback_rate: PerSecond,
    usage_growth: Rate,
    *,
    discount_rate: NonnegativePerSecond,
    fix_decline: Rate,
    retirement_hazard: NonnegativePerSecond,
    arrival_hazard: NonnegativePerSecond,
) -> Rate:
    """Fall of prices beyond which a repair never pays, now or later [1/s].

    Two ways to be worth it: the saving outgrows the cost one day, or it pays from the first day
    before it melts. Beyond the larger of the two rates neither holds.

    Args:
        payback_rate (1/s): what the repair saves in a time today over what it costs today.
        usage_growth (1/s): rate at which the work grows.
        discount_rate (1/s): what money is worth elsewhere.
        fix_decline (1/s): rate at which the repair gets cheaper; negative if it gets dearer.
        retirement_hazard (1/s): chance in a time that the code is scrapped and the bill stops.
        arrival_hazard (1/s): chance in a time that the repair arrives for free.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: grows one for one with the use of the code; a slow payback leaves use and the fall of
    the repair's own price.

    Example:
        >>> from math import exp, log
        >>> year = 365.25 * 86400
        >>> flip = price_decline_flip(0.6 / year, log(3.2) / year, discount_rate=0.1 / year,
        ...     fix_decline=0.69 / year, retirement_hazard=0.1 / year, arrival_hazard=0.1 / year)
        >>> exp(float(flip) * year)
        6.38

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    hazards = retirement_hazard + arrival_hazard
    return usage_growth + Max(fix_decline, payback_rate - discount_rate - hazards)


@equation
def hazard_flip(
    payback_rate: PerSecond,
    price_decline: Rate,
    *,
    usage_growth: Rate,
    discount_rate: NonnegativePerSecond,
    fix_decline: Rate,
    retirement_hazard: NonnegativePerSecond,
) -> Rate:
    """Chance of a free repair from which on some other plan beats repairing today [1/s].

    The other plan is a wait where the saving fades more slowly than the cost, and never otherwise.
    Just beyond it the wait is short and worth next to nothing: see loss_hazard for where repairing
    today loses money. Not positive where the repair should not be made today even if no free one
    will ever come.

    Args:
        payback_rate (1/s): what the repair saves in a time today over what it costs today.
        price_decline (1/s): rate at which the price of a unit of work falls.
        usage_growth (1/s): rate at which the work grows.
        discount_rate (1/s): what money is worth elsewhere.
        fix_decline (1/s): rate at which the repair gets cheaper; negative if it gets dearer.
        retirement_hazard (1/s): chance in a time that the code is scrapped and the bill stops.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one for one with the payback rate; the faster of the two falls, of the repair's price
    and of the bill, counts against it.

    Example:
        >>> year = 365.25 * 86400
        >>> flip = hazard_flip(1.5 / year, 0.0, usage_growth=0.0, discount_rate=0.1 / year,
        ...                    fix_decline=0.69 / year, retirement_hazard=0.0)
        >>> float(flip) * year
        0.71

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    fading = Max(fix_decline, price_decline - usage_growth)
    return payback_rate - discount_rate - retirement_hazard - fading


@equation
def loss_hazard(
    payback_rate: PerSecond,
    price_decline: Rate,
    *,
    usage_growth: Rate,
    discount_rate: NonnegativePerSecond,
    retirement_hazard: NonnegativePerSecond,
) -> Rate:
    """Chance of a free repair from which on repairing today loses money against never [1/s].

    There the expected saving is just the cost. One over it is how soon, on average, the free repair
    must be expected for that. Says nothing of whether a wait does better than both: hazard_flip
    does, and is never larger. Not positive where repairing today loses money without any promise.

    Args:
        payback_rate (1/s): what the repair saves in a time today over what it costs today.
        price_decline (1/s): rate at which the price of a unit of work falls.
        usage_growth (1/s): rate at which the work grows.
        discount_rate (1/s): what money is worth elsewhere.
        retirement_hazard (1/s): chance in a time that the code is scrapped and the bill stops.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one for one with the payback rate and with the growth of use; the price of the repair
    itself plays no part.

    Example:
        >>> year = 365.25 * 86400
        >>> flip = loss_hazard(1.5 / year, 0.2 / year, usage_growth=0.0, discount_rate=0.1 / year,
        ...                    retirement_hazard=0.1 / year)
        >>> float(flip) * year
        1.10

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    return payback_rate + usage_growth - price_decline - discount_rate - retirement_hazard


@equation
def arrival_belief(
    promise_probability: Probability,
    wait: NonnegativeSecond,
    *,
    arrival_hazard: NonnegativePerSecond,
) -> Probability:
    """Belief that a promised repair will ever come, after it has not come for a while [1].

    Bayes: a promise that is sound would probably have been kept by now. The hazard that counts for
    the decision is this belief times the hazard of a sound promise, so it falls as time passes.

    Args:
        promise_probability (1): belief at the start.
        wait (s): time that has passed without the repair.
        arrival_hazard (1/s): chance in a time that a sound promise is kept.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: certainty stays certain; any doubt grows until the promise is written off.

    Example:
        >>> float(arrival_belief(0.5, 2.0, arrival_hazard=1.0))
        0.119

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    silent = promise_probability * exp(-arrival_hazard * wait)
    return silent / (1 - promise_probability + silent)


@equation
def belief_threshold(
    payback_rate: PerSecond, bill_decay: Rate, *, arrival_hazard: NonnegativePerSecond
) -> Dimensionless:
    """Belief in a promised free repair above which repairing today loses money [1].

    Compares today with never, for a promise that is either sound, and then kept by chance at a
    steady hazard, or empty. Above 1 no belief is enough; below 0 none is needed. A short wait may
    beat both at a lower belief.

    Args:
        payback_rate (1/s): what the repair saves in a time today over what it costs today.
        bill_decay (1/s): rate at which the expected, discounted saving falls if the promise is
            sound, the arrival hazard included.
        arrival_hazard (1/s): chance in a time that a sound promise is kept.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: where the saving would never fade without the promise, only certainty is enough, or
    not even that.

    Example:
        >>> float(belief_threshold(1.5, 1.7, arrival_hazard=1.0))
        0.907

    Source: own derivation
    Derivation: book/culture/waiting.ipynb
    """
    alone = Max(0, bill_decay - arrival_hazard)
    return (1 - alone / payback_rate) * Max(bill_decay, arrival_hazard) / arrival_hazard


def simulate_fix_value(
    generator: np.random.Generator,
    draws: int,
    *,
    wait: float,
    payback_rate: float,
    discount_rate: float,
    fix_decline: float,
    retirement_hazard: float,
    arrival_hazard: float,
    usage_growth: float,
    price_decline: float,
    promise_probability: float = 1.0,
) -> Array:
    """Value of a planned repair in many drawn futures, for each dollar of its cost [1].

    In each future the code is scrapped at a random time and the free repair arrives at another, or
    never if the promise is empty. What then happens is certain and summed exactly. The mean is
    `fix_value`, reached without its algebra.

    Args:
        generator: source of chance.
        draws: futures.
        wait: time until the repair [s].
        payback_rate: what it saves in a time today over what it costs today [1/s].
        discount_rate: what money is worth elsewhere [1/s].
        fix_decline: rate at which the repair gets cheaper [1/s].
        retirement_hazard: chance in a time that the code is scrapped [1/s]; 0 for never.
        arrival_hazard: chance in a time that a sound promise is kept [1/s]; 0 for never.
        usage_growth: rate at which the work grows [1/s].
        price_decline: rate at which the price of a unit of work falls [1/s].
        promise_probability: chance that the promise is sound.

    Returns:
        One value for each future.

    Raises:
        ValueError: no future is asked for, or a chance is outside its range.

    Example:
        >>> rates = dict(discount_rate=0.1, fix_decline=0.0, usage_growth=0.0, price_decline=0.0)
        >>> values = simulate_fix_value(np.random.default_rng(1), 200_000, wait=0.0,
        ...     payback_rate=1.0, retirement_hazard=0.2, arrival_hazard=0.2, **rates)
        >>> bool(abs(values.mean() - fix_value(0, 1, user_cost=0.5, bill_decay=0.5)) < 0.01)
        True
    """
    for name, value, top in (
        ("draws", draws, np.inf),
        ("retirement_hazard", retirement_hazard, np.inf),
        ("arrival_hazard", arrival_hazard, np.inf),
        ("promise_probability", promise_probability, 1.0),
    ):
        if not (1 if name == "draws" else 0) <= value <= top:
            raise ValueError(f"{name} is {value:g}; it must be from 0 to {top:g}")
    scrapped = _times(generator, draws, retirement_hazard)
    arrived = _times(generator, draws, arrival_hazard)
    arrived[generator.random(draws) >= promise_probability] = np.inf
    length = np.maximum(np.minimum(scrapped, arrived) - wait, 0.0)
    fading = discount_rate + price_decline - usage_growth
    with np.errstate(over="ignore"):
        summed = -np.expm1(-fading * length) / fading if fading else length
    saved = payback_rate * np.exp(-fading * wait) * summed
    paid = np.exp(-(discount_rate + fix_decline) * wait)
    return np.asarray(np.where(length > 0, saved - paid, 0.0), dtype=float)


def _times(generator: np.random.Generator, draws: int, hazard: float) -> Array:
    """Times of the first event at a steady hazard; without a hazard it never comes."""
    waits = generator.exponential(1.0, draws)
    return waits / hazard if hazard else np.full(draws, np.inf)

"""Waiting: the closed forms against integration, search, simulation and a lattice."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize_scalar

from tokenwall import waiting

CASES = [  # payback, discount, cheaper, scrap, arrive, use, fall; all for one unit of time
    (0.6, 0.1, 0.69, 0.1, 0.1, np.log(3.2), np.log(1.6)),
    (0.6, 0.1, 0.69, 0.1, 0.1, np.log(3.2), np.log(10)),
    (1.5, 0.05, 0.0, 0.3, 0.5, 0.2, 0.4),
    (0.2, 0.2, 0.4, 0.05, 0.9, 0.1, 0.1),
]
NAMES = (
    "payback_rate",
    "discount_rate",
    "fix_decline",
    "retirement_hazard",
    "arrival_hazard",
    "usage_growth",
    "price_decline",
)
rates = st.floats(0.02, 3)
times = st.floats(0.5, 100)


def costs(case):
    chances = {name: case[name] for name in ("retirement_hazard", "arrival_hazard")}
    owed = waiting.user_cost(case["discount_rate"], case["fix_decline"], **chances)
    fading = waiting.bill_decay(
        case["price_decline"],
        case["usage_growth"],
        discount_rate=case["discount_rate"],
        **chances,
    )
    return {"user_cost": owed, "bill_decay": fading}


def integrated(case, wait):
    """Value of a repair from first principles: flows, discount and survival, by quadrature."""
    die = case["retirement_hazard"] + case["arrival_hazard"]

    def flow(t):
        bill = case["payback_rate"] * np.exp((case["usage_growth"] - case["price_decline"]) * t)
        return bill * np.exp(-case["discount_rate"] * t) * np.exp(-die * t)

    paid = np.exp(-case["fix_decline"] * wait) * np.exp(-case["discount_rate"] * wait)
    return quad(flow, wait, np.inf)[0] - paid * np.exp(-die * wait)


@pytest.mark.parametrize("job", [10.0, 26.0, 60.0, 600.0])
def test_the_best_wait_is_where_a_search_finds_it(job):
    found = minimize_scalar(
        lambda wait: float(waiting.finish_time(job, wait, doubling_time=18.0)),
        bounds=(0, 500),
        method="bounded",
        options={"xatol": 1e-7},
    )
    assert waiting.best_wait(job, 18.0) == pytest.approx(found.x, abs=1e-3)
    assert waiting.earliest_finish(job, 18.0) == pytest.approx(found.fun, rel=1e-8)


@pytest.mark.parametrize("job", [1.0, 26.0, 600.0])
def test_renting_does_the_work_by_the_time_it_says(job):
    end = float(waiting.rented_finish(job, 18.0))
    done = solve_ivp(lambda t, _: [2 ** (t / 18.0)], (0, end), [0.0], rtol=1e-10, atol=1e-10)
    assert done.y[0, -1] == pytest.approx(job, rel=1e-7)


@given(job=times, doubling=times)
def test_renting_is_never_slower_and_leads_by_at_most_the_threshold(job, doubling):
    threshold = waiting.slacking_threshold(doubling)
    lead = waiting.earliest_finish(job, doubling) - waiting.rented_finish(job, doubling)
    assert -1e-9 <= lead <= threshold * (1 + 1e-12)


@given(job=times, doubling=times, wait=st.floats(0, 300))
def test_no_wait_beats_the_best(job, doubling, wait):
    assert waiting.finish_time(job, wait, doubling_time=doubling) >= waiting.earliest_finish(
        job, doubling
    ) * (1 - 1e-12)


@pytest.mark.parametrize("values", CASES[1:])
@pytest.mark.parametrize("wait", [0.0, 0.5, 3.0])
def test_the_value_of_a_repair_is_its_integral(values, wait):
    case = dict(zip(NAMES, values, strict=True))
    value = waiting.fix_value(wait, case["payback_rate"], **costs(case))
    assert value == pytest.approx(integrated(case, wait), rel=1e-7)


@pytest.mark.parametrize("values", CASES[1:])
@pytest.mark.parametrize("wait", [0.0, 0.8])
def test_drawn_futures_have_the_value_as_their_mean(values, wait):
    case = dict(zip(NAMES, values, strict=True))
    drawn = waiting.simulate_fix_value(np.random.default_rng(11), 200_000, wait=wait, **case)
    error = drawn.std() / np.sqrt(len(drawn))
    value = waiting.fix_value(wait, case["payback_rate"], **costs(case))
    assert abs(drawn.mean() - value) < 4 * error
    assert error < 0.01


def test_an_empty_promise_is_as_if_there_were_none():
    case = dict(zip(NAMES, CASES[2], strict=True))
    empty = waiting.simulate_fix_value(
        np.random.default_rng(3), 100_000, wait=0.0, promise_probability=0.0, **case
    )
    alone = case | {"arrival_hazard": 0.0}
    value = waiting.fix_value(0.0, case["payback_rate"], **costs(alone))
    assert empty.mean() == pytest.approx(value, abs=4 * empty.std() / 300)


def test_at_the_threshold_of_belief_repairing_is_worth_nothing():
    case = dict(zip(NAMES, CASES[2], strict=True))
    case["payback_rate"] = 0.8
    belief = float(
        waiting.belief_threshold(
            0.8, costs(case)["bill_decay"], arrival_hazard=case["arrival_hazard"]
        )
    )
    assert 0 < belief < 1
    drawn = waiting.simulate_fix_value(
        np.random.default_rng(5), 400_000, wait=0.0, promise_probability=belief, **case
    )
    assert abs(drawn.mean()) < 4 * drawn.std() / np.sqrt(len(drawn))


@pytest.mark.parametrize("belief", [0.2, 0.45, 0.55, 0.9])
def test_a_promise_is_worth_a_wait_above_the_belief_that_balances_a_short_one(belief):
    """Every planned wait is valued in full; the rule of the chapter looks one moment ahead."""
    case = dict(zip(NAMES, (1.0, 0.1, 0.3, 0.1, 1.0, 0.7, 0.7), strict=True))
    alone = case | {"arrival_hazard": 0.0}
    waits = np.linspace(0, 6, 601)
    sound, empty = (
        np.asarray(waiting.fix_value(waits, case["payback_rate"], **costs(c)))
        for c in (case, alone)
    )
    value = belief * sound + (1 - belief) * empty
    balance = (case["payback_rate"] - costs(alone)["user_cost"]) / case["arrival_hazard"]
    assert (value.argmax() == 0) == (belief < balance)


def test_belief_falls_as_drawn_arrivals_say():
    generator = np.random.default_rng(2)
    arrival = generator.exponential(1.0, 200_000)
    sound = generator.random(200_000) < 0.6
    silent = ~sound | (arrival > 1.5)
    belief = waiting.arrival_belief(0.6, 1.5, arrival_hazard=1.0)
    assert sound[silent].mean() == pytest.approx(float(belief), abs=0.006)


@pytest.mark.parametrize("values", CASES)
def test_the_best_moment_is_where_a_grid_finds_it(values):
    """Savings up to a far horizon, so that it works where they have no finite sum."""
    case = dict(zip(NAMES, values, strict=True))
    rate = {name: float(value) for name, value in costs(case).items()}
    grid = np.linspace(0, 12, 4801)
    step = grid[1]
    flow = case["payback_rate"] * np.exp(-rate["bill_decay"] * grid)
    after = np.append(np.cumsum(((flow[1:] + flow[:-1]) / 2 * step)[::-1])[::-1], 0.0)
    worth = after - np.exp(-rate["user_cost"] * grid)
    best = grid[worth.argmax()]
    if rate["user_cost"] > rate["bill_decay"]:
        assert waiting.best_fix_wait(case["payback_rate"], **rate) == pytest.approx(best, abs=0.006)
    else:
        with pytest.raises(ValueError, match="too large or undefined"):
            waiting.best_fix_wait(case["payback_rate"] * 0.5, **rate)
        hurdle = waiting.fix_hurdle(**rate)
        assert (case["payback_rate"] >= hurdle) == (worth[0] > max(worth[1:-1].max(), 0))


def test_the_example_of_a_megabill():
    """Three tenths of ten million a year, saved for five: 0.362 years, or never at tenfold."""
    year = 365.25 * 86400
    payback = waiting.payback_rate(0.3, 10e6 / year, fix_cost=5e6)
    assert payback * year == pytest.approx(0.6)
    slow = costs(dict(zip(NAMES, CASES[0], strict=True)))
    assert waiting.best_fix_wait(0.6, **slow) == pytest.approx(0.362, abs=0.0005)
    fast = costs(dict(zip(NAMES, CASES[1], strict=True)))
    assert 5 * waiting.fix_value(0, 0.6, **fast) == pytest.approx(-2.92, abs=0.005)


@given(payback=rates, discount=rates, cheaper=rates, scrap=rates, arrive=rates, use=rates)
def test_the_flip_is_where_now_or_later_turns_into_never(
    payback, discount, cheaper, scrap, arrive, use
):
    chances = {"retirement_hazard": scrap, "arrival_hazard": arrive}
    given_rates = {"discount_rate": discount, "fix_decline": cheaper, **chances}
    flip = float(waiting.price_decline_flip(payback, use, **given_rates))
    owed = waiting.user_cost(discount, cheaper, **chances)
    for fall, dead in ((flip - 1e-3, False), (flip + 1e-3, True)):
        fading = waiting.bill_decay(fall, use, discount_rate=discount, **chances)
        never = payback < waiting.fix_hurdle(owed, fading) and fading >= owed
        assert never == dead


@given(payback=rates, fall=rates, use=rates, cheaper=rates, discount=rates, scrap=rates)
def test_the_hazard_at_the_flip_puts_the_payback_on_the_hurdle(
    payback, fall, use, cheaper, discount, scrap
):
    chance = waiting.hazard_flip(
        payback,
        fall,
        usage_growth=use,
        discount_rate=discount,
        fix_decline=cheaper,
        retirement_hazard=scrap,
    )
    assume(chance > 1e-6)
    chances = {"retirement_hazard": scrap, "arrival_hazard": float(chance)}
    owed = waiting.user_cost(discount, cheaper, **chances)
    fading = waiting.bill_decay(fall, use, discount_rate=discount, **chances)
    assert waiting.fix_hurdle(owed, fading) == pytest.approx(payback, rel=1e-9)


@given(payback=rates, fall=rates, use=rates, cheaper=rates, discount=rates, scrap=rates)
def test_a_loss_needs_at_least_the_chance_that_makes_another_plan_better(
    payback, fall, use, cheaper, discount, scrap
):
    common = {"usage_growth": use, "discount_rate": discount, "retirement_hazard": scrap}
    other = waiting.hazard_flip(payback, fall, fix_decline=cheaper, **common)
    loss = waiting.loss_hazard(payback, fall, **common)
    assert loss >= other - 1e-12
    assume(loss > 1e-6)
    case = dict(zip(NAMES, (payback, discount, cheaper, scrap, loss, use, fall), strict=True))
    assert waiting.fix_value(0, payback, **costs(case)) == pytest.approx(0, abs=1e-9)


@given(owed=rates, fading=rates, variance=rates)
def test_doubt_raises_the_hurdle(owed, fading, variance):
    sure = waiting.fix_hurdle(owed, fading)
    assert sure == pytest.approx(max(owed, fading), rel=1e-12)
    more = [waiting.fix_hurdle(owed, fading, ratio_variance=v) for v in (variance, 2 * variance)]
    assert sure < more[0] < more[1]


@pytest.mark.parametrize(("owed", "fading", "variance"), [(0.8, 1.2, 0.25), (1.0, 0.6, 0.3)])
def test_the_hurdle_is_where_a_lattice_starts_to_act(owed, fading, variance):
    """A binomial tree without end, solved by iteration: it knows no fundamental quadratic."""
    step = 0.004
    jump = np.sqrt(variance * step)
    logs = np.arange(-260, 261) * jump
    up = 0.5 + ((owed - fading) - variance / 2) * step / (2 * jump)
    act = np.exp(logs) / fading - 1
    value = np.maximum(act, 0.0)
    for _ in range(6000):
        hold = np.exp(-owed * step) * (up * np.roll(value, -1) + (1 - up) * np.roll(value, 1))
        hold[0], hold[-1] = 0.0, act[-1]
        value = np.maximum(act, hold)
    first = np.exp(logs[np.argmax(act >= hold - 1e-12)])
    expected = float(waiting.fix_hurdle(owed, fading, ratio_variance=variance))
    assert first == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: waiting.best_wait(-1.0, 1.0), "job_time is -1 s; it must be"),
        (lambda: waiting.fix_value(0, 1, user_cost=1, bill_decay=-0.1), "too large or undefined"),
        (
            lambda: waiting.simulate_fix_value(
                np.random.default_rng(0), 0, wait=0.0, **dict(zip(NAMES, CASES[2], strict=True))
            ),
            "draws is 0",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

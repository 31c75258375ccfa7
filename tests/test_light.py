"""Light and its chain: bounds tested as bounds, wires and drafts against independent simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybtex.database import parse_file
from scipy.constants import c

from tokenwall import data, light, scenario
from tokenwall.data.facts import facts
from tokenwall.equation import REGISTRY
from tokenwall.estimate import Estimate
from tokenwall.ledger import Ledger
from tokenwall.ledger_rows import (
    Extent,
    flash_density,
    light_bound,
    light_row,
    rack_extent,
    rack_radius,
    stack_density,
    weights_radius,
)
from tokenwall.ledger_rows.energy import gate_energy, switch_energy
from tokenwall.plots import light_tables

RADIUS = st.floats(1e-6, 1e6)
STEPS = st.integers(1, 10_000)
SPEED = st.floats(1.0, c)
WIRE = st.floats(1e2, 1e8)


@given(radius=RADIUS, steps=STEPS, speed=SPEED, tokens=st.floats(1, 100))
def test_bounds_keep_their_order(radius, steps, speed, tokens):
    given_ = {"signal_speed": speed, "tokens_per_step": tokens}
    spanned = light.gathered_rate(radius, steps, **given_)
    filled = light.travelling_rate(radius, steps, **given_)
    single = light.travelling_rate(radius, 1, **given_)
    assert spanned < filled <= single
    assert filled / spanned == pytest.approx(2 * steps ** (1 / 3))
    assert single <= tokens * c / radius * (1 + 1e-12)


@given(radius=RADIUS, steps=STEPS, speed=SPEED, more=st.floats(1.01, 10))
def test_more_way_more_steps_or_slower_signals_never_help(radius, steps, speed, more):
    for bound in (light.gathered_rate, light.travelling_rate):
        rate = bound(radius, steps, signal_speed=speed)
        assert bound(radius * more, steps, signal_speed=speed) < rate
        assert bound(radius, steps + 1, signal_speed=speed) < rate
        assert bound(radius, steps, signal_speed=speed / more) < rate


@given(rate=st.floats(1e-3, 1e12), steps=STEPS, speed=SPEED)
def test_the_radius_that_forbids_a_rate_allows_just_that(rate, steps, speed):
    for bound, inverse in (
        (light.gathered_rate, light.gathered_radius),
        (light.travelling_rate, light.travelling_radius),
    ):
        radius = inverse(rate, steps, signal_speed=speed)
        assert bound(radius, steps, signal_speed=speed) == pytest.approx(rate)


@pytest.mark.parametrize("bound", [light.gathered_rate, light.travelling_rate])
def test_nothing_outruns_light(bound):
    with pytest.raises(ValueError, match=r"signal_speed is 3e\+08 m/s; .* at most"):
        bound(1, 80, signal_speed=3e8)


@pytest.mark.parametrize("permittivity", [1.0, 1.5, 80])
def test_no_insulator_speeds_light_up(permittivity):
    assert light.guided_speed(permittivity) <= c
    with pytest.raises(ValueError, match="relative_permittivity is"):
        light.guided_speed(permittivity - 0.01 - permittivity)


def test_no_measurement_of_one_user_beats_the_bound():
    rows = data.decode_rows()
    layers = rows["model"].map(data.models()["layers"])
    bits = rows["weight_bits"].fillna(16)
    known = rows[layers.notna() & rows["plausible"]]
    assert len(known) > 600
    dense = stack_density().high
    for index, row in known.iterrows():
        model = data.model(row["model"])
        size = scenario.step_weight_bytes(model, float(bits[index]))
        radius = light.memory_radius(size, dense)
        bound = light.travelling_rate(radius, model["layers"], signal_speed=c)
        assert row["rate"] < bound, row["id"]


def test_no_claim_of_a_vendor_beats_any_of_the_three_bounds():
    table = light_tables.single_users()
    assert len(table) == 16
    assert (table["rate"] < table["spanned"]).all()
    assert (table["spanned"] < table["machine"]).all()
    assert (table["machine"] < table["densest"]).all()
    assert table["orders"].between(6.2, 8.1).all()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    stretch=st.floats(0.3, 3),
    apart=st.floats(0, 5),
    steps=st.integers(2, 8),
)
def test_no_arrangement_of_equal_shares_beats_the_bound(seed, stretch, apart, steps):
    generator = np.random.default_rng(seed)
    share = light_tables._in_ball(generator, steps, 150)
    share *= [stretch, 1 / stretch, 1]
    moved = share + apart * generator.normal(size=(steps, 1, 3))
    # A unit ball a step; the samples do not quite reach its rim.
    assert light.arrangement_length(moved) > 0.95 * steps


def test_no_arrangement_of_ten_thousand_beats_the_bound_of_its_machine():
    table = light_tables.searched()
    assert len(table) >= 10_000
    assert table["factor"].min() > 1.5, table.loc[table["factor"].idxmin()]
    flat, deep = table["flatness"] < 0.05, table["flatness"] > 0.5
    assert flat.sum() > 500
    assert deep.sum() > 500
    assert set(table["steps"]) == set(light_tables.CHAINS)


def test_no_arrangement_of_many_steps_beats_the_bound_of_its_machine():
    table = light_tables.searched(count=120, seed=5, steps=(256, 1024))
    assert len(table) == 120
    assert table["factor"].min() > 1.5


def test_a_tiled_sheet_of_many_steps_beats_a_law_of_volume_but_not_the_law_of_sheets():
    for edge in (8, 16, 32, 36, 48):
        length, sheet, ball = light_tables.tiled_sheet(edge)
        assert length > 2 * sheet
        # The bound printed before this rule: a ball of half the edge, beaten from some 1,300 steps.
        assert (length < ball) == (edge >= 36)
    assert light_tables.tiled_sheet(40, thickness=1e-3)[0] > 2 * light_tables.tiled_sheet(40)[1]


@given(
    edges=st.tuples(*[st.floats(1e-3, 10)] * 3),
    steps=STEPS,
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_no_place_of_a_box_has_its_share_nearer_than_the_bound_says(edges, steps, seed):
    box = Extent.box(*edges)
    least = light.share_radius(
        box.volume, steps, memory_thickness=box.thickness, memory_width=box.width
    )
    # Share of a box within the distance of its middle, where a ball holds most of it.
    points = (np.random.default_rng(seed).random((20_000, 3)) - 0.5) * edges
    within = (np.linalg.norm(points, axis=-1) < least).mean()
    assert within <= 1 / steps + 5 * np.sqrt(1 / steps / 20_000) + 1e-3


@given(radius=RADIUS, steps=STEPS, speed=SPEED)
def test_a_ball_is_bound_by_its_volume_and_no_other_shape_less(radius, steps, speed):
    ball = light_tables.even_bound(Extent.ball(radius), steps, speed)
    assert ball == pytest.approx(light.travelling_rate(radius, steps, signal_speed=speed))
    side = Extent.ball(radius).volume ** (1 / 3)
    for stretch in (1, 2, 30):
        box = Extent.box(side * stretch, side, side / stretch)
        assert light_tables.even_bound(box, steps, speed) <= ball * (1 + 1e-9)


def test_machines_have_the_bounds_worked_out_by_hand():
    named = light_tables.extents()
    # Volume 2.286 x 1.098 x 0.600 m; radius of an equal ball 0.7110 m; times 80^(2/3).
    assert named["rack"].volume == pytest.approx(1.5060, rel=1e-4)
    assert rack_radius().value == pytest.approx(0.7110, rel=1e-3)
    for model, name, rate in (
        ("llama-3.1-70b", "rack", 22.7e6),
        ("llama-3.1-70b", "wafer", 276e6),
        ("llama-3.1-8b", "wafer", 437e6),
        ("llama-3.1-405b", "wafer", 220e6),
        ("llama-3.1-8b", "chip", 3.29e9),
    ):
        assert light_bound(model, named[name]).value == pytest.approx(rate, rel=0.003)
    dense = light_bound("llama-3.1-70b", weights_radius("llama-3.1-70b", flash_density()))
    assert dense.value == pytest.approx(1.14e10, rel=0.01)


def test_the_named_arrangements_lie_where_theory_puts_them():
    table = light_tables.arrangements().set_index("arrangement")["factor"]
    assert (table > 1).all()
    assert table["every step spread over a ball"] == pytest.approx(2 * 64 ** (1 / 3), rel=0.05)
    assert table["small balls, on a ring"] == pytest.approx(2 * 2**0.5, rel=0.05)
    again = light_tables.arrangements(points=400, seed=7).set_index("arrangement")["factor"]
    assert np.allclose(table, again, rtol=0.05)


def test_one_step_a_layer_is_certain():
    models = light_tables.dense_models()
    lengths = models.apply(light_tables.strict_steps, axis=1)
    beside = models.index.str.startswith(light_tables.SIDE_BY_SIDE)
    assert len(models) > 40
    assert (lengths[~beside] > 1.1).all()
    assert lengths[beside].between(0.7, 1).all()


def test_split_sums_shorten_the_chain_by_the_shares_of_the_second_matrices():
    table = light_tables.strict_table()
    # 8192² and 8192 x 28672 of the 855.6 million weights of a layer.
    own = table.loc["llama-3.1-70b"]
    whole = 855_638_016
    out, narrow = 8192**2 / whole, 8192 * 28672 / whole
    assert own["second"] == pytest.approx(out ** (1 / 3) + narrow ** (1 / 3))
    assert own["second"] == pytest.approx(1.078, abs=5e-4)
    assert own["last"] == pytest.approx(0.65, abs=5e-4)
    plain = table[~table["beside"]]
    assert plain["second"].idxmin() == "gemma-2-27b"
    assert plain["second"].min() == pytest.approx(0.991, abs=5e-4)
    assert (table["last"] < table["second"]).all()
    with pytest.raises(ValueError, match="matrices is 'third'"):
        light_tables.strict_steps(data.model("llama-3.1-70b"), "third")


def test_the_packed_ball_burns_what_the_energy_chapter_counts():
    model, rate = data.model("llama-3.1-70b"), 4.119e9
    # 59.06 bits and 52 switches for each of 69.5 billion multiply-adds, at 300 K.
    erased = light_tables.packed_power(model, rate, 4)
    assert erased == pytest.approx(
        rate * 69.503e9 * 59.059 * 1.380649e-23 * 300 * np.log(2), rel=1e-3
    )
    assert erased == pytest.approx(gate_energy(model).value * rate)
    switched = light_tables.packed_power(model, rate, 4, each_joules="switched")
    assert switched == pytest.approx(switch_energy(model).value * rate)
    assert switched == pytest.approx(3.55e3, rel=0.01)


def test_thin_wires_of_the_kit_are_between_one_and_two_powers_of_ten_slower_than_light():
    slow = light_tables.thin_slowness()
    # 2 (ln 2 + sqrt(0.3786 ln 2)) sqrt(32.3e6 ohm/m x 173e-12 F/m x 1 ps) times c.
    assert slow.value == pytest.approx(c * 2.41074 * np.sqrt(32.3e6 * 0.173e-9 * 1e-12), rel=1e-3)
    assert 10 < slow.low < slow.value < slow.high < 100
    assert slow.spread == "range of cases"


def test_a_wire_simulated_as_many_pieces_rises_half_way_when_the_formula_says():
    pieces = 300
    # Voltage diffuses down a ladder of equal resistors and capacitors, driven at one end.
    ladder = -2 * np.eye(pieces) + np.eye(pieces, k=1) + np.eye(pieces, k=-1)
    ladder[-1, -1] = -1
    values, modes = np.linalg.eigh(ladder * pieces**2)
    start = modes.T @ np.ones(pieces)

    def end(time: float) -> float:
        return 1 - float(modes[-1] @ (start * np.exp(values * time)))

    low, high = 0.1, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if end(middle) < 0.5 else (low, middle)
    assert low == pytest.approx(float(light.wire_delay(1, 1, wire_length=1)), rel=0.005)


@settings(deadline=None)
@given(r=WIRE, cap=st.floats(1e-11, 1e-9), out=st.floats(1e2, 1e6), gate=st.floats(1e-17, 1e-14))
def test_no_other_repeater_is_faster(r, cap, out, gate):
    drive = {"driver_resistance": out, "driver_capacitance": gate}
    size = float(light.repeater_size(r, cap, **drive))
    spacing = float(light.repeater_spacing(r, cap, **drive))
    best = 1 / float(light.repeated_wire_speed(r, cap, **drive))

    def slowness(h: float, piece: float) -> float:
        lumps = out / h * (cap * piece + h * gate) + r * piece * h * gate
        line = float(light.wire_delay(r, cap, wire_length=piece))
        return (np.log(2) * lumps + line) / piece

    assert slowness(size, spacing) == pytest.approx(best)
    for h, piece in ((0.8, 1), (1.2, 1), (1, 0.8), (1, 1.2), (1.2, 0.8)):
        assert slowness(size * h, spacing * piece) > best


@given(size=st.floats(1e8, 1e13), bandwidth=st.floats(1e11, 1e14), hop=st.floats(1e-7, 1e-1))
def test_the_best_number_of_devices_is_best(size, bandwidth, hop):
    least = light.least_tensor_step_time(size, bandwidth, hop_time_per_token=hop)
    devices = np.unique(np.geomspace(1, 4096, 80).round())
    steps = light.tensor_parallel_step_time(
        size, bandwidth, hop_time_per_token=hop, tensor_devices=devices
    )
    assert (steps >= least * (1 - 1e-12)).all()
    assert light.best_tensor_devices(size, bandwidth, hop_time_per_token=hop) >= 1


def test_the_published_scaling_with_bandwidth_holds_for_slow_memory():
    hop = {"hop_time_per_token": 1e-9}
    slow, fast = (light.least_tensor_step_time(1e12, b, **hop) for b in (1e11, 8e11))
    assert slow / fast == pytest.approx(2, rel=1e-3)  # the cube root of eight, erdil2025


@given(size=st.floats(1e6, 1e13), kernels=st.integers(1, 5000), launch=st.floats(1e-8, 1e-4))
def test_hiding_launches_gains_a_factor_of_two_at_most(size, kernels, launch):
    counted = {"kernels_per_step": kernels, "launch_time": launch}
    added = light.launch_step_time(size, 3e12, **counted)
    hidden = light.overlapped_launch_step_time(size, 3e12, **counted)
    assert hidden < added <= 2 * hidden * (1 + 1e-12)


@pytest.mark.parametrize(("chance", "drafts"), [(0.3, 2), (0.75, 7), (0.9, 12)])
def test_drafts_drawn_by_chance_yield_the_mean_run(chance, drafts):
    generator = np.random.default_rng(3)
    accepted = generator.random((200_000, drafts)) < chance
    run = 1 + np.cumprod(accepted, axis=1).sum(axis=1)
    assert run.mean() == pytest.approx(float(light.speculative_run(chance, drafts)), rel=0.01)


@given(chance=st.floats(0, 0.999), drafts=st.integers(0, 200), cost=st.floats(0, 1))
def test_no_draft_gains_more_than_the_endless_one(chance, drafts, cost):
    run = light.speculative_run(chance, drafts)
    assert 1 <= run * (1 + 1e-9)
    assert run <= min(drafts + 1, 1 / (1 - chance)) * (1 + 1e-9)
    assert light.speculative_gain(chance, drafts, draft_time_fraction=cost) <= run * (1 + 1e-12)


def test_a_packed_model_and_a_rack():
    radius = weights_radius("llama-3.1-70b")
    assert radius.value == pytest.approx(3.92e-3, rel=0.01)
    assert radius.low < radius.value < radius.high
    packed, rack = light_bound("llama-3.1-70b", radius), light_bound("llama-3.1-70b", rack_radius())
    assert packed.low < 1.7e9 < 4.1e9 < packed.value < packed.high
    assert rack.low < rack.value == rack.high
    assert packed.value / rack.value == pytest.approx(rack_radius().value / radius.value)


def test_a_mixture_counts_the_experts_that_it_wakes():
    assert weights_radius("deepseek-v3").value < weights_radius("llama-3.1-70b").value


def test_the_row_leads_from_the_rate_to_the_bound(root):
    bound = light_bound("llama-3.1-70b", weights_radius("llama-3.1-70b"))
    row = light_row(Estimate(450, 400, 500, "range of cases"), bound)
    assert row.lands_on == bound
    assert row.factor.value * 450 == pytest.approx(bound.value)
    assert row.factor.low < row.factor.value < row.factor.high
    assert set(row.equations) <= set(REGISTRY)
    keys = set(parse_file(root / "book" / "references.bib").entries)
    assert set(row.source.split("; ")) <= keys


def test_rows_extend_a_ledger_to_the_bound():
    radii = {"rack": rack_radius(), "packed": weights_radius("llama-3.1-70b")}
    ledger = Ledger(
        "token_rate", Estimate(450, 400, 500, "range of cases"), "one user of wafers", "erdil2025"
    )
    for key, radius in radii.items():
        bound = light_bound("llama-3.1-70b", radius)
        ledger = ledger.add(light_row(ledger.end, bound, key=key, label=key))
        assert ledger.end == bound
    product = 450.0
    for row in ledger.rows:
        product *= row.factor.value
    assert product == pytest.approx(ledger.end.value)


def test_a_model_without_layers_is_refused():
    row = data.model("llama-3.1-8b")
    row["layers"] = float("nan")
    with pytest.raises(ValueError, match=r"Llama 3\.1 8B has no layers"):
        light_bound(row, rack_radius())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: light.arrangement_length(np.zeros((3, 2))), r"shape \(3, 2\)"),
        (lambda: Extent(1, 2, 1, 3), "edges are 2, 1 and 3 m"),
        (lambda: light.arrangement_length(np.zeros((3, 2, 3)), rounds=1), "rounds is 1"),
        (lambda: light_tables.arrangements(steps=27), "steps is 27"),
        (lambda: light_tables.strict_steps(data.model("mixtral-8x7b")), "Mixtral 8x7B lacks"),
        (lambda: light.speculative_run(1.0, 3), "acceptance_fraction is 1"),
    ],
)
def test_bad_input_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_data_sheet_sizes_are_those_of_the_tables():
    assert np.sqrt(facts("wafer")["area"]) == pytest.approx(0.215, abs=5e-5)
    sizes = light_tables.sizes()
    assert sizes["chip"] < sizes["die"] < sizes["wafer"] < sizes["server"] < sizes["rack"]
    assert sizes["rack"] == pytest.approx(1.143)
    assert rack_extent().length == pytest.approx(2.286)

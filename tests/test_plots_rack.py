"""The chapter on the rack: its tables against hand-made cases, its figures and their words."""

import re

import numpy as np
import pytest

from tokenwall import serving, style
from tokenwall.data.facts import facts
from tokenwall.explorable import Explorable
from tokenwall.plots import rack, rack_boards, rack_tables

NEW, OLD = "azure-gb300-rack", "azure-gb200-rack"


@pytest.fixture(scope="module")
def against():
    return rack_tables.against_record()


@pytest.fixture(scope="module")
def play():
    board = rack_boards.sharing()
    dial = Explorable(
        "test-sharing",
        draw=lambda narrow: rack_boards.share_axes(narrow=narrow),
        controls=rack_boards.SLIDERS,
        moves=board.moves,
        readouts=board.readouts,
        presets=board.presets,
        fixed=board.fixed,
        alt=board.alt,
    )
    return board, dial


def test_both_records_are_predicted_within_a_quarter(against):
    assert set(against["record"]) == {NEW, OLD}
    assert len(against) == 8
    assert (against["error"].abs() < rack.BAR).all()
    assert (against["bound"] == "compute").all()


def test_the_racks_were_not_fitted():
    from tokenwall.data import measurements

    table = measurements()
    assert not table["source"].eq("azure2025").any()
    assert not table["machine"].eq("gb300-nvl72").any()


def test_a_fit_that_leaves_rows_out_differs_and_is_named():
    usual, strict = rack_tables.constants(), rack_tables.constants("both")
    assert usual.compute_fraction != strict.compute_fraction
    assert usual.memory_fraction == strict.memory_fraction
    with pytest.raises(ValueError, match="MLPerf"):
        rack_tables.constants("nothing")
    rows = rack_tables.fitted_rows()
    assert rows[""] > rows["MLPerf"] > rows["both"] > 1000


def test_four_bits_with_their_scales():
    assert rack_tables.stored_bits() == 4.5


@pytest.mark.parametrize("record", [NEW, OLD])
def test_the_parts_of_a_token_add_up_to_the_prediction(record):
    budget = rack_tables.token_budget(record)
    rate = float(rack_tables.rack(record).tokens_per_second)
    assert budget["seconds"].sum() == pytest.approx(facts(record)["accelerators"] / rate)
    assert (budget["seconds"] > 0).all()


def test_one_assumption_at_a_time():
    table = rack_tables.what_if().set_index("label")
    assert (table["low"] <= 1 + 1e-9).all()
    assert table.loc["mean prompt", "low"] < 1 < table.loc["mean prompt", "high"]
    assert table.loc["devices a copy", "low"] < 0.7
    assert table.loc["sequences a device", "high"] == pytest.approx(1)


@pytest.mark.parametrize("count", [2, 4, 8])
@pytest.mark.parametrize(("exchange", "messages"), [("ring", "n"), ("halving", "log")])
def test_counted_exchanges_add_up_and_send_the_least(count, exchange, messages):
    vectors = np.random.default_rng(count).normal(size=(count, 32))
    held, sent, rounds = getattr(rack_tables, exchange)(vectors)
    np.testing.assert_allclose(held, np.tile(vectors.sum(axis=0), (count, 1)))
    assert sent == 2 * 32 * (count - 1) / count
    assert rounds == {"n": 2 * (count - 1), "log": 2 * np.log2(count)}[messages]


def test_exchanges_refuse_what_does_not_divide():
    with pytest.raises(ValueError, match="multiple of 3"):
        rack_tables.ring(np.ones((3, 4)))
    with pytest.raises(ValueError, match="powers of two"):
        rack_tables.halving(np.ones((3, 6)))


def test_throughput_scales_and_one_user_does_not():
    table = rack_tables.scaling().set_index("devices")
    ratio = table["machine_rate"] / table.index
    assert np.allclose(ratio, ratio.iloc[0])
    assert table["one_user"].max() < 10 * table.loc[1, "one_user"]
    assert np.isnan(table.loc[720, "one_user"])


def test_measured_sharing_is_near_its_prediction():
    runs = rack_tables.published_sharing()
    assert (runs["measured"] / runs["predicted"]).between(0.8, 1.25).all()


def test_the_map_trades_users_for_pace():
    table = rack_tables.rate_map()
    for _, rows in table.groupby("machine"):
        assert (rows["user"].diff().dropna() <= 1e-9).all()
        assert rows["user"].min() >= rack_tables.SLOWEST
    full = table[table["machine"] == "72 GB300"].iloc[-1]
    assert full["rate"] == pytest.approx(float(rack_tables.rack(NEW).tokens_per_second), rel=1e-6)


def test_no_part_of_a_token_fits_a_microsecond():
    table = rack_tables.microsecond()
    assert (table["over"] > 1).all()
    assert 1 <= table.attrs["devices"] <= 72


def figures(against):
    budget = rack_tables.token_budget()
    line, runs = rack_tables.scaling(), rack_tables.published_sharing()
    rates, marks = rack_tables.rate_map(), rack_tables.marks()
    return {
        "record": (rack.record_figure, rack.record_figure_alt, (against,)),
        "budget": (rack.budget_figure, rack.budget_figure_alt, (budget, 65e-6)),
        "scaling": (rack.scaling_figure, rack.scaling_figure_alt, (line, runs)),
        "map": (rack.map_figure, rack.map_figure_alt, (rates, marks, 1.1e6)),
        "million": (rack.million_figure, rack.million_figure_alt, (rack_tables.microsecond(),)),
    }


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["record", "budget", "scaling", "map", "million"])
def test_figures_have_a_finding_units_and_words(against, name, narrow):
    draw, words, tables = figures(against)[name]
    with style.use():
        figure = draw(*tables, narrow=narrow)
    for ax in figure.axes:
        assert ax.get_title("left")
        assert ax.get_xlabel()
    alt = words(*tables)
    assert style.inline_svg(figure, alt).startswith("<svg")
    assert len(re.findall(r"\d", alt)) > 5
    style.close(figure)


def test_title_and_words_follow_the_data(against):
    worse = against.assign(error=0.5)
    with style.use():
        figure = rack.record_figure(worse)
    assert "more than 50 %" in figure.axes[0].get_title("left")
    assert "+50 %" in rack.record_figure_alt(worse)
    style.close(figure)


def test_the_board_agrees_with_predict(play):
    _, dial = play
    shown = dial.results(devices=4, batch=3, context=1000)
    made = serving.predict(
        "llama-2-70b",
        "gb300-nvl72",
        devices=4,
        tensor_parallel=4,
        batch=3,
        input_len=999,
        output_len=2,
        weight_bits=4.5,
        kv_bits=8,
        activation_bits=4,
        engine="gpt-fast",
    )
    assert shown["One user"] == pytest.approx(float(made.tokens_per_second_per_user), rel=1e-9)
    parts = ("Matrices and experts", "Caches", "Exchanges", "Engine")
    assert sum(shown[part] for part in parts) == pytest.approx(1 / shown["One user"])


def test_every_preset_of_the_board_has_a_rate(play):
    board, dial = play
    assert dial.html.count("<svg") == 2
    for preset in board.presets:
        assert dial.results(**preset.values, devices=72)["One user"] > 0
    free = next(p.values for p in board.presets if p.label == "no losses")
    assert dial.results(**free)["One user"] > 5 * dial.results()["One user"]


def test_the_board_says_where_nothing_fits(play):
    _, dial = play
    assert not np.isfinite(dial.results(devices=1, weight_bits=16, batch=4096)["One user"])


def test_every_published_rate_that_the_rules_choose_is_drawn():
    from tokenwall.data.selections import selected

    for key, made in (
        ("rack-sharing", rack_tables.published_sharing()["measured"]),
        ("rack-marks", rack_tables.marks()["rate"]),
    ):
        assert sorted(made) == sorted(selected(key)["si_value"]), key
    assert rack_tables.marks()["label"].notna().all()


def test_the_map_has_the_bits_of_the_record():
    bits = {given["bits"] for given in rack_tables.MAP.values()}
    assert bits == {None, 8, 16}


def test_a_longer_prompt_and_a_wider_cache_lift_the_share():
    table = rack_tables.share_table().set_index(["cache_bits", "prompt"])
    assert table["share"].loc[8].is_monotonic_increasing
    assert (table["share"].loc[16] >= table["share"].loc[8]).all()
    assert len(rack_tables.input_table()) == 8

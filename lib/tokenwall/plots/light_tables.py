"""Tables of the light chapter: published rates of one user, signal speeds, and who binds first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy.constants import c

from tokenwall import data, scenario
from tokenwall.data.energies import energy_interval
from tokenwall.data.facts import estimate, facts
from tokenwall.data.selections import selected
from tokenwall.energy import (
    erased_bits_per_multiply_add,
    irreversible_energy_per_token,
    landauer_energy,
    reliable_bit_energy,
    switches_per_multiply_add,
)
from tokenwall.estimate import Estimate, through
from tokenwall.ledger_rows import Extent, rack_extent, server_extent, stack_density
from tokenwall.light import (
    arrangement_length,
    crossing_time,
    dependent_steps,
    even_rate,
    gathered_rate,
    guided_speed,
    hop_time_per_token,
    memory_radius,
    repeated_wire_speed,
    share_radius,
    tensor_parallel_step_time,
    travelling_rate,
    wire_delay,
)
from tokenwall.roofline import memory_step_time

if TYPE_CHECKING:
    import pandas as pd

MILLION = 1e6
# Families whose layers run attention and feed-forward on the same input, by the start of the key.
SIDE_BY_SIDE = ("falcon", "gpt-j", "palm")


# Claims of vendors: model, size of the machine, bits of a weight, drafts used or not stated.
CLAIMS = {
    "cerebras-llama-3.1-405b": ("llama-3.1-405b", "wafer", 16.0, True),
    "cerebras-llama-3.1-70b": ("llama-3.1-70b", "wafer", 16.0, True),
    "taalas-hc1": ("llama-3.1-8b", "chip", 3.0, False),
}
SHORT = {
    "a100-sxm-80gb": "A100",
    "b200": "B200",
    "wse-3": "wafer",
    "cerebras-llama-3.1-405b": "wafers",
    "cerebras-llama-3.1-70b": "wafers",
    "taalas-hc1": "hard-wired chip",
}


def extents() -> dict[str, Extent]:
    """How far machines extend, by name: chips and wafers as sheets, the others as boxes."""
    wafer, die = facts("wafer"), facts("die")
    return {
        "chip": Extent.sheet(facts("taalas-hc1")["die_area"], wafer["thickness"]),
        "die": Extent.box(die["edge"], die["short_edge"], wafer["thickness"]),
        "wafer": Extent.sheet(wafer["area"], wafer["thickness"]),
        "server": server_extent(),
        "rack": rack_extent(),
    }


def sizes() -> dict[str, float]:
    """Half of what a signal crosses in a machine, by name: its longest edge [m].

    Of a server it is the width alone, since its boards do not fill the depth of the case.
    """
    crossed = {name: extent.length / 2 for name, extent in extents().items()}
    return {**crossed, "server": facts("h100-server")["width"] / 2}


def even_bound(extent: Extent, steps: float, speed: float = c) -> float:
    """Bound on one user's tokens per second for weights spread evenly over a machine [token/s].

    Args:
        extent: of the machine.
        steps: of a token that each need all of the one before.
        speed: of a signal [m/s].
    """
    edges = {"memory_thickness": extent.thickness, "memory_width": extent.width}
    return float(even_rate(extent.volume, steps, **edges, signal_speed=speed))


def single_users() -> pd.DataFrame:
    """Published rates of one user beside what light allows, by the two rules of selections.csv.

    Returns:
        Columns label, key (of the row that it is from), rate, drafted, radius (half of what a
        signal crosses), layers, spanned (the bound if each layer spans the machine), machine (the
        bound if the weights are spread evenly over its volume), densest (the bound at the density
        of stacked memory, which holds for all machines built of it) and orders (powers of ten
        between the rate and that).
    """
    import pandas as pd

    radii, machines, rows = sizes(), extents(), []
    for case in [*_measured_users(), *_claimed_users()]:
        row = data.model(case["model"])
        weights = scenario.step_weight_bytes(row, case["bits"])
        packed = memory_radius(weights, stack_density().high)
        chain = float(dependent_steps(row["layers"], 1))
        densest = float(travelling_rate(packed, chain, signal_speed=c))
        radius = radii[case["size"]]
        rows.append(
            {
                "label": case["label"],
                "key": case["key"],
                "rate": case["rate"],
                "drafted": case["drafted"],
                "radius": radius,
                "layers": float(row["layers"]),
                "spanned": float(gathered_rate(radius, chain, signal_speed=c)),
                "machine": even_bound(machines[case["size"]], chain),
                "densest": densest,
                "orders": math.log10(densest / case["rate"]),
            }
        )
    return pd.DataFrame(rows).sort_values("rate", ignore_index=True)


def _measured_users() -> list[dict[str, Any]]:
    """One row of the measurement table after another; a card counts as its chip, wafers as one."""
    found = []
    for row in selected("light-measured").itertuples():
        devices, wafer = round(row.devices), row.machine == "wse-3"
        size = "wafer" if wafer else ("server" if devices == 8 else "die")
        many = f"{devices} " if devices > 1 else ""
        name = SHORT.get(row.machine, data.machine(row.machine)["name"])
        drafted = row.metric.startswith("speculative")
        label = f"{many}{name}{'s' if wafer and many else ''}, {data.model(row.model)['name']}"
        found.append(
            {
                "label": f"{label}, {row.weight_bits:.3g} bits{', drafts' if drafted else ''}",
                "key": row.id,
                "model": row.model,
                "rate": row.si_value,
                "size": size,
                "bits": row.weight_bits,
                "drafted": drafted,
            }
        )
    return found


def _claimed_users() -> list[dict[str, Any]]:
    found = []
    for row in selected("light-claimed").itertuples():
        model, size, bits, drafted = CLAIMS[row.key]
        words = f"{SHORT[row.key]}, {data.model(model)['name']}"
        found.append(
            {
                "label": f"{words}, {bits:.0f} bits{', drafts' if drafted else ''}",
                "key": row.key,
                "model": model,
                "rate": row.si_value,
                "size": size,
                "bits": bits,
                "drafted": drafted,
            }
        )
    return found


def signal_speeds() -> pd.DataFrame:
    """Speed of a signal over a centimetre or more, way by way, slowest first.

    Returns:
        Columns way, speed [m/s], low and high (as the inputs' intervals give it), fraction of the
        speed of light, and colour's meaning: "wire", "wave" or "nerve".
    """
    import pandas as pd

    rows = [
        _nerve("thin nerve fibre", "unmyelinated_speed"),
        _nerve("thick nerve fibre", "myelinated_speed"),
        *(_thin(length) for length in (1e-2, 1e-3)),
        _repeated("thin wire, repeaters", "thin_resistance"),
        _repeated("thick wire, repeaters", "global_resistance"),
        ("circuit board", float(guided_speed(facts("fr-4")["relative_permittivity"])), "wave"),
        ("glass fibre", float(guided_speed(facts("fibre")["refractive_index"] ** 2)), "wave"),
        ("free space", c, "wave"),
    ]
    table = pd.DataFrame(rows, columns=["way", "speed", "kind"])
    return table.assign(fraction=table["speed"] / c).sort_values("speed", ignore_index=True)


def _nerve(way: str, quantity: str) -> tuple[str, float, str]:
    return way, facts("axon")[quantity], "nerve"


def _thin(length: float) -> tuple[str, float, str]:
    wire = facts("wire")
    delay = wire_delay(wire["thin_resistance"], wire["capacitance"], wire_length=length)
    return f"thin wire, {length * 1e3:.0f} mm", length / float(delay), "wire"


def _repeated(way: str, resistance: str) -> tuple[str, float, str]:
    wire, driver = facts("wire"), facts("driver")
    speed = repeated_wire_speed(
        wire[resistance],
        wire["capacitance"],
        driver_resistance=driver["resistance"],
        driver_capacitance=driver["capacitance"],
    )
    return way, float(speed), "wire"


def thin_slowness() -> Estimate:
    """How many times slower than light the best repeated thin wire is [1].

    The interval is that of the layers of one process, from the thickest to the thinnest.
    """
    driver = facts("driver")

    def times(resistance: float, capacitance: float) -> float:
        speed = repeated_wire_speed(
            resistance,
            capacitance,
            driver_resistance=driver["resistance"],
            driver_capacitance=driver["capacitance"],
        )
        return float(c / speed)

    return through(times, *(estimate("wire", name) for name in ("thin_resistance", "capacitance")))


LIMITS = ("reading", "launches", "exchanges", "light_machine", "light_weights")
LIMIT_LABELS = {
    "reading": "read the weights",
    "launches": "launch kernels",
    "exchanges": "exchange between devices",
    "light_machine": "light across the machine",
    "light_weights": "light through the weights",
}


@dataclass(frozen=True)
class Setup:
    """One machine that runs one model for one user, with what delays it.

    Attributes:
        label: machine and model.
        case: the published rate, by its id or key; empty if there is none.
        model: key of the model.
        machine: key of the machine.
        devices: that share every layer.
        size: name in `sizes`.
        bits: bits of a weight.
        launched: whether the work is launched kernel by kernel.
        exchange: "nvlink", "wafer" or nothing.
    """

    label: str
    case: str
    model: str
    machine: str
    devices: int
    size: str
    bits: float
    launched: bool = False
    exchange: str = ""


SETUPS = (
    Setup("1 H100, Llama 3.1 8B", "", "llama-3.1-8b", "h100-sxm", 1, "die", 16, True),
    Setup(
        "8 A100, Llama 2 70B",
        "gptfast-027",
        "llama-2-70b",
        "a100-sxm-80gb",
        8,
        "server",
        16,
        True,
        "nvlink",
    ),
    Setup(
        "rack of 72 GB300, Llama 2 70B",
        "",
        "llama-2-70b",
        "gb300-nvl72",
        72,
        "rack",
        16,
        True,
        "nvlink",
    ),
    Setup(
        "4 wafers, Llama 3.1 70B",
        "sram-002",
        "llama-3.1-70b",
        "wse-3",
        4,
        "wafer",
        16,
        False,
        "wafer",
    ),
    Setup("hard-wired chip, Llama 3.1 8B", "taalas-hc1", "llama-3.1-8b", "", 1, "chip", 3),
)


def limits(setups: Sequence[Setup] = SETUPS) -> pd.DataFrame:
    """Time of one token by what causes it, one machine a row; nan where it does not apply [s].

    Args:
        setups: machines with models.

    Returns:
        Columns label, those of `LIMITS`, measured (nan if nothing is published), binds (the
        largest of the times) and orders (powers of ten from light through the weights up to it).
    """
    import pandas as pd

    rows = []
    for setup in setups:
        times = limit_times(setup)
        found = {name: time for name, time in times.items() if time == time}
        binds = max(found, key=lambda name: found[name])
        gap = math.log10(found[binds] / found["light_weights"])
        rows.append(
            {
                "label": setup.label,
                **times,
                "measured": _measured(setup),
                "binds": binds,
                "orders": gap,
            }
        )
    return pd.DataFrame(rows)


def limit_times(setup: Setup) -> dict[str, float]:
    """Each limit's time for one token of one setup [s].

    Args:
        setup: machine and model.
    """
    row = data.model(setup.model)
    layers, weights = float(row["layers"]), scenario.step_weight_bytes(row, setup.bits)
    chain = dependent_steps(layers, facts("nvlink-exchange")["collectives_per_layer"])
    across = crossing_time(sizes()[setup.size], c)
    packed = memory_radius(weights, stack_density().value)
    strict = dependent_steps(layers, facts("light-bound")["steps_per_layer"])
    return {
        "reading": _reading(setup, weights),
        "launches": kernels(layers) * facts("h100-launch")["graph_launch_time"]
        if setup.launched
        else math.nan,
        "exchanges": _exchanges(setup, layers),
        "light_machine": float(chain * across),
        "light_weights": float(1 / travelling_rate(packed, strict, signal_speed=c)),
    }


def kernels(layers: float) -> float:
    """Kernels of one step of a model, from those counted for a small one.

    Args:
        layers: of the model.
    """
    counted = facts("h100-launch")
    return float(round(counted["kernels"] / counted["layers"] * layers))


def _reading(setup: Setup, weights: float) -> float:
    if not setup.machine:
        return math.nan
    bandwidth = float(data.machine(setup.machine)["memory_bandwidth"])
    return float(memory_step_time(weights, setup.devices * bandwidth))


def _exchanges(setup: Setup, layers: float) -> float:
    """Time of the exchanges alone, from the step of shared devices without its reading."""
    if not setup.exchange:
        return math.nan
    link = facts("nvlink-exchange")
    each = link["hop_time"] if setup.exchange == "nvlink" else facts("wafer-exchange")["time"]
    hops = hop_time_per_token(layers, link["collectives_per_layer"], hop_time=each)
    if setup.exchange == "wafer":
        return float(hops)
    shared = {"hop_time_per_token": hops, "tensor_devices": setup.devices}
    return float(tensor_parallel_step_time(1.0, 1e30, **shared))


def _measured(setup: Setup) -> float:
    if not setup.case:
        return math.nan
    table = data.measurements().set_index("id")
    if setup.case in table.index:
        return 1 / _rate(table.loc[setup.case])
    return 1 / facts(setup.case)["token_rate"]


def device_curve(model: Any, machine: Any, most: int = 512, bits: float = 16) -> pd.DataFrame:
    """Tokens per second of one user over the devices that share each layer.

    Args:
        model: a row of the model table.
        machine: a row of the machine table.
        most: devices to go to.
        bits: bits of a weight.

    Returns:
        Columns devices, reading (no hops) and rate (with hops), both in token/s.
    """
    import numpy as np
    import pandas as pd

    devices = np.unique(np.geomspace(1, most, 120).round())
    weights, bandwidth = scenario.step_weight_bytes(model, bits), float(machine["memory_bandwidth"])
    link = facts("nvlink-exchange")
    hops = hop_time_per_token(
        model["layers"], link["collectives_per_layer"], hop_time=link["hop_time"]
    )
    step = tensor_parallel_step_time(
        weights, bandwidth, hop_time_per_token=hops, tensor_devices=devices
    )
    return pd.DataFrame(
        {"devices": devices, "reading": devices * bandwidth / weights, "rate": 1 / step}
    )


def chain_breakers() -> pd.DataFrame:
    """What was published for each way to make tokens without waiting for every one.

    Returns:
        One line a way: the rate before and after, their ratio, and where it is from.
    """
    import pandas as pd

    table, t5 = data.measurements().set_index("id"), facts("speculation-t5")
    rows = []
    for label, before, after in (
        ("drafts checked by a 70-billion model, code", "chen-001", "chen-005"),
        ("drafts checked by a 70-billion model, summaries", "chen-001", "chen-003"),
        ("heads that predict three tokens ahead, 671 billion", "trtblog-026", "trtblog-029"),
    ):
        first, last = (_rate(table.loc[key]) for key in (before, after))
        rows.append((label, last / first, str(table.loc[after, "source"])))
    rows.append(("drafts of a small translation model", t5["gain"], "leviathan2023"))
    return pd.DataFrame(rows, columns=["way", "gain", "source"]).sort_values(
        "gain", ignore_index=True
    )


def _rate(row: Any) -> float:
    value = float(row["si_value"])
    return 1 / value if row["si_unit"] == "s/token" else value


def arrangements(steps: int = 64, points: int = 240, seed: int = 1) -> pd.DataFrame:
    """How near some arrangements of the weights come to the bound, by simulation.

    All fill the same volume. Weights are sampled at random in the place of their step; the chain
    is closed, so that the last step hands the token back to the first.

    Args:
        steps: dependent steps; a cube number whose edge is even.
        points: weights sampled in each step.
        seed: of the generator.

    Returns:
        Columns arrangement, length [m] and factor over the bound, for a volume of 1 m**3.

    Raises:
        ValueError: the steps are not the cube of an even number.
    """
    import numpy as np
    import pandas as pd

    edge = round(steps ** (1 / 3))
    if edge**3 != steps or edge % 2:
        raise ValueError(f"steps is {steps}; it must be the cube of an even number")
    generator = np.random.default_rng(seed)
    cube = generator.random((steps, points, 3))
    slices = cube * [1, 1, 1 / steps] + _shift([(0, 0, z / steps) for z in _there_and_back(steps)])
    cells = (cube + _shift(_loop(edge))) / edge
    radius = float(memory_radius(1.0, 1.0))
    ring = _in_ball(generator, steps, points) * radius * steps ** (-1 / 3) + _shift(
        _circle(steps, 2 * radius * steps ** (-1 / 3))
    )
    bound = 1 / float(travelling_rate(radius, steps, signal_speed=1.0))
    named = {
        "every step spread over a ball": _in_ball(generator, steps, points) * radius,
        "thin slices of a cube, there and back": slices,
        "small cubes, on a closed path through a cube": cells,
        "small balls, on a ring": ring,
    }
    rows = [(name, arrangement_length(places)) for name, places in named.items()]
    table = pd.DataFrame(rows, columns=["arrangement", "length"])
    return table.assign(factor=table["length"] / bound)


def _shift(places: Sequence[Sequence[float]]) -> Any:
    import numpy as np

    return np.asarray(places, dtype=float)[:, None, :]


def _there_and_back(steps: int) -> list[int]:
    """Even slices upwards, odd ones downwards, so that the ends meet."""
    return [*range(0, steps, 2), *reversed(range(1, steps, 2))]


def _in_ball(generator: Any, steps: int, points: int) -> Any:
    """Points spread evenly in the unit ball."""
    import numpy as np

    way = generator.normal(size=(steps, points, 3))
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    return way * generator.random((steps, points, 1)) ** (1 / 3)


def _circle(steps: int, apart: float) -> Any:
    import numpy as np

    angle = 2 * np.pi * np.arange(steps) / steps
    size = apart / (2 * np.sin(np.pi / steps))
    return np.column_stack([size * np.cos(angle), size * np.sin(angle), 0 * angle])


def _loop(edge: int) -> list[tuple[int, int, int]]:
    """A closed path through all cells of a cube of even edge, each step to a neighbour."""
    snake = [
        (x, y)
        for x in range(edge)
        for y in (range(edge) if x % 2 == 0 else reversed(range(edge)))
        if (x, y) != (0, 0)
    ]
    # Up the column at the corner, then down plane by plane, there and back.
    path = [(0, 0, z) for z in range(edge)]
    for turn, z in enumerate(reversed(range(edge))):
        path += [(x, y, z) for x, y in (snake if turn % 2 == 0 else reversed(snake))]
    return path


CHAINS = (1, 2, 4, 8, 16, 32, 64)


def searched(count: int = 10_500, seed: int = 1, steps: Sequence[int] = CHAINS) -> pd.DataFrame:
    """Random arrangements of weights spread evenly over flat, long, thick and round machines.

    Boxes of random edges are cut into equal boxes along random axes, ellipsoids and elliptic
    cylinders into equal wedges, and balls strung on a closed thread. The order of the steps winds
    to and fro and back, or is drawn at random.

    Args:
        count: arrangements in all; a multiple of three times the number of chains.
        seed: of the generator.
        steps: numbers of dependent steps, powers of two.

    Returns:
        Columns shape, steps, flatness (shortest over longest edge of the machine) and factor (the
        length over that of the bound for this machine).
    """
    import numpy as np
    import pandas as pd

    generator, parts = np.random.default_rng(seed), []
    each = count // (3 * len(steps))
    for chain in steps:
        for shape, draw in (("box", _boxes), ("round", _wedges), ("thread of balls", _threads)):
            places, volume, edges = draw(generator, each, chain)
            low, middle, high = np.sort(edges, axis=-1).T
            least = share_radius(volume, chain, memory_thickness=low, memory_width=middle)
            length = arrangement_length(places, rounds=4) / (chain * least)
            table = {"shape": shape, "steps": chain, "flatness": low / high, "factor": length}
            parts.append(pd.DataFrame(table))
    return pd.concat(parts, ignore_index=True)


def _random_edges(generator: Any, count: int) -> Any:
    """Edges between a hundredth and one, of which any may be the longest [m]."""
    return 10.0 ** generator.uniform(-2, 0, (count, 3))


def _boxes(generator: Any, count: int, steps: int) -> tuple[Any, Any, Any]:
    """Corners of the equal boxes that a box is cut into, its volume and its edges."""
    import numpy as np

    edges = _random_edges(generator, count)
    twos = generator.multinomial(round(math.log2(steps)), generator.dirichlet([1, 1, 1], count))
    cuts = 2**twos
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    cells = np.stack([_winding(*each) for each in cuts])
    orders = np.where(
        generator.random((count, 1)) < 0.8,
        np.array(_there_and_back(steps)) if steps > 1 else np.zeros(1, int),
        generator.permuted(np.tile(np.arange(steps), (count, 1)), axis=1),
    )
    cells = np.take_along_axis(cells, orders[..., None], axis=1)
    places = (cells[:, :, None, :] + corners) * (edges / cuts)[:, None, None, :]
    return places, edges.prod(axis=-1), edges


def _winding(*cuts: int) -> Any:
    """Cells of a grid in an order in which each touches the next."""
    import numpy as np

    axis = list(np.argsort(cuts))
    a, b, d = (int(cuts[place]) for place in axis)
    path, turn = np.zeros((a * b * d, 3), int), 0
    for place in range(a * b * d):
        x, y, z = place % a, place // a % b, place // (a * b)
        y = b - 1 - y if z % 2 else y
        turn = place // a
        path[place, axis] = (a - 1 - x if turn % 2 else x, y, z)
    return path


def _wedges(generator: Any, count: int, steps: int) -> tuple[Any, Any, Any]:
    """Points on the rims of equal wedges, like those of an orange or of a cake.

    The rims are sampled, so that the chains come out a little short.
    """
    import numpy as np

    edges = _random_edges(generator, count)
    flat = generator.random(count) < 0.5
    around = 5 if steps == 1 else 3
    angles = 2 * np.pi * (np.arange(steps)[:, None] + np.linspace(0, 1, around)) / steps
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    height = np.array([-1, -0.7, 0, 0.7, 1])
    rims = []
    for width in (np.ones(5), np.sqrt(1 - height**2)):
        rim = np.concatenate(
            [
                np.broadcast_to(circle[:, :, None] * width[:, None], (steps, around, 5, 2)),
                np.broadcast_to(height[:, None], (steps, around, 5, 1)),
            ],
            axis=-1,
        )
        middle = np.broadcast_to([[0, 0, -1], [0, 0, 1]], (steps, 2, 3))
        rims.append(np.concatenate([rim.reshape(steps, -1, 3), middle], axis=1))
    places = np.where(flat[:, None, None, None], rims[0], rims[1]) * edges[:, None, None] / 2
    volume = np.where(flat, np.pi / 4, np.pi / 6) * edges.prod(axis=-1)
    return places, volume, edges


def _threads(generator: Any, count: int, steps: int) -> tuple[Any, Any, Any]:
    """Points on balls along a closed thread that may be crumpled, stretched or drawn at random.

    The whole is judged by its balls alone, as by the density of a lump.
    """
    import numpy as np

    turn = np.arange(14) + 0.5
    height, angle = 1 - turn / 7, turn * np.pi * (1 + 5**0.5)
    wide = np.sqrt(1 - height**2)
    ball = np.column_stack([wide * np.cos(angle), wide * np.sin(angle), height])
    ring = np.asarray(_circle(steps, 2.0)) if steps > 1 else np.zeros((1, 3))
    stretch = generator.uniform(0.2, 1.2, (count, 1, 1))
    crumpled = generator.normal(size=(count, steps, 3)) * generator.uniform(0, 0.5, (count, 1, 1))
    places = (ring * stretch + crumpled)[:, :, None, :] + ball
    room = np.full((count, 3), 2.0 * steps)
    return places, np.full(count, steps * 4 / 3 * np.pi), room


def tiled_sheet(edge: int, thickness: float = 0.0) -> tuple[float, float, float]:
    """A square sheet of square tiles on a closed path, one tile a step, against two bounds.

    Args:
        edge: tiles along an edge, an even number.
        thickness: of the sheet, in edges of it.

    Returns:
        Length of a token's chain, of the bound for a sheet, and of what a ball of half its edge
        would say if a sheet obeyed a law of volume; for an edge of 1 m.
    """
    import numpy as np

    path = [(x, 0) for x in range(edge)]
    for turn, x in enumerate(reversed(range(edge))):
        path += [(x, y) for y in (range(1, edge) if turn % 2 == 0 else reversed(range(1, edge)))]
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    flat = (np.asarray(path)[:, None] + corners) / edge
    places = np.concatenate([np.insert(flat, 2, z, axis=-1) for z in {0.0, thickness}], axis=1)
    steps, thin = edge * edge, max(thickness, 1e-9)
    sheet = steps * share_radius(thin, steps, memory_thickness=thin, memory_width=1.0)
    ball = 1 / travelling_rate(0.5, steps, signal_speed=1.0)
    return arrangement_length(places, rounds=2), float(sheet), float(ball)


STRICT = ("first", "second", "last")


def strict_steps(model: Any, matrices: str = "first") -> float:
    """Length of a layer's chain counting only some matrices, in that of one step for all of it.

    "first": queries, keys and values, then the widening matrices. Their every product waits for
    all of the half before if a matrix acts on finished vectors. "second": the matrix out of
    attention and the narrowing one, whose products wait even where sums are formed piece by piece.
    "last": the narrowing one alone, if the other is multiplied into cached values beforehand. The
    share of each counts with its cube root. At 1 or more, one step a layer is certain. Models that
    run both halves side by side have one such step, shorter than a layer's.

    Args:
        model: a row of the model table of a dense model.
        matrices: "first", "second" or "last".

    Raises:
        ValueError: the row lacks a quantity, or the matrices are none of these.
    """
    if matrices not in STRICT:
        raise ValueError(f"matrices is {matrices!r}; it must be one of {', '.join(STRICT)}")
    names = ("hidden_size", "heads", "kv_heads", "head_size", "feedforward_size")
    wide, heads, kept, head, inner = (float(model[name]) for name in names)
    count = float(model["feedforward_matrices"])
    if math.isnan(wide * heads * kept * head * inner * count):
        raise ValueError(f"{model['name']} lacks one of {', '.join(names)} in its table")
    entering, leaving = wide * head * (heads + 2 * kept), heads * head * wide
    widening, narrowing = (count - 1) * wide * inner, wide * inner
    whole = entering + leaving + widening + narrowing
    counted = {
        "first": (entering, widening),
        "second": (leaving, narrowing),
        "last": (narrowing,),
    }[matrices]
    if str(model.name).startswith(SIDE_BY_SIDE):
        counted = (sum(counted),)
    return float(sum((each / whole) ** (1 / 3) for each in counted))


def strict_table() -> pd.DataFrame:
    """`strict_steps` of every dense model: a column for each kind of step, and `beside`."""
    import pandas as pd

    models = dense_models()
    columns = {kind: [strict_steps(row, kind) for _, row in models.iterrows()] for kind in STRICT}
    table = pd.DataFrame(columns, index=models.index)
    return table.assign(name=models["name"], beside=models.index.str.startswith(SIDE_BY_SIDE))


def packed_power(model: Any, rate: float, bits: float, *, each_joules: str = "erased") -> float:
    """Power of a token's multiply-adds at a rate, by the energy chapter's own count [W].

    Args:
        model: a row of the model table.
        rate: tokens per second.
        bits: of each factor.
        each_joules: "erased" for k T ln 2 for each bit that the gates forget, "switched" for
            switches as reliable as that chapter's.
    """
    room, sums = facts_of_energy()
    if each_joules == "erased":
        count = erased_bits_per_multiply_add(bits, sums)
        energy = landauer_energy(room)
    else:
        count = switches_per_multiply_add(bits, sums)
        energy = reliable_bit_energy(room, energy_interval("switch", "error_probability")[0])
    operations = scenario.read_parameters(model) * count
    return float(irreversible_energy_per_token(operations, energy) * rate)


def facts_of_energy() -> tuple[float, float]:
    """Temperature of the energy chapter [K] and the bits of its running sum [1]."""
    return (
        energy_interval("room", "temperature")[0],
        energy_interval("multiply-add", "accumulator_bits")[0],
    )


def dense_models() -> pd.DataFrame:
    """Models of the table that `strict_steps` applies to: dense, with plain attention."""
    table = data.models()
    needed = ["hidden_size", "heads", "kv_heads", "head_size", "feedforward_size"]
    table = table.dropna(subset=[*needed, "feedforward_matrices", "layers"])
    return table[table["experts"].isna() & table["latent_size"].isna()]

"""One user, one beam of light: how fast a chain of tokens can run through a memory of finite size.

A token can be chosen only when the one before it is known, and no signal is faster than light. So
the size of the memory that a token must cross bounds the tokens of one user. The wires, links and
launches of real machines come after that, each as its own equation. Nothing here knows a machine.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.constants import c
from sympy import Max, Rational, log, pi, sqrt

from tokenwall.equation import equation
from tokenwall.roofline import memory_step_time as reading_time
from tokenwall.units import (
    Byte,
    BytePerCubicMetre,
    BytePerSecond,
    Count,
    CubicMetre,
    Domain,
    Farad,
    FaradPerMetre,
    Metre,
    MetrePerSecond,
    Nonnegative,
    NonnegativeCount,
    Ohm,
    OhmPerMetre,
    Positive,
    Quantity,
    Second,
    Token,
    TokenPerSecond,
)

__all__ = [
    "arrangement_length",
    "best_tensor_devices",
    "crossing_time",
    "dependent_steps",
    "even_rate",
    "gathered_radius",
    "gathered_rate",
    "guided_speed",
    "hop_time_per_token",
    "launch_step_time",
    "least_tensor_step_time",
    "memory_radius",
    "overlapped_launch_step_time",
    "repeated_wire_speed",
    "repeater_size",
    "repeater_spacing",
    "share_radius",
    "speculative_gain",
    "speculative_run",
    "tensor_parallel_step_time",
    "travelling_radius",
    "travelling_rate",
    "wire_delay",
]

# No signal is faster than light, so a faster one is refused rather than computed with.
SignalSpeed = Annotated[Any, Quantity("m/s", Domain(low=0, high=c, low_open=True))]
Permittivity = Annotated[Any, Quantity("1", Domain(low=1))]
# At 1 the sum of the series is another formula; so close to it nothing differs.
Acceptance = Annotated[Any, Quantity("1", Domain(low=0, high=0.999999))]

# Time for a step to half its height: at the end of a distributed line, in units of its total
# resistance times capacitance, and for one resistor and one capacitor.
LINE = 4 * log(8 / pi) / pi**2
LUMP = log(2)


@equation
def memory_radius(weight_bytes: Byte, memory_density: BytePerCubicMetre) -> Metre:
    """Radius of the ball that the weights fill [m].

    A ball is the smallest solid of its volume: no other shape brings all bytes as near to one
    place. Every real arrangement is larger.

    Args:
        weight_bytes (B): bytes of the weights that one token multiplies.
        memory_density (B/m**3): bytes that a volume holds, wires and cooling included.

    Returns:
        (m), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: eight times the bytes, twice the radius; a density eight times as high, half the radius.

    Example:
        >>> float(memory_radius(70e9, 2.75e17)) * 1e3
        3.93

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    return (3 * weight_bytes / (4 * pi * memory_density)) ** Rational(1, 3)


@equation
def crossing_time(memory_radius: Metre, signal_speed: SignalSpeed) -> Second:
    """Time of a signal across the memory, or to its rim and back [s].

    The farthest two bytes of a set of this volume are at least a diameter apart, whatever its
    shape. A wire that bends is longer, so a real signal takes longer.

    Args:
        memory_radius (m): radius of the ball that the weights fill.
        signal_speed (m/s): speed of a signal, at most that of light.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the radius or half the speed, twice the time.

    Example:
        >>> float(crossing_time(1, 299792458)) * 1e9
        6.67

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    return 2 * memory_radius / signal_speed


@equation
def dependent_steps(layers: Count, steps_per_layer: Count) -> Count:
    """Steps of one token that must follow one another [1].

    A step counts when every weight of it acts on numbers that already depend on the whole step
    before. Attention and cache add to the chain; leaving them out makes the bound weaker.

    Args:
        layers (1): layers run one after another.
        steps_per_layer (1): steps of a layer that each need all of the one before.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one step in each layer gives the layers; twice the steps in each, twice the chain.

    Example:
        >>> float(dependent_steps(80, 4))
        320.0

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    return layers * steps_per_layer


@equation
def gathered_rate(
    memory_radius: Metre,
    dependent_steps: Count,
    *,
    signal_speed: SignalSpeed,
    tokens_per_step: Token = 1,
) -> TokenPerSecond:
    """Bound on one user's tokens per second when every step spans the whole memory [token/s].

    It holds where every layer is spread over the whole machine, and where each step asks for
    weights at the far side and waits for them. Leaves out everything but the way of the signal,
    so a real machine of this kind is slower. One that keeps each layer together may be faster.

    Args:
        memory_radius (m): radius of the ball that the weights fill.
        dependent_steps (1): steps of a token that each need all of the one before.
        signal_speed (m/s): speed of a signal, at most that of light.
        tokens_per_step (token): tokens that one pass yields, 1 without speculation.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the radius, steps or delay, half the rate; never above `travelling_rate`.

    Example:
        >>> float(gathered_rate(1, 320, signal_speed=299792458)) / 1e5
        4.68

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    return tokens_per_step * signal_speed / (2 * memory_radius * dependent_steps)


@equation
def travelling_rate(
    memory_radius: Metre,
    dependent_steps: Count,
    *,
    signal_speed: SignalSpeed,
    tokens_per_step: Token = 1,
) -> TokenPerSecond:
    """Bound on one user's tokens per second for a ball evenly filled with weights [token/s].

    Each step has its own share of the weights, and no place holds more for its volume than the
    ball does on average. So the share fills at least a ball of its own, and a signal needs that
    ball's radius to combine it, whether the weights rest or stream. It is a law of volume: for a
    machine of another shape the radius is that of a ball of equal volume, and a sheet is slower
    still (`even_rate`). Wires and gates make a real machine slower.

    Args:
        memory_radius (m): radius of the ball that the weights fill.
        dependent_steps (1): steps of a token that each need all of the one before.
        signal_speed (m/s): speed of a signal, at most that of light.
        tokens_per_step (token): tokens that one pass yields, 1 without speculation.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one step gives the time of light over one radius; eight times the steps, a quarter of
    the rate.

    Example:
        >>> float(travelling_rate(1, 80, signal_speed=299792458)) / 1e6
        16.1

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    path = memory_radius * dependent_steps ** Rational(2, 3)
    return tokens_per_step * signal_speed / path


@equation
def share_radius(
    memory_volume: CubicMetre,
    dependent_steps: Count,
    *,
    memory_thickness: Metre,
    memory_width: Metre,
) -> Metre:
    """Least distance that holds one step's share of weights spread evenly over a machine [m].

    Within a distance of a place lies at most a ball. A machine that is thinner cuts a disc of its
    own thickness out of that ball, and one that is narrow as well a piece of rod. The share has to
    fit into the least of the three, so its distance is the longest.

    Args:
        memory_volume (m**3): of the machine over which the weights are spread.
        dependent_steps (1): steps of a token that each need all of the one before.
        memory_thickness (m): shortest edge of a box around the machine.
        memory_width (m): middle edge of that box.

    Returns:
        (m), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: many steps, the ball of the share; a thin sheet, a disc; a thin rod, half a piece of it.

    Example:
        >>> float(share_radius(3.6e-5, 80, memory_thickness=7.75e-4, memory_width=0.215)) * 1e3
        13.6

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    share = memory_volume / dependent_steps
    ball = (3 * share / (4 * pi)) ** Rational(1, 3)
    disc = sqrt(share / (pi * memory_thickness))
    return Max(ball, disc, share / (2 * memory_thickness * memory_width))


@equation
def even_rate(
    memory_volume: CubicMetre,
    dependent_steps: Count,
    *,
    memory_thickness: Metre,
    memory_width: Metre,
    signal_speed: SignalSpeed,
    tokens_per_step: Token = 1,
) -> TokenPerSecond:
    """Bound on one user's tokens per second for weights spread evenly over a machine [token/s].

    Holds while no place of the machine holds more weights for its volume than the machine does on
    average, at rest or in flight. A machine that packs them into denser lumps is bound by
    `travelling_rate` at the density of a lump. Wires and gates make a real machine slower.

    Args:
        memory_volume (m**3): of the machine over which the weights are spread.
        dependent_steps (1): steps of a token that each need all of the one before.
        memory_thickness (m): shortest edge of a box around the machine.
        memory_width (m): middle edge of that box.
        signal_speed (m/s): speed of a signal, at most that of light.
        tokens_per_step (token): tokens that one pass yields, 1 without speculation.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a ball gives `travelling_rate`; four times the steps, half the rate in a sheet.

    Example:
        >>> box = {"memory_thickness": 0.6, "memory_width": 1.098}
        >>> float(even_rate(1.506, 80, **box, signal_speed=299792458)) / 1e6
        22.7

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    path = dependent_steps * share_radius(
        memory_volume,
        dependent_steps,
        memory_thickness=memory_thickness,
        memory_width=memory_width,
    )
    return tokens_per_step * signal_speed / path


@equation
def gathered_radius(
    target_rate: TokenPerSecond,
    dependent_steps: Count,
    *,
    signal_speed: SignalSpeed,
    tokens_per_step: Token = 1,
) -> Metre:
    """Radius beyond which light forbids a rate if every step spans the whole memory [m].

    The inverse of `gathered_rate`. A machine must be smaller than this, by as much as its
    switches, wires and arithmetic are slower than light.

    Args:
        target_rate (token/s): tokens per second that one user wants.
        dependent_steps (1): steps of a token that each need all of the one before.
        signal_speed (m/s): speed of a signal, at most that of light.
        tokens_per_step (token): tokens that one pass yields, 1 without speculation.

    Returns:
        (m), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the rate or twice the steps, half the radius.

    Example:
        >>> float(gathered_radius(1e6, 320, signal_speed=299792458))
        0.468

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    return tokens_per_step * signal_speed / (2 * target_rate * dependent_steps)


@equation
def travelling_radius(
    target_rate: TokenPerSecond,
    dependent_steps: Count,
    *,
    signal_speed: SignalSpeed,
    tokens_per_step: Token = 1,
) -> Metre:
    """Radius of a ball evenly filled with the weights beyond which light forbids a rate [m].

    The inverse of `travelling_rate`. A machine that holds its weights in denser lumps may be
    larger, up to the radius for one step; beyond that no machine can serve one user so fast.

    Args:
        target_rate (token/s): tokens per second that one user wants.
        dependent_steps (1): steps of a token that each need all of the one before.
        signal_speed (m/s): speed of a signal, at most that of light.
        tokens_per_step (token): tokens that one pass yields, 1 without speculation.

    Returns:
        (m), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the rate, half the radius; one step, the way of light in the time of a token.

    Example:
        >>> float(travelling_radius(1e6, 80, signal_speed=299792458))
        16.1

    Source: own derivation
    Derivation: book/physics/light.ipynb
    """
    path = target_rate * dependent_steps ** Rational(2, 3)
    return tokens_per_step * signal_speed / path


@equation
def wire_delay(
    resistance_per_length: OhmPerMetre, capacitance_per_length: FaradPerMetre, *, wire_length: Metre
) -> Second:
    """Time until the end of a resistive wire has risen half-way [s].

    Charge diffuses along the wire, so the time grows with the square of the length. Leaves out
    the driver and the load, which add, and inductance, without which a short wire would seem
    faster than light: never use it below the length where light takes longer.

    Args:
        resistance_per_length (ohm/m): series resistance of the wire for each length.
        capacitance_per_length (F/m): capacitance of the wire for each length.
        wire_length (m): length of the wire.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: double the length, four times the delay; double the resistance, twice the delay.

    Example:
        >>> float(wire_delay(1e6, 2e-10, wire_length=1e-2)) * 1e9
        7.58

    Source: bakoglu1990, chapter 5
    Derivation: book/physics/light.ipynb
    """
    return LINE * resistance_per_length * capacitance_per_length * wire_length**2


@equation
def repeater_size(
    resistance_per_length: OhmPerMetre,
    capacitance_per_length: FaradPerMetre,
    *,
    driver_resistance: Ohm,
    driver_capacitance: Farad,
) -> Positive:
    """Size of the repeaters that make a long wire fastest, in units of the smallest one [1].

    A larger repeater drives the wire harder and burdens the one before it. Leaves out the
    capacitance of a repeater's own output, which makes the best one smaller.

    Args:
        resistance_per_length (ohm/m): series resistance of the wire for each length.
        capacitance_per_length (F/m): capacitance of the wire for each length.
        driver_resistance (ohm): output resistance of the smallest repeater.
        driver_capacitance (F): input capacitance of the smallest repeater.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a wire of four times the capacitance or a quarter of the resistance, repeaters twice as
    large.

    Example:
        >>> float(repeater_size(1e6, 2e-10, driver_resistance=1e4, driver_capacitance=1e-16))
        141.

    Source: bakoglu1990, chapter 5
    Derivation: book/physics/light.ipynb
    """
    wire = capacitance_per_length / resistance_per_length
    return sqrt(wire * driver_resistance / driver_capacitance)


@equation
def repeater_spacing(
    resistance_per_length: OhmPerMetre,
    capacitance_per_length: FaradPerMetre,
    *,
    driver_resistance: Ohm,
    driver_capacitance: Farad,
) -> Metre:
    """Length of wire between two repeaters that makes a long wire fastest [m].

    The length at which a piece of wire alone takes as long as its repeaters alone. Leaves out
    the repeaters' own output, which asks for longer pieces.

    Args:
        resistance_per_length (ohm/m): series resistance of the wire for each length.
        capacitance_per_length (F/m): capacitance of the wire for each length.
        driver_resistance (ohm): output resistance of the smallest repeater.
        driver_capacitance (F): input capacitance of the smallest repeater.

    Returns:
        (m), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a wire of four times the resistance, half the spacing; repeaters four times as slow,
    twice it.

    Example:
        >>> driver = {"driver_resistance": 1e4, "driver_capacitance": 1e-16}
        >>> float(repeater_spacing(1e6, 2e-10, **driver)) * 1e6
        95.7

    Source: bakoglu1990, chapter 5
    Derivation: book/physics/light.ipynb
    """
    wire = resistance_per_length * capacitance_per_length
    return sqrt(LUMP * driver_resistance * driver_capacitance / (LINE * wire))


@equation
def repeated_wire_speed(
    resistance_per_length: OhmPerMetre,
    capacitance_per_length: FaradPerMetre,
    *,
    driver_resistance: Ohm,
    driver_capacitance: Farad,
) -> MetrePerSecond:
    """Speed of a signal on a wire with the best repeaters at the best distances [m/s].

    Delay now grows with the length, not its square. Leaves out the repeaters' own output, the
    shape of the edges and the limits of power, so a real wire is slower; leaves out inductance,
    so a low-resistance wire comes out faster than it is.

    Args:
        resistance_per_length (ohm/m): series resistance of the wire for each length.
        capacitance_per_length (F/m): capacitance of the wire for each length.
        driver_resistance (ohm): output resistance of the smallest repeater.
        driver_capacitance (F): input capacitance of the smallest repeater.

    Returns:
        (m/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: four times the resistance of the wire or the delay of the driver, half the speed.

    Example:
        >>> driver = {"driver_resistance": 1e4, "driver_capacitance": 1e-16}
        >>> float(repeated_wire_speed(1e6, 2e-10, **driver)) / 1e7
        2.93

    Source: bakoglu1990, chapter 5
    Derivation: book/physics/light.ipynb
    """
    product = resistance_per_length * capacitance_per_length
    product = product * driver_resistance * driver_capacitance
    return 1 / (2 * (LUMP + sqrt(LINE * LUMP)) * sqrt(product))


@equation
def guided_speed(
    relative_permittivity: Permittivity, *, light_speed: MetrePerSecond = c
) -> MetrePerSecond:
    """Speed of a wave guided by an insulator, on a board or in a fibre [m/s].

    A wire so thick that its resistance does not matter carries a wave, and the insulator slows
    it. Leaves out dispersion and the roughness of copper, which slow the front a little more.

    Args:
        relative_permittivity (1): of the insulator; the square of its refractive index.
        light_speed (m/s): speed of light in vacuum.

    Returns:
        (m/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: vacuum gives the speed of light; a permittivity of four, half of it.

    Example:
        >>> float(guided_speed(4.4)) / 1e8
        1.43

    Source: johnson1993, chapter 4
    Derivation: book/physics/light.ipynb
    """
    return light_speed / sqrt(relative_permittivity)


@equation
def launch_step_time(
    bytes_per_step: Byte, bandwidth: BytePerSecond, *, kernels_per_step: Count, launch_time: Second
) -> Second:
    """Time of a step that waits for every launch before it reads on [s].

    Launches and reading add, as where each kernel must end before the next begins. A machine
    that loads ahead is faster, down to `overlapped_launch_step_time`.

    Args:
        bytes_per_step (B): weights and cache read in one step.
        bandwidth (B/s): peak memory bandwidth.
        kernels_per_step (1): kernels launched one after another in a step.
        launch_time (s): time from the end of one kernel to the work of the next.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no bytes to speak of, only launches; slow memory, only reading.

    Example:
        >>> launches = {"kernels_per_step": 100, "launch_time": 2.1e-6}
        >>> float(launch_step_time(2.472e9, 3.35e12, **launches)) * 1e3
        0.948

    Source: hazy2025, text
    Derivation: book/physics/light.ipynb
    """
    return reading_time(bytes_per_step, bandwidth) + kernels_per_step * launch_time


@equation
def overlapped_launch_step_time(
    bytes_per_step: Byte, bandwidth: BytePerSecond, *, kernels_per_step: Count, launch_time: Second
) -> Second:
    """Time of a step whose launches hide behind its reading, or its reading behind them [s].

    The longer of the two: the best that loading ahead can do. Leaves out every other delay.

    Args:
        bytes_per_step (B): weights and cache read in one step.
        bandwidth (B/s): peak memory bandwidth.
        kernels_per_step (1): kernels launched one after another in a step.
        launch_time (s): time from the end of one kernel to the work of the next.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: never below either part, and never below half of `launch_step_time`.

    Example:
        >>> float(overlapped_launch_step_time(2.472e9, 3.35e12, kernels_per_step=100,
        ...                                   launch_time=2.1e-6)) * 1e3
        0.738

    Source: hazy2025, text
    Derivation: book/physics/light.ipynb
    """
    return Max(reading_time(bytes_per_step, bandwidth), kernels_per_step * launch_time)


@equation
def hop_time_per_token(layers: Count, collectives_per_layer: Count, *, hop_time: Second) -> Second:
    """Time of one hop in every exchange that a token needs [s].

    What each further hop costs a token when devices share every layer. It does not shrink with
    more devices, with fewer bits or with more bandwidth.

    Args:
        layers (1): layers run one after another.
        collectives_per_layer (1): exchanges between all devices in a layer, one after another.
        hop_time (s): time of one hop of an exchange between devices.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the layers, exchanges or delay, twice the time.

    Example:
        >>> float(hop_time_per_token(80, 4, hop_time=1e-6)) * 1e6
        320.

    Source: erdil2025, section 3
    Derivation: book/physics/light.ipynb
    """
    return layers * collectives_per_layer * hop_time


@equation
def tensor_parallel_step_time(
    bytes_per_step: Byte,
    bandwidth: BytePerSecond,
    *,
    hop_time_per_token: Second,
    tensor_devices: Count,
) -> Second:
    """Time of a step that a square of devices shares, each layer cut across all of them [s].

    Reading shrinks with the devices, hops grow with the square's edge. Leaves out the bytes
    that the exchanges carry, which is fair for one user and too hopeful for many.

    Args:
        bytes_per_step (B): weights and cache read in one step.
        bandwidth (B/s): peak memory bandwidth of one device.
        hop_time_per_token (s): time of one hop in every exchange of a token.
        tensor_devices (1): devices that share every layer.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one device has no hops; very many have nothing else.

    Example:
        >>> float(tensor_parallel_step_time(141.2e9, 3.35e12, hop_time_per_token=320e-6,
        ...                                 tensor_devices=26)) * 1e3
        4.24

    Source: erdil2025, section 3
    Derivation: book/physics/light.ipynb
    """
    hops = 2 * (sqrt(tensor_devices) - 1)
    return hops * hop_time_per_token + reading_time(bytes_per_step, bandwidth) / tensor_devices


@equation
def best_tensor_devices(
    bytes_per_step: Byte, bandwidth: BytePerSecond, *, hop_time_per_token: Second
) -> Positive:
    """Devices that make a shared step shortest [1].

    Where a little less reading is worth a little more hopping. Not a whole number; the minimum
    is flat, so the nearest square will do. More devices than this make one user slower.

    Args:
        bytes_per_step (B): weights and cache read in one step.
        bandwidth (B/s): peak memory bandwidth of one device.
        hop_time_per_token (s): time of one hop in every exchange of a token.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: eight times the reading, four times the devices; one device where a hop costs more
    than reading.

    Example:
        >>> float(best_tensor_devices(141.2e9, 3.35e12, hop_time_per_token=320e-6))
        25.9

    Source: erdil2025, section 3
    Derivation: book/physics/light.ipynb
    """
    alone = reading_time(bytes_per_step, bandwidth)
    return Max(1, (alone / hop_time_per_token) ** Rational(2, 3))


@equation
def least_tensor_step_time(
    bytes_per_step: Byte, bandwidth: BytePerSecond, *, hop_time_per_token: Second
) -> Second:
    """Shortest time of a step that any number of devices can reach by sharing layers [s].

    Eight times the bandwidth gives a little less than half of the time: the first term of the
    derivation halves, and the second, twice the hop, is taken off both.
    Leaves out the bytes of the exchanges and all launches, so a real machine is slower.

    Args:
        bytes_per_step (B): weights and cache read in one step.
        bandwidth (B/s): peak memory bandwidth of one device.
        hop_time_per_token (s): time of one hop in every exchange of a token.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: memory that needs no time ends at one device; slow memory tends to 3 a^(2/3) t^(1/3).

    Example:
        >>> float(least_tensor_step_time(141.2e9, 3.35e12, hop_time_per_token=320e-6)) * 1e3
        4.24

    Source: erdil2025, section 3
    Derivation: book/physics/light.ipynb
    """
    best = best_tensor_devices(bytes_per_step, bandwidth, hop_time_per_token=hop_time_per_token)
    hops = 2 * (sqrt(best) - 1)
    return hops * hop_time_per_token + reading_time(bytes_per_step, bandwidth) / best


@equation
def speculative_run(acceptance_fraction: Acceptance, draft_tokens: NonnegativeCount) -> Positive:
    """Mean tokens that one check of a draft yields [1].

    Drafted tokens count up to the first that is refused, and the check adds one of its own.
    Supposes that each is accepted with the same chance whatever came before; real text comes in
    easy and hard stretches, which lengthens some runs and shortens others.

    Args:
        acceptance_fraction (1): chance that a drafted token is accepted.
        draft_tokens (1): tokens drafted before each check.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no draft gives 1; an endless draft gives 1 / (1 - acceptance), and no more.

    Example:
        >>> float(speculative_run(0.8, 5))
        3.69

    Source: leviathan2023, equation 1
    Derivation: book/physics/light.ipynb
    """
    refused = 1 - acceptance_fraction
    return (1 - acceptance_fraction ** (draft_tokens + 1)) / refused


@equation
def speculative_gain(
    acceptance_fraction: Acceptance,
    draft_tokens: NonnegativeCount,
    *,
    draft_time_fraction: Nonnegative,
) -> Positive:
    """Factor by which drafting shortens the time of a token [1].

    The run over the time of one check and its drafts, which are themselves a chain. Supposes
    that checking several tokens takes no longer than one, so it holds for a single user whose
    machine has arithmetic to spare.

    Args:
        acceptance_fraction (1): chance that a drafted token is accepted.
        draft_tokens (1): tokens drafted before each check.
        draft_time_fraction (1): time to draft a token over the time of a step.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: drafts that take no time gain the whole run; drafts as slow as the model lose.

    Example:
        >>> float(speculative_gain(0.75, 7, draft_time_fraction=0.02))
        3.16

    Source: leviathan2023, theorem 3.8
    Derivation: book/physics/light.ipynb
    """
    run = speculative_run(acceptance_fraction, draft_tokens)
    return run / (1 + draft_tokens * draft_time_fraction)


def arrangement_length(places: ArrayLike, rounds: int = 6) -> Any:
    """Length that a signal must travel for each token in a given arrangement of the weights [m].

    Every weight of a step waits for every weight of the step before, and the first step for the
    last one's. The length grows by the same amount in each round once the start is forgotten.
    Where a step's weights fill a convex body its corners are enough: the longest chain runs
    through corners. Leaves out the ways of a broadcast and a sum within a step, so a real machine
    needs more.

    Args:
        places: where weights lie, of shape (steps, weights of a step, 3), in metres; further
            dimensions in front are arrangements of their own.
        rounds: tokens to follow; the last half is measured.

    Returns:
        Mean length of the longest chain of one token, for each arrangement.

    Raises:
        ValueError: the shape is another, or there are fewer than two rounds.

    Example:
        >>> arrangement_length([[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [1, 0, 0]]])
        2.0

    Source: own derivation
    """
    points = np.asarray(places, dtype=float)
    if points.ndim < 3 or points.shape[-1] != 3:
        raise ValueError(f"places has shape {points.shape}; it must be (steps, weights, 3)")
    if rounds < 2:
        raise ValueError(f"rounds is {rounds}; it must be at least 2")
    steps, half, marks = points.shape[-3], rounds // 2, []
    reached = np.zeros((*points.shape[:-3], points.shape[-2]))
    for _ in range(rounds):
        for step in range(steps):
            way = points[..., step - 1, :, None, :] - points[..., step, None, :, :]
            reached = (reached[..., None] + np.linalg.norm(way, axis=-1)).max(axis=-2)
        marks.append(reached.max(axis=-1))
    length = (marks[-1] - marks[half - 1]) / (rounds - half)
    return float(length) if length.ndim == 0 else length

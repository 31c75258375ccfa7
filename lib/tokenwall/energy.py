"""Joules: what a bit, a wire, an operation and a token cost, down to the heat of one erased bit.

Two kinds of formula live here. The first are prices: capacitors, wires, memory and machines. The
second are floors that follow from thermodynamics, each under the condition that its docstring
names. Nothing here knows a machine.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from scipy.constants import k
from scipy.special import erfcinv
from sympy import Min, Rational, log, pi

from tokenwall.equation import equation
from tokenwall.units import (
    POSITIVE,
    Byte,
    BytePerToken,
    Count,
    Domain,
    Farad,
    FaradPerMetre,
    FlopPerToken,
    Fraction,
    Joule,
    JoulePerByte,
    JoulePerFlop,
    JoulePerToken,
    Kelvin,
    Metre,
    NonnegativeSecond,
    Ohm,
    PerToken,
    Positive,
    Probability,
    Quantity,
    Second,
    Token,
    TokenPerSecond,
    Volt,
    Watt,
)

__all__ = [
    "computing_energy_per_token",
    "energy_per_token",
    "erased_bits_per_multiply_add",
    "erasure_energy",
    "erasure_rate",
    "finite_time_erasure_energy",
    "irreversible_energy_per_token",
    "landauer_energy",
    "moving_energy_per_token",
    "moving_share",
    "node_energy",
    "noise_margin",
    "overwritten_bits",
    "parity_batch",
    "ramp_energy",
    "reliable_bit_energy",
    "served_energy_per_token",
    "simulate_erasure",
    "switches_per_multiply_add",
    "thermodynamic_rate",
    "time_to_gap",
    "wall_energy_per_token",
    "wire_energy",
]

EntropyUnit = Annotated[Any, Quantity("J/K", POSITIVE)]
# An error above one half is a bit that is right too often under its other name.
ErrorProbability = Annotated[Any, Quantity("1", Domain(low=0, high=0.5, low_open=True))]
BitWidth = Annotated[Any, Quantity("1", Domain(low=2, whole=True))]
AtLeastOne = Annotated[Any, Quantity("1", Domain(low=1))]
Activity = Annotated[Any, Quantity("1", Domain(low=0, high=1, low_open=True))]


@equation
def landauer_energy(temperature: Kelvin, boltzmann_constant: EntropyUnit = k) -> Joule:
    """Least heat of erasing one random bit [J].

    Two states become one, so the entropy of the memory falls by k ln 2; what takes it up must
    gain as much. It holds for a bit that is equally likely to be 0 or 1, is erased without
    error, and takes as long as it likes.

    Args:
        temperature (K): of what takes up the heat.
        boltzmann_constant (J/K): Boltzmann's constant.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: proportional to temperature; nothing at absolute zero.

    Example:
        >>> float(landauer_energy(300)) * 1e21
        2.871

    Source: landauer1961, section 4
    Derivation: book/physics/energy.ipynb
    """
    return boltzmann_constant * temperature * log(2)


@equation
def erasure_energy(
    temperature: Kelvin, error_probability: ErrorProbability, *, boltzmann_constant: EntropyUnit = k
) -> Joule:
    """Least heat of erasing one random bit with some error [J].

    An unreliable erasure leaves some entropy behind and costs less than k T ln 2, not more.

    Args:
        temperature (K): of what takes up the heat.
        error_probability (1): chance that the erased bit is wrong.
        boltzmann_constant (J/K): Boltzmann's constant.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no error, Landauer's k T ln 2; an error of one half, nothing was erased and
    nothing is paid.

    Example:
        >>> from tokenwall.energy import landauer_energy
        >>> float(erasure_energy(300, 1e-9) / landauer_energy(300))
        1.0

    Source: scandi2022, partial erasure
    Derivation: book/physics/energy.ipynb
    """
    p = error_probability
    left = -p * log(p) - (1 - p) * log(1 - p)
    return boltzmann_constant * temperature * (log(2) - left)


@equation
def reliable_bit_energy(
    temperature: Kelvin, error_probability: ErrorProbability, *, boltzmann_constant: EntropyUnit = k
) -> Joule:
    """Energy of a barrier that heat crosses with a given chance [J].

    A switch that throws this energy away each time pays it each time. Nothing forbids a
    switch that takes it back, so this is the price of reliability in irreversible switching
    and no law.

    Args:
        temperature (K): of what takes up the heat.
        error_probability (1): chance that heat lifts a bit over its barrier.
        boltzmann_constant (J/K): Boltzmann's constant.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: an error of one half, k T ln 2; each factor of ten in reliability adds 2.3 k T.

    Example:
        >>> from tokenwall.energy import landauer_energy
        >>> float(reliable_bit_energy(300, 1e-25) / landauer_energy(300))
        83.0

    Source: zhirnov2003, equation 2
    Derivation: book/physics/energy.ipynb
    """
    return boltzmann_constant * temperature * log(1 / error_probability)


def noise_margin(error_probability: float) -> float:
    """Standard deviations between a level and its threshold, for a chance to cross it [1].

    The noise is normal, as on a capacitor that heat charges.

    Args:
        error_probability: chance that the noise crosses the threshold, above 0, below 0.5.

    Raises:
        ValueError: the chance is out of range.

    Example:
        >>> round(noise_margin(1e-25), 2)
        10.42
    """
    if not 0 < error_probability < 0.5:
        raise ValueError(f"error_probability is {error_probability:g}; it must be in (0, 0.5)")
    return float(np.sqrt(2) * erfcinv(2 * error_probability))


@equation
def node_energy(
    temperature: Kelvin, noise_margin: Positive, *, boltzmann_constant: EntropyUnit = k
) -> Joule:
    """Energy C V² of a capacitive node that heat seldom misreads [J].

    Heat leaves a voltage of variance k T / C on a capacitor. With the threshold at half of the
    swing the margin is V / 2, so the capacitance cancels. A charge and a discharge turn all of it
    into heat, unless the supply takes it back.

    Args:
        temperature (K): of the node.
        noise_margin (1): half of the swing over the standard deviation of the noise.
        boltzmann_constant (J/K): Boltzmann's constant.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: proportional to temperature; twice the margin, four times the energy.

    Example:
        >>> float(node_energy(300, 10.42) / (1.380649e-23 * 300))
        434.3

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return 4 * noise_margin**2 * boltzmann_constant * temperature


@equation
def finite_time_erasure_energy(
    temperature: Kelvin,
    erasure_time: Second,
    *,
    relaxation_time: Second,
    boltzmann_constant: EntropyUnit = k,
) -> Joule:
    """Least heat of erasing one random bit in a given time [J].

    The best slow protocol for two states with a fixed relaxation time. The excess is the
    square of a length, a quarter of a circle, over the time. For times near the relaxation
    time it is only an estimate.

    Args:
        temperature (K): of what takes up the heat.
        erasure_time (s): time that the erasure takes.
        relaxation_time (s): time in which the bit forgets a disturbance.
        boltzmann_constant (J/K): Boltzmann's constant.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: endless time, Landauer's k T ln 2; half the time, twice the excess.

    Example:
        >>> float(finite_time_erasure_energy(300, 1e-9, relaxation_time=1e-12)) * 1e21
        2.88

    Source: scandi2022, geodesic erasure
    Derivation: book/physics/energy.ipynb
    """
    excess = (pi / 2) ** 2 * relaxation_time / erasure_time
    return boltzmann_constant * temperature * (log(2) + excess)


@equation
def ramp_energy(
    switched_capacitance: Farad, supply_voltage: Volt, *, switch_resistance: Ohm, ramp_time: Second
) -> Joule:
    """Most heat of charging a capacitor through a resistor by a rising supply [J].

    For ramps much slower than R C it is the heat itself, and for a step as well; between them
    the heat is less. The rest of the energy that the supply gave sits on the capacitor, and a
    falling ramp can take it back.

    Args:
        switched_capacitance (F): that is charged.
        supply_voltage (V): at the end of the ramp.
        switch_resistance (ohm): of the switch and wire that charge it.
        ramp_time (s): over which the supply rises evenly.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a sudden step, half of C V²; a slow ramp, R C over the time, times C V².

    Example:
        >>> float(ramp_energy(1e-15, 1, switch_resistance=1e4, ramp_time=1e-9)) * 1e18
        10.0

    Source: athas1994, section II
    Derivation: book/physics/energy.ipynb
    """
    share = Min(switch_resistance * switched_capacitance / ramp_time, Rational(1, 2))
    return share * switched_capacitance * supply_voltage**2


@equation
def wire_energy(
    wire_length: Metre,
    supply_voltage: Volt,
    *,
    capacitance_per_length: FaradPerMetre,
    transition_activity: Activity = 1,
) -> Joule:
    """Energy of one bit on a wire [J].

    The supply gives C V² for each charge; half of it is heat at once, the other half when the
    wire is discharged.

    Args:
        wire_length (m): from end to end.
        supply_voltage (V): swing of the wire.
        capacitance_per_length (F/m): to everything around it.
        transition_activity (1): charges for each bit: 1 if each bit charges the wire, 1/2
            for each transition, 1/4 for random bits.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice as far, twice the energy; half the swing, a quarter.

    Example:
        >>> float(wire_energy(1e-3, 0.6, capacitance_per_length=300e-12)) * 1e15
        108.0

    Source: kogge2008, section 6.5
    Derivation: book/physics/energy.ipynb
    """
    return transition_activity * capacitance_per_length * wire_length * supply_voltage**2


@equation
def moving_energy_per_token(
    batch: Positive,
    context: Token,
    *,
    weight_bytes: Byte,
    cache_bytes_per_token: BytePerToken,
    memory_energy: JoulePerByte,
    tokens_per_step: Token = 1,
) -> JoulePerToken:
    """Energy of reading weights and caches for one token [J/token].

    Weights are shared by the batch, caches are not.

    Args:
        batch (1): sequences that share one reading of the weights.
        context (token): tokens in the cache of each sequence.
        weight_bytes (B): weights that a step reads.
        cache_bytes_per_token (B/token): cache of one token of context.
        memory_energy (J/B): of reading one byte from main memory.
        tokens_per_step (token): tokens of one sequence in a step.

    Returns:
        (J/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a batch without end, the cache alone; no context, the weights' share alone.

    Example:
        >>> float(
        ...     moving_energy_per_token(
        ...         1, 1, weight_bytes=140e9, cache_bytes_per_token=1, memory_energy=31.2e-12
        ...     )
        ... )
        4.368

    Source: horowitz2014, section 4
    Derivation: book/physics/energy.ipynb
    """
    read = weight_bytes / batch + context * cache_bytes_per_token
    return memory_energy * read / tokens_per_step


@equation
def computing_energy_per_token(
    active_parameters: Positive,
    energy_per_flop: JoulePerFlop,
    *,
    flop_per_parameter: FlopPerToken = 2,
) -> JoulePerToken:
    """Energy of the arithmetic of one token [J/token].

    The operations alone: no instruction, no register, no wire.

    Args:
        active_parameters (1): weights that one token multiplies.
        energy_per_flop (J/FLOP): of one operation.
        flop_per_parameter (FLOP/token): arithmetic of one weight for one token.

    Returns:
        (J/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the weights, twice the energy; the batch does not matter.

    Example:
        >>> float(computing_energy_per_token(70e9, 0.16e-12))
        0.0224

    Source: horowitz2014, section 4
    Derivation: book/physics/energy.ipynb
    """
    return flop_per_parameter * active_parameters * energy_per_flop


@equation
def moving_share(
    moving_energy_per_token: JoulePerToken, computing_energy_per_token: JoulePerToken
) -> Probability:
    """Share of moving in the energy of moving and computing [1].

    Args:
        moving_energy_per_token (J/token): energy of reading.
        computing_energy_per_token (J/token): energy of the operations.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: equal energies, one half.

    Example:
        >>> float(moving_share(3, 1))
        0.75

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return moving_energy_per_token / (moving_energy_per_token + computing_energy_per_token)


@equation
def parity_batch(
    bytes_per_weight: Byte,
    memory_energy: JoulePerByte,
    *,
    energy_per_flop: JoulePerFlop,
    flop_per_parameter: FlopPerToken = 2,
    active_fraction: Fraction = 1,
    tokens_per_step: Token = 1,
) -> Positive:
    """Batch at which reading the weights costs as much as multiplying by them [1].

    The twin, in joules, of the critical batch, which is the same question in seconds.

    Args:
        bytes_per_weight (B): mean bytes of one stored weight.
        memory_energy (J/B): of reading one byte from main memory.
        energy_per_flop (J/FLOP): of one operation.
        flop_per_parameter (FLOP/token): arithmetic of one weight for one token.
        active_fraction (1): share of the weights that one token multiplies.
        tokens_per_step (token): tokens of one sequence in a step.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: narrower weights or dearer operations, a smaller batch.

    Example:
        >>> float(parity_batch(2, 31.2e-12, energy_per_flop=0.16e-12))
        195.0

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    computing = flop_per_parameter * active_fraction * tokens_per_step * energy_per_flop
    return bytes_per_weight * memory_energy / computing


@equation
def energy_per_token(power: Watt, batch_token_rate: TokenPerSecond) -> JoulePerToken:
    """Energy of a machine for each token [J/token].

    Args:
        power (W): that the machine draws while it writes.
        batch_token_rate (token/s): tokens of all sequences together.

    Returns:
        (J/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the tokens at the same power, half the energy.

    Example:
        >>> float(energy_per_token(142e3, 1_100_948.3))
        0.129

    Source: mlenergy, definition of energy_per_token_joules
    """
    return power / batch_token_rate


@equation
def served_energy_per_token(
    batch: Positive,
    energy_per_step: Joule,
    *,
    energy_floor: JoulePerToken,
    tokens_per_step: Token = 1,
) -> JoulePerToken:
    """Energy of a server for each token, against its batch [J/token].

    A step takes a fixed time and a time for each sequence; at constant power the energy of a
    token is a constant and a share.

    Args:
        batch (1): sequences in flight.
        energy_per_step (J): energy of a step that its sequences share.
        energy_floor (J/token): energy that each token costs on top.
        tokens_per_step (token): tokens of one sequence in a step.

    Returns:
        (J/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one sequence, the whole step; endless batch, the floor.

    Example:
        >>> float(served_energy_per_token(8, 27.4, energy_floor=0.36))
        3.785

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return energy_floor + energy_per_step / (batch * tokens_per_step)


@equation
def wall_energy_per_token(
    energy_per_token: JoulePerToken, server_overhead: AtLeastOne, *, pue: AtLeastOne
) -> JoulePerToken:
    """Energy at the meter for each token [J/token].

    Pue is the usual name: power usage effectiveness.

    Args:
        energy_per_token (J/token): of the accelerators.
        server_overhead (1): power of the servers, idle ones included, over that of their
            accelerators.
        pue (1): power of the building over that of its servers.

    Returns:
        (J/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no overheads, the accelerators' own energy.

    Example:
        >>> float(wall_energy_per_token(1, 1.6, pue=1.09))
        1.744

    Source: google2025, section 3
    """
    return energy_per_token * server_overhead * pue


@equation
def time_to_gap(efficiency_gap: AtLeastOne, doubling_time: Second) -> NonnegativeSecond:
    """Time until an efficiency that doubles steadily has closed a gap [s].

    Args:
        efficiency_gap (1): efficiency that is wanted over the present one.
        doubling_time (s): in which the efficiency doubles.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no gap, no time; a gap of two, one doubling.

    Example:
        >>> float(time_to_gap(1024, 1))
        10.0

    Source: koomey2011, p. 48
    Derivation: book/physics/energy.ipynb
    """
    return doubling_time * log(efficiency_gap) / log(2)


@equation
def erased_bits_per_multiply_add(operand_bits: BitWidth, accumulator_bits: Count) -> Positive:
    """Bits that the gates of one multiply-add discard, for random inputs [1].

    An array multiplier of n bits has n² AND gates, n (n - 2) full adders and n half adders; a
    full adder for each bit of the sum follows. An AND gate takes two bits and tells three
    quarters of log2 3 fewer; so does a full adder of its three; a half adder loses half a
    bit.

    Args:
        operand_bits (1): bits of each factor.
        accumulator_bits (1): bits of the running sum.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: wide factors, 2.4 bits for each pair of their bits.

    Example:
        >>> float(erased_bits_per_multiply_add(4, 24))
        59.06

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    gates = operand_bits**2 + operand_bits * (operand_bits - 2) + accumulator_bits
    return Rational(3, 4) * log(3) / log(2) * gates + operand_bits / 2


@equation
def switches_per_multiply_add(operand_bits: BitWidth, accumulator_bits: Count) -> Positive:
    """Gates and adders that work once in one multiply-add [1].

    The same circuit, each AND gate and each adder counted as one switch: fewer than it has.

    Args:
        operand_bits (1): bits of each factor.
        accumulator_bits (1): bits of the running sum.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: wide factors, two for each pair of their bits.

    Example:
        >>> float(switches_per_multiply_add(4, 24))
        52.0

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return operand_bits**2 + operand_bits * (operand_bits - 1) + accumulator_bits


@equation
def overwritten_bits(
    layers: Count, hidden_size: Count, *, feedforward_size: Count, value_bits: Positive = 16
) -> Positive:
    """Bits of intermediate results that one token overwrites [1].

    In each layer six vectors as wide as the model (two normalised inputs, queries,
    attention's output, two sums) and three as wide as the block inside; keys and values stay.
    Scores of attention are left out.

    Args:
        layers (1): run one after another.
        hidden_size (1): width of the model.
        feedforward_size (1): inner size of the feed-forward block.
        value_bits (1): bits of one intermediate number.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the layers or the bits of a number, twice as many.

    Example:
        >>> float(overwritten_bits(80, 8192, feedforward_size=28672, value_bits=16)) / 1e6
        173.0

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return value_bits * layers * (6 * hidden_size + 3 * feedforward_size)


@equation
def irreversible_energy_per_token(
    bit_operations_per_token: PerToken, bit_energy: Joule
) -> JoulePerToken:
    """Energy of the bit operations of one token that cannot be undone [J/token].

    Args:
        bit_operations_per_token (1/token): bit operations that cannot be undone.
        bit_energy (J): of each of them.

    Returns:
        (J/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: nothing discarded, nothing paid.

    Example:
        >>> float(irreversible_energy_per_token(4e12, 2.87e-21)) * 1e9
        11.48

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return bit_operations_per_token * bit_energy


@equation
def erasure_rate(
    power: Watt,
    erased_bits_per_token: PerToken,
    *,
    temperature: Kelvin,
    boltzmann_constant: EntropyUnit = k,
) -> TokenPerSecond:
    """Tokens per second that a power pays for if only forgotten bits cost energy [token/s].

    Each forgotten bit costs Landauer's k T ln 2, however reliable its gate is. It bounds machines
    whose gates forget so many bits: no wires, no memory, no barriers wasted, endless patience. A
    machine that undoes its steps forgets fewer, and has no such bound.

    Args:
        power (W): that the machine draws.
        erased_bits_per_token (1/token): bits that its gates forget.
        temperature (K): of what takes up the heat.
        boltzmann_constant (J/K): Boltzmann's constant.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the power, or half the bits or the temperature, twice the rate.

    Example:
        >>> float(erasure_rate(142e3, 59.06 * 68.7e9, temperature=300)) / 1e12
        12.19

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    each = landauer_energy(temperature, boltzmann_constant)
    return power / irreversible_energy_per_token(erased_bits_per_token, each)


@equation
def thermodynamic_rate(
    power: Watt,
    bit_operations_per_token: PerToken,
    *,
    temperature: Kelvin,
    error_probability: ErrorProbability,
    boltzmann_constant: EntropyUnit = k,
) -> TokenPerSecond:
    """Tokens per second that a power pays for if each switch throws its barrier away [token/s].

    It bounds machines whose bit operations each waste the barrier that keeps them right: no
    wires, no memory, no leakage, no haste. Nothing forces a machine to waste it. One that takes
    the barrier's energy back, and still forgets, is bound by `erasure_rate` alone.

    Args:
        power (W): that the machine draws.
        bit_operations_per_token (1/token): switches that throw their barrier away.
        temperature (K): of what takes up the heat.
        error_probability (1): chance that heat lifts one of them over its barrier.
        boltzmann_constant (J/K): Boltzmann's constant.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the power or half the operations, twice the rate; a rarer error, a lower rate.
    At an error of one half the formula gives k T ln 2 for each operation, by coincidence: such a
    switch erases nothing, and its erasure costs nothing.

    Example:
        >>> set_ = {"temperature": 300, "error_probability": 0.5}
        >>> float(thermodynamic_rate(1e5, 4e12, **set_)) / 1e12
        8.71

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    each = reliable_bit_energy(
        temperature, error_probability, boltzmann_constant=boltzmann_constant
    )
    return power / irreversible_energy_per_token(bit_operations_per_token, each)


def simulate_erasure(
    duration: float, *, error_probability: float = 1e-8, steps: int = 200_000
) -> float:
    """Work of erasing one random bit of two states, step by step [k T].

    The energy of the unwanted state is raised so that its equilibrium runs along a quarter of a
    circle at constant speed; its true chance follows with one relaxation time of delay.

    Args:
        duration: of the erasure, in relaxation times.
        error_probability: where the raising ends, at most 0.5.
        steps: of the integration.

    Raises:
        ValueError: the duration or the error is out of range, or there are no steps.

    Example:
        >>> round(simulate_erasure(100.0, steps=2000), 2)
        0.72
    """
    if not duration > 0:
        raise ValueError(f"duration is {duration:g}; it must be above 0, in relaxation times")
    if not 0 < error_probability <= 0.5:
        raise ValueError(f"error_probability is {error_probability:g}; it must be in (0, 0.5]")
    if steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    angle = np.linspace(np.pi / 2, 2 * np.arcsin(np.sqrt(error_probability)), steps + 1)
    equilibrium = np.sin(angle / 2) ** 2
    rise = np.diff(np.log((1 - equilibrium) / equilibrium))
    kept = np.exp(-duration / steps)
    chance, work = 0.5, 0.0
    # Half of each rise before the state relaxes, half after: the error is of second order.
    for level, step in zip(equilibrium[1:], rise, strict=True):
        relaxed = level + (chance - level) * kept
        work += step * (chance + relaxed) / 2
        chance = relaxed
    return float(work)

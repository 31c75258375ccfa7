"""The brain: what its power pays for, how fast it speaks, and what its arithmetic would be.

All are budgets: a power shared out over neurons, spikes and events.
"""

from __future__ import annotations

from typing import Annotated, Any

from tokenwall.equation import equation
from tokenwall.units import (
    POSITIVE,
    Flop,
    FlopPerSecond,
    Fraction,
    Joule,
    PerSecond,
    Positive,
    Quantity,
    TokenPerJoule,
    TokenPerSecond,
    Watt,
)

__all__ = [
    "affordable_spike_rate",
    "behaviour_information_rate",
    "energy_per_event",
    "operation_rate",
    "power_per_neuron",
    "synaptic_event_rate",
    "tissue_atp_rate",
    "tokens_per_joule",
]

PerCubicMetre = Annotated[Any, Quantity("1/m**3", POSITIVE)]
VolumeRate = Annotated[Any, Quantity("1/m**3/s", POSITIVE)]
WordPerSecond = Annotated[Any, Quantity("word/s", POSITIVE)]
PerWord = Annotated[Any, Quantity("1/word", POSITIVE)]


@equation
def power_per_neuron(power: Watt, neurons: Positive) -> Watt:
    """Mean power of one neuron, everything around it included [W].

    Args:
        power (W): of the brain.
        neurons (1): in it.

    Returns:
        (W), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the neurons, half the power of each.

    Example:
        >>> float(power_per_neuron(20, 86.1e9)) * 1e9
        0.232

    Source: azevedo2009, abstract
    Derivation: book/physics/energy.ipynb
    """
    return power / neurons


@equation
def tissue_atp_rate(neuron_atp_rate: PerSecond, neuron_density: PerCubicMetre) -> VolumeRate:
    """Molecules of ATP that a volume of tissue uses [1/m**3/s].

    Args:
        neuron_atp_rate (1/s): molecules of ATP that one neuron uses.
        neuron_density (1/m**3): neurons in a volume of tissue.

    Returns:
        (1/m**3/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the density, twice the use.

    Example:
        >>> float(tissue_atp_rate(3.29e9, 9.2e13)) / 1e23
        3.03

    Source: attwell2001, p. 1139
    """
    return neuron_atp_rate * neuron_density


@equation
def affordable_spike_rate(
    power: Watt, spike_energy: Joule, *, neurons: Positive, signalling_fraction: Fraction = 1
) -> PerSecond:
    """Mean spikes of one neuron that a power pays for [1/s].

    Args:
        power (W): of the tissue.
        spike_energy (J): of one spike, its synapses included.
        neurons (1): in the tissue.
        signalling_fraction (1): share of the power that is left for spikes.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: dearer spikes or more neurons, fewer each.

    Example:
        >>> float(affordable_spike_rate(4.7, 2e-10, neurons=2e10))
        1.175

    Source: lennie2003, text
    Derivation: book/physics/energy.ipynb
    """
    return signalling_fraction * power / (neurons * spike_energy)


@equation
def synaptic_event_rate(
    synapses: Positive, spike_rate: PerSecond, *, release_probability: Fraction = 1
) -> PerSecond:
    """Synaptic events of a tissue [1/s].

    Args:
        synapses (1): in the tissue.
        spike_rate (1/s): mean spikes of one neuron.
        release_probability (1): share of arriving spikes that release transmitter.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: every spike released, one event for each arriving spike.

    Example:
        >>> float(synaptic_event_rate(1e14, 1)) / 1e14
        1.0

    Source: carlsmith2020, section 2.1
    Derivation: book/physics/energy.ipynb
    """
    return synapses * spike_rate * release_probability


@equation
def energy_per_event(power: Watt, synaptic_event_rate: PerSecond) -> Joule:
    """Energy of a tissue for each synaptic event [J].

    All of the power over all of the events, so upkeep counts.

    Args:
        power (W): of the tissue.
        synaptic_event_rate (1/s): its events.

    Returns:
        (J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the events at the same power, half each.

    Example:
        >>> float(energy_per_event(20, 1e14)) * 1e15
        200.0

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return power / synaptic_event_rate


@equation
def operation_rate(
    synapses: Positive, spike_rate: PerSecond, *, flop_per_event: Flop
) -> FlopPerSecond:
    """Arithmetic that would stand for the spikes of a tissue [FLOP/s].

    Args:
        synapses (1): in the tissue.
        spike_rate (1/s): mean spikes of one neuron.
        flop_per_event (FLOP): operations that stand for one spike at one synapse.

    Returns:
        (FLOP/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: proportional to each of the three.

    Example:
        >>> float(operation_rate(1e15, 1, flop_per_event=100)) / 1e17
        1.0

    Source: carlsmith2020, section 2.1
    """
    return synapses * spike_rate * flop_per_event


@equation
def behaviour_information_rate(
    word_rate: WordPerSecond, characters_per_word: PerWord, *, bits_per_character: Positive
) -> PerSecond:
    """Bits of text a second [1/s].

    Args:
        word_rate (word/s): words spoken, typed or read.
        characters_per_word (1/word): characters of a word.
        bits_per_character (1): surprise of one character to a reader of the language.

    Returns:
        (1/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: proportional to each of the three.

    Example:
        >>> float(behaviour_information_rate(2, 5, bits_per_character=1))
        10.0

    Source: zheng2025, p. 193
    """
    return word_rate * characters_per_word * bits_per_character


@equation
def tokens_per_joule(batch_token_rate: TokenPerSecond, power: Watt) -> TokenPerJoule:
    """Tokens that a writer makes of one joule [token/J].

    Args:
        batch_token_rate (token/s): of the writer.
        power (W): of the writer.

    Returns:
        (token/J), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the power at the same rate, half as many.

    Example:
        >>> float(tokens_per_joule(4.06, 20))
        0.203

    Source: own derivation
    Derivation: book/physics/energy.ipynb
    """
    return batch_token_rate / power

"""Exchanges between devices that share a model: a fixed time to start, and bytes over a link.

Devices that split a layer must add up their partial results before the next begins. Each exchange
costs a latency that grows with the number of rounds, and its bytes over the bandwidth of one
device's links.
"""

from __future__ import annotations

from sympy import log

from tokenwall.equation import equation
from tokenwall.units import (
    BytePerSecond,
    Count,
    NonnegativeByte,
    NonnegativeSecond,
)

__all__ = ["all_reduce_time", "all_to_all_time"]


@equation
def all_reduce_time(
    message_bytes: NonnegativeByte,
    link_bandwidth: BytePerSecond,
    *,
    sharing_devices: Count,
    round_latency: NonnegativeSecond,
) -> NonnegativeSecond:
    """Time for devices to add up one vector that each holds in part [s].

    Every device sends and receives its share twice, once to add and once to spread the sum, which
    is the least that any all-reduce without help from the switch can do. The rounds are
    those of halving and doubling, the logarithm of the number of devices. A switch that adds in
    passing sends half.

    Args:
        message_bytes (B): the vector, as long on every device.
        link_bandwidth (B/s): what one device sends in one direction.
        sharing_devices (1): devices that add up.
        round_latency (s): time of one round that carries nothing.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one device exchanges nothing; many devices send the vector twice each.

    Example:
        >>> float(all_reduce_time(1e9, 450e9, sharing_devices=8, round_latency=5e-6)) * 1e3
        3.90

    Source: thakur2005collectives, section 4.4
    Derivation: book/memory/rack.ipynb
    """
    sent = 2 * message_bytes * (sharing_devices - 1) / sharing_devices
    return round_latency * log(sharing_devices) / log(2) + sent / link_bandwidth


@equation
def all_to_all_time(
    message_bytes: NonnegativeByte,
    link_bandwidth: BytePerSecond,
    *,
    sharing_devices: Count,
    round_latency: NonnegativeSecond,
) -> NonnegativeSecond:
    """Time for every device to hand every other its own part of what it holds [s].

    How tokens travel to the devices that hold their experts. All parts are taken as equally long;
    a popular expert makes its device the last to finish.

    Args:
        message_bytes (B): what one device holds, the part that stays at home included.
        link_bandwidth (B/s): what one device sends in one direction.
        sharing_devices (1): devices that exchange.
        round_latency (s): time of one round that carries nothing.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one device exchanges nothing; many devices send nearly all that they hold, half of
    an all-reduce.

    Example:
        >>> float(all_to_all_time(1e9, 450e9, sharing_devices=8, round_latency=5e-6)) * 1e3
        1.96

    Source: thakur2005collectives, section 4
    Derivation: book/memory/rack.ipynb
    """
    sent = message_bytes * (sharing_devices - 1) / sharing_devices
    return round_latency * log(sharing_devices) / log(2) + sent / link_bandwidth

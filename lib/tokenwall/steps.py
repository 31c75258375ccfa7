"""What one step of a served model spends its time on, part by part.

A step runs one kernel after another, so its time is a sum. Each part has its own balance of memory
and arithmetic, and its own split over devices. Every share and overhead is an argument: the
equations know no engine, no chip and no model.
"""

from __future__ import annotations

from sympy import Max

from tokenwall.equation import equation
from tokenwall.experts import distinct_experts
from tokenwall.interconnect import all_reduce_time
from tokenwall.units import (
    Byte,
    BytePerSecond,
    BytePerToken,
    Count,
    Flop,
    FlopPerSecond,
    FlopPerToken,
    Fraction,
    Nonnegative,
    NonnegativeByte,
    NonnegativeFlop,
    NonnegativeSecond,
    Positive,
    Probability,
    Second,
    Token,
    TokenPerSecond,
)

__all__ = [
    "cache_time",
    "dense_time",
    "exchange_time",
    "expert_time",
    "lifetime_token_rate",
    "overhead_time",
    "prompt_time",
    "served_step_time",
    "unpacking_time",
]


@equation
def dense_time(
    batch: Positive,
    dense_parameters: Positive,
    *,
    bytes_per_weight: Byte,
    dense_devices: Count,
    replicas: Count,
    bandwidth: BytePerSecond,
    peak_rate: FlopPerSecond,
    bandwidth_fraction: Fraction,
    compute_fraction: Fraction,
    flop_per_multiply_add: Flop = 2,
) -> Second:
    """Time of the matrices that every token passes, in one step [s].

    The longer of reading them and multiplying with them, each split over the devices that share a
    matrix. Copies of attention each read their own and serve a part of the batch. Leaves out the
    activations, which are far fewer bytes until a batch has thousands of tokens.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        dense_parameters (1): weights that every token multiplies, outside routed experts.
        bytes_per_weight (B): mean bytes of one weight outside routed experts.
        dense_devices (1): devices that split each matrix outside routed experts.
        replicas (1): copies of attention that share the batch, 1 unless attention runs data-
            parallel.
        bandwidth (B/s): peak memory bandwidth of one device.
        peak_rate (FLOP/s): dense arithmetic rate of one device in the number format in use.
        bandwidth_fraction (1): share of the peak bandwidth drawn while reading weights.
        compute_fraction (1): share of the peak arithmetic rate reached.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a small batch takes one reading however small; a large one takes time in proportion.

    Example:
        >>> float(dense_time(1, 7.5e9, bytes_per_weight=2, dense_devices=1, replicas=1,
        ...                  bandwidth=3.35e12, peak_rate=9.89e14, bandwidth_fraction=1,
        ...                  compute_fraction=1)) * 1e3
        4.48

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    reading = dense_parameters * bytes_per_weight / (bandwidth_fraction * bandwidth)
    flop = flop_per_multiply_add * dense_parameters * batch / replicas
    return Max(reading, flop / (compute_fraction * peak_rate)) / dense_devices


@equation
def expert_time(
    batch: Positive,
    expert_parameters: Nonnegative,
    *,
    experts: Count,
    experts_per_token: Count,
    expert_bytes_per_weight: Byte,
    expert_devices: Count,
    bandwidth: BytePerSecond,
    peak_rate: FlopPerSecond,
    bandwidth_fraction: Fraction,
    compute_fraction: Fraction,
    routing_agreement: Probability = 0,
    flop_per_multiply_add: Flop = 2,
) -> NonnegativeSecond:
    """Time of the routed experts, in one step [s].

    Reads each expert that some token of the batch uses once, and multiplies with the experts of
    every token. All devices finish together, as with experts spread evenly; a popular expert
    makes its device late, so a real step is longer.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        expert_parameters (1): weights of one routed expert in all layers together, 0 if dense.
        experts (1): experts of one layer; any number if dense.
        experts_per_token (1): experts that one token uses, 1 if dense.
        expert_bytes_per_weight (B): mean bytes of one weight of a routed expert.
        expert_devices (1): devices that split the routed experts.
        bandwidth (B/s): peak memory bandwidth of one device.
        peak_rate (FLOP/s): dense arithmetic rate of one device in the number format in use.
        bandwidth_fraction (1): share of the peak bandwidth drawn while reading weights.
        compute_fraction (1): share of the peak arithmetic rate reached.
        routing_agreement (1): 0 where tokens choose experts apart, 1 where all choose as one.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no routed experts take no time; one token reads only its own experts.

    Example:
        >>> float(expert_time(1, 1.409e9, experts=8, experts_per_token=2, expert_bytes_per_weight=2,
        ...                   expert_devices=1, bandwidth=3.35e12, peak_rate=9.89e14,
        ...                   bandwidth_fraction=1, compute_fraction=1)) * 1e3
        1.68

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    touched = distinct_experts(
        batch, experts_per_token, experts=experts, routing_agreement=routing_agreement
    )
    read = expert_parameters * touched * expert_bytes_per_weight
    flop = flop_per_multiply_add * expert_parameters * experts_per_token * batch
    reading = read / (bandwidth_fraction * bandwidth)
    return Max(reading, flop / (compute_fraction * peak_rate)) / expert_devices


@equation
def cache_time(
    batch: Positive,
    context: Token,
    *,
    cache_bytes_per_token: BytePerToken,
    attention_flop_per_token: FlopPerToken,
    cache_devices: Count,
    dense_devices: Count,
    replicas: Count,
    bandwidth: BytePerSecond,
    attention_rate: FlopPerSecond,
    cache_fraction: Fraction,
    attention_fraction: Fraction,
) -> Second:
    """Time of attention over the caches, in one step [s].

    Every sequence reads its own cache once, shared by nobody, and does its own arithmetic. Key-
    value heads can be split over no more devices than there are heads; beyond that each device
    keeps a copy, while the query heads go on being split.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        context (token): mean tokens of one sequence that attention reads.
        cache_bytes_per_token (B/token): cache of one token of context.
        attention_flop_per_token (FLOP/token): arithmetic of one new token with one token of its
            past.
        cache_devices (1): devices that split the cache of one sequence.
        dense_devices (1): devices that split each matrix outside routed experts.
        replicas (1): copies of attention that share the batch, 1 unless attention runs data-
            parallel.
        bandwidth (B/s): peak memory bandwidth of one device.
        attention_rate (FLOP/s): dense arithmetic rate of one device in the format of attention.
        cache_fraction (1): share of the peak bandwidth drawn while reading caches.
        attention_fraction (1): share of the peak arithmetic rate reached in attention.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the batch or twice the context, twice the time; grouped heads cut the bytes and
    not the arithmetic.

    Example:
        >>> float(cache_time(64, 8192, cache_bytes_per_token=131072,
        ...                  attention_flop_per_token=524288, cache_devices=1, dense_devices=1,
        ...                  replicas=1, bandwidth=3.35e12,
        ...                  attention_rate=9.89e14, cache_fraction=1, attention_fraction=1)) * 1e3
        20.5

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    held = batch * context / replicas
    reading = held * cache_bytes_per_token / (cache_fraction * bandwidth * cache_devices)
    flop = held * attention_flop_per_token
    return Max(reading, flop / (attention_fraction * attention_rate * dense_devices))


@equation
def unpacking_time(
    batch: Positive,
    dense_parameters: Positive,
    *,
    expert_parameters: Nonnegative,
    experts: Count,
    experts_per_token: Count,
    dense_devices: Count,
    expert_devices: Count,
    vector_rate: FlopPerSecond,
    flop_per_weight: NonnegativeFlop,
    routing_agreement: Probability = 0,
) -> NonnegativeSecond:
    """Time of the vector units to unpack and feed the weights that are read, in one step [s].

    A kernel that multiplies a matrix with one vector spends a few instructions on every weight,
    whatever its bits. Where the memory is fast beside the vector units, as with stacked memory,
    they show. The work is per weight read, so a batch shares it.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        dense_parameters (1): weights that every token multiplies, outside routed experts.
        expert_parameters (1): weights of one routed expert in all layers together, 0 if dense.
        experts (1): experts of one layer; any number if dense.
        experts_per_token (1): experts that one token uses, 1 if dense.
        dense_devices (1): devices that split each matrix outside routed experts.
        expert_devices (1): devices that split the routed experts.
        vector_rate (FLOP/s): rate of one device's vector units in 32 bits.
        flop_per_weight (FLOP): vector work to unpack and feed one weight that is read.
        routing_agreement (1): 0 where tokens choose experts apart, 1 where all choose as one.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no work per weight, no time; vector units twice as fast, half the time.

    Example:
        >>> float(unpacking_time(1, 7.5e9, expert_parameters=0, experts=2, experts_per_token=1,
        ...                      dense_devices=1, expert_devices=1, vector_rate=19.5e12,
        ...                      flop_per_weight=5)) * 1e3
        1.92

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    touched = distinct_experts(
        batch, experts_per_token, experts=experts, routing_agreement=routing_agreement
    )
    weights = dense_parameters / dense_devices + expert_parameters * touched / expert_devices
    return flop_per_weight * weights / vector_rate


@equation
def overhead_time(
    batch: Positive,
    layers: Count,
    *,
    replicas: Count,
    overhead_per_layer: NonnegativeSecond,
    overhead_per_step: NonnegativeSecond,
    overhead_per_sequence: NonnegativeSecond,
) -> NonnegativeSecond:
    """Time of a step that reads nothing and computes nothing [s].

    Launches and small kernels in every layer, what the engine does once a step, and what it does
    for each sequence. None of it shrinks with faster memory.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        layers (1): layers run one after another in a step.
        replicas (1): copies of attention that share the batch, 1 unless attention runs data-
            parallel.
        overhead_per_layer (s): time of one layer that does not depend on bytes.
        overhead_per_step (s): time of a step that depends on neither layers nor batch.
        overhead_per_sequence (s): time that the scheduler and sampler spend on one sequence in
            a step.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one sequence pays for the layers and the step; many sequences pay for themselves.

    Example:
        >>> float(overhead_time(64, 32, replicas=1, overhead_per_layer=2e-5, overhead_per_step=5e-4,
        ...                     overhead_per_sequence=1e-6)) * 1e3
        1.20

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    return (
        layers * overhead_per_layer + overhead_per_step + overhead_per_sequence * batch / replicas
    )


@equation
def exchange_time(
    message_bytes: NonnegativeByte,
    layers: Count,
    *,
    exchanges_per_layer: Nonnegative,
    sharing_devices: Count,
    link_bandwidth: BytePerSecond,
    link_fraction: Fraction,
    round_latency: NonnegativeSecond,
) -> NonnegativeSecond:
    """Time of the exchanges between devices, in one step [s].

    As many all-reduces in each layer as the split needs, two for matrices cut across devices, one
    after another and hidden behind nothing.

    Args:
        message_bytes (B): what one device must exchange in one layer.
        layers (1): layers run one after another in a step.
        exchanges_per_layer (1): exchanges between devices in one layer, a mean over layers.
        sharing_devices (1): devices that take part in one exchange.
        link_bandwidth (B/s): what one device sends to others in one direction.
        link_fraction (1): share of the link's bandwidth that an exchange reaches.
        round_latency (s): time of one round of an exchange that carries nothing.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one device exchanges nothing; short messages cost latency, long ones the link.

    Example:
        >>> float(exchange_time(64 * 8192 * 2, 80, exchanges_per_layer=2, sharing_devices=8,
        ...                     link_bandwidth=450e9, link_fraction=1, round_latency=5e-6)) * 1e3
        3.05

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    one = all_reduce_time(
        message_bytes,
        link_fraction * link_bandwidth,
        sharing_devices=sharing_devices,
        round_latency=round_latency,
    )
    return layers * exchanges_per_layer * one


@equation
def served_step_time(
    batch: Positive,
    context: Token,
    *,
    dense_parameters: Positive,
    expert_parameters: Nonnegative,
    experts: Count,
    experts_per_token: Count,
    bytes_per_weight: Byte,
    expert_bytes_per_weight: Byte,
    cache_bytes_per_token: BytePerToken,
    attention_flop_per_token: FlopPerToken,
    layers: Count,
    message_bytes: NonnegativeByte,
    exchanges_per_layer: Nonnegative,
    dense_devices: Count,
    cache_devices: Count,
    expert_devices: Count,
    replicas: Count,
    sharing_devices: Count,
    bandwidth: BytePerSecond,
    peak_rate: FlopPerSecond,
    attention_rate: FlopPerSecond,
    vector_rate: FlopPerSecond,
    link_bandwidth: BytePerSecond,
    bandwidth_fraction: Fraction,
    cache_fraction: Fraction,
    compute_fraction: Fraction,
    attention_fraction: Fraction,
    flop_per_weight: NonnegativeFlop,
    overhead_per_layer: NonnegativeSecond,
    overhead_per_step: NonnegativeSecond,
    overhead_per_sequence: NonnegativeSecond,
    round_latency: NonnegativeSecond,
    link_fraction: Fraction,
    routing_agreement: Probability = 0,
    flop_per_multiply_add: Flop = 2,
) -> Second:
    """Time of one decoding step of a served model, every part of it [s].

    The sum of its parts, since one kernel runs after another: matrices, experts, attention over
    the caches, unpacking, exchanges between devices and what the engine spends itself. Within
    each part memory and arithmetic overlap. With every fraction at 1 and every overhead at 0 it
    is a bound. Leaves out contention between requests that are at different stages, and devices
    that wait for the slowest.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        context (token): mean tokens of one sequence that attention reads.
        dense_parameters (1): weights that every token multiplies, outside routed experts.
        expert_parameters (1): weights of one routed expert in all layers together, 0 if dense.
        experts (1): experts of one layer; any number if dense.
        experts_per_token (1): experts that one token uses, 1 if dense.
        bytes_per_weight (B): mean bytes of one weight outside routed experts.
        expert_bytes_per_weight (B): mean bytes of one weight of a routed expert.
        cache_bytes_per_token (B/token): cache of one token of context.
        attention_flop_per_token (FLOP/token): arithmetic of one new token with one token of its
            past.
        layers (1): layers run one after another in a step.
        message_bytes (B): what one device must exchange in one layer.
        exchanges_per_layer (1): exchanges between devices in one layer, a mean over layers.
        dense_devices (1): devices that split each matrix outside routed experts.
        cache_devices (1): devices that split the cache of one sequence.
        expert_devices (1): devices that split the routed experts.
        replicas (1): copies of attention that share the batch, 1 unless attention runs data-
            parallel.
        sharing_devices (1): devices that take part in one exchange.
        bandwidth (B/s): peak memory bandwidth of one device.
        peak_rate (FLOP/s): dense arithmetic rate of one device in the number format in use.
        attention_rate (FLOP/s): dense arithmetic rate of one device in the format of attention.
        vector_rate (FLOP/s): rate of one device's vector units in 32 bits.
        link_bandwidth (B/s): what one device sends to others in one direction.
        bandwidth_fraction (1): share of the peak bandwidth drawn while reading weights.
        cache_fraction (1): share of the peak bandwidth drawn while reading caches.
        compute_fraction (1): share of the peak arithmetic rate reached.
        attention_fraction (1): share of the peak arithmetic rate reached in attention.
        flop_per_weight (FLOP): vector work to unpack and feed one weight that is read.
        overhead_per_layer (s): time of one layer that does not depend on bytes.
        overhead_per_step (s): time of a step that depends on neither layers nor batch.
        overhead_per_sequence (s): time that the scheduler and sampler spend on one sequence in
            a step.
        round_latency (s): time of one round of an exchange that carries nothing.
        link_fraction (1): share of the link's bandwidth that an exchange reaches.
        routing_agreement (1): 0 where tokens choose experts apart, 1 where all choose as one.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one device, one sequence, no overheads: the bandwidth law; overheads only ever add.

    Example:
        >>> model = dict(
        ...     dense_parameters=7.5e9, expert_parameters=0, experts=2, experts_per_token=1,
        ...     bytes_per_weight=2, expert_bytes_per_weight=2, cache_bytes_per_token=131072,
        ...     attention_flop_per_token=524288, layers=32, message_bytes=0, exchanges_per_layer=2)
        >>> machine = dict(
        ...     dense_devices=1, cache_devices=1, expert_devices=1, replicas=1, sharing_devices=1,
        ...     bandwidth=3.35e12, peak_rate=9.89e14, attention_rate=9.89e14, vector_rate=6.7e13,
        ...     link_bandwidth=450e9)
        >>> engine = dict(
        ...     bandwidth_fraction=0.9, cache_fraction=0.8, compute_fraction=0.6,
        ...     attention_fraction=0.5, flop_per_weight=2, overhead_per_layer=2e-5,
        ...     overhead_per_step=5e-4, overhead_per_sequence=1e-6, round_latency=5e-6,
        ...     link_fraction=0.7)
        >>> float(served_step_time(64, 2048, **model, **machine, **engine)) * 1e3
        12.8

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    return (
        dense_time(
            batch,
            dense_parameters,
            bytes_per_weight=bytes_per_weight,
            dense_devices=dense_devices,
            replicas=replicas,
            bandwidth=bandwidth,
            peak_rate=peak_rate,
            bandwidth_fraction=bandwidth_fraction,
            compute_fraction=compute_fraction,
            flop_per_multiply_add=flop_per_multiply_add,
        )
        + expert_time(
            batch,
            expert_parameters,
            experts=experts,
            experts_per_token=experts_per_token,
            expert_bytes_per_weight=expert_bytes_per_weight,
            expert_devices=expert_devices,
            bandwidth=bandwidth,
            peak_rate=peak_rate,
            bandwidth_fraction=bandwidth_fraction,
            compute_fraction=compute_fraction,
            routing_agreement=routing_agreement,
            flop_per_multiply_add=flop_per_multiply_add,
        )
        + cache_time(
            batch,
            context,
            cache_bytes_per_token=cache_bytes_per_token,
            attention_flop_per_token=attention_flop_per_token,
            cache_devices=cache_devices,
            dense_devices=dense_devices,
            replicas=replicas,
            bandwidth=bandwidth,
            attention_rate=attention_rate,
            cache_fraction=cache_fraction,
            attention_fraction=attention_fraction,
        )
        + unpacking_time(
            batch,
            dense_parameters,
            expert_parameters=expert_parameters,
            experts=experts,
            experts_per_token=experts_per_token,
            dense_devices=dense_devices,
            expert_devices=expert_devices,
            vector_rate=vector_rate,
            flop_per_weight=flop_per_weight,
            routing_agreement=routing_agreement,
        )
        + overhead_time(
            batch,
            layers,
            replicas=replicas,
            overhead_per_layer=overhead_per_layer,
            overhead_per_step=overhead_per_step,
            overhead_per_sequence=overhead_per_sequence,
        )
        + exchange_time(
            message_bytes,
            layers,
            exchanges_per_layer=exchanges_per_layer,
            sharing_devices=sharing_devices,
            link_bandwidth=link_bandwidth,
            link_fraction=link_fraction,
            round_latency=round_latency,
        )
    )


@equation
def prompt_time(
    batch: Positive,
    prompt_length: Positive,
    *,
    context: Token,
    dense_parameters: Positive,
    expert_parameters: Nonnegative,
    experts: Count,
    experts_per_token: Count,
    bytes_per_weight: Byte,
    expert_bytes_per_weight: Byte,
    attention_flop_per_token: FlopPerToken,
    layers: Count,
    message_bytes: NonnegativeByte,
    exchanges_per_layer: Nonnegative,
    dense_devices: Count,
    expert_devices: Count,
    replicas: Count,
    sharing_devices: Count,
    bandwidth: BytePerSecond,
    peak_rate: FlopPerSecond,
    attention_rate: FlopPerSecond,
    link_bandwidth: BytePerSecond,
    bandwidth_fraction: Fraction,
    compute_fraction: Fraction,
    attention_fraction: Fraction,
    overhead_per_layer: NonnegativeSecond,
    overhead_per_step: NonnegativeSecond,
    round_latency: NonnegativeSecond,
    link_fraction: Fraction,
    routing_agreement: Probability = 0,
    flop_per_multiply_add: Flop = 2,
) -> Second:
    """Time to read the prompts of a batch, every part of it [s].

    All tokens of all prompts pass each matrix together, so arithmetic limits unless the prompts
    are short. Attention of a token with its past grows with the context: over a prompt read from
    the start the mean context is half the prompt. The output head is not among the weights, since
    only the last token needs it. Leaves out the writing of caches and what a prompt cut into
    chunks costs more.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        prompt_length (1): tokens of each prompt, as a number.
        context (token): mean tokens of one sequence that attention reads.
        dense_parameters (1): weights that every token multiplies, outside routed experts.
        expert_parameters (1): weights of one routed expert in all layers together, 0 if dense.
        experts (1): experts of one layer; any number if dense.
        experts_per_token (1): experts that one token uses, 1 if dense.
        bytes_per_weight (B): mean bytes of one weight outside routed experts.
        expert_bytes_per_weight (B): mean bytes of one weight of a routed expert.
        attention_flop_per_token (FLOP/token): arithmetic of one new token with one token of its
            past.
        layers (1): layers run one after another in a step.
        message_bytes (B): what one device must exchange in one layer.
        exchanges_per_layer (1): exchanges between devices in one layer, a mean over layers.
        dense_devices (1): devices that split each matrix outside routed experts.
        expert_devices (1): devices that split the routed experts.
        replicas (1): copies of attention that share the batch, 1 unless attention runs data-
            parallel.
        sharing_devices (1): devices that take part in one exchange.
        bandwidth (B/s): peak memory bandwidth of one device.
        peak_rate (FLOP/s): dense arithmetic rate of one device in the number format in use.
        attention_rate (FLOP/s): dense arithmetic rate of one device in the format of attention.
        link_bandwidth (B/s): what one device sends to others in one direction.
        bandwidth_fraction (1): share of the peak bandwidth drawn while reading weights.
        compute_fraction (1): share of the peak arithmetic rate reached.
        attention_fraction (1): share of the peak arithmetic rate reached in attention.
        overhead_per_layer (s): time of one layer that does not depend on bytes.
        overhead_per_step (s): time of a step that depends on neither layers nor batch.
        round_latency (s): time of one round of an exchange that carries nothing.
        link_fraction (1): share of the link's bandwidth that an exchange reaches.
        routing_agreement (1): 0 where tokens choose experts apart, 1 where all choose as one.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one short prompt takes one reading of the weights; twice the prompts, twice the
    arithmetic.

    Example:
        >>> prefill = dict(
        ...     dense_parameters=7e9, expert_parameters=0, experts=2, experts_per_token=1,
        ...     bytes_per_weight=2, expert_bytes_per_weight=2, attention_flop_per_token=524288,
        ...     layers=32, message_bytes=0, exchanges_per_layer=2,
        ...     dense_devices=1, expert_devices=1, replicas=1, sharing_devices=1,
        ...     bandwidth=3.35e12, peak_rate=9.89e14, attention_rate=9.89e14,
        ...     link_bandwidth=450e9, bandwidth_fraction=0.9, compute_fraction=0.6,
        ...     attention_fraction=0.5, overhead_per_layer=2e-5, overhead_per_step=5e-4,
        ...     round_latency=5e-6, link_fraction=0.7)
        >>> float(prompt_time(1, 2048, context=1024, **prefill)) * 1e3
        51.7

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    tokens = batch * prompt_length
    matrices = dense_time(
        tokens,
        dense_parameters,
        bytes_per_weight=bytes_per_weight,
        dense_devices=dense_devices,
        replicas=replicas,
        bandwidth=bandwidth,
        peak_rate=peak_rate,
        bandwidth_fraction=bandwidth_fraction,
        compute_fraction=compute_fraction,
        flop_per_multiply_add=flop_per_multiply_add,
    )
    routed = expert_time(
        tokens,
        expert_parameters,
        experts=experts,
        experts_per_token=experts_per_token,
        expert_bytes_per_weight=expert_bytes_per_weight,
        expert_devices=expert_devices,
        bandwidth=bandwidth,
        peak_rate=peak_rate,
        bandwidth_fraction=bandwidth_fraction,
        compute_fraction=compute_fraction,
        routing_agreement=routing_agreement,
        flop_per_multiply_add=flop_per_multiply_add,
    )
    flop = tokens * context * attention_flop_per_token / replicas
    attention = flop / (attention_fraction * attention_rate * dense_devices)
    exchanges = exchange_time(
        message_bytes,
        layers,
        exchanges_per_layer=exchanges_per_layer,
        sharing_devices=sharing_devices,
        link_bandwidth=link_bandwidth,
        link_fraction=link_fraction,
        round_latency=round_latency,
    )
    return (
        matrices + routed + attention + exchanges + layers * overhead_per_layer + overhead_per_step
    )


@equation
def lifetime_token_rate(
    batch: Positive,
    output_tokens: Token,
    *,
    step_time: Second,
    prefill_time: Second,
    tokens_per_step: Token = 1,
) -> TokenPerSecond:
    """Output tokens per second of a machine that also reads the prompts [token/s].

    Over the life of a batch the machine spends its time on as many steps as a request has output
    tokens and on reading the prompts, whether they are read before the decoding or between its
    steps. The step is the one at the mean context of the output.

    Args:
        batch (1): sequences in flight on the whole group of devices; a mean need not be whole.
        output_tokens (token): tokens generated for one request.
        step_time (s): time of one decoding step of the batch.
        prefill_time (s): time to read the prompts of the whole batch.
        tokens_per_step (token): tokens that one step yields for a sequence, 1 without
            speculation.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: no prompts to speak of, the batch over its step; next to no output, the prompts alone.

    Example:
        >>> float(lifetime_token_rate(64, 512, step_time=0.02, prefill_time=2))
        2677.

    Source: own derivation
    Derivation: book/memory/rack.ipynb
    """
    steps = output_tokens / tokens_per_step
    return batch * output_tokens / (steps * step_time + prefill_time)

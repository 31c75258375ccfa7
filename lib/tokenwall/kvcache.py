"""The key-value cache: what each token of context costs in memory, and what that does to a server.

A model that attends to its past keeps two vectors of every past token in every layer. They are
read again at each step and they fill what memory the weights leave. So the cache decides how many
sequences fit, and with them how many tokens a second a machine yields.
"""

from __future__ import annotations

from sympy import Max, Min, floor

from tokenwall.equation import equation
from tokenwall.units import (
    Byte,
    BytePerSecond,
    BytePerToken,
    Count,
    Flop,
    FlopPerSecond,
    FlopPerToken,
    NonnegativeByte,
    NonnegativeCount,
    NonnegativeTokenPerSecond,
    PerToken,
    Positive,
    Second,
    Token,
)

__all__ = [
    "attention_flop",
    "cache_bytes",
    "cache_bytes_per_token",
    "critical_context",
    "free_capacity",
    "frontier_token_rate",
    "largest_batch",
    "latent_attention_flop",
    "latent_cache_bytes_per_token",
    "sliding_cache_bytes",
    "throughput_at_capacity",
]


@equation
def cache_bytes_per_token(
    layers: Count,
    kv_heads: Count,
    *,
    head_size: Count,
    bytes_per_value: Byte = 2,
    vectors_per_token: PerToken = 2,
) -> BytePerToken:
    """Cache of one token of context with grouped-query attention [B/token].

    A key and a value for each layer and each key-value head. As many key-value heads as query
    heads is multi-head attention, a single one is multi-query attention. Leaves out scales of
    quantised caches and the padding of the last page.

    Args:
        layers (1): layers that keep a cache.
        kv_heads (1): key-value heads of one layer.
        head_size (1): numbers in one vector of a head.
        bytes_per_value (B): bytes of one cached number.
        vectors_per_token (1/token): vectors kept for a token in each head, a key and a value.

    Returns:
        (B/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a group of eight query heads to a key-value head, an eighth of the multi-head cache;
    half the bytes per value, half the cache.

    Example:
        >>> float(cache_bytes_per_token(126, 8, head_size=128))
        516096.0

    Source: ainslie2023, section 2.2
    """
    return vectors_per_token * layers * kv_heads * head_size * bytes_per_value


@equation
def latent_cache_bytes_per_token(
    layers: Count,
    latent_size: Count,
    *,
    rope_head_size: NonnegativeCount,
    bytes_per_value: Byte = 2,
    vectors_per_token: PerToken = 1,
) -> BytePerToken:
    """Cache of one token of context with multi-head latent attention [B/token].

    One compressed vector for all heads of a layer, and one short rotated key that they share.
    Does not depend on the number of heads. Leaves out the arithmetic that expands the vector.

    Args:
        layers (1): layers that keep a cache.
        latent_size (1): numbers in the compressed vector.
        rope_head_size (1): numbers in the shared rotated key.
        bytes_per_value (B): bytes of one cached number.
        vectors_per_token (1/token): such pairs kept for a token in each layer.

    Returns:
        (B/token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: half the bytes per value, half the cache; twice the layers, twice the cache.

    Example:
        >>> float(latent_cache_bytes_per_token(61, 512, rope_head_size=64))
        70272.0

    Source: deepseekv2, section 2.1.4, table 1
    """
    return vectors_per_token * layers * (latent_size + rope_head_size) * bytes_per_value


@equation
def cache_bytes(context: Token, cache_bytes_per_token: BytePerToken) -> Byte:
    """Cache of one sequence [B].

    Every token of the context costs the same, the first as much as the last. Leaves out the unused
    rest of the last page, so a server holds slightly more.

    Args:
        context (token): tokens in the cache.
        cache_bytes_per_token (B/token): cache of one token of context.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: next to no context needs next to nothing; twice the context, twice the cache.

    Example:
        >>> float(cache_bytes(32768, 163840)) / 1e9
        5.37

    Source: scalingbook2025, part 8
    """
    return context * cache_bytes_per_token


@equation
def sliding_cache_bytes(
    context: Token,
    sliding_window: Token,
    *,
    full_layers: NonnegativeCount,
    sliding_layers: NonnegativeCount,
    kv_heads: Count,
    head_size: Count,
    bytes_per_value: Byte = 2,
    vectors_per_token: PerToken = 2,
) -> Byte:
    """Cache of one sequence when some layers see only a window of it [B].

    A windowed layer keeps the last tokens only, however long the context; the others keep all.
    Assumes a server that frees what the window has passed: one that does not holds more.

    Args:
        context (token): tokens of the sequence so far.
        sliding_window (token): tokens that a windowed layer sees.
        full_layers (1): layers that see the whole context.
        sliding_layers (1): layers that see the window.
        kv_heads (1): key-value heads of one layer.
        head_size (1): numbers in one vector of a head.
        bytes_per_value (B): bytes of one cached number.
        vectors_per_token (1/token): vectors kept for a token in each head, a key and a value.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a context within the window costs the same as full attention; far beyond it, only the
    full layers grow.

    Example:
        >>> float(sliding_cache_bytes(131072, 128, full_layers=18, sliding_layers=18,
        ...                           kv_heads=8, head_size=64)) / 1e9
        4.84

    Source: own derivation
    Derivation: book/memory/batching.ipynb
    """
    values_per_layer = vectors_per_token * kv_heads * head_size
    kept = full_layers * context + sliding_layers * Min(context, sliding_window)
    return values_per_layer * kept * bytes_per_value


@equation
def free_capacity(capacity: Byte, weight_bytes: Byte) -> NonnegativeByte:
    """Memory that the weights leave for caches [B].

    Nothing when the weights alone do not fit. Leaves out activations and the runtime, which take
    some 5 to 10 % more, so a server has less.

    Args:
        capacity (B): memory of the machine, all devices together.
        weight_bytes (B): weights held.

    Returns:
        (B), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: weights as large as the memory leave nothing, and larger ones leave nothing too.

    Example:
        >>> float(free_capacity(80e9, 16.1e9)) / 1e9
        63.9

    Source: own derivation
    Derivation: book/memory/batching.ipynb
    """
    return Max(0, capacity - weight_bytes)


@equation
def largest_batch(
    capacity: Byte,
    weight_bytes: Byte,
    *,
    context: Token,
    cache_bytes_per_token: BytePerToken,
) -> NonnegativeCount:
    """Sequences whose caches fit beside the weights [1].

    Whole sequences of the same length. Leaves out activations and the runtime, so a server holds
    fewer; sequences that share a prefix share its cache, and then it holds more.

    Args:
        capacity (B): memory of the machine, all devices together.
        weight_bytes (B): weights held.
        context (token): tokens in the cache of one sequence.
        cache_bytes_per_token (B/token): cache of one token of context.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: none when the weights do not fit; half the context, twice the batch up to rounding.

    Example:
        >>> float(largest_batch(16 * 80e9, 141.2e9, context=8192, cache_bytes_per_token=327680))
        424.0

    Source: own derivation
    Derivation: book/memory/batching.ipynb
    """
    room = free_capacity(capacity, weight_bytes)
    return floor(room / (context * cache_bytes_per_token))


@equation
def critical_context(
    weight_bytes: Byte, cache_bytes_per_token: BytePerToken, *, batch: Positive = 1
) -> Token:
    """Context at which a step reads as many bytes of cache as of weights [token].

    Beyond it memory traffic is mostly cache, and a larger batch no longer helps much. Assumes that
    each step reads the whole cache once: attention over a window reads less.

    Args:
        weight_bytes (B): weights read in one step.
        cache_bytes_per_token (B/token): cache of one token of context.
        batch (1): sequences in flight.

    Returns:
        (token), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the batch, half the context; half the cache bytes, twice the context.

    Example:
        >>> float(critical_context(16.1e9, 131072, batch=64))
        1920.

    Source: own derivation
    Derivation: book/memory/batching.ipynb
    """
    return weight_bytes / (batch * cache_bytes_per_token)


@equation
def throughput_at_capacity(
    capacity: Byte,
    weight_bytes: Byte,
    *,
    context: Token,
    cache_bytes_per_token: BytePerToken,
    active_parameters: Positive,
    bandwidth: BytePerSecond,
    peak_rate: FlopPerSecond,
    tokens_per_step: Token = 1,
    flop_per_parameter: FlopPerToken = 2,
) -> NonnegativeTokenPerSecond:
    """Tokens per second of a machine whose memory is full of weights and caches [token/s].

    A full memory is swept once in each step, so the step is the sweep time unless arithmetic takes
    longer, and the rate is the free memory over one sequence's cache, once per sweep. The batch is
    not rounded to whole sequences and all overheads are left out: a real server is slower.

    Args:
        capacity (B): memory of the machine, all devices together.
        weight_bytes (B): weights held and read in one step.
        context (token): mean tokens in the cache of one sequence.
        cache_bytes_per_token (B/token): cache of one token of context.
        active_parameters (1): weights that one token multiplies.
        bandwidth (B/s): peak memory bandwidth, all devices together.
        peak_rate (FLOP/s): dense arithmetic rate, all devices together.
        tokens_per_step (token): tokens of one sequence in a step, 1 without speculation.
        flop_per_parameter (FLOP/token): arithmetic of one weight for one token.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: none when the weights do not fit; with memory far larger than the weights, the smaller
    of cache_bound_rate and compute_bound_rate.

    Example:
        >>> float(throughput_at_capacity(80e9, 16.1e9, context=8192, cache_bytes_per_token=131072,
        ...                              active_parameters=8.03e9, bandwidth=3.35e12,
        ...                              peak_rate=9.89e14))
        2492.

    Source: own derivation
    Derivation: book/memory/batching.ipynb
    """
    filled = Max(0, 1 - weight_bytes / capacity)
    cached = tokens_per_step * bandwidth * filled / (context * cache_bytes_per_token)
    return Min(cached, peak_rate / (flop_per_parameter * active_parameters))


@equation
def frontier_token_rate(
    step_time: Second,
    *,
    capacity: Byte,
    weight_bytes: Byte,
    context: Token,
    cache_bytes_per_token: BytePerToken,
    active_parameters: Positive,
    bandwidth: BytePerSecond,
    peak_rate: FlopPerSecond,
    tokens_per_step: Token = 1,
    flop_per_parameter: FlopPerToken = 2,
) -> NonnegativeTokenPerSecond:
    """Most tokens per second of a machine whose users wait this long between steps [token/s].

    The batch is as large as three limits allow: what memory can read in the time beside the
    weights, what fits in memory, and what arithmetic can do. Rises with the time up to the sweep
    time, then falls: a memory that is full has nothing to gain from waiting. The batch is not
    rounded and all overheads are left out, so a real server lies below.

    Args:
        step_time (s): time of one step, the wait of each user between two tokens.
        capacity (B): memory of the machine, all devices together.
        weight_bytes (B): weights held and read in one step.
        context (token): mean tokens in the cache of one sequence.
        cache_bytes_per_token (B/token): cache of one token of context.
        active_parameters (1): weights that one token multiplies.
        bandwidth (B/s): peak memory bandwidth, all devices together.
        peak_rate (FLOP/s): dense arithmetic rate, all devices together.
        tokens_per_step (token): tokens of one sequence in a step, 1 without speculation.
        flop_per_parameter (FLOP/token): arithmetic of one weight for one token.

    Returns:
        (token/s), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: none in less than one sweep of the weights; highest at the sweep time, where it is
    throughput_at_capacity.

    Example:
        >>> float(frontier_token_rate(0.01, capacity=80e9, weight_bytes=16.1e9, context=8192,
        ...                           cache_bytes_per_token=131072, active_parameters=8.03e9,
        ...                           bandwidth=3.35e12, peak_rate=9.89e14))
        1620.

    Source: own derivation
    Derivation: book/memory/batching.ipynb
    """
    sequence = context * cache_bytes_per_token
    readable = bandwidth - weight_bytes / step_time
    fitting = (capacity - weight_bytes) / step_time
    cached = tokens_per_step * Min(readable, fitting) / sequence
    computed = peak_rate / (flop_per_parameter * active_parameters)
    return Max(0, Min(cached, computed))


@equation
def attention_flop(
    layers: Count,
    heads: Count,
    *,
    head_size: Count,
    context: Token,
    vectors_per_token: PerToken = 2,
    flop_per_multiply_add: Flop = 2,
) -> Flop:
    """Arithmetic of attention itself for one new token [FLOP].

    Each query head multiplies its query with every cached key, and its weights with every cached
    value. The weights of the model take no part, so this comes on top of two FLOP for each of
    them, and it grows with the context. Leaves out the softmax, a few operations a score.

    Args:
        layers (1): layers with attention.
        heads (1): query heads of one layer, however few key-value heads they share.
        head_size (1): numbers in one vector of a head.
        context (token): tokens attended to.
        vectors_per_token (1/token): vectors met for each of them, a key and a value.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (FLOP), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the context, twice the arithmetic; sharing key-value heads saves none of it.

    Example:
        >>> float(attention_flop(32, 32, head_size=128, context=8192))
        4.29e9

    Source: nanogpt2022, transformer_sizing.ipynb, attention/scores and attention/reduce
    """
    vectors = vectors_per_token * context
    return flop_per_multiply_add * layers * heads * head_size * vectors


@equation
def latent_attention_flop(
    layers: Count,
    heads: Count,
    *,
    latent_size: Count,
    rope_head_size: NonnegativeCount,
    context: Token,
    vectors_per_token: PerToken = 2,
    flop_per_multiply_add: Flop = 2,
) -> Flop:
    """Arithmetic of latent attention itself for one new token [FLOP].

    Each head works on the compressed vectors as they lie in the cache: its query meets the whole
    vector and the rotated key, its weights gather the whole vector again. Far more arithmetic than
    heads of ordinary size would do, in exchange for far fewer bytes. The small matrices that take
    queries into the compressed space and back count among the weights.

    Args:
        layers (1): layers with attention.
        heads (1): query heads of one layer.
        latent_size (1): numbers in the compressed vector.
        rope_head_size (1): numbers in the shared rotated key.
        context (token): tokens attended to.
        vectors_per_token (1/token): products for a token in each head, scores and values.
        flop_per_multiply_add (FLOP): arithmetic of one multiply-add.

    Returns:
        (FLOP), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the context, twice the arithmetic; without a rotated key, that of ordinary heads
    as large as the compressed vector.

    Example:
        >>> float(latent_attention_flop(61, 128, latent_size=512, rope_head_size=64, context=1))
        16990208.0

    Source: deepseekv2, section 2.1.2 and appendix C
    Derivation: book/memory/rack.ipynb
    """
    numbers = vectors_per_token * latent_size + vectors_per_token * rope_head_size / 2
    return flop_per_multiply_add * layers * heads * numbers * context

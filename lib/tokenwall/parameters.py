"""Parameters: how many weights a model has, counted from its architecture.

A model's size is no secret of its makers. Two tables turn tokens into vectors and back; every layer
has the matrices of its attention and of its feed-forward block; the norms add a few thousand
numbers. A mixture of experts holds many blocks and multiplies with a few of them.
"""

from __future__ import annotations

from sympy import Min

from tokenwall.equation import equation
from tokenwall.units import Count, Nonnegative, NonnegativeCount, Positive, Probability

__all__ = [
    "active_parameters",
    "attention_parameters",
    "embedding_parameters",
    "feedforward_parameters",
    "latent_attention_parameters",
    "mixture_parameters",
    "model_parameters",
    "norm_parameters",
]


@equation
def embedding_parameters(
    vocabulary: Count, hidden_size: Count, *, tied_embeddings: Probability = 0
) -> Positive:
    """Weights of the table that reads tokens and of the one that scores them [1].

    A row for each token at the input, and one at the output unless both share one table. Leaves out
    learned positions, which only models of before 2023 have.

    Args:
        vocabulary (1): tokens that the model knows, padding included.
        hidden_size (1): width of the model.
        tied_embeddings (1): 1 where input and output share one table, else 0.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: a shared table is half of two; twice the vocabulary, twice the weights.

    Example:
        >>> float(embedding_parameters(50257, 768, tied_embeddings=1))
        38597376.0

    Source: kaplan2020, section 2.1, table 1
    """
    return vocabulary * hidden_size * (2 - tied_embeddings)


@equation
def attention_parameters(
    layers: Count,
    heads: Count,
    *,
    kv_heads: Count,
    head_size: Count,
    hidden_size: Count,
    input_biases: Probability = 0,
    output_biases: Probability = 0,
) -> Positive:
    """Weights of grouped-query attention in all layers [1].

    Four matrices: queries and output for every head, keys and values for every key-value head. The
    size of a head need not be the width over the heads. Leaves out norms of queries and keys.

    Args:
        layers (1): layers with attention.
        heads (1): query heads of one layer.
        kv_heads (1): key-value heads of one layer.
        head_size (1): numbers in one vector of a head.
        hidden_size (1): width of the model.
        input_biases (1): 1 where queries, keys and values have biases, else 0.
        output_biases (1): 1 where the output has a bias, else 0.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: with as many key-value heads as heads, and heads that fill the width, four squares of
    the width; with one key-value head and many heads, two.

    Example:
        >>> float(attention_parameters(1, 12, kv_heads=12, head_size=64, hidden_size=768))
        2359296.0

    Source: ainslie2023, section 2.2
    """
    matrices = 2 * hidden_size * (heads + kv_heads) * head_size
    biases = input_biases * (heads + 2 * kv_heads) * head_size + output_biases * hidden_size
    return layers * (matrices + biases)


@equation
def latent_attention_parameters(
    layers: Count,
    heads: Count,
    *,
    hidden_size: Count,
    latent_size: Count,
    rope_head_size: NonnegativeCount,
    head_size: Count,
    value_head_size: Count,
    query_latent_size: NonnegativeCount = 0,
) -> Positive:
    """Weights of multi-head latent attention in all layers [1].

    One matrix makes the latent vector and the rotated key, two more expand it to keys and values of
    every head, one gathers the output. Queries come through a latent vector of their own, or
    straight from the width where its size is nought. Leaves out the norms of the latent vectors.

    Args:
        layers (1): layers with attention.
        heads (1): heads of one layer.
        hidden_size (1): width of the model.
        latent_size (1): numbers in the compressed vector.
        rope_head_size (1): numbers in the shared rotated key, and in that part of each query.
        head_size (1): numbers of a key that are not rotated.
        value_head_size (1): numbers in the value of a head.
        query_latent_size (1): numbers in the compressed vector of the queries, 0 for none.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: twice the layers, twice the weights; a query latent as wide as the model costs more
    than none.

    Example:
        >>> float(latent_attention_parameters(1, 128, hidden_size=7168, latent_size=512,
        ...                                   rope_head_size=64, head_size=128,
        ...                                   value_head_size=128, query_latent_size=1536))
        187105280.0

    Source: deepseekv2, section 2.1.2 and appendix C
    """
    queries = heads * (head_size + rope_head_size)
    compressed = Min(1, query_latent_size)
    query = query_latent_size * (hidden_size + queries) + (1 - compressed) * hidden_size * queries
    latent = hidden_size * (latent_size + rope_head_size)
    expansion = latent_size * heads * (head_size + value_head_size)
    return layers * (query + latent + expansion + heads * value_head_size * hidden_size)


@equation
def feedforward_parameters(
    dense_layers: NonnegativeCount,
    hidden_size: Count,
    *,
    feedforward_size: Count,
    feedforward_matrices: Count = 3,
    block_biases: Probability = 0,
) -> Nonnegative:
    """Weights of the feed-forward blocks in all layers that have a plain one [1].

    Up and down, and a third matrix for the gate in gated blocks, which nearly all models since 2023
    have. Leaves out norms.

    Args:
        dense_layers (1): layers with a plain feed-forward block.
        hidden_size (1): width of the model.
        feedforward_size (1): inner size of the feed-forward block.
        feedforward_matrices (1): matrices of a block, 3 with a gate and 2 without.
        block_biases (1): 1 where every matrix has a bias, else 0.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: two matrices of four times the width are eight squares of it; a gate makes half as much
    again.

    Example:
        >>> float(feedforward_parameters(1, 768, feedforward_size=3072, feedforward_matrices=2))
        4718592.0

    Source: kaplan2020, section 2.1, table 1
    """
    biases = block_biases * ((feedforward_matrices - 1) * feedforward_size + hidden_size)
    return dense_layers * (feedforward_matrices * hidden_size * feedforward_size + biases)


@equation
def mixture_parameters(
    mixture_layers: NonnegativeCount,
    hidden_size: Count,
    *,
    experts: Count,
    expert_feedforward_size: Count,
    shared_experts: NonnegativeCount = 0,
    feedforward_matrices: Count = 3,
) -> Nonnegative:
    """Weights of the mixtures of experts in all layers that have one [1].

    Every expert is a small feed-forward block. Shared experts, which all tokens use, are of the
    same size. The router scores each expert by one row. Leaves out biases of experts and router.

    Args:
        mixture_layers (1): layers with a mixture of experts.
        hidden_size (1): width of the model.
        experts (1): experts to choose from in one layer.
        expert_feedforward_size (1): inner size of one expert.
        shared_experts (1): experts of one layer that all tokens use.
        feedforward_matrices (1): matrices of a block, 3 with a gate and 2 without.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: one expert and no other is a plain block and a router of one row.

    Example:
        >>> float(mixture_parameters(32, 4096, experts=8, expert_feedforward_size=14336)) / 1e9
        45.1

    Source: deepseekv3, section 2.1.2
    """
    expert = feedforward_matrices * hidden_size * expert_feedforward_size
    return mixture_layers * ((experts + shared_experts) * expert + hidden_size * experts)


@equation
def norm_parameters(
    layers: Count,
    hidden_size: Count,
    *,
    norms_per_layer: Count = 2,
    vectors_per_norm: Count = 1,
    inner_norm_size: NonnegativeCount = 0,
) -> Nonnegative:
    """Weights of the norms of all layers and of the last one before the output [1].

    A scale for each number of the width, and a shift beside it in older models. Some attention has
    norms of its own, of queries and keys or of latent vectors.

    Args:
        layers (1): layers run one after another.
        hidden_size (1): width of the model.
        norms_per_layer (1): norms of the width of the model in each layer.
        vectors_per_norm (1): 1 for a scale alone, 2 for a scale and a shift.
        inner_norm_size (1): numbers of the norms within one layer's attention.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: some ten-thousandth of a model; the wider the model, the smaller their share.

    Example:
        >>> float(norm_parameters(32, 4096))
        266240.0

    Source: touvron2023llama, section 2.2
    """
    width = vectors_per_norm * hidden_size
    return layers * (norms_per_layer * width + inner_norm_size) + width


@equation
def model_parameters(
    embedding_parameters: Positive,
    attention_parameters: Positive,
    *,
    feedforward_parameters: Nonnegative = 0,
    mixture_parameters: Nonnegative = 0,
    norm_parameters: Nonnegative = 0,
) -> Positive:
    """Weights of a model, counted from its parts [1].

    Embeddings, attention of whichever kind, plain blocks, mixtures and norms. Leaves out learned
    positions, biases that the parts leave out, and heads that predict further tokens.

    Args:
        embedding_parameters (1): weights of the tables of tokens.
        attention_parameters (1): weights of attention in all layers.
        feedforward_parameters (1): weights of plain feed-forward blocks in all layers.
        mixture_parameters (1): weights of mixtures of experts in all layers.
        norm_parameters (1): weights of all norms.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: in a large dense model about twelve squares of the width for each layer, the rest being
    small beside it.

    Example:
        >>> float(model_parameters(262144000, 2147483648, feedforward_parameters=4328521728,
        ...                        norm_parameters=266240))
        6738415616.0

    Source: kaplan2020, section 2.1, table 1
    """
    blocks = feedforward_parameters + mixture_parameters
    return embedding_parameters + attention_parameters + blocks + norm_parameters


@equation
def active_parameters(
    model_parameters: Positive,
    mixture_layers: NonnegativeCount,
    *,
    hidden_size: Count,
    experts: Count,
    experts_per_token: Count,
    expert_feedforward_size: Count,
    feedforward_matrices: Count = 3,
) -> Positive:
    """Weights that one token meets in a mixture of experts [1].

    All weights but those of the experts that the router did not choose. Counts both tables of
    tokens, of which the input needs one row only; some reports leave that table out.

    Args:
        model_parameters (1): weights of the model, counted from its parts.
        mixture_layers (1): layers with a mixture of experts.
        hidden_size (1): width of the model.
        experts (1): experts to choose from in one layer.
        experts_per_token (1): experts of one layer that the router chooses for a token.
        expert_feedforward_size (1): inner size of one expert.
        feedforward_matrices (1): matrices of a block, 3 with a gate and 2 without.

    Returns:
        (1), broadcast of the inputs.

    Raises:
        ValueError: an argument is outside its domain, not finite, or in a wrong unit.

    Limits: where every expert is chosen, all weights of the model.

    Example:
        >>> float(active_parameters(46702792704, 32, hidden_size=4096, experts=8,
        ...                         experts_per_token=2, expert_feedforward_size=14336))
        12879925248.0

    Source: jiang2024mixtral, section 2.1
    """
    expert = feedforward_matrices * hidden_size * expert_feedforward_size
    return model_parameters - mixture_layers * (experts - experts_per_token) * expert

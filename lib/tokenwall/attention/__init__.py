"""Attention that moves fewer bytes: closed forms, and algorithms that count what they move."""

from tokenwall.attention.backward import (
    Gradients,
    backward_tile,
    recomputed_backward,
    stored_backward,
)
from tokenwall.attention.bounds import (
    attention_tile,
    compulsory_traffic,
    score_flop,
    tiling_gain,
    traffic_order,
)
from tokenwall.attention.floor import least_traffic
from tokenwall.attention.forms import (
    causal_keys_outer_traffic,
    causal_queries_outer_traffic,
    keys_outer_traffic,
    naive_traffic,
    queries_outer_traffic,
    recomputed_backward_traffic,
    stored_backward_traffic,
)
from tokenwall.attention.forward import (
    Attended,
    Tiles,
    keys_outer_attention,
    naive_attention,
    queries_outer_attention,
)
from tokenwall.attention.heads import reference_attention
from tokenwall.attention.memory import FastMemory
from tokenwall.attention.online import SoftmaxState, online_softmax
from tokenwall.attention.shapes import (
    Shape,
    best_naive_shape,
    best_tiled_shape,
    sweep_intensity,
    sweep_tile,
    table_tile,
)

__all__ = [
    "Attended",
    "FastMemory",
    "Gradients",
    "Shape",
    "SoftmaxState",
    "Tiles",
    "attention_tile",
    "backward_tile",
    "best_naive_shape",
    "best_tiled_shape",
    "causal_keys_outer_traffic",
    "causal_queries_outer_traffic",
    "compulsory_traffic",
    "keys_outer_attention",
    "keys_outer_traffic",
    "least_traffic",
    "naive_attention",
    "naive_traffic",
    "online_softmax",
    "queries_outer_attention",
    "queries_outer_traffic",
    "recomputed_backward",
    "recomputed_backward_traffic",
    "reference_attention",
    "score_flop",
    "stored_backward",
    "stored_backward_traffic",
    "sweep_intensity",
    "sweep_tile",
    "table_tile",
    "tiling_gain",
    "traffic_order",
]

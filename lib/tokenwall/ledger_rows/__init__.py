"""The rows that chapters add to the ledger, one module a part of the argument."""

from tokenwall.ledger_rows.light import (
    light_bound,
    light_row,
    rack_radius,
    stack_density,
    weights_radius,
)
from tokenwall.ledger_rows.serving import (
    CONTEXT,
    ENGINE,
    RECORD,
    RECORD_MACHINE,
    RECORD_MODEL,
    batching_row,
    fastest_rate,
    fewer_bits_row,
    first_ledger,
    known_rates,
    no_time_lost_row,
    one_user,
    reading_rate,
    shards,
    side_by_side_row,
)
from tokenwall.ledger_rows.waiting import waiting_any_model_row, waiting_row

__all__ = [
    "CONTEXT",
    "ENGINE",
    "RECORD",
    "RECORD_MACHINE",
    "RECORD_MODEL",
    "batching_row",
    "fastest_rate",
    "fewer_bits_row",
    "first_ledger",
    "known_rates",
    "light_bound",
    "light_row",
    "no_time_lost_row",
    "one_user",
    "rack_radius",
    "reading_rate",
    "shards",
    "side_by_side_row",
    "stack_density",
    "waiting_any_model_row",
    "waiting_row",
    "weights_radius",
]

"""The rows that chapters add to the ledger, one module a part of the argument."""

from tokenwall.ledger_rows.serving import (
    CONTEXT,
    ENGINE,
    RECORD,
    RECORD_MACHINE,
    RECORD_MODEL,
    batching_row,
    first_ledger,
    known_rates,
    no_time_lost_row,
    one_user,
    reading_rate,
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
    "first_ledger",
    "known_rates",
    "no_time_lost_row",
    "one_user",
    "reading_rate",
    "side_by_side_row",
    "waiting_any_model_row",
    "waiting_row",
]

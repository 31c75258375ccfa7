"""What stands beside the ledger: other starts, other models, and three questions to each row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tokenwall.estimate import Estimate, Spread
from tokenwall.ledger import Ledger, Row
from tokenwall.ledger_rows.published import experts_row, router_row
from tokenwall.ledger_rows.serving import ENGINE, one_user
from tokenwall.ledger_rows.whole import Case
from tokenwall.record import SERVER, Service
from tokenwall.units import engineering

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["model_changes", "questions", "starts", "ways"]

LAW, HABIT, CHOICE = "law", "habit of today's switches", "recommendation"
# Who pays for a row, by its key, and what kind of statement the row is.
ANSWERS = {
    "no-time-lost": ("whoever writes the engine, once for each chip", CHOICE),
    "fewer-bits": ("the reader: answers change a little", CHOICE),
    "batching": ("every user: they share the chip, so each gets slower", CHOICE),
    "side-by-side": ("the owner: chips, rooms and watts grow as much", CHOICE),
    "serving": ("the owner and the users: chips idle and requests wait", CHOICE),
    "shared": ("the owner: many devices wait for each other for one user", CHOICE),
    "speculation": ("the owner: guesses are computed and thrown away", CHOICE),
    "barrier": ("nobody: it is not for sale", HABIT),
    "erasure": ("nobody: it is not for sale", f"{LAW}, for logic that forgets"),
    "light-rack": ("nobody: it is not for sale", f"{LAW}, for a machine of that size"),
    "light-dense": ("nobody: it is not for sale", f"{LAW}, for memory of that density"),
}


def starts(case: Case | None = None) -> dict[str, Estimate]:
    """Tokens per second of one user of one copy, by who serves them and in how many bits.

    All are predictions of engines whose constants were fitted on published measurements; nobody
    has published this machine with one user.

    Args:
        case: the machine and the model; the published rack if not given.
    """
    case = case or Case()
    found = {}
    for bits in (16, case.weight_bits):
        name = f"{ENGINE.removesuffix(' CUDA')}, {bits:g} bits"
        found[name] = one_user(case.chip, case.llm, weight_bits=bits)
    for bits in (16, case.weight_bits):
        one = Service.fitting(case.machine, case.model, weight_bits=bits)
        made = one.predict(batch=1)
        value, low, high = (
            float(end)
            for end in (
                made.tokens_per_second_per_user,
                made.low("tokens_per_second_per_user"),
                made.high("tokens_per_second_per_user"),
            )
        )
        found[f"{SERVER}, {bits:g} bits"] = Estimate(value, low, high, Spread.NINE_IN_TEN)
    return found


def ways(ledger: Ledger, begins: dict[str, Estimate]) -> pd.DataFrame:
    """How far the served rate is from other starts, and what share of the way that is.

    Args:
        ledger: of all users, with a row of serving.
        begins: tokens per second of one user by name, as `starts` gives them.

    Returns:
        Columns start, low and high [token/s], factor (served over start), and for each row below
        serving its share of the orders of magnitude that serving has covered; by name.
    """
    import pandas as pd

    after = {step.row.key: step.after.value for step in ledger.steps}
    walls = list(after)[list(after).index("serving") + 1 :]
    rows = {}
    for name, start in begins.items():
        covered = math.log(after["serving"] / start.value)
        rows[name] = {
            "start": start.value,
            "low": start.low,
            "high": start.high,
            "factor": after["serving"] / start.value,
            **{wall: covered / math.log(after[wall] / start.value) for wall in walls},
        }
    return pd.DataFrame(rows).T


def model_changes() -> pd.DataFrame:
    """Published gains from other models, and how far each moves the wall of heat as well.

    They are no rows of the ledger: its walls are those of one model. A model with fewer
    multiply-adds for each token has a wall that lies as much farther off.

    Returns:
        Columns gain, low, high, kind, wall (factor on what heat allows) and room (the factor on
        the distance to the wall), by label.
    """
    import pandas as pd

    experts, router = experts_row(), router_row()
    # The low end of the experts' gain is the ratio of active parameters. The router's is a ratio
    # of costs, read as one of multiply-adds.
    walls = ((experts, experts.factor.low), (router, router.factor.value))
    rows = {
        row.label: {
            "gain": row.factor.value,
            "low": row.factor.low,
            "high": row.factor.high,
            "kind": str(row.factor.spread),
            "wall": wall,
            "room": wall / row.factor.value,
        }
        for row, wall in walls
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def questions(ledger: Ledger) -> pd.DataFrame:
    """Three questions to each row: how sure it is, who pays for it, law or recommendation.

    Args:
        ledger: of all users or of one.

    Raises:
        ValueError: nobody has said who pays for a row.
    """
    import pandas as pd

    silent = [row.key for row in ledger.rows if row.key not in ANSWERS]
    if silent:
        raise ValueError(f"nobody says who pays for {', '.join(silent)}")
    return pd.DataFrame(
        {
            "how sure": [_how_sure(row) for row in ledger.rows],
            "who pays": [ANSWERS[row.key][0] for row in ledger.rows],
            "law or recommendation": [ANSWERS[row.key][1] for row in ledger.rows],
        },
        index=[row.label for row in ledger.rows],
    )


def _how_sure(row: Row) -> str:
    factor = row.factor
    if factor.low == factor.high:
        return "at most, a bound" if factor.spread == Spread.BOUND else "exact"
    ends = (engineering(each / factor.value, digits=2) for each in (factor.low, factor.high))
    return f"{' to '.join(ends)} times it, {factor.spread}"

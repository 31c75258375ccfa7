"""Every claim of the thread, with its verdict; the figures are computed when they are read.

A row of claims.csv holds text with slots such as "{a}" and, under `computed`, how each slot is
filled: an equation of the library and its inputs, numbers of the other tables, or arithmetic on
published numbers. Beside each stands the number as printed by a source, which a test compares.

claim_rules.csv defines the verdicts and says how a fair reading of a claim comes out;
claim_readings.csv has the readings of every claim. The verdict follows from their outcomes.
"""

from __future__ import annotations

import csv
import functools
import importlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from tokenwall.units import engineering

__all__ = [
    "OUTCOMES",
    "PARTS",
    "QUOTES",
    "VERDICTS",
    "Claim",
    "Quote",
    "Reading",
    "Rule",
    "Slot",
    "claim",
    "claims",
    "rules",
    "value",
    "verdict",
]

VERDICTS = ("right", "loose", "wrong", "opinion")
OUTCOMES = ("true", "false", "open")
# Found in a primary source; the same words in two independent reports; neither; nobody named.
QUOTES = ("checked", "reported", "unconfirmed", "not attributed")
PARTS = {
    "culture": "Culture and scaling",
    "memory": "The memory wall",
    "mitigations": "Mitigations",
    "physics": "The physics limits",
}
_FILLED = ("evidence", "figure", "reason")


@dataclass(frozen=True)
class Slot:
    """A computed number of a claim.

    Attributes:
        value: in the library's units; a share if it is shown in percent.
        text: as the page shows it.
        printed: the number that a source prints, or that was worked out by hand from one.
        percent: whether `printed` and `text` are in percent.
        equations: names of the equations that it uses, with their modules.
    """

    value: float
    text: str
    printed: str
    percent: bool
    equations: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A definition or a rule by which claims are judged.

    Attributes:
        key: the verdict that it defines, or a short name.
        kind: "verdict", "reading" (what is a fair one) or "outcome" (how one comes out).
        words: as the page prints it.
        outcomes: of a rule of that kind, the outcomes that it can give.
    """

    key: str
    kind: str
    words: str
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """One fair reading of a claim, as a statement, and how it comes out.

    Attributes:
        words: the statement.
        outcome: one of `OUTCOMES`.
        rule: key of the rule that gives this outcome.
    """

    words: str
    outcome: str
    rule: str


@dataclass(frozen=True)
class Quote:
    """Somebody to whom the thread gives words, and whether they could be found."""

    person: str
    status: str


@dataclass(frozen=True)
class Claim:
    """One claim of the thread.

    Attributes:
        id: "C01" to "C65"; the first 63 in the thread's order, then what they had left out.
        part: key of `PARTS`.
        words: a few words of the thread.
        question: what one would have to know.
        evidence: the model or the measurement that answers it.
        figure: the decisive number, in words.
        verdict: one of `VERDICTS`, as it follows from the readings.
        readings: its fair readings, each with its outcome.
        reason: why, in a sentence or two.
        changes: what would change the verdict.
        quotes: people to whom words are given.
        quote_note: what was found of those words.
        chapter: page of the book that treats it, written or not.
        sources: bibliography key and place in it.
        retrieved: date on which the evidence was seen; empty if some of it is recalled.
        note: what else a checker must know.
        slots: the computed numbers by name.
    """

    id: str
    part: str
    words: str
    question: str
    evidence: str
    figure: str
    verdict: str
    readings: tuple[Reading, ...]
    reason: str
    changes: str
    quotes: tuple[Quote, ...]
    quote_note: str
    chapter: str
    sources: tuple[tuple[str, str], ...]
    retrieved: str
    note: str
    slots: dict[str, Slot]


def claims() -> tuple[Claim, ...]:
    """All claims in the order of the thread, their figures computed.

    Raises:
        ValueError: a verdict is not the one that follows from the readings, a part or quotation's
            status is unknown, sources and places differ in number, or a figure cannot be computed.

    Example:
        >>> len(claims())
        65
    """
    return _claims()


def claim(id: str) -> Claim:
    """One claim.

    Args:
        id: "C01" to "C65".

    Raises:
        ValueError: there is no such claim.

    Example:
        >>> claim("C36").slots["b"].text
        '70.3 kB'
    """
    for row in _claims():
        if row.id == id:
            return row
    raise ValueError(f"claim {id!r} is unknown; they run from C01 to C{len(_claims()):02d}")


def rules(kind: str) -> tuple[Rule, ...]:
    """The definitions of the verdicts, or the rules by which readings are chosen or come out.

    Args:
        kind: "verdict", "reading" or "outcome".

    Raises:
        ValueError: the kind is none of these.

    Example:
        >>> [rule.key for rule in rules("verdict")]
        ['right', 'loose', 'wrong', 'opinion']
    """
    found = tuple(rule for rule in _rules() if rule.kind == kind)
    if not found:
        raise ValueError(f"kind of rule is {kind!r}; it must be verdict, reading or outcome")
    return found


def verdict(outcomes: Iterable[str]) -> str:
    """The verdict that follows from how the fair readings of a claim come out.

    Args:
        outcomes: of its readings, each one of `OUTCOMES`.

    Raises:
        ValueError: there is none, or one is unknown.

    Example:
        >>> verdict(["true", "false"]), verdict(["false", "open"])
        ('loose', 'opinion')
    """
    found = set(outcomes)
    if not found or not found <= set(OUTCOMES):
        raise ValueError(f"outcomes are {sorted(found)}; each must be one of {OUTCOMES}")
    if "true" in found:
        return "right" if found == {"true"} else "loose"
    return "opinion" if "open" in found else "wrong"


def value(reference: Any) -> float:
    """The number that a reference of the table stands for.

    Args:
        reference: a number; "table:key:quantity" with the table machines, models, facts or
            energies; "constant:name" of scipy.constants; {"equation": "module.name", "inputs":
            {...}}; or arithmetic: {"sum": [...]}, {"product": [...]}, {"quotient": [a, b]},
            {"power": [a, b]}, {"log": a}. They nest.

    Raises:
        ValueError: the reference is none of these, or names nothing.

    Example:
        >>> value({"quotient": ["facts:azure-gb300-rack:token_rate", 142000]})
        7.75...
    """
    if isinstance(reference, bool) or not isinstance(reference, int | float | str | dict):
        raise ValueError(f"reference {reference!r} is no number, name or operation")
    if isinstance(reference, int | float):
        return float(reference)
    if isinstance(reference, str):
        return _named(reference)
    if "equation" in reference:
        inputs = {name: value(part) for name, part in reference["inputs"].items()}
        return float(_equation(reference["equation"])(**inputs))
    if "sum" in reference:
        return math.fsum(value(part) for part in reference["sum"])
    if "product" in reference:
        return math.prod(value(part) for part in reference["product"])
    if "quotient" in reference:
        above, below = (value(part) for part in reference["quotient"])
        return above / below
    if "power" in reference:
        base, exponent = (value(part) for part in reference["power"])
        return float(base**exponent)
    if "log" in reference:
        return math.log(value(reference["log"]))
    raise ValueError(f"reference {reference!r} names no operation")


def _named(name: str) -> float:
    table, _, rest = name.partition(":")
    if table == "constant":
        from scipy import constants

        if not isinstance(getattr(constants, rest, None), int | float):
            raise ValueError(f"{name!r} is no constant of nature")
        return float(getattr(constants, rest))
    key, _, quantity = rest.partition(":")
    if table in ("facts", "energies"):
        from tokenwall.data.facts import estimate

        return estimate(key, quantity, table=table).value
    if table not in ("machines", "models"):
        raise ValueError(f"{name!r} must begin with machines, models, facts, energies or constant")
    found = _tables(table)
    if key not in found.index or quantity not in found.columns:
        raise ValueError(f"{name!r} names no number of the table")
    number = float(found.loc[key, quantity])
    if math.isnan(number):
        raise ValueError(f"{name!r} is empty in the table")
    return number


@functools.cache
def _tables(table: str) -> Any:
    from tokenwall import data

    return data.machines() if table == "machines" else data.models()


def _equation(name: str) -> Any:
    module, _, function = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(f"tokenwall.{module}"), function)
    except (ImportError, AttributeError):
        raise ValueError(f"equation {name!r} is not in the library") from None
    if not hasattr(found, "expr"):
        raise ValueError(f"{name!r} is a function but no equation")
    return found


def _equations(reference: Any) -> tuple[str, ...]:
    """Names of the equations in a reference, each once."""
    if isinstance(reference, list):
        parts = reference
    elif isinstance(reference, dict):
        parts = list(reference.values())
    else:
        return ()
    own = [reference["equation"]] if isinstance(reference, dict) and "equation" in reference else []
    inner = [name for part in parts for name in _equations(part)]
    return tuple(dict.fromkeys([*own, *inner]))


def _slot(entry: dict[str, Any]) -> Slot:
    number = value(entry)
    percent = bool(entry.get("percent", False))
    shown = engineering(100 * number if percent else number, entry["unit"], digits=entry["digits"])
    text = f"{shown} %" if percent else shown
    return Slot(number, text, entry["printed"], percent, _equations(entry))


def _rows(table: str) -> list[dict[str, str]]:
    with resources.files(__package__).joinpath(f"{table}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@functools.cache
def _rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(
            row["key"], row["kind"], row["words"], tuple(filter(None, row["outcomes"].split("; ")))
        )
        for row in _rows("claim_rules")
    )


@functools.cache
def _claims() -> tuple[Claim, ...]:
    readings: dict[str, list[Reading]] = {}
    for row in _rows("claim_readings"):
        readings.setdefault(row["id"], []).append(_reading(row))
    return tuple(_claim(row, tuple(readings.get(row["id"], ()))) for row in _rows("claims"))


def _reading(row: dict[str, str]) -> Reading:
    gives = {rule.key: rule.outcomes for rule in rules("outcome")}
    if row["outcome"] not in gives.get(row["rule"], ()):
        raise ValueError(
            f"{row['id']}: the rule {row['rule']!r} does not give the outcome {row['outcome']!r}"
        )
    return Reading(row["reading"], row["outcome"], row["rule"])


def _claim(row: dict[str, str], readings: tuple[Reading, ...]) -> Claim:
    id = row["id"]
    follows = verdict(reading.outcome for reading in readings)
    if row["verdict"] != follows:
        raise ValueError(
            f"{id}: verdict is {row['verdict']!r}; from its readings follows {follows!r}"
        )
    if row["part"] not in PARTS:
        raise ValueError(f"{id}: part is {row['part']!r}; it must be one of {tuple(PARTS)}")
    keys, places = row["source"].split("; "), row["locator"].split("; ")
    people, statuses = row["quoted"].split("; "), row["quote_status"].split("; ")
    if len(keys) != len(places) or len(people) != len(statuses):
        raise ValueError(f"{id}: sources and places, or people and statuses, differ in number")
    if not set(statuses) <= set(QUOTES):
        raise ValueError(f"{id}: status of the quotation is {statuses}; it must be in {QUOTES}")
    entries = json.loads(row["computed"] or "{}")
    slots = {name: _slot(entry) for name, entry in entries.items()}
    shown = {name: slot.text for name, slot in slots.items()}
    filled = {name: row[name].format(**shown) for name in _FILLED}
    given = zip(people, statuses, strict=True) if row["quoted"] else ()
    plain = ("part", "words", "question", "verdict", "changes", "quote_note", "chapter")
    return Claim(
        id=id,
        **{name: row[name] for name in plain},
        **filled,
        readings=readings,
        quotes=tuple(Quote(person, status) for person, status in given),
        sources=tuple(zip(keys, places, strict=True)),
        retrieved=row["retrieved"],
        note=row["note"],
        slots=slots,
    )

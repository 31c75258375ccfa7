"""In how many bits weights are stored: as asked, as the name says, or as they were published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokenwall.data.names import Format, format_of, named, native_format
from tokenwall.serving.parts import Number, Shape

__all__ = ["Stored", "stored_bits"]

# A number and a format in one request may differ by what files of one format differ.
_ALIKE = 0.15


@dataclass(frozen=True)
class Stored:
    """Bits of the weights and where they come from.

    Attributes:
        weight_bits: mean bits of a weight outside routed experts [bit].
        expert_bits: mean bits of a weight of a routed expert, None where all are alike [bit].
        words: the format and what made it be chosen, for the head line of an answer.
    """

    weight_bits: Number
    expert_bits: Number | None
    words: str


def stored_bits(
    model: Any, shape: Shape, weight_bits: Any = None, expert_bits: Any = None
) -> Stored:
    """Bits of the weights of a request.

    A number or the name of a format counts first, then what the model's name says, then the
    format in which the model was published, 16 bits where none is known.

    Args:
        model: what the caller gave: a name, a row, a mapping or a shape.
        shape: the model as a step sees it.
        weight_bits: number or numbers, name of a format, or None [bit].
        expert_bits: number or numbers, or None [bit].

    Raises:
        ValueError: the format is unknown, or the model's name states another one.

    Example:
        >>> from tokenwall.serving.parts import shape_of
        >>> stored = stored_bits("gpt-oss-20b", shape_of("gpt-oss-20b"))
        >>> stored.weight_bits, stored.expert_bits
        (16.0, 4.25)
    """
    said = named(model) if isinstance(model, str) else None
    stated = said.format if said else None
    if isinstance(weight_bits, str):
        asked = _asked(weight_bits)
        if stated is not None and stated.key != asked.key:
            raise ValueError(
                f"weight_bits is {weight_bits!r}, but the name {model!r} says {stated.name}; "
                "say one"
            )
        return _of(asked, shape, expert_bits, f"{asked.name}, as asked")
    if weight_bits is not None:
        if stated is not None and expert_bits is None:
            _agree(model, stated, shape, weight_bits)
        return Stored(weight_bits, expert_bits, "")
    if stated is not None:
        reason = said.assumed if said and said.assumed else "from the model's name"
        return _of(stated, shape, expert_bits, f"{stated.name}, {reason}")
    native = native_format(shape.key)
    if native is not None:
        return _of(native, shape, expert_bits, f"{native.name}, as the model was published")
    return Stored(16, expert_bits, "16 bits, as nothing else was said")


def _asked(name: str) -> Format:
    try:
        return format_of(name)
    except ValueError as error:
        raise ValueError(
            f"weight_bits is {name!r}; it must be a number or the name of a format: {error}"
        ) from None


def _of(stated: Format, shape: Shape, expert_bits: Any, words: str) -> Stored:
    tables = shape.embedding + shape.head
    mean = stated.mean_bits(shape.parameters - shape.routed - tables, tables)
    apart = shape.mixture and mean != stated.expert_bits
    experts = stated.expert_bits if apart and expert_bits is None else expert_bits
    return Stored(mean, experts, words)


def _agree(model: str, stated: Format, shape: Shape, weight_bits: Any) -> None:
    """Refuse a number that contradicts the format in the model's name."""
    if hasattr(weight_bits, "__len__"):
        return
    mean = _of(stated, shape, None, "").weight_bits
    nearest = min((mean, stated.expert_bits), key=lambda bits: abs(bits - float(weight_bits)))
    if abs(float(weight_bits) / nearest - 1) > _ALIKE:
        raise ValueError(
            f"weight_bits is {float(weight_bits):g}, but the name {model!r} says {stated.name}, "
            f"{nearest:.3g} bits; say one"
        )

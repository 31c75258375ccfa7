"""Predictions: the reader commits to a guess before the answer shows."""

from __future__ import annotations

import functools
import math
from typing import Any

from tokenwall.explorable import page, widget
from tokenwall.explorable.controls import Scale, Slider
from tokenwall.explorable.core import _checked_id
from tokenwall.units import engineering


class Prediction:
    """A question, a slider to guess with, and the computed answer once the reader commits.

    Guesses stay in the reader's own browser. Without a script the answer is folded away.

    Args:
        id: its name, unique in the book.
        question: one sentence.
        answer: the number, computed from an equation of the library.
        unit: of guess and answer.
        low: lowest guess.
        high: highest guess.
        explanation: why the answer is what it is, one or two sentences.
        scale: "log" or "linear".
        digits: significant digits of the answer.
        label: the slider's label.

    Raises:
        ValueError: the answer is not a positive number within the slider's range.

    Example:
        >>> Prediction("age", question="How old?", answer=42, low=1, high=100)
        Prediction 'age': How old? Answer: 42
    """

    def __init__(
        self,
        id: str,
        *,
        question: str,
        answer: Any,
        unit: str = "1",
        low: float,
        high: float,
        explanation: str = "",
        scale: Scale = "log",
        digits: int = 3,
        label: str = "Your guess",
    ) -> None:
        self.id, self.question, self.explanation = _checked_id(id), question, explanation
        self.answer = float(answer)
        if not (math.isfinite(self.answer) and self.answer > 0 and low <= self.answer <= high):
            raise ValueError(
                f"prediction {id!r}: the answer is {self.answer:g} {unit}; "
                f"it must be positive and lie from {low:g} to {high:g}"
            )
        middle = math.sqrt(low * high) if scale == "log" else (low + high) / 2
        default = min(max(float(f"{middle:.1g}"), low), high)
        self.slider = Slider("guess", label, unit, low, high, default, scale)
        self.answer_text = engineering(self.answer, unit, digits=digits)
        self._values = {"guess": default}
        self._widget: Any = None

    def __repr__(self) -> str:
        return f"Prediction {self.id!r}: {self.question} Answer: {self.answer_text}"

    @functools.cached_property
    def html(self) -> str:
        """Its markup."""
        spec = {
            "id": self.id,
            "kind": "prediction",
            "question": self.question,
            "sliders": [self.slider.spec()],
            "answer": float(f"{self.answer:.12g}"),
            "answer_text": self.answer_text,
        }
        return page.prediction_page(spec, self.slider, self.explanation)

    @property
    def values(self) -> dict[str, float]:
        """The present guess."""
        return dict(self._values if self._widget is None else self._widget.values)

    @property
    def widget(self) -> Any:
        """The live widget, made on first use."""
        if self._widget is None:
            self._widget = widget.live(self.html, self._values)
        return self._widget

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return widget.mimebundle(self, options)

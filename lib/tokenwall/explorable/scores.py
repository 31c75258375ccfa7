"""The reader's own guesses of all chapters, scored in their browser."""

from __future__ import annotations

from typing import Any

from tokenwall.explorable.page import LIVE_ONLY


class Scoreboard:
    """A table of the guesses that the reader committed, the answers, and the typical miss.

    Guesses are kept by the reader's browser alone, so the table is filled by the page's script;
    a notebook shows only how to get one.

    Example:
        >>> Scoreboard()
        Scoreboard of the reader's guesses
    """

    def __repr__(self) -> str:
        return "Scoreboard of the reader's guesses"

    @property
    def html(self) -> str:
        """Its markup."""
        heads = "".join(
            f'<th scope="col">{head}</th>' for head in ("Question", "Your guess", "Answer", "Miss")
        )
        return (
            '<div class="tw-scores"><p class="sc-none" tabindex="-1">No guess is kept in this '
            "browser yet. Each chapter of the site opens with one; commit a few and come back.</p>"
            f'<div class="sc-some {LIVE_ONLY}><p class="sc-said" aria-live="polite"></p>'
            '<div class="tw-scroll" tabindex="0" role="group" aria-label="Your guesses">'
            f"<table><thead><tr>{heads}</tr></thead><tbody></tbody></table></div>"
            '<p><button type="button">Forget my guesses</button></p></div></div>'
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}

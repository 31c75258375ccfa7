"""The pages of the book, read from the table of contents."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def toc_pages() -> list[str]:
    """Pages in reading order, without suffix: book/index, book/memory/one_token, ..."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in toc.get("parts", []) for chapter in part["chapters"]]
    pages = [page for chapter in chapters for page in (chapter, *chapter.get("sections", []))]
    return [toc["root"], *(page["file"] for page in pages)]

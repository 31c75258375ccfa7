"""How tests are spread over workers: what needs another test stays with it."""

import subprocess
import sys
from pathlib import Path

from conftest import group

ROOT = Path(__file__).resolve().parent.parent


def test_a_notebook_a_page_and_a_file_stay_together():
    assert group("book/index.ipynb::Cell 1") == group("book/index.ipynb::Cell 12")
    pages = "tests/browser/test_pages.py::"
    one = f"{pages}test_page_is_accessible[book/index-desk-light]"
    assert group(one) == group(f"{pages}test_page_weight[book/index]")
    assert group(one) != group(f"{pages}test_page_weight[book/ledger]")
    assert group("tests/test_units.py::test_to_si[a]") == group("tests/test_units.py::test_domains")
    assert group("tests/test_every_equation.py::test_shapes[a]") != group(
        "tests/test_every_equation.py::test_shapes[b]"
    )


def test_workers_are_given_whole_groups(tmp_path):
    """The scheduler of the book's own tests, on a file each of whose tests needs the one before."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text("utf-8"), "utf-8")
    chain = (
        "import pytest\nseen = []\n\n\n@pytest.mark.parametrize('n', range(20))\n"
        "def test_next(n):\n    assert seen == list(range(n))\n    seen.append(n)\n"
    )
    for name in ("test_one.py", "test_two.py", "test_three.py"):
        (tmp_path / name).write_text(chain, encoding="utf-8")
    spread = ["-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *spread, str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "60 passed" in run.stdout

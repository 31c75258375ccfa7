"""What all tests share: their random examples and the built site."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, and no failure because a machine is busy.
settings.register_profile(
    "book", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "book"))

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"


# Files whose tests need nothing of each other; they fill the gaps at the end.
SINGLE = ("test_every_equation.py", "test_sensitivity.py")


def group(nodeid: str) -> str:
    """What stays on one worker, in its order: a notebook, a page in the browser, another file."""
    path, _, rest = nodeid.partition("::")
    page = re.search(r"\[([\w/]+)", rest)
    if path.endswith("browser/test_pages.py") and page:
        return f"page {page[1]}"
    return nodeid if path.endswith(SINGLE) else path


# The library's own way, marks and --dist loadgroup, has no effect under the pytest that is pinned.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under --dist loadscope workers are given groups as above."""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that at the end no worker waits for another."""

    def rank(item: pytest.Item) -> int:
        if item.path.suffix == ".ipynb" or item.path.parent.name == "browser":
            return 0
        return 2 if item.path.name in SINGLE else 1

    items.sort(key=rank)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def site() -> Path:
    """Folder of the built site."""
    if not (SITE / "book" / "index.html").exists():
        pytest.fail(f"the site is not in {SITE}: run `make book` first")
    return SITE

"""The repository as a whole: what is tracked, pinned, packaged and said in the right place."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bookpages import toc_pages

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = [name for name in toc_pages() if (ROOT / f"{name}.ipynb").exists()]
CELL_LINES = 25
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".cff",
    ".cfg",
    ".txt",
    ".csv",
    ".css",
    ".js",
    ".ipynb",
    ".sh",
}
# A home directory, a private address or a package index that is not the public one.
FORBIDDEN = re.compile(
    r"/home/\w|/Users/\w|/[r]oot/|C:\\\\Users|index-url|\bartifactory\b|\bdevpi\b|find-links"
    r"|\b(?:10\.\d{1,3}|192\.168|172\.16)(?:\.\d{1,3}){2}\b|\.internal\b|\.corp\b"
)


def tracked() -> list[Path]:
    """Files that git tracks; without git, the files that are there."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = run.stdout.split("\0") if run.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned() -> dict[str, list[str]]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins: dict[str, list[str]] = {}
    for line in lines:
        name, found, version = line.partition("==")
        if found:
            pins.setdefault(name, []).append(version.split(";")[0].strip())
    return pins


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requested() -> set[str]:
    extras = project()["optional-dependencies"].values()
    lines = [*project()["dependencies"], *(line for extra in extras for line in extra)]
    names = {normal(re.match(r"[\w.-]+", line)[0]) for line in lines}
    return names - {"tokenwall"}


def test_no_private_address_or_path_is_tracked() -> None:
    ours = Path(__file__).resolve()
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if (path.suffix in TEXT or path.name == "Makefile") and path != ours
        for match in FORBIDDEN.finditer(path.read_text(encoding="utf-8"))
        if path.name != "pin_requirements.py" or match[0] != "index-url"
    }
    assert found == set()


def test_nothing_that_can_be_made_is_tracked() -> None:
    made = re.compile(r"(^|/)(_build|\.venv|__pycache__|\.ipynb_checkpoints|build|dist)/|\.pyc$")
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    assert [name for name in names if made.search(name)] == []


def test_no_tracked_file_is_large() -> None:
    assert [p.name for p in tracked() if p.stat().st_size > 2_000_000] == []


def test_static_folder_is_not_at_the_root() -> None:
    """Jupyter Book would load every script below it into every page."""
    assert not (ROOT / "_static").exists()


def test_requirements_pin_what_the_project_asks_for() -> None:
    assert requested() - set(pinned()) == set()


def test_requirements_are_exact_and_install_the_package() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "-e ."
    assert [
        line for line in lines[:-1] if not re.match(r"[a-z0-9._-]+==[\w.]+( ; .+)?$", line)
    ] == []


def test_binder_gets_a_python_that_can_install_it() -> None:
    version = (ROOT / "runtime.txt").read_text(encoding="utf-8").strip()
    assert version == "python-3.11"
    assert project()["requires-python"] == ">=3.11"


def test_changelog_names_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[?([\w.]+)", text, flags=re.MULTILINE)
    assert headings[0] in ("Unreleased", project()["version"])


def test_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f'version: "{project()["version"]}"' in citation
    assert project()["license"] in citation


def test_readme_links_to_files_that_exist() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^":]+)"', text)
        assert [link for link in links if not (ROOT / link).exists()] == []


def test_readme_example_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, last = run.stdout.splitlines()[0].split(), run.stdout.splitlines()[-1]
    rate, low, high = map(float, first)
    assert low < rate < high
    assert float(last) > 1


def equation_modules() -> list[str]:
    """The modules that the import rules keep free of tables and plots."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contracts = {c["name"]: c for c in rules["importlinter"]["contracts"]}
    return contracts["Equations know neither tables nor plots"]["source_modules"]


def test_importing_the_package_and_its_equations_is_light() -> None:
    heavy = "matplotlib pandas scipy.stats IPython anywidget ipywidgets xarray dask".split()
    names = ", ".join(["sys", "tokenwall", *equation_modules()])
    code = f"import {names}; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_module_that_holds_an_equation_is_kept_free() -> None:
    package = ROOT / "lib" / "tokenwall"
    holding = {
        f"tokenwall.{path.relative_to(package).parts[0].removesuffix('.py')}"
        for path in package.rglob("*.py")
        if re.search("^@equation$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert holding - set(equation_modules()) == set()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cells_are_short_and_define_nothing(name: str) -> None:
    """What a chapter defines nobody tests: functions and classes belong in the library."""
    cells = json.loads((ROOT / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert [s.splitlines()[0] for s in sources if len(s.splitlines()) > CELL_LINES] == []
    defined = [
        node.name
        for source in sources
        for node in ast.walk(ast.parse(_without_magics(source)))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    ]
    assert defined == []


def _without_magics(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if not line.startswith(("%", "!")))


def test_the_readme_shows_the_chapter_s_figure_of_today() -> None:
    command = [sys.executable, "tools/readme_picture.py", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0, "run `make notebooks`"

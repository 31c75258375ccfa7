"""The models of *The Token Wall*: why language models run at the speed they do, and what could be.

Every public equation is a small pure function of SI quantities; see `tokenwall.equation`.
`tokenwall.predict` names a model and a machine and says how fast, how much and how sure. Nothing
heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenwall.serving.predict import predict as predict

__version__ = "0.1.0"

_SUBMODULES = tuple(module.name for module in pkgutil.iter_modules(__path__))
_FUNCTIONS = {"predict": "serving"}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"tokenwall.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"tokenwall.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module 'tokenwall' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_SUBMODULES, *_FUNCTIONS, "__version__"])

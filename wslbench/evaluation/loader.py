"""Finding the method in its file. Runs in children only: importing a method is running it."""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import sys
import traceback
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, NamedTuple

_PRIVILEGES: Final = ("none", "train_hyperparameters", "hyperparameters", "data")
_VERBS: Final = ("predict", "generate")
_LONGEST: Final = 700


class CandidateError(Exception):
    """The file holds no method that can be used; the message is for the method's author."""


class LoadedMethod(NamedTuple):
    """The class that was found, and what it declares."""

    cls: type[Any]
    description: str
    verbs: tuple[str, ...]
    privilege: str


def load_method(path: Path, class_name: str | None) -> LoadedMethod:
    """Import a method file and choose its class.

    A candidate is a public class that the file defines, with ``fit`` and ``predict`` (or ``generate``).

    Raises
    ------
    CandidateError
        If there is no candidate, or several and no ``class_name``.
    """
    module = _import(path)
    candidates = _candidates(module)
    if class_name is not None:
        if class_name not in candidates:
            raise CandidateError(
                f"it has no public class {class_name!r} with `fit` and `predict` (candidates: {_listed(candidates)})"
            )
    elif not candidates:
        raise CandidateError(
            "it defines no method: a public class with `fit(self, models, target, context)` and "
            "`predict(self, models)`. `wslbench new FILE.py` writes a working one"
        )
    elif len(candidates) > 1:
        raise CandidateError(
            f"it defines {len(candidates)} methods ({_listed(candidates)}). Choose one as "
            f"{path.name}::{next(iter(candidates))}, or put an underscore before the names of the others"
        )
    cls = candidates[class_name or next(iter(candidates))]
    privilege = getattr(cls, "privilege", "none")
    if privilege not in _PRIVILEGES:
        raise CandidateError(
            f"{cls.__name__}.privilege is {privilege!r}, and has to be one of {', '.join(map(repr, _PRIVILEGES))}"
        )
    verbs = tuple(verb for verb in _VERBS if callable(getattr(cls, verb, None)))
    description = (inspect.getdoc(cls) or "").strip().split("\n", 1)[0]
    return LoadedMethod(cls, description, verbs, privilege)


def explain(error: BaseException, path: Path) -> str:
    """An exception as text: type, message, and the last line of the method's own file that it went through."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:  # a broken __str__ of the method's own exception
        text = "(its message cannot be shown)"
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return (
        f"{name}: {text}{_place(error.__traceback__, path)}" if text else f"{name}{_place(error.__traceback__, path)}"
    )


def _import(path: Path) -> ModuleType:
    # The file's own name where that shadows nothing, so that sub-processes of the method can import it too.
    name = path.stem
    if not name.isidentifier() or name in sys.modules or importlib.util.find_spec(name) is not None:
        name = f"method_{name}"
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CandidateError("it is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _candidates(module: ModuleType) -> dict[str, type[Any]]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and value.__name__ == name
        and not name.startswith("_")
        and callable(getattr(value, "fit", None))
        and (callable(getattr(value, "predict", None)) or callable(getattr(value, "generate", None)))
        and not getattr(value, "_is_protocol", False)
    }


def _listed(candidates: dict[str, type[Any]]) -> str:
    return ", ".join(candidates) or "none"


def _place(trace: TracebackType | None, path: Path) -> str:
    own = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename) == path]
    if not own:
        return ""
    last = own[-1]
    line = (linecache.getline(last.filename, last.lineno or 0)).strip()
    return f" ({path.name}:{last.lineno}, in {last.name}: `{line[:120]}`)"

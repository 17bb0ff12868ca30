"""A method's file as the parent sees it: text that is read, parsed and hashed, and never imported."""

from __future__ import annotations

import ast
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wslbench.errors import MethodError

# Slow to import and harmless to import ahead of a method: what the fork server may load.
_PRELOADABLE: Final = frozenset(
    {"lightgbm", "numpy", "pandas", "scipy", "sklearn", "torch", "torch_geometric", "wslbench"}
)

# Several threads read method files, and in CPython 3.11 two threads that parse at once may share a count of how deep
# they are: SystemError, "AST constructor recursion depth mismatch".
_PARSING: Final = threading.Lock()


@dataclass(frozen=True)
class MethodFile:
    """A Python file that parses, together with the local files that it imports.

    Attributes
    ----------
    path
        The file, absolute.
    class_name
        The class that ``FILE.py::Class`` chose, if any.
    name
        What results are filed under: the file's name without ``.py``, with ``-Class`` where one was chosen.
    sources
        Path relative to the file's folder, and content hash, of the file and of its local imports.
    preload
        Modules that the fork server loads once for all units.
    """

    path: Path
    class_name: str | None
    name: str
    sources: tuple[tuple[str, str], ...]
    preload: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 over the class name and every source."""
        return hashlib.sha256(repr((self.class_name, self.sources)).encode()).hexdigest()


def read_method_file(reference: str | Path) -> MethodFile:
    """Read ``FILE.py`` or ``FILE.py::Class``.

    Raises
    ------
    MethodError
        If there is no such file, or it is not Python.
    """
    text, _, class_name = str(reference).partition("::")
    path = Path(text).expanduser().resolve()
    if not path.exists():
        raise MethodError(f"There is no method file {text}. `wslbench new {text}` writes a working template there.")
    if not path.is_file() or path.suffix != ".py":
        raise MethodError(f"{text} is not a Python file: a method is one class in one file whose name ends in .py.")
    found = {path: _parse(path, path.read_bytes())}
    pending = [path]
    while pending:
        current = pending.pop()
        for local in _local_imports(found[current], current, path.parent):
            if local not in found:
                found[local] = _parse(local, local.read_bytes())
                pending.append(local)
    sources = sorted(
        (file.relative_to(path.parent).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()) for file in found
    )
    stem = re.sub(r"[^\w.-]+", "-", path.stem)
    return MethodFile(
        path=path,
        class_name=class_name or None,
        name=f"{stem}-{class_name}" if class_name else stem,
        sources=tuple(sources),
        preload=tuple(sorted(set().union(*(_preloadable(tree) for tree in found.values())))),
    )


def refuse_edited(method: MethodFile) -> None:
    """Raise if a method is no longer what was read.

    Raises
    ------
    MethodError
        If its file, or a local file that it imports, is another one now.
    """
    reference = str(method.path) if method.class_name is None else f"{method.path}::{method.class_name}"
    try:
        unchanged = read_method_file(reference).hash == method.hash
    except MethodError:
        unchanged = False
    if not unchanged:
        raise MethodError(
            f"{method.path}, or a local file that it imports, was edited while it was being evaluated. The units "
            "that ran before count for nothing; run the command again."
        )


def _parse(path: Path, content: bytes) -> ast.Module:
    try:
        with _PARSING:
            return ast.parse(content, filename=str(path))
    except SyntaxError as error:
        line = (error.text or "").strip()
        shown = f": `{line[:120]}`" if line else ""
        raise MethodError(f"{path}, line {error.lineno}: {error.msg}{shown}. Mend the line and try again.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise MethodError(f"{path} is not Python source: {error}.") from error


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Relative level, module, and the names taken from it, of every import statement, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", tuple(alias.name for alias in node.names)


def _local_imports(tree: ast.Module, file: Path, root: Path) -> Iterator[Path]:
    for level, module, names in _imports(tree):
        base = root
        if level:
            base = file.parent
            for _ in range(level - 1):
                base = base.parent
        steps = module.split(".") if module else []
        packages = [base.joinpath(*steps[:depth]) / "__init__.py" for depth in range(1, len(steps) + 1)]
        modules = [base.joinpath(*steps).with_suffix(".py")] if steps else []
        inner = [base.joinpath(*steps, name).with_suffix(".py") for name in names if name.isidentifier()]
        inner_packages = [base.joinpath(*steps, name, "__init__.py") for name in names if name.isidentifier()]
        for candidate in (*packages, *modules, *inner, *inner_packages):
            if candidate.is_file() and candidate.resolve().is_relative_to(root):
                yield candidate.resolve()


def _preloadable(tree: ast.Module) -> set[str]:
    modules = set()
    for level, module, names in _imports(tree):
        if level == 0 and module.split(".")[0] in _PRELOADABLE:
            modules.add(module)
            # `from sklearn import ensemble` names a module, `from sklearn.ensemble import X` does not; the
            # server tries both and shrugs.
            modules.update(f"{module}.{name}" for name in names if name != "*")
    names_used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if names_used & {"state_dict", "module"}:
        modules.add("torch")
    names_used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if names_used & {"hyperparameters", "privilege"}:
        modules.add("pandas")
    if "encodings" in names_used:
        modules.add("wslbench.encodings")
    return modules

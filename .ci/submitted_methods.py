"""Print the baselines that a commit changes, a path a line: those whose file, or a file that it imports, differs.

    python .ci/submitted_methods.py BASE HEAD

Files without a class that predicts or generates are parts of methods and not printed themselves. Nothing is imported.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from wslbench.errors import MethodError
from wslbench.evaluation.method_file import read_method_file

FOLDER = Path("baselines")
VERBS = {"predict", "generate"}


def main(base: str, head: str) -> None:
    """Print them."""
    command = ["git", "diff", "--name-only", "--no-renames", "--diff-filter=d", "-z", base, head, "--", str(FOLDER)]
    listed = subprocess.run(command, check=True, capture_output=True).stdout.decode(errors="replace")
    changed = {Path(path) for path in listed.split("\0") if path}
    for path in sorted(FOLDER.glob("*.py")):
        if is_method(path) and files_of(path) & changed:
            print(path)


def files_of(path: Path) -> set[Path]:
    """A method's file and those that it imports; one that cannot be read counts alone."""
    try:
        return {FOLDER / source for source, _ in read_method_file(path).sources}
    except MethodError:
        return {path}


def is_method(path: Path) -> bool:
    """Whether a class of this file has a method's verb; a file that does not parse is asked to be checked."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return True
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return any(isinstance(node, ast.FunctionDef) and node.name in VERBS for cls in classes for node in cls.body)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

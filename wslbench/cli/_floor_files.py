"""Files of the methods that every score is held against."""

from __future__ import annotations

from pathlib import Path


def floor_files(method: str) -> list[Path]:
    """Files of the floors and the oracle, but for the method itself."""
    from wslbench.bundled import bundled_path
    from wslbench.evaluation.floors import FLOORS
    from wslbench.evaluation.method_file import read_method_file

    files = [bundled_path("baselines") / f"{name}.py" for name in FLOORS]
    own = read_method_file(method).path.resolve()
    return [file for file in files if file.resolve() != own]

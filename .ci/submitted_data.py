"""Copy the results that a pull request adds or changes out of its commits, as data, without checking its tree out.

    python .ci/submitted_data.py BASE HEAD OUT

Writes OUT/METHOD/TASK.json, .parquet and audit/TASK.json for every result of which BASE...HEAD touches a file, all
three as HEAD has them: half of a pair cannot be judged. Leaves with 1, after naming each, if something under
leaderboard/results is no result (another name, a link, a program, a file too large), or if anything under
leaderboard/verified differs: its targets are taken on trust, so that maintainers alone write there. Uses the standard
library alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RESULTS = "leaderboard/results"
VERIFIED = "leaderboard/verified"
PATH = re.compile(
    rf"{RESULTS}/(?P<method>[A-Za-z0-9_][\w.-]*)/(?P<audit>audit/)?(?P<task>[A-Za-z0-9][\w.@-]*)\.(?P<kind>json|parquet)",
    re.ASCII,
)
LARGEST = 20_000_000  # bytes


def main(base: str, head: str, out: Path) -> int:
    """Copy, say what was copied, and return the exit code."""
    wanted: set[str] = set()
    refused = [f"{path!r}: verifications are maintainers' to write" for _, path in changes(base, head, VERIFIED)]
    for status, path in changes(base, head, RESULTS):
        found = PATH.fullmatch(path)
        if found is None or (found["audit"] and found["kind"] != "json"):
            refused.append(
                f"{path!r}: only METHOD/TASK.json, METHOD/TASK.parquet and METHOD/audit/TASK.json belong here"
            )
            continue
        print({"A": "added", "D": "removed"}.get(status, "changed"), path)
        stem = f"{RESULTS}/{found['method']}/"
        wanted |= {stem + name.format(found["task"]) for name in ("{}.json", "{}.parquet", "audit/{}.json")}
    for path in sorted(wanted):
        problem = copy(head, path, out / Path(path).relative_to(RESULTS))
        if problem:
            refused.append(f"{path}: {problem}")
    for line in refused:
        print("refused", line)
    return 1 if refused else 0


def changes(base: str, head: str, folder: str) -> list[tuple[str, str]]:
    """Status and path of every file in a folder that differs from where the pull request began."""
    range_ = f"{base}...{head}"
    fields = git("diff", "--name-status", "--no-renames", "-z", range_, "--", folder).decode(errors="replace")
    parts = fields.split("\0")
    return list(zip(parts[0::2], parts[1::2], strict=False))


def copy(head: str, path: str, to: Path) -> str | None:
    """Write one file as a commit has it, if it has it; what is wrong with it, if anything is."""
    entry = git("ls-tree", "-l", head, "--", path).decode()
    if not entry:
        return None
    mode, _, blob, size = entry.split("\t")[0].split()
    if mode != "100644":
        return f"no plain file, but of mode {mode}"
    if int(size) > LARGEST:
        return f"{int(size):,} bytes; at most {LARGEST:,} are taken"
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(git("cat-file", "blob", blob))
    return None


def git(*arguments: str) -> bytes:
    """What a git command prints."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).absolute()))

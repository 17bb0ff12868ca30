"""Hostile files are refused in words, at once, in little memory, and nothing else happens."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hostile.files import ESCAPE, FOREIGN_ZOOS, REVERSED, npy, npz
from tests.hostile.read_in_child import READERS
from tests.hostile.tricks import TRICKS
from wslbench.cli import main
from wslbench.foreign_text import has_control_characters, shown
from wslbench.interop import export_zoo
from wslbench.zoo import load_zoo

SECONDS = 1.0  # of a processor, so that a busy machine is no failure
BYTES = 200 * 2**20
CANARY = "nobody may touch this"


def sound_folders(base: Path, zoo: Path) -> dict[str, Path]:
    """By reader, a folder that it takes; most tricks are played on a copy."""
    state = base / "state dict" / "folder"
    state.mkdir(parents=True)
    npz(state / "net.npz", {"w.npy": npy(np.zeros(2, "<f4"))})
    folders = {"zoo": zoo, "state dict": state}
    for reader, write in FOREIGN_ZOOS.items():
        folders[reader] = base / reader / "folder"  # an import stands beside it
        folders[reader].mkdir(parents=True)
        write(folders[reader])
    (base / "table").mkdir()
    folders["table"] = base / "table" / "folder"
    export_zoo(load_zoo(zoo), "table", folders["table"])
    return folders


@pytest.fixture(scope="module")
def answers(built_tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a process of its own answered to every trick."""
    base = tmp_path_factory.mktemp("tricks")
    sound = sound_folders(base / "sound", built_tiny_zoo)
    asked = []
    for name, trick in TRICKS.items():
        place = base / name
        place.mkdir()
        (place / "canary.txt").write_text(CANARY)
        folder = place / "hostile"
        if trick.reader in sound and trick.reader != "state dict":
            shutil.copytree(sound[trick.reader], folder)
        else:
            folder.mkdir()
        trick.make(folder)
        asked.append([trick.reader, str(folder)])
    warm = [[reader, str(folder)] for reader, folder in sound.items()]
    before = {name: {path.name for path in (base / name).iterdir()} for name in TRICKS}
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.read_in_child"],
        input=json.dumps([warm, *asked]),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=600,
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    stopped_at = f" at {list(TRICKS)[len(told)]}" if len(told) < len(TRICKS) else ""
    assert done.returncode == 0, f"the reading process died{stopped_at}: {done.stderr[-2000:]}"
    for name, answer in zip(TRICKS, told, strict=True):
        answer["made"] = sorted(
            {path.name for path in (base / name).iterdir()} - before[name] - {"destination.partial"}
        )
        answer["canary"] = (base / name / "canary.txt").read_text()
    shutil.rmtree(base)
    return dict(zip(TRICKS, told, strict=True))


@pytest.mark.parametrize("name", TRICKS)
def test_trick(name: str, answers: dict[str, dict[str, Any]]) -> None:
    trick, answer = TRICKS[name], answers[name]
    assert answer["kinds"][0] == trick.error.__name__, answer
    assert re.search(trick.words, answer["message"]), answer["message"]
    assert answer["made"] == []
    assert answer["canary"] == CANARY
    assert answer["seconds"] < SECONDS
    assert answer["bytes"] < BYTES


IMPORT = "--format state-dicts --load load --temperature temperature --data-set x --train-size 1 --out PLACE/out"
MLP = "mlp in_features=1 hidden=[1] out_features=1"


@pytest.mark.parametrize(
    "command",
    [
        ["zoo", "verify", "PLACE"],
        ["zoo", "import", "PLACE", "--architecture", MLP, *IMPORT.split()],
        ["tasks", "validate", "PLACE/tasks.yaml"],
        ["evaluate", "PLACE/method.py", "--tasks", "PLACE/tasks.yaml"],
        ["leaderboard", "add", "PLACE/results", "--dry-run"],
    ],
    ids=lambda command: "-".join(command[:2]).removesuffix("-PLACE/method.py"),
)
def test_no_escape_code_reaches_the_terminal(command: list[str], tiny_zoo: Path, capfd: pytest.CaptureFixture[str],
                                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    place = tiny_zoo.rename(tiny_zoo.parent / ESCAPE.replace("/", "_"))
    (place / "weights" / f"{ESCAPE}.safetensors").touch()
    (place / "metadata.csv").write_text("file,load,temperature\nx,1,1\n")
    (place / "tasks.yaml").write_text('"\\e[2J": 1\n')
    (place / "results" / ESCAPE).mkdir(parents=True)
    (place / "results" / ESCAPE / f"{ESCAPE}.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["wslbench", *(word.replace("PLACE", str(place)) for word in command)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code != 0
    told = "".join(capfd.readouterr())
    assert told.strip()
    assert not has_control_characters(told)


def test_text_is_shown_as_it_is_unless_a_terminal_would_obey_it() -> None:
    for text in ("β = 0.1\n\tπ", "क्\u200dष", "a\u00adb", ""):
        assert shown(text) == text
    assert shown(f"a{ESCAPE}{REVERSED}") == r"a\x1b[2J\x1b]0;owned\x07\u202egnp.exe"
    assert not has_control_characters(shown("".join(map(chr, range(0x3000)))))


def test_every_reader_is_tricked() -> None:
    assert {trick.reader for trick in TRICKS.values()} == READERS.keys()

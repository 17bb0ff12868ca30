"""Zoos fetched ahead of their use, and published."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import constants

import wslbench
from tests.hub.conftest import REPOSITORY
from tests.hub.loopback_hub import Store, files_of
from wslbench.cli import main
from wslbench.errors import HubError, TaskError, ZooDamagedError, ZooError
from wslbench.hub import pull_zoo, push_zoo
from wslbench.hub.dataset_card import dataset_card
from wslbench.tasks import load_tasks
from wslbench.zoo import Zoo, verify
from wslbench.zoo.documents import read_card, write_card

TASKS = """
format_version: 1
default_protocol: phase-stratified
tasks:
- zoo: ZOO
  target: phase
  version: 1
  kind: phase_classification
  column: phase
  protocols: [phase-stratified]
  label: phases
  description: tells phases apart
suites:
  all: [ZOO.phase]
"""


def tasks_file(folder: Path, zoo: str = "tiny-cnn") -> Path:
    """A task file with one task."""
    path = folder / "tasks.yaml"
    path.write_text(TASKS.replace("ZOO", zoo))
    return path


def test_only_the_shards_of_a_task_come(hub: Store, tmp_path: Path) -> None:
    task = load_tasks(tasks_file(tmp_path))["tiny-cnn.phase"]
    pulled = pull_zoo(REPOSITORY, [task])
    assert sorted(file for file in hub.downloads() if file.startswith("weights")) == [
        "weights/w2/10-0.safetensors",
        "weights/w3/10-0.safetensors",
    ]
    assert pulled.shards == 2
    stranger = load_tasks(tasks_file(tmp_path, "another"))["another.phase"]
    with pytest.raises(TaskError, match="is about the zoo another, not about 'tiny-cnn'"):
        pull_zoo(REPOSITORY, [stranger])
    with pytest.raises(TaskError, match="but not both"):
        pull_zoo(REPOSITORY, [task], tmp_path / "out")


def test_a_pulled_zoo_stands_by_itself(hub: Store, built_tiny_zoo: Path, tmp_path: Path) -> None:
    pulled = pull_zoo(f"{REPOSITORY}@main", out=tmp_path / "new" / "out")
    assert files_of(pulled.folder) == files_of(built_tiny_zoo)
    assert verify(Zoo(tmp_path / "new" / "out")) == []
    with pytest.raises(ZooError, match="exists already"):
        pull_zoo(REPOSITORY, out=tmp_path / "new" / "out")


def test_the_command_line(hub: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["wslbench", "zoo", *words])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        assert left.value.code == (2 if "error" in told.err else 0), told
        return told.out + told.err

    origin = f"hf://{REPOSITORY}@{hub.branches[REPOSITORY, 'main']}"
    tasks = str(tasks_file(tmp_path))
    told = run("pull", REPOSITORY, "--shards-for", "tiny-cnn.phase", "--tasks", tasks)
    assert f"{origin}: 2 of 4 shards are in" in told
    assert f"{origin}: 4 of 4 shards are in {tmp_path / 'out'}" in run("pull", origin, "--out", str(tmp_path / "out"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "tiny-cnn: sound (60 checkpoints in 4 shards" in run("verify", f"hf://{REPOSITORY}")
    assert "HF_HUB_OFFLINE" in run("pull", "someone/other")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert "published as hf://me/mine@" in run("push", str(tmp_path / "out"), "me/mine")


def test_what_is_pushed_can_be_loaded_and_old_shards_go(hub: Store, built_tiny_zoo: Path) -> None:
    pushed = push_zoo(built_tiny_zoo, "me/mine")
    zoo, here = wslbench.load_zoo(str(pushed.address)), Zoo(built_tiny_zoo)
    assert verify(zoo) == []
    assert zoo.versions == here.versions
    for stack, true in zip(zoo.models().by_architecture(), here.models().by_architecture(), strict=True):
        for name in true.keys():  # noqa: SIM118 - a Stack is no mapping
            np.testing.assert_array_equal(stack[name], true[name])
    files = dict(hub.commits["me/mine", pushed.address.revision])
    assert files["phase-diagram.png"].startswith(b"\x89PNG")
    assert {name for name in files if name not in ("README.md", "phase-diagram.png", ".gitattributes")} == set(
        files_of(built_tiny_zoo)
    )
    hub.commit("me/mine", {**files, "weights/w9/10-0.safetensors": b"old", "notes.txt": b"the owner's"})
    again = push_zoo(built_tiny_zoo, "me/mine")
    assert again.deleted == 1
    assert hub.commits["me/mine", again.address.revision].keys() == {*files, "notes.txt"}


def test_what_is_not_sound_is_not_pushed(hub: Store, tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tiny_zoo / "weights" / "w2" / "2-0.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ZooDamagedError, match="not published"):
        push_zoo(tiny_zoo, "me/mine")
    assert hub.seen == []


@pytest.mark.parametrize("switched_off", [False, True])
def test_files_go_by_http_and_the_library_stays_as_it_was(
    switched_off: bool, hub: Store, built_tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub of these tests does not speak Xet, which is installed: an upload that tried it would fail."""
    assert importlib.util.find_spec("hf_xet") is not None
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", switched_off)
    push_zoo(built_tiny_zoo, "me/mine")
    with pytest.raises(HubError):
        push_zoo(built_tiny_zoo, "me/mine", "nowhere")
    assert constants.HF_HUB_DISABLE_XET is switched_off


def test_a_refusal_is_said(hub: Store, built_tiny_zoo: Path) -> None:
    with pytest.raises(HubError, match="cannot be published as hf://me/mine@nowhere"):
        push_zoo(built_tiny_zoo, "me/mine", "nowhere")


def test_the_card_says_what_the_zoo_is_and_nothing_else(hub: Store, tiny_zoo: Path) -> None:
    zoo = Zoo(tiny_zoo)
    text = dataset_card(zoo, wslbench.hub.parse_address("me/mine"), has_picture=True)
    _, front, body = text.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields["license"] == "mit"
    assert "license_name" not in fields
    assert fields["size_categories"] == ["n<1K"]
    assert "model-zoo" in fields["tags"]
    assert "![Phase diagram over width and learning rate](phase-diagram.png)" in body
    assert 'load_zoo("hf://me/mine")' in body
    assert "| checkpoints | 60, order parameters at epoch 10 |" in body
    card = read_card(tiny_zoo)
    mean = {"description": "<script>alert(1)</script> [x](http://evil) ![y](z)", "licence": "Odd one, v2",
            "citation": "```\n# not a heading"}  # fmt: skip
    write_card(tiny_zoo, card.model_copy(update=mean))
    zoo.__dict__["card"] = read_card(tiny_zoo)
    _, front, body = dataset_card(zoo, wslbench.hub.parse_address("me/mine"), has_picture=False).split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "other"
    assert yaml.safe_load(front)["license_name"] == "odd-one-v2"
    assert "<script" not in body.replace(r"\<script", "")
    assert "](http" not in body.replace(r"\](http", "")
    assert body.count("```") == 4

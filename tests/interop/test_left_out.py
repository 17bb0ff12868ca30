"""What is said of networks that an import left out is true, however many there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from wslbench.interop.left_out import LeftOut, entry, told
from wslbench.zoo.documents import read_card, write_card


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (2, "left out 2 (2 not finite): net0, net1; all are listed in zoo.yaml"),
        (5_003, "left out 5003 (5003 not finite): net0, net1, net2, …; 5000 of them are listed in zoo.yaml"),
    ],
)
def test_how_many_the_card_lists_is_said(count: int, words: str, built_tiny_zoo: Path, tmp_path: Path) -> None:
    recipe = entry([LeftOut(f"net{number}", "not finite") for number in range(count)])
    write_card(tmp_path, read_card(built_tiny_zoo).model_copy(update={"recipe": recipe}))
    card = read_card(tmp_path)  # which has a limit
    assert told(card) == words
    assert len(card.recipe["left_out"]["names"]) == min(count, 5_000)


def test_nothing_is_said_of_nothing(built_tiny_zoo: Path) -> None:
    assert entry([]) == {}
    assert told(read_card(built_tiny_zoo)) is None

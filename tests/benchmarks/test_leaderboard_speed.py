"""Tables and site of 200 methods on 50 tasks, against the JSON alone, which no site can be faster than."""

import json

import pytest

from tests.leaderboard.crowd import crowd
from wslbench.leaderboard.board import make_board
from wslbench.leaderboard.building import build_board
from wslbench.leaderboard.export import board_data
from wslbench.zoo import load_zoo


@pytest.fixture(scope="module")
def many(built_tiny_zoo, tmp_path_factory):
    zoo = load_zoo(built_tiny_zoo)
    results, book = crowd(tmp_path_factory.mktemp("crowd"), zoo, methods=200, tasks=50)
    return results, book, zoo


def test_tables_and_site_of_ten_thousand_results(against, many, tmp_path):
    results, book, zoo = many

    def build():
        build_board(results, book, "default", tmp_path, open_zoo=lambda name: zoo)

    def data_alone():
        json.dumps(board_data(make_board(results, book)))

    against(build, data_alone, rounds=1)
    assert (tmp_path / "site" / "index.html").stat().st_size < 2_000_000
    assert len(list((tmp_path / "site" / "methods").iterdir())) == 200

"""A method evaluated on a zoo that is on the hub: what is fetched, and what the result pins."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from tests.hub.conftest import REPOSITORY
from tests.hub.loopback_hub import Store
from tests.hub.test_pulling_and_pushing import tasks_file
from wslbench.cli import app
from wslbench.zoo import Zoo

METHOD = """
import numpy as np

class Even:
    '''Says that all phases are as likely, after a look at all weights.'''
    def fit(self, models, target, context):
        self.classes = len(context.classes)
    def predict(self, models):
        assert all(np.isfinite(tensor).all() for model in models for tensor in model.tensors().values())
        return np.full((len(models), self.classes), 1 / self.classes)
"""


def test_the_result_names_the_commit_and_no_shard_comes_in_vain(
    hub: Store, built_tiny_zoo: Path, tmp_path: Path
) -> None:
    (tmp_path / "even.py").write_text(METHOD)
    pinned = f"hf://{REPOSITORY}@{hub.branches[REPOSITORY, 'main']}"
    words = ["evaluate", tmp_path / "even.py", "--tasks", tasks_file(tmp_path), "--zoo", f"hf://{REPOSITORY}"]
    done = CliRunner().invoke(app, [*map(str, words), "--seeds", "1", "--out", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "runs" / "even" / "tiny-cnn.phase.json").read_text(encoding="utf-8"))
    assert (record["status"], record["coverage"]) == ("ok", 1.0)
    assert record["environment"]["zoo tiny-cnn"] == pinned
    assert record["provenance"]["weights"] == Zoo(built_tiny_zoo).manifest.weights.hash
    # Of the epochs that are not measured nothing was fetched.
    assert sorted(file for file in hub.downloads() if file.startswith("weights")) == [
        "weights/w2/10-0.safetensors",
        "weights/w3/10-0.safetensors",
    ]

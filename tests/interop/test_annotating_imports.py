"""Networks that came in as bare state dicts are measured as the zoo was that they came from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from tests.annotation.foreign import OPTIONS
from tests.engines.here import Here
from tests.population.recipes import tiny_recipe
from wslbench.annotation.annotate_zoo import annotate_zoo
from wslbench.annotation.options import options_of
from wslbench.cli.zoo import app
from wslbench.interop import export_zoo
from wslbench.population.build import build_zoo
from wslbench.zoo import Zoo, load_zoo, verify

RUN = ["width", "learning_rate", "seed"]
# All train images, so that it makes no difference which ones would have been drawn; and a boundary between the cells.
SAME = {"hessian": {"subset_size": 240, "minimum_probes": 16}, "cutoffs": {"train_loss": 1.75, "cka": 0.6}}


def bare_state_dicts(zoo: Zoo, folder: Path) -> Path:
    """The measured networks alone, under names that say nothing, and a CSV file with their grid and seeds."""
    exported = folder.with_name("exported")
    export_zoo(zoo, "state-dicts", exported)
    listed = pd.read_csv(exported / "metadata.csv").query("measured")
    folder.mkdir()
    names = [f"network-{number}.safetensors" for number in range(len(listed))]
    for old, new in zip(listed.iloc[:, 0], names, strict=True):
        shutil.copy(exported / old, folder / new)
    listed[RUN].assign(file=names)[["file", *RUN]].to_csv(folder / "metadata.csv", index=False)
    return folder


@pytest.mark.slow
def test_phases_and_order_parameters_come_back(tmp_path: Path) -> None:
    recipe = tiny_recipe(longer_curve_pairs=1, unfinished_check="none", **SAME)
    built = build_zoo(recipe, tmp_path / "built", engine=Here()).zoo
    source = bare_state_dicts(built, tmp_path / "source")
    words = ["--format", "state-dicts", "--load", "width", "--temperature", "learning_rate", "--data-set", "digits"]
    words += ["--architecture", f"cnn width=@width {other_arguments(built)}", "--out", str(tmp_path / "imported")]
    words += ["--name", "tiny"]  # from which images and wrong labels are drawn
    done = CliRunner().invoke(app, ["import", str(source), *words])
    assert done.exit_code == 0, done.output
    imported = load_zoo(tmp_path / "imported")
    assert imported.table["phase"].isna().all()
    assert set(imported.protocols) == {"new-load", "new-temperature"}
    (tmp_path / "options.yaml").write_text(yaml.safe_dump(OPTIONS | SAME))
    zoo = annotate_zoo(imported, options_of(imported, tmp_path / "options.yaml"), Here()).zoo

    assert verify(zoo) == []
    assert set(zoo.protocols) == set(built.protocols)
    both = built.table.query("measured").merge(zoo.table, on=RUN, suffixes=("", "_back"), validate="1:1")
    assert len(both) == len(zoo.table) == 18
    assert both["phase_back"].tolist() == both["phase"].tolist()
    assert set(both["phase"].dropna()) == {"I", "III"}
    # Names of cells are others than before, so what is drawn differs: probes, and the order of images along curves.
    errors = np.hypot(both["hessian_trace_se"], both["hessian_trace_se_back"])
    assert (np.abs(both["hessian_trace_back"] - both["hessian_trace"]) < 5 * errors).all()
    for name, relative, absolute in (
        *((name, 0, 1e-5) for name in ("train_loss", "test_loss", "test_accuracy", "cka")),
        ("hessian_top_eigenvalue", 1e-2, 0),
        ("mode_connectivity", 0, 1),  # in points, of some 6 to 26
    ):
        expected = both[name].to_numpy()
        assert both[f"{name}_back"].to_numpy() == pytest.approx(expected, rel=relative, abs=absolute), name


def other_arguments(zoo: Zoo) -> str:
    """What the networks' builder is told beside the width, as a user would type it."""
    (first, *_) = zoo.card.architectures.values()
    return " ".join(f"{name}={value}" for name, value in first.arguments.items() if name != "width")

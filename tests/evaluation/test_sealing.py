"""What a method finds when it looks for the answers: nothing, or a typed refusal."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from textwrap import indent

import numpy as np
import pytest

from tests.evaluation.conftest import NUMBERS_UNIT, PHASES_UNIT, RunMethod, WriteMethod
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.task_run import TaskRun
from wslbench.evaluation.unit import UnitResult, run_unit
from wslbench.tasks import prepare
from wslbench.zoo import load_zoo

METHOD = """
import gc, os, sys, tempfile
from pathlib import Path
import numpy as np
import wslbench

SEEN = []

class Method:
    {privilege}
    def fit(self, models, target, context):
{fit}
    def predict(self, models, *more):
{predict}
        return np.zeros(len(models)) if not getattr(self, 'classes', ()) else np.eye(5)[[0] * len(models)]
"""


def method(fit: str = "pass", predict: str = "pass", privilege: str = "pass") -> str:
    return METHOD.format(privilege=privilege, fit=indent(fit, " " * 8), predict=indent(predict, " " * 8))


def found(result: UnitResult) -> str:
    """What the method reported by an exception."""
    assert result.failure is not None
    return result.failure.message


def test_the_arguments_hold_weights_and_train_labels_alone(run_method: RunMethod) -> None:
    fit = """
assert len(models) == len(target) == len(context.groups) == 60, len(models)
assert context.hyperparameters is None and context.target_phase is None
assert vars(context.task) == dict(id="synthetic.phases", kind="phase_classification", target="phase"), context.task
assert context.classes == ("I", "II", "III", "IV-A", "IV-B")
self.classes = context.classes"""
    predict = """
assert not more
assert not any(hasattr(models, name) for name in ("table", "labels", "target", "path", "zoo"))
assert all(set(vars(model)) == {"id", "architecture", "_source", "_row"} for model in models)"""
    assert run_method(method(fit, predict), PHASES_UNIT).failure is None


def test_ids_are_made_for_the_unit(run_method: RunMethod) -> None:
    real = {*NUMBERS_UNIT.train.models.ids, *NUMBERS_UNIT.test.models.ids}
    text = "raise ValueError(' '.join(models.ids))"
    first = found(run_method(method(predict=text)))
    other = found(run_method(method(predict=text), replace(NUMBERS_UNIT, key="another unit")))
    assert not any(name in first for name in real)
    assert set(first.split()[1:]).isdisjoint(other.split()[1:5])
    assert first == found(run_method(method(predict=text)))


def test_no_frame_and_no_object_of_the_process_holds_other_models_during_fit(run_method: RunMethod) -> None:
    fit = """
from wslbench.zoo.models import Models
held = [each for each in gc.get_objects() if isinstance(each, Models)]
assert len(held) == 1 and held[0] is models, held"""
    assert run_method(method(fit)).failure is None


def test_the_environment_and_the_folders_are_empty(run_method: RunMethod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSLBENCH_SECRET", "labels")
    fit = """
assert "WSLBENCH_SECRET" not in os.environ
assert "labels" not in os.environ.values()
folders = {Path.home(), Path(tempfile.gettempdir()), Path.cwd()}
assert len(folders) == 3 and not any(list(folder.iterdir()) for folder in folders), folders
assert len({folder.parent for folder in folders}) == 1, folders
assert sys.argv[0].endswith(("server.py", "-m")), sys.argv
files = {}
for fd in map(int, os.listdir("/proc/self/fd")):
    try: files[fd] = os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError: pass  # of the listing itself
assert files[0] == os.devnull and files[1] == files[2] and files[3].startswith("socket:"), files
assert all("wslbench-bundle" in name and name.endswith("(deleted)") for fd, name in files.items() if fd > 3), files
assert os.getsid(0) == os.getpid()"""
    assert run_method(method(fit)).failure is None


def test_a_module_global_does_not_live_until_the_next_fold(run_method: RunMethod) -> None:
    fit = "assert not SEEN, SEEN\nassert not hasattr(np, 'seen')\nSEEN.extend(target)\nnp.seen = SEEN"
    for seed in range(3):
        assert run_method(method(fit), replace(NUMBERS_UNIT, key=f"seed {seed}")).failure is None


@pytest.mark.parametrize(
    "folder", ["Path.home()", "Path(tempfile.gettempdir())", "Path.cwd()", "Path(tempfile.mkdtemp()).parent"]
)
def test_files_do_not_live_until_the_next_fold(run_method: RunMethod, folder: str) -> None:
    fit = f"""
kept = {folder} / "labels.npy"
assert not kept.exists()
np.save(kept, target)
assert kept.exists()"""
    for seed in range(2):
        assert run_method(method(fit), replace(NUMBERS_UNIT, key=f"seed {seed}")).failure is None


@pytest.mark.parametrize(
    "write",
    [
        "np.save(Path(__file__).with_name('labels.npy'), target)",
        "Path('/tmp/wslbench-labels.txt').write_text(str(target))",
        "os.open('/tmp/wslbench-labels.txt', os.O_CREAT | os.O_WRONLY)",
        "Path('/tmp/wslbench-labels').mkdir()",
        "Path('x').write_text('1'); os.rename('x', '/tmp/wslbench-labels.txt')",
        "os.symlink('x', '/tmp/wslbench-labels.txt')",
    ],
)
def test_writing_elsewhere_is_refused(run_method: RunMethod, write: str) -> None:
    result = run_method(method(write))
    assert "SealedFileError: a method may not write" in found(result)
    assert result.failure is not None
    assert result.failure.kind == "fit_error"
    assert not list(Path("/tmp").glob("wslbench-labels*"))


def test_a_refused_write_looks_like_a_read_only_disk(run_method: RunMethod) -> None:
    fit = "try: open('/tmp/wslbench-labels.txt', 'w')\nexcept PermissionError: pass\nopen(os.devnull, 'w').write('x')"
    assert run_method(method(fit)).failure is None


@pytest.mark.parametrize(
    "read",
    [
        "open(wslbench.bundled.bundled_path('results') / 'chance' / 'x.parquet', 'rb')",
        "(wslbench.bundled.bundled_path('verified') / 'README.md').read_text()",
        "(wslbench.bundled.embedded_zoos_path() / 'digits-cnn' / 'models.parquet').read_bytes()",
        "os.open(str(wslbench.bundled.embedded_zoos_path()) + '/../zoos/digits-cnn/splits/x', os.O_RDONLY)",
    ],
)
def test_reading_the_packages_answers_is_refused(run_method: RunMethod, read: str) -> None:
    assert "SealedFileError: a method may not read" in found(
        run_method(method(predict=f"import wslbench.bundled\n{read}"))
    )


def test_the_zoo_under_evaluation_cannot_be_loaded(
    write_method: WriteMethod, launcher: Launcher, tiny_zoo: Path, tmp_path: Path
) -> None:
    zoo = load_zoo(tiny_zoo)
    source = method(fit="self.classes = context.classes", predict=f"wslbench.load_zoo({str(tiny_zoo)!r}).table")
    run = TaskRun(
        problem=prepare(tiny_tasks(tmp_path)[f"{NAME}.phase"], zoo), zoos=(zoo,), seeds=(0,),
        method=read_method_file(write_method(source)), limits=Limits(60.0), device="cpu",
    )  # fmt: skip
    result = run_unit(run.unit(run.units()[0]), run.method, launcher, Limits(60.0), threading.Event())
    assert result.failure is not None
    assert result.failure.kind == "predict_error"
    assert "refused: SealedError" in result.failure.message


def test_no_call_of_predict_sees_two_seeds_of_a_cell(run_method: RunMethod) -> None:
    # The oracle is told the cell of each model, which is how it can tell siblings.
    predict = """
cells = more[0].astype(str).agg(" ".join, axis=1)
assert len(cells) == len(models)
assert cells.is_unique, cells"""
    assert run_method(method(predict=predict, privilege="privilege = 'hyperparameters'")).failure is None


def test_groups_are_cells_under_random_numbers(run_method: RunMethod) -> None:
    fit = """
cells = context.hyperparameters.astype(str).agg(" ".join, axis=1)
pairs = set(zip(cells, context.groups))
assert len(pairs) == len(set(cells)) == len(set(context.groups)) == 20
by_cell = [group for _, group in sorted(pairs)]
assert by_cell != sorted(by_cell)"""
    source = method(fit, predict="assert not more", privilege="privilege = 'train_hyperparameters'")
    assert run_method(source).failure is None


def test_rows_of_train_models_come_in_an_order_that_tells_nothing(run_method: RunMethod) -> None:
    fit = """
rank = np.arange(len(target))
assert abs(np.corrcoef(rank, target)[0, 1]) < 0.4
assert len(set(np.diff(context.groups))) > 10"""
    assert run_method(method(fit)).failure is None


def test_labels_and_predictions_belong_to_their_models(run_method: RunMethod) -> None:
    """A method that reads the level off the scale of the weights is right on both sides of every shuffle."""
    source = """
    import numpy as np
    def scale(models):
        return np.array([m.tensors()["conv3.weight"].std() for m in models])
    class ByScale:
        def fit(self, models, target, context):
            x = scale(models)
            self.classes = list(context.classes)
            self.centres = np.array([np.median(x[target == c]) for c in self.classes])
        def predict(self, models):
            return np.eye(5)[np.abs(scale(models)[:, None] - self.centres).argmin(1)]
    """
    result = run_method(source, PHASES_UNIT)
    assert result.predictions is not None
    level = np.tile(np.repeat(np.arange(10), 3) % 5, 2)
    assert (result.predictions.argmax(1) == level).mean() > 0.9


def test_models_that_a_method_does_not_support_stay_away_from_it(run_method: RunMethod) -> None:
    source = """
    import numpy as np
    class Narrow:
        def supports(self, architecture):
            return "too wide" if architecture.arguments["width"] > 2 else None
        def fit(self, models, target, context):
            assert len(models) == 30 and len(target) == 30 and len(context.groups) == 30
        def predict(self, models):
            assert all(m.architecture.arguments["width"] == 2 for m in models)
            return np.ones(len(models))
    """
    result = run_method(source)
    assert result.failure is None
    assert result.unsupported == {"cnn-width-3": "too wide"}
    assert result.covered.tolist() == [True] * 30 + [False] * 30
    assert result.predictions is not None
    assert np.isnan(result.predictions[30:]).all()
    assert (result.predictions[:30] == 1).all()


def test_a_method_that_supports_nothing_is_not_asked(run_method: RunMethod) -> None:
    source = """
    class Nothing:
        def supports(self, architecture): return "no"
        def fit(self, models, target, context): raise ValueError
        def predict(self, models): raise ValueError
    """
    result = run_method(source)
    assert result.failure is None
    assert not result.covered.any()


def test_forgotten_seeds_are_set(run_method: RunMethod) -> None:
    source = """
    import random
    import numpy as np
    class Unseeded:
        def fit(self, models, target, context): self.value = np.random.normal() + random.random()
        def predict(self, models): return np.full(len(models), self.value)
    """
    first, second = run_method(source).predictions, run_method(source).predictions
    other = run_method(source, replace(NUMBERS_UNIT, key="other")).predictions
    assert first is not None
    assert second is not None
    assert other is not None
    np.testing.assert_array_equal(first, second)
    assert first[0, 0] != other[0, 0]

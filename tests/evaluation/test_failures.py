"""Every way in which a method can fail is told from the others, and leaves nothing behind."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.evaluation.conftest import NUMBERS_UNIT, PHASES_UNIT, RunMethod, WriteMethod
from wslbench.evaluation.containment import PRIVATE_PREFIX
from wslbench.evaluation.failures import UnitFailure, failure_paragraph
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits, StoppedError
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.unit import run_unit

METHOD = """
import ctypes, os, signal, subprocess, sys, time
import numpy as np

class Method:
    def fit(self, models, target, context):
        {fit}
    def predict(self, models):
        {predict}
"""
ZEROS = "return np.zeros(len(models))"


def method(fit: str = "pass", predict: str = ZEROS) -> str:
    return METHOD.format(fit=fit, predict=predict)


def test_a_method_that_keeps_to_the_rules_is_ok(run_method: RunMethod) -> None:
    result = run_method(method(fit="self.parameters = np.int64(7)", predict="return [1.5] * len(models)"))
    assert result.failure is None
    assert result.predictions is not None
    assert (result.predictions == 1.5).all()
    assert result.predictions.shape == (len(NUMBERS_UNIT.test.models), 1)
    assert result.parameters == 7
    assert result.peak_memory_bytes is not None
    assert result.peak_memory_bytes > 2**20


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        (method(fit="raise ValueError('no such thing')"), "fit_error", "ValueError: no such thing (method.py:7, in f"),
        (method(fit="sys.exit(3)"), "fit_error", "SystemExit: 3"),
        (method(fit="np.linalg.inv(np.zeros((2, 2)))"), "fit_error", "method.py:7"),
        (method(fit="raise MemoryError"), "out_of_memory", "MemoryError"),
        (method(predict="return undefined"), "predict_error", "NameError: name 'undefined'"),
        (method(predict="raise KeyboardInterrupt"), "predict_error", "KeyboardInterrupt"),
        (method(predict="raise ValueError('x' * 10000)"), "predict_error", "…"),
        (method(predict="return None"), "wrong_shape", "shape [] instead of"),
        (method(predict="return 'text'"), "wrong_shape", "could not convert"),
        (method(predict="return [[1], [1, 2]]"), "wrong_shape", "inhomogeneous"),
        (method(predict="return np.zeros((len(models), 1))"), "wrong_shape", "instead of ["),
        (method(predict="return np.zeros(len(models) + 1)"), "wrong_shape", "instead of ["),
        (method(predict="return np.where(np.arange(len(models)), 0.0, np.nan)"), "not_finite", "nan in row 0"),
        (method(predict="return np.full(len(models), -np.inf)"), "not_finite", "-inf"),
        (method(fit="os._exit(5)"), "crashed", "during `fit`, its process left with exit code 5"),
        (method(predict="os._exit(0)"), "crashed", "during `predict`, its process left with exit code 0"),
        (method(fit="os.kill(os.getpid(), signal.SIGKILL)"), "crashed", "SIGKILL"),
        (method(fit="ctypes.string_at(0)"), "crashed", "signal 11"),
        (method(fit="os.close(3)"), "crashed", "during `fit`"),
        (method(fit="os.write(3, b'x' * 64)"), "crashed", "sent nonsense"),
        (method(fit="os.kill(os.getppid(), signal.SIGKILL); time.sleep(30)"), "crashed", "warden"),
    ],
)  # fmt: skip
def test_failures_are_typed(run_method: RunMethod, source: str, kind: str, words: str) -> None:
    result = run_method(source)
    assert result.failure is not None
    assert result.failure.kind == kind
    assert words in result.failure.message.replace("array(", "")
    assert len(result.failure.message) < 1200
    assert result.predictions is None


def test_one_number_instead_of_one_a_model_is_a_wrong_shape(run_method: RunMethod) -> None:
    failure = run_method(method(predict="return 3.0")).failure
    assert failure is not None
    assert failure.kind == "wrong_shape"
    assert "shape [] instead of" in failure.message


@pytest.mark.parametrize(
    ("predict", "kind", "words"),
    [
        ("return np.full((len(models), 5), 0.2)", None, ""),
        ("return np.full((len(models), 4), 0.25)", "wrong_shape", "5 classes"),
        ("return np.full((len(models), 5), 0.3)", "wrong_shape", "sum 1.5"),
        ("return np.tile([2.0, -1.0, 0, 0, 0], (len(models), 1))", "wrong_shape", "no probabilities"),
        ("return ['I'] * len(models)", "wrong_shape", "could not convert"),
    ],
)
def test_phases_are_predicted_by_probabilities(
    run_method: RunMethod, predict: str, kind: str | None, words: str
) -> None:
    failure = run_method(method(predict=predict), PHASES_UNIT).failure
    assert (failure.kind if failure else None) == kind
    assert failure is None or words in failure.message


@pytest.mark.parametrize(
    "predict",
    [
        "x = np.array([np.abs(m.tensors()['fc.bias']).mean() for m in models]); return x - x.mean()",
        "return np.arange(len(models), dtype=float)",
        "self.calls = getattr(self, 'calls', 0) + 1; return np.full(len(models), float(self.calls))",
        "return np.random.default_rng().normal(size=len(models))",
        "return np.array([float(int(i, 16) % 97) for i in models.ids])",
        "return np.full(len(models), float(len(models)))",
    ],
    ids=["centred", "position", "state", "random", "ids", "size"],
)
def test_predictions_that_depend_on_company_are_found_out(run_method: RunMethod, predict: str) -> None:
    failure = run_method(method(predict=predict)).failure
    assert failure is not None
    assert failure.kind == "chunk_dependent"
    assert "predicted again" in failure.message


def test_rounding_is_no_dependence_on_company(run_method: RunMethod) -> None:
    rounded = (
        "return np.array([float(np.float32(m.tensors()['fc.bias'].sum()) * (1 + 1e-6 / len(models))) for m in models])"
    )
    assert run_method(method(predict=rounded)).failure is None


@pytest.mark.parametrize(
    ("fit", "predict"),
    [
        ("\n        while True: pass", ZEROS),
        ("[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; time.sleep(60)", ZEROS),
        ("os.kill(os.getpid(), signal.SIGSTOP)", ZEROS),
        ("pass", "time.sleep(60)"),
    ],
    ids=["loop", "deaf", "stopped", "predict"],
)
def test_time_is_limited(run_method: RunMethod, fit: str, predict: str) -> None:
    failure = run_method(method(fit, predict), limits=Limits(seconds=0.7)).failure
    assert failure is not None
    assert failure.kind == "timeout"
    assert "0.7 s" in failure.message


def test_the_deadline_tells_how_much_time_is_left(run_method: RunMethod) -> None:
    fit = "left = context.deadline - time.monotonic(); assert 30 < left <= 60, left"
    assert run_method(method(fit=fit)).failure is None


@pytest.mark.parametrize(
    "fit",
    [
        "self.x = [np.ones(2**23) for _ in range(64)]; time.sleep(30)",
        "[subprocess.Popen([sys.executable, '-c', 'x = bytearray(b\"1\") * 2**28; input()'], stdin=subprocess.PIPE) "
        "for _ in range(3)]; time.sleep(30)",
    ],
    ids=["own", "sub-processes"],
)
def test_memory_is_limited_over_the_process_tree(run_method: RunMethod, fit: str) -> None:
    result = run_method(method(fit=fit), limits=Limits(30.0, 600 * 2**20))
    assert result.failure is not None
    assert result.failure.kind == "out_of_memory"
    assert result.peak_memory_bytes is not None
    assert result.peak_memory_bytes > 600 * 2**20


def test_mapped_files_are_not_memory_that_counts(run_method: RunMethod) -> None:
    fit = (
        "open('big', 'wb').truncate(2**29); m = np.memmap('big', dtype=np.uint8, mode='r'); "
        "self.x = int(m[::4096].sum()); time.sleep(0.2)"
    )
    result = run_method(method(fit=fit), limits=Limits(30.0, 400 * 2**20))
    assert result.failure is None


def test_no_process_of_the_method_outlives_its_unit(run_method: RunMethod) -> None:
    # A daemon as in the textbook: its own session, its parent gone, deaf to a hang-up.
    daemon = (
        "import os, signal, sys, time\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "if os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
        "print(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    command = f"[sys.executable, '-c', {daemon!r}]"
    fit = f"self.pid = int(subprocess.Popen({command}, stdout=subprocess.PIPE).stdout.readline())"
    result = run_method(method(fit=fit, predict="return np.full(len(models), float(self.pid))"))
    assert result.failure is None
    assert result.predictions is not None
    assert not psutil.pid_exists(int(result.predictions[0, 0]))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files of processes started from here lie; no test that runs beside this one has any there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_no_private_folder_outlives_its_unit(write_method: WriteMethod, temporary: Path) -> None:
    fit = "import pathlib; pathlib.Path('deep/er').mkdir(parents=True); raise ValueError(os.getcwd())"
    source = read_method_file(write_method(method(fit=fit)))
    with Launcher() as own:
        failure = run_unit(NUMBERS_UNIT, source, own, Limits(60.0), threading.Event()).failure
    assert failure is not None
    work = Path(failure.message.split()[1])
    assert work.name == "work"
    assert work.parent.parent == temporary
    assert work.parent.name.startswith(PRIVATE_PREFIX)
    assert not list(temporary.iterdir())


def test_no_private_folder_outlives_a_killed_warden(write_method: WriteMethod, temporary: Path) -> None:
    source = read_method_file(write_method(method(fit="os.kill(os.getppid(), signal.SIGKILL); time.sleep(30)")))
    with Launcher() as own:
        failure = run_unit(NUMBERS_UNIT, source, own, Limits(60.0), threading.Event()).failure
    assert failure is not None
    assert failure.kind == "crashed"
    assert not list(temporary.iterdir())


def test_what_a_failed_method_printed_is_kept(run_method: RunMethod) -> None:
    failure = run_method(method(fit="print('a' * 5000); print('last words'); raise ValueError")).failure
    assert failure is not None
    assert failure.output.endswith("last words")
    assert len(failure.output) <= 2000


def test_a_stop_ends_a_running_unit(write_method: WriteMethod, launcher: Launcher) -> None:
    source = read_method_file(write_method(method(fit="time.sleep(60)")))
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(StoppedError):
        run_unit(NUMBERS_UNIT, source, launcher, Limits(60.0), stop)


@pytest.mark.parametrize("fork", [True, False])
def test_units_run_from_a_server_and_without_one_alike(write_method: WriteMethod, fork: bool) -> None:
    source = read_method_file(
        write_method(method(predict="return np.array([float(m.tensors()['fc.bias'].sum()) for m in models])"))
    )
    with Launcher(source.preload, fork) as own:
        result = run_unit(NUMBERS_UNIT, source, own, Limits(60.0), threading.Event())
        failed = run_unit(
            replace(NUMBERS_UNIT, key="other"), read_method_file(write_method(method("os._exit(4)"), "b.py")), own,
            Limits(60.0), threading.Event(),
        )  # fmt: skip
    expected = [float(model.tensors()["fc.bias"].sum()) for model in NUMBERS_UNIT.test.models]
    assert result.predictions is not None
    np.testing.assert_allclose(result.predictions[:, 0], expected, rtol=1e-6)
    assert failed.failure is not None
    assert failed.failure.kind == "crashed"


def test_a_dead_server_is_replaced_by_plain_starts(write_method: WriteMethod) -> None:
    source = read_method_file(write_method(method()))
    with Launcher() as own:
        assert run_unit(NUMBERS_UNIT, source, own, Limits(60.0), threading.Event()).failure is None
        (server,) = (
            p for p in psutil.Process().children() if "wslbench.evaluation.server" in p.cmdline() and _is_new(p)
        )
        server.kill()
        server.wait()
        assert run_unit(NUMBERS_UNIT, source, own, Limits(60.0), threading.Event()).failure is None


def _is_new(process: psutil.Process) -> bool:
    return process.pid == max(p.pid for p in psutil.Process().children() if "wslbench.evaluation.server" in p.cmdline())


def test_closing_the_launcher_leaves_no_process() -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with Launcher(["numpy"]):
        pass
    after = {process.pid for process in psutil.Process().children(recursive=True)}
    assert after <= before


def test_paragraphs_name_the_place_and_the_remedy() -> None:
    text = failure_paragraph(UnitFailure("timeout", "it took\nlong"), "tiny.phase, fold 0, seed 1")
    assert text.startswith("tiny.phase, fold 0, seed 1: timeout: it took long. ")
    assert "--timeout" in text
    assert "\n" not in text

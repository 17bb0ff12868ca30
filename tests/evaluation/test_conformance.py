"""``check`` finds what would go wrong in an evaluation, and says how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.conftest import WriteMethod
from wslbench.errors import MethodError
from wslbench.evaluation.conformance import check
from wslbench.evaluation.template import write_template

METHOD = """
import numpy as np

class Method:
    def fit(self, models, target, context):
        self.classes, self.seen = context.classes, sorted(set(target))
        {fit}
    def predict(self, models):
        p = np.full((len(models), len(self.classes)), 0.2)
        {predict}
        return p if self.classes else np.ones(len(models))
"""


def problems(path: Path, **options) -> dict[str, str]:
    _, findings = check(path, **options)
    return {finding.title: finding.text for finding in findings if finding.status != "ok"}


def test_the_template_passes(tmp_path: Path) -> None:
    write_template(tmp_path / "fresh.py")
    declared, findings = check(tmp_path / "fresh.py")
    assert declared.class_name == "MyMethod"
    assert {finding.status for finding in findings} == {"ok"}
    assert len({finding.title for finding in findings}) == len(findings) == 7


def test_what_fails_is_told_with_what_was_printed(write_method: WriteMethod) -> None:
    found = problems(write_method(METHOD.format(fit="print('so far'); raise ValueError('broken')", predict="pass")))
    assert len(found) == 7
    for text in found.values():
        assert "ValueError: broken" in text
        assert "Mend `fit`" in text
        assert text.endswith("It printed:\nso far")


def test_widths_and_phases_that_fit_never_saw_are_tried(write_method: WriteMethod) -> None:
    fit = "self.width = [len(m.tensors()['bn1.bias']) for m in models]"
    predict = (
        "assert all(len(m.tensors()['bn1.bias']) in self.width for m in models), 'new width'\n"
        "        if self.classes: p = np.full((len(models), len(self.seen)), 1 / len(self.seen))"
    )
    found = problems(write_method(METHOD.format(fit=fit, predict=predict)))
    assert set(found) == {
        "phases: networks of a width that fit never saw",
        "phases: a phase that fit never saw",
        "numbers: networks of a width that fit never saw",
    }
    assert "new-load" in found["numbers: networks of a width that fit never saw"]
    assert "context.classes" in found["phases: a phase that fit never saw"]


def test_numbers_that_cannot_be_repeated_are_noted(write_method: WriteMethod) -> None:
    source = """
    import os
    import numpy as np
    class Method:
        def fit(self, models, target, context): self.value = float(int.from_bytes(os.urandom(4)))
        def predict(self, models): return np.full(len(models), self.value)
    """
    found = problems(write_method(source), kinds=("accuracy_prediction",))
    assert set(found) == {"numbers: the same numbers when run again"}
    assert "context.seed" in next(iter(found.values()))


def test_what_is_not_supported_is_noted(write_method: WriteMethod) -> None:
    source = METHOD.format(fit="pass", predict="pass") + (
        "    def supports(self, a): return 'wide' if a.arguments['width'] > 3 else None\n"
    )
    found = problems(write_method(source), kinds=("phase_classification",))
    assert list(found) == ["phases: networks of a width that fit never saw"]
    assert "cnn-width-4: wide" in next(iter(found.values()))


def test_the_template_is_not_written_over_anything(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("mine")
    with pytest.raises(MethodError, match="exists already"):
        write_template(tmp_path / "mine.py")
    assert (tmp_path / "mine.py").read_text() == "mine"
    with pytest.raises(MethodError, match="does not end in"):
        write_template(tmp_path / "mine.txt")
    with pytest.raises(MethodError, match="no folder"):
        write_template(tmp_path / "absent" / "mine.py")

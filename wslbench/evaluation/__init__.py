"""Evaluation: sealed processes that run methods, and the statistics that judge what comes back.

``wslbench.evaluation.tier`` says what the seal is worth. Importing this package loads nothing: the processes
that run methods do, too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wslbench.evaluation.audit_schema import AuditRecord
    from wslbench.evaluation.auditor import audit
    from wslbench.evaluation.evaluator import evaluate
    from wslbench.evaluation.execution import Progress, Settings
    from wslbench.evaluation.limits import Limits
    from wslbench.evaluation.result_files import read_record
    from wslbench.evaluation.result_schema import ResultRecord

_EXPORTS = {
    "AuditRecord": "audit_schema",
    "Limits": "limits",
    "Progress": "execution",
    "ResultRecord": "result_schema",
    "Settings": "execution",
    "audit": "auditor",
    "evaluate": "evaluator",
    "read_record": "result_files",
}

__all__ = ["AuditRecord", "Limits", "Progress", "ResultRecord", "Settings", "audit", "evaluate", "read_record"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'wslbench.evaluation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"wslbench.evaluation.{_EXPORTS[name]}"), name)

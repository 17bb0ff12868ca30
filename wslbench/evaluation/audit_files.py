"""Where audits stand on disk: ``<folder>/<method>/audit/<task id>.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.record_files import read_record_of, write_record

AUDIT_FOLDER: Final = "audit"


def audit_path(result: Path) -> Path:
    """Where the audit stands that belongs to a result."""
    return result.parent / AUDIT_FOLDER / result.name


def write_audit(record: AuditRecord, folder: Path) -> Path:
    """Write an audit under ``folder``, whole or not at all; its path.

    Raises
    ------
    ResultError
        If the folder cannot be written.
    """
    path = audit_path(folder / record.method.name / f"{record.task}.json")
    write_record(record, path, "audit")
    return path


def read_audit(path: Path) -> AuditRecord:
    """Read one audit.

    Raises
    ------
    ResultError
        If the file cannot be read or is not an audit of this schema; the message names the first wrong field.
    """
    return read_record_of(AuditRecord, path, "audit")

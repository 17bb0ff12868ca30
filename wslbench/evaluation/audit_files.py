"""Where audits stand on disk: ``<folder>/<method>/audit/<task id>.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from wslbench.errors import ResultError
from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.zoo.atomic import write_text

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, record.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise ResultError(f"The audit {path} cannot be written: {error}") from error
    return path


def read_audit(path: Path) -> AuditRecord:
    """Read one audit.

    Raises
    ------
    ResultError
        If the file cannot be read or is not an audit of this schema; the message names the first wrong field.
    """
    try:
        return AuditRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ResultError(f"The audit {path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ResultError(f"The audit {path} is not a record of this version: {field}: {first['msg']}.") from error

"""``wslbench check``: whether a method keeps to the rules, in seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Kind(StrEnum):
    """Families of tasks."""

    phases = "phase_classification"
    numbers = "accuracy_prediction"
    weights = "weight_generation"


def check(
    method: Annotated[str, typer.Argument(metavar="METHOD.py", help="The method's file, or FILE.py::Class.")],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="Check this family of tasks only, for a method that is made for one.")
    ] = None,
) -> None:
    """Run a method on a tiny made-up zoo and tell what is wrong, and how to mend it."""
    from wslbench.evaluation.conformance import check as check_method
    from wslbench.evaluation.synthetic import KINDS

    declared, findings = check_method(method, KINDS if kind is None else (kind.value,))
    typer.echo(
        f"{declared.class_name}: {declared.description or '(no docstring: its first line is what the table shows)'}"
    )
    if declared.privilege != "none":
        typer.echo(f"It declares the privilege {declared.privilege!r}, which its results will show.")
    width = max(len(finding.title) for finding in findings)
    for finding in findings:
        text = finding.text.replace("\n", "\n    ")
        typer.echo(f"  {finding.status:<6}  {finding.title:<{width}}  {text}")
    failed = sum(finding.status == "failed" for finding in findings)
    if failed:
        typer.echo(f"{failed} of {len(findings)} checks failed.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Nothing is in the way of: wslbench evaluate {method}")

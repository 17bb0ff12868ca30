"""What a card says of the phase rule: its words, numbers, and how sensitive it is."""

from __future__ import annotations

from wslbench.annotation.cells import AnnotatedCells


def rule_record(annotated: AnnotatedCells, connectivity_noise: float) -> dict[str, object] | None:
    """``phase_rule`` of the card; None where no cell has a phase."""
    if annotated.cutoffs is None:
        return None
    rule: dict[str, object] = {
        "rule": "converged: train_loss < cut-off; connected: mode_connectivity >= cut-off; I neither, II connected "
        "only, III converged only, both: IV-B if cka >= cut-off else IV-A",
        "cutoffs": annotated.cutoffs.model_dump(mode="json"),
    }
    if connectivity_noise:
        rule["connectivity"] = (
            f"connected: mode_connectivity >= -max(2, {connectivity_noise:g} x the standard deviation of the "
            "error, in per cent, between the cell's seeds)"
        )
    if annotated.sensitivity:
        rule["sensitivity"] = annotated.sensitivity
    return rule

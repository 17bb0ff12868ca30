"""Every metric by name: what it is called in a table, which way is better, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Metric:
    """A metric's entry; a table's heading and arrow come from here and nowhere else."""

    name: str
    label: str
    higher_is_better: bool
    description: str


_METRICS = (
    Metric("balanced_accuracy", "balanced accuracy", True, "Mean recall of the phases, over pooled folds."),
    Metric("macro_f1", "macro F1", True, "Mean F1 of the phases, over pooled folds."),
    Metric("log_loss", "log loss", False, "Mean of −ln p(true phase), p normalised and at least 1e-6, in nats."),
    Metric("balanced_accuracy_iv_merged", "balanced accuracy, IV merged", True, "With IV-A and IV-B as one phase."),
    Metric("macro_f1_iv_merged", "macro F1, IV merged", True, "With IV-A and IV-B as one phase."),
    Metric("log_loss_iv_merged", "log loss, IV merged", False, "With IV-A and IV-B as one phase."),
    Metric("balanced_accuracy_confident", "balanced accuracy, sure cells", True, "Where phase probability is ≥ .8."),
    Metric("macro_f1_confident", "macro F1, sure cells", True, "Over cells whose phase has probability ≥ .8."),
    Metric("log_loss_confident", "log loss, sure cells", False, "Over cells whose phase has probability ≥ .8."),
    Metric("recall", "recall", True, "Share of a phase's models that are named as such."),
    Metric("precision", "precision", True, "Share of the models named as a phase that lie in it."),
    Metric("f1", "F1", True, "Harmonic mean of precision and recall of a phase."),
    Metric("kendall_tau", "Kendall τ", True, "τ_b within folds, averaged by their numbers of cells."),
    Metric("spearman", "Spearman ρ", True, "ρ within folds, averaged by their numbers of cells."),
    Metric("r2", "R²", True, "1 − SSE / squares around the train mean, within folds, averaged by cells."),
    Metric("mae", "MAE", False, "Mean absolute error on the task's scale, over all models."),
    Metric("r2_natural", "R², natural scale", True, "R² after the way back to the natural scale."),
    Metric("mae_natural", "MAE, natural scale", False, "MAE after the way back to the natural scale."),
    Metric("kendall_tau_within_cell", "τ within cells", True, "τ_b among the seeds of a cell, averaged over cells."),
    Metric(
        "lift", "lift", True, "Accuracy above the comparators at equal novelty; 1: held-out real networks, 0: none."
    ),
    Metric("accuracy", "accuracy", True, "Share of held-out samples that a generated network gets right, as it comes."),
    Metric("accuracy_finetuned_1", "after 1 epoch", True, "Accuracy after one epoch of the one fine-tuning protocol."),
    Metric("accuracy_finetuned_5", "after 5 epochs", True, "Accuracy after five epochs of it."),
    Metric("novelty", "novelty", True, "Disagreement with the nearest train network; 0: a copy, 1: a fresh seed."),
    Metric("diversity", "diversity", True, "Disagreement with the nearest other of the draw; 1: as fresh seeds."),
    Metric("error_overlap", "error overlap", False, "Errors shared with the nearest train network (Jaccard)."),
    Metric("weight_distance", "weight distance", True, "From the nearest train network, symmetries folded out."),
    Metric("sources", "sources", True, "Effective number of train networks that a draw's are nearest to."),
    Metric(
        "phase_fidelity", "phase fidelity", True, "Probability of the phase asked for; 0 for copies of one another."
    ),
    Metric("train_loss", "train loss", False, "Mean train loss of the networks of a draw."),
    Metric("mode_connectivity", "mode connectivity", True, "Mean over 30 pairs of a draw, in percentage points."),
    Metric("cka", "CKA", True, "Mean linear CKA over 30 pairs of a draw."),
    Metric("mae_over_sd", "MAE / sd", False, "MAE over the standard deviation of the target in the whole task."),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _METRICS})

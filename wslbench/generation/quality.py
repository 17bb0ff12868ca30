"""How good generated networks are: accuracy as they come, and after one fixed, short fine-tuning."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.training import Classification, ModelStack, Optimisation, RunSettings, seed_from, train_stack
from wslbench.training.batch_norm import REESTIMATION_BATCH, reestimate_from_batches
from wslbench.training.loop import Progress

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FINETUNING: Final = Optimisation(
    epochs=5, batch_size=16, learning_rate=0.02, momentum=0.9, weight_decay=5e-4, schedule="constant"
)
"""The one protocol by which every draw is fine-tuned, whatever it is of."""

FINETUNED_EPOCHS: Final = (1, 5)


class Quality(NamedTuple):
    """What the networks of a draw can do.

    Attributes
    ----------
    classes
        ``[n, samples]``: the class that each network, as it came, predicts for each held-out sample.
    accuracy
        ``[n]``: share of held-out samples that it gets right.
    finetuned
        By epochs of fine-tuning, ``[n]``.
    classes_finetuned
        By epochs of fine-tuning, as ``classes``.
    """

    classes: IntArray
    accuracy: FloatArray
    finetuned: dict[int, FloatArray]
    classes_finetuned: dict[int, IntArray]


def with_statistics(stack: ModelStack, objective: Classification) -> ModelStack:
    """The same networks with batch-norm statistics re-estimated on the clean train set, as every zoo's are."""
    return reestimate_from_batches(stack, objective.clean_inputs(REESTIMATION_BATCH))


def predicted_classes(stack: ModelStack, objective: Classification) -> IntArray:
    """``[n, samples]``: predictions for the held-out samples; the first class where a network puts out no numbers."""
    logits = objective.representation(stack).nan_to_num(nan=-np.inf)
    return np.asarray(logits.argmax(dim=2).cpu().numpy(), np.int64)


def quality(stack: ModelStack, objective: Classification, name: str, progress: Progress | None = None) -> Quality:
    """Accuracy of a draw on held-out samples, at once and after :data:`FINETUNED_EPOCHS` of :data:`FINETUNING`.

    Parameters
    ----------
    stack
        The drawn networks; their batch-norm statistics are re-estimated, whatever they were.
    objective
        The data that the zoo's networks saw.
    name
        What the order of the data is drawn from: with it, the same networks get the same numbers.
    progress
        Called after each epoch of fine-tuning.

    Notes
    -----
    A network's numbers depend on itself and on its place in the draw alone.
    """
    labels = objective.test_labels.cpu().numpy()
    classes = predicted_classes(with_statistics(stack, objective), objective)
    seeds = [seed_from(name, "fine-tuning", number) for number in range(stack.size)]
    trained = train_stack(
        stack, objective, FINETUNING, RunSettings(seeds, [FINETUNING.rate] * stack.size), FINETUNED_EPOCHS, progress
    )
    after = {
        epoch: predicted_classes(with_statistics(tuned, objective), objective)
        for epoch, tuned in trained.checkpoints.items()
    }
    finetuned = {epoch: (shown == labels).mean(axis=1) for epoch, shown in after.items()}
    return Quality(classes, (classes == labels).mean(axis=1), finetuned, after)

"""The ways in which a method can fail at run time, and the paragraph that explains each to its author."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

FailureKind = Literal[
    "fit_error",
    "predict_error",
    "generate_error",
    "wrong_shape",
    "wrong_draw",
    "not_finite",
    "chunk_dependent",
    "timeout",
    "out_of_memory",
    "crashed",
]

_ADVICE: Final[dict[FailureKind, str]] = {
    "fit_error": "Mend `fit` (or `__init__`); `wslbench check` runs it on a tiny zoo in seconds.",
    "predict_error": "Mend `predict`; `wslbench check` runs it on a tiny zoo in seconds.",
    "wrong_shape": (
        "`predict` returns one row a model: probabilities [n, len(context.classes)] that sum to 1 for "
        "classification, numbers [n] for regression."
    ),
    "generate_error": "Mend `generate`; `wslbench check` runs it on a tiny zoo in seconds.",
    "wrong_draw": (
        "`generate(count, context)` returns exactly `count` state dicts, or one dict of [count, *shape] tensors, with "
        "the names and shapes of the models that `fit` was given."
    ),
    "not_finite": "Every number has to be finite: look for divisions by zero and diverged fits.",
    "chunk_dependent": (
        "A prediction may depend on nothing but its own model: take out statistics over the models that "
        "`predict` is given (normalise with those of `fit`), state kept between calls, and unseeded randomness."
    ),
    "timeout": "Stop by `context.deadline` (compare with time.monotonic()), or allow more with --timeout SECONDS.",
    "out_of_memory": "Work through the models in pieces (slice `models`), or allow more with --max-memory.",
    "crashed": "The process ended without an exception: look for os._exit, native code that aborts, or a kill.",
}


class UnitFailure(NamedTuple):
    """Why a unit failed.

    ``message`` is plain text from the evaluator or from the method's exception, shortened; ``output`` the
    end of what the method printed.
    """

    kind: FailureKind
    message: str
    output: str = ""


def failure_paragraph(failure: UnitFailure, where: str) -> str:
    """One paragraph that names the place, the failure and what to do about it."""
    message = " ".join(failure.message.split())
    text = f"{where}: {failure.kind}: {message}"
    return f"{text if text.endswith(('.', '!', '?')) else text + '.'} {_ADVICE[failure.kind]}"

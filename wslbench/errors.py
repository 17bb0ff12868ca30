"""The one exception tree of wslbench: every error that a user can cause, and nothing else.

A message says what was wrong, where (file, line, field, tensor name), and what to do about it. The
command line prints it as one paragraph, without a traceback, and leaves with ``exit_code``.
"""

from __future__ import annotations


class WslbenchError(Exception):
    """Base of everything that wslbench raises on purpose."""

    exit_code: int = 2


class DiskFullError(WslbenchError):
    """A disk, or a quota, has no room for what was to be written; nothing stands there half-written."""


class ZooError(WslbenchError):
    """A zoo cannot be used."""


class ZooNotFoundError(ZooError):
    """There is no zoo of that name or at that place."""


class ZooFormatError(ZooError):
    """A zoo's files do not have the form that the zoo format asks for."""


class WeightsNotFiniteError(ZooFormatError):
    """A foreign network holds weights that are not finite: its training diverged."""


class ZooVersionError(ZooFormatError):
    """A zoo was written in a format version that this wslbench does not read."""


class ZooDamagedError(ZooError):
    """A zoo's content does not match its manifest."""


class HubError(ZooError):
    """A zoo cannot be fetched from the hub, or sent there."""


class SplitError(ZooError):
    """A split would leak: train and test overlap, or a run or unit stands on both sides."""


class SealedError(WslbenchError):
    """A method asked, from inside an evaluation, for something that it must not see."""


class ArchitectureError(WslbenchError):
    """No such architecture, arguments that it does not take, or a network whose symmetries cannot be derived."""


class UnknownInputsError(ArchitectureError, AttributeError):
    """Networks do not say which inputs they take; also the ``AttributeError`` that reading their shape would raise."""


class DatasetError(WslbenchError):
    """A data set is unknown, absent or damaged."""


class RecipeError(WslbenchError):
    """A recipe is malformed or asks for something impossible."""


class LandscapeError(WslbenchError):
    """An order parameter or a phase cannot be computed from what was given."""


class EncodingError(WslbenchError):
    """Models cannot be encoded as asked."""


class TaskError(WslbenchError):
    """``tasks.yaml`` is malformed."""


class UnknownTaskError(TaskError):
    """There is no task or suite of that name."""


class MethodError(WslbenchError):
    """A method file cannot be evaluated at all (missing, broken, no or several candidate classes)."""


class ResultError(WslbenchError):
    """A result record cannot be read or written, or does not belong to what it is compared with."""


class MethodFailedError(WslbenchError):
    """A method ran and failed; the failure stands, typed, in its result."""

    exit_code = 1

"""The isolation tier that this evaluator reaches, and what it is worth. The one place that defines it.

Tier ``process``
----------------
Every (task, fold, seed) runs in a process of its own that is gone before its predictions are scored.

It stops accidents:

* **Labels across folds.** Fold 1's train labels are fold 2's test labels. A module global, a class
  attribute, a cache in ``HOME``, ``TMPDIR`` or the working directory dies with the unit: the process is
  fresh, the three folders are empty, private and removed afterwards, the environment is rebuilt from a
  short list of names, open files are closed, and no process that the method started outlives the unit.
* **Files left for a later fold.** Python code that writes outside the private folders gets a
  ``SealedError`` (also a ``PermissionError``, so that libraries fall back as on a read-only disk).
* **Test labels and hyper-parameters.** They are never in the process. It gets train labels, the weights of
  the train models in random order under ids made for this unit, random group numbers, and a budget. The
  only exception is a method that declares ``privilege``; the result says so.
* **Test weights during fit.** They do not exist in the process until ``fit`` has returned, and then arrive
  one chunk at a time, as an open file without a name. The zoo's path is never told.
* **Siblings.** No chunk holds two seeds of a cell, chunks are random, and a random subset is predicted
  again in other chunks: predictions that changed are a failure.
* **The embedded zoos.** ``load_zoo`` refuses them, also copied elsewhere, and Python's ``open`` refuses
  their files and the committed results.
* **The data.** Python's ``open`` refuses the data sets that come with libraries: who has them can run the networks
  on the test samples, or train new ones. A generator of the track *with data* says so, and may read them.
* **Forged pickles.** What comes back is JSON and raw float64 arrays; the parent neither unpickles anything
  nor imports the method.

It cannot stop intent. The process belongs to the same user on the same machine, with the network up. A
method can read the package's zoos, splits and results, or this evaluation's earlier results, through C or
C++ code or a sub-process; keep every chunk that it has seen and write its predictions accordingly; look
into the parent with ``ptrace`` or ``/proc``; unload the seal, which is Python; kill its warden, so that its
unit crashes and what it started goes on until the evaluation ends; talk to a server; or carry the answers in
its own source. Nor can it stop a method's author from having tuned on the test folds.

So it is an honour system, and results say ``process``.

Tier ``sandbox``
----------------
The same, behind two walls: one around all units of an evaluation, built by bubblewrap
(:mod:`wslbench.evaluation.bubblewrap`), one around each unit (:mod:`wslbench.evaluation.namespaces`). The kernel stops
what Python could only refuse, whatever language or sub-process tries it:

* **Reading answers.** A unit sees the system's libraries, Python and its packages, and the method's own source files.
  Homes, temporary folders and other disks are not there; the zoos, tasks, splits, results, comparators and data sets
  that come with packages look empty.
* **Writing.** Everything is read-only, but for a scratch folder in memory, which counts as memory and goes with the
  unit. The models are handed over in memory that nobody can change.
* **Talking.** No network, not even between units; no IPC, no kernel keyring; no process but its own is in sight.
* **Power.** No capabilities, nor a user namespace to have them in; system calls that no method needs are refused.
* **Outliving.** With its process 1 a unit's processes end, whatever session they are in.
* **Using more than it may.** Memory, the scratch folder, processes and time have limits, at which all of it is killed.
  They are looked at some twenty times a second: a unit can be above one for so long. The kernel's own buffers (pipes,
  sockets) do not count.
* **Cheap clocks.** The parent's clock says how long ``fit`` and ``predict`` took.

It cannot stop a method that carries the answers in its own source, which its hash covers and anybody can read, nor one
that was tuned on the test folds: the zoos are public. It is no protection against holes in the kernel. Units that run
side by side could whisper by loading the machine.

Three dozen tricks and what becomes of each in all tiers are a table of the tests: ``tests/redteam/table.py``.

Tier ``verified``
-----------------
The sandbox, on a zoo of the same recipe that was grown again from secret seeds
(:mod:`wslbench.evaluation.verifier`): the same cells are held out, of networks that did not exist when the method was
written. It stops what the sandbox cannot:

* **Answers in the source.** Looked up by the weights, however disguised, they are about other networks. What is known
  of cells (which phase a width and a learning rate make) stays useful, as it should: that is no memory of networks.
  Whether it was learned, or stands in the source as a table of all cells, this tier cannot tell; ceilings and floors
  can (``docs/isolation.md``).

It is worth what the secret is worth: whoever knows it can grow the same zoo. So a maintainer draws it after the method
was sent, and may show it once the zoo is no longer used: its card holds a commitment. The leaderboard works verified
scores out again, from predictions and the re-grown models' targets, which are taken on trust until then. It cannot stop
a method that was tuned on the public test folds; but its score then falls where that was overfitting, and the gap
shows it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from wslbench.errors import WslbenchError

Tier = Literal["process", "sandbox", "verified"]

TIER: Final[Tier] = "process"  # unless another one is asked for


class Isolation(NamedTuple):
    """The tier in which units run, and why it is not the one that was asked for (empty where it is)."""

    tier: Tier = TIER
    note: str = ""


PROCESS: Final = Isolation()


def isolation_for(asked: Tier, device: str) -> Isolation:
    """The tier in which this machine can run units, at most the one that is asked for.

    Raises
    ------
    WslbenchError
        If no evaluation of one's own can reach the tier, or the sandbox has no such device.
    """
    if asked == TIER:
        return PROCESS
    if asked != "sandbox":
        raise WslbenchError(f"An evaluation cannot run in the tier {asked!r}. Choose `process` or `sandbox`.")
    if device != "cpu":
        raise WslbenchError(
            f"The sandbox has no device but the CPU, and {device!r} was asked for. Leave out one of --device and "
            "--isolation."
        )
    from wslbench.evaluation.bubblewrap import obstacle

    why = obstacle()
    if why is None:
        return Isolation("sandbox")
    return Isolation(TIER, f"The tier sandbox was asked for, and units ran in the tier {TIER}: {why}.")

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
into the parent with ``ptrace`` or ``/proc``; unload the seal, which is Python; talk to a server; or carry
the answers in its own source. Nor can it stop a method's author from having tuned on the test folds.

So it is an honour system, and results say ``process``. The tiers above are ``sandbox`` (no network; zoos,
tasks, splits and results masked) and ``verified`` (scored by a maintainer on a zoo re-grown from secret
seeds, which nobody can have memorised).
"""

from __future__ import annotations

from typing import Final, Literal

Tier = Literal["process", "sandbox", "verified"]

TIER: Final[Tier] = "process"

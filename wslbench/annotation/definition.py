"""A definition: how order parameters are computed, as a small record with a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wslbench.errors import LandscapeError
from wslbench.landscape.connectivity import BendStart, Decay
from wslbench.landscape.hessian import BatchNormMode, StopRule
from wslbench.training import Optimisation

DEFINITIONS_PATH = Path(__file__).resolve().parent / "definitions"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HessianSettings(_Record):
    """On how many samples, and how long, the Hessian's trace and top eigenvalue are estimated.

    Attributes
    ----------
    relative_tolerance, minimum_probes, maximum_probes, stop_on
        Of the trace; see :func:`~wslbench.landscape.hessian.hessian_trace`.
    eigenvalue_by
        ``lanczos`` takes up to ``lanczos_iterations``. ``power``: at most ``power_iterations``, ended by a relative
        change below ``power_tolerance``.
    batch_norm
        Stored statistics (``running``), or those of the samples (``batch``).
    """

    subset_size: int = Field(default=256, ge=1)
    relative_tolerance: float = Field(default=0.1, gt=0)
    minimum_probes: int = Field(default=8, ge=1)
    maximum_probes: int = Field(default=64, ge=8)
    stop_on: StopRule = "modulus"
    eigenvalue_by: Literal["lanczos", "power"] = "lanczos"
    lanczos_iterations: int = Field(default=20, ge=2)
    power_iterations: int = Field(default=100, ge=2)
    power_tolerance: float = Field(default=1e-3, gt=0)
    batch_norm: BatchNormMode = "running"


class CurveDefinition(_Record):
    """How curves between seeds are trained and measured.

    Attributes
    ----------
    optimisation
        None: the zoo's recipe says.
    points
        The t that are measured.
    decay
        What weight decay acts on; see :data:`~wslbench.landscape.connectivity.Decay`.
    bend_start
        Where the bend starts; see :data:`~wslbench.landscape.connectivity.BendStart`.
    """

    optimisation: Optimisation | None = None
    decay: Decay = "bend"
    bend_start: BendStart = "middle"
    points: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)


class SimilarityDefinition(_Record):
    """What CKA compares.

    Attributes
    ----------
    layer
        A module's dotted name; None: the logits, or the last hidden layer where the output is a single number.
    side
        Of which samples.
    softmax
        Compare probabilities, not logits.
    batch_size, batches
        Compare so many batches of so many samples, a fixed draw for the whole zoo; None: all samples.
    pooled
        One value for all batches; otherwise the mean of their values, which is larger where batches are small.
    mixup
        Mix each sample of a batch with another one of it, with one weight a batch from Beta(mixup, mixup) (Zhang et
        al. 2018, arXiv 1710.09412); None: samples as they are. Images only.
    """

    layer: str | None = None
    side: Literal["train", "test"] = "test"
    softmax: bool = False
    batch_size: int | None = Field(default=None, ge=2)
    batches: int | None = Field(default=None, ge=1)
    pooled: bool = True
    mixup: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.batch_size is None) != (self.batches is None):
            raise ValueError("batch_size and batches: give both or neither")
        if self.batch_size is None and (self.mixup is not None or not self.pooled):
            raise ValueError("mixup and pooled: they need batches; set batch_size and batches")
        if self.softmax and self.layer is not None:
            raise ValueError("softmax: of the logits only; leave layer out")
        return self


class Definition(_Record):
    """How order parameters are computed.

    Attributes
    ----------
    source
        The paper and the code that it follows.
    differs
        In what it does not follow that code, a sentence each.
    hessian
        None: the zoo's recipe says.
    """

    name: str
    source: str
    differs: tuple[str, ...] = ()
    hessian: HessianSettings | None = None
    curve: CurveDefinition = CurveDefinition()
    similarity: SimilarityDefinition = SimilarityDefinition()

    def settled(self, curve: Optimisation | None, hessian: HessianSettings | None) -> Definition:
        """The same, with what it leaves to the zoo filled in."""
        filled = self.curve.model_copy(update={"optimisation": self.curve.optimisation or curve})
        return self.model_copy(update={"hessian": self.hessian or hessian, "curve": filled})


def load_definition(name_or_path: str) -> Definition:
    """A definition that ships with wslbench, by name, or a YAML file.

    Raises
    ------
    LandscapeError
        If there is no such definition, or the file is not a valid one.
    """
    path = DEFINITIONS_PATH / f"{name_or_path}.yaml"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in DEFINITIONS_PATH.glob("*.yaml")))
        raise LandscapeError(f"there is no definition {name_or_path!r}: there are {known}, or give a YAML file")
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Definition.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise LandscapeError(f"{path}: {' '.join(str(error).split())}") from error

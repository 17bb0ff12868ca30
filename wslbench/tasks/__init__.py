"""Tasks: their declaration, their targets on a zoo, and the metrics that judge predictions of them."""

from wslbench.tasks.book import HEADLINES, Task, TaskBook, load_tasks
from wslbench.tasks.generation_problem import DRAWN, GenerationProblem, prepare_generation
from wslbench.tasks.problem import PHASES, Hashes, Problem, prepare, problem_from_table
from wslbench.tasks.schema import TaskKind
from wslbench.tasks.transforms import TRANSFORM_NAMES, Transform, TransformName, make_transform
from wslbench.tasks.validation import FileFindings, TaskFinding, validate_tasks

__all__ = [
    "DRAWN",
    "HEADLINES",
    "PHASES",
    "TRANSFORM_NAMES",
    "FileFindings",
    "GenerationProblem",
    "Hashes",
    "Problem",
    "Task",
    "TaskBook",
    "TaskFinding",
    "TaskKind",
    "Transform",
    "TransformName",
    "load_tasks",
    "make_transform",
    "prepare",
    "prepare_generation",
    "problem_from_table",
    "validate_tasks",
]

"""A recipe that grows in seconds."""

from wslbench.population.recipe import Recipe

TINY = {
    "name": "tiny",
    "card": {"description": "A tiny zoo.", "licence": "MIT", "citation": "none", "modality": "images"},
    "data_set": "digits",
    "train_subset": 240,
    "test_subset": 120,
    "label_noise": 0.1,
    "architecture": {"builder": "cnn", "arguments": {}},
    "load": {"column": "width", "label": "width", "values": [1, 2]},
    "temperature": {"column": "learning_rate", "label": "learning rate", "values": [0.01, 0.05, 0.1]},
    "seeds": 3,
    "optimisation": {"epochs": 2, "batch_size": 40},
    "early_epoch": 1,
    "measured_epoch": 2,
    "curve": {"epochs": 1, "batch_size": 80, "learning_rate": 0.05, "schedule": "cosine"},
    "stacking": "stacked",
    "hessian": {"subset_size": 32, "maximum_probes": 8, "lanczos_iterations": 3},
    "cutoffs": {"train_loss": 1.5, "cka": 0.6},
}


def tiny_recipe(**changes: object) -> Recipe:
    """The tiny recipe with some fields changed."""
    return Recipe.model_validate(TINY | changes)

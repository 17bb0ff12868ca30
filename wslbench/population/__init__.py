"""From a recipe to a trained, measured and annotated zoo."""

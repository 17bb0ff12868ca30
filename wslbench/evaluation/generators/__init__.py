"""Generators of weights: asked in sealed processes as predictors are, judged by what their networks compute."""

"""The metrics of predictive tasks, one idea a file, all vectorised over bootstrap resamples."""

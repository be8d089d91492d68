"""Several trainings as one: lists of experiments, cross-validation, and the queue that carries them out."""

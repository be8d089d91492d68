"""Measurements, one command each: ``python -m benchmarks.dataset``, ``.train_step``, ``.predict``."""

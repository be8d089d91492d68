"""Training: the Lightning module, the data, the run folder."""

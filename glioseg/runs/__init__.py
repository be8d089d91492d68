"""Runs as folders: written while they train, read and compared here and nowhere else."""

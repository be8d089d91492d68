"""Augmentation of whole batches: what is drawn, and what is done with it."""

from glioseg.augment.batch import Augmentation
from glioseg.augment.draws import COLUMNS, LATE_STREAMS, STREAMS, Draws

__all__ = ["COLUMNS", "LATE_STREAMS", "STREAMS", "Augmentation", "Draws"]

"""Labelled images and their batches."""

from .augment import shift
from .loader import batch_order, padded_batches, steps_per_epoch, train_batches
from .sources import SOURCES, Dataset, Split, digits, folder, load

__all__ = [
    "SOURCES",
    "Dataset",
    "Split",
    "batch_order",
    "digits",
    "folder",
    "load",
    "padded_batches",
    "shift",
    "steps_per_epoch",
    "train_batches",
]

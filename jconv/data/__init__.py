"""Labelled images and their batches.

A source (sources/) gives a Dataset; loader.py and augment.py make batches on the host, on_device.py
where the images lie on the device.
"""

from .augment import shift
from .dataset import Dataset, Split
from .loader import batch_order, padded_batches, steps_per_epoch, train_batches
from .on_device import Draws, augmented, draw_epoch, standardized
from .sources import SOURCES, load
from .sources.digits import digits
from .sources.folder import folder
from .whitening import channel_statistics, whitening_kernel

__all__ = [
    "SOURCES",
    "Dataset",
    "Draws",
    "Split",
    "augmented",
    "batch_order",
    "channel_statistics",
    "digits",
    "draw_epoch",
    "folder",
    "load",
    "padded_batches",
    "shift",
    "standardized",
    "steps_per_epoch",
    "train_batches",
    "whitening_kernel",
]

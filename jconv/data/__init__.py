"""Labelled images and their batches.

A source (sources/) gives a Dataset, of arrays (dataset.py) or of images that are read when they are
needed (stored.py). order.py says which images are in which step, feed.py brings them there, and
augmentation.py changes them on the device; on_device.py and whitening.py serve the training whose
epochs are programs.
"""

from .augmentation import Augmentation, augmented, centred, mixed
from .dataset import Dataset, Split
from .feed import Batch, Resident, Streamed, padded_batches
from .on_device import Draws, draw_epoch, standardized
from .order import Order, batch_order, steps_per_epoch
from .pixels import IMAGENET, UNIT, PixelScale, as_pixel_scale, scaled
from .request import Request
from .sources import SOURCES, load
from .sources.digits import digits
from .stored import Box, StoredImages
from .views import VIEWS
from .whitening import channel_statistics, whitening_kernel

__all__ = [
    "IMAGENET",
    "SOURCES",
    "UNIT",
    "VIEWS",
    "Augmentation",
    "Batch",
    "Box",
    "Dataset",
    "Draws",
    "Order",
    "PixelScale",
    "Request",
    "Resident",
    "Split",
    "StoredImages",
    "Streamed",
    "as_pixel_scale",
    "augmented",
    "batch_order",
    "centred",
    "channel_statistics",
    "digits",
    "draw_epoch",
    "load",
    "mixed",
    "padded_batches",
    "scaled",
    "standardized",
    "steps_per_epoch",
    "whitening_kernel",
]

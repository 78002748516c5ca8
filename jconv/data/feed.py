"""Batches for a training: of images that lie on the device, or that are read and decoded beside it.

Both give the same examples in the same steps (order.py), so a training is the same whichever feeds
it and however many read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from .dataset import Split
from .order import Order
from .stored import Box, StoredImages

AHEAD = 2  # batches that each reader holds ready
Crop = Callable[[np.random.Generator, int, int], Box]  # of an image's width and height


class Batch(NamedTuple):
    """What a step is given. `images` are those of `rows`, or all of which `rows` names those."""

    images: Any  # (B, H, W, C) uint8, or (N, H, W, C)
    labels: Any  # (B,) int32, or (N,)
    rows: Any  # (B,) int32


class Feed(Protocol):
    """Where a training's batches come from."""

    whole: bool  # whether a batch has all the images, to be picked from on the device

    @property
    def shapes(self) -> Batch:
        """What a program that takes its batches is compiled for."""
        ...

    def batches(self, first: int, total: int) -> Iterator[Batch]:
        """Those of the steps from `first` to `total` - 1, counted over all epochs from 0."""
        ...


@dataclass
class Resident:
    """The images lie on the device, and a step is given the rows of its own."""

    split: Split
    order: Order
    whole: bool = True

    @property
    def shapes(self) -> Batch:
        images, labels = self.split
        return Batch(
            jax.ShapeDtypeStruct(images.shape, images.dtype),
            jax.ShapeDtypeStruct(labels.shape, np.int32),
            jax.ShapeDtypeStruct((self.order.batch_size,), np.int32),
        )

    def batches(self, first: int, total: int) -> Iterator[Batch]:
        there = jax.device_put((self.split.images, self.split.labels.astype(np.int32)))
        images, labels = there
        for step in range(first, total):
            yield Batch(images, labels, self.order.rows(step))


@dataclass
class Streamed:
    """The images are read and decoded while the device computes: by `workers` processes, or by a
    thread a core of this one with 0.

    With `crop` a part of each image is cut out as it is decoded, before it is made small: a pure
    function of (seed, epoch, row). `process` of `processes` reads its share of each batch.
    """

    split: Split
    order: Order
    workers: int = 0
    crop: Crop | None = None
    process: int = 0
    processes: int = 1
    whole: bool = False

    @property
    def shapes(self) -> Batch:
        size = self.order.batch_size // self.processes
        images = self.split.images
        each = jax.ShapeDtypeStruct((size,), np.int32)
        of_images = jax.ShapeDtypeStruct((size, *images.shape[1:]), images.dtype)
        return Batch(of_images, each, each)

    def batches(self, first: int, total: int) -> Iterator[Batch]:
        import grain

        share = self.order.batch_size // self.processes
        examples = Examples(self, total)
        cores = os.cpu_count() or 1
        # reading begins at the step: the loader has no state of its own to be saved
        batches = (
            grain.MapDataset.source(examples)[first * share :]
            .batch(share, drop_remainder=True)
            .to_iter_dataset(
                grain.ReadOptions(
                    num_threads=1 if self.workers else cores,
                    prefetch_buffer_size=AHEAD * (1 if self.workers else cores),
                )
            )
        )
        if self.workers:
            _parse_no_flags()
            batches = batches.mp_prefetch(
                grain.MultiprocessingOptions(num_workers=self.workers, per_worker_buffer_size=AHEAD)
            )
        with closing(iter(batches)) as read:
            for found in read:
                # copies: the workers' memory is taken back
                yield Batch(*(np.array(found[name]) for name in Batch._fields))


@dataclass(frozen=True)
class Examples:
    """Every example of a training in its order, by place: what grain's readers ask for."""

    feed: Streamed
    total: int  # steps

    def __len__(self) -> int:
        return self.total * (self.feed.order.batch_size // self.feed.processes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        feed, order = self.feed, self.feed.order
        share = order.batch_size // feed.processes
        step, inside = divmod(int(index), share)
        epoch, row = order.row(step * order.batch_size + feed.process * share + inside)
        box = None
        if feed.crop is not None:
            crop = feed.crop
            # row + 1, since NumPy takes (seed, epoch, 0) for (seed, epoch), the order's generator
            rng = np.random.default_rng((order.seed, epoch, row + 1))
            box = lambda width, height: crop(rng, width, height)
        images = feed.split.images
        image = images.read(row, box) if isinstance(images, StoredImages) else images[row]
        label = feed.split.labels[row].astype(np.int32)
        return {"images": image, "labels": label, "rows": np.int32(row)}


def padded_batches(
    images: np.ndarray | StoredImages, batch_size: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Every image once and in order, as (batch, how many of its rows count): the last one is filled
    with zeros to the same shape.
    """
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        padding = np.zeros((batch_size - len(batch), *images.shape[1:]), images.dtype)
        yield (np.concatenate([batch, padding]) if len(padding) else batch), len(batch)


def _parse_no_flags() -> None:
    """grain's processes hand down absl's flags, which want to have been parsed."""
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS(sys.argv[:1])


def default_workers() -> int:
    """Processes to read with: none on a small machine, whose cores the threads of this process
    share better, else one for each two cores, at most 16.
    """
    cores = os.cpu_count() or 1
    return 0 if cores <= 4 else min(16, cores // 2)

"""Loading: images of 256 pixels from JPEG files, a random part of each resized to 224, mirrored and
standardized, by jconv and by PyTorch's DataLoader with torchvision, in turn.

Both read with two workers, and both end with float32 images: jconv's on the device, PyTorch's as a
tensor in memory. A sample is the seconds of a batch, over many batches in a row; starting the
workers is apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
from PIL import Image

from jconv import Identity, jit
from jconv.data import IMAGENET, Augmentation, Order, Streamed, augmented
from jconv.data.augmentation import crop_box
from jconv.data.dataset import Split
from jconv.data.encoded import FileImages

from .case import Case, What
from .contestants import label
from .result import CaseResult
from .speed import Note, Settings, reason
from .task import Unable

SIDE, WORKERS = 256, 2
IMAGES = 512  # files, read again and again
SETTLE = 16  # batches that may have been read ahead while the other one ran
BATCHES = 24  # of a sample
ROUNDS = 5
CASES = [Case("JPEG 256 to 224", Identity(), (224, 224, 3), 32)]


def measure_loading(
    suite: str, case: Case, what: What, names: Sequence[str], settings: Settings, note: Note = str
) -> CaseResult:
    """Seconds of a batch by each contestant that reads images: "jconv" and "torch"."""
    row = CaseResult(suite, case.name, what, case.batch, case.dtype, rival="torch")
    rounds, batches = (2, 2) if settings.small else (ROUNDS, BATCHES)
    settle = 1 if settings.small else SETTLE
    with TemporaryDirectory() as folder, ExitStack() as stack:
        files = write_images(Path(folder), 4 * case.batch if settings.small else IMAGES)
        total = (rounds + 1) * (batches + settle)
        loaders: dict[str, Iterator[Any]] = {}
        for name in names:
            try:
                loaders[name] = LOADERS[name](files, case, total)
                next(loaders[name])  # its workers have started
            except KeyError:
                row.skipped[name] = "reads no images"
            except (Unable, ImportError) as error:
                row.skipped[name] = reason(error)
                loaders.pop(name, None)
        for loader in loaders.values():
            stack.callback(partial(_closed, loader))
        for done in range(rounds):
            for name, loader in loaders.items():
                note(f"reading by {label(name)}, {done + 1} of {rounds}")
                for _ in range(settle):
                    next(loader)
                start = time.perf_counter()
                for _ in range(batches):
                    next(loader)
                row.samples.setdefault(name, []).append((time.perf_counter() - start) / batches)
    return row


def write_images(folder: Path, count: int) -> list[Path]:
    """Files of smooth colours with noise, which compress like photographs: about 20 KB each."""
    rng, files = np.random.default_rng(0), []
    (folder / "class").mkdir()
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
        smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
        files.append(folder / "class" / f"{i:05}.jpg")
        Image.fromarray(noisy).save(files[-1], quality=90)
    return files


def read_by_jconv(files: list[Path], case: Case, total: int) -> Iterator[Any]:
    """Decoded and cut by grain's processes, mirrored and standardized on the device."""
    chosen = Augmentation(flip="random")
    crop = partial(crop_box, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3))
    split = Split(
        FileImages(files[0].parent, [file.name for file in files], case.in_shape),
        np.zeros(len(files), np.int32),
    )
    order = Order(0, len(files), case.batch)
    key = jax.random.key(0)

    @jit
    def finish(images, rows, step):
        return augmented(chosen, images, key, step, rows, in_shape=case.in_shape, pixels=IMAGENET)

    for step, batch in enumerate(Streamed(split, order, WORKERS, crop).batches(0, total)):
        yield jax.block_until_ready(finish(batch.images, batch.rows, np.int32(step)))


def read_by_torch(files: list[Path], case: Case, total: int) -> Iterator[Any]:
    """As its own examples for ImageNet do."""
    if find_spec("torchvision") is None:
        raise Unable("torchvision is not installed: pip install 'jconv[peers]'")
    data, datasets, transforms = (
        import_module(name)
        for name in ("torch.utils.data", "torchvision.datasets", "torchvision.transforms")
    )

    cut = transforms.Compose(
        [
            transforms.RandomResizedCrop(case.in_shape[0]),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(*IMAGENET),
        ]
    )
    folder = datasets.ImageFolder(str(files[0].parents[1]), cut)
    loader = data.DataLoader(
        folder,
        case.batch,
        shuffle=True,
        num_workers=WORKERS,
        drop_last=True,
        persistent_workers=True,
    )
    while True:
        yield from loader


def _closed(loader: Any) -> None:
    with suppress(Exception):  # its workers may have ended already
        loader.close()


LOADERS: dict[str, Callable[[list[Path], Case, int], Iterator[Any]]] = {
    "jconv": read_by_jconv,
    "torch": read_by_torch,
}

import numpy as np
import pytest

from jconv import Conv, Dense, Flatten, MaxPool, Relu, Sequential
from jconv.data import Dataset, Split
from jconv.data.augmentation import Augmentation
from jconv.demo.hub import Hub
from jconv.demo.images import on_device
from jconv.demo.trainer import Trainer
from jconv.train.update import UpdateSettings

NET = Sequential(
    conv1=Conv(4, 3, padding=1), relu1=Relu(), pool1=MaxPool(2), flatten=Flatten(), fc=Dense(3)
)


class Told(Hub):
    """A hub that somebody listens to, and that keeps what was said."""

    watched = True

    def __init__(self):
        super().__init__()
        self.said: dict[str, list] = {}

    def say(self, kind, message):
        super().say(kind, message)
        self.said.setdefault(kind, []).append(message)


@pytest.fixture(scope="session")
def images():
    """Stripes of three directions: a net learns them in a few steps."""
    rng = np.random.default_rng(0)
    labels = np.arange(90, dtype=np.int32) % 3
    i, j = np.mgrid[:8, :8]
    patterns = np.stack([i % 4 < 2, j % 4 < 2, (i + j) % 4 < 2])
    pixels = 200 * patterns[labels] + rng.integers(0, 50, (90, 8, 8))
    pixels = pixels[..., None].astype(np.uint8)
    split = lambda part: Split(pixels[part], labels[part])
    names = ("rows", "columns", "diagonals")
    return on_device(Dataset(split(slice(0, 60)), split(slice(60, 90)), names))


@pytest.fixture(scope="module")
def trainer(images):
    """A training that goes on."""
    made = Trainer(images, Told(), augmentation=Augmentation(shift=1))
    made.start(NET, UpdateSettings("momentum", 0.05, 0.9, 1e-3), 8)
    made.compiling.ask(lambda: None).result()  # after all that was asked before
    yield made
    made.stop()

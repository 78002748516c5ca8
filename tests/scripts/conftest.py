import numpy as np
import pytest
from PIL import Image

from jconv.scripts import train

SETTINGS = ["--data", "folder", "--epochs", "3", "--batch-size", "5", "--warmup-epochs", "0"]


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of 32x32 gray noise, bright for one class and dark for the other: 5 + 6 to train, 3
    + 3 to test.
    """
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, name, count, base in (
        ("train", "dark", 5, 0),
        ("train", "light", 6, 100),
        ("test", "dark", 3, 0),
        ("test", "light", 3, 100),
    ):
        (folder / split / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(base, base + 155, (32, 32), np.uint8)).save(
                folder / split / name / f"{i}.png"
            )
    return folder


@pytest.fixture(scope="session")
def settings(images):
    """Options of a short training: three epochs of two steps."""
    return [*SETTINGS, "--data-dir", str(images)]


@pytest.fixture(scope="session")
def run(settings, tmp_path_factory):
    """The folder of a finished one."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert train.main([*settings, "--out", str(folder)]) == 0
    return folder

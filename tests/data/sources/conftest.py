import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def images(tmp_path, rng):
    """A folder of 7x5 colour images: three of each of two classes to train, two to test. Returns it
    and {relative name: pixels}.
    """
    pixels = {}
    for split, count in (("train", 3), ("test", 2)):
        for name in ("bee", "ant"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                pixels[f"{split}/{name}/{i}.png"] = rng.integers(0, 256, (7, 5, 3), np.uint8)
    for path, array in pixels.items():
        Image.fromarray(array).save(tmp_path / path)
    return tmp_path, pixels

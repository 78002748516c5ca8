from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jconv.scripts.bench.loading import CASES, LOADERS, measure_loading, write_images
from jconv.scripts.bench.speed import Settings


@pytest.mark.exhaustive
# PyTorch's workers are forks of this process
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_both_read_in_turn():
    pytest.importorskip("torchvision")
    row = measure_loading(
        "data", CASES[0], "forward", ["jconv", "torch", "lax"], Settings(small=True)
    )
    assert {name: len(samples) for name, samples in row.samples.items()} == {"jconv": 2, "torch": 2}
    assert row.skipped == {"lax": "reads no images"}
    assert all(second > 0 for samples in row.samples.values() for second in samples)


def test_images_compress_like_photographs(tmp_path):
    files = write_images(tmp_path, 3)
    for file in files:
        with Image.open(file) as image:
            assert image.size == (256, 256)
    assert all(5_000 < Path(file).stat().st_size < 50_000 for file in files)


@pytest.mark.exhaustive
def test_ours_are_standardized_batches(tmp_path):
    files = write_images(tmp_path, 64)
    batch = np.asarray(next(LOADERS["jconv"](files, CASES[0], 2)))
    assert batch.shape == (32, 224, 224, 3) and batch.dtype == np.float32
    assert abs(batch.mean()) < 1.5 and 0.2 < batch.std() < 3

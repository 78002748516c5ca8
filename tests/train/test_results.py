import numpy as np
from counted_images import COUNT, Counted

from jconv.train.results import Pictures


def test_pictures_are_read_and_scaled_when_they_are_asked_for():
    for images in (Counted(), Counted()[:]):
        shown = Pictures(images)
        assert len(shown) == COUNT and shown.shape == (COUNT, 4, 3, 1)
        assert shown.dtype == shown[5].dtype == np.float32
        np.testing.assert_allclose(shown[5], 5 / 255)
    as_they_are = Pictures(np.full((2, 4, 3, 1), 0.5, np.float32))
    assert (as_they_are[1] == 0.5).all()

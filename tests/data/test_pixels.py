import jax.numpy as jnp
import numpy as np
import pytest

from jconv.data import IMAGENET, UNIT, PixelScale, as_pixel_scale, scaled
from jconv.errors import InputError


def test_values_are_scaled_per_channel(close):
    values = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    close(scaled(jnp.asarray(values)), values / 255, 1e-7)
    by_hand = (values / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    close(scaled(jnp.asarray(values), IMAGENET), by_hand, 1e-6)
    close(scaled(jnp.asarray(values), PixelScale((0.5,))), values / 255 - 0.5, 1e-6)


def test_it_says_what_it_does():
    assert str(UNIT) == "value/255"
    assert str(PixelScale((0.5,))) == "value/255 - 0.5"
    assert str(PixelScale((0.1, 0.2), (0.5,))) == "(value/255 - (0.1, 0.2)) / 0.5"


def test_numbers_that_are_no_scale():
    assert as_pixel_scale([0.5], [1], 3) == PixelScale((0.5,), (1.0,))
    for mean, std, words in (
        ((0.1, 0.2), (1,), r"pixel_mean=\(0.1, 0.2\): one number was expected, or 3"),
        ((0,), (0,), r"pixel_std=\(0.0,\): finite numbers, and a std above 0"),
        ((float("nan"),), (1,), "pixel_mean=.*finite numbers"),
        ((), (1,), r"pixel_mean=\(\): one number was expected, or 3"),
    ):
        with pytest.raises(InputError, match=words):
            as_pixel_scale(mean, std, 3)

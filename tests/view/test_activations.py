import jax
import numpy as np
import pytest

from jconv import Conv, Dense, Dropout, Flatten, Relu, Sequential
from jconv.view.activations import columns, overview
from jconv.view.once import outputs

NET = Sequential(zeta=Conv(5, 3), relu=Relu(), drop=Dropout(0.5), flat=Flatten(), alpha=Dense(3))
INPUT = (7, 6, 1)


@pytest.fixture
def found(rng):
    x = jax.numpy.asarray(rng.normal(size=(1, *INPUT)).astype(np.float32))
    seen = outputs(NET, *NET.init(jax.random.key(0), INPUT), x)
    return seen, columns(seen, x, most=4)


def test_columns_are_in_execution_order_without_those_that_change_nothing(found):
    seen, layers = found
    assert list(seen) == ["zeta", "relu", "drop", "flat", "alpha"]
    assert [column.path for column in layers] == ["zeta", "relu", "alpha"]
    assert [column.size for column in layers] == ["5×4×5", "5×4×5", "3"]


def test_values_are_scaled_by_the_largest_of_the_layer(found):
    seen, layers = found
    maps = np.asarray(seen["zeta"][0])
    assert layers[0].largest == pytest.approx(np.abs(maps).max())
    np.testing.assert_allclose(layers[0].values, maps[..., :4] / np.abs(maps).max(), rtol=1e-6)


def test_the_overview_says_how_many_maps_are_left_out_and_the_best_classes(found, rng):
    picture = overview(rng.random(INPUT), found[1], np.array([0.1, 0.7, 0.2]), ("a", "$b$", "c"))
    texts = [text.get_text() for text in picture.axes[0].texts]
    assert texts.count("and 1 more") == 2
    assert texts[-6:] == ["$b$", "70.0%", "c", "20.0%", "a", "10.0%"]
    assert len(picture.axes[0].images) == 1 + 4 + 4 + 1


def test_a_layer_of_zeros_is_drawn(rng):
    x = np.ones((1, *INPUT), np.float32)
    (column,) = columns({"dead": np.zeros((1, 3, 3, 2))}, x, 9)
    assert not column.values.any() and column.channels == 2

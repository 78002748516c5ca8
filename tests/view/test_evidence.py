import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, Dense, Flatten, Relu, Sequential
from jconv.analysis.attribution import occlusion
from jconv.view.evidence import grad_cam_picture, occlusion_picture, saliency_picture
from jconv.view.subject import Subject


@pytest.fixture
def subject(rng):
    net = Sequential(conv=Conv(3, 3), relu=Relu(), flat=Flatten(), fc=Dense(4))
    image = rng.random((13, 12, 1)).astype(np.float32)
    shape = image.shape
    return Subject(net, shape, *net.init(jax.random.key(0), shape), image, jnp.asarray(image)[None])


def test_saliency_is_beside_the_image_and_as_large(subject):
    figure = saliency_picture(subject, 2, "$7$")
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [
        "the image, 12×13",
        "saliency for $7$",
    ]
    assert figure.axes[1].images[0].get_array().shape[:2] == (13, 12)


def test_grad_cam_looks_at_the_last_maps_unless_told(subject):
    for layer, title in ((None, "Grad-CAM of relu for 7"), ("conv", "Grad-CAM of conv for 7")):
        figure = grad_cam_picture(subject, 2, "7", layer=layer)
        assert figure.axes[1].get_title(loc="left") == title


def test_occlusion_lies_where_the_middle_of_the_square_was(subject):
    fill = np.array([0.5], np.float32)
    figure = occlusion_picture(subject, 2, "7", size=5, stride=2, fill=fill)
    drawn = figure.axes[1].images[0]
    params, state, x = subject.arrays
    found = occlusion(subject.net, params, state, x[0], 2, size=5, stride=2, fill=fill)
    assert drawn.get_array().shape[:2] == found.shape == (5, 4)
    # the first square covers pixels 0 to 4, whose middle is pixel 2
    assert tuple(drawn.get_extent()) == (1, 9, 11, 1)


def test_the_square_is_a_sixth_of_the_image_by_default(subject):
    fill = np.zeros(1, np.float32)
    figure = occlusion_picture(subject, 2, "7", size=None, stride=None, fill=fill)
    assert "square of 2 pixels" in figure.axes[1].get_title(loc="left")
    assert figure.axes[1].images[0].get_array().shape[:2] == (12, 11)

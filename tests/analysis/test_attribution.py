"""Against closed forms: a linear net's derivatives are its weights, one convolution's Grad-CAM can
be written down, and a net that sees one pixel is blind where that one is covered.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, Dense, Flatten, GlobalAvgPool, InputError, LayerError, Relu, Sequential
from jconv.analysis.attribution import grad_cam, last_maps, occlusion, saliency

H, W, C, K = 7, 5, 3, 4


@pytest.fixture
def linear(rng):
    """Scores = W x, with its weights as (H, W, C, K)."""
    net = Sequential(flatten=Flatten(), fc=Dense(K))
    params, state = net.init(jax.random.key(0), (H, W, C))
    kernel = rng.normal(size=(H * W * C, K)).astype(np.float32)
    return net, params | {"fc": params["fc"] | {"kernel": jnp.asarray(kernel)}}, state, kernel


@pytest.fixture
def one_convolution(rng):
    """Scores are the means of K maps after relu; x."""
    net = Sequential(conv=Conv(6, 3), relu=Relu(), pool=GlobalAvgPool(), fc=Dense(K))
    x = jnp.asarray(rng.normal(size=(2, H, W, C)).astype(np.float32))
    return net, *net.init(jax.random.key(1), (H, W, C)), x


def test_saliency_of_a_linear_net_is_its_largest_weight_by_pixel(linear, rng):
    net, params, state, kernel = linear
    x = rng.normal(size=(2, H, W, C)).astype(np.float32)
    found = saliency(net, params, state, x, 2)
    expected = np.abs(kernel[:, 2].reshape(H, W, C)).max(-1)
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-6)


def test_each_example_may_have_a_class_of_its_own(linear, rng):
    net, params, state, kernel = linear
    x = rng.normal(size=(2, H, W, C)).astype(np.float32)
    found = saliency(net, params, state, x, jnp.array([3, 1]))
    expected = np.abs(kernel[:, [3, 1]].T.reshape(2, H, W, C)).max(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_grad_cam_of_one_convolution_by_hand(one_convolution):
    """score[j] = sum over k of V[k, j] mean(A[..., k]), so that w[k] = V[k, j] / positions."""
    net, params, state, x = one_convolution
    found = grad_cam(net, params, state, x, 1, "relu")
    maps = np.maximum(net["conv"].apply(params["conv"], {}, x)[0], 0)
    weights = np.asarray(params["fc"]["kernel"])[:, 1] / (5 * 3)
    np.testing.assert_allclose(found, np.maximum(maps @ weights, 0), rtol=1e-5, atol=1e-6)
    assert found.shape == (2, 5, 3) and (np.asarray(found) > 0).any()


def test_occlusion_matters_only_where_the_one_pixel_that_counts_is_covered(rng):
    net = Sequential(flatten=Flatten(), fc=Dense(2))
    params, state = net.init(jax.random.key(0), (H, W, 1))
    kernel = np.zeros((H, W, 1, 2), np.float32)
    kernel[4, 1, 0, 1] = 3.0
    params = params | {"fc": {"kernel": kernel.reshape(-1, 2), "bias": jnp.zeros(2)}}
    x = rng.random((H, W, 1)).astype(np.float32)
    found = np.asarray(occlusion(net, params, state, x, 1, size=2, fill=0.5))
    assert found.shape == (H - 1, W - 1)
    rows, columns = np.indices(found.shape)
    covers = np.isin(rows, (3, 4)) & np.isin(columns, (0, 1))
    sigmoid = lambda v: 1 / (1 + np.exp(-3 * v))
    np.testing.assert_allclose(found, np.where(covers, sigmoid(0.5), sigmoid(x[4, 1, 0])), 1e-5)


def test_occlusion_slides_by_its_stride_and_fills_each_channel(linear, rng):
    net, params, state, _ = linear
    x = rng.normal(size=(H, W, C)).astype(np.float32)
    fill = np.array([0.1, -0.2, 0.3], np.float32)
    found = np.asarray(occlusion(net, params, state, x, 0, size=3, stride=2, fill=fill))
    assert found.shape == (3, 2)
    covered = x.copy()
    covered[2:5, 2:5] = fill
    scores = net.apply(params, state, covered[None])[0][0]
    np.testing.assert_allclose(found[1, 1], jax.nn.softmax(scores)[0], rtol=1e-5)


def test_the_last_maps_are_those_before_the_head(one_convolution, linear):
    assert last_maps(*one_convolution) == "relu"
    net, params, state, _ = linear
    with pytest.raises(LayerError, match="no layer of this net gives maps"):
        last_maps(net, params, state, np.zeros((1, H, W, C), np.float32))


def test_what_is_wrong_is_said(one_convolution):
    net, params, state, x = one_convolution
    with pytest.raises(InputError, match="label=4: 0 to 3 was expected"):
        saliency(net, params, state, x, 4)
    with pytest.raises(LayerError, match="there is no layer 'rely'; did you mean relu"):
        grad_cam(net, params, state, x, 0, "rely")
    with pytest.raises(LayerError, match=r"pool: gives \(6,\), maps with sizes"):
        grad_cam(net, params, state, x, 0, "pool")
    with pytest.raises(InputError, match="size=6: at most 5"):
        occlusion(net, params, state, x[0], 0, size=6)
    with pytest.raises(InputError, match="size=0"):
        occlusion(net, params, state, x[0], 0, size=0)
    with pytest.raises(LayerError, match=r"gives \(5, 3, 6\) for an example, one score a class"):
        saliency(Sequential(conv=net["conv"]), params, state, x, 0)

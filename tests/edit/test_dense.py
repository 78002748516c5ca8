"""FC<->CONV conversion and dense evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweeps import sweep

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    LayerError,
    MaxPool,
    Relu,
    Sequential,
    ShapeError,
    convolutionalize,
    dense_scores,
    fully_connect,
    shift_and_stitch,
    summary,
    walk,
)
from jconv.models import MODELS, build

IN = (14, 14, 3)


def pad_free(padding=0):
    return Sequential(
        conv1=Conv(4, 3, padding=padding),
        relu1=Relu(),
        pool1=MaxPool(2),
        conv2=Conv(5, 3, padding=padding),
        relu2=Relu(),
        pool2=MaxPool(2),
        flatten=Flatten(),
        fc3=Dense(7),
        relu3=Relu(),
        fc4=Dense(6),
    )


def made(net, in_shape=IN):
    params, state = net.init(jax.random.key(0), in_shape)
    return (*convolutionalize(net, params, in_shape), params, state)


@pytest.fixture
def image(rng):
    return jnp.asarray(rng.standard_normal((22, 22, 3)), jnp.float32)


def crops(net, params, state, image, stride):
    apply = jax.jit(net.apply)
    steps = range(0, image.shape[0] - IN[0] + 1, stride)
    return jnp.stack(
        [
            jnp.stack(
                [apply(params, state, image[None, i : i + 14, j : j + 14])[0][0] for j in steps]
            )
            for i in steps
        ]
    )


def test_without_padding_the_dense_map_is_every_crop(image, close):
    net = pad_free()
    dense, moved, params, state = made(net)
    scores = dense_scores(dense, moved, state, image)
    assert scores.shape == (3, 3, 6)
    close(scores, crops(net, params, state, image, 4), 1e-5)


def test_with_padding_it_is_not(image):
    net = pad_free(padding=1)
    dense, moved, params, state = made(net)
    scores, expected = dense_scores(dense, moved, state, image), crops(net, params, state, image, 4)
    assert scores.shape == expected.shape
    assert float(jnp.abs(scores - expected).max()) > 0.1 * float(jnp.abs(expected).max())


@pytest.mark.exhaustive
def test_four_shifted_passes_give_every_second_crop(image, close):
    net = pad_free()
    dense, moved, params, state = made(net)
    passes = []
    counted = lambda *args: passes.append(1) or dense_scores(*args)
    scores = shift_and_stitch(dense, moved, state, image, 2, scores=counted)
    assert scores.shape == (5, 5, 6) and len(passes) == 4
    close(scores, crops(net, params, state, image, 2), 1e-5)


@pytest.mark.exhaustive
def test_at_384_the_four_passes_of_vgg16_interleave_to_11x11():
    net, in_shape = build("vgg16")
    params = shapes(net, in_shape)
    dense, moved = convolutionalize(net, params, in_shape)
    sizes = []

    def scores(net, params, state, image):
        sizes.append(net.out_shape(image.shape)[:2])
        return jnp.zeros(net.out_shape(image.shape))

    assert shift_and_stitch(
        dense, moved, {}, jnp.zeros((384, 384, 3)), 16, scores=scores
    ).shape == (11, 11, 1000)
    assert sizes == [(6, 6), (6, 5), (5, 6), (5, 5)]


def test_scores_average_over_positions(image, close):
    dense, moved, params, state = made(pad_free())
    mean = dense_scores(dense, moved, state, image).mean(axis=(0, 1))
    close(mean, crops(pad_free(), params, state, image, 4).mean(axis=(0, 1)), 1e-5)


def shapes(net, in_shape):
    """The parameters' shapes, as arrays of one value that take no room."""
    params = jax.eval_shape(lambda key: net.init(key, in_shape)[0], jax.random.key(0))
    return jax.tree.map(lambda p: np.broadcast_to(np.float32(0), p.shape), params)


def test_vgg16_as_convolutions():
    net, in_shape = build("vgg16")
    params = shapes(net, in_shape)
    dense, moved = convolutionalize(net, params, in_shape)
    assert (
        dense["fc6"].features,
        dense["fc6"].kernel,
        dense["fc7"].kernel,
        dense["fc8"].kernel,
    ) == (4096, (7, 7), (1, 1), (1, 1))
    assert (
        moved["fc6"]["kernel"].shape == (7, 7, 512, 4096)
        and moved["fc6"]["kernel"].size == params["fc6"]["kernel"].size == 102_760_448
    )
    assert dense.out_shape((224, 224, 3)) == (1, 1, 1000)
    assert dense.out_shape((384, 384, 3)) == (6, 6, 1000)


def test_one_dense_pass_of_vgg16_costs_a_fifth_of_its_36_crops_at_most():
    net, in_shape = build("vgg16")
    dense, _ = convolutionalize(net, shapes(net, in_shape), in_shape)
    crops = 36 * summary(net, in_shape).totals.macs
    assert crops / summary(dense, (384, 384, 3)).totals.macs > 5


def test_caffenet_at_451_gives_8x8():
    net, in_shape = build("alexnet", variant="caffenet")
    dense, _ = convolutionalize(net, shapes(net, in_shape), in_shape)
    assert dense.out_shape((451, 451, 3)) == (8, 8, 1000)


def has_head(name):
    """A dense layer, or a pool over the whole image."""
    return any(isinstance(v.layer, Dense | GlobalAvgPool) for v in walk(*build(name)))


DEEPER = ("preact_resnet1001", "cifar_resnet1202")  # only more of the blocks of others
HEADS = [
    *((name, None) for name in MODELS if name not in DEEPER and has_head(name)),
    ("googlenet", "torchvision"),
]


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    ("name", "variant"), sweep(HEADS, ("lenet5", "alexnet", "vgg16", "googlenet", "resnet50"))
)
def test_any_net_of_the_zoo_with_a_head_gives_a_map_beyond_its_size(name, variant):
    net, in_shape = build(name, variant=variant)
    dense, moved = convolutionalize(net, shapes(net, in_shape), in_shape)
    larger = (in_shape[0] + 64, in_shape[1] + 32, in_shape[2])
    rows, columns, classes = dense.out_shape(larger)
    assert rows > columns > 1 and (classes,) == net.out_shape(in_shape)
    assert dense.out_shape(in_shape)[:2] == (1, 1)
    sizes = lambda tree: sum(p.size for p in jax.tree.leaves(tree))
    assert sizes(moved) == sizes(shapes(net, in_shape))


@pytest.mark.exhaustive
def test_the_original_lenet_scores_every_position(rng, close):
    net, in_shape = build("lenet5_original")
    params, state = net.init(jax.random.key(0), in_shape)
    dense, moved = convolutionalize(net, params, in_shape)
    image = jnp.asarray(rng.standard_normal((36, 40, 1)), jnp.float32)
    scores = dense_scores(dense, moved, state, image)
    assert scores.shape == (2, 3, 10)
    close(scores[1, 2], net.apply(params, state, image[None, 4:, 8:])[0][0], 1e-5)


def test_heads_that_rest_at_test_time_stay(rng):
    """Torchvision's would be bins of different sizes."""
    net, in_shape = build("googlenet", variant="torchvision")
    dense, _ = convolutionalize(net, shapes(net, in_shape), in_shape)
    assert (dense["aux1"], dense["aux2"]) == (net["aux1"], net["aux2"])
    assert dense["classifier"] == Conv(1000, (1, 1), kernel_init=net["classifier"].kernel_init)


@pytest.mark.exhaustive
def test_the_same_numbers_at_the_size_it_was_made_for(rng, close):
    x = jnp.asarray(rng.standard_normal((2, 8, 8, 3)), jnp.float32)
    for pool in (GlobalAvgPool(), GlobalMaxPool()):
        net = Sequential(Conv(4, 3), pool, Dense(5))
        dense, moved, params, state = made(net, (8, 8, 3))
        close(dense.apply(moved, state, x)[0][:, 0, 0], net.apply(params, state, x)[0], 1e-5)
    net = Sequential(Conv(4, 3), AdaptiveAvgPool(3), Flatten(), Dense(5))
    dense, moved, params, state = made(net, (8, 8, 3))
    assert dense["adaptiveavgpool1"] == AvgPool((2, 2), stride=(2, 2))
    close(dense.apply(moved, state, x)[0][:, 0, 0], net.apply(params, state, x)[0], 1e-5)


def test_the_inverse_gives_the_net_back():
    net = pad_free()
    dense, moved, params, _ = made(net)
    back, returned = fully_connect(dense, moved, IN)
    assert back == net
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), params, returned))


@pytest.mark.parametrize(
    "name", ["lenet5", "lenet5_original", "caffe_lenet", "alexnet", "vgg16", "overfeat"]
)
def test_the_inverse_gives_nets_of_the_zoo_back(name):
    """LeNet-5's third convolution, too, sees all of its input; no Flatten came before it, and it
    stays.
    """
    net, in_shape = build(name)
    params = shapes(net, in_shape)
    back, returned = fully_connect(*convolutionalize(net, params, in_shape), in_shape)
    assert back == net
    assert jax.tree.all(jax.tree.map(lambda a, b: a.shape == b.shape, params, returned))


def test_a_conv_that_sees_all_is_a_dense(rng, close):
    net = Sequential(before=Identity(), conv=Conv(3, (5, 4)))
    params, state = net.init(jax.random.key(0), (5, 4, 2))
    dense, moved = fully_connect(net, params, (5, 4, 2))
    assert dense == Sequential(before=Flatten(), conv=Dense(3))
    x = jnp.asarray(rng.standard_normal((2, 5, 4, 2)), jnp.float32)
    close(dense.apply(moved, state, x)[0], net.apply(params, state, x)[0][:, 0, 0], 1e-5)


def test_what_cannot_be_converted_says_why():
    with pytest.raises(
        LayerError, match="fc: a Dense with no Flatten or global pool before it has no image"
    ):
        convolutionalize(Sequential(fc=Dense(3)), {}, (7,))
    with pytest.raises(LayerError, match=r"pool: \(8, 8\) pixels in \(3, 3\) bins"):
        convolutionalize(
            Sequential(pool=AdaptiveAvgPool(3), flat=Flatten(), fc=Dense(2)), {}, (8, 8, 1)
        )
    with pytest.raises(LayerError, match="no Conv sees all of its input"):
        fully_connect(Sequential(Conv(2, 3)), {}, (7, 7, 1))
    with pytest.raises(LayerError, match="conv1: there is no Identity before"):
        fully_connect(Sequential(Conv(2, 7)), {}, (7, 7, 1))
    with pytest.raises(LayerError, match="pool: a MaxPool after a Conv that sees all"):
        fully_connect(Sequential(a=Identity(), b=Conv(2, 7), pool=MaxPool(1)), {}, (7, 7, 1))


def test_dense_scores_want_a_converted_net(image):
    net = pad_free()
    params, state = net.init(jax.random.key(0), (22, 22, 3))
    with pytest.raises(ShapeError, match="convolutionalize"):
        dense_scores(net, params, state, image)


def test_a_stride_that_does_not_divide(image):
    dense, moved, _, state = made(pad_free())
    with pytest.raises(
        ShapeError, match=r"stride=3 does not divide the net's total stride \(4, 4\)"
    ):
        shift_and_stitch(dense, moved, state, image, 3)

"""Caffe's networks: definitions in its text form, weights in its bytes (caffe_wire.py)."""

import jax.numpy as jnp
import numpy as np
import pytest
from caffe_wire import KERNEL, MATRIX, blob, block, caffemodel, layer, number, real

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elu,
    Flatten,
    GlobalAvgPool,
    InputError,
    LeakyRelu,
    LocalResponseNorm,
    MaxPool,
    PRelu,
    Relu,
    Residual,
    Sequential,
    Tap,
    summary,
)
from jconv.data.pixels import PixelScale
from jconv.layers import caffe_xavier, constant, gaussian
from jconv.weights import About, read_weights

INPUT = 'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 9 }\n'


def defined(tmp_path, text, **about):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    return read_weights(path, About(**about))


def chain(*layers):
    """A definition of layers one after another, each (type, settings)."""
    bottom, text = "data", INPUT
    for i, (kind, settings) in enumerate(layers):
        text += (
            f'layer {{ name: "l{i}" type: "{kind}" bottom: "{bottom}" top: "t{i}" {settings} }}\n'
        )
        bottom = f"t{i}"
    return text


@pytest.mark.parametrize("form", [1, 2])
def test_the_numbers_of_a_file_by_hand(form, tmp_path, close):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffemodel(form))
    weights = read_weights(path).weights
    assert weights.in_shape == (5, 5, 1)
    x = (np.arange(25) % 7 - 3).reshape(5, 5) / 2
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3))
    maps = np.einsum("hwij,kij->khw", windows, KERNEL[:, 0]) + np.array([0.5, -0.25])[:, None, None]
    scores = MATRIX @ np.maximum(maps, 0).ravel() + [1, 2, 3]  # (C, H, W) order
    found, _ = weights.net.apply(
        weights.params, weights.state, jnp.asarray(x, jnp.float32)[None, ..., None]
    )
    close(found[0], jnp.asarray(scores, jnp.float32), 1e-6)
    assert weights.pixels == PixelScale((0.0,), (1 / 255,))


KINDS = [
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", Conv(4, 3)),
    (
        "Convolution",
        "convolution_param { num_output: 6 kernel_h: 3 kernel_w: 1 stride: 2 pad_h: 1 pad_w: 0 "
        "group: 3 bias_term: false dilation: 2 }",
        Conv(6, (3, 1), stride=2, padding=(1, 0), groups=3, bias=False, dilation=2),
    ),
    (
        "Convolution",
        'convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "gaussian" '
        'std: 0.01 } bias_filler { type: "constant" value: 0.1 } }',
        Conv(4, 1, kernel_init=gaussian(0.01), bias_init=constant(0.1)),
    ),
    (
        "Convolution",
        'convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } }',
        Conv(4, 1, kernel_init=caffe_xavier()),
    ),
    (
        "Deconvolution",
        "convolution_param { num_output: 4 kernel_size: 2 stride: 2 }",
        ConvTranspose(4, 2, stride=2),
    ),
    ("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", MaxPool(3, 2, rounding="ceil")),
    (
        "Pooling",
        "pooling_param { pool: AVE kernel_size: 2 stride: 2 pad: 1 round_mode: FLOOR }",
        AvgPool(2, padding=1),
    ),
    ("Pooling", "pooling_param { pool: AVE global_pooling: true }", GlobalAvgPool()),
    ("LRN", "", LocalResponseNorm(5, alpha=1.0)),
    (
        "LRN",
        "lrn_param { local_size: 3 alpha: 5e-05 norm_region: WITHIN_CHANNEL k: 2 }",
        LocalResponseNorm(3, alpha=5e-5, within=True),
    ),
    ("ReLU", "", Relu()),
    ("ReLU", "relu_param { negative_slope: 0.1 }", LeakyRelu(0.1)),
    ("PReLU", "prelu_param { channel_shared: true }", PRelu(shared=True)),
    ("ELU", "elu_param { alpha: 0.5 }", Elu(0.5)),
    ("Dropout", "dropout_param { dropout_ratio: 0.7 }", Dropout(0.7)),
    ("BatchNorm", "", BatchNorm(0.999, scale=False, bias=False)),
    ("Flatten", "", Flatten()),
]


@pytest.mark.parametrize("kind, settings, expected", KINDS)
def test_each_kind_of_layer(kind, settings, expected, tmp_path):
    net = defined(tmp_path, chain((kind, settings))).weights.net
    assert net == Sequential(l0=expected)


def test_what_comes_flattened_is_a_dense_layer(tmp_path):
    text = chain(("InnerProduct", "inner_product_param { num_output: 7 bias_term: false }"))
    net = defined(tmp_path, text).weights.net
    assert [type(x) for _, x in net.children] == [Flatten, Dense]
    assert net["l0"] == Dense(7, bias=False)


BRANCHES = (
    INPUT
    + """
layer { name: "a" type: "Convolution" bottom: "data" top: "a"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Convolution" bottom: "a" top: "b"
  convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
layer { name: "relu2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "aux/fc" type: "InnerProduct" bottom: "sum" top: "aux"
  inner_product_param { num_output: 5 } }
layer { name: "aux/loss" type: "SoftmaxWithLoss" bottom: "aux" bottom: "label" top: "l1" }
layer { name: "c" type: "Pooling" bottom: "sum" top: "c" pooling_param { kernel_size: 1 } }
layer { name: "join" type: "Concat" bottom: "c" bottom: "sum" top: "join" }
layer { name: "fc" type: "InnerProduct" bottom: "join" top: "fc"
  inner_product_param { num_output: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "l2" }
layer { name: "top1" type: "Accuracy" bottom: "fc" bottom: "label" top: "top1" }
"""
)


def test_branches_sums_joins_and_heads(tmp_path):
    net = defined(tmp_path, BRANCHES).weights.net
    kinds = {name: type(layer) for name, layer in net.children}
    assert kinds == {
        "a": Conv,
        "relu": Relu,
        "sum": Residual,
        "aux_fc_head": Tap,
        "join": Concat,
        "fc_flatten": Flatten,
        "fc": Dense,
    }
    assert net["sum"].then == Relu() and net["aux_fc_head"].train_only
    assert summary(net, (8, 9, 3)).totals.params == (27 * 3 + 3) + 12 + (216 * 5 + 5) + (
        432 * 5 + 5
    )


TRANSFORM = """
layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 5 mirror: true } }
layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 6 scale: 0.5 mean_value: 10 mean_value: 20 mean_value: 30 } }
layer { name: "train" type: "Convolution" bottom: "data" top: "x" include { phase: TRAIN }
  convolution_param { num_output: 9 kernel_size: 1 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "x" exclude { phase: TRAIN }
  convolution_param { num_output: 2 kernel_size: 3 } }
"""


def test_phases_and_the_scale_of_pixels(tmp_path):
    weights = defined(tmp_path, TRANSFORM).weights
    assert weights.net == Sequential(conv=Conv(2, 3)) and weights.in_shape == (6, 6, 3)
    # blue, green, red there
    assert weights.pixels == PixelScale((30 / 255, 20 / 255, 10 / 255), (1 / (255 * 0.5),))


def bytes_of(*parts):
    shape = block(1, b"".join(map(bytes, ([1], [3], [4], [4]))))
    return block(3, "data") + block(8, shape) + b"".join(parts)


def test_colours_come_blue_green_red(tmp_path):
    kernel = np.arange(2 * 3).reshape(2, 3, 1, 1) / 4
    conv = layer("conv", "Convolution", "data", "conv", block(106, number(1, 2) + number(4, 1)),
                 [blob(kernel), blob([0.0, 0.0])])  # fmt: skip
    path = tmp_path / "net.caffemodel"
    path.write_bytes(bytes_of(conv))
    turned = read_weights(path).weights.params["conv"]["kernel"]
    np.testing.assert_array_equal(turned[0, 0], kernel[:, ::-1, 0, 0].T)
    plain = read_weights(path, About(channels="rgb")).weights.params["conv"]["kernel"]
    np.testing.assert_array_equal(plain[0, 0], kernel[:, :, 0, 0].T)


def test_batch_norm_and_scale_are_one_layer(tmp_path):
    bn = layer("bn", "BatchNorm", "data", "x", block(139, real(3, 1e-3)),
               [blob([2.0, 4, 6]), blob([4.0, 8, 12]), blob([2.0])])  # fmt: skip
    scale = layer("scale", "Scale", "x", "x", block(142, number(4, 1)),
                  [blob([1.0, 2, 3]), blob([4.0, 5, 6])])  # fmt: skip
    path = tmp_path / "net.caffemodel"
    path.write_bytes(bytes_of(bn, scale))
    weights = read_weights(path, About(channels="rgb")).weights
    assert weights.net == Sequential(bn=BatchNorm(0.999, 1e-3))
    np.testing.assert_array_equal(weights.state["bn"]["mean"], [1, 2, 3])  # the sums over 2
    np.testing.assert_array_equal(weights.state["bn"]["var"], [2, 4, 6])
    np.testing.assert_array_equal(weights.params["bn"]["scale"], [1, 2, 3])
    np.testing.assert_array_equal(weights.params["bn"]["bias"], [4, 5, 6])


OLDEST = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 9
layers { layer { name: "pad" type: "padding" pad: 2 } bottom: "data" top: "padded" }
layers { layer { name: "conv" type: "conv" num_output: 4 kernelsize: 3 stride: 2 group: 1 }
  bottom: "padded" top: "conv" }
layers { layer { name: "pool" type: "pool" pool: AVE kernelsize: 2 stride: 2 }
  bottom: "conv" top: "pool" }
layers { layer { name: "norm" type: "lrn" local_size: 3 alpha: 0.5 } bottom: "pool" top: "norm" }
layers { layer { name: "fc" type: "innerproduct" num_output: 5 } bottom: "norm" top: "fc" }
layers { layer { name: "prob" type: "softmax" } bottom: "fc" top: "prob" }
"""


def test_the_oldest_form(tmp_path):
    reading = defined(tmp_path, OLDEST)
    assert reading.weights.net == Sequential(
        conv=Conv(4, 3, stride=2, padding=2),
        pool=AvgPool(2, rounding="ceil"),
        norm=LocalResponseNorm(3, alpha=0.5),
        flatten=Flatten(),
        fc=Dense(5),
    )
    assert "prob: the softmax is left out, scores are the output" in reading.notes


CONV = "convolution_param { num_output: 3 kernel_size: 3 }"


@pytest.mark.parametrize(
    "text, words",
    [
        (chain(("Convolution", CONV), ("Crop", "")), "layer 2, 'l1', is a 'Crop'; layers that"),
        (chain(("ReLU", "relu_param { size: 3 }")), r"line 2:\d+ : .*no field named \"size"),
        (chain(("Convolution", CONV.replace("e: 3", "e: 99"))), "l0'.*99-wide window"),
        (chain(("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }")), "at random"),
        (chain(("Eltwise", "eltwise_param { operation: MAX }")), "is MAX; a plain SUM was"),
        (chain(("Concat", "concat_param { axis: 2 }")), "joins along axis 2, 1, the channels"),
        (INPUT, "has no layers|defines no layers"),
        ('layer { name: "a" type: "ReLU" bottom: "a" top: "b" }', "has no input and no data layer"),
        (
            INPUT + 'layer { name: "a" type: "ReLU" bottom: "b" top: "c" }'
            'layer { name: "d" type: "ReLU" bottom: "c" top: "b" }',
            "'a' takes 'b', which no layer before it makes; .* in a cycle",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(text, words, tmp_path):
    with pytest.raises(InputError, match=f"net.prototxt: .*(?:{words})"):
        defined(tmp_path, text)


def test_a_graph_that_no_composition_holds(tmp_path):
    text = INPUT + "".join(
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" '
        "convolution_param { num_output: 3 kernel_size: 1 } }\n"
        for name, bottom in (("a", "data"), ("b", "data"), ("c", "a"))
    )
    text += (
        'layer { name: "ab" type: "Eltwise" bottom: "a" bottom: "b" top: "ab" }\n'
        'layer { name: "abc" type: "Eltwise" bottom: "ab" bottom: "c" top: "abc" }\n'
    )
    with pytest.raises(InputError, match="Eltwise 'ab' takes a and b: branches that parted"):
        defined(tmp_path, text)


def test_weights_that_are_missing_or_left_over(tmp_path):
    path, definition = tmp_path / "net.caffemodel", tmp_path / "net.prototxt"
    path.write_bytes(caffemodel())
    about = About(definition=definition)
    text = 'input: "data" input_dim: 1 input_dim: 1 input_dim: 5 input_dim: 5\n'
    conv = 'layer {{ name: "{}" type: "Convolution" bottom: "data" top: "x" {} }}'
    settings = "convolution_param { num_output: 2 kernel_size: 3 }"
    definition.write_text(text + conv.format("conv", settings))
    assert "not in the definition, left out: fc" in read_weights(path, about).notes
    definition.write_text(text + conv.format("convv", settings))
    with pytest.raises(InputError, match="'convv' has 0 arrays in the weights, .* mean conv"):
        read_weights(path, about)
    definition.write_text(text + conv.format("conv", settings.replace("2", "4")))
    with pytest.raises(InputError, match=r"array 0 of Convolution 'conv' has shape \(2, 1, 3, 3\)"):
        read_weights(path, about)


@pytest.mark.exhaustive
def test_the_size_of_images_that_the_weights_fit(tmp_path):
    path, definition = tmp_path / "net.caffemodel", tmp_path / "net.prototxt"
    path.write_bytes(caffemodel())
    text = 'layer { name: "d" type: "Data" top: "data" top: "label" }\n' + "".join(
        f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}" {settings} }}\n'
        for name, kind, bottom, settings in (
            ("conv", "Convolution", "data", "convolution_param { num_output: 2 kernel_size: 3 }"),
            ("fc", "InnerProduct", "conv", "inner_product_param { num_output: 3 }"),
        )
    )
    definition.write_text(text)
    assert read_weights(path, About(definition=definition)).weights.in_shape == (5, 5, 1)
    with pytest.raises(InputError, match="does not say how large images are; give in_shape"):
        read_weights(definition)

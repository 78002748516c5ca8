import numpy as np
import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Sequential,
    ShapeError,
    budget,
    gradcheck,
    largest_batch,
    lint,
    net_field,
    precision_errors,
    receptive_fields,
    saved_bytes,
    servable,
    streaming_peak,
    summary,
    tune,
)
from jconv.analysis.example import example_shape

NET = Sequential(Conv(4, 3, padding=1), Relu(), MaxPool(2), Flatten(), Dense(3))
TOOLS = {
    "summary": summary,
    "net_field": lambda net, shape: net_field(Sequential(Conv(4, 3)), shape),
    "receptive_fields": receptive_fields,
    "lint": lint,
    "budget": lambda net, shape: budget(net, shape, 2),
    "largest_batch": lambda net, shape: largest_batch(net, shape, 2**30),
    "saved_bytes": saved_bytes,
    "streaming_peak": streaming_peak,
    "gradcheck": gradcheck,
    "precision_errors": precision_errors,
    "tune": lambda net, shape: tune(net, shape, 2),
    "servable": lambda net, shape: servable(net, shape, 2),
}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize(
    "in_shape, words",
    [
        (
            (3, 28, 28, 1),
            r"three spatial axes.* is the first the batch\? Then leave it out, \(28, 28, 1\)",
        ),
        ((28, 28), r"lacks the channels.* give \(28, 28, 1\)"),
        ((3, 32, 32), r"channels first.* give \(32, 32, 3\)"),
        ((1, 28, 28), r"channels first.* give \(28, 28, 1\)"),
    ],
)
def test_an_axis_too_many_or_too_few_is_named_by_every_tool(tool, in_shape, words):
    with pytest.raises(ShapeError, match=words):
        tool(NET, in_shape)


@pytest.mark.parametrize(
    "net, in_shape",
    [
        (NET, (28, 28, 3)),
        (NET, (64, 12)),  # a series
        (NET, (4, 4)),
        (NET, (3, 32, 31)),
        (Sequential(Conv(4, (3, 3, 3)), BatchNorm(), AvgPool(2)), (8, 28, 28, 1)),
        (Sequential(Conv(4, 3), MaxPool((2, 2, 2))), (8, 28, 28, 1)),
        (Sequential(Conv(4, (3,)), MaxPool(2)), (28, 28)),
        (Sequential(Conv(4, (1, 3)), MaxPool((1, 2))), (1, 28, 28)),
        (Sequential(BatchNorm(), GlobalAvgPool()), (8, 28, 28, 1)),  # no window
        (Dense(3), (7,)),
    ],
    ids=str,
)
def test_what_is_meant_is_taken(net, in_shape):
    assert example_shape(net, list(in_shape)) == in_shape
    assert example_shape(net, np.array(in_shape)) == in_shape


@pytest.mark.parametrize(
    "given, words",
    [
        (
            28,
            r"in_shape is 28; one example's shape was expected, such as \(28, 28, 1\).*: \(28,\) "
            r"if that is the number of features",
        ),
        ("28x28x1", "in_shape is '28x28x1'; one example's shape"),
        ((28, 0, 1), r"in_shape is \(28, 0, 1\); .*every entry a whole number of at least 1"),
        ((28.0, 28, 1), r"in_shape is \(28.0, 28, 1\)"),
        ((None, 28, 28, 1), r"in_shape is \(None, 28, 28, 1\).*without the batch"),
        (
            np.zeros((2, 28, 28, 1)),
            r"in_shape is an array of shape \(2, 28, 28, 1\).*give x.shape\[1:\]",
        ),
    ],
    ids=str,
)
def test_what_is_no_shape_is_named(given, words):
    with pytest.raises(ShapeError, match=words):
        summary(NET, given)


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2", None, True])
def test_a_batch_is_a_whole_number(batch):
    for tool in (
        lambda: budget(NET, (8, 8, 1), batch),
        lambda: tune(NET, (8, 8, 1), batch),
        lambda: servable(NET, (8, 8, 1), batch),
    ):
        with pytest.raises(ValueError, match="batch=.*, a whole number of at least 1 was expected"):
            tool()


@pytest.mark.parametrize(
    "layer, in_shape, words",
    [
        (Conv(4, 5), (1, 28, 28), r"\(1, 28, 28\) may have its channels first: give \(28, 28, 1\)"),
        (MaxPool(3), (1, 28, 28, 1), r"has three spatial axes: leave the batch out, \(28, 28, 1\)"),
        (Dense(4), (32, 784), r"or leave the batch out, \(784,\)"),
    ],
    ids=str,
)
def test_a_window_that_does_not_fit_for_an_axis_too_many_says_so(layer, in_shape, words):
    with pytest.raises(ShapeError, match=words):
        layer.out_shape(in_shape)

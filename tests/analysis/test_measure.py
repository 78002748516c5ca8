"""What layers do not declare, as it is measured: against what they declare, against arithmetic, and
unknown where it cannot be.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Composite,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    Lambda,
    Layer,
    LayerError,
    LocalResponseNorm,
    MaxPool,
    ReceptiveField,
    Relu,
    Sequential,
    Subsampling,
    budget,
    largest_batch,
    net_field,
    ops,
    saved_bytes,
    summary,
)
from jconv.analysis.measure import _traced_kept, _traced_macs, kept_by, kept_by_join, macs_of
from jconv.analysis.support import _measured_window, window_of, windows_of_join
from jconv.errors import InputError

IMAGE = (13, 11, 6)
DECLARED = [
    (Conv(5, 3), IMAGE),
    (Conv(8, (5, 3), stride=2, padding=((2, 1), 1)), IMAGE),
    (Conv(6, 3, dilation=2, groups=3), IMAGE),
    (Conv(4, 3, padding="SAME", stride=(1, 3)), IMAGE),
    (Conv(4, 5, padding=2), (17, 3)),
    (Conv(4, 2), (5, 4, 6, 2)),
    (Dense(7), (9,)),
    (Relu(), IMAGE),
    (MaxPool(3, 2), IMAGE),
    (AvgPool(2), IMAGE),
    (Flatten(), IMAGE),
    (GlobalAvgPool(), IMAGE),
    (Subsampling(2), IMAGE),
    (LocalResponseNorm(3, alpha=0.5, within=True), IMAGE),
    (AdaptiveAvgPool(3), (12, 9, 4)),
]
declared = pytest.mark.parametrize(
    ("layer", "in_shape"),
    DECLARED,
    ids=lambda v: type(v).__name__ if isinstance(v, Layer) else str(len(v)),
)


@pytest.mark.sweep(5)
@declared
def test_products_and_windows_measured_are_those_declared(layer, in_shape):
    # whose means are products with a constant, and count as none
    if not isinstance(layer, AdaptiveAvgPool):
        assert _traced_macs(layer, in_shape) == layer.macs(in_shape)
    w, found = layer.over(in_shape), _measured_window(layer, in_shape)
    low = tuple(lo for lo, _ in w.padding)
    assert (found.size, tuple(lo for lo, _ in found.padding)) == (w.extent, low)
    moves = [axis for axis, n in enumerate(w.out_sizes) if n > 1]
    assert [found.stride[axis] for axis in moves] == [w.stride[axis] for axis in moves]


@pytest.mark.parametrize(
    "layer",
    [
        Conv(5, 3),
        Conv(6, 3, mask=((0, 1),) * 6),
        Relu(),
        MaxPool(3, 2),
        AvgPool(2),
        Flatten(),
        GlobalAvgPool(),
        Identity(),
    ],
)
def test_saved_arrays_measured_are_those_declared(layer):
    found, said = _traced_kept(layer, IMAGE, "float32"), kept_by(layer, IMAGE, "float32")
    assert found == said


@pytest.mark.exhaustive
def test_the_windows_of_one_layer_are_measured_where_no_one_is_declared():
    # at stride 1 all outputs see alike
    assert net_field(Sequential(up=ConvTranspose(2, 3)), IMAGE)[0].size == 3
    assert window_of(ConvTranspose(2, 4, stride=2), IMAGE) is None
    assert window_of(AdaptiveAvgPool(5), IMAGE) is None


class Written(Layer):
    """A function written into a layer, which declares nothing."""

    def apply(self, params, state, x, *, train=False, key=None):
        return self.f(x), state


def written(function):
    return type("Own", (Written,), {"f": staticmethod(function)})()


CONV = jnp.ones((3, 3, 6, 6))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x * 2, 0),
        (lambda x: x @ jnp.ones((6, 6)), 143 * 36),
        (lambda x: jnp.einsum("nhwc,ndec->nhwde", x, x)[..., 0, :6], 143 * 143 * 6),
        (lambda x: ops.conv(x, CONV, padding=1), 143 * 9 * 36),
        (lambda x: ops.conv(x, CONV, padding=1, method="lax"), 143 * 9 * 36),
        (lambda x: ops.conv(x, CONV, padding=1, method="im2col"), 143 * 9 * 36),
        (
            lambda x: ops.conv(x, jnp.ones((3, 3, 2, 6)), padding=1, groups=3, method="lax"),
            143 * 9 * 12,
        ),
        (lambda x: ops.conv_transpose(x, CONV, padding=1), 143 * 9 * 36),
        (lambda x: lax.conv_transpose(x, CONV, (1, 1), "SAME"), 143 * 9 * 36),
        (
            lambda x: lax.scan(lambda x, _: (x @ jnp.ones((6, 6)), None), x, None, 5)[0],
            5 * 143 * 36,
        ),
        (lambda x: lax.fori_loop(0, 3, lambda i, x: x @ jnp.ones((6, 6)), x), 3 * 143 * 36),
        (jax.checkpoint(lambda x: x @ jnp.ones((6, 6))), 143 * 36),
        (
            lambda x: lax.cond(
                True, lambda x: x @ jnp.ones((6, 6)), lambda x: x @ jnp.zeros((6, 6)), x
            ),
            143 * 36,
        ),
        (lambda x: lax.cond(x.sum() > 0, lambda x: x @ jnp.ones((6, 6)), lambda x: x, x), None),
        (lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: x @ jnp.ones((6, 6)), x), None),
        (lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: x + 1, x), 0),
    ],
)
def test_multiply_adds_are_counted_in_the_trace(function, expected):
    assert macs_of(written(function), IMAGE) == expected


def test_unknown_multiply_adds_are_unknown_in_the_totals_too():
    table = summary(
        Sequential(
            conv=Conv(6, 1),
            own=written(
                lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: x @ CONV[0, 0], x)
            ),
        ),
        IMAGE,
    )
    assert [row.macs for row in table.rows] == [143 * 36, None]
    assert table.totals.macs is None
    assert str(table).count("unknown") == 2
    assert (
        "unknown" in table.markdown()
        and "unknown" in table.csv()
        and '"macs": null' in table.json()
    )


@jax.custom_vjp
def one_way(x):
    return x + 1


def _raises(x, y):
    raise ValueError("no way back")


one_way.defvjp(lambda x: (x + 1, x), _raises)


@pytest.mark.parametrize(
    "function", [one_way, lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: x + 1, x)]
)
def test_saved_arrays_are_unknown_where_the_gradient_cannot_be_traced(function):
    net = Sequential(conv=Conv(6, 1), own=written(function), flatten=Flatten(), fc=Dense(2))
    assert saved_bytes(net, IMAGE) is None
    assert budget(net, IMAGE, 3).saved is None
    assert budget(net, IMAGE, 3).total is None
    assert budget(net, IMAGE, 3).fixed > 0
    with pytest.raises(
        InputError, match="what training keeps is unknown: the gradient of own cannot be traced"
    ):
        largest_batch(net, IMAGE, 2**30)
    with pytest.raises(
        LayerError,
        match="own: what the outputs of Own see is not one window of its input, or cannot be "
        "measured",
    ):
        net_field(Sequential(conv=Conv(6, 1), own=written(function)), IMAGE)
    assert [row.no_field[:4] for row in summary(net, IMAGE).rows] == ["", "what", "what", "what"]


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x[:, ::-1], None),
        (lambda x: x.swapaxes(1, 2), None),
        (lambda x: jnp.roll(x, 1, axis=1), None),
        (lambda x: x - x.mean((1, 2), keepdims=True), ((13, 0, 0), (13, 0, 0))),
        (lambda x: x[:, 2:, 1:-3], ((1, 1, -2), (1, 1, -1))),
        (lambda x: x[:, ::3], ((1, 3, 0), (1, 1, 0))),
        (lambda x: jnp.repeat(x, 2, axis=1), None),
        (lambda x: x.reshape(x.shape[0], -1, x.shape[-1])[:, :, None], None),
        (lambda x: x.max((1, 2)), ((13, 1, 0), (13, 1, 0))),
        (lambda x: jnp.round(x), None),
    ],
)
def test_windows_that_are_none_are_unknown(function, expected):
    found = _measured_window(written(function), (13, 13, 6))
    if expected is None:
        assert found is None
    else:
        assert (
            tuple(
                (f, s, lo)
                for f, s, (lo, _) in zip(found.size, found.stride, found.padding, strict=True)
            )
            == expected
        )


@pytest.mark.sweep(1)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_small_images_have_the_window_of_large_ones(size):
    found = _measured_window(Conv(4, 5, padding=2), (size, size, 3))
    assert (found.size, found.stride) == ((5, 5), (1, 1))


@pytest.mark.exhaustive
def test_a_subclass_that_computes_anew_does_not_inherit_what_was_declared():
    @dataclass(frozen=True)
    class Far(Conv):
        def apply(self, params, state, x, *, train=False, key=None):
            y, state = super().apply(params, state, x)
            return jnp.tanh(y + y.mean((1, 2), keepdims=True)), state

    @dataclass(frozen=True)
    class Smooth(Relu):
        def function(self, x):
            return jnp.tanh(x)

    assert window_of(Far(6, 3, padding=1), IMAGE).stride == (0, 0)
    assert kept_by(Far(6, 3, padding=1), IMAGE, "float32") != kept_by(
        Conv(6, 3, padding=1), IMAGE, "float32"
    )
    assert kept_by(Smooth(), IMAGE, "float32") != kept_by(Relu(), IMAGE, "float32")
    assert macs_of(Far(6, 3, padding=1), IMAGE) == Conv(6, 3, padding=1).macs(IMAGE)


@pytest.mark.exhaustive
def test_joins_are_measured():
    product = kept_by_join(jnp.multiply, (IMAGE, IMAGE), "float32")
    assert (product.inputs, product.each) == ((True, True), 0)
    assert kept_by_join(jnp.add, (IMAGE, IMAGE), "float32").inputs == (False, False)
    shift = lambda a, b: a + jnp.roll(b, 1, axis=1)
    one, other = windows_of_join(shift, (IMAGE, IMAGE))
    assert one.size == (1, 1) and other is None


def test_an_init_of_ones_own_is_counted():
    @dataclass(frozen=True)
    class Own(Layer):
        def init(self, key, in_shape):
            return {"inner": {"w": jnp.ones((in_shape[-1], 3))}}, {"count": jnp.zeros(5)}

        def apply(self, params, state, x, *, train=False, key=None):
            return x * params["inner"]["w"].sum(), state

    table = summary(Own(), IMAGE)
    assert table.totals.params == 18
    assert budget(Own(), IMAGE, 2).statistics == 4 * 5


def test_a_kept_output_and_the_next_layers_input_are_one_array():
    net = Sequential(conv=Conv(6, 1), exp=Lambda(jnp.exp), again=Conv(6, 1))
    assert kept_by(Lambda(jnp.exp), IMAGE, "float32").output
    assert saved_bytes(net, IMAGE) == 4 * 143 * 6
    assert saved_bytes(Sequential(bn=BatchNorm(), pool=GlobalMaxPool()), IMAGE) > 0


def test_half_precision_is_measured_in_half_precision():
    net = Sequential(conv=Conv(6, 1), act=Lambda(jax.nn.silu), again=Conv(6, 1))
    assert saved_bytes(net, IMAGE, "bfloat16") * 2 == saved_bytes(net, IMAGE, "float32")
    assert saved_bytes(net, IMAGE, "float64") == 2 * saved_bytes(net, IMAGE, "float32")


def test_the_field_of_a_join_is_measured_where_it_is_not_said_to_be_pointwise():
    @dataclass(frozen=True)
    class Moved(Composite):
        layer: Layer
        by: int

        def run(self, call, x):
            moved = lambda a, b: a[:, self.by :] + b[:, : b.shape[1] - self.by]
            return call.join(moved, x, call.child("layer", self.layer, x))

    assert net_field(Moved(Conv(6, 3, padding=1), 4), IMAGE) == (
        ReceptiveField(6, 1, -1),
        ReceptiveField(3, 1, -1),
    )

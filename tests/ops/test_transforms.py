"""What JAX's transformations make of each operation, against what they make of its im2col twin."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.ops.methods import per_operation, plan

POOL = dict(size=(3, 2), stride=(2, 1), padding=((1, 0), (0, 1)), rounding="ceil")
CONV = dict(stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(1, 2), groups=2)
OPERATIONS = {
    "conv": (partial(ops.conv, **CONV), (3, 7, 5, 4), (3, 2, 2, 6)),
    "conv_1d": (partial(ops.conv, stride=3, padding=2, dilation=2), (3, 11, 2), (3, 2, 5)),
    "conv_matmul": (
        partial(ops.conv, method="matmul", stride=2, padding=((1, 0), (0, 2))),
        (3, 7, 5, 2),
        (1, 1, 2, 3),
    ),
    "conv_columns": (
        partial(ops.conv, method="columns", stride=2, padding=((1, 0), (0, 2)), dilation=(1, 2)),
        (3, 7, 5, 2),
        (3, 2, 2, 3),
    ),
    "conv_shift_one": (
        partial(ops.conv, method="shift", stride=2, padding=((1, 0), (0, 2))),
        (3, 7, 5, 1),
        (3, 2, 1, 3),
    ),
    "conv_split": (
        partial(ops.conv, method="split", groups=2, stride=2, padding=((1, 0),)),
        (3, 7, 32),
        (3, 16, 34),
    ),
    "conv_loop": (partial(ops.conv, method="loop", **CONV), (3, 7, 5, 4), (3, 2, 2, 6)),
    "conv_shift": (partial(ops.conv, method="shift", **CONV), (3, 7, 5, 2), (3, 2, 1, 4)),
    "conv_chunked": (partial(ops.conv, method="chunked", **CONV), (3, 7, 5, 2), (3, 2, 1, 4)),
    "conv_fold": (
        partial(ops.conv, method="fold", stride=(1, 2, 1), padding=((1, 0), (0, 1), (0, 0))),
        (3, 4, 5, 3, 2),
        (3, 2, 2, 2, 3),
    ),
    "conv_derived": (partial(ops.conv, method="derived", **CONV), (3, 7, 5, 4), (3, 2, 2, 6)),
    "conv_im2col": (partial(ops.conv, method=("im2col",) * 3, **CONV), (3, 7, 5, 4), (3, 2, 2, 6)),
    "conv_phases": (
        partial(ops.conv, method="phases", padding=((1, 0), (2, 1)), dilation=(1, 2)),
        (3, 7, 5, 2),
        (3, 2, 2, 3),
    ),
    "conv_winograd": (
        partial(ops.conv, method="winograd", stride=(1, 2), padding=((1, 0), (0, 1))),
        (3, 7, 5, 2),
        (3, 2, 2, 3),
    ),
    "conv_fft": (
        partial(ops.conv, method="fft", padding=((1, 0), (4, 2))),
        (3, 7, 5, 2),
        (3, 5, 2, 3),
    ),
    "conv_transpose": (partial(ops.conv_transpose, **CONV), (3, 4, 3, 6), (3, 2, 2, 6)),
    "local_conv": (partial(ops.local_conv, size=3, stride=2), (3, 7, 5, 2), (3, 2, 3, 3, 2, 5)),
    "max_pool": (partial(ops.max_pool, **POOL), (3, 7, 5, 2)),
    "avg_pool": (partial(ops.avg_pool, **POOL, count_padding=False), (3, 7, 5, 2)),
    "lp_pool": (partial(ops.lp_pool, **POOL), (3, 7, 5, 2)),
    "response_norm": (partial(ops.local_response_norm, size=3, alpha=0.5), (3, 7, 5)),
}


def loss(f):
    return lambda *a: jnp.sin(f(*a)).sum()  # a second derivative that is not zero


def every_gradient(f):
    return lambda *a: jax.grad(loss(f), tuple(range(len(a))))(*a)


def jvp(f, a, t, batches):
    return jax.jvp(f, a, t)


def hessian_vector(f, a, t, batches):
    """Forward over reverse."""
    return jax.jvp(every_gradient(f), a, t)


def reverse_over_reverse(f, a, t, batches):
    along = lambda *a: sum(jnp.vdot(g, v) for g, v in zip(every_gradient(f)(*a), t, strict=True))
    return jax.grad(along, tuple(range(len(a))))(*a)


def vmap(f, a, t, batches):
    """A batch of each operand alone, and of all."""
    alone = [
        jax.vmap(f, [0 if i == j else None for j in range(len(a))])(*a[:i], batches[i], *a[i + 1 :])
        for i in range(len(a))
    ]
    return alone, jax.vmap(f)(*batches)


def vmap_of_gradients(f, a, t, batches):
    return jax.vmap(every_gradient(f))(*batches), jax.vmap(
        every_gradient(f), (0, *(None,) * (len(a) - 1))
    )(batches[0], *a[1:])


def per_example_gradients(f, a, t, batches):
    example = lambda x: every_gradient(f)(x[None], *a[1:])
    return jax.vmap(example)(a[0])


def scan(f, a, t, batches):
    def total(*batches):
        return jax.lax.scan(lambda carry, a: (carry + loss(f)(*a), None), jnp.zeros(()), batches)[0]

    return jax.value_and_grad(total, tuple(range(len(a))))(*batches)


def checkpoint(f, a, t, batches):
    return every_gradient(jax.checkpoint(f))(*a)


TRANSFORMS = [
    jvp,
    hessian_vector,
    reverse_over_reverse,
    vmap,
    vmap_of_gradients,
    per_example_gradients,
    scan,
    checkpoint,
]
# by every method that the plan can choose
CONVOLUTIONS = tuple(name for name in OPERATIONS if name.startswith("conv"))
# primitives of ours; the others are made of what JAX transforms itself
OURS = (*CONVOLUTIONS, "max_pool")


@pytest.mark.sweep(4)
@pytest.mark.parametrize(
    "name, transform",
    [(n, t) for n in OPERATIONS for t in (TRANSFORMS if n in OURS else TRANSFORMS[:4])],
)
def test_equals_the_twin(name, transform, rng, compiled, x64, close):
    f, *shapes = OPERATIONS[name]
    draw = lambda *batch: tuple(rng.standard_normal((*batch, *shape)) for shape in shapes)
    both = compiled(
        lambda *given: [transform(f, *given), transform(partial(f, method="im2col"), *given)]
    )
    close(*both(draw(), draw(), draw(5)), 1e-10)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("name", OURS)
def test_eager_equals_compiled(name, rng, compiled, close):
    f, *shapes = OPERATIONS[name]
    a = [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes]
    close(
        (f(*a), jax.vjp(f, *a)[1](f(*a))),
        compiled(lambda *a: (f(*a), jax.vjp(f, *a)[1](f(*a))))(*a),
        1e-5,
    )


def spread(name):
    """An operation as it is over several devices or a batch of unknown size: there the plan takes
    neither "chunked" nor, of groups, what lax derives.
    """
    f, *shapes = OPERATIONS[name]
    return partial(f, method="auto") if name in ("conv_chunked", "conv_derived") else f, *shapes


@pytest.fixture
def mesh():
    return jax.sharding.Mesh(np.array(jax.devices()), ("batch",))


def test_each_method_of_the_plan_is_among_them():
    words = {
        per_operation(f.keywords.get("method", "auto"))[0]
        for name, (f, *_) in OPERATIONS.items()
        if name in CONVOLUTIONS
    }
    assert words == {"auto", "derived", *(row.method for row in plan.PLAN)}


@pytest.mark.sweep(2)
@pytest.mark.parametrize("name", OPERATIONS)
def test_sharded_batch(name, rng, close, compiled, mesh):
    """Values and gradients over four devices; only a kernel's gradient needs the other devices'
    share, in one sum.
    """
    f, *shapes = spread(name)
    a = [
        rng.standard_normal((8, *shapes[0][1:])).astype(np.float32),
        *(rng.standard_normal(s).astype(np.float32) for s in shapes[1:]),
    ]
    specs = [
        jax.sharding.PartitionSpec("batch"),
        *(jax.sharding.PartitionSpec() for _ in shapes[1:]),
    ]
    program = compiled(lambda *a: (f(*a), every_gradient(f)(*a)))
    sharded = [
        jax.device_put(array, jax.sharding.NamedSharding(mesh, spec))
        for array, spec in zip(a, specs, strict=True)
    ]
    y, gradients = program(*sharded)
    assert y.sharding.spec[0] == "batch"
    assert gradients[0].sharding.spec[0] == "batch"
    text = program.lower(*sharded).compile().as_text()
    assert text.count("all-reduce(") == len(shapes) - 1
    assert not re.findall("all-gather|all-to-all|collective-permute", text)
    close((y, gradients), program(*a), 1e-5)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("name", OPERATIONS)
def test_export_with_a_symbolic_batch(name, rng, close, compiled):
    f, *shapes = spread(name)
    (batch,) = jax.export.symbolic_shape("batch")
    symbols = [
        jax.ShapeDtypeStruct((batch, *shapes[0][1:]), jnp.float32),
        *(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes[1:]),
    ]
    program = lambda *a: (f(*a), every_gradient(f)(*a))
    exported = jax.export.export(jax.jit(program), platforms=("cpu", "cuda", "tpu"))(*symbols)
    for n in (2, 5):
        a = [rng.standard_normal(s).astype(np.float32) for s in ((n, *shapes[0][1:]), *shapes[1:])]
        close(compiled(exported.call)(*a), compiled(program)(*a), 1e-5)


@pytest.mark.sweep(3)
@pytest.mark.parametrize("name", OPERATIONS)
def test_bfloat16(name, rng, close, compiled):
    """Half precision in and out; as close to the float32 twin as its 8 bits allow."""
    f, *shapes = OPERATIONS[name]
    half = [jnp.asarray(rng.standard_normal(s), jnp.bfloat16) for s in shapes]
    program = lambda *a: (f(*a), every_gradient(f)(*a))
    actual = compiled(program)(*half)
    assert {a.dtype for a in jax.tree.leaves(actual)} == {jnp.dtype(jnp.bfloat16)}
    twin = partial(f, method="im2col")
    expected = compiled(lambda *a: (twin(*a), every_gradient(twin)(*a)))(
        *(a.astype(jnp.float32) for a in half)
    )
    close(actual, expected, 3e-2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ops.conv(x, jnp.ones((3, 3, 5, 5)) / 9, padding=1),
        lambda x: ops.conv_transpose(x, jnp.ones((3, 3, 5, 5)) / 9, padding=1),
        lambda x: ops.max_pool(x, 3, stride=1, padding=1),
    ],
    ids=["conv", "conv_transpose", "max_pool"],
)
def test_donation(f, normal, close):
    x = normal(2, 7, 3, 5)
    expected = jax.jit(f)(x)
    y = jax.jit(f, donate_argnums=0)(x)
    assert x.is_deleted()
    close(y, expected, 1e-6)


def layouts_in_a_scan(f, *shapes):
    """The dimension numbers of every convolution in a scan over kernels, and in its gradients."""

    def total(x, kernels):
        return jax.lax.scan(lambda carry, k: (carry + loss(f)(x, k), None), jnp.zeros(()), kernels)[
            0
        ]

    x, k = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    text = (
        jax.jit(jax.value_and_grad(total, (0, 1))).lower(x, k.update(shape=(4, *k.shape))).as_text()
    )
    return set(re.findall(r"dim_numbers = (\[.*?\]x\[.*?\]->\[.*?\])", text))


CANONICAL = {"[b, 0, f]x[0, i, o]->[b, 0, f]", "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"}


# which is for other compilers
@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", [name for name in CONVOLUTIONS if name != "conv_derived"])
def test_in_a_scan_no_convolution_is_permuted(name):
    """XLA's CPU compiler mends lax's permuted dimension numbers at top level but not in loops,
    where they cost 40 times as much.
    """
    f, *shapes = OPERATIONS[name]
    assert layouts_in_a_scan(f, *shapes) <= CANONICAL
    assert layouts_in_a_scan(partial(f, method="auto"), *shapes) <= CANONICAL


def test_in_a_scan_every_convolution_of_lax_is_another():
    f, *shapes = OPERATIONS["conv"]
    assert len(layouts_in_a_scan(partial(f, method="lax"), *shapes)) == 3
    assert len(layouts_in_a_scan(partial(f, method="direct"), *shapes)) == 1

"""The table: which method each convolution gets, on which platform, and when that is decided."""

import re

import jax
import jax.numpy as jnp
import pytest

from jconv import ops
from jconv.ops.methods import METHODS, OPERATIONS, plan
from jconv.ops.methods.plan import PLAN, PlanRow, Workload, choose

DIRECT, DERIVED, SHIFT, SPLIT, LOOP, FOLD = (
    (word,) * 3 for word in ("direct", "derived", "shift", "split", "loop", "fold")
)
SPECTRA = ("fft",) * 3
FEWER, FEWER_BACK = ("winograd",) * 3, ("direct", "direct", "winograd")
THIN, BACK = ("columns", "columns", "direct"), ("direct", "columns", "direct")
TABLE = [  # x, k, groups, devices, what each operation runs by on a CPU
    ((2, 7, 5, 5), (3, 3, 5, 4), 1, 1, DIRECT),
    ((2, 7, 11), (3, 11, 4), 1, 1, DIRECT),
    ((2, 7, 5, 3), (3, 3, 3, 32), 1, 1, THIN),
    ((2, 7, 5, 3), (3, 3, 3, 32), 1, 4, THIN),
    ((2, 7, 5, 3), (3, 3, 3, 33), 1, 1, BACK),
    # so many values in a window, but too many channels
    ((2, 7, 5, 8), (2, 2, 8, 4), 1, 1, ("columns", "direct", "direct")),
    ((2, 7, 3), (3, 3, 4), 1, 1, THIN),
    ((2, 9, 9, 3), (7, 7, 3, 64), 1, 1, BACK),
    # columns would take over four times the memory of the output
    ((2, 9, 9, 3), (7, 7, 3, 36), 1, 1, DIRECT),
    ((2, 7, 5, 4), (4, 4, 4, 4), 1, 1, BACK),  # but few are few
    ((2, 7, 5, 3), (1, 1, 3, 4), 1, 1, ("direct", "direct", "matmul")),
    ((2, 7, 5, 3), (1, 1, 3, 4), 1, 4, ("direct", "direct", "matmul")),
    ((2, 7, 5, 3), (3, 3, 1, 3), 3, 1, ("chunked",) * 3),
    ((2, 7, 5, 3), (3, 3, 1, 12), 3, 1, ("chunked",) * 3),
    ((2, 7, 5, 3), (3, 3, 1, 15), 3, 1, SPLIT),  # five outputs a channel
    ((2, 7, 5, 3), (3, 3, 1, 3), 3, 4, SHIFT),
    ((2, 7, 5, 3, 4), (3, 3, 1, 1, 4), 4, 1, ("chunked",) * 3),
    # one group is not depthwise
    ((2, 7, 5, 1), (3, 3, 1, 4), 1, 1, ("shift", "columns", "direct")),
    ((2, 7, 7, 1), (5, 5, 1, 99), 1, 1, ("shift", "columns", "direct")),
    ((2, 7, 7, 1), (6, 6, 1, 4), 1, 1, BACK),
    ((2, 7, 7, 1), (1, 1, 1, 4), 1, 1, ("shift", "direct", "matmul")),
    ((2, 7, 5, 6), (3, 3, 3, 8), 2, 1, SPLIT),
    ((2, 7, 5, 6), (3, 3, 3, 8), 2, 4, SPLIT),
    ((2, 7, 5, 3, 6), (3, 3, 1, 3, 8), 2, 1, SPLIT),
    ((2, 7, 5, 128), (3, 3, 4, 128), 32, 1, SPLIT),  # eight blocks of four
    ((1, 7, 5, 128), (3, 3, 4, 128), 32, 1, ("split", "split", "loop")),
    ((2, 7, 5, 512), (3, 3, 16, 512), 32, 1, SPLIT),
    ((2, 7, 5, 528), (3, 3, 16, 528), 33, 1, LOOP),  # one block too many
    ((2, 7, 5, 528), (3, 3, 16, 528), 33, 4, LOOP),
    ((2, 7, 5, 128), (3, 3, 2, 128), 64, 1, SPLIT),  # eight groups a block
    ((2, 7, 5, 64), (3, 3, 1, 320), 64, 1, LOOP),  # sixteen would be too many zeros
    ((2, 7, 5, 64), (3, 3, 2, 64), 32, 1, SPLIT),
    ((2, 7, 5, 32), (3, 3, 1, 160), 32, 1, DIRECT),  # sixteen here too, but there are not so many
    ((1, 7, 5, 64), (3, 3, 2, 64), 32, 1, ("split", "split", "loop")),
    ((1, 7, 5, 60), (3, 3, 4, 60), 15, 1, SPLIT),
    ((1, 7, 5, 64), (3, 3, 4, 64), 16, 1, ("split", "split", "loop")),
    ((4, 8, 6, 6, 16), (3, 3, 3, 16, 16), 1, 1, FEWER),
    ((4, 8, 6, 6, 16), (3, 3, 3, 16, 16), 1, 4, FEWER),
    ((4, 8, 6, 6, 15), (3, 3, 3, 15, 16), 1, 1, FOLD),  # too few channels
    ((4, 8, 6, 6, 16), (1, 3, 3, 16, 16), 1, 1, FOLD),
    ((2, 7, 5, 3, 6), (2, 3, 3, 6, 8), 1, 4, FOLD),
    ((2, 14, 14, 24), (3, 3, 24, 24), 1, 1, FEWER),
    ((2, 14, 14, 24), (3, 3, 24, 24), 1, 4, FEWER),
    ((1, 14, 14, 24), (3, 3, 24, 24), 1, 1, DIRECT),  # too few positions
    ((2, 14, 14, 23), (3, 3, 23, 23), 1, 1, FEWER_BACK),  # too few channels
    ((2, 14, 14, 16), (3, 3, 16, 16), 1, 1, FEWER_BACK),
    ((2, 14, 14, 15), (3, 3, 15, 15), 1, 1, DIRECT),
    ((2, 14, 14, 16), (3, 3, 16, 48), 1, 1, FEWER),
    ((2, 14, 14, 16), (3, 3, 16, 32), 1, 1, FEWER_BACK),
    ((2, 16, 16, 22), (3, 5, 22, 22), 1, 1, FEWER),  # more to leave out
    ((2, 16, 16, 22), (5, 5, 22, 22), 1, 1, FEWER),
    ((2, 16, 16, 20), (5, 5, 20, 20), 1, 1, FEWER_BACK),
    ((30, 4, 14, 64), (3, 3, 64, 64), 1, 1, DIRECT),  # two rows: six products either way
    ((30, 5, 14, 64), (3, 3, 64, 64), 1, 1, FEWER),
    ((2, 7, 5, 3, 6), (1, 1, 1, 6, 8), 1, 1, FOLD),
    ((37, 20, 20, 16), (7, 7, 16, 16), 1, 1, SPECTRA),
    ((37, 20, 20, 16), (7, 7, 16, 16), 1, 4, SPECTRA),
    ((37, 20, 20, 15), (7, 7, 15, 16), 1, 1, DIRECT),  # too few channels
    ((37, 20, 20, 16), (6, 9, 16, 16), 1, 1, DIRECT),  # too few rows
    ((36, 20, 20, 16), (7, 7, 16, 16), 1, 1, DIRECT),  # too few positions
    ((9, 135, 134, 16), (7, 7, 16, 16), 1, 1, DIRECT),  # too large an image
]


@pytest.mark.parametrize(
    "row, example", [(row, example) for row in PLAN for example in row.examples]
)
def test_what_a_row_was_measured_at_is_its_own(row, example, convolution):
    geometry = convolution(
        example.x, example.k, **{name: getattr(example, name) for name in example._fields[2:]}
    )
    for operation in row.operations:
        work = Workload(operation, example.x, example.k, geometry)
        fitting = (
            r
            for r in PLAN
            if r.platform == row.platform
            and operation in r.operations
            and work.may_run(r.method)
            and r.fits(work)
        )
        assert next(fitting) is row
        assert choose(work, row.platform) == row.method


def test_every_row_of_a_cpu_is_measured_that_one_device_can():
    assert {row.method for row in PLAN if row.platform == "cpu" and not row.examples} == {"shift"}


def words(x, k, geometry, devices=1, platform="cpu"):
    return tuple(
        choose(Workload(operation, x, k, geometry, devices), platform) for operation in OPERATIONS
    )


@pytest.mark.parametrize("x, k, groups, devices, expected", TABLE)
def test_the_table_on_a_cpu(x, k, groups, devices, expected, convolution):
    assert words(x, k, convolution(x, k, groups=groups), devices) == expected
    for word in expected:
        assert METHODS[word].serves(k, convolution(x, k, groups=groups)) == ""


GPU = [  # x, k, settings, devices, what each operation runs by on an NVIDIA GPU
    ((2, 7, 5, 4), (3, 3, 4, 4), {}, 1, DERIVED),
    ((2, 7, 5, 6), (3, 3, 3, 8), dict(groups=2), 1, DERIVED),
    ((2, 7, 5, 3), (3, 3, 1, 3), dict(groups=3), 1, DERIVED),
    ((2, 7, 5, 4), (3, 3, 4, 4), dict(stride=2), 1, DERIVED),
    ((2, 7, 5, 4), (3, 3, 4, 4), dict(dilation=2), 1, ("derived", "derived", "phases")),
    ((2, 7, 5, 4), (3, 3, 4, 4), dict(dilation=(1, 2)), 1, ("derived", "derived", "phases")),
    ((2, 7, 5, 4), (3, 3, 4, 4), dict(dilation=2, stride=2), 1, DERIVED),
    ((2, 7, 5, 6), (3, 3, 3, 8), dict(dilation=2, groups=2), 1, DERIVED),
    ((2, 7, 5, 4), (3, 3, 4, 4), {}, 4, DERIVED),
    # no device waits for another's images
    ((2, 7, 5, 3), (3, 3, 1, 3), dict(groups=3), 4, ("derived", "derived", "shift")),
    ((2, 7, 5, 6), (3, 3, 3, 8), dict(groups=2), 4, ("derived", "derived", "split")),
    ((2, 7, 5, 528), (3, 3, 16, 528), dict(groups=33), 4, ("derived", "derived", "loop")),
    ((2, 7, 5, 3, 6), (3, 3, 2, 6, 8), {}, 1, FOLD),
    ((2, 7, 5, 3, 6), (3, 3, 2, 6, 8), dict(dilation=(2, 1, 1)), 1, ("fold", "fold", "phases")),
    # strided input gradients are its weakness
    ((2, 7, 5, 3, 6), (3, 3, 2, 6, 8), dict(stride=(1, 1, 2)), 1, DERIVED),
]


@pytest.mark.parametrize("x, k, settings, devices, expected", GPU)
def test_the_table_on_a_gpu(x, k, settings, devices, expected, convolution):
    assert words(x, k, convolution(x, k, **settings), devices, "cuda") == expected


def test_integers_are_products_on_a_gpu():
    program = jax.jit(lambda x, k: ops.conv(x, k, method="auto"))
    for dtype, convolutions in ((jnp.int32, 0), (jnp.float32, 1)):
        traced = program.trace(jnp.zeros((2, 7, 5, 3), dtype), jnp.zeros((3, 3, 3, 4), dtype))
        counted = {
            p: traced.lower(lowering_platforms=(p,)).as_text().count("stablehlo.convolution")
            for p in ("cuda", "tpu")
        }
        assert counted == {"cuda": convolutions, "tpu": 1}


@pytest.mark.parametrize(
    "x, k, groups", [((2, 14, 14, 24), (3, 3, 24, 24), 1), ((37, 20, 20, 16), (7, 7, 16, 16), 1)]
)
def test_integers_are_not_rounded_on_a_cpu(x, k, groups, convolution):
    jobs = [
        Workload(operation, x, k, convolution(x, k, groups=groups), integers=True)
        for operation in OPERATIONS
    ]
    assert [choose(work, "cpu") for work in jobs] == ["direct"] * 3
    assert "direct" not in [choose(work._replace(integers=False), "cpu") for work in jobs]


@pytest.mark.parametrize("platform", plan.PLATFORMS)
def test_every_row_is_reached(platform, convolution):
    tables = {
        "cpu": [(x, k, dict(groups=groups), devices) for x, k, groups, devices, _ in TABLE],
        "cuda": [(x, k, settings, devices) for x, k, settings, devices, _ in GPU],
    }
    rows = [row for row in PLAN if row.platform == platform]
    jobs = [
        Workload(o, x, k, convolution(x, k, **settings), devices)
        for x, k, settings, devices in tables[platform]
        for o in OPERATIONS
    ]
    jobs += [work._replace(integers=True) for work in jobs]
    serves = lambda row, work: not METHODS[row.method].serves(work.k, work.geometry)
    first = lambda work: next(
        (
            i
            for i, row in enumerate(rows)
            if work.operation in row.operations and serves(row, work) and row.fits(work)
        ),
        None,
    )
    assert {first(work) for work in jobs} == {None, *range(len(rows))}


@pytest.mark.parametrize("platform", ["rocm", "tpu", ""])
def test_elsewhere_everything_is_as_lax_derives_it(platform, convolution):
    assert platform not in plan.PLATFORMS
    for x, k, groups, devices, _ in TABLE:
        assert words(x, k, convolution(x, k, groups=groups), devices, platform) == DERIVED


def test_the_first_row_that_fits_decides(convolution, monkeypatch):
    x, k = (2, 7, 5, 6), (3, 3, 3, 8)
    always = lambda work: True
    rows = (
        PlanRow("tpu", OPERATIONS, "im2col", always, "another platform"),
        PlanRow("cpu", OPERATIONS, "matmul", always, "cannot serve it"),
        PlanRow("cpu", OPERATIONS, "im2col", lambda work: work.k[0] == 5, "does not fit"),
        PlanRow(
            "cpu", ("forward", "kernel_gradient"), "loop", always, "not for the input gradient"
        ),
        PlanRow(
            "cpu",
            ("input_gradient", "kernel_gradient"),
            "split",
            always,
            "is second for the kernel gradient",
        ),
    )
    monkeypatch.setattr(plan, "PLAN", rows)
    assert words(x, k, convolution(x, k, groups=2)) == ("loop", "split", "loop")
    monkeypatch.setattr(plan, "PLAN", rows[:3])
    assert words(x, k, convolution(x, k, groups=2)) == DIRECT


# When it is decided
# --------------------------------------------------------------------------------------------------


def program(x, k):
    """A depthwise convolution and both its gradients."""
    y, back = jax.vjp(lambda x, k: ops.conv(x, k, groups=3, padding=1), x, k)
    return y, back(y)


DEPTHWISE = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((8, 7, 5, 3), (3, 3, 1, 6))]
WORDS = ("stablehlo.convolution", "stablehlo.while")


def test_each_platform_gets_its_own_plan_when_lowered():
    traced = jax.jit(program).trace(*DEPTHWISE)
    counted = {
        p: [traced.lower(lowering_platforms=(p,)).as_text().count(word) for word in WORDS]
        for p in ("tpu", "cpu", "cuda")
    }
    # grouped convolutions; shifts, and one loop over chunks
    assert counted == {"tpu": [3, 0], "cpu": [0, 1], "cuda": [3, 0]}
    groups = lambda p: re.findall(
        r"(\w+)_group_count = 3", traced.lower(lowering_platforms=(p,)).as_text()
    )
    assert groups("tpu") == ["feature", "batch", "feature"]


def test_a_forward_program_for_a_tpu_holds_one_grouped_convolution():
    traced = jax.jit(lambda x, k: ops.conv(x, k, groups=3)).trace(*DEPTHWISE)
    assert traced.lower(lowering_platforms=("tpu",)).as_text().count("stablehlo.convolution") == 1
    assert "stablehlo.convolution" not in traced.lower(lowering_platforms=("cpu",)).as_text()


def test_no_chunks_of_a_batch_of_unknown_size():
    (batch,) = jax.export.symbolic_shape("batch")
    x = jax.ShapeDtypeStruct((batch, *DEPTHWISE[0].shape[1:]), jnp.float32)
    text = lambda *a: jax.export.export(jax.jit(program), platforms=("cpu",))(*a).mlir_module()
    assert [text(*DEPTHWISE).count(word) for word in WORDS] == [0, 1]
    assert [text(x, DEPTHWISE[1]).count(word) for word in WORDS] == [0, 0]


def test_a_batch_of_unknown_size_is_not_one_image(convolution):
    (batch,) = jax.export.symbolic_shape("batch")
    k = (3, 3, 4, 128)
    assert words((batch, 7, 5, 128), k, convolution((2, 7, 5, 128), k, groups=32)) == SPLIT


def test_no_chunks_of_a_batch_on_several_devices():
    mesh = jax.sharding.Mesh(jax.devices(), ("batch",))
    for spec in (jax.sharding.PartitionSpec("batch"), jax.sharding.PartitionSpec()):
        x, k = (
            jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=jax.sharding.NamedSharding(mesh, s))
            for a, s in zip(DEPTHWISE, (spec, jax.sharding.PartitionSpec()), strict=True)
        )
        text = jax.jit(program).lower(x, k).as_text()
        assert [text.count(word) for word in WORDS] == [0, 0]


# Where it runs
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, platform, inlined",
    [
        ("direct", "cpu", [True, True, False]),
        ("split", "cpu", [False] * 3),
        ("direct", "tpu", [True] * 3),
        ("split", "tpu", [True] * 3),
    ],
)
def test_on_a_cpu_what_lays_its_operands_out_is_compiled_apart(
    method, platform, inlined, normal, convolution
):
    x, k, y = normal(2, 7, 5, 4), normal(3, 2, 2, 6), normal(2, 5, 4, 6)
    geometry = convolution(x.shape, k.shape, groups=2)
    for operation, a, b, into in zip(OPERATIONS, (x, y, x), (k, k, y), inlined, strict=True):
        run = plan.runner(Workload(operation, x.shape, k.shape, geometry), method, platform)
        text = (
            jax.jit(lambda a, b, run=run: run(a, b, geometry=geometry, precision=None))
            .lower(a, b)
            .compile()
            .as_text()
        )
        assert ('inlineable="false"' in text and " call(" in text) == (not into)

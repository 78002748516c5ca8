"""Every framework that is installed computes what jconv computes: the same parameters, numbers and
trainings.
"""

import dataclasses

import jax
import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Identity,
    LocalResponseNorm,
    MaxPool,
    PadChannels,
    Relu,
    Repeat,
    Residual,
    Sequential,
)  # fmt: skip
from jconv.scripts.bench.case import Case, toy
from jconv.scripts.bench.contestants import PEERS, maker
from jconv.scripts.bench.nets import LARGE, SMALL, TABLE
from jconv.scripts.bench.ours import task as ours
from jconv.scripts.bench.task import Unable, largest_error, wait

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs are not ours to mend
# that one is the same modules, and compiles for half a minute
EAGER = [name for name in PEERS if name != "torch-compile"]

block = Sequential(conv=Conv(6, 3, stride=2, padding=1, bias=False), bn=BatchNorm())
NET = Sequential(
    conv1=Conv(4, 3, stride=2, dilation=2, padding=2),
    bn1=BatchNorm(),
    relu1=Relu(),
    norm1=LocalResponseNorm(3, alpha=0.5),
    split=Concat(
        a=Sequential(conv=Conv(4, 3, padding=1, groups=2), relu=Relu()), b=MaxPool(3, 1, padding=1)
    ),
    pool1=MaxPool(3, 2, rounding="ceil"),
    down=Residual(block, Sequential(conv=Conv(6, 1, stride=2), bn=BatchNorm())),
    wider=Residual(
        Conv(8, 3, stride=2, padding=1), Sequential(subsample=AvgPool(1, 2), pad=PadChannels(8))
    ),
    keep=Identity(),
    pool=GlobalAvgPool(),
    fc=Dense(5),
)
PLAIN = Sequential(
    conv1=Conv(4, 3, padding=1), relu1=Relu(), pool1=MaxPool(2), flatten=Flatten(), fc=Dense(5)
)
CASES = [(NET, what) for what in ("forward", "gradient", "train")] + [
    (PLAIN, what) for what in ("forward", "train", "per-example")
]


@pytest.fixture(autouse=True)
def lenient():
    """Flax and Equinox do not live in our strict house."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize(
    "net, what",
    CASES,
    ids=lambda value: value if isinstance(value, str) else ("net" if value is NET else "plain"),
)
def test_the_same_numbers(name, net, what):
    pytest.importorskip(PEERS[name].library)
    case = Case("net", net, (31, 29, 3), 4)
    mine, theirs = ours(case, what, "lax"), maker(name)(case, what)
    assert theirs.parameters == case.parameters
    # the third loss tells that two updates were the same
    for _ in range(3 if what == "train" else 1):
        shown = theirs.shown(wait(theirs.run())), mine.shown(wait(mine.run()))
        assert largest_error(*shown) < 1e-4


@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize("case", SMALL + LARGE + TABLE, ids=lambda case: case.name)
def test_every_net_measured_can_be_built_with_the_same_parameters(name, case):
    pytest.importorskip(PEERS[name].library)
    assert maker(name)(toy(case), "forward").parameters == toy(case).parameters


OPERATIONS = {
    "conv": (Conv(4, (3, 2), stride=2, padding=1, bias=False), (7, 6, 2)),
    "depthwise": (Conv(6, 3, padding=1, groups=3), (7, 6, 3)),
    "3-D": (Conv(4, (3, 2, 1), padding=(1, 0, 0)), (5, 4, 3, 2)),
    "transposed": (ConvTranspose(4, 3, stride=2, padding=1, extra=1, bias=False), (4, 5, 2)),
    "max pool": (MaxPool(3, 2, padding=1), (7, 6, 2)),
    "average pool": (AvgPool(3, 2, padding=1), (7, 6, 2)),
    "LRN": (LocalResponseNorm(5, alpha=0.3), (3, 4, 7)),
    "batch norm": (BatchNorm(), (5, 4, 3)),
    "scan": (Repeat(Conv(3, 3, padding=1), 4), (5, 4, 3)),
    "scan of two": (Repeat(Sequential(a=Conv(3, 3, padding=1), b=Conv(3, 1)), 4), (5, 4, 3)),
}


@pytest.mark.sweep(6)
@pytest.mark.parametrize("what", ["forward", "gradient"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_and_their_gradients_are_torchs(name, what):
    pytest.importorskip("torch")
    net, in_shape = OPERATIONS[name]
    case = Case(name, net, in_shape, 3, images=True)
    mine, theirs = ours(case, what, "im2col"), maker("torch")(case, what)
    assert largest_error(theirs.shown(wait(theirs.run())), mine.shown(wait(mine.run()))) < 1e-4


@pytest.mark.sweep(1)
@pytest.mark.parametrize("name", EAGER)
def test_bfloat16_is_near(name):
    pytest.importorskip(PEERS[name].library)
    case = Case("net", PLAIN, (12, 10, 3), 4)
    mine, theirs = (
        ours(case, "train"),
        maker(name)(dataclasses.replace(case, dtype="bfloat16"), "train"),
    )
    error = largest_error(theirs.shown(wait(theirs.run())), mine.shown(wait(mine.run())))
    assert 0 < error < 0.03


@pytest.mark.parametrize("name", ["flax", "equinox"])
def test_operations_are_laxs_own(name):
    pytest.importorskip(PEERS[name].library)
    with pytest.raises(Unable, match="lax's own"):
        maker(name)(Case("op", Conv(3, 3), (4, 4, 2), 2, images=True), "gradient")


@pytest.mark.parametrize("name", EAGER)
def test_what_they_have_no_module_for_is_said(name):
    pytest.importorskip(PEERS[name].library)
    with pytest.raises(Unable, match="stands for GroupNorm"):
        maker(name)(Case("net", Sequential(GroupNorm(1)), (4, 4, 2), 2), "forward")


@pytest.mark.parametrize("name", EAGER)
def test_running_statistics_have_no_per_example_gradient(name):
    pytest.importorskip(PEERS[name].library)
    with pytest.raises(Unable, match="one example at a time"):
        maker(name)(Case("net", NET, (31, 29, 3), 4), "per-example")

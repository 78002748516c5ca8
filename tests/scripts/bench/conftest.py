import numpy as np
import pytest

from jconv import Conv, Dense, Flatten, MaxPool, Relu, Sequential
from jconv.scripts.bench.case import Case
from jconv.scripts.bench.result import CaseResult
from jconv.tuning.timing import Ratio


@pytest.fixture
def small_net():
    """A net with a little of everything, on 3 images."""
    net = Sequential(
        conv1=Conv(4, 3, padding=1), relu1=Relu(), pool1=MaxPool(2), flatten=Flatten(), fc=Dense(5)
    )
    return Case("small", net, (6, 8, 2), 3)


@pytest.fixture
def rows():
    """Two cases as if measured: the first slower than plain lax, the second with a peer that is
    absent and one that is wrong.
    """
    near = lambda seconds: [seconds * x for x in (0.9, 1.0, 1.1)]
    first = CaseResult("train", "LeNet", "train", 64, "float32", flops=10**9)
    first.samples = {
        "jconv": near(0.030),
        "lax": near(0.020),
        "flax": near(0.080),
        "equinox": near(0.060),
        "torch": near(0.025),
    }
    first.compile_seconds = {name: 1.5 for name in first.samples}
    first.judged = [Ratio(1.5, 1.4, 1.6, 21), Ratio(1.4, 1.3, 1.5, 21)]
    second = CaseResult("memory", "ResNet-20", "train", 8, "bfloat16", unit="B")
    second.samples = {"jconv": [2.0**20 * 300], "lax": [2.0**20 * 600]}
    second.before = {"jconv": 2**20 * 100, "lax": 2**20 * 110}
    second.skipped = {"torch": "torch is not installed"}
    second.disagree, second.errors = {"lax": "it has 3 parameters, not 4"}, {"lax": np.inf}
    return [first, second]

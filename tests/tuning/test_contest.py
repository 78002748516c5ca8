"""The programs that are timed: each its own method, all the same numbers, none that is hopeless."""

import dataclasses

import numpy as np
import pytest
from jax import lax

from jconv import Conv, ConvTranspose, Sequential
from jconv.ops.methods.plan import choose
from jconv.tuning.contest import Fastest, TooSlow, candidates, programs
from jconv.tuning.passes import passes


def found(layer, in_shape, batch=2):
    """Every pass of a layer behind another, by operation."""
    net = Sequential(first=Conv(in_shape[-1], 1), layer=layer)
    return {one.work.operation: one for one in passes(net, in_shape, batch) if "layer" in one.paths}


LAYERS = {
    "wide": (Conv(5, (3, 2), padding=1), (7, 5, 3)),
    "thin": (Conv(5, (3, 2), padding=1), (7, 5, 1)),
    "1x1": (Conv(5, 1, stride=2), (7, 5, 3)),
    "3-D": (Conv(2, 2), (3, 5, 4, 3)),
    "transposed": (ConvTranspose(4, 3, stride=2, groups=2), (4, 3, 6)),
}


@pytest.mark.sweep(1)
@pytest.mark.parametrize("name", LAYERS)
def test_every_method_gives_the_numbers_of_auto(name, close):
    for one in found(*LAYERS[name]).values():
        runs, skipped = programs(one, "float32", clock=lambda: 0.0)
        assert not skipped and next(iter(runs)) == "auto" and "im2col" in runs
        expected = runs["auto"]()
        for run in runs.values():
            close(run(), expected, 1e-5)


def test_a_program_runs_the_method_it_is_named_after(monkeypatch):
    from jconv.tuning import contest

    bound = []
    real = contest.PRIMITIVES["forward"].bind

    class Spy:
        def bind(self, *operands, **settings):
            bound.append((settings["method"], settings["precision"]))
            return real(*operands, **settings)

    monkeypatch.setitem(contest.PRIMITIVES, "forward", Spy())
    one = found(Conv(5, 1, precision="highest"), (3, 2, 4))["forward"]
    runs, _ = programs(one, "bfloat16", clock=lambda: 0.0)
    assert {run().dtype.name for run in runs.values()} == {"bfloat16"}
    assert bound == [((word,) * 3, (lax.Precision.HIGHEST,) * 2) for word in runs] and list(
        runs
    ) == ["auto", "matmul", "im2col"]


def test_the_same_function_is_measured_once():
    """ "chunked" differs from "shift" in the kernel gradient alone, "derived" from "direct" in
    both, and "auto" runs one of the methods already.
    """
    one = found(Conv(6, 3, groups=6), (7, 5, 6))
    words = {operation: candidates(p.work, 4)[0] for operation, p in one.items()}
    assert words["forward"] == ["auto", "direct", "split", "loop", "im2col"]
    assert words["kernel_gradient"] == [
        "auto",
        "direct",
        "derived",
        "split",
        "loop",
        "shift",
        "im2col",
    ]


def test_what_would_waste_minutes_or_memory_is_left_out():
    grouped = found(Conv(2048, 3, groups=128), (7, 5, 2048))["forward"].work
    words, skipped = candidates(grouped, 4)
    assert words == ["auto", "direct"]  # and auto runs "loop"
    assert skipped["split"] == skipped["im2col"] == "a program of 128 blocks takes long to compile"
    large = found(Conv(64, 3, padding=1), (224, 224, 64), batch=32)["forward"].work
    assert candidates(large, 4)[1] == {
        "columns": "columns of 3.4 GiB",
        "im2col": "columns of 3.4 GiB",
    }
    # its own is that of "direct"
    assert "columns" not in candidates(large._replace(operation="kernel_gradient"), 4)[1]
    assert "im2col" in candidates(large._replace(x=(8, *large.x[1:])), 4)[0]
    assert (
        "im2col" in candidates(large._replace(x=(16, *large.x[1:])), 2)[0]
        and candidates(large._replace(x=(16, *large.x[1:])), 4)[1]
    )


def test_the_highest_precision_leaves_out_what_rounds_beyond_the_window():
    layer = Conv(32, 3, padding=1)
    for precision, left_out in ((None, False), ("high", False), ("highest", True)):
        net = Sequential(layer=dataclasses.replace(layer, precision=precision))
        work = passes(net, (16, 16, 32), 8)[0].work
        words, skipped = candidates(work, 4)
        seen = {choose(work, "cpu"), *words}
        assert ("winograd" in skipped, "winograd" not in seen) == (left_out, left_out)


def ticking(*seconds):
    """A clock by which the samples take so long."""
    times = iter(np.cumsum([0.0, *(t for s in seconds for t in (s, 0.0))]))
    return lambda: next(times)


def test_the_second_call_ends_a_hopeless_one():
    fastest = Fastest(ticking(1.0, 30.0, 21.0))
    good, bad = fastest.guard(lambda: 0), fastest.guard(lambda: 1)
    assert [good(), good(), good()] == [0, 0, 0] and bad() == 1
    with pytest.raises(TooSlow, match="21 times the fastest in a first sample"):
        bad()


def test_a_pause_is_forgiven():
    fastest = Fastest(ticking(1.0, 30.0, 0.5, 10.1, 10.1))
    a, b, c = (fastest.guard(lambda: 0) for _ in range(3))
    assert [a(), a(), b(), b(), c()] == [0] * 5
    with pytest.raises(TooSlow):
        c()  # 10.1 s is over 20 times the 0.5 s of b

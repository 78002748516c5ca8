"""What tune chooses, by a clock of our own; and that the net it returns computes the same."""

import re

import numpy as np
import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Relu,
    Sequential,
    from_json,
    to_json,
    tune,
    with_method,
)
from jconv.errors import InputError, ShapeError
from jconv.tuning.timing import Timing

NET = Sequential(
    conv1=Conv(4, 3), relu1=Relu(), conv2=Conv(5, 1), bn2=BatchNorm(), fl=Flatten(), fc=Dense(3)
)
SHAPE = (6, 5, 3)
STEADY = np.array([0.99, 1.0, 1.01, 1.0, 0.98, 1.02, 1.0])


class Clock:
    """Like `timing.measure`, but every sample takes what the table says for its method: a number,
    or a list of one a measurement.
    """

    def __init__(self, seconds, fails=(), spread=STEADY):
        self.seconds, self.fails, self.spread, self.asked = seconds, fails, spread, []

    def __call__(self, runs, failed=lambda word, error: None, **settings):
        self.asked.append((tuple(runs), settings))
        times = {}
        for word in runs:
            if word in self.fails:
                failed(word, RuntimeError("out of memory\nand more"))
                continue
            value = self.seconds.get(word, 9.0)
            second = settings.get("seed") == 1
            median = value if isinstance(value, float) else value[second]
            times[word] = Timing(
                median + 3.0, median * (self.spread if word == "auto" else self.spread[::-1])
            )
        return times


def methods(tuning):
    layers = dict(tuning.net.layers)
    return layers["conv1"].method, layers["conv2"].method


def test_a_clearly_faster_method_is_taken_with_the_second_ratio():
    tuning = tune(
        NET, SHAPE, 2, measure=Clock({"auto": 1e-3, "im2col": [0.25e-3, 0.5e-3], "matmul": 0.9e-3})
    )
    every = ("im2col", "im2col", "im2col")
    # conv1 reads the image, of which no gradient is taken
    assert methods(tuning) == (("im2col", "auto", "im2col"), every)
    first = tuning.measurements[0]
    assert (
        first.paths == ("conv1",)
        and first.plan == "columns"
        and first.gain[0] == pytest.approx(2.0)
    )
    assert (
        first.gain[1] > 1.9
        and first.seconds["im2col"] == pytest.approx(0.25e-3)
        and first.compile_seconds["auto"] == pytest.approx(3.0)
    )
    assert str(first) == "conv1 forward: im2col, 2x (auto runs columns, 1 ms)"
    assert str(tuning) == "a step's convolutions, one by one: 5 ms by auto, 2.5 ms as tuned, 2x"


@pytest.mark.parametrize(
    "seconds, spread, line",
    [
        (
            {"auto": 1e-3},
            STEADY,
            "conv1 forward: left as it is (auto runs columns, 1 ms; next is direct, 9,000 ms)",
        ),
        (
            {"auto": 1e-3, "im2col": 0.96e-3},
            STEADY,
            "conv1 forward: left as it is (auto runs columns, 1 ms; next is im2col, 0.96 ms, not "
            "clearly faster)",
        ),
        (
            {"auto": 1e-3, "im2col": [0.5e-3, 1e-3]},
            STEADY,
            "conv1 forward: left as it is (auto runs columns, 1 ms; next is im2col, 0.5 ms, not "
            "clearly faster)",
        ),
        (
            {"auto": 1e-3, "im2col": 0.8e-3},
            np.array([0.3, 1.0, 3.0]),
            "conv1 forward: left as it is (auto runs columns, 1 ms; next is im2col, 0.8 ms, not "
            "clearly faster)",
        ),
    ],
    ids=["slower", "within 5%", "not confirmed", "too noisy"],
)
def test_auto_stays_unless_it_is_clear(seconds, spread, line):
    tuning = tune(NET, SHAPE, 2, measure=Clock(seconds, spread=spread))
    assert tuning.net == NET and tuning.measurements[0].gain is None
    assert str(tuning.measurements[0]) == line
    assert tuning.seconds[0] == tuning.seconds[1] == pytest.approx(5e-3)


def test_the_operations_choose_independently():
    class One(Clock):
        def __call__(self, runs, **settings):
            self.seconds = {
                "auto": 1.0,
                "im2col": 0.5 if len(self.asked) in (4, 5) else 2.0,
                "matmul": 2.0,
                "direct": 2.0,
                "derived": 2.0,
            }
            return super().__call__(runs, **settings)

    clock = One({})
    assert methods(tune(NET, SHAPE, 2, measure=clock)) == ("auto", ("auto", "auto", "im2col"))
    assert [words for words, _ in clock.asked][4:] == [
        ("auto", "direct", "derived", "im2col"),
        ("auto", "im2col"),
    ]


def test_a_transposed_convolution_takes_the_word_of_its_operation():
    class Forward(Clock):
        def __call__(self, runs, **settings):
            self.seconds = {
                "auto": 1.0,
                "im2col": 0.5 if len(self.asked) < 2 else 2.0,
                "direct": 2.0,
            }
            return super().__call__(runs, **settings)

    tuning = tune(Sequential(up=ConvTranspose(3, 3)), (4, 4, 2), 2, measure=Forward({}))
    assert dict(tuning.net.layers)["up"].method == ("auto", "im2col", "auto")
    assert str(tuning.measurements[0]) == "up forward: im2col, 2x (auto runs columns, 1,000 ms)"


def test_equal_layers_count_as_often_as_they_are():
    net = Sequential(a=Conv(4, 3, padding=1), b=Conv(4, 3, padding=1), c=Conv(4, 3, padding=1))
    tuning = tune(net, (5, 5, 4), 2, measure=Clock({"auto": 1.0, "im2col": 0.5}))
    assert [len(m.paths) for m in tuning.measurements] == [
        3,
        3,
        2,
    ] and tuning.seconds == pytest.approx((8.0, 4.0))
    assert {layer.method for _, layer in tuning.net.layers} == {
        ("im2col", "auto", "im2col"),
        ("im2col",) * 3,
    }
    assert str(tuning.measurements[0]).startswith("a and 2 more, forward: im2col, 2x")


def test_where_auto_fails_the_fastest_is_taken():
    tuning = tune(NET, SHAPE, 2, measure=Clock({"im2col": 0.5, "matmul": 0.7}, fails=("auto",)))
    assert methods(tuning)[1] == ("im2col",) * 3 and tuning.measurements[0].skipped == {
        "auto": "out of memory"
    }
    assert (
        str(tuning.measurements[0])
        == "conv1 forward: im2col (auto runs columns, which failed: out of memory)"
    )
    assert str(tuning) == "no convolution was measured"
    everything = tune(
        NET,
        SHAPE,
        2,
        measure=Clock({}, fails=("auto", "direct", "derived", "im2col", "matmul", "winograd")),
    )
    assert everything.net == NET
    assert str(everything.measurements[0]).endswith(
        "left as it is (auto runs columns, which failed: out of memory; direct is out: out of "
        "memory; winograd is out: out of memory; "
        "im2col is out: out of memory)"
    )


def test_methods_set_before_are_replaced_and_other_layers_left():
    pooled = Sequential(
        conv1=Conv(4, 3, method="im2col"),
        pool=AvgPool(2, method="im2col"),
        fl=Flatten(),
        fc=Dense(3),
    )
    tuning = tune(pooled, SHAPE, 2, measure=Clock({"auto": 1.0}))
    layers = dict(tuning.net.layers)
    assert layers["conv1"].method == "auto" and layers["pool"].method == "im2col"


def test_measuring_is_asked_for_as_the_caller_wants_and_watched():
    clock, lines, seen = Clock({"auto": 1.0}), [], []
    tuning = tune(
        NET,
        SHAPE,
        2,
        pairs=7,
        limit=3.5,
        measure=clock,
        report=lines.append,
        watch=lambda *args: seen.append(args),
    )
    assert {(s["rounds"], s["limit"]) for _, s in clock.asked} == {(7, 3.5)}
    assert (
        lines == list(tuning.measurements)
        and seen[0] == (1, 5, "conv1 forward")
        and seen[-1] == (5, 5, "conv2 kernel gradient")
    )


def test_a_method_that_is_out_is_said_with_its_reason():
    tuning = tune(
        Sequential(conv1=Conv(40, 3)),
        SHAPE,
        2,
        measure=Clock({"auto": 1.0}, fails=("columns", "im2col", "winograd")),
    )
    reasons = "; ".join(
        f"{word} is out: out of memory" for word in ("columns", "winograd", "im2col")
    )
    assert (
        str(tuning.measurements[0])
        == f"conv1 forward: left as it is (auto runs direct, 1,000 ms; {reasons})"
    )


def test_nothing_to_measure():
    net = Sequential(fc=Dense(3))
    tuning = tune(net, (4,), 2, measure=Clock({}))
    assert tuning.net == net and str(tuning) == "no convolution was measured"


def test_a_tuned_net_computes_the_same_and_goes_to_json(filled, rng, compiled, close):
    net = Sequential(
        conv1=Conv(4, 3, groups=1),
        up=ConvTranspose(4, 2, stride=2),
        conv2=Conv(6, 1),
        fl=Flatten(),
        fc=Dense(3),
    )
    tuned = tune(net, SHAPE, 2, measure=Clock({"auto": 1.0, "im2col": 0.5, "matmul": 0.4})).net
    params, state = filled(net, SHAPE)
    x = rng.standard_normal((2, *SHAPE), np.float32)
    results = [
        compiled(lambda x, net=net: net.apply(params, state, x)[0])(x) for net in (tuned, net)
    ]
    close(*results, 1e-5)
    assert from_json(to_json(tuned)) == tuned != net and with_method(tuned, "auto") == net


@pytest.mark.exhaustive
def test_the_real_clock():
    tuning = tune(Sequential(conv1=Conv(3, 2)), (5, 5, 2), 1, pairs=2, limit=0.1)
    assert {word for m in tuning.measurements for word in (*m.seconds, *m.skipped)} == {
        "auto",
        "direct",
        "derived",
        "im2col",
        "winograd",
    }


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"batch": 0}, "batch=0, a whole number of at least 1 was expected"),
        ({"pairs": 0}, "pairs=0, a whole number of at least 1 was expected"),
        ({"dtype": "int8"}, "unknown dtype 'int8'; use 'float32', 'bfloat16', 'float16'"),
    ],
)
def test_what_cannot_be_measured_is_named(settings, words):
    with pytest.raises(InputError, match=re.escape(words)):
        tune(NET, SHAPE, **({"batch": 2} | settings), measure=Clock({}))


def test_a_shape_that_does_not_fit_is_found_before_measuring():
    clock = Clock({})
    with pytest.raises(ShapeError, match="conv1"):
        tune(NET, (2, 2, 3), 2, measure=clock)
    assert not clock.asked

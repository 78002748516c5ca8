import numpy as np
import pytest

from jconv.demo.statistics import LEAST, POINTS, Graph, Share, Window


def test_there_is_no_mean_before_enough_steps():
    window = Window()
    for _ in range(LEAST - 1):
        window.add(1.0, 0.1, 0.5)
    assert window.means() == (None, None, None)
    window.add(1.0, 0.1, 0.5)
    assert window.means() == pytest.approx((1.0, 0.1, 0.5))


def test_means_are_over_the_last_hundred():
    window = Window()
    for i in range(300):
        window.add(float(i), 0.0, 1.0)
    assert window.means().loss == pytest.approx(249.5)
    window.add(np.inf, 0.0, 1.0)
    assert window.means().loss is None


def test_a_graph_keeps_its_shape_and_its_size():
    graph = Graph()
    for i in range(10_000):
        graph.add(32 * (i + 1), i / 10_000)
    points = graph.message()
    assert POINTS // 2 <= len(points) <= POINTS
    x, y = np.array(points).T
    assert (np.diff(x) > 0).all() and x[-1] <= 320_000
    # each point is the mean over its steps
    assert np.abs(y - (x / 32 - graph.every / 2 - 0.5) / 10_000).max() < 1e-4


def test_a_loss_that_is_not_finite_is_no_point():
    graph = Graph()
    graph.add(1, np.nan)
    graph.add(2, 0.5)
    assert graph.message() == [[2, 0.5]]


def test_a_share_is_of_the_last():
    share = Share(4)
    assert share.message() == {"of": 0, "accuracy": None}
    share.add([True, True, False])
    share.add([False, False])
    assert share.message() == {"of": 4, "accuracy": 0.25}

"""The views of a sliding window against explicit indexing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.geometry import window
from jconv.ops.views import offsets, padded, stages, views

WINDOWS = [
    pytest.param((7,), dict(size=3, stride=2, padding=((1, 2),)), id="1d"),
    pytest.param(
        (7, 5), dict(size=(3, 2), stride=(1, 3), padding=((0, 2), 1), dilation=(2, 1)), id="2d"
    ),
    pytest.param((7, 5), dict(size=3, stride=2, padding=0, rounding="ceil"), id="overhang"),
    pytest.param((7, 11), dict(size=2, stride=4), id="unused"),
    pytest.param((3, 5, 2), dict(size=(2, 3, 1), stride=(1, 2, 1), padding="SAME"), id="3d"),
]


@pytest.mark.parametrize("sizes, settings", WINDOWS)
def test_views(sizes, settings, loops, rng, compiled):
    w = window(sizes, **settings)
    x = rng.standard_normal((2, *sizes, 3)).astype(np.float32)
    seen = np.stack(compiled(lambda x: views(x, w, fill=-7.0))(x))  # (taps, N, *out, C)
    assert seen.shape == (np.prod(w.size), 2, *w.out_sizes, 3)
    order = list(offsets(w))
    for out, tap, at in loops.visits(
        sizes, w.size, w.stride, w.padding, w.dilation, settings.get("rounding", "floor")
    ):
        expected = x[:, *at] if loops.inside(at, sizes) else -7.0
        np.testing.assert_array_equal(seen[order.index(tap)][:, *out], expected)


def test_taps_are_row_major():
    assert list(offsets(window((7, 5), (2, 3)))) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_padded_is_cut_to_what_windows_reach():
    x = jnp.arange(1.0, 8.0).reshape(1, 7, 1)
    # windows at -1, 2 and 5
    cut = padded(x, window((7,), 2, stride=3, padding=((1, 0),)), fill=9.0)
    np.testing.assert_array_equal(cut[0, :, 0], [9, 1, 2, 3, 4, 5, 6, 7])
    # windows at 0 and 3, pixels 5 and 6 unseen
    cut = padded(x, window((7,), 2, stride=3), fill=9.0)
    np.testing.assert_array_equal(cut[0, :, 0], [1, 2, 3, 4, 5])


@pytest.mark.parametrize("size, stride, apart", [(1, 2, 1), (1, 1, 0), (2, 2, 0)])
def test_a_single_strided_view_is_kept_apart(size, stride, apart):
    """XLA's GPU compiler aborts where it may fuse it into a product."""
    w = window((7,), size, stride=stride)
    text = jax.jit(lambda x: views(x, w)).lower(jnp.zeros((2, 7, 3))).as_text()
    assert text.count("optimization_barrier") == apart


@pytest.mark.parametrize(
    "sizes, settings, steps",
    [
        ((7, 8), dict(size=(3, 3)), [(3, 3)]),
        # the last axis has strided before the first is gone through
        ((7, 8), dict(size=(5, 5), stride=(1, 3)), [(1, 5), (5, 1)]),
        ((7, 8), dict(size=(5, 5), stride=(2, 1)), [(5, 5)]),
        ((7, 8, 9), dict(size=(3, 4, 5)), [(1, 1, 5), (1, 4, 1), (3, 1, 1)]),
        ((17,), dict(size=17), [(17,)]),
    ],
)
def test_large_windows_pass_axis_by_axis(sizes, settings, steps):
    w = window(sizes, **settings)
    found = stages(w)
    assert [one.size for one in found] == steps
    assert (found[0].in_sizes, found[-1].out_sizes) == (w.in_sizes, w.out_sizes)
    assert all(
        before.out_sizes == after.in_sizes for before, after in zip(found, found[1:], strict=False)
    )

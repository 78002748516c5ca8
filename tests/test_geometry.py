"""Integer geometry against the enumeration of window positions, and its errors."""

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from jconv.errors import ShapeError
from jconv.geometry import (
    ReceptiveField,
    check_settings,
    per_axis,
    pool_window,
    transposed_sizes,
    window,
)

AXIS = st.fixed_dictionaries(
    dict(
        w=st.integers(1, 23),
        f=st.integers(1, 5),
        s=st.integers(1, 4),
        d=st.integers(1, 3),
        lo=st.integers(0, 6),
        hi=st.integers(0, 6),
    )
)


def starts(w, f, s, d, lo, hi, rounding="floor"):
    """Where the windows begin, one by one. "ceil" has one more for pixels left over, if it begins
    in the image or the near padding.
    """
    extent = d * (f - 1) + 1
    fit = [p for p in range(-lo, w + hi, s) if p + extent <= w + hi]
    left_over = bool(fit) and fit[-1] + extent < w + hi
    return fit + [fit[-1] + s] if rounding == "ceil" and left_over and fit[-1] + s < w else fit


@given(AXIS, st.sampled_from(["floor", "ceil"]))
def test_out_size_counts_the_windows(axis, rounding):
    at = starts(**axis, rounding=rounding)
    settings = dict(
        stride=axis["s"], padding=((axis["lo"], axis["hi"]),), dilation=axis["d"], rounding=rounding
    )
    if not at:
        with pytest.raises(ShapeError, match="does not fit"):
            window((axis["w"],), axis["f"], **settings)
        return
    w = window((axis["w"],), axis["f"], **settings)
    end = at[-1] + w.extent[0]  # one past the last pixel any window sees
    assert w.out_sizes == (len(at),)
    assert w.overhang == (max(0, end - axis["w"] - axis["hi"]),)
    assert w.unused == (max(0, axis["w"] + axis["hi"] - end),)
    assert w.dropped == (max(0, axis["w"] - end),)
    assert w.pads == ((axis["lo"], axis["hi"] + w.overhang[0]),)
    assert (
        window(
            (axis["w"],), axis["f"], **settings | dict(padding=w.pads, rounding="floor")
        ).out_sizes
        == w.out_sizes
    )


@given(AXIS)
def test_exact_is_floor_where_nothing_is_left_over_and_an_error_elsewhere(axis):
    settings = dict(stride=axis["s"], padding=((axis["lo"], axis["hi"]),), dilation=axis["d"])
    assume(starts(**axis))
    floor = window((axis["w"],), axis["f"], **settings)
    if floor.unused == (0,):
        assert window((axis["w"],), axis["f"], **settings, rounding="exact") == floor
    else:
        with pytest.raises(ShapeError, match="is not an integer; sizes that fit are") as error:
            window((axis["w"],), axis["f"], **settings, rounding="exact")
        below, above = (
            int(word)
            for word in str(error.value)
            .split("sizes that fit are ")[1]
            .split(",")[0]
            .split(" and ")
        )
        assert below < axis["w"] < above
        for fits in (size for size in (below, above) if size > 0):
            assert window((fits,), axis["f"], **settings, rounding="exact").unused == (0,)


@given(AXIS)
def test_same_is_the_least_padding_that_gives_ceil_of_w_by_s(axis):
    w, f, s, d = (axis[name] for name in "wfsd")
    same = window((w,), f, stride=s, padding="SAME", dilation=d)
    ((lo, hi),) = same.padding
    assert same.out_sizes == (-(-w // s),)
    assert hi - lo in (0, 1)
    if lo + hi:
        assert len(starts(w, f, s, d, lo, hi - 1)) < -(-w // s)


@given(AXIS)
def test_transposed_size_is_the_smallest_that_convolves_back(axis):
    settings = dict(stride=axis["s"], padding=((axis["lo"], axis["hi"]),), dilation=axis["d"])
    assume((axis["w"] - 1) * axis["s"] + axis["d"] * (axis["f"] - 1) + 1 > axis["lo"] + axis["hi"])
    (out,) = transposed_sizes((axis["w"],), axis["f"], **settings)
    give_back = [
        size
        for size in range(1, out + axis["s"] + 1)
        if len(starts(**axis | dict(w=size))) == axis["w"]
    ]
    assert give_back == list(range(out, out + axis["s"]))


@given(st.integers(1, 23), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_same_transposed_multiplies_by_the_stride(w, f, s, d):
    out = transposed_sizes((w,), f, stride=s, padding="SAME", dilation=d)
    assert out == (w * s,)
    assert window(out, f, stride=s, padding="SAME", dilation=d).out_sizes == (w,)


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)),
        max_size=4,
    )
)
def test_receptive_field_is_what_positions_reach(windows):
    field = ReceptiveField()
    for f, s, d, lo in windows:
        field = field.through(f, s, d, lo)
    reach = [{0}, {1}]
    for f, s, d, lo in reversed(windows):
        reach = [
            {p * s + tap * d - lo for p in positions for tap in range(f)} for positions in reach
        ]
    first, second = reach
    assert (field.start, field.size, field.jump) == (
        min(first),
        max(first) - min(first) + 1,
        min(second) - min(first),
    )


def test_axes_are_apart():
    w = window(
        (7, 11, 13),
        (3, 2, 5),
        stride=(1, 2, 3),
        padding=(0, (1, 2), 1),
        dilation=(2, 1, 1),
        rounding="ceil",
    )
    assert w.out_sizes == (3, 7, 5)
    assert w.padding == ((0, 0), (1, 2), (1, 1))
    assert w.extent == (5, 2, 5)
    assert w.overhang == (0, 0, 2)
    assert w.rank == 3
    assert hash(w) == hash(
        window(
            (7, 11, 13),
            (3, 2, 5),
            stride=(1, 2, 3),
            padding=w.padding,
            dilation=(2, 1, 1),
            rounding="ceil",
        )
    )
    assert window((7, 5), 3, padding="VALID") == window((7, 5), (3, 3), padding=0)


def test_pool_stride_is_its_window_by_default():
    assert pool_window((7, 11), (2, 3), None, 0, "floor") == window((7, 11), (2, 3), stride=(2, 3))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda: window((), 3),
            ShapeError,
            r"the sizes \(\) have 0 spatial axes, 1 to 3 were expected",
        ),
        (lambda: window((2, 2, 2, 2), 1), ShapeError, "have 4 spatial axes"),
        (
            lambda: window((4,), 7),
            ShapeError,
            r"a 7-wide window does not fit 4 pixels padded by \(0, 0\); use padding=\(2, 1\) or "
            r"more",
        ),
        (
            lambda: window((4,), 3, dilation=3),
            ShapeError,
            "a 3-wide window dilated by 3 to 7 does not fit 4 pixels",
        ),
        (
            lambda: window((4,), 3, rounding="up"),
            ValueError,
            "unknown rounding 'up'; use 'floor', 'ceil', 'exact'",
        ),
        (
            lambda: window((4,), 3, padding="same"),
            ValueError,
            "unknown padding 'same'; use 'SAME', 'VALID', or a whole number.*did you mean 'SAME'",
        ),
        (
            lambda: window((4, 4), (3,)),
            ShapeError,
            r"window=\(3,\) has 1 entries but the input has 2 spatial axes; give 2, or one int",
        ),
        (
            lambda: window((4, 4), 3, stride=(1, 1, 1)),
            ShapeError,
            r"stride=\(1, 1, 1\) has 3 entries",
        ),
        (lambda: window((4, 4), 3, dilation=(1,)), ShapeError, r"dilation=\(1,\) has 1 entries"),
        (
            lambda: window((4,), 3, padding=(1, 2)),
            ShapeError,
            r"padding=\(1, 2\) has 2 entries but the input has 1 spatial axes",
        ),
        (
            lambda: window((4,), 3, padding=((1, 2, 3),)),
            ShapeError,
            r"padding \(1, 2, 3\) on one axis, an int or a pair \(lo, hi\)",
        ),
        (
            lambda: window((4,), 3, stride=0),
            ValueError,
            "stride=0, whole numbers of at least 1 were expected",
        ),
        (lambda: window((4,), 0), ValueError, "size=0, whole numbers of at least 1"),
        (
            lambda: window((4,), 3, dilation=1.5),
            ValueError,
            "dilation=1.5, whole numbers of at least 1",
        ),
        (
            lambda: per_axis((1, 2), 3, "stride"),
            ShapeError,
            r"stride=\(1, 2\) has 2 entries but the input has 3 spatial axes",
        ),
        (
            lambda: pool_window((7,), 2, None, 2, "floor"),
            ShapeError,
            r"padding \(\(2, 2\),\) is as wide as the window \(2,\).*less padding",
        ),
        (
            lambda: pool_window((7,), 2, None, ((0, 2),), "floor"),
            ShapeError,
            "a window could see no input",
        ),
        (
            lambda: transposed_sizes((1,), 3, stride=1, padding=2, dilation=1),
            ShapeError,
            r"a transposed \(3,\) window, stride \(1,\), padding \(\(2, 2\),\) gives \(-1,\); use "
            r"less padding",
        ),
        (
            lambda: transposed_sizes((1,), 3, stride=0, padding=0, dilation=1),
            ValueError,
            "stride=0, whole numbers",
        ),
    ],
)
def test_error(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("w, f, lo, hi", [(6, 7, 0, 0), (4, 7, 0, 0), (7, 9, 1, 0), (5, 13, 0, 3)])
def test_padding_an_error_proposes_is_just_enough(w, f, lo, hi):
    with pytest.raises(ShapeError) as error:
        window((w,), f, padding=((lo, hi),))
    lo, hi = (
        int(word) for word in str(error.value).split("use padding=(")[1].split(")")[0].split(", ")
    )
    assert window((w,), f, padding=((lo, hi),)).out_sizes == (1,)


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(stride=0), "Conv: stride=0, whole numbers of at least 1 were expected"),
        (dict(kernel=(3, -1)), r"Conv: kernel=\(3, -1\), whole numbers"),
        (dict(kernel=2.5), "Conv: kernel=2.5, whole numbers"),
        (dict(padding=-1), "Conv: padding=-1 is negative; crop the input instead"),
        (dict(padding=((0, -1), 2)), r"padding=\(\(0, -1\), 2\) is negative"),
        (
            dict(padding="FULL"),
            "Conv: unknown padding 'FULL'; use 'SAME', 'VALID', or a whole number",
        ),
        (dict(stride=None), "Conv: stride=None, whole numbers of at least 1 were expected"),
        (dict(stride=True), "Conv: stride=True, whole numbers"),
        (
            dict(kernel=4 / 2),
            "Conv: kernel=2.0, whole numbers of at least 1 were expected; Python's / makes a "
            "fraction",
        ),
        (
            dict(padding=1.0),
            "Conv: padding=1.0, 'SAME', 'VALID', a whole number.* was expected; Python's / makes a "
            "fraction",
        ),
        (dict(padding=None), "Conv: padding=None, 'SAME', 'VALID', a whole number"),
        (dict(padding=("SAME", "VALID")), "Conv: padding=.* was expected"),
        (
            dict(padding_mode="mirror"),
            "Conv: unknown padding_mode 'mirror'; use 'zeros', 'reflect', 'replicate', 'circular'",
        ),
        (
            dict(rounding="nearest"),
            "Conv: unknown rounding 'nearest'; use 'floor', 'ceil', 'exact'",
        ),
    ],
)
def test_check_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        check_settings("Conv", **settings)


def test_check_settings_lets_right_ones_pass():
    check_settings(
        "Conv", kernel=(3, 1), stride=2, padding=((0, 1), 2), rounding="ceil", dilation=2
    )
    check_settings("Conv", padding="SAME")

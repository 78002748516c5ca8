"""Augmentation against plain NumPy, and what its draws follow from."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jconv.data import IMAGENET, UNIT, Augmentation, augmented, mixed
from jconv.data.augmentation import crop_box
from jconv.data.augmenting.colour import EIGENVALUES, EIGENVECTORS, jittered, lights
from jconv.data.augmenting.crop import drawn_windows, resized
from jconv.data.augmenting.place import box, shifted
from jconv.errors import InputError

KEY = jax.random.key(5)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 9, 8, 3), np.uint8)
ROWS = jnp.arange(6, dtype=jnp.int32)
ALL = Augmentation(shift=2, flip="random", resized_crop=True, jitter=0.4, lighting=0.1, cutout=3)


@cache
def program(settings, in_shape, pixels):
    return jax.jit(
        lambda images, key, epoch, rows: augmented(
            settings, images, key, epoch, rows, in_shape=in_shape, pixels=pixels
        )
    )


def run(settings, images=IMAGES, rows=ROWS, epoch=0, in_shape=(9, 8, 3), key=KEY, pixels=UNIT):
    """Compiled, as a step has it."""
    compiled = program(settings, in_shape, pixels)
    return np.asarray(compiled(jnp.asarray(images), key, jnp.int32(epoch), rows))


resize = jax.jit(resized, static_argnums=3)


EVERYTHING = pytest.param(ALL, marks=pytest.mark.exhaustive)


@pytest.mark.parametrize("settings", [Augmentation(shift=2, flip="random"), EVERYTHING])
def test_draws_follow_from_the_key_the_epoch_and_the_row(settings):
    whole = run(settings)
    order = np.array([4, 1, 5, 0, 3, 2])
    np.testing.assert_allclose(
        run(settings, IMAGES[order], ROWS[order]), whole[order], rtol=1e-5, atol=1e-6
    )
    alone = run(settings, IMAGES[4:5], ROWS[4:5])  # in a batch of its own
    np.testing.assert_allclose(alone, whole[4:5], rtol=1e-5, atol=1e-6)
    assert not np.array_equal(run(settings, epoch=1), whole)
    assert not np.array_equal(run(settings, key=jax.random.key(6)), whole)
    same = np.broadcast_to(IMAGES[:1], IMAGES.shape)
    assert len({image.tobytes() for image in run(settings, same)}) > 1


def test_draws_do_not_ask_which_generator_the_run_has():
    """vmapped, jax's rbg draws by the batch."""
    key, settings = jax.random.key(5, impl="rbg"), Augmentation(shift=2, flip="random")
    order = np.array([4, 1, 5, 0, 3, 2])
    np.testing.assert_array_equal(
        run(settings, IMAGES[order], ROWS[order], key=key), run(settings, key=key)[order]
    )


@pytest.mark.exhaustive
def test_what_is_compiled_is_what_runs_by_itself():
    settings = Augmentation(shift=2)
    alone = augmented(settings, jnp.asarray(IMAGES), KEY, 1, ROWS, in_shape=(9, 8, 3))
    np.testing.assert_allclose(run(settings, epoch=1), alone, rtol=1e-6)


@pytest.mark.exhaustive
def test_float64_changes_nothing():
    """Which a gradient check switches on."""
    expected, settings = run(ALL), Augmentation(cutmix=1.0)
    with jax.enable_x64(True):
        found = run(ALL)
        x, _, weight = jax.jit(lambda x: mixed(settings, x, LABELS, KEY, 0))(found)
    assert found.dtype == x.dtype == weight.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_without_settings_images_are_scaled_alone(close):
    close(run(Augmentation()), IMAGES / 255, 1e-6)
    close(run(Augmentation(), in_shape=(5, 4, 3)), IMAGES[:, 2:7, 2:6] / 255, 1e-6)
    close(run(Augmentation(), IMAGES.astype(np.float32)), IMAGES, 1e-6)
    by_hand = (IMAGES / 255 - np.array(IMAGENET.mean)) / np.array(IMAGENET.std)
    close(run(Augmentation(), pixels=IMAGENET), by_hand, 1e-5)


@pytest.mark.parametrize("edge, mode", [("zero", "constant"), ("reflect", "reflect")])
def test_shifts_are_crops_of_a_padded_image(edge, mode):
    shifts = np.array([(-3, 2), (0, 0), (1, -3), (3, 3), (-1, 0), (2, 1)], np.int32)
    mirrored = np.arange(6) % 2 == 0
    found = shifted(
        jnp.asarray(IMAGES), jnp.asarray(shifts), jnp.asarray(mirrored), (9, 8, 3), edge
    )
    for i, (down, right) in enumerate(shifts):
        image = IMAGES[i, :, ::-1] if mirrored[i] else IMAGES[i]
        padded = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode=mode)
        np.testing.assert_array_equal(
            found[i], padded[3 - down : 12 - down, 3 - right : 11 - right]
        )


@pytest.mark.parametrize("mirrored", [False, True])
def test_shifts_of_larger_images_bring_in_what_is_there(mirrored):
    """Shifts of up to 2 over the middle 5x4 of 9x8: nothing else moves in."""
    settings = Augmentation(shift=2, flip="alternating")
    found = run(settings, in_shape=(5, 4, 3), epoch=int(mirrored))
    places = set()
    for image, whole in zip(found, IMAGES / 255, strict=True):
        where = [
            (top, left, flipped)
            for top in range(5)
            for left in range(5)
            for flipped in (False, True)
            if np.allclose(
                image, whole[top : top + 5, left : left + 4][:, :: -1 if flipped else 1], atol=1e-6
            )
        ]
        assert len(where) == 1
        places |= set(where)
    assert len(places) > 3


def test_a_coin_mirrors_about_half():
    images = np.broadcast_to(IMAGES[:1], (400, 9, 8, 3))
    found = run(Augmentation(flip="random"), images, jnp.arange(400, dtype=jnp.int32))
    plain, other = IMAGES[0] / 255, IMAGES[0][:, ::-1] / 255
    same = [np.allclose(image, plain, atol=1e-6) for image in found]
    assert 150 < sum(same) < 250
    assert all(s or np.allclose(i, other, atol=1e-6) for s, i in zip(same, found, strict=True))


def test_alternating_flips_show_both_sides_in_two_epochs():
    settings = Augmentation(flip="alternating")
    first, second, third = (run(settings, epoch=epoch) for epoch in (0, 1, 2))
    np.testing.assert_array_equal(first, third)
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    assert not np.allclose(first, IMAGES / 255) and not np.allclose(second, IMAGES / 255)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("size", [(5, 4), (9, 8), (13, 17)])
def test_parts_are_resized_as_pillow_does(size):
    """Smaller and larger, to within a rounding of Pillow's eight bits."""
    smooth = np.asarray(Image.fromarray(IMAGES[0]).resize((40, 30), Image.Resampling.BICUBIC))
    left, top, w, h = window = (7, 4, 26, 19)
    mirrored = jnp.array([False, True])
    found, other = resize(np.stack([smooth] * 2), numbers([window] * 2), mirrored, (*size, 3))
    np.testing.assert_allclose(other, found[:, ::-1], rtol=1e-5, atol=1e-3)
    part = Image.fromarray(smooth).crop((left, top, left + w, top + h))
    expected = np.asarray(part.resize(size[::-1], Image.Resampling.BILINEAR), np.float32)
    assert np.abs(np.asarray(found) - expected).max() <= 1.01


def numbers(windows):
    return tuple(jnp.asarray(column, jnp.float32) for column in zip(*windows, strict=True))


WINDOWS = [(0, 0, 8, 9), (3, 0, 5, 2), (7, 8, 1, 1), (0, 4, 2, 5), (1, 1, 6, 6), (2, 3, 4, 6)]


@pytest.mark.parametrize("in_shape", [(5, 4, 3), (4, 11, 3)])
def test_parts_are_resized_as_if_there_were_nothing_around_them(in_shape):
    mirrored = np.arange(6) % 2 == 1
    found = resize(IMAGES, numbers(WINDOWS), mirrored, in_shape)
    for i, (left, top, w, h) in enumerate(WINDOWS):
        part = IMAGES[i, top : top + h, left : left + w].astype(np.float64)
        expected = bilinear(bilinear(part, in_shape[0]).swapaxes(0, 1), in_shape[1]).swapaxes(0, 1)
        expected = expected[:, ::-1] if mirrored[i] else expected
        np.testing.assert_allclose(found[i], expected, rtol=1e-4, atol=1e-3)


def bilinear(part, want):
    """Along the first axis, by loops."""
    step = len(part) / want
    rows = []
    for place in range(want):
        centre = (place + 0.5) * step
        weights = [max(0, 1 - abs(at + 0.5 - centre) / max(step, 1)) for at in range(len(part))]
        rows.append(sum(a * row for a, row in zip(weights, part, strict=True)) / sum(weights))
    return np.stack(rows)


@pytest.mark.parametrize("width, height", [(500, 400), (31, 44)])
def test_windows_drawn_on_the_device_are_whole_pixels_of_the_areas_and_aspects(width, height):
    keys = jax.random.split(KEY, 800)
    left, top, w, h = map(np.asarray, jax.jit(lambda k: drawn_windows(k, width, height))(keys))
    for start, length, size in ((left, w, width), (top, h, height)):
        assert (start % 1 == 0).all() and (length % 1 == 0).all()
        assert (start >= 0).all() and (length >= 1).all() and (start + length <= size).all()
        assert (start == 0).any() and (start + length == size).any()
    sides = (np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) * 0.5)[..., None]  # what rounding does
    areas = (sides[:, 0] + w) * (sides[:, 1] + h) / (width * height)
    ratios = (sides[:, 0] + w) / (sides[:, 1] + h)
    assert (areas.max(0) > 0.08).all() and (areas.min(0) < 1).all()
    assert (ratios.max(0) > 3 / 4).all() and (ratios.min(0) < 4 / 3).all()
    # uniform, less where the greatest do not fit
    assert 0.4 < (w * h / (width * height)).mean() < 0.54
    assert 0.42 < (w > h).mean() < 0.58 or width * 400 != height * 500


def test_where_no_try_fits_the_window_is_the_largest_square():
    draw = jax.jit(lambda keys: drawn_windows(keys, 100, 10, area=(1.0, 1.0)))
    found = draw(jax.random.split(KEY, 3))
    np.testing.assert_array_equal(np.stack(found), [[45] * 3, [0] * 3, [10] * 3, [10] * 3])


def test_boxes_have_the_areas_and_aspects_asked_for():
    rng = np.random.default_rng(1)
    found = [crop_box(rng, 500, 400) for _ in range(600)]
    areas = [(b.right - b.left) * (b.bottom - b.top) for b in found]
    ratios = [(b.right - b.left) * 500 / ((b.bottom - b.top) * 400) for b in found]
    assert 0.075 < min(areas) < 0.12 and 0.9 < max(areas) <= 1.0
    assert 0.72 < min(ratios) < 0.8 and 1.25 < max(ratios) < 1.37
    assert all(0 <= b.left < b.right <= 1 and 0 <= b.top < b.bottom <= 1 for b in found)
    whole = crop_box(rng, 100, 10, area=(1.0, 1.0))  # nothing of that aspect fits
    np.testing.assert_allclose(whole, (0.45, 0, 0.55, 1))


def test_jitter_is_the_three_operations_in_some_order():
    """Each blends with black, the mean gray, or each pixel's gray."""
    image, gray = IMAGES[0].astype(np.float64), np.array([0.299, 0.587, 0.114])
    factors_key, order_key = jax.random.split(KEY)
    factors = np.asarray(jax.random.uniform(factors_key, (3,), jnp.float32, 0.6, 1.4))
    for kind in np.asarray(jax.random.permutation(order_key, 3)):
        grays = (image * gray).sum(-1, keepdims=True)
        other = (np.zeros_like(image), np.full_like(image, grays.mean()), grays)[kind]
        image = factors[kind] * image + (1 - factors[kind]) * other
    np.testing.assert_allclose(jittered(KEY, jnp.asarray(IMAGES[0]), 0.4), image, rtol=1e-4)


def test_gray_images_have_no_saturation():
    found = run(Augmentation(jitter=0.4), IMAGES[..., :1], in_shape=(9, 8, 1))
    a = np.polyfit(IMAGES[0].ravel()[::3], found[0].ravel(), 1)
    np.testing.assert_allclose(np.polyval(a, IMAGES[0, ..., :1].astype(float)), found[0], atol=1e-4)


def test_lights_lie_along_the_principal_components():
    keys = jax.random.split(KEY, 500)
    found = np.asarray(lights(keys, 0.1))
    along = found @ np.array(EIGENVECTORS) / (255 * np.array(EIGENVALUES))
    np.testing.assert_allclose(along.std(0), 0.1, rtol=0.15)
    assert np.abs(along.mean(0)).max() < 0.02


def test_a_square_is_cut_out_after_scaling():
    found = run(Augmentation(cutout=3), np.full((6, 9, 8, 3), 200, np.uint8), pixels=IMAGENET)
    for image in found:
        holes = (image == 0).all(-1)
        assert 1 <= holes.sum() <= 9 and (image[~holes] != 0).all()
        rows, columns = np.where(holes)
        assert holes[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_a_box_is_where_it_is_and_as_large():
    found = [np.asarray(box(key, (9, 8), jnp.array([4, 3]))) for key in jax.random.split(KEY, 60)]
    assert max(b.sum() for b in found) == 12 and min(b.sum() for b in found) >= 2
    assert np.logical_or.reduce(found).all(), "some pixels are never in it"


X = RNG.normal(size=(6, 9, 8, 3)).astype(np.float32)
LABELS = jnp.arange(6)


def test_mixup_is_a_blend_with_another():
    x, other, weight = mixed(Augmentation(mixup=1.0), jnp.asarray(X), LABELS, KEY, 3)
    assert other.tolist() == [5, 0, 1, 2, 3, 4]
    w = float(weight[0])
    assert 0 < w < 1 and (weight == w).all()
    np.testing.assert_allclose(x, w * X + (1 - w) * X[np.asarray(other)], rtol=1e-4, atol=1e-5)
    again = mixed(Augmentation(mixup=1.0), jnp.asarray(X), LABELS, KEY, 4)
    assert again.weight[0] != w


def test_cutmix_weighs_by_the_pixels_that_stay():
    for step in range(5):
        x, other, weight = mixed(Augmentation(cutmix=1.0), jnp.asarray(X), LABELS, KEY, step)
        own = (np.asarray(x) == X).all(-1)
        assert ((np.asarray(x) == X[np.asarray(other)]).all(-1) | own).all()
        np.testing.assert_allclose(own.mean((1, 2)), weight, rtol=1e-5)


def test_of_both_a_coin_says_which():
    both = Augmentation(mixup=1.0, cutmix=1.0)
    kinds = set()
    for step in range(12):
        x, *_ = mixed(both, jnp.asarray(X), LABELS, KEY, step)
        kinds.add(bool((np.asarray(x) == X).all(-1).any()))
    assert kinds == {True, False}


def test_nothing_mixed_is_weight_one():
    x, other, weight = mixed(Augmentation(), jnp.asarray(X), LABELS, KEY, 0)
    np.testing.assert_array_equal(x, X)
    assert other is LABELS and (weight == 1).all()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"shift": -1}, "shift=-1: 0 or more was expected"),
        ({"flip": "sometimes"}, "unknown flip 'sometimes'; use 'none', 'random', 'alternating'"),
        ({"jitter": 1.5}, "jitter=1.5: 1 or less was expected"),
        ({"area": (0.5, 0.1)}, r"area=\(0.5, 0.1\): \(least, greatest\), above 0 and up to 1"),
        ({"cutout": 1.5}, "cutout=1.5: a whole number was expected"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(InputError, match=words):
        Augmentation(**settings)


@pytest.mark.parametrize(
    "settings, images, in_shape, words",
    [
        (Augmentation(shift=8), IMAGES, (9, 8, 3), "shift=8: the net takes 9x8x3, less than 8"),
        (Augmentation(cutout=9), IMAGES, (9, 8, 3), "cutout=9: .* 8 or less was expected"),
        (Augmentation(), IMAGES, (10, 8, 3), "images are 9x8x3 but the net takes 10x8x3"),
        (Augmentation(lighting=0.1), IMAGES[..., :1], (9, 8, 1), "lighting=0.1: .* 1 channels"),
        (
            Augmentation(jitter=0.1),
            IMAGES.astype(np.float32),
            (9, 8, 3),
            "jitter=0.1: images of dtype float32 are taken as scaled",
        ),
        (Augmentation(), IMAGES.astype(np.int32), (9, 8, 3), "images have dtype int32"),
    ],
)
def test_images_that_cannot_be(settings, images, in_shape, words):
    with pytest.raises(InputError, match=words):
        augmented(settings, jnp.asarray(images), KEY, 0, ROWS, in_shape=in_shape)

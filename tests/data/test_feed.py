import numpy as np
import pytest
from counted_images import COUNT, Counted

from jconv.data import Box, Order, Resident, Split, Streamed, padded_batches
from jconv.data.feed import default_workers

LABELS = np.arange(COUNT) % 3
ORDER = Order(seed=1, examples=COUNT, batch_size=4)


def rows_of(feed, first, total):
    return [np.asarray(batch.rows).tolist() for batch in feed.batches(first, total)]


def test_both_feeds_give_the_same_examples():
    stored = Counted()
    streamed = Streamed(Split(stored, LABELS), ORDER)
    resident = Resident(Split(stored[:], LABELS), ORDER)
    assert rows_of(streamed, 0, 5) == rows_of(resident, 0, 5)
    for one, all_of in zip(streamed.batches(1, 4), resident.batches(1, 4), strict=True):
        np.testing.assert_array_equal(one.images, np.asarray(all_of.images)[all_of.rows])
        np.testing.assert_array_equal(one.labels, np.asarray(all_of.labels)[all_of.rows])


def test_a_feed_begins_at_any_step():
    feed = Streamed(Split(Counted(), LABELS), ORDER)
    whole = rows_of(feed, 0, 6)
    for first in (1, 2, 5):
        assert rows_of(feed, first, 6) == whole[first:]
    assert rows_of(feed, 6, 6) == []


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.exhaustive)])
def test_processes_read_the_same(workers):
    plain = Streamed(Split(Counted(), LABELS), ORDER)
    feed = Streamed(Split(Counted(), LABELS), ORDER, workers=workers)
    assert rows_of(feed, 1, 6) == rows_of(plain, 1, 6)


def test_each_process_of_several_reads_its_share():
    shares = [Streamed(Split(Counted(), LABELS), ORDER, process=i, processes=2) for i in range(2)]
    assert shares[0].shapes.images.shape == (2, 4, 3, 1)
    halves = [rows_of(share, 0, 3) for share in shares]
    assert [a + b for a, b in zip(*halves, strict=True)] == [
        ORDER.rows(step).tolist() for step in range(3)
    ]


def test_parts_are_cut_by_the_seed_the_epoch_and_the_row():
    def crop(rng, width, height):
        assert (width, height) == (30, 20)
        return Box(0, 0, rng.uniform(0.1, 1), 1)

    feed = Streamed(Split(Counted(), LABELS), ORDER, crop=crop)
    cut = lambda first: {
        (step, row): int(image[0, 0, 0])
        for step, batch in enumerate(feed.batches(first, 6), first)
        for row, image in zip(batch.rows.tolist(), batch.images, strict=True)
    }
    whole = cut(0)
    assert {at: value for at, value in whole.items() if at[0] >= 3} == cut(3)
    assert len(set(whole.values())) > 10


def test_shapes_are_those_of_the_batches():
    for feed in (
        Streamed(Split(Counted(), LABELS), ORDER),
        Resident(Split(Counted()[:], LABELS), ORDER),
    ):
        batch = next(feed.batches(0, 1))
        assert [(a.shape, a.dtype) for a in batch] == [(s.shape, s.dtype) for s in feed.shapes]


def test_padded_batches_hold_every_image_once():
    for images in (Counted()[:], Counted()):
        parts = list(padded_batches(images, 4))
        assert [count for _, count in parts] == [4, 4, 3]
        assert {batch.shape for batch, _ in parts} == {(4, 4, 3, 1)}
        assert [int(i[0, 0, 0]) for b, n in parts for i in b[:n]] == list(range(COUNT))
        assert not parts[-1][0][3:].any()


def test_a_small_machine_reads_by_threads(monkeypatch):
    for cores, workers in ((1, 0), (4, 0), (8, 4), (96, 16)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert default_workers() == workers

"""What the report says of the answers on the test images: what is mistaken for what, per class,
and the worst of them. Plain values, which the templates of the same names set into the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from markupsafe import Markup

from .pictures import confusion
from .scores import Verdict, confused_pairs, least_sure, strengths, worst_mistakes
from .svg import inline
from .tiles import Picture, image_tile

Names = Sequence[str]
MOST_IN_TABLE = 24  # classes: beyond, the numbers would be too many to read and pixels show more
MOST_BESIDE = 12  # classes: up to here the matrix shares its row with the accuracies
MOST_BARS = 120
MOST_PAIRS = 12
MOST_IMAGES = 24


class Images(Protocol):
    """Test images (N, H, W, C) in [0, 1]: an array, or what reads one when it is asked for, since a
    report shows few of them.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> np.ndarray: ...


class Cell(NamedTuple):
    """One count of the confusion matrix: its text, what kind of answer it is (words of the style),
    how strongly it is coloured, and what it counts.
    """

    text: str
    kind: str
    share: str
    title: str


class Confusion(NamedTuple):
    """The confusion matrix as rows of cells, or for many classes as a picture; and the pairs (true,
    predicted, images) most often mixed up.
    """

    names: Names
    rows: list[list[Cell]]
    picture: Markup | None
    pairs: list[tuple[str, str, str]]
    wide: bool

    @property
    def tall(self) -> bool:
        """Whether the names of columns stand upright."""
        return any(len(name) > 3 for name in self.names)


class Bar(NamedTuple):
    """The accuracy of one class; no percent where it has no test image."""

    name: str
    percent: str
    images: str


class Accuracy(NamedTuple):
    """A bar for each class, and the widths of the columns beside them in letters."""

    hint: str
    bars: list[Bar]
    name_width: int
    count_width: int
    wide: bool


class Tile(NamedTuple):
    """One test image and what was said of it."""

    picture: Picture
    truth: str
    guess: str
    right: bool
    sure: str


class Mistakes(NamedTuple):
    """The test images worth looking at."""

    title: str
    hint: str
    tiles: list[Tile]


def confusion_matrix(counts: np.ndarray, names: Names) -> Confusion:
    """The confusion matrix (K, K), rows being the true classes: counts for few classes, a picture
    for many.
    """
    few = len(counts) <= MOST_IN_TABLE
    picture = None if few else inline(confusion(counts), "confusion matrix, rows are true classes")
    pairs = [
        (names[p.truth], names[p.guess], f"{p.images:,}")
        for p in confused_pairs(counts, MOST_PAIRS)
    ]
    wide = len(counts) > MOST_BESIDE
    return Confusion(names, _cells(counts, names) if few else [], picture, pairs, wide)


def class_accuracy(counts: np.ndarray, names: Names) -> Accuracy:
    """One bar a class, the worst first, classes without a test image last."""
    totals, right = counts.sum(1), np.diag(counts)
    share = np.where(totals > 0, right / np.maximum(totals, 1), np.inf)
    order = np.argsort(share, kind="stable")
    bars = [_bar(names[k], int(right[k]), int(totals[k])) for k in map(int, order[:MOST_BARS])]
    hint = "How many test images of each class were recognised, the worst class first."
    if len(bars) < len(order):
        hint += f" The {MOST_BARS} worst of {len(order):,} classes are shown."
    return Accuracy(
        hint,
        bars,
        name_width=min(14, max(map(len, names))),
        count_width=2 * len(f"{totals.max():,}") + 1,
        wide=len(counts) > MOST_BESIDE,
    )


def mistakes(
    images: Images, labels: np.ndarray, probabilities: np.ndarray, names: Names
) -> Mistakes:
    """The worst mistakes, the surest first; without any, the right answers that were least sure."""
    wrong = worst_mistakes(labels, probabilities, MOST_IMAGES)
    tiles = [
        _tile(images, verdict, names)
        for verdict in wrong or least_sure(labels, probabilities, MOST_IMAGES)
    ]
    if wrong:
        total = int((probabilities.argmax(1) != labels).sum())
        shown = _shown(len(wrong), total)
        hint = f"{shown}, with the probability the network gave to what it said."
        return Mistakes("The worst mistakes", hint, tiles)
    hint = (
        "There is no mistake among the test images. These are the right answers it was least sure "
        "of, with their probability."
    )
    return Mistakes("The least sure right answers", hint, tiles)


def _cells(counts: np.ndarray, names: Names) -> list[list[Cell]]:
    strength, totals = strengths(counts), counts.sum(1)
    return [
        [
            _cell(counts[i, j], totals[i], strength[i, j], i == j, truth, guess)
            for j, guess in enumerate(names)
        ]
        for i, truth in enumerate(names)
    ]


def _cell(count: int, total: int, strength: float, right: bool, truth: str, guess: str) -> Cell:
    title = f"{count:,} of {total:,} images of {truth} were taken for {guess}"
    if not count:
        return Cell("", "", "", title)
    kind = ("right" if right else "wrong") + (" strong" if strength > 0.6 else "")
    return Cell(f"{count:,}", kind, f"{strength:.0%}", title)


def _bar(name: str, right: int, total: int) -> Bar:
    return Bar(name, f"{right / total:.1%}" if total else "", f"{right:,}/{total:,}")


def _tile(images: Images, verdict: Verdict, names: Names) -> Tile:
    truth, guess = names[verdict.truth], names[verdict.guess]
    title = (
        f"test image {verdict.image}: true {truth} ({verdict.p_truth:.1%}), predicted {guess} "
        f"({verdict.p_guess:.1%})"
    )
    picture = image_tile(images[verdict.image], title)
    right = verdict.truth == verdict.guess
    return Tile(picture, truth, guess, right, f"{verdict.p_guess:.1%}")


def _shown(shown: int, total: int) -> str:
    if shown < total:
        return f"{shown} of the {total:,} wrong answers, the surest first"
    return f"All {total} wrong answers, the surest first" if total > 1 else "The only wrong answer"

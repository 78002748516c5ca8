"""The sections of the report about the answers on the test images: what is mistaken for what, per
class, and the worst of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .markup import Html, element
from .page import section
from .pictures import confusion
from .scores import Verdict, confused_pairs, least_sure, strengths, worst_mistakes
from .svg import inline
from .tiles import image_tile

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


def confusion_matrix(counts: np.ndarray, names: Names) -> Html:
    """The confusion matrix: a table of counts for few classes, a picture and the pairs most mixed
    up for many.
    """
    hint = (
        "Each row is a true class, each column what the network said. Blue is right, red is wrong; "
        "the stronger, the more of the row."
    )
    if len(counts) <= MOST_IN_TABLE:
        content = element("div", _count_table(counts, names), class_="scroll")
    else:
        content = element(
            "div",
            inline(confusion(counts), "confusion matrix, rows are true classes"),
            class_="matrix",
        )
    return section(
        "Confusion matrix", hint, content, _pairs(counts, names), wide=len(counts) > MOST_BESIDE
    )


def class_accuracy(counts: np.ndarray, names: Names) -> Html:
    """One bar a class, the worst first, classes without a test image last."""
    totals, right = counts.sum(1), np.diag(counts)
    share = np.where(totals > 0, right / np.maximum(totals, 1), np.inf)
    order = np.argsort(share, kind="stable")
    bars = [_bar(names[k], int(right[k]), int(totals[k])) for k in map(int, order[:MOST_BARS])]
    hint = "How many test images of each class were recognised, the worst class first."
    if len(bars) < len(order):
        hint += f" The {MOST_BARS} worst of {len(order):,} classes are shown."
    widths = (
        f"--name: {min(14, max(map(len, names)))}ch; --count: {2 * len(f'{totals.max():,}') + 1}ch"
    )
    return section(
        "Accuracy by class",
        hint,
        element("div", *bars, class_="bars", style=widths),
        wide=len(counts) > MOST_BESIDE,
    )


def mistakes(images: Images, labels: np.ndarray, probabilities: np.ndarray, names: Names) -> Html:
    """The worst mistakes as images, the surest first; without any, the right answers that were
    least sure.
    """
    wrong = worst_mistakes(labels, probabilities, MOST_IMAGES)
    shown = wrong or least_sure(labels, probabilities, MOST_IMAGES)
    total = int((probabilities.argmax(1) != labels).sum())
    if wrong:
        title = "The worst mistakes"
        hint = (
            f"{_shown(len(wrong), total)}, with the probability the network gave to what it said."
        )
    else:
        title = "The least sure right answers"
        hint = (
            "There is no mistake among the test images. These are the right answers it was least "
            "sure of, with their probability."
        )
    return section(
        title,
        hint,
        element("div", *[_tile(images, verdict, names) for verdict in shown], class_="tiles"),
    )


def _count_table(counts: np.ndarray, names: Names) -> Html:
    tall = any(len(name) > 3 for name in names)
    said = element("tr", element("th"), element("th", "predicted", colspan=len(names)))
    heads = element(
        "tr",
        element("th", "true"),
        *[element("th", name, title=name) for name in names],
        class_="tall" if tall else "",
    )
    strength = strengths(counts)
    rows = []
    for i, name in enumerate(names):
        cells = [
            _cell(counts[i, j], counts[i].sum(), strength[i, j], i == j, name, names[j])
            for j in range(len(names))
        ]
        rows.append(element("tr", element("th", name, title=name), *cells))
    return element("table", element("thead", said, heads), element("tbody", *rows), class_="counts")


def _cell(count: int, total: int, strength: float, right: bool, truth: str, guess: str) -> Html:
    title = f"{count:,} of {total:,} images of {truth} were taken for {guess}"
    if not count:
        return element("td", title=title)
    kind = ("right" if right else "wrong") + (" strong" if strength > 0.6 else "")
    return element("td", f"{count:,}", class_=kind, style=f"--share: {strength:.0%}", title=title)


def _pairs(counts: np.ndarray, names: Names) -> Html:
    pairs = confused_pairs(counts, MOST_PAIRS)
    if not pairs:
        return Html("")
    row = lambda p: element(
        "tr",
        element("td", names[p.truth]),
        element("td", names[p.guess]),
        element("td", f"{p.images:,}"),
    )
    head = element("tr", *[element("th", word) for word in ("true", "predicted", "images")])
    table = element("table", head, *[row(p) for p in pairs], class_="rows")
    open_ = {"open": ""} if len(counts) > MOST_IN_TABLE else {}
    return element("details", element("summary", "Most often mixed up"), table, **open_)


def _bar(name: str, right: int, total: int) -> Html:
    fill = element("i", style=f"width: {right / total:.1%}") if total else ""
    track = element("span", fill, class_="track" if total else "track none")
    percent = f"{right / total:.1%}" if total else "untested"
    count = element("small", f"{right:,}/{total:,}")
    return element(
        "div",
        element("span", name, class_="name", title=name),
        track,
        element("span", percent),
        count,
        class_="bar",
    )


def _tile(images: Images, verdict: Verdict, names: Names) -> Html:
    truth, guess = names[verdict.truth], names[verdict.guess]
    kind = "right" if verdict.truth == verdict.guess else "wrong"
    title = (
        f"test image {verdict.image}: true {truth} ({verdict.p_truth:.1%}), predicted {guess} "
        f"({verdict.p_guess:.1%})"
    )
    lines = (
        ["true ", element("b", truth)],
        ["said ", element("b", guess, class_=kind)],
        [f"{verdict.p_guess:.1%} sure"],
    )
    caption = element("figcaption", *[element("div", *line) for line in lines], title=title)
    return element("figure", image_tile(images[verdict.image], alt=title, title=title), caption)


def _shown(shown: int, total: int) -> str:
    if shown < total:
        return f"{shown} of the {total:,} wrong answers, the surest first"
    return f"All {total} wrong answers, the surest first" if total > 1 else "The only wrong answer"

from html.parser import HTMLParser

import numpy as np
import pytest

from jconv.view import report
from jconv.view.report import write_report


def test_the_report_is_one_file_that_needs_nothing_else(run, tmp_path):
    path = tmp_path / "new" / "report.html"
    write_report(path, **run)
    text = path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n")
    assert not [
        word for word in ("http", "<script", "<link", "@import", 'src="/', "NaN") if word in text
    ]
    titles = (
        "Training",
        "Confusion matrix",
        "Accuracy by class",
        "The worst mistakes",
        "First-layer filters",
        "Network",
        "Configuration",
    )
    positions = [text.index(f"<h2>{title}</h2>") for title in titles]
    assert positions == sorted(positions)
    assert "<b>82.35%</b>" in text and "fc1    Dense 120</pre>" in text  # 14 of 17
    assert len(text) < 100_000


class Balance(HTMLParser):
    """Fails on an end tag that closes nothing, or another element than the last opened."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()


@pytest.mark.parametrize("changed", [{}, {"history": [], "filters": None, "class_names": "<&>\"'"}])
def test_the_report_is_one_balanced_document(run, tmp_path, changed):
    write_report(tmp_path / "report.html", **run | changed)
    parser = Balance()
    parser.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert parser.open == []


def test_the_report_follows_the_readers_system(run, tmp_path):
    write_report(tmp_path / "report.html", **run)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "@media (prefers-color-scheme: dark)" in text and "width=device-width" in text


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    write_report(tmp_path / "a.html", **run)
    write_report(str(tmp_path / "b.html"), **run)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_all_text_is_escaped(run, tmp_path):
    bad = "<script>alert('x')</script>"
    words = {
        "title": bad,
        "table": bad,
        "config": {bad: bad, "net": {bad: [bad]}},
        "class_names": (bad, "bee", "cow", "dog", bad),
    }
    write_report(tmp_path / "report.html", **run | words)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text and text.count("&lt;script&gt;") > 10


def test_a_class_name_that_is_not_unicode_is_no_reason_to_fail(run, tmp_path):
    write_report(
        tmp_path / "report.html", **run | {"class_names": ("ant", "bee", "caf\udce9", "dog", "elk")}
    )
    assert "caf?" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_no_history_and_no_filters(run, tmp_path):
    write_report(tmp_path / "report.html", **run | {"history": [], "filters": None})
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not one epoch was trained" in text and "First-layer filters" not in text


@pytest.mark.parametrize(
    "channels, words",
    [(1, "Blue is above zero"), (3, "Mid-gray is zero."), (19, "The first 96 of 133 are shown.")],
)
def test_filters_say_how_to_read_them(run, tmp_path, rng, channels, words):
    write_report(
        tmp_path / "report.html", **run | {"filters": rng.normal(size=(5, 3, channels, 7))}
    )
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"7 filters of 5×3×{channels}, " in text and words in text


def test_a_report_that_fails_leaves_the_old_one(run, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the old one")
    with monkeypatch.context() as patch:
        patch.setattr(report, "mistakes", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_report(path, **run)
    with monkeypatch.context() as patch:
        patch.setattr(report.os, "replace", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_report(path, **run)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("report.html", "the old one")]


@pytest.mark.parametrize(
    "name, value, words",
    [
        (
            "images",
            np.zeros((17, 11, 7)),
            r"images: shape \(17, 11, 7\) came, \(N, H, W, C\) with at least one test image was "
            r"expected",
        ),
        ("images", np.zeros((0, 11, 7, 1)), "at least one test image"),
        (
            "images",
            np.zeros((17, 11, 7, 1), np.uint8),
            r"images: uint8 came, floating-point values in \[0, 1\] were expected; divide by 255",
        ),
        (
            "labels",
            np.zeros(13, int),
            r"labels: int64 of shape \(13,\) came, one integer for each of 17 images",
        ),
        ("labels", np.zeros(17), "labels: float64"),
        (
            "labels",
            np.full(17, 5),
            "labels: 5 to 5 came, 0 to 4 was expected; give a name for every class",
        ),
        ("labels", np.full(17, -1), "labels: -1 to -1 came"),
        (
            "probabilities",
            np.zeros((17, 3)),
            r"probabilities: shape \(17, 3\) came, \(17, 5\) was expected",
        ),
        ("probabilities", np.full((17, 5), np.nan), "probabilities: 85 of 85 are not finite"),
        (
            "filters",
            np.zeros((5, 3, 7)),
            r"filters: shape \(5, 3, 7\) came.*give None for a net without a 2-D convolution",
        ),
        (
            "history",
            [{"epoch": 1, "step": 2}],
            "history: a row has no train_loss, .*; it has epoch, step",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(run, tmp_path, name, value, words):
    with pytest.raises(ValueError, match=words):
        write_report(tmp_path / "report.html", **run | {name: value})
    assert not list(tmp_path.iterdir())

import jax
import pytest

from jconv.edit import with_method
from jconv.errors import InputError, ShapeError
from jconv.ops import METHODS
from jconv.scripts.bench.case import shapes
from jconv.scripts.bench.contestants import NAMES
from jconv.scripts.bench.suites import SUITES, choose, find_case


def test_the_suites_of_the_issue_are_there():
    assert list(SUITES) == [
        "ops",
        "scan",
        "nets",
        "train",
        "compile",
        "memory",
        "data",
        "plan",
        "gpu",
        "gpu-plan",
        "gpu-compile",
    ]
    assert [entry.case.name for entry in choose(["train"], []) if entry.what == "train"] == [
        "LeNet", "VGG-small", "ResNet-20", "AlexNet (groups)", "ResNet-50",
    ]  # fmt: skip
    assert [
        (entry.case.name, entry.case.batch) for entry in choose(["compile"], ["per-example"])
    ] == [
        ("LeNet b64", 64),
        ("LeNet b512", 512),
    ]
    assert {name for suite in SUITES.values() for name in suite.contestants} <= set(NAMES)


def test_titles_tell_the_jobs_of_a_suite_apart():
    for name in SUITES:
        titles = [entry.title for entry in choose([name], [])]
        assert len(set(titles)) == len(titles)


def test_parts_of_names_choose_and_case_does_not_matter():
    assert {entry.case.name for entry in choose(["train", "compile"], ["alexnet"])} == {
        "AlexNet (groups)"
    }
    assert {entry.case.name for entry in choose(["nets"], ["LeNet"])} == {"LeNet"}, "not GoogLeNet"
    assert [entry.what for entry in choose(["ops"], ["average"])] == ["forward", "gradient"]


# which is a dense layer's
@pytest.mark.parametrize("method", [name for name in METHODS if name != "product"])
def test_the_memory_of_every_method_is_measured(method):
    assert any(does(entry.case, method) for entry in choose(["memory"], ["gradient"]))


def does(case, method):
    net = with_method(case.net, method)
    x = jax.ShapeDtypeStruct((case.batch, *case.in_shape), case.dtype)
    try:
        jax.eval_shape(lambda params, state, x: net.apply(params, state, x), *shapes(case), x)
    except ShapeError:
        return False
    return True


def test_toys_are_small():
    assert {entry.case.batch for entry in choose(["gpu"], [], small=True)} == {2}


def test_unknown_words_list_what_there_is():
    with pytest.raises(
        InputError, match="unknown suite 'speed'; use 'ops', 'scan', 'nets', 'train'"
    ):
        choose(["train", "speed"], [])
    with pytest.raises(
        InputError,
        match=r"no case of memory has 'googl' in its name; there are\n  LeNet, train, float32\n  "
        r"VGG-small",
    ):
        choose(["memory"], ["LeNet", "googl"])


def test_a_case_is_found_by_name():
    assert find_case("train", "ResNet-50", False).batch == 8
    assert find_case("train", "ResNet-50", True).batch == 2

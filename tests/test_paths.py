import pytest

from jconv.errors import InputError
from jconv.paths import chosen, matches

PATHS = ["conv1/kernel", "conv1/bias", "stage1/block1/conv/kernel", "stage1/block2/bn/bias"]


@pytest.mark.parametrize(
    "pattern, found",
    [
        ("conv1", PATHS[:2]),
        ("*/bias", [PATHS[1], PATHS[3]]),
        ("stage1", PATHS[2:]),
        ("stage*", PATHS[2:]),
        ("stage1/block1", [PATHS[2]]),
        ("*", PATHS),
        ("conv1/kernel", PATHS[:1]),
    ],
)
def test_a_pattern_means_paths_and_what_lies_below(pattern, found):
    assert [path for path in PATHS if matches(path, pattern)] == found
    assert chosen(PATHS, [pattern], "freeze") == set(found)


def test_part_of_a_name_is_not_the_name():
    assert not matches("conv10/kernel", "conv1") and not matches("a/conv1/kernel", "conv1")


def test_a_pattern_that_means_nothing_is_named():
    with pytest.raises(InputError, match="freeze='conv2': no such path in the net; .*conv1"):
        chosen(PATHS, ["conv1", "conv2"], "freeze")

import numpy as np
import pytest

from jconv import InputError
from jconv.models.subject import class_of, looking, net_with_weights, probabilities

GIVEN = {"classes": None, "variant": None, "in_shape": ()}
NET = "INPUT8x6x1 -> CONV3-2 -> FC-3"


def test_a_models_weights_are_drawn_and_that_is_said():
    said = []
    weights = net_with_weights(NET, GIVEN, said.append)
    assert said == [f"{NET} has no weights yet: freshly drawn ones are shown"]
    assert weights.class_names == ("0", "1", "2") and "conv1" in weights.params
    subject = looking(weights, np.full((8, 6, 1), 255, np.uint8))
    assert subject.x.shape == (1, 8, 6, 1) and float(subject.x.max()) == 1
    assert probabilities(subject).sum() == pytest.approx(1)


def test_where_no_weights_are_needed_none_are_drawn():
    weights = net_with_weights(NET, GIVEN, lambda _: pytest.fail("said"), needed=False)
    assert weights.params == {} and weights.in_shape == (8, 6, 1)


def test_a_name_that_is_nothing_is_refused_with_those_alike():
    with pytest.raises(InputError, match="lenet6: is no run, no file and no model; .*lenet5"):
        net_with_weights("lenet6", GIVEN, print)


def test_a_net_without_scores_says_no_classes():
    weights = net_with_weights("INPUT8x6x1 -> CONV3-2", GIVEN, lambda _: None)
    with pytest.raises(InputError, match=r"the net gives \(\d, \d, 2\), one score a class"):
        probabilities(looking(weights, np.zeros((8, 6, 1), np.uint8)))


@pytest.mark.parametrize("wanted, label", [(None, 1), ("bee", 0), ("2", 2), ("1", 1)])
def test_a_class_is_a_name_or_a_number_or_else_the_most_probable(wanted, label):
    names, found = ("bee", "2 legs", "elk"), np.array([0.2, 0.5, 0.3])
    assert class_of(found, names, wanted) == (label, f"{names[label]} ({found[label]:.1%})")


def test_a_class_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="--class elf: .* 0 to 2, was expected; did you mean elk"):
        class_of(np.ones(3), ("ant", "bee", "elk"), "elf")

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.data import Split
from jconv.train import all_logits, evaluate, make_predict, probabilities
from jconv.train import softmax_cross_entropy_with_integer_labels as cross_entropy
from jconv.train.evaluation import Interrupted


@pytest.fixture
def net(tiny, filled):
    return (make_predict(tiny.net), *filled(tiny.net, tiny.in_shape))


@pytest.mark.parametrize("batch_size", [1, 4, 11, 13])
def test_every_example_counts_once_whatever_the_batch(net, data, batch_size, close):
    predict, params, state = net
    whole = np.asarray(predict(params, state, data.test.images))
    result = evaluate(predict, params, state, data.test, cross_entropy, batch_size)
    close(result.logits, whole, 1e-5)
    assert result.accuracy == (whole.argmax(axis=1) == data.test.labels).mean()
    assert result.loss == pytest.approx(
        float(cross_entropy(whole, data.test.labels).mean()), rel=1e-5
    )


def test_one_program_serves_all_batches(net, data):
    predict, params, state = net
    all_logits(predict, params, state, data.train.images, 5)
    assert predict._cache_size() == 1


def test_accuracy_of_known_answers(net, data):
    predict, params, state = net
    found = all_logits(predict, params, state, data.test.images, 4).argmax(axis=1).astype(np.int32)
    found[:3] = (found[:3] + 1) % 3
    assert (
        evaluate(predict, params, state, Split(data.test.images, found), cross_entropy, 4).accuracy
        == 8 / 11
    )


def test_probabilities(rng, close):
    scores = rng.standard_normal((5, 7)).astype(np.float32)
    p = probabilities(scores)
    close(p, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), 1e-5)
    assert not isinstance(p, jax.Array)


def test_it_can_be_stopped_before_each_batch():
    asked = iter([0, 0, 2])
    predict = lambda params, state, batch: jnp.zeros((len(batch), 3))
    images, labels = np.zeros((11, 4, 4, 1), np.uint8), np.zeros(11, np.int32)
    with pytest.raises(Interrupted):
        evaluate(predict, {}, {}, Split(images, labels), cross_entropy, 4, lambda: next(asked))
    assert next(asked, "asked three times") == "asked three times"

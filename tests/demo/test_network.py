import pytest

from jconv import Conv, Dense, Flatten, InputError, Lambda, PatternError, Relu, Sequential
from jconv.demo.network import network_texts, read_network
from jconv.models import build

SHAPE = (32, 32, 3)


@pytest.mark.parametrize("name", ["convnetjs", "tiny_vgg", "cifar_resnet20"])
def test_every_form_of_a_net_is_read_back(name):
    net, shape = build(name)
    texts = network_texts(net, shape)
    assert {"layers", "json"} <= texts.keys()
    for text in texts.values():
        assert read_network(text, shape, 10, 4) == net


def test_a_pattern_is_offered_where_it_says_all():
    net = build("INPUT32x32x3 -> CONV3-8 -> RELU -> POOL -> FC-10")[0]
    assert network_texts(net, SHAPE)["pattern"].startswith("INPUT32x32x3 -> CONV3-8")


def test_a_net_that_no_text_holds_has_no_form():
    assert network_texts(Sequential(a=Lambda(abs)), SHAPE) == {}


@pytest.mark.parametrize(
    "text, words",
    [
        ("INPUT -> CONV5-6 -> RELU", "10 scores were expected"),
        ("flatten = Flatten()\nfc = Dense(9)", "ends in 9, 10 scores"),
        ("conv = Conv(6, 50)\nflatten = Flatten()\nfc = Dense(10)", "32x32x3: conv: "),
        ("f = Flatten()\na = Dense(100_000)\nb = Dense(100_000)\nc = Dense(10)", "GiB"),
        ("c = Conv(10**9, 3)", "cannot stand here"),
        ("c = Conv(999999999, 3)\nf = Flatten()\nd = Dense(10)", "1 GiB"),
        ('{"class": "Relu"', "JSON"),
        ('{"class": "Nothing"}', "unknown layer"),
        ("[" * 5000, "column"),
        ("/etc/passwd", "column"),
        ("lenet5", "column 1"),
        ("a = Relu()\n" * 1, "10 scores"),
        ("\n".join(f"r{i} = Relu()" for i in range(400)) + "\nf = Flatten()\nd = Dense(10)", "402"),
        ("INPUT28x28x3 -> FC-10", "write INPUT32x32x3"),
        ("INPUT -> FC-10 -> SOFTMAX", "softmax"),
        ("nets.py:small", "column"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(text, words):
    with pytest.raises(InputError, match=words):
        read_network(text, SHAPE, 10, 8)


def test_a_fault_of_a_text_has_its_place():
    with pytest.raises(PatternError) as error:
        read_network("INPUT -> CONV5-6 -> RELUU -> FC-10", SHAPE, 10, 8)
    assert error.value.column == 21


def test_space_around_a_text_does_not_matter():
    net = Sequential(conv=Conv(4, 3), relu=Relu(), flatten=Flatten(), fc=Dense(10))
    assert read_network(f"\n  \n{network_texts(net, SHAPE)['layers']}\n\n", SHAPE, 10, 8) == net

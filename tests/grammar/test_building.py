import pickle
import random
import re

import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LocalResponseNorm,
    MaxPool,
    PatternError,
    Relu,
    Sequential,
    pattern,
    summary,
)
from jconv.errors import InputError
from jconv.layers import Initializer, caffe_xavier, constant, gaussian, msra_normal, ones
from jconv.models import build
from jconv.models.vgg import CONVOLUTIONS, WIDTHS

SCHEMA = "INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC"
LINEAR = "INPUT -> FC"
SMALL = "INPUT -> CONV -> RELU -> FC"
SINGLE = "INPUT -> [CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC"
DOUBLE = "INPUT -> [CONV -> RELU -> CONV -> RELU -> POOL]*3 -> [FC -> RELU]*2 -> FC"
OVERVIEW = "[INPUT - CONV - RELU - POOL - FC]"


def conv():
    return Conv(12, 3, padding=1)


def kinds(net):
    return [type(layer).__name__ for _, layer in net.layers if not isinstance(layer, Flatten)]


@pytest.mark.parametrize(
    "text, counts",
    [
        (LINEAR, {"N": 0, "M": 0, "K": 0}),
        (SMALL, {"N": 1, "M": 1, "K": 0, "optional": False}),
        (SINGLE, {"N": 1, "M": 2, "K": 1}),
        (DOUBLE, {"N": 2, "M": 3, "K": 2}),
    ],
    ids=["linear", "small", "single", "double"],
)
def test_is_the_schema_of_the_notes_examples(text, counts):
    assert pattern(SCHEMA, **counts) == pattern(text)


def test_a_linear_classifier():
    assert pattern(LINEAR) == Sequential(Flatten(), Dense(10))


def test_one_convolution_and_no_pool():
    assert pattern(SMALL) == Sequential(conv(), Relu(), Flatten(), Dense(10))


def test_has_9_layers():
    net = pattern(SINGLE)
    assert (
        kinds(net) == ["Conv", "Relu", "MaxPool"] * 2 + ["Dense", "Relu", "Dense"]
        and len(kinds(net)) == 9
    )
    assert [layer.features for _, layer in net.layers if isinstance(layer, Dense)] == [100, 10]


def test_has_20_layers():
    net = pattern(DOUBLE)
    assert (
        kinds(net)
        == ["Conv", "Relu", "Conv", "Relu", "MaxPool"] * 3 + ["Dense", "Relu"] * 2 + ["Dense"]
        and len(kinds(net)) == 20
    )


def test_the_hyphen_form_is_the_overview_net():
    net = pattern(OVERVIEW)
    assert (
        net == pattern("INPUT -> CONV -> RELU -> POOL -> FC") == pattern("INPUT-CONV-RELU-POOL-FC")
    )
    table = summary(net, (32, 32, 3))
    assert [row.out_shape for row in table.rows] == [
        (32, 32, 12),
        (32, 32, 12),
        (16, 16, 12),
        (3072,),
        (10,),
    ]
    assert table.totals.params == 31_066


def test_nested_brackets():
    net = pattern("INPUT -> [[[CONV]*2 -> RELU]*2 -> POOL]*2 -> [FC]")
    assert kinds(net) == (["Conv", "Conv", "Relu"] * 2 + ["MaxPool"]) * 2 + ["Dense"]


def test_what_is_optional_stays_unless_told():
    text = "INPUT -> [CONV -> POOL?]*2 -> [FC -> RELU]? -> FC"
    assert kinds(pattern(text)) == ["Conv", "MaxPool", "Conv", "MaxPool", "Dense", "Relu", "Dense"]
    assert kinds(pattern(text, optional=False)) == ["Conv", "Conv", "Dense"]


@pytest.mark.parametrize(
    "word, layer",
    [
        ("CONV5", Conv(12, 5, padding=2)),
        ("CONV-64", Conv(64, 3, padding=1)),
        ("CONV11-96/4(padding=0)", Conv(96, 11, stride=4)),
        ("CONV3x5-7/2x1", Conv(7, (3, 5), stride=(2, 1), padding=(1, 2))),
        ("conv1-8", Conv(8, 1)),
        ("CONV3-8(dilation=2)", Conv(8, 3, padding=2, dilation=2)),
        ("CONV3-8(dilation=(2, 3))", Conv(8, 3, padding=(2, 3), dilation=(2, 3))),
        (
            'CONV3-8(padding="SAME", groups=2, bias=False)',
            Conv(8, 3, padding="SAME", groups=2, bias=False),
        ),
        ("CONV2-8(padding=((0, 1), 1))", Conv(8, 2, padding=((0, 1), 1))),
        (
            "CONV3-8(kernel_init=caffe_xavier(), bias_init=ones)",
            Conv(8, 3, padding=1, kernel_init=caffe_xavier(), bias_init=ones),
        ),
        (
            'CONV3-8 ( kernel_init=msra_normal(fan="out") )',
            Conv(8, 3, padding=1, kernel_init=msra_normal("out")),
        ),
        (
            'CONV(kernel_init=Initializer("uniform", 2.5))',
            Conv(12, 3, padding=1, kernel_init=Initializer("uniform", 2.5)),
        ),
        ("POOL", MaxPool(2)),
        ("POOL3/2", MaxPool(3, 2)),
        ('MaxPool2x3(rounding="ceil")', MaxPool((2, 3), rounding="ceil")),
        ("AVGPOOL7/1", AvgPool(7, 1)),
        ("BN", BatchNorm()),
        ("BatchNorm(decay=0.5)", BatchNorm(decay=0.5)),
        ("LRN(k=2.0)", LocalResponseNorm(k=2.0)),
        ("DROPOUT(rate=0.25)", Dropout(0.25)),
        ("relu", Relu()),
    ],
)
def test_words(word, layer):
    assert pattern(f"INPUT -> {word}") == Sequential(layer)


def test_FC_flattens_what_is_not_flat_and_DENSE_does_not():
    assert pattern("INPUT -> POOL -> FC-5 -> FC") == Sequential(
        MaxPool(2), Flatten(), Dense(5), Dense(10)
    )
    assert pattern("INPUT784 -> FC-5 -> FC") == Sequential(Dense(5), Dense(10))
    assert pattern("INPUT -> DENSE-5 -> DENSE") == Sequential(Dense(5), Dense(10))
    assert pattern("INPUT -> GLOBALAVGPOOL -> FC") == Sequential(GlobalAvgPool(), Dense(10))
    assert pattern("INPUT -> FLATTEN -> RELU -> FC") == Sequential(Flatten(), Relu(), Dense(10))


def test_spaces_and_lines_do_not_matter():
    assert pattern("\n INPUT->[CONV3-8->RELU] * 2\n  ->FC-7(bias=False) ") == pattern(
        "INPUT -> [CONV3-8 -> RELU]*2 -> FC-7(bias=False)"
    )


def test_a_word_may_name_its_layer():
    net = pattern('INPUT(names="alexnet") -> CONV -> FC(name="scores 1")')
    assert [name for name, _ in net.layers] == ["conv1", "flatten", "scores 1"]


def vgg_text(letter, middle="", end=""):
    """A configuration of VGG as the CS231n notes would write it."""
    stages = []
    for width, count in zip(WIDTHS, CONVOLUTIONS[letter], strict=True):
        words = [
            f"CONV{1 if letter == 'C' and i == 2 else 3}-{width}{middle}" for i in range(count)
        ]
        stages.append(f"[{' -> RELU -> '.join(words)} -> RELU -> POOL2]")
    return (
        f'INPUT224x224x3(names="vgg") -> {" -> ".join(stages)} -> [FC-4096{end} -> RELU -> '
        f"DROPOUT]*2 -> FC-1000{end}"
    )


@pytest.mark.parametrize(
    "letter, model",
    [("A", "vgg11"), ("B", "vgg13"), ("C", "vgg16_c"), ("D", "vgg16"), ("E", "vgg19")],
)
def test_VGG(letter, model):
    text = vgg_text(
        letter, middle='(kernel_init=msra_normal("out"))', end="(kernel_init=gaussian(0.01))"
    )
    assert pattern(text) == build(model)[0]


def test_VGG_16_as_the_notes_put_it():
    text = (
        "INPUT224x224x3 -> [[CONV3-64 -> RELU]*2 -> POOL2] -> [[CONV3-128 -> RELU]*2 -> POOL2] -> "
        "[[CONV3-256 -> RELU]*3 -> POOL2]"
    )
    text += " -> [[CONV3-512 -> RELU]*3 -> POOL2]*2 -> [FC-4096 -> RELU]*2 -> FC-1000"
    assert summary(pattern(text), (224, 224, 3)).totals.params == 138_357_544


@pytest.mark.parametrize(
    "text, fits",
    [
        ("INPUT7x7x1 -> CONV3-1/2(padding=0)", (3, 3, 1)),
        ("INPUT5x5x1 -> CONV3-1/2", (3, 3, 1)),
        ("INPUT227x227x3 -> CONV11-96/4(padding=0)", (55, 55, 96)),
        ('INPUT10x10x1 -> CONV3-1/2(padding=0, rounding="floor")', (4, 4, 1)),
        ('INPUT10x10x1 -> CONV3-1/2(padding=0, rounding="ceil")', (5, 5, 1)),
        ("INPUT8x3 -> CONV3-5 -> POOL", (4, 5)),
        ("INPUT8x8x8x3 -> CONV3-5 -> POOL", (4, 4, 4, 5)),
    ],
)
def test_sizes_that_fit(text, fits):
    size = text.split(" ")[0].removeprefix("INPUT")
    assert pattern(text).out_shape(tuple(map(int, size.split("x")))) == fits


ILLEGAL = [  # text, column, words of the message, suggestion
    ("", 1, "the text is empty", "write INPUT -> FC"),
    ("  \t", 4, "the text is empty", "write INPUT -> FC"),
    ("CONV -> RELU -> FC", 1, "begins with INPUT", "write INPUT -> before this"),
    ("[CONV -> RELU]*2 -> FC", 1, "begins with INPUT", "write INPUT -> before this"),
    ("INPUT", 1, "needs a layer after INPUT", "write INPUT -> FC"),
    ("INPUT -> [CONV]*0", 1, "needs a layer after INPUT", "write INPUT -> FC"),
    ("INPUT -> ", 7, "arrow leads nowhere", "leave it out"),
    ("INPUT -> [CONV ->] -> FC", 16, "arrow leads nowhere", "leave it out"),
    ("INPUT -> -> FC", 10, "a layer or \"[\" was expected, '->' came", ""),
    ("-> FC", 1, "a layer or \"[\" was expected, '->' came", ""),
    ("INPUT -> CONV RELU -> FC", 15, '"->" is missing before this layer', "write -> before it"),
    ("INPUT => CONV => FC", 7, "\"->\" was expected, '=>' came", "write ->"),
    ("INPUT \N{RIGHTWARDS ARROW} FC", 7, '"->" was expected', "write ->"),
    ("INPUT, CONV, RELU, FC", 6, "\"->\" was expected, ',' came", "write ->"),
    ("INPUT -> FC;", 12, "';' came", "write ->"),
    ("INPUT -> [CONV -> RELU*2 -> FC", 10, "[ is not closed", "write ] where it ends"),
    ("INPUT -> CONV -> RELU]*2 -> FC", 22, "] closes no [", "leave it out"),
    ("INPUT -> []*2 -> FC", 10, "nothing in these brackets", "leave them out"),
    ("INPUT -> FC -> [", 16, "nothing in these brackets", "leave them out"),
    ("INPUT -> (CONV -> RELU)*2 -> FC", 10, "square brackets", "write [ and ]"),
    ("[conv-relu-conv-relu-pool]x3-fc", 27, "a repetition is *", "write *3"),
    ("INPUT -> [CONV -> RELU]* -> FC", 24, "a repetition is *", ""),
    ("INPUT -> [CONV -> RELU]*-1 -> FC", 24, "a repetition is *", ""),
    ("INPUT -> [CONV -> RELU]*2.5 -> FC", 24, "a repetition is *", ""),
    (
        "INPUT -> [CONV -> RELU]*N -> FC",
        24,
        "nothing says how often N is",
        "call pattern(text, N=2), or write *2",
    ),
    ("INPUT -> 2*[CONV -> RELU] -> FC", 10, "'2*' came", ""),
    ("INPUT -> RELU?? -> FC", 15, "'?' came", ""),
    ("INPUT - FC - 10", 14, "right after its word: FC-10", "leave out the spaces"),
    ("INPUT 32x32x3 -> FC", 7, "right after its word", "leave out the space"),
    ("INPUT -> INPUT -> FC", 10, "at the beginning only", "leave it out"),
    ("[INPUT -> CONV]*2 -> FC", 2, "INPUT stands once", "take it out of the brackets"),
    ("INPUT0x32x3 -> FC", 1, "at least 1", ""),
    ("INPUT1x2x3x4x5 -> FC", 1, "one to three sizes", ""),
    ("INPUT32x32-3 -> FC", 1, "INPUT has a size only", ""),
    ('INPUT(names="resnet") -> FC', 1, "kinds, alexnet, vgg", ""),
    ("INPUT -> COMV -> FC", 10, "unknown word COMV", "did you mean CONV?"),
    ("INPUT -> LAMBDA -> FC", 10, "unknown word LAMBDA", "did you mean POOL, FC or BN?"),
    ("INPUT -> RELU6 -> FC", 10, "RELU has no size", "write RELU"),
    ("INPUT -> POOL2-64 -> FC", 10, "POOL has no features", "write POOL2"),
    ("INPUT -> DROPOUT/2 -> FC", 10, "DROPOUT has no stride", "write DROPOUT"),
    ("INPUT -> CONV3-64(padding=0 -> FC", 18, "( is not closed", "write ) where it ends"),
    ("INPUT -> CONV3-64(padding 0) -> FC", 18, "as Python writes them", ""),
    (
        "INPUT -> CONV3-64(pading=0) -> FC",
        10,
        "no setting pading; it has features, kernel",
        "did you mean padding, padding_mode or rounding?",
    ),
    ("INPUT -> RELU(colour=0) -> FC", 10, "no setting colour; it has none", ""),
    ("INPUT -> CONV3-64(kernel=5) -> FC", 10, "kernel is given twice", "give it once"),
    ("INPUT -> CONV3-64(padding=2, padding=0) -> FC", 10, "padding is given twice", "give it once"),
    ('INPUT -> RELU(name="a", name="b") -> FC', 10, "name is given twice", "give it once"),
    ("INPUT -> DROPOUT(0.25) -> FC", 10, "settings have names", "write rate=0.25"),
    ("INPUT -> RELU(3) -> FC", 10, "RELU has no more settings", ""),
    ("INPUT -> CONV3-64(padding=-1) -> FC", 10, "padding=-1 is negative", ""),
    ("INPUT -> CONV3-64(groups=3) -> FC", 10, "3 groups do not divide", ""),
    ('INPUT -> POOL(rounding="up") -> FC', 10, "unknown rounding 'up'", ""),
    ("INPUT -> CONV(kernel=2.5) -> FC", 10, "kernel=2.5, a whole number, or one per axis", ""),
    ('INPUT -> CONV(padding=(1, "a")) -> FC', 10, "padding=(1, 'a')", ""),
    ("INPUT -> CONV(kernel=None) -> FC", 10, "kernel=None, a number was expected", ""),
    ("INPUT -> CONV3-0 -> FC", 10, "features=0, whole numbers", ""),
    ("INPUT -> CONV0-0 -> FC", 10, "whole numbers", ""),
    (
        "INPUT -> CONV2-64 -> FC",
        10,
        "(F - 1)/2, and an even window has none",
        "write CONV2-64(padding=0), or an odd window",
    ),
    ("INPUT -> CONV3-8(bias=None) -> FC", 10, "bias=None, something like its default True", ""),
    ("INPUT -> FC(kernel_init=3)", 10, "something like its default msra_normal()", ""),
    ("INPUT -> FC(kernel_init=xavir())", 25, "kernel_init=xavir(): a number, a word in quotes", ""),
    ("INPUT -> FC(bias=__import__('os'))", 18, "bias=__import__('os'): a number", ""),
    (
        "INPUT -> PADCHANNELS -> FC",
        10,
        "needs the setting channels",
        "write PADCHANNELS(channels=...)",
    ),
    ('INPUT -> RELU(name="a/b") -> FC', 10, "the name 'a/b' cannot be", ""),
    ("INPUT -> RELU(name=7) -> FC", 10, "the name 7 cannot be", ""),
    ('INPUT -> [RELU(name="a")]*2 -> FC', 11, "2 layers are called 'a'", "give each its own name"),
    ("INPUT -> [CONV]*99999 -> FC", 16, "makes 99,999 layers", ""),
    (f"INPUT -> {'RELU -> ' * 1000}FC", 1, "more than 1000 layers", ""),
    (f"{'[' * 60}INPUT -> FC{']' * 60}", 51, "more than 50 deep", ""),
    ("INPUT -> CONV3-1234567890 -> FC", 25, "'0' came", ""),
    (
        "INPUT10x10x1 -> CONV3-8/2(padding=0)",
        17,
        "= (10 - 3 + 0)/2 + 1 = 4.5 is not",
        'write CONV3-8(padding=0), or say rounding="floor"',
    ),
    (
        "INPUT5x5x1 -> CONV3-8/3",
        15,
        "= (5 - 3 + 2)/3 + 1 = 2.33333 is",
        'write CONV3-8/3(padding=2), or say rounding="floor"',
    ),
    (
        "INPUT224x224x3 -> CONV11-96/4(padding=0)",
        19,
        "= 54.25 is not an integer",
        'write CONV11-96/3(padding=0), or say rounding="floor"',
    ),
    (
        "INPUT224x224x3 -> CONV11-96/4(padding=0)",
        19,
        "inputs of 223 or 227",
        'write CONV11-96/3(padding=0), or say rounding="floor"',
    ),
    (
        "INPUT32x32x3 -> POOL3/2",
        17,
        "= 15.5 is not an integer",
        'write POOL, or say rounding="floor"',
    ),
    ("INPUT25x25x3 -> POOL -> FC", 17, "= 12.5 is not", 'write POOL3/2, or say rounding="floor"'),
    (
        "INPUT32x32x3 -> [CONV -> POOL]*6",
        26,
        "a 2-wide window does not fit",
        "repeat it 5 times, as often as it fits",
    ),
    (
        "INPUT100x100x3 -> [CONV -> POOL]*3",
        28,
        "POOL on 25x25x12: (W - F + 2P)/S + 1",
        "repeat it 2 times, as often as it fits",
    ),
    (
        "INPUT6x6x3 -> CONV7-8(padding=0)",
        15,
        "a 7-wide window does not fit 6 pixels",
        "write CONV7-8(padding=1)",
    ),
    (
        'INPUT6x6x3 -> CONV(stride=4, name="c")',
        15,
        "= 2.25 is not",
        'write CONV(name="c"), or say rounding="floor"',
    ),
    ("INPUT784 -> CONV -> FC", 13, "0 spatial axes", ""),
    (
        "INPUT8x8x3 -> DENSE",
        15,
        "the input shape (8, 8, 3) has 3 axes",
        "write FLATTEN -> before it",
    ),
    (
        "INPUT8x8x3 -> GROUPNORM",
        15,
        "32 groups do not divide 3 channels",
        "write GROUPNORM(groups=3)",
    ),
    ("INPUT8x8x3 -> CONV3x3x3-64", 15, "has 3 entries but the input has 2 spatial axes", ""),
    ("INPUT -> CONV0-8 -> [RELO ->] FC]*2", 27, "leads nowhere", "leave it out"),
]


@pytest.mark.parametrize("text, column, words, suggestion", ILLEGAL, ids=range(len(ILLEGAL)))
def test_an_illegal_text(text, column, words, suggestion):
    with pytest.raises(PatternError) as caught:
        pattern(text)
    error = caught.value
    assert (error.line, error.column, error.suggestion) == (1, column, suggestion)
    assert words in error.message
    tail = f"; {suggestion}" if suggestion else ""
    assert str(error) == f"column {column}: {error.message}{tail}"


def test_what_is_suggested_to_be_written_can_be_read():
    """Where it is a word in place of the one at fault."""
    whole = [
        (text, column, suggestion.removeprefix("write ").split(", or ")[0])
        for text, column, _, suggestion in ILLEGAL
        if re.match("write [A-Z]+[0-9(x]", suggestion) and "..." not in suggestion
    ]
    assert len(whole) > 8
    for text, column, word in whole:
        end = re.compile(r" ->|$|]").search(text, column).start()
        pattern(text[: column - 1] + word + text[end:])


def test_a_text_of_several_lines_tells_the_line():
    with pytest.raises(PatternError, match="^line 3, column 5: unknown word RELO") as caught:
        pattern("INPUT ->\n  CONV ->\n    RELO ->\n  FC")
    assert (caught.value.line, caught.value.column) == (3, 5)


def test_the_error_is_an_input_error_which_scripts_print_and_other_processes_can_send():
    with pytest.raises(InputError) as caught:
        pattern("INPUT -> RELO")
    sent = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(sent, ValueError) and str(sent) == str(caught.value)
    assert (sent.line, sent.column, sent.suggestion) == (1, 10, caught.value.suggestion)


def test_mutilated_texts_are_refused_at_a_place_within_them():
    draw = random.Random(0)
    texts = (
        'INPUT28x28x1(names="vgg") -> [CONV5-20(kernel_init=caffe_xavier(), bias=False) -> RELU]*2 '
        '-> POOL3/2(rounding="ceil") -> FC-10',
        "INPUT32x32x3 -> [[CONV3-64/2(padding=0) -> RELU]*2 -> POOL?]*2 -> DROPOUT(rate=0.25) -> "
        "[FC - RELU]*2 - FC",
    )
    refused = 0
    for _ in range(200):
        text = draw.choice(texts)
        for _ in range(draw.randint(1, 5)):
            i, j = draw.randrange(len(text)), draw.randrange(6)
            text = (
                text[:i]
                + draw.choice(["", "", *"[](){}*?->/x,=\"' 0123N\n", text[j : j + 5]])
                + text[i + j :]
            )
        try:
            pattern(text)
        except PatternError as error:
            refused += 1
            assert 0 <= error.at <= len(text)
            assert 1 <= error.line <= text.count("\n") + 1 and error.column >= 1
    assert refused > 100


@pytest.mark.parametrize("count", [-1, 1.5, True, "2"])
def test_a_count_is_a_whole_number(count):
    with pytest.raises(
        ValueError, match=f"^N={count!r}, a whole number of at least 0 was expected"
    ):
        pattern(SCHEMA, N=count, M=1, K=1)


def test_a_count_the_text_does_not_have():
    with pytest.raises(ValueError, match=r"^X, Y is given, but the text has no \*X; leave it out"):
        pattern("INPUT -> [CONV]*N -> FC", N=1, X=2, Y=2)


def test_initializers_are_the_ones_of_jconv():
    net = pattern("INPUT -> FC(kernel_init=gaussian(1e-2), bias_init=constant(-1))")
    assert net["dense1"].kernel_init == gaussian(0.01) and net["dense1"].bias_init == constant(-1)

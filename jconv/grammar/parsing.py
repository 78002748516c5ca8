"""The layer patterns of the CS231n notes as a language: `pattern` reads a text, `describe` (in
notation.py) writes one.

    INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC
    INPUT224x224x3 -> [[CONV3-64 -> RELU]*2 -> POOL]*2 -> [FC-4096 -> RELU -> DROPOUT]*2 -> FC-1000
    [INPUT - CONV5-20(padding=0) - RELU - POOL3/2 - FC]

    pattern  = sequence                           its first word is INPUT, and there is one INPUT
    sequence = item { arrow item }
    arrow    = "->" | "-"                         a "-" before a digit belongs to the word: FC-10
    item     = ( word | "[" sequence "]" ) [ "*" count | "?" ]
    count    = integer | name      *N repeats as often as pattern(text, N=2) says; 0 leaves out
    word     = letters [ sizes ] [ "-" integer ] [ "/" sizes ] [ "(" setting { "," setting } ")" ]
    sizes    = integer { "x" integer }   3 for every axis, or 3x5 for the first and the second
    setting  = name "=" value   a Python literal, or an initializer: caffe_xavier(), constant(0.1)

A word is the name of a layer's class, in any case, or POOL for MaxPool, FC for Dense, BN for
BatchNorm, LRN for LocalResponseNorm. After it come window, features and stride, as in CONV11-96/4;
every other setting has the name it has in Python. By default CONV is 12 filters of 3x3, stride 1;
its padding is (F - 1)/2 whatever its window, so that it keeps the size; POOL is 2x2, stride 2; FC
has 10 features if it is the last, else 100. FC puts a Flatten before itself where the input is not
flat yet; DENSE does not.

INPUT may carry the size of an example, INPUT32x32x3. Every window must then fit exactly, as the
notes have it (Spatial arrangement), unless its word says rounding="floor" or "ceil".

Layers are named as Sequential names them; INPUT(names="alexnet") and INPUT(names="vgg") number them
as these papers do, by the rules in naming.py; a word with the setting name="conv1" has that name.
"""

from __future__ import annotations

from ..compose import Sequential
from ..errors import InputError
from ..geometry import Shape
from .layout import net_of, shape_of
from .reader import read
from .syntax import Fault, written
from .unroll import Counts, count_names, unroll

REPAIRS = 100


class PatternError(InputError):
    """A text that is no pattern: where in it (`line` and `column`, from 1), what is wrong, and
    `fix`, a text near it that is one.
    """

    def __init__(self, message: str, line: int, column: int, fix: str):
        super().__init__(message, line, column, fix)
        self.message, self.line, self.column, self.fix = message, line, column, fix

    def __str__(self) -> str:
        place = (
            f"line {self.line}, column {self.column}" if self.line > 1 else f"column {self.column}"
        )
        return f"{place}: {self.message}; this would do: {self.fix}"


def pattern(text: str, *, optional: bool = True, **counts: int) -> Sequential:
    """The net that a pattern describes, in the language above. `counts` gives the numbers of *N;
    `optional` keeps what has a "?".

    >>> from jconv import Conv, Dense, Flatten, Relu, Sequential
    >>> net = Sequential(Conv(8, 3, padding=1), Relu(), Flatten(), Dense(10))
    >>> pattern("INPUT -> CONV3-8 -> RELU -> FC") == net
    True

    Raises PatternError for a text that is none, and ValueError for a count that is none or that the
    text has no name for.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"{name}={count!r}, a whole number of at least 0 was expected")
    given = Counts(counts, optional)
    try:
        net = _net(text, given)
    except Fault as fault:
        line, column = text.count("\n", 0, fault.at) + 1, fault.at - text.rfind("\n", 0, fault.at)
        raise PatternError(fault.message, line, column, _mended(text, fault, given)) from None
    if unused := counts.keys() - count_names(read(text)):
        raise ValueError(
            f"{', '.join(sorted(unused))} is given, but the text has no *{min(unused)}; leave it "
            "out"
        )
    return net


def input_shape(text: str) -> Shape:
    """The shape of an example that a pattern's INPUT gives: (32, 32, 3) of INPUT32x32x3, () where
    it gives none. Raises PatternError.
    """
    pattern(text)
    return shape_of(unroll(read(text), Counts({}, True)))


def _net(text: str, counts: Counts) -> Sequential:
    return net_of(unroll(read(text), counts))


def _mended(text: str, fault: Fault, counts: Counts) -> str:
    """The text with its faults mended one after another."""
    for _ in range(REPAIRS):
        text = text[: fault.start] + fault.new + text[fault.end :]
        try:
            _net(text, counts)
            return written(read(text))
        except Fault as another:
            fault = another
    return "INPUT -> FC"

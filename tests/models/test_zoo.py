"""What holds for every net of the zoo: names, variants, classes, JSON, and where the CS231n notes'
rule fits. Nothing is allocated.
"""

import inspect
import re
from typing import get_args

import pytest

from jconv import Tap, from_json, summary, thin, to_json, walk
from jconv.errors import InputError
from jconv.models import MODELS, build

NAMES = """
lenet5 lenet5_original caffe_lenet alexnet zfnet nin vgg11 vgg13 vgg16 vgg19 vgg16_c vgg11_bn
vgg13_bn vgg16_bn vgg19_bn vgg11_lrn googlenet inception_v4 resnet18 resnet34 resnet50 resnet101
resnet152 cifar_resnet20 cifar_resnet32 cifar_resnet44 cifar_resnet56 cifar_resnet110
preact_resnet18 preact_resnet34 preact_resnet50 preact_resnet101 preact_resnet152 preact_resnet164
preact_resnet1001 preact_resnet200 all_cnn_a all_cnn_b all_cnn_c dilated_frontend context_basic
context_large tiny_vgg convnetjs overfeat alexnet_owt local_13pct local_11pct
""".split()


def variants(name):
    parameter = inspect.signature(MODELS[name].net).parameters.get("variant")
    return get_args(parameter.annotation) if parameter else (None,)


FORMS = [(name, variant) for name in MODELS for variant in variants(name)]
every_form = pytest.mark.parametrize(("name", "variant"), FORMS, ids=lambda value: str(value))


def heads(net, in_shape):
    """The last layer with `features` of the net and of each tap: what `classes` may change."""
    paths = [v.path for v in walk(net, in_shape) if hasattr(v.layer, "features")]
    taps = [f"{name}/" for name, layer in net.children if isinstance(layer, Tap)]
    inside = [[path for path in paths if path.startswith(tap)] for tap in taps]
    outside = [path for path in paths if not path.startswith(tuple(taps))]
    return {group[-1] for group in [outside, *inside]}


def test_every_name_of_the_command_line_is_there():
    assert not set(NAMES) - MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_every_file_says_its_input_and_its_parameters(name):
    net, in_shape = build(name)
    text = inspect.getmodule(getattr(MODELS[name].net, "func", MODELS[name].net)).__doc__
    assert f"{summary(net, in_shape).totals.params:,}" in text
    assert "x".join(map(str, in_shape)) in text


@every_form
def test_every_form_has_its_shapes_and_the_arguments_of_its_kind(name, variant):
    net, in_shape = build(name, variant=variant)
    visits = list(walk(net, in_shape))
    classes = inspect.signature(MODELS[name].net).parameters["classes"].default
    assert visits[-1].out_shape[-1] == classes
    assert set(inspect.signature(MODELS[name].net).parameters) <= {"classes", "variant", "norm"}
    windows = [v.layer for v in visits if hasattr(v.layer, "padding")]
    # whole numbers, so that a net is the published one
    assert not [layer for layer in windows if isinstance(layer.padding, str)]


@pytest.mark.sweep(10)
@every_form
def test_every_form_goes_to_json_and_back(name, variant):
    net, _ = build(name, variant=variant)
    assert from_json(to_json(net)) == net


@pytest.mark.sweep(3)
@every_form
def test_every_form_can_be_thin(name, variant):
    net, in_shape = build(name, variant=variant)
    wide, slim = summary(net, in_shape), summary(thin(net, 1 / 8), in_shape)
    assert slim.totals.params < wide.totals.params
    assert slim.rows[-1].out_shape == wide.rows[-1].out_shape


# all theirs are classes
@pytest.mark.sweep(8)
@pytest.mark.parametrize(
    ("name", "variant"), [form for form in FORMS if not form[0].startswith("context")]
)
def test_classes_changes_the_head_alone(name, variant):
    (net, in_shape), (other, other_shape) = (
        build(name, variant=variant),
        build(name, classes=7, variant=variant),
    )
    assert in_shape == other_shape
    before, after = ({v.path: v for v in walk(n, in_shape)} for n in (net, other))
    assert before.keys() == after.keys()
    declared = lambda v: v.layer.parameters(v.in_shape) | v.layer.statistics(v.in_shape)
    arrays = lambda v: {leaf: p.shape for leaf, p in declared(v).items()}
    assert {path for path in before if arrays(before[path]) != arrays(after[path])} == heads(
        net, in_shape
    )


FIT = [  # (name, variant, side)
    ("lenet5", None, 32),
    ("lenet5_original", None, 32),
    ("tiny_vgg", None, 32),
    ("convnetjs", None, 32),
    ("alexnet", "bvlc", 227),
    ("alexnet", "caffenet", 451),
    *(
        (name, None, side)
        for name in ("vgg11", "vgg13", "vgg16_c", "vgg16", "vgg19")
        for side in (224, 384)
    ),
    ("overfeat", None, 231),
    ("inception_v4", None, 299),
]
MISFIT = [  # the outputs that (W - F + pad)/S + 1 gives where it is no whole number
    ("alexnet_owt", None, [55.25]),
    ("googlenet", "caffe", [112.5, 55.5, 27.5, 13.5, 6.5]),
    ("resnet18", "torch", [112.5, 56.5, 28.5, 14.5, 7.5]),
    ("resnet50", "msra", [112.5, 55.5, 28.5, 14.5, 7.5]),
    ("cifar_resnet20", None, [16.5, 8.5]),
    ("all_cnn_c", None, [16.5, 8.5]),
    ("nin", None, [15.5, 7.5]),
    ("caffe_cifar10_quick", None, [15.5, 7.5, 3.5]),
    ("zfnet", "paper", [110.5, 54.5, 12.5]),
]


def misfits(net, in_shape):
    """The distinct fractional sizes, in order."""
    found = {}
    for v in walk(net, in_shape):
        w = v.layer.over(v.in_shape)
        if w and w.rank and (w.overhang[0] or w.unused[0]):
            found[(w.in_sizes[0] + sum(w.padding[0]) - w.extent[0]) / w.stride[0] + 1] = None
    return list(found)


@pytest.mark.parametrize(("name", "variant", "side"), FIT)
def test_strict_fit(name, variant, side):
    net, (*_, channels) = build(name, variant=variant)
    assert misfits(net, (side, side, channels)) == []


@pytest.mark.parametrize(("name", "variant", "sizes"), MISFIT)
def test_named_nets_that_break_the_notes_rule(name, variant, sizes):
    assert misfits(*build(name, variant=variant)) == sizes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "resnet51"}, "unknown model 'resnet51'; did you mean resnet"),
        (
            {"name": "alexnet", "variant": "paper"},
            "alexnet: unknown variant 'paper'; use 'bvlc', 'caffenet', 'ungrouped', 'owt'",
        ),
        (
            {"name": "vgg16", "variant": "bn"},
            "vgg16: unknown variant 'bn'; this net has one form only, leave the variant out",
        ),
        (
            {"name": "vgg16", "classes": 0},
            "vgg16: classes=0, a whole number of at least 1 was expected",
        ),
    ],
)
def test_wrong_input_is_told_what_there_is(settings, words):
    with pytest.raises(InputError, match=f"^{re.escape(words)}"):
        build(**settings)


@pytest.mark.parametrize(("name", "variant"), [form for form in FORMS if form[1]])
def test_every_function_refuses_an_unknown_variant(name, variant):
    with pytest.raises(InputError, match="^unknown variant 'new'; use '"):
        MODELS[name].net(variant="new")

"""Pre-activation ResNet for CIFAR-10, 32x32x3.

He, Zhang, Ren and Sun 2016, "Identity Mappings in Deep Residual Networks". Three stages of n units.
9n + 2 layers, bottlenecks, their stride on the first 1x1 and projections as shortcuts
(KaimingHe/resnet-1k-layers):
164 1,703,258   1001 10,327,706 parameters; with 100 classes 1,726,388 and 10,350,836.
6n + 2 layers, basic units with shortcut A (fb.resnet.torch), with as many parameters as the
post-activation nets:
20 269,722   32 464,154   44 658,586   56 853,018   110 1,727,962
"""

from jconv import AvgPool, Layer, PadChannels, Sequential

from .choice import check_known
from .preact_resnet import basic, conv, head, project, stages

INPUT = (32, 32, 3)
UNITS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18, 164: 18, 1001: 111}  # in each of the three stages


def bottleneck(out: int, stride: int) -> list[Layer]:
    return [conv(out // 4, 1, stride), conv(out // 4, 3), conv(out, 1)]


def pad(out: int, stride: int) -> Layer:
    """Shortcut A: every other pixel, and channels of zeros."""
    return Sequential(subsample=AvgPool(1, stride), pad=PadChannels(out))


def cifar_preact_resnet(depth: int, classes: int = 10) -> Layer:
    check_known("depth", depth, UNITS)
    kind, shortcut, outs = (
        (basic, pad, (16, 32, 64)) if depth < 164 else (bottleneck, project, (64, 128, 256))
    )
    return Sequential(
        conv1=conv(16, 3), **stages(kind, shortcut, 16, outs, (UNITS[depth],) * 3), **head(classes)
    )

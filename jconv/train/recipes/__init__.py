"""Published trainings, a file each: settings alone, over the engine of `jconv.train`.

A recipe is a file with a docstring (the paper, the command, the result to expect and the time) and
a `Published`: the options of `jconv train`, and the figure to reach. Its name stands in RECIPES. A
training whose epochs are programs on the device (device.py) has the name of its net in `MODEL` and
`recipe(net, in_shape)`, and its name stands in SPRINTS. ledger.md has what each came to.
"""

from . import all_cnn_c, cifar94, cifar_resnet, convnetjs_cifar10, digits, nin, resnet50

RECIPES = {
    "digits": digits.RECIPE,
    "convnetjs_cifar10": convnetjs_cifar10.RECIPE,
    "cifar_resnet20": cifar_resnet.RESNET20,
    "cifar_resnet56": cifar_resnet.RESNET56,
    "all_cnn_c": all_cnn_c.RECIPE,
    "nin": nin.RECIPE,
    "resnet50": resnet50.RECIPE,
}
SPRINTS = {"cifar94": cifar94}

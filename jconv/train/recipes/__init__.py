"""Published trainings, a file each: settings alone, over the engine of `jconv.train`.

A recipe is a file with a docstring (the paper, the command, the result to expect), the name of its
net in `MODEL`, and `recipe(net, in_shape)`; its name stands in RECIPES.
"""

from . import cifar94

RECIPES = {"cifar94": cifar94}

"""Training: one step, an epoch of them, and how the net does.

step.py has the step, loop.py an epoch of batches from the host, fit.py a whole training into a run
folder; device.py trains from images that lie on the device, by a recipe (recipe.py, recipes/). What
writes a run folder needs the extra `train` and is imported from its own module: jconv.train.fit,
jconv.train.checkpoint.
"""

from ..optimizer import OPTIMIZERS, make_optimizer
from .check import check_examples, count_classes
from .evaluation import Evaluation, all_logits, evaluate, probabilities
from .loop import Diverged, EpochMetrics, train_epoch
from .loss import (
    LOSSES,
    find_loss,
    smoothed_softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
    summed_hinge_loss,
)
from .schedule import SCHEDULES, look, make_schedule, triangle
from .step import Metrics, TrainState, initial_state, make_predict, make_train_step

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "Diverged",
    "EpochMetrics",
    "Evaluation",
    "Metrics",
    "TrainState",
    "all_logits",
    "check_examples",
    "count_classes",
    "evaluate",
    "find_loss",
    "initial_state",
    "look",
    "make_optimizer",
    "make_predict",
    "make_schedule",
    "make_train_step",
    "probabilities",
    "smoothed_softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "summed_hinge_loss",
    "train_epoch",
    "triangle",
]

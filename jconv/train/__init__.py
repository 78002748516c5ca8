"""Training: one step, a run of them, and how the net does.

step.py has the step, loop.py the steps of a run and their sums; update.py, schedule.py and loss.py
what they are made of. setup.py makes a training of options, a net and images, epochs.py runs it
into a run folder (run.py, checkpoint.py), results.py leaves its weights and report, and fit.py is
all of it for a net of one's own. device.py trains by programs of whole epochs, for recipe.py;
recipes/ are published trainings. What writes a run folder needs the extra `train` and is imported
from its own module: `from jconv.train.fit import train`.
"""

from ..optimizer import OPTIMIZERS, make_optimizer
from .average import averaged
from .check import check_examples, count_classes
from .evaluation import Evaluation, all_logits, evaluate, probabilities
from .loop import Carried, Diverged, Progress, make_loop_step
from .loss import (
    LOSSES,
    class_weights,
    find_loss,
    make_loss,
    smoothed_softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
    summed_hinge_loss,
    weighted_mean,
    with_auxiliary,
)
from .schedule import SCHEDULES, look, make_schedule, triangle
from .step import Metrics, StepSettings, TrainState, initial_state, make_predict, make_train_step
from .update import UpdateSettings, make_update

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "Carried",
    "Diverged",
    "Evaluation",
    "Metrics",
    "Progress",
    "StepSettings",
    "TrainState",
    "UpdateSettings",
    "all_logits",
    "averaged",
    "check_examples",
    "class_weights",
    "count_classes",
    "evaluate",
    "find_loss",
    "initial_state",
    "look",
    "make_loop_step",
    "make_loss",
    "make_optimizer",
    "make_predict",
    "make_schedule",
    "make_train_step",
    "make_update",
    "probabilities",
    "smoothed_softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "summed_hinge_loss",
    "triangle",
    "weighted_mean",
    "with_auxiliary",
]

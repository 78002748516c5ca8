"""Whether a net computes what it should: gradients against differences, and what a precision
costs.
"""

from .gradients import GradientCheck, gradcheck
from .precision import PrecisionErrors, precision_errors

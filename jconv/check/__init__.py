"""Whether a net computes what it should: gradients against differences, and what a precision
costs.

gradients.py and precision.py are the checks, differences.py the central differences.
"""

from .gradients import GradientCheck, gradcheck
from .precision import PrecisionErrors, precision_errors

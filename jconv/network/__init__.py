"""Functions of a network as a value: its table, its checks, its JSON, its editing."""

from .gradients import GradientCheck, gradcheck
from .serial import from_json, to_json
from .surgery import replace, thin
from .table import Summary, summary

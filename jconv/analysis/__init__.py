"""What a net is, by arithmetic: its table, memory, receptive fields, and what to doubt in it.

Each file reads a net as a value and is told how its parts are connected by `compose`. What a layer
does not declare is measured from its own trace (measure.py, support.py), or "unknown".
"""

from .field import net_field, receptive_fields
from .linting import Finding, lint
from .matrix import connections, conv_as_dense
from .memory import Budget, budget, largest_batch, saved_bytes, streaming_peak
from .recording import activations, backward, features
from .table import Summary, summary

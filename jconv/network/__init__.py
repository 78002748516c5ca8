"""Functions of a network as a value: its tables, its checks, its text and JSON, its editing."""

from .dense import convolutionalize, dense_scores, fully_connect, shift_and_stitch
from .field import net_field, receptive_fields
from .folding import fold_batch_norm
from .gradients import GradientCheck, gradcheck
from .linting import Finding, lint
from .matrix import connections, conv_as_dense
from .memory import Budget, budget, largest_batch, saved_bytes, streaming_peak
from .plan_file import load_plan, save_plan
from .precision import PrecisionErrors, precision_errors
from .recording import activations, features
from .serial import from_json, to_json
from .serving import servable
from .surgery import replace, thin, with_precision
from .table import Summary, summary
from .tuned import Measurement, Tuning
from .tuning import tune

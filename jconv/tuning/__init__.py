"""Methods measured on a machine, plans kept in files, and what measuring is made of."""

from .choosing import tune
from .found import Measurement, Tuning
from .plan_file import load_plan, save_plan

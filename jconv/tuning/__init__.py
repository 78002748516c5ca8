"""Methods measured on a machine, plans kept in files, and what measuring is made of.

choosing.py measures a net: passes.py lists its convolutions, contest.py the methods of each,
result.py is what was found, plan_file.py keeps it. timing.py times functions against one another,
machine.py says where, ahead.py compiles for a TPU that need not be there.
"""

from .choosing import tune
from .plan_file import load_plan, save_plan
from .result import Measurement, Tuning

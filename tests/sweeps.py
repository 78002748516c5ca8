"""Sweeps over the whole zoo: a few of the cases in every run of the tests, all of them in
`.ci/run`.
"""

import pytest


def sweep(cases, quick):
    """The cases, each a tuple that begins with a name; those of other names than `quick` are marked
    `exhaustive`.
    """
    names = {case[0] for case in cases}
    assert set(quick) <= names, f"{sorted(set(quick) - names)} are no cases"
    return [
        case if case[0] in quick else pytest.param(*case, marks=pytest.mark.exhaustive)
        for case in cases
    ]

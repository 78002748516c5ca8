"""What a net's arguments may be: refusing the words and depths that were never published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from jconv.errors import InputError, unknown


def check_variant(variant: str, words) -> None:
    """Refuse a variant that is not among a Literal's words. Raises InputError naming those there
    are.
    """
    check_known("variant", variant, get_args(words))


def check_known(what: str, value, known: Iterable) -> None:
    """Refuse a value that is not among those known. Raises InputError naming them."""
    known = tuple(known)
    if value not in known:
        raise InputError(unknown(what, value, known))

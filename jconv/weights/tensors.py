"""The arrays of a PyTorch file by name, whatever wraps them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from ..errors import InputError
from .pickled import keys_of, read_pickled
from .stored import BFLOAT16, Storage, StoredArray, row_major

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": BFLOAT16,
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}

# under which training scripts keep the parameters, beside other things
WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
)
# what wraps a module puts before every name
PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.", "backbone.", "encoder.")
IGNORED = ("num_batches_tracked",)  # counts the batches of a norm; no part of what it computes


class Tensors(NamedTuple):
    """Arrays in the order of the file, still to be read, and what was said of it on the way."""

    where: str
    arrays: dict[str, StoredArray]
    notes: tuple[str, ...] = ()


def read_tensors(path: Path) -> Tensors:
    """The arrays of a .safetensors file or of a checkpoint that torch.save wrote. Raises
    InputError.
    """
    notes: list[str] = []
    found = _safetensors(path) if is_safetensors(path) else read_pickled(path)
    arrays = _unwrapped(path, found, notes)
    while prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in arrays)), ""):
        arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
        notes.append(f"every name begins with {prefix!r}, which is left out")
    kept = {name: a for name, a in arrays.items() if name.rpartition(".")[2] not in IGNORED}
    if not kept:
        raise InputError(f"{path}: holds no tensors")
    return Tensors(str(path), kept, tuple(notes))


def natural(name: str) -> list[tuple[int, int | str]]:
    """A key to sort names by, numbers in them as numbers: layer2 before layer10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as one: the length of a header, and the header's first brace."""
    with path.open("rb") as file:
        begin = file.read(9)
    return len(begin) == 9 and begin[8:] == b"{"


def _safetensors(path: Path) -> dict[str, StoredArray]:
    try:
        with safe_open(path, framework="np"):
            pass  # it is whole, and its header is what it should be
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: not a whole safetensors file ({error}); it was cut short or damaged, copy or "
            "write it again"
        ) from None
    header.pop("__metadata__", None)
    found: dict[str, StoredArray] = {}
    # they lie by type and name: what order the module had, only the names can say
    for name in sorted(header, key=natural):
        about = header[name]
        if about["dtype"] not in DTYPES:
            raise InputError(f"{path}: {name} is {about['dtype']}; numbers were expected")
        begin, end = about["data_offsets"]
        shape = tuple(about["shape"])
        storage = Storage(path, name, 8 + length + begin, end - begin)
        found[name] = StoredArray(storage, DTYPES[about["dtype"]], shape, 0, row_major(shape))
    return found


def _unwrapped(path: Path, found: Any, notes: list[str]) -> dict[str, StoredArray]:
    if not isinstance(found, dict):
        raise InputError(
            f"{path}: holds a {type(found).__name__}, the parameters by name were expected: "
            "torch.save(model.state_dict(), PATH)"
        )
    arrays = _named_arrays(found)
    if arrays:
        return arrays
    inside = {str(key): value for key, value in found.items() if isinstance(value, dict)}
    wrapped = [name for name in WRAPPERS if name in inside and _named_arrays(inside[name])]
    wrapped = wrapped or [name for name, value in inside.items() if _named_arrays(value)]
    if len(wrapped) != 1 and not (wrapped and wrapped[0] in WRAPPERS):
        raise InputError(
            f"{path}: holds {keys_of(list(found)) or 'nothing'}; the parameters by name were "
            f"expected, as they are or under one of {', '.join(WRAPPERS)}"
        )
    beside = [str(key) for key in found if str(key) != wrapped[0]]
    notes.append(
        f"the parameters are under {wrapped[0]!r}"
        + (f"; beside them are {keys_of(beside)}" if beside else "")
    )
    return _named_arrays(inside[wrapped[0]])


def _named_arrays(found: dict[Any, Any]) -> dict[str, StoredArray]:
    """The arrays of a dict whose values are such; {} for one of other things."""
    arrays = {str(k): v for k, v in found.items() if isinstance(v, StoredArray)}
    return arrays if arrays and len(arrays) >= len(found) / 2 else {}

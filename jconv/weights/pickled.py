"""PyTorch's checkpoints, read without running anything that they name.

A checkpoint is a pickle, a program that may call any function. Here it meets a list of what
tensors are rebuilt with, each done by a function of this file; whatever else it names is refused.
Two forms: a zip with the pickle in data.pkl and each storage a file beside it, and, of PyTorch
before 1.6, pickles and storages one after another.
"""

from __future__ import annotations

import errno
import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .stored import BFLOAT16, Storage, StoredArray, width

MAGIC = 0x1950A86A20F9469CFC6C  # with which the older form begins
DEEPEST = 8  # dicts within dicts that are looked into
DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class Named(NamedTuple):
    """A storage as the pickle names it."""

    dtype: str
    key: str


class Tensor(NamedTuple):
    """A tensor as the pickle describes it; sizes and steps in elements."""

    storage: Named
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Refused(InputError):
    """The pickle names what is not on the list."""


def read_pickled(path: Path) -> Any:
    """What the checkpoint holds: dicts, lists, numbers, texts, and StoredArrays for tensors.

    Raises InputError naming what it would have called, or what is damaged.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        return _read_older(path)
    except Refused as error:
        raise InputError(
            f"{path}: its pickle names {error}, which is no part of a tensor and could run "
            "anything; save the parameters alone, torch.save(model.state_dict(), PATH)"
        ) from None
    except InputError:
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place that a damaged zip names, before the file's begin
            raise
        raise InputError(f"{path}: a damaged zip; it was cut short, copy it again") from None
    except (Exception, RecursionError) as error:  # a damaged pickle raises whatever it hits first
        said = f"{type(error).__name__}: {str(error):.80}".removesuffix(": ")
        raise InputError(
            f"{path}: not a whole PyTorch checkpoint ({said}); it was cut short or damaged, copy "
            "it again"
        ) from None


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as file:
        entries = {entry.filename: entry for entry in file.infolist()}
        pickles = [name for name in entries if name.endswith("data.pkl")]
        if len(pickles) != 1:
            raise InputError(
                f"{path}: a zip with {len(pickles)} files data.pkl; a checkpoint that torch.save "
                "wrote has one"
            )
        for entry in entries.values():
            # torch writes them as they are; a few compressed bytes could be a disk full of zeros
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > entry.compress_size:
                raise InputError(
                    f"{path}: {entry.filename} in it is compressed, which torch.save never does"
                )
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in entries and file.read(f"{folder}byteorder") == b"big":
            raise InputError(f"{path}: was written on a machine of the other byte order (big)")
        found = _Reader(io.BytesIO(file.read(pickles[0]))).load()

    def storage(of: Named) -> Storage:
        name = f"{folder}data/{of.key}"
        if name not in entries:
            raise InputError(f"{path}: has no {name}, which its pickle names; copy it again")
        entry = entries[name]
        return Storage(path, name, _begin(path, entry), entry.file_size, entry.CRC)

    return _with_arrays(found, lru_cache(None)(storage))


def _begin(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where the bytes of an entry lie: after its own header, which ends with its name and more."""
    with path.open("rb") as file:
        file.seek(max(0, entry.header_offset))  # of a damaged directory below 0
        header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise InputError(f"{path}: {entry.filename} is not where the zip says; copy it again")
    return (
        entry.header_offset
        + 30
        + sum(int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
    )


def _read_older(path: Path) -> Any:
    with path.open("rb") as file:
        if file.read(1) != b"\x80":
            raise InputError(
                f"{path}: no PyTorch checkpoint, which torch.save writes, was found in it"
            )
        file.seek(0)
        if _Reader(file).load() != MAGIC:
            raise InputError(f"{path}: a pickle, but no PyTorch checkpoint")
        _Reader(file).load()  # the version of the form
        about = _Reader(file).load()
        if isinstance(about, dict) and about.get("little_endian") is False:
            raise InputError(f"{path}: was written on a machine of the other byte order (big)")
        reader = _Reader(file)
        found = reader.load()
        widths = {named.key: width(named.dtype) for named in reader.storages}
        places: dict[str, Storage] = {}
        size = path.stat().st_size
        for key in _Reader(file).load():
            count = int.from_bytes(file.read(8), "little")
            begin, length = file.tell(), count * widths.get(key, 0)
            if key not in widths or begin + length > size:
                raise InputError(
                    f"{path}: ends before its storage {key!r} does; it was cut short, copy it again"
                )
            places[key] = Storage(path, f"storage {key}", begin, length)
            file.seek(begin + length)
    return _with_arrays(found, lambda of: places[of.key])


class _Reader(
    pickle._Unpickler
):  # the form in Python: the one in C allots what a damaged file asks
    """A pickle machine that finds nothing but what is on the list."""

    def __init__(self, file: Any):
        super().__init__(file, encoding="utf-8", errors="replace")
        self.storages: list[Named] = []

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in DTYPES:
            return DTYPES[name]
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        raise Refused(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _, _, *view = pid
        if kind != "storage" or dtype not in DTYPES.values():
            raise ValueError(f"names {pid!r:.60}, a storage was expected")
        if view and view[0] is not None:
            raise ValueError("holds views of storages, of PyTorch before 0.4; save it anew")
        self.storages.append(Named(dtype, str(key)))
        return self.storages[-1]


def _tensor(storage: Named, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    numbers = [offset, *size, *stride]
    if not isinstance(storage, Named) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("describes a tensor by what are no sizes")
    if len(size) != len(stride) or len(size) > 16:
        raise ValueError(f"describes a tensor of sizes {size} with steps {stride}")
    return Tensor(storage, offset, tuple(size), tuple(stride))


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _scalar(dtype: Any, data: bytes = b"") -> Any:
    """A number of NumPy's, as training scripts leave them beside the parameters."""
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype.dtype, 1)[0].item()


class _Dtype:
    """A dtype of NumPy's as a pickle builds one: only plain numbers."""

    def __init__(self, code: str, *_: Any):
        self.dtype = np.dtype(code)
        if self.dtype.kind not in "fiub":
            raise Refused(f"numpy.dtype({code!r})")

    def __setstate__(self, state: Any) -> None:
        pass


def _encode(text: str, _: str = "") -> bytes:
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}


def _with_arrays(found: Any, storage: Callable[[Named], Storage], depth: int = 0) -> Any:
    """The same with a StoredArray in place of each tensor."""
    if isinstance(found, Tensor):
        place = storage(found.storage)
        array = StoredArray(place, found.storage.dtype, found.size, found.offset, found.stride)
        array.check()
        return array
    if depth > DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(found, dict):
        return {key: _with_arrays(value, storage, depth + 1) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_with_arrays(value, storage, depth + 1) for value in found]
    return found


def keys_of(found: Sequence[Any]) -> str:
    """The first few keys, for an error."""
    first = [str(key) for key in list(found)[:5]]
    return ", ".join(first) + (", ..." if len(found) > 5 else "")

"""Reads pickles of published annotations without running anything: plain containers, plain values and numeric arrays, nothing else.

A pickle is a program that may call any function it can name. Here the only names are the few below, and arrays are rebuilt by this
file's own code from their bytes, so that no hostile state reaches numpy. Knows no data set.
"""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PLAIN = (set, frozenset, list, tuple, dict, int, float, bool, str)
NUMERIC_KINDS = "biuf"
TORN = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError, ImportError, OverflowError,
    MemoryError, RecursionError,
)  # fmt: skip
"""What a torn or hostile pickle can make the standard unpickler raise."""


class Dtype:
    """A number format as a pickle spells it: a code such as f4, then its byte order as state."""

    __slots__ = ("value",)

    def __init__(self, code: object, *_flags: object) -> None:
        try:
            value = np.dtype(code if isinstance(code, str) else "")
        except TypeError as error:
            raise pickle.UnpicklingError(f"has an array of unknown type {code!r}") from error
        if not isinstance(code, str) or value.kind not in NUMERIC_KINDS or value.fields is not None or value.subdtype is not None:
            raise pickle.UnpicklingError(f"has an array of type {code!r}, expected numbers")
        self.value = value

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError(f"has an array of byte order {order!r}")
        self.value = self.value.newbyteorder(order)


class Array:
    """A numeric array as a pickle spells it: made empty, then filled by its state."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: npt.NDArray[Any] = np.empty(0)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("has an array whose state is torn")
        _, shape, dtype, is_fortran, raw = state
        self._values = _from_bytes(raw, dtype, shape, "F" if is_fortran else "C")

    def numpy(self) -> npt.NDArray[Any]:
        """The numbers."""
        return self._values

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> "Array":
        """An array that is already whole."""
        array = cls()
        array._values = values
        return array


class NdarrayName:
    """Stands for the name numpy.ndarray, which pickles pass along and never need to call."""

    __slots__ = ()


def _from_bytes(raw: object, dtype: object, shape: object, order: object) -> npt.NDArray[Any]:
    if not isinstance(raw, bytes | bytearray) or not isinstance(dtype, Dtype) or order not in ("C", "F"):
        raise pickle.UnpicklingError("has an array that is not made of numbers")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise pickle.UnpicklingError(f"has an array of shape {shape!r}")
    if math.prod(shape) * dtype.value.itemsize != len(raw):
        raise pickle.UnpicklingError(f"has an array of shape {shape} and type {dtype.value} in {len(raw)} bytes")
    values: npt.NDArray[Any] = np.frombuffer(raw, dtype.value).reshape(shape, order="F" if order == "F" else "C")
    return values


def _reconstruct(*_: object) -> Array:
    return Array()


def _frombuffer(raw: object, dtype: object, shape: object, order: object) -> Array:
    return Array.of(_from_bytes(raw, dtype, shape, order))


def _scalar(dtype: object, raw: object) -> Any:
    """A single number, as Python's own."""
    return _from_bytes(raw, dtype, (), "C").item()


def _latin1(text: object, encoding: object) -> bytes:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"encodes by {encoding!r}, expected latin1")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    """How protocol 2 writes bytes of length 0; a length would be a claim on memory."""
    return b""


ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in PLAIN},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    ("numpy", "ndarray"): NdarrayName,
    ("numpy", "dtype"): Dtype,
    ("_codecs", "encode"): _latin1,
    **{(module, "bytes"): _empty_bytes for module in ("builtins", "__builtin__")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return ALLOWED[module_name, global_name]
        except KeyError:
            name = f"{module_name}.{global_name}"
            raise pickle.UnpicklingError(f"asks for {name}: only plain containers, values and numeric numpy arrays are read") from None


def read_pickle(path: Path) -> object:
    """The pickle's content; its arrays are `Array`. Raises ValueError that names the file and what it asked for."""
    try:
        with path.open("rb") as file:
            return _Unpickler(file, encoding="latin1").load()
    except TORN as error:
        raise ValueError(f"{path} {error if isinstance(error, pickle.UnpicklingError) else f'is no readable pickle: {error!r}'}") from error

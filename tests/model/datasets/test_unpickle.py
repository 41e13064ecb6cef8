"""Pickles of published annotations are read; whatever asks for more is refused by name and runs nothing."""

import builtins
import os
import pickle
import subprocess
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.datasets.unpickle import Array, read_pickle


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "x.pkl"
    path.write_bytes(content)
    return path


class _Calls:
    """Pickles as a call of anything."""

    def __init__(self, function: object, *args: object) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_containers_values_and_arrays_of_every_protocol_come_back_equal(tmp_path: Path, protocol: int) -> None:
    values = {"a": [1, -2.5, True, None, "ü", (3, 4)], "b": {"c": {1, 2}, "d": frozenset({"x"})}, "bytes": b"\x00\xff"}
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = {"boxes": boxes, "fortran": np.asfortranarray(boxes), "empty": np.zeros((0, 4), ">f8"), "flags": np.array([True, False])}
    content = {"values": values, "arrays": arrays, "score": np.float32(0.5), "count": np.int64(7)}
    read = read_pickle(_file(tmp_path, pickle.dumps(content, protocol=protocol)))
    assert isinstance(read, dict)
    assert read["values"] == values
    assert (read["score"], read["count"]) == (0.5, 7)
    for name, expected in arrays.items():
        array = read["arrays"][name]
        assert isinstance(array, Array)
        assert array.numpy().dtype == expected.dtype
        np.testing.assert_array_equal(array.numpy(), expected)


def test_names_of_older_and_newer_numpy_are_both_read(tmp_path: Path) -> None:
    new = pickle.dumps(np.arange(3, dtype=np.int64), protocol=0)
    old = new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != new
    for content in (old, new):
        read = read_pickle(_file(tmp_path, content))
        assert isinstance(read, Array)
        assert read.numpy().tolist() == [0, 1, 2]


HOSTILE: dict[str, Callable[[Path], object]] = {
    "system": lambda marker: _Calls(os.system, f"touch {marker}"),
    "eval": lambda marker: _Calls(builtins.eval, f"open({str(marker)!r}, 'w')"),
    "exec": lambda marker: _Calls(builtins.exec, f"open({str(marker)!r}, 'w')"),
    "getattr": lambda _: _Calls(builtins.getattr, {}, "clear"),
    "open": lambda marker: _Calls(builtins.open, str(marker), "w"),
    "__import__": lambda _: _Calls(builtins.__import__, "os"),
    "bytearray": lambda _: _Calls(bytearray, 10**12),
    "check_call": lambda marker: _Calls(subprocess.check_call, ["touch", str(marker)]),
    "save": lambda marker: _Calls(np.save, str(marker), [1]),
    "OrderedDict": lambda _: OrderedDict(a=1),
}


@pytest.mark.parametrize("named", HOSTILE)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_asks_for_anything_else_is_refused_by_name_and_not_run(tmp_path: Path, named: str, protocol: int) -> None:
    marker = tmp_path / "ran"
    path = _file(tmp_path, pickle.dumps({"ok": 1, "bad": HOSTILE[named](marker)}, protocol=protocol))
    with pytest.raises(ValueError, match=rf"x\.pkl asks for \S+\.{named}: only plain containers"):
        read_pickle(path)
    assert [one.name for one in tmp_path.iterdir()] == ["x.pkl"]


def test_allowed_names_cannot_be_walked_to_others(tmp_path: Path) -> None:
    for name in ("dtype.__init__", "ndarray.tofile", "dtype.value"):
        content = b"\x80\x04\x8c\x05numpy\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
        with pytest.raises(ValueError, match=rf"asks for numpy\.{name}"):
            read_pickle(_file(tmp_path, content))


def test_arrays_of_objects_and_of_records_are_refused(tmp_path: Path) -> None:
    for array in (np.array([{}, None], dtype=object), np.zeros(2, dtype=[("a", "f4")]), np.array(["text"]), np.zeros(1, "V8")):
        with pytest.raises(ValueError, match=r"has an array of type .* expected numbers"):
            read_pickle(_file(tmp_path, pickle.dumps(array, protocol=2)))


def test_an_array_whose_bytes_do_not_fill_its_shape_is_refused(tmp_path: Path) -> None:
    content = pickle.dumps(np.zeros((2, 4), np.float32), protocol=4)
    assert content.count(b"K\x02K\x04\x86") == 1
    with pytest.raises(ValueError, match=r"has an array of shape \(200, 4\) and type float32 in 32 bytes"):
        read_pickle(_file(tmp_path, content.replace(b"K\x02K\x04\x86", b"K\xc8K\x04\x86")))


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"a": 1})[:-3], b"\x80\x04" + b"." * 3, b"\x82\x01.", b"Pid\n."])
def test_torn_files_and_foreign_references_are_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"x\.pkl"):
        read_pickle(_file(tmp_path, content))


def test_bytes_of_a_claimed_length_are_not_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.pkl is no readable pickle: TypeError"):
        read_pickle(_file(tmp_path, pickle.dumps(_Calls(bytes, 10**12), protocol=2)))


def test_state_for_what_is_not_an_array_is_refused(tmp_path: Path) -> None:
    """BUILD on an allowed name must not change it."""
    before = vars(Array).copy()
    content = b"\x80\x02cnumpy\ndtype\n}U\x05valueK\x01sb."
    with pytest.raises(ValueError, match=r"x\.pkl"):
        read_pickle(_file(tmp_path, content))
    assert vars(Array) == before

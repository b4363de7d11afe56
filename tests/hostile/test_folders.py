"""A folder is as its bytes say, whatever lay there before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_folders import parts
from benchmarks.fuzz_forms import forms
from tests.hostile.folders import KINDS, Entry, opened, pack, unpack

NAMES = st.binary(min_size=1, max_size=255).map(lambda name: name.replace(b"/", b"x"))
PLAIN = NAMES.filter(lambda name: b"\0" not in name and name not in (b".", b".."))
ENTRIES = st.lists(
    st.builds(Entry, st.sampled_from(KINDS), PLAIN, st.binary(max_size=40)),
    max_size=8,
    unique_by=lambda entry: entry.name,
)
of_function = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def lies(folder: Path) -> dict[bytes, object]:
    """What is in a folder: bytes of files, where links lead, and the kind of anything else."""
    found: dict[bytes, object] = {}
    for entry in os.scandir(os.fsencode(folder)):
        path = Path(os.fsdecode(entry.path))
        if entry.is_symlink():
            found[entry.name] = os.readlink(os.fsencode(path))
        elif entry.is_file():
            found[entry.name] = path.read_bytes()
        else:
            found[entry.name] = "folder" if entry.is_dir() else "pipe"
    return found


def told(entry: Entry) -> object:
    """The same of an entry."""
    if entry.kind == "link":
        return entry.data.replace(b"\0", b"")[:200] or b"x"
    return entry.data if entry.kind == "file" else entry.kind


@given(entries=ENTRIES, opens=PLAIN, called=PLAIN)
def test_bytes_come_back_as_the_folder_they_were(
    entries: list[Entry], opens: bytes, called: bytes
) -> None:
    assert unpack(pack(entries, opens, called)) == (opens, called, entries)


@of_function
@given(folders=st.lists(st.tuples(ENTRIES, PLAIN), min_size=2, max_size=3))
def test_one_folder_becomes_the_next(
    tmp_path: Path, folders: list[tuple[list[Entry], bytes]]
) -> None:
    for entries, called in folders:
        path = tmp_path / "folder.packed"
        path.write_bytes(pack(entries, called=called))
        folder = opened(path)
        assert os.fsencode(folder.name) == called
        assert lies(folder) == {entry.name: told(entry) for entry in entries}


@of_function
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_folder_that_stays_where_it_is(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "folder.packed"
    path.write_bytes(data)
    assert opened(path).is_relative_to(tmp_path / "laid")
    assert set(os.listdir(tmp_path)) == {"folder.packed", "laid"}
    assert len(os.listdir(tmp_path / "laid")) == 1


@pytest.mark.parametrize("reader", ["index", "folder"])
def test_a_part_of_a_folder_is_put_back_where_it_was(reader: str) -> None:
    for packed in forms(reader):
        for data, close, _ in parts(packed):
            assert close(data) == packed

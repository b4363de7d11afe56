"""Every hostile file ends in one sentence, soon, in little memory, and runs nothing.

The files of a reader are read in a process of its own, whose address space may grow by 1 GiB
(``RLIMIT_AS``) once its libraries are loaded.
"""

from __future__ import annotations

import json
import pickle
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.forked import script
from tests.hostile.case import Case, is_one_line
from tests.hostile.corpus import cases
from tests.hostile.corpus_pickles import CANARY
from tests.hostile.readers import READERS
from tests.shared_folder import shared_by_all

ROOT = Path(__file__).parents[2]
EXAMINE = Path(__file__).with_name("examine.py")
SECONDS, SECONDS_OF_LARGE, LARGE_BYTES = 2.0, 6.0, 2**20
"""Of the processor, for files below and above ``LARGE_BYTES``."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc are Linux'"),
]
CASES = cases()


@pytest.fixture(scope="session")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What became of a reader's files, by their names; read when some process first asks for it."""
    shared = shared_by_all(tmp_path_factory)

    @lru_cache
    def examine(reader: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
        answer = shared / f"examined-{reader}.jsonl"
        with FileLock(answer.with_suffix(".lock")):
            if not answer.exists():
                folder = tmp_path_factory.mktemp(reader)
                done = script(EXAMINE, reader, folder, cwd=ROOT)
                assert done.returncode == 0, done.stderr[-2000:]
                made = [str(path.name) for path in folder.rglob("*canary*")]
                answer.write_text(f"{done.stdout}{json.dumps({'made': made})}\n")
        *lines, last = map(json.loads, answer.read_text().splitlines())
        return {line["name"]: line for line in lines if "name" in line}, last["made"]

    return examine


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(CASES) >= 200
    assert len({(case.reader, case.name) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.reader}: {case.name[:60]!r}")
def test_a_hostile_file_ends_in_its_sentence(case: Case, examined: Any) -> None:
    found = examined(case.reader)[0][case.name]
    assert not found["traced"]
    assert case.says in found["told"]
    assert bool(found["told"]) or not case.says
    assert is_one_line(found["told"])
    if found["slowed"]:
        return
    large = found["size_bytes"] >= LARGE_BYTES
    assert found["seconds"] < (SECONDS_OF_LARGE if large else SECONDS)


def test_the_canary_sings_when_it_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(CANARY + b".")  # noqa: S301  (our own bytes: to see that they would do something)
    assert (tmp_path / "canary-dir").is_dir()


@pytest.mark.parametrize("reader", READERS)
def test_nothing_in_a_hostile_file_is_run(reader: str, examined: Any) -> None:
    assert examined(reader)[1] == []

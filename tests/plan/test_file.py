from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.file import dump_plan, parse_plan, read_plan, write_plan
from tests.plan.plans import plans


@given(plans())
def test_a_plan_survives_its_own_yaml(plan: Plan) -> None:
    assert parse_plan(dump_plan(plan)) == plan


@given(plans())
def test_other_yaml_readers_see_the_same_values(plan: Plan) -> None:
    assert YAML(typ="rt").load(dump_plan(plan)) == plan.to_dict()


@given(st.text())
def test_any_text_is_a_plan_or_one_sentence(text: str) -> None:
    try:
        parse_plan(text, origin="p.yaml")
    except PlanError as error:
        assert_one_sentence(str(error))


SHORT = st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | SHORT | st.integers() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(SHORT, inner),
    max_leaves=5,
)


@given(st.dictionaries(SHORT, VALUES))
def test_any_mapping_is_a_plan_or_one_sentence(values: dict[str, object]) -> None:
    sections = dict.fromkeys(Plan.model_fields, values)
    for candidate in (values, *({name: part} for name, part in sections.items())):
        try:
            Plan.parse(candidate, origin="p.yaml")
        except PlanError as error:
            assert_one_sentence(str(error))


def assert_one_sentence(text: str) -> None:
    assert text.startswith("p.yaml")
    assert text[-1] in ".?"
    assert text[-2] not in ".?"
    assert len(text) < 600


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x 1\nb: *x", "alias"),
        ("a: &x [1,1]\nb: &y [*x,*x]\nc: [*y,*y]", "alias"),
        ("[" * 50_000, "nested too deeply"),
        ("- {}\n" * 30_000, "too long for a plan"),
        ("training: {batch_size: " + "9" * 6000 + "}", "cannot be written out again"),
        ("precision: bf16\nprecision: fp32", "duplicate key"),
        ("!!python/object/apply:os.system [x]", "YAML tag"),
        ("training: !!int ''", "YAML tag"),
        ("precision: 'bf16", "line 1"),
        ("precision: bf16\n--- \nprecision: fp16", "another document"),
        ("\x00", "not valid YAML"),
        ("", "must be a mapping"),
        ("training:", "training must be a mapping of keys to values, not empty"),
        ("training: {started: 2020-13-45}", "not valid YAML"),
    ],
)
def test_bad_files_are_named_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=says) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)


def test_a_missing_a_binary_and_a_huge_file(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"none\.yaml could not be read: no such file"):
        read_plan(tmp_path / "none.yaml")
    with pytest.raises(PlanError, match="could not be read"):
        read_plan(tmp_path)
    (tmp_path / "binary").write_bytes(b"\x80\xff")
    with pytest.raises(PlanError, match="not text in UTF-8"):
        read_plan(tmp_path / "binary")
    (tmp_path / "huge").write_text("#" * (1024**2 + 1))
    with pytest.raises(PlanError, match="larger than 256 KiB"):
        read_plan(tmp_path / "huge")


def test_a_byte_order_mark_is_no_part_of_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + dump_plan(Plan()).encode())
    assert read_plan(path) == Plan()


def test_writing_replaces_the_file_behind_a_link_and_keeps_its_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_plan(Plan(), link)
    assert link.is_symlink()
    assert read_plan(real) == Plan()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link.yaml", "real.yaml"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("old")
    program = (
        "import resource, sys\n"
        "from memplanner.plan import Plan\n"
        "from memplanner.plan.file import write_plan\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "write_plan(Plan(), sys.argv[1])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
    )
    assert "PlanError" in run.stderr
    assert "file too large" in run.stderr
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["plan.yaml"]


def test_writing_nowhere_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="could not be written: no such file"):
        write_plan(Plan(), tmp_path / "no" / "plan.yaml")
    with pytest.raises(PlanError, match="could not be written: is a directory"):
        write_plan(Plan(), tmp_path)
    with pytest.raises(PlanError, match="no space left on device"):
        write_plan(Plan(), "/dev/full")

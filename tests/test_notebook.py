"""The engine as a notebook has it: ``import memplanner as mp``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import memplanner as mp
from memplanner.errors import MemplannerError
from memplanner.messages.run import RunFigures
from memplanner.plan.file import read_plan
from tests.run.recipes import write_recipe

NAMES = ["schema", "model", "device", "plan", "peak", "layers", "timeline", "fits", "spare_bytes",
         "method", "notes", "seconds", "verdict", "overhead",
         "allocator", "host_bytes", "rank", "ranks", "traffic", "states",
         "parts", "time", "quality"]  # fmt: skip
"""The JSON's."""
_OF_CARDS = frozenset({"allocator", "host_bytes"})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("tiny"))


def test_a_notebook_has_the_names_of_the_json(tiny: Path) -> None:
    model = mp.load(tiny)
    plan = mp.Plan.model_validate({"precision": "fp32", "training": {"batch_size": 2}})
    estimate = mp.estimate(model, plan, device="cpu")
    values = json.loads(estimate.message().model_dump_json(by_alias=True))

    assert list(values) == NAMES
    for name in NAMES:
        if name == "time":  # of a CPU it is known when runs on it were timed
            continue
        assert (getattr(estimate, name) is None) is (name in _OF_CARDS), name
    assert estimate.peak.allocated_bytes == values["peak"]["allocated_bytes"]
    assert estimate.peak.by_category.total_bytes == estimate.peak.allocated_bytes
    assert estimate.schema == values["schema"]
    assert (model.parameter_count, model.trainable_parameter_count) == (12480, 12480)
    assert mp.Plan.model_validate(values["plan"]) == plan
    assert isinstance(estimate.figures(), RunFigures)


def test_a_notebook_exports(tiny: Path, tmp_path: Path) -> None:
    plan = mp.Plan.model_validate({"training": {"batch_size": 3}})
    written = mp.export(mp.load(tiny), plan, "plan", tmp_path / "plan.yaml")
    assert written == (str(tmp_path / "plan.yaml"),)
    assert read_plan(written[0]) == plan
    with pytest.raises(MemplannerError):
        mp.export(mp.load(tiny), plan, "no such target", tmp_path / "plan.yaml")


_ORDERS = """
import sys
from importlib import import_module

parts = ["estimate", "export", "run", "model"]
for order in (parts, parts[::-1], ["run", "export", "estimate"]):
    for name in [name for name in sys.modules if name.partition(".")[0] == "memplanner"]:
        del sys.modules[name]
    import memplanner as mp
    for name in order:
        import_module("memplanner." + name)
    import memplanner.estimate, memplanner.export
    assert mp.estimate is memplanner.estimate
    for name in ("load", "estimate", "apply", "export"):
        assert callable(getattr(mp, name)), (order, name)
    assert mp.Plan().training
    assert mp.estimate.__module__ == "memplanner.estimate"
"""


def test_the_functions_stay_callable_in_whatever_order_the_parts_are_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _ORDERS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

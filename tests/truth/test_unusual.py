"""Models that branch on data, leave torch or look at memory get a number, and the right one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from memplanner.errors import EstimateError
from memplanner.messages.device import Device
from tests.truth.comparing import CPU
from tests.truth.real_step import measure
from tests.truth.unusual_recipes import NEEDS_A_CARD, REFUSES_LENGTH, REFUSES_META, UNUSUAL

CPU_DEVICE = torch.device("cpu")
H100 = Device(name="H100", kind="cuda", memory_bytes=80 * 2**30, architecture="9.0")
PLAN = mp.Plan.model_validate(
    {"precision": "fp32", "training": {"batch_size": 2, "sequence_length": 40}}
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated"),
    pytest.mark.filterwarnings("ignore:Full backward hook is firing"),
]


def _open(folder: Path, source: str) -> Any:
    path = folder / "recipe.py"
    path.write_text(source)
    return mp.load(path)


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_model(name: str, tmp_path: Path) -> None:
    """The curve is not compared: how much is selected of random data is random."""
    model = _open(tmp_path, UNUSUAL[name])
    module = model.build(CPU_DEVICE)
    torch.manual_seed(0)  # the recorder sees the same data
    batch = model.batch(2, 40, CPU_DEVICE)
    peak = mp.estimate(model, PLAN, device=CPU).peak
    assert peak.allocated_bytes - peak.by_category.workspaces == (
        measure(module, batch, PLAN).tensor_bytes
    )


@pytest.mark.parametrize("name", UNUSUAL)
def test_it_gets_a_number_for_a_card_too(name: str, tmp_path: Path) -> None:
    assert mp.estimate(_open(tmp_path, UNUSUAL[name]), PLAN, device=H100).peak.allocated_bytes > 0


@pytest.mark.parametrize("smaller", [False, True], ids=["its shapes", "smaller shapes"])
def test_a_module_run_apart_takes_what_it_takes_in_the_step(
    smaller: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that refuse weightless tensors, measured alone, beside the step run for real."""
    whole = mp.estimate(_open(tmp_path, REFUSES_META), PLAN, device=CPU)
    assert "run for real" in whole.method
    recording = import_module("memplanner.estimate.recording")
    monkeypatch.setattr(recording, "LARGEST_REAL_WORK", 0)
    if smaller:
        monkeypatch.setattr(import_module("memplanner.tape.stand_in"), "LARGEST_WORK", 0)
    apart = mp.estimate(_open(tmp_path, REFUSES_META), PLAN, device=CPU)
    assert "one kind of module apart" in apart.method
    assert any(note.startswith("Block cannot run without values") for note in apart.notes)
    tensors = [part.peak.allocated_bytes - part.scratch_bytes for part in (whole, apart)]
    assert tensors[0] == tensors[1]


def test_what_cannot_run_here_is_counted_by_its_inputs_and_outputs(tmp_path: Path) -> None:
    prediction = mp.estimate(_open(tmp_path, NEEDS_A_CARD), PLAN, device=CPU)
    assert any("cannot run on this machine" in note for note in prediction.notes)
    parameters = sum(
        part.nbytes for part in _open(tmp_path, NEEDS_A_CARD).build(CPU_DEVICE).parameters()
    )
    assert prediction.peak.by_category.parameters == parameters
    assert prediction.peak.by_category.optimizer_state >= 2 * parameters
    assert prediction.peak.allocated_bytes > 3 * parameters


def test_what_a_model_refuses_for_real_stays_refused(tmp_path: Path) -> None:
    with pytest.raises(EstimateError, match="no more than 20"):
        mp.estimate(_open(tmp_path, REFUSES_LENGTH), PLAN, device=CPU)
    with pytest.raises(EstimateError, match="no more than 20"):
        mp.estimate(_open(tmp_path, REFUSES_LENGTH), PLAN, device=H100)

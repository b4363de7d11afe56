from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.importable import parse_input
from tests.model.small_models import CPU, META

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4)
    def forward(self, ids, scale):
        return (self.table(ids) * scale).mean()

def make():
    return Net()

def fail():
    raise RuntimeError("no luck")

ready = Net()
number = 3
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_net.py").write_text(CODE)
    (tmp_path / "own_broken.py").write_text("import not_installed")
    monkeypatch.syspath_prepend(tmp_path)


INPUTS = ["ids=BxS:int64", "scale=1:float32"]


@pytest.mark.parametrize("source", ["own_net:Net", "own_net:make"])
def test_a_class_or_a_function_makes_the_model(source: str) -> None:
    model = load(source, inputs=INPUTS)
    assert (model.kind, model.class_name, model.parameter_count) == ("importable", "Net", 20)
    assert model.takes_sequence
    assert model.build(META).get_parameter("table.weight").device == META

    batch = model.batch(3, 7, CPU)
    assert batch["ids"].shape == (3, 7)
    assert batch["ids"].dtype == torch.int64
    model.loss(model.build(CPU)(**batch)).backward()


def test_a_file_that_was_edited_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "own_sizes.py").write_text("WIDTH = 4")
    (tmp_path / "own_wide.py").write_text(
        "from own_sizes import WIDTH\nfrom torch import nn\ndef net(): return nn.Linear(2, WIDTH)"
    )
    assert load("own_wide:net", inputs=["input=Bx2"]).parameter_count == 12
    (tmp_path / "own_sizes.py").write_text("WIDTH = 5")  # as long, and within the same second
    assert load("own_wide:net", inputs=["input=Bx2"]).parameter_count == 15
    assert not (tmp_path / "__pycache__").exists()


def test_numbers_are_fixed_and_said_to_be() -> None:
    model = load("own_net:Net", inputs=["ids=2x128:int64", "scale=B"])
    assert model.batch(3, 7, META)["ids"].shape == (2, 128)
    assert model.batch(3, 7, META)["scale"].shape == (3,)
    assert not model.takes_sequence
    assert model.notes == ("The size of ids does not follow the batch size.",)


@given(
    st.from_regex(r"[a-z_]\w{0,8}", fullmatch=True).filter(str.isascii),
    st.lists(st.one_of(st.integers(1, 9), st.sampled_from("BS")), max_size=4),
    st.sampled_from(["float32", "bfloat16", "int64", "bool", "uint8"]),
)
def test_an_input_says_its_shape(name: str, shape: list[int | str], kind: str) -> None:
    described = parse_input(f"{name}={'x'.join(map(str, shape))}:{kind}")
    assert (described.name, described.shape) == (name, tuple(shape))
    assert described.dtype == getattr(torch, kind)


@pytest.mark.parametrize(
    ("source", "inputs", "words"),
    [
        ("own_net:Net", [], "add --input"),
        ("own_net:Net", ["ids"], "write it like ids=BxS:int64"),
        ("own_net:Net", ["ids=2xQ"], "the side “Q”"),
        ("own_net:Net", ["ids=0x2"], "the side “0”"),
        ("own_net:Net", ["ids=" + "9" * 5000], "the side “999"),
        ("own_net:Net", ["ids=99999999x99999999"], "make it smaller"),
        ("own_net:Net", ["ids=2:int3"], "the type “int3”"),
        ("own_net:Missing", INPUTS, "has no Missing"),
        ("own_net:number", INPUTS, "is int and not a function"),
        ("own_net:ready", INPUTS, "is Net and not a function"),
        ("own_net:fail", INPUTS, "raised RuntimeError in line"),
        ("own_nothing:Net", INPUTS, "the module own_nothing, which Python does not find"),
        ("own_broken:Net", INPUTS, "No module named 'not_installed'"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(source: str, inputs: list[str], words: str) -> None:
    with pytest.raises(SourceError) as caught:
        load(source, inputs=inputs)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)

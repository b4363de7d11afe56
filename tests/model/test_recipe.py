from __future__ import annotations

from pathlib import Path

import pytest
import torch

from memplanner.errors import SourceError
from memplanner.model import load
from tests.model.small_models import CPU, META

GOOD = """
import torch
from torch import nn
from extra import WIDTH

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, WIDTH)
        self.head = nn.Linear(WIDTH, 50, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("scale", torch.ones(1))
    def forward(self, ids):
        return self.head(self.table(ids) * self.scale)

def model():
    return Net()

def batch(batch_size, sequence_length):
    return {"ids": torch.randint(0, 50, (batch_size, sequence_length))}
"""


def recipe(folder: Path, text: str, name: str = "recipe.py") -> Path:
    (folder / "extra.py").write_text("WIDTH = 8\n")
    path = folder / name
    path.write_text(text)
    return path


def test_a_recipe_is_built_weightless_and_trains(tmp_path: Path) -> None:
    model = load(recipe(tmp_path, GOOD))
    assert (model.kind, model.class_name, model.name) == ("recipe", "Net", "recipe")
    assert (model.parameter_count, model.buffer_count, model.takes_sequence) == (400, 1, True)

    weightless = model.build(META)
    assert {t.device.type for t in weightless.state_dict().values()} == {"meta"}
    assert model.batch(3, 5, META)["ids"].shape == (3, 5)
    assert model.batch(3, 5, META)["ids"].device == META

    module = model.build(CPU)
    model.loss(module(**model.batch(2, 4, CPU))).backward()
    grad = module.get_parameter("table.weight").grad
    assert grad is not None
    assert grad.abs().sum() > 0


NEEDS_VALUES = GOOD.replace(
    "        self.register_buffer",
    "        assert self.table.weight.sum().item() != 0\n        self.register_buffer",
).replace("    return {", "    assert float(torch.ones(1)) == 1\n    return {")


def test_code_that_reads_weights_is_built_for_real_and_stripped(tmp_path: Path) -> None:
    model = load(recipe(tmp_path, NEEDS_VALUES))
    module = model.build(META)

    assert {t.device.type for t in module.state_dict().values()} == {"meta"}
    assert module.get_submodule("head").get_parameter("weight") is module.get_parameter(
        "table.weight"
    )
    assert model.parameter_count == 400
    assert model.batch(3, 5, META)["ids"].device == META


def test_real_tensors_in_a_batch_are_moved(tmp_path: Path) -> None:
    text = GOOD.replace(
        'return {"ids": torch.randint(0, 50, (batch_size, sequence_length))}',
        'return {"ids": [torch.zeros(batch_size, device="cpu")], "flag": True}',
    )
    batch = load(recipe(tmp_path, text)).batch(2, 4, META)
    assert batch["ids"][0].device == META
    assert batch["flag"] is True


def test_a_recipe_may_have_the_name_of_a_library(tmp_path: Path) -> None:
    assert load(recipe(tmp_path, GOOD, "torch.py")).parameter_count == 400
    assert torch.ones(1).sum() == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_here", "ModuleNotFoundError in line 1 (No module named 'nothing_here')"),
        ("def model(:\n  pass", "SyntaxError in line 1"),
        ("x = 1\n\nraise ValueError('no\\nluck')", "ValueError in line 3 (no luck)"),
        ("import sys\nsys.exit(3)", "SystemExit in line 2"),
        ("x = 1", "defines no function model"),
        ("def model(): pass", "defines no function batch"),
        ("def model(): return 3\ndef batch(b, s): return {}", "returns int and no torch.nn.Module"),
        (
            "def model():\n    return 1 / 0\ndef batch(b, s): return {}",
            "model() in {path} raised ZeroDivisionError in line 2",
        ),
        (
            "import torch\ndef model(): return torch.nn.Linear(2, 2)\ndef batch(b, s): return 3",
            "batch() in {path} returns int and no dict",
        ),
        (
            "import torch\ndef model(): return torch.nn.Linear(2, 2)\ndef batch(b): return {}",
            "batch() in {path} raised TypeError",
        ),
    ],
)
def test_what_a_recipe_does_wrong_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = recipe(tmp_path, text)
    with pytest.raises(SourceError) as caught:
        load(path)
    assert words.format(path=path) in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_batches_may_hold_tensors_in_dictionaries(tmp_path: Path) -> None:
    recipe = tmp_path / "net.py"
    recipe.write_text(
        "import torch\n"
        "def model():\n    return torch.nn.Linear(4, 2)\n"
        "def batch(batch_size, sequence_length):\n"
        "    return {'input': {'a': torch.zeros(batch_size, 4), 'b': 'word'}}\n"
    )
    made = load(recipe, trust_code=True).batch(3, 1, torch.device("meta"))
    assert made["input"]["a"].shape == (3, 4)
    assert made["input"]["a"].device.type == "meta"
    assert made["input"]["b"] == "word"

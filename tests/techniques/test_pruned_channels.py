"""Channels between convolutions: which may go, and that what is left says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.convolution_chains import convolution_chains
from memplanner.techniques.prepare import check, prepare
from memplanner.techniques.sparsity.channels import Chain
from memplanner.techniques.sparsity.structure import Smaller, make_smaller
from tests.estimate.recordings import CPU, META, tiny
from tests.run.judging import judge, planned
from tests.techniques.pruned_models import REAL, SMALLER, plan_of
from tests.techniques.test_recurring_truth import predicted_and_measured
from tests.truth.small_models import CNN, SMALL

CHANNELS = {**SMALLER, "channel_ratio": 0.5}


class Mixed(nn.Module):
    """Chains, one through a depthwise convolution, and convolutions that others look at."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.deep = (
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8),
        )  # fmt: skip
        self.two = nn.Conv2d(8, 8, 1)
        self.three = nn.Conv2d(8, 8, 1)
        self.twice = nn.Conv2d(8, 8, 1)
        self.norm_of_all, self.last = nn.GroupNorm(2, 8), nn.Conv2d(8, 4, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.two(self.deep(torch.relu_(self.norm(self.one(images)))))
        hidden = hidden + self.three(hidden)  # looked at twice
        hidden = self.twice(self.twice(hidden))  # called twice
        found: torch.Tensor = self.last(self.norm_of_all(hidden))
        return found


def test_chains_are_what_nothing_else_looks_at() -> None:
    with torch.device("meta"):
        module, images = Mixed(), torch.empty(1, 3, 8, 8)
    module.train()
    assert convolution_chains(module, {"images": images}) == [Chain("one", ("norm", "deep"), "two")]
    assert all(part.training for part in module.modules())


def test_a_depthwise_convolution_goes_along() -> None:
    torch.manual_seed(0)
    module = Mixed().eval()
    with torch.no_grad():
        module.norm.running_mean.normal_()  # type: ignore[union-attr]  # torch's own type
        module.two.weight[:, ::2] = 0
        module.one.weight[::2] *= 1e-3
        images = torch.randn(2, 3, 8, 8)
        expected = module(images)
    smaller = Smaller(channel_ratio=0.5, channels=(("one", "norm", "deep", "two"),))
    make_smaller(module, smaller)
    assert (module.one.out_channels, module.norm.num_features, module.deep.groups) == (4, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(module(images), expected, rtol=1e-5, atol=1e-5)


def _resnet(folder: Path) -> Any:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 32], depths=[2, 1], num_labels=3
    )
    torch.manual_seed(1)
    transformers.ResNetForImageClassification(config).save_pretrained(folder)
    return mp.load(folder)


@pytest.mark.parametrize("method", ["magnitude", "taylor", "fisher"])
def test_a_model_with_fewer_channels_has_the_planned_shapes(method: str, tmp_path: Path) -> None:
    model = _resnet(tmp_path)
    plan = plan_of({**CHANNELS, "method": method, "calibration_batches": 1, "width_multiple": 1})
    module = prepare(model, plan, CPU, REAL).module
    shapes = {name: part.shape for name, part in module.state_dict().items()}
    weightless = prepare(model, plan, CPU, META).module.state_dict()
    assert shapes == {name: part.shape for name, part in weightless.items()}
    inner = "resnet.encoder.stages.1.layers.0.layer.1.convolution.weight"
    assert shapes[inner] == (4, 4, 3, 3)
    module(**model.batch(2, 1, REAL))["loss"].backward()


def test_it_is_saved_and_opened_again(tmp_path: Path) -> None:
    model = _resnet(tmp_path / "whole")
    section = {"structure": "structured", "mlp_ratio": 0, "channel_ratio": 0.5, "width_multiple": 1}
    plan = planned(pruning=section, adapters={"method": "none"})
    _, smaller = judge(model, plan, judging=False, save=tmp_path / "saved")
    again: Any = mp.load_compressed(tmp_path / "saved")
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before: Any = smaller.eval()(pixel_values=images)
        assert torch.equal(before.logits, again(pixel_values=images).logits)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["resnet", "cnn"])
def test_a_step_takes_what_was_predicted(name: str, precision: str, tmp_path: Path) -> None:
    section = {"structure": "structured", "mlp_ratio": 0, "channel_ratio": 0.5}
    if name == "cnn":
        (tmp_path / "cnn.py").write_text(CNN)
        model = mp.load(tmp_path / "cnn.py", trust_code=True)
    else:
        model = mp.load(SMALL[name].write(tmp_path))
    sections = {"pruning": section, "precision": precision}
    predicted, measured = predicted_and_measured(model, (2, 1), sections)
    assert predicted == measured


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({**CHANNELS, "block_ratio": 0.5}, "set one of them to 0"),
        ({**CHANNELS, "method": "wanda"}, "choose magnitude, taylor or fisher"),
    ],
)
def test_what_channels_cannot_do_is_refused(section: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError) as error:
        check(plan_of(section), CPU)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"width_multiple": 64}, "in multiples of 64; choose a larger ratio")],
)
def test_nothing_taken_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=words):
        prepare(_resnet(tmp_path), plan_of({**CHANNELS, **changes}), CPU, META)


def test_a_model_without_convolutions_is_refused() -> None:
    plan: Plan = plan_of(CHANNELS)
    with pytest.raises(PlanError, match="finds no two convolutions in a row"):
        prepare(tiny("llama"), plan, CPU, META)

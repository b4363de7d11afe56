"""Distillation of a real, trained language model to half its blocks.

SmolLM2-135M with its real weights, but for the rows of its vocabulary: only tokens of the text
stay, so that a step takes under a second on one core. Text that no step has seen is what students
are judged on.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import memplanner as mp
from memplanner.model.data import read_text, tokenize
from memplanner.model.loaded import Model
from memplanner.techniques.distilling.pair import Distilled, Lesson
from memplanner.techniques.distilling.student import Shape, make_student
from tests.smollm2 import TEXT, keep_tokens, loaded

pytestmark = pytest.mark.slow
STEPS = 40
LENGTH = 64
HELD_OUT = 16
"""Sequences."""
LEARNING_RATE = 3e-4


class Setting:
    """The teacher, its student before any step, and the text's sequences."""

    def __init__(self, model: Model) -> None:
        kept, ids = tokenize(model, read_text(TEXT), TEXT).unique(return_inverse=True)
        self.teacher: Any = loaded(model)
        keep_tokens(self.teacher, kept)
        self.teacher.eval()
        self.student = make_student(self.teacher, Shape(block_ratio=0.5), ("model.layers",))
        sequences = ids[: len(ids) // LENGTH * LENGTH].view(-1, LENGTH)
        self.seen, self.held_out = sequences[:-HELD_OUT], sequences[-HELD_OUT:]

    def trained(self, lesson: Lesson | None, steps: int = STEPS) -> tuple[Any, list[float]]:
        """A student after some steps, and the loss of each; without a lesson, of labels alone."""
        student = deepcopy(self.student).train()
        module: Any = student if lesson is None else Distilled(self.teacher, student, lesson)
        # one kernel for each parameter: the same update in a fraction of the time
        optimizer = torch.optim.AdamW(student.parameters(), lr=LEARNING_RATE, fused=True)
        losses = []
        for step in range(steps):
            ids = self.seen[step % len(self.seen)][None]
            loss = module(input_ids=ids, labels=ids)["loss"]
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        return student.eval(), losses

    def judged(self, module: nn.Module) -> float:
        """The mean loss of each next token on the text that was held out."""
        with torch.no_grad():
            return float(module(input_ids=self.held_out, labels=self.held_out)["loss"])


@pytest.fixture(scope="module")
def setting(smollm2: Path) -> Setting:
    torch.manual_seed(0)
    return Setting(mp.load(smollm2))


def test_half_the_blocks_learn_more_with_a_teacher_than_alone(setting: Setting) -> None:
    taught, losses = setting.trained(Lesson(labels=0.5, logits=0.5))
    alone, _ = setting.trained(None)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    before, with_teacher = setting.judged(setting.student), setting.judged(taught)
    assert setting.judged(setting.teacher) < with_teacher < setting.judged(alone) < before

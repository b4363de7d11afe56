"""Laws of what distillation compares."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from memplanner.techniques.distilling.layers import AttentionLoss, HiddenLoss, uniform
from memplanner.techniques.distilling.logits import Largest, StudentLogits, TeacherLogits
from memplanner.techniques.distilling.pair import AHEAD_LOGITS, Distilled, Lesson
from memplanner.techniques.distilling.student import blocks_left, spread

CPU = torch.device("cpu")


def divergence(
    theirs: torch.Tensor, own: torch.Tensor, temperature: float, top_k: int = 0
) -> torch.Tensor:
    taught = TeacherLogits(top_k)(theirs, temperature)
    loss: torch.Tensor = StudentLogits()(own, taught, temperature)
    return loss


def drawn(seed: int, scale: float, classes: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return scale * torch.randn(2, 3, classes), scale * torch.randn(2, 3, classes)


@given(st.integers(0, 10**6), st.floats(0.1, 8.0), st.floats(0.5, 10.0))
@settings(deadline=None)
def test_the_whole_divergence_is_torchs(seed: int, scale: float, temperature: float) -> None:
    theirs, own = drawn(seed, scale)
    expected = functional.kl_div(
        functional.log_softmax(own / temperature, -1).flatten(0, 1),
        functional.log_softmax(theirs / temperature, -1).flatten(0, 1),
        log_target=True,
        reduction="batchmean",
    )
    found = divergence(theirs, own, temperature)
    torch.testing.assert_close(found, expected * temperature**2, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 10**6), st.floats(0.1, 8.0), st.integers(1, 11))
@settings(deadline=None)
def test_fewer_classes_are_a_lower_bound_that_grows(seed: int, scale: float, top_k: int) -> None:
    """Joining classes never adds divergence; with all but one there is nothing joined."""
    theirs, own = drawn(seed, scale)
    found = divergence(theirs, own, 2.0, top_k)
    assert found >= -1e-5
    assert found <= divergence(theirs, own, 2.0, min(top_k + 1, 11)) + 1e-4
    whole = divergence(theirs, own, 2.0)
    torch.testing.assert_close(divergence(theirs, own, 2.0, 11), whole, rtol=1e-3, atol=1e-3)


@given(st.integers(0, 10**6), st.sampled_from([0, 3]))
@settings(deadline=None)
def test_the_same_logits_have_no_divergence_and_no_gradient(seed: int, top_k: int) -> None:
    theirs, _ = drawn(seed, 3.0)
    own = theirs.clone().requires_grad_()
    loss = divergence(theirs, own, 2.0, top_k)
    loss.backward()
    assert abs(loss.item()) < 1e-5
    assert own.grad is not None
    assert own.grad.abs().max() < 1e-5


def test_the_gradient_is_as_hinton_has_it_for_any_temperature() -> None:
    """T² · ∂KL/∂z = T · (q − p) a position, which tends to (z − v) / classes for centred logits."""
    theirs, own = drawn(0, 1.0)
    theirs, own = theirs - theirs.mean(-1, keepdim=True), own - own.mean(-1, keepdim=True)
    for temperature in (1.0, 4.0, 1000.0):
        learned = own.clone().requires_grad_()
        divergence(theirs, learned, temperature).backward()
        q, p = (each.div(temperature).softmax(-1) for each in (own, theirs))
        torch.testing.assert_close(learned.grad, temperature * (q - p) / 6, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(learned.grad, (own - theirs) / 12 / 6, rtol=1e-2, atol=1e-4)


def test_what_is_kept_of_the_likeliest_are_the_teachers_own_logarithms() -> None:
    theirs, _ = drawn(1, 2.0)
    kept = TeacherLogits(4)(theirs, 2.0)
    assert isinstance(kept, Largest)
    expected = functional.log_softmax(theirs / 2.0, -1).topk(4, dim=-1)
    torch.testing.assert_close(kept.log_probabilities, expected.values)
    assert torch.equal(kept.classes, expected.indices)


@given(st.integers(1, 100), st.integers(1, 100))
def test_layers_are_mapped_evenly_in_order_and_the_last_to_the_last(own: int, theirs: int) -> None:
    mapped = uniform(own, theirs)
    assert len(mapped) == own
    assert mapped == sorted(mapped)
    assert mapped[-1] == theirs
    assert all(1 <= index <= theirs for index in mapped)
    if theirs % own == 0:
        assert mapped == [index * theirs // own for index in range(1, own + 1)]


@given(st.integers(2, 130), st.floats(0, 0.99))
def test_blocks_that_stay_are_spread_with_both_ends(length: int, ratio: float) -> None:
    count = blocks_left(ratio, length)
    kept = spread(length, count)
    assert len(set(kept)) == len(kept) == count
    assert kept == sorted(kept)
    assert kept[-1] == length - 1
    if count > 1:
        gaps = {after - before for before, after in pairwise(kept)}
        assert kept[0] == 0
        assert max(gaps) - min(gaps) <= 1


def test_hidden_states_of_another_width_are_projected_and_the_projection_learns() -> None:
    loss = HiddenLoss(4, 6, CPU, torch.float32)
    own = [torch.randn(2, 3, 4, requires_grad=True)]
    loss(own, [torch.randn(2, 3, 6)]).backward()
    assert own[0].grad is not None
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert not list(HiddenLoss(6, 6, CPU, torch.float32).parameters())
    same = torch.randn(2, 3, 6)
    assert HiddenLoss(6, 6, CPU, torch.float32)([same], [same]) == 0


def test_attention_of_other_heads_is_compared_as_their_mean() -> None:
    maps = torch.rand(2, 4, 5, 5)
    assert AttentionLoss()([maps], [maps]) == 0
    fewer = maps.view(2, 2, 2, 5, 5).mean(2)
    assert AttentionLoss()([fewer], [maps]) < 1e-12


class Toy(torch.nn.Module):
    """Logits and a loss, as transformers' models return them."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, classes)
        self.drop = torch.nn.Dropout(0.5)

    def forward(
        self, given: torch.Tensor, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        logits = self.layer(self.drop(given))
        found = {"logits": logits}
        return (
            found if labels is None else {"loss": functional.cross_entropy(logits, labels), **found}
        )


BATCH = {"given": torch.randn(4, 3), "labels": torch.tensor([0, 1, 2, 3])}


def test_the_teacher_never_trains() -> None:
    pair = Distilled(Toy(), Toy(), Lesson())
    pair.train()
    assert pair.training
    assert pair.student.training
    assert pair.teacher is not None
    assert not any(part.training for part in pair.teacher.modules())
    pair(**BATCH)["loss"].backward()
    assert all(parameter.grad is None for parameter in pair.teacher.parameters())
    assert all(parameter.grad is not None for parameter in pair.student.parameters())


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    pair = Distilled(Toy(), Toy(), Lesson(labels=0.25, logits=3.0)).eval()
    output = pair(**BATCH)
    terms = output["terms"]
    assert terms.keys() == {"labels", "logits"}
    expected = 0.25 * terms["labels"] + 3.0 * terms["logits"]
    torch.testing.assert_close(output["loss"], expected)


def test_logits_ahead_of_time_teach_the_same_as_a_live_teacher() -> None:
    teacher, student = Toy().eval(), Toy().eval()
    live = Distilled(teacher, student, Lesson()).eval()(**BATCH)
    taught = {AHEAD_LOGITS: teacher(BATCH["given"])["logits"].detach()}
    ahead = Distilled(None, student, Lesson()).eval()(**BATCH, **taught)
    torch.testing.assert_close(live["loss"], ahead["loss"])


def test_other_classes_cannot_be_learned() -> None:
    with pytest.raises(RuntimeError, match="choose a student with the teacher's vocabulary"):
        Distilled(Toy(5), Toy(6), Lesson())(**BATCH)
    with pytest.raises(RuntimeError, match="batch holds none of its logits"):
        Distilled(None, Toy(), Lesson())(**BATCH)

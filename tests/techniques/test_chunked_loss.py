"""The loss in chunks is the loss, and its gradient the gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from memplanner.errors import PlanError
from memplanner.estimate import estimate
from memplanner.estimate.recorder import Recorder
from memplanner.plan import Plan
from memplanner.techniques.chunked_loss import (
    IGNORED,
    ChunkedCrossEntropy,
    RecomputedCrossEntropy,
    Targets,
    chunk_loss,
)
from memplanner.techniques.loss import check_head
from memplanner.techniques.prepare import check, prepare
from tests.estimate.recordings import CPU, H100, META, planned, record_whole, tiny

CHUNKED = {"loss__method": "chunked", "loss__chunks": 4}
RECOMPUTED = {"loss__method": "recomputed", "loss__chunks": 4}
BOTH = pytest.mark.parametrize("function", [ChunkedCrossEntropy, RecomputedCrossEntropy])
TINY = {
    "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "use_cache": False,
}  # fmt: skip


def head_gradients(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, labels: torch.Tensor,
    chunks: int | None, function: Any = ChunkedCrossEntropy,
) -> list[torch.Tensor]:  # fmt: skip
    """The loss and three gradients: in chunks, or for None as torch computes them."""
    given = [part.clone().requires_grad_() for part in (hidden, weight, bias)]
    if chunks is None:
        logits = F.linear(*given).float()
        loss = F.cross_entropy(logits, labels, ignore_index=IGNORED)
    else:
        targets = Targets(labels, (labels != IGNORED).sum(), IGNORED)
        loss = function.apply(*given, targets, chunks, None)
    (3 * loss).backward()
    return [loss.detach(), *(part.grad for part in given)]  # type: ignore[misc]  # all have one


@BOTH
@settings(deadline=None, max_examples=60)
@given(
    positions=st.integers(1, 40),
    vocabulary=st.integers(2, 60),
    chunks=st.integers(2, 50),
    ignored=st.floats(0, 0.9),
    seed=st.integers(0, 2**31),
)
def test_loss_and_gradients_are_torchs_within_rounding(
    function: Any, positions: int, vocabulary: int, chunks: int, ignored: float, seed: int
) -> None:
    torch.manual_seed(seed)
    labels = torch.randint(0, vocabulary, (positions,))
    labels[torch.rand(positions) < ignored] = IGNORED
    labels[0] = 0
    hidden, weight = torch.randn(positions, 8), torch.randn(vocabulary, 8)
    parts = hidden.double(), weight.double(), torch.randn(vocabulary).double()
    expected = head_gradients(*(part.float() for part in parts), labels, None)
    found = head_gradients(*(part.float() for part in parts), labels, chunks, function)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("chunks", [2, 32])
def test_in_half_precision_gradients_are_as_near_as_torchs(dtype: torch.dtype, chunks: int) -> None:
    """Nearer than four of the type's steps to those in double precision, as torch's own are."""
    torch.manual_seed(0)
    labels = torch.randint(0, 500, (256,))
    parts = [torch.randn(256, 64), torch.randn(500, 64) / 8, torch.zeros(500)]
    half = [part.to(dtype) for part in parts]
    exact = head_gradients(*(part.double() for part in half), labels, None)
    step = torch.finfo(dtype).eps
    for found in (
        head_gradients(*half, labels, None),
        head_gradients(*half, labels, chunks),
        head_gradients(*half, labels, chunks, RecomputedCrossEntropy),
    ):
        for one, other in zip(found[1:], exact[1:], strict=True):
            error = (one.double() - other).norm() / other.norm()
            assert error < 4 * step


@BOTH
@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False)])
def test_only_wanted_gradients_are_made(function: Any, wanted: tuple[bool, ...]) -> None:
    """A frozen head takes no gradient of its own."""
    torch.manual_seed(0)
    given = [torch.randn(6, 4), torch.randn(5, 4), torch.randn(5)]
    for part, wants in zip(given, wanted, strict=True):
        part.requires_grad_(wants)
    targets = Targets(torch.randint(0, 5, (6,)), 6, IGNORED)
    function.apply(*given, targets, 2, None).backward()
    assert tuple(part.grad is not None for part in given) == wanted


def llama(**changes: Any) -> Any:
    torch.manual_seed(1)
    config = transformers.LlamaConfig(**{**TINY, **changes})
    return transformers.LlamaForCausalLM(config).train()


def batch(**more: Any) -> dict[str, Any]:
    ids = torch.arange(24).view(2, 12) % 31
    labels = ids.clone()
    labels[0, :3] = IGNORED
    return {"input_ids": ids, "labels": labels, **more}


@pytest.mark.parametrize("recomputed", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("more", [{}, {"num_items_in_batch": 40}], ids=["mean", "counted"])
def test_a_model_learns_what_it_did(tied: bool, more: dict[str, Any], recomputed: bool) -> None:
    plain, chunked = llama(tie_word_embeddings=tied), llama(tie_word_embeddings=tied)
    chunk_loss(chunked, 5, recomputed=recomputed)
    expected, found = plain(**batch(**more)), chunked(**batch(**more))
    torch.testing.assert_close(found.loss, expected.loss)
    assert found.logits is None
    assert expected.logits is not None
    expected.loss.backward()
    found.loss.backward()
    for one, other in zip(chunked.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_capped_logits_are_followed() -> None:
    """With a cap that bends them: gradients are the plain model's, and its configuration stays."""
    made = []
    for chunks, recomputed in ((None, False), (5, False), (5, True)):
        torch.manual_seed(1)
        config = transformers.Gemma2Config(
            **TINY, head_dim=8, final_logit_softcapping=0.05, initializer_range=0.3
        )
        model = transformers.Gemma2ForCausalLM(config).train()
        if chunks is not None:
            chunk_loss(model, chunks, recomputed=recomputed)
        model(**batch()).loss.backward()
        assert model.config.final_logit_softcapping == 0.05
        made.append([part.grad for part in model.parameters()])
    for others in made[1:]:
        for one, other in zip(made[0], others, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_elsewhere_the_model_is_as_it_was() -> None:
    plain, chunked = llama(), llama()
    chunk_loss(chunked, 4)
    ids = batch()["input_ids"]
    assert torch.equal(chunked(input_ids=ids).logits, plain(input_ids=ids).logits)
    one, other = chunked.eval()(**batch()), plain.eval()(**batch())
    assert torch.equal(one.logits, other.logits)
    assert torch.equal(one.loss, other.loss)


def test_logits_never_exist_whole() -> None:
    whole, parts = (record_whole(tiny("llama"), planned(**changes)) for changes in ({}, CHUNKED))
    assert (24, 31) in {storage.shape for storage in whole.storages}
    shapes = {storage.shape for storage in parts.storages if 31 in storage.shape}
    assert shapes == {(6, 31), (31, 16)}


def test_the_head_is_who_takes_it() -> None:
    tape = record_whole(tiny("llama"), planned(**CHUNKED))
    owners = {
        tape.module_names[int(tape.module[number])]
        for number, storage in enumerate(tape.storages)
        if storage.shape == (6, 31)
    }
    assert owners == {"lm_head"}


@pytest.mark.parametrize("changes", [CHUNKED, RECOMPUTED], ids=["once", "twice"])
@pytest.mark.parametrize("target", [CPU, H100], ids=["cpu", "cuda"])
@pytest.mark.parametrize("point", [(2, 64), (3, 100), (5, 33), (1, 256)])
def test_other_shapes_follow_from_recordings(
    changes: dict[str, Any], target: Any, point: tuple[int, int]
) -> None:
    """Even chunks follow forms; uneven ones are recorded anew."""
    records = Recorder(tiny("llama", max_position_embeddings=512))
    records.tape(planned(2, 32, **changes), target)
    plan = planned(*point, **changes)
    tape, _ = records.tape(plan, target)
    assert tape.curve_bytes.max() == record_whole(records.model, plan, target).curve_bytes.max()


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_a_model_without_such_a_head_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match=r"is none; choose loss\.method=whole"):
        prepare(tiny(name), planned(**CHUNKED), CPU, META)


def test_a_module_of_ones_own_is_refused() -> None:
    with pytest.raises(PlanError, match="Linear is none"):
        check_head(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"quantization__method": "nf4", "quantization__layers": "all"}, "QuantizedLinear"),
        ({"adapters__target_modules": "q_proj, lm_head"}, "peft's Linear"),
    ],
)
def test_a_head_that_is_no_plain_layer_is_refused(values: dict[str, Any], kind: str) -> None:
    plan = planned(**CHUNKED, adapters__method="lora", **values)
    with pytest.raises(PlanError, match=f"this one is .*{kind}; leave the head out"):
        prepare(tiny("llama"), plan, CPU, META)


@pytest.mark.parametrize("name", ["t5"])
def test_a_loss_that_chunks_cannot_follow_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match=r"more between its head and its loss than chunks"):
        estimate(tiny(name), planned(**CHUNKED), "cpu")


def test_a_scaled_loss_is_refused() -> None:
    plan = Plan().with_values({"loss.method": "chunked", "precision": "fp16_mixed"})
    with pytest.raises(PlanError, match=r"choose precision=bf16_mixed or loss\.method=recomp"):
        check(plan, H100)
    check(plan.with_values({"loss.method": "recomputed"}), H100)


def test_a_scaled_loss_keeps_small_gradients_where_it_is_computed_twice() -> None:
    """Those of fp16 logits, below the smallest number that the type knows."""
    torch.manual_seed(0)
    labels = torch.randint(0, 50, (64,))
    hidden, weight = torch.randn(64, 16).half(), (torch.randn(50, 16) / 4).half()
    found = {}
    for function in (ChunkedCrossEntropy, RecomputedCrossEntropy):
        given = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
        loss = function.apply(*given, None, Targets(labels, 2.0**26, IGNORED), 4, None)
        (loss * 2.0**26).backward()
        found[function] = given[1].grad
    exact = weight.double().requires_grad_()
    F.cross_entropy(F.linear(hidden.double(), exact), labels, reduction="sum").backward()
    assert exact.grad is not None
    torch.testing.assert_close(
        found[RecomputedCrossEntropy].double(), exact.grad, rtol=1e-2, atol=1e-2
    )
    assert not found[ChunkedCrossEntropy].any(), "all vanished"

from __future__ import annotations

from typing import Any

import pytest
import torch

from memplanner.errors import SourceError
from memplanner.model.counting import count
from memplanner.model.losses import loss_of
from memplanner.model.recipe import shapes
from tests.model.small_models import CPU, META, SMALL, small_model

BART = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}
PICTURE = {**SMALL, "image_size": 32, "patch_size": 8}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("LlamaForCausalLM", SMALL),
    ("LlamaForSequenceClassification", SMALL),
    ("MixtralForCausalLM", {**SMALL, "num_local_experts": 4, "num_key_value_heads": 2}),
    ("GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99}),
    ("BertForMaskedLM", SMALL),
    ("BertForSequenceClassification", {**SMALL, "num_labels": 3}),
    ("BertForTokenClassification", SMALL),
    ("BertForQuestionAnswering", SMALL),
    ("BertForMultipleChoice", SMALL),
    ("BertForPreTraining", SMALL),
    ("BertModel", SMALL),
    ("T5ForConditionalGeneration",
     {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4, "vocab_size": 99}),
    ("BartForConditionalGeneration", {**BART, "vocab_size": 99, "max_position_embeddings": 64}),
    ("BartForSequenceClassification", {**BART, "vocab_size": 99, "max_position_embeddings": 64}),
    ("ViTForImageClassification", {**PICTURE, "num_labels": 7}),
    ("ViTMAEForPreTraining", {**PICTURE, "decoder_hidden_size": 32, "decoder_num_hidden_layers": 1,
                              "decoder_num_attention_heads": 4, "decoder_intermediate_size": 48}),
    ("ResNetForImageClassification",
     {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}),
    ("ConvNextForImageClassification",
     {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    ("SwinForImageClassification", {"image_size": 32, "embed_dim": 8, "depths": [2, 2],
                                    "num_heads": [2, 2], "window_size": 4}),
    ("WhisperForConditionalGeneration", BART),
    ("Wav2Vec2ForCTC", {**SMALL, "vocab_size": 32, "num_conv_pos_embedding_groups": 4}),
    ("ASTForAudioClassification", {**SMALL, "max_length": 64, "num_mel_bins": 32}),
]  # fmt: skip


@pytest.mark.parametrize(("class_name", "config"), CASES)
def test_the_batch_trains_the_class(class_name: str, config: dict[str, Any]) -> None:
    model = small_model(class_name, **config)
    module = model.build(CPU)
    batch = model.batch(2, 12, CPU)

    loss = model.loss(module(**batch))
    loss.backward()

    assert loss.dim() == 0
    assert torch.isfinite(loss)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    assert shapes(batch) == shapes(model.batch(2, 12, META))


def test_the_sequence_length_changes_only_what_has_a_sequence() -> None:
    text = small_model("LlamaForCausalLM", **SMALL)
    picture = small_model("ViTForImageClassification", **PICTURE)

    assert text.batch(3, 5, META)["input_ids"].shape == (3, 5)
    assert text.takes_sequence
    assert shapes(picture.batch(3, 5, META)) == shapes(picture.batch(3, 9, META))
    assert not picture.takes_sequence


def test_made_up_tokens_are_valid_and_the_same_each_time() -> None:
    model = small_model("LlamaForCausalLM", **SMALL, eos_token_id=7, bos_token_id=0)
    ids = model.batch(4, 64, CPU)["input_ids"]

    assert ids.dtype == torch.int64
    assert 0 < ids.min() <= ids.max() < 99
    assert not (ids == 7).any()
    assert torch.equal(ids, model.batch(4, 64, CPU)["input_ids"])


def test_weightless_and_real_modules_have_the_same_tensors() -> None:
    model = small_model("GPT2LMHeadModel", n_embd=32, n_layer=2, n_head=4, vocab_size=99)
    weightless, real = model.build(META), model.build(CPU)

    def described(module: torch.nn.Module) -> list[tuple[object, ...]]:
        return [(name, p.shape, p.dtype, p.requires_grad) for name, p in module.named_parameters()]

    assert described(weightless) == described(real)
    assert weightless.get_parameter("transformer.wte.weight") is weightless.get_submodule(
        "lm_head"
    ).get_parameter("weight")
    assert count(real).parameters == model.parameter_count


def test_tied_embeddings_count_once() -> None:
    tied = small_model("LlamaForCausalLM", **SMALL, tie_word_embeddings=True)
    apart = small_model("LlamaForCausalLM", **SMALL, tie_word_embeddings=False)

    assert apart.parameter_count - tied.parameter_count == 99 * 32
    assert tied.build(META).config.use_cache is False


def test_frozen_parameters_count_as_parameters_that_do_not_train() -> None:
    whisper = small_model("WhisperForConditionalGeneration", **BART)
    assert whisper.parameter_count - whisper.trainable_parameter_count == 1500 * 32


def test_attention_is_switched_in_one_module_and_no_other() -> None:
    model = small_model("LlamaForCausalLM", **SMALL)
    first, second = model.build(META), model.build(META)
    assert model.set_attention is not None

    model.set_attention(first, "eager")
    assert (first.config._attn_implementation, second.config._attn_implementation) == (
        "eager",
        "sdpa",
    )
    model.set_attention(first, "flash")
    assert first.config._attn_implementation == "sdpa"


def test_a_class_without_fused_attention_is_left_as_it_is() -> None:
    model = small_model(
        "ResNetForImageClassification", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]
    )
    module = model.build(META)
    assert model.set_attention is not None
    model.set_attention(module, "flash")
    assert module.config._attn_implementation == "eager"


def test_positions_after_the_padding_row_are_what_is_left() -> None:
    roberta = {**SMALL, "max_position_embeddings": 66, "pad_token_id": 1}
    assert small_model("RobertaForMaskedLM", **roberta).max_sequence_length == 64
    opt = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
    opt |= {"vocab_size": 99, "max_position_embeddings": 64, "word_embed_proj_dim": 32}
    assert small_model("OPTForCausalLM", **opt).max_sequence_length == 64


def test_a_class_without_a_loss_says_so() -> None:
    assert "no loss" in " ".join(small_model("BertModel", **SMALL).notes)
    assert small_model("BertForMaskedLM", **SMALL).notes == ()


def test_the_loss_is_found_wherever_a_model_returns_it() -> None:
    weight = torch.ones(3, requires_grad=True)

    class Output:
        loss = weight.sum()

    assert loss_of(Output()) == 3
    assert loss_of({"loss": weight.sum(), "other": weight * 2}) == 3
    assert loss_of({"x": torch.ones(2), "y": weight * 2}) == 6
    assert loss_of((weight * 2, weight)) == 6
    with pytest.raises(SourceError, match="without a loss"):
        loss_of("nothing")

"""Small language models of many architectures."""

from __future__ import annotations

import transformers

from tests.truth.small import Small

_TINY_TEXT = {"vocab_size": 512, "use_cache": False}
_TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
_TINY_ENCODER = {
    "hidden_size": 64,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
_TINY_PAIR = {
    "d_model": 64,
    "encoder_layers": 5,
    "decoder_layers": 5,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
}

TEXT: dict[str, Small] = {
    "mistral, sliding window": Small(
        "MistralForCausalLM",
        lambda: transformers.MistralConfig(
            num_hidden_layers=6, sliding_window=16, **_TINY, **_TINY_TEXT
        ),
    ),
    "gemma-3, local and global": Small(
        "Gemma3ForCausalLM",
        lambda: transformers.Gemma3TextConfig(
            num_hidden_layers=14, head_dim=16, sliding_window=16, **_TINY, **_TINY_TEXT
        ),
    ),
    "qwen3": Small(
        "Qwen3ForCausalLM",
        lambda: transformers.Qwen3Config(num_hidden_layers=6, head_dim=16, **_TINY, **_TINY_TEXT),
    ),
    "gpt-neox": Small(
        "GPTNeoXForCausalLM",
        lambda: transformers.GPTNeoXConfig(
            max_position_embeddings=128, **_TINY_ENCODER, **_TINY_TEXT
        ),
    ),
    "phi": Small(
        "PhiForCausalLM",
        lambda: transformers.PhiConfig(num_hidden_layers=6, **_TINY, **_TINY_TEXT),
    ),
    "mixtral": Small(
        "MixtralForCausalLM",
        lambda: transformers.MixtralConfig(
            num_hidden_layers=6, num_local_experts=4, **_TINY, **_TINY_TEXT
        ),
    ),
    "deepseek-v3, latent attention": Small(
        "DeepseekV3ForCausalLM",
        lambda: transformers.DeepseekV3Config(
            num_hidden_layers=7, first_k_dense_replace=1, n_routed_experts=8,
            num_experts_per_tok=2, n_group=2, topk_group=1, moe_intermediate_size=32,
            q_lora_rank=32, kv_lora_rank=16, qk_rope_head_dim=8, v_head_dim=16,
            qk_nope_head_dim=16, n_shared_experts=1,
            **{**_TINY, "num_key_value_heads": 4}, **_TINY_TEXT,
        ),
    ),
    "gpt-oss": Small(
        "GptOssForCausalLM",
        lambda: transformers.GptOssConfig(
            num_hidden_layers=6, num_local_experts=4, num_experts_per_tok=2, head_dim=16,
            sliding_window=16, **_TINY, **_TINY_TEXT,
        ),
        attention="eager",
    ),
    "bart": Small(
        "BartForConditionalGeneration",
        lambda: transformers.BartConfig(
            max_position_embeddings=128, **_TINY_PAIR, **_TINY_TEXT
        ),
    ),
    "mamba": Small(
        "MambaForCausalLM",
        lambda: transformers.MambaConfig(
            hidden_size=64, num_hidden_layers=6, state_size=8, **_TINY_TEXT
        ),
        attention="eager",
    ),
    "opt": Small(
        "OPTForCausalLM",
        lambda: transformers.OPTConfig(
            hidden_size=64, ffn_dim=128, num_hidden_layers=6, num_attention_heads=4,
            word_embed_proj_dim=64, max_position_embeddings=128, **_TINY_TEXT,
        ),
    ),
    "electra": Small(
        "ElectraForPreTraining",
        lambda: transformers.ElectraConfig(vocab_size=512, embedding_size=32, **_TINY_ENCODER),
    ),
    "llama, grouped queries, eager": Small(
        "LlamaForCausalLM",
        lambda: transformers.LlamaConfig(num_hidden_layers=6, **_TINY, **_TINY_TEXT),
        attention="eager",
    ),
    "gemma-2, local and global": Small(
        "Gemma2ForCausalLM",
        lambda: transformers.Gemma2Config(
            num_hidden_layers=10, head_dim=16, sliding_window=16, **_TINY, **_TINY_TEXT
        ),
        attention="eager",
    ),
    "gpt2, sdpa": Small(
        "GPT2LMHeadModel",
        lambda: transformers.GPT2Config(
            n_embd=64, n_layer=6, n_head=4, n_positions=128, **_TINY_TEXT
        ),
    ),
    "gpt-neo, local": Small(
        "GPTNeoForCausalLM",
        lambda: transformers.GPTNeoConfig(
            hidden_size=64, num_layers=4, num_heads=4, window_size=8,
            attention_types=[[["global", "local"], 2]], max_position_embeddings=128, **_TINY_TEXT,
        ),
        attention="eager",
    ),
    "gpt-j": Small(
        "GPTJForCausalLM",
        lambda: transformers.GPTJConfig(
            n_embd=64, n_layer=5, n_head=4, rotary_dim=8, n_positions=128, **_TINY_TEXT
        ),
        attention="eager",
    ),
    "bloom": Small(
        "BloomForCausalLM",
        lambda: transformers.BloomConfig(hidden_size=64, n_layer=5, n_head=4, **_TINY_TEXT),
        attention="eager",
    ),
    "phi-3": Small(
        "Phi3ForCausalLM",
        lambda: transformers.Phi3Config(
            num_hidden_layers=6, pad_token_id=0, **_TINY, **_TINY_TEXT
        ),
    ),
    "deepseek-v2, latent attention": Small(
        "DeepseekV2ForCausalLM",
        lambda: transformers.DeepseekV2Config(
            num_hidden_layers=6, first_k_dense_replace=1, n_routed_experts=4,
            num_experts_per_tok=2, n_group=2, topk_group=1, moe_intermediate_size=32,
            q_lora_rank=32, kv_lora_rank=16, qk_rope_head_dim=8, v_head_dim=16,
            qk_nope_head_dim=16, n_shared_experts=1,
            **{**_TINY, "num_key_value_heads": 4}, **_TINY_TEXT,
        ),
    ),
    "qwen2 experts, shared": Small(
        "Qwen2MoeForCausalLM",
        lambda: transformers.Qwen2MoeConfig(
            num_hidden_layers=6, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
            shared_expert_intermediate_size=32, **_TINY, **_TINY_TEXT,
        ),
    ),
    "qwen3 experts": Small(
        "Qwen3MoeForCausalLM",
        lambda: transformers.Qwen3MoeConfig(
            num_hidden_layers=6, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
            head_dim=16, **_TINY, **_TINY_TEXT,
        ),
    ),
    "mamba-2": Small(
        "Mamba2ForCausalLM",
        lambda: transformers.Mamba2Config(
            hidden_size=64, num_heads=8, head_dim=16, state_size=8, n_groups=2,
            num_hidden_layers=5, chunk_size=16, **_TINY_TEXT,
        ),
        attention="eager",
    ),
    "falcon mamba": Small(
        "FalconMambaForCausalLM",
        lambda: transformers.FalconMambaConfig(
            hidden_size=64, num_hidden_layers=5, state_size=8, **_TINY_TEXT
        ),
        attention="eager",
    ),
    "t5": Small(
        "T5ForConditionalGeneration",
        lambda: transformers.T5Config(
            d_model=64, d_ff=128, num_layers=5, num_heads=4, d_kv=16, decoder_start_token_id=0,
            dropout_rate=0.0, **_TINY_TEXT,
        ),
    ),
    "bert, masked words": Small(
        "BertForMaskedLM", lambda: transformers.BertConfig(vocab_size=512, **_TINY_ENCODER)
    ),
    "deberta": Small(
        "DebertaForSequenceClassification",
        lambda: transformers.DebertaConfig(
            vocab_size=512, relative_attention=True, pos_att_type=["p2c", "c2p"], **_TINY_ENCODER
        ),
        attention="eager",
    ),
    "deberta-v2": Small(
        "DebertaV2ForMaskedLM",
        lambda: transformers.DebertaV2Config(
            vocab_size=512, relative_attention=True, position_buckets=16, share_att_key=True,
            pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm", **_TINY_ENCODER,
        ),
        attention="eager",
    ),
    "xlnet": Small(
        "XLNetLMHeadModel",
        lambda: transformers.XLNetConfig(
            vocab_size=512, d_model=64, n_layer=5, n_head=4, d_inner=128
        ),
        attention="eager",
    ),
    "esm": Small(
        "EsmForMaskedLM",
        lambda: transformers.EsmConfig(
            vocab_size=33, mask_token_id=32, pad_token_id=1, position_embedding_type="rotary",
            **_TINY_ENCODER,
        ),
    ),
    "modernbert": Small(
        "ModernBertForMaskedLM",
        lambda: transformers.ModernBertConfig(
            vocab_size=512, max_position_embeddings=128, pad_token_id=0, cls_token_id=1,
            sep_token_id=2, local_attention=16, **_TINY_ENCODER,
        ),
    ),
}  # fmt: skip

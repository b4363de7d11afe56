"""Small models of pictures, videos, sound and boxes."""

from __future__ import annotations

import transformers

from tests.truth.small import Small

_TINY_TEXT = {"vocab_size": 512, "use_cache": False}
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

_WAVES = {
    "conv_dim": (16, 16), "conv_stride": (5, 4), "conv_kernel": (10, 8), "vocab_size": 32,
    "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 16, "layerdrop": 0.0,
    "num_conv_pos_embedding_groups": 4, "mask_time_prob": 0.0, "mask_feature_prob": 0.0,
}  # fmt: skip
_DETECTOR = {
    "use_timm_backbone": False, "backbone": None, "use_pretrained_backbone": False,
    "num_queries": 10, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
}  # fmt: skip


def _backbone() -> transformers.ResNetConfig:
    return transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 32, 64], depths=[1, 1, 1, 1],
        out_features=["stage4"], image_size=96,
    )  # fmt: skip


PICTURES_AND_SOUND: dict[str, Small] = {
    "convnext": Small(
        "ConvNextForImageClassification",
        lambda: transformers.ConvNextConfig(
            hidden_sizes=[16, 32, 64, 128], depths=[2, 2, 6, 2], num_labels=10, image_size=64
        ),
        attention="eager",
    ),
    "whisper": Small(
        "WhisperForConditionalGeneration",
        lambda: transformers.WhisperConfig(
            decoder_start_token_id=1, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            suppress_tokens=None, begin_suppress_tokens=None, **_TINY_PAIR, **_TINY_TEXT,
        ),
    ),
    "segformer": Small(
        "SegformerForSemanticSegmentation",
        lambda: transformers.SegformerConfig(
            hidden_sizes=[16, 32, 48, 64], depths=[2, 2, 2, 2], num_labels=5, image_size=64
        ),
        attention="eager",
    ),
    "vit": Small(
        "ViTForImageClassification",
        lambda: transformers.ViTConfig(
            image_size=32, patch_size=8, num_labels=10, **_TINY_ENCODER
        ),
    ),
    "swin": Small(
        "SwinForImageClassification",
        lambda: transformers.SwinConfig(
            image_size=32, patch_size=4, embed_dim=16, depths=[2, 6], num_heads=[2, 2],
            window_size=4, drop_path_rate=0.0, num_labels=10,
        ),
    ),
    "yolos": Small(
        "YolosForObjectDetection",
        lambda: transformers.YolosConfig(
            image_size=[64, 64], patch_size=16, num_detection_tokens=10, **_TINY_ENCODER
        ),
    ),
    "detr": Small(
        "DetrForObjectDetection",
        lambda: transformers.DetrConfig(backbone_config=_backbone(), **_DETECTOR),
        attention="eager",
    ),
    "conditional detr": Small(
        "ConditionalDetrForObjectDetection",
        lambda: transformers.ConditionalDetrConfig(backbone_config=_backbone(), **_DETECTOR),
        attention="eager",
    ),
    "clip": Small(
        "CLIPModel",
        lambda: transformers.CLIPConfig(
            text_config={
                **_TINY_ENCODER, "vocab_size": 512, "max_position_embeddings": 64,
                "eos_token_id": 511, "bos_token_id": 510,
            },
            vision_config={**_TINY_ENCODER, "image_size": 32, "patch_size": 8},
            projection_dim=32,
        ),
    ),
    "videomae": Small(
        "VideoMAEForVideoClassification",
        lambda: transformers.VideoMAEConfig(
            image_size=32, patch_size=16, num_frames=4, tubelet_size=2, num_labels=10,
            **_TINY_ENCODER,
        ),
    ),
    "vivit": Small(
        "VivitForVideoClassification",
        lambda: transformers.VivitConfig(
            image_size=32, num_frames=4, tubelet_size=[2, 16, 16], num_labels=10, **_TINY_ENCODER
        ),
    ),
    "timesformer": Small(
        "TimesformerForVideoClassification",
        lambda: transformers.TimesformerConfig(
            image_size=32, patch_size=16, num_frames=4, num_labels=10, drop_path_rate=0,
            **_TINY_ENCODER,
        ),
        attention="eager",
    ),
    "wav2vec 2, characters": Small(
        "Wav2Vec2ForCTC", lambda: transformers.Wav2Vec2Config(**_WAVES, **_TINY_ENCODER)
    ),
    "hubert, classes": Small(
        "HubertForSequenceClassification",
        lambda: transformers.HubertConfig(classifier_proj_size=32, **_WAVES, **_TINY_ENCODER),
    ),
    "wavlm, frames": Small(
        "WavLMForAudioFrameClassification",
        lambda: transformers.WavLMConfig(**_WAVES, **_TINY_ENCODER),
        attention="eager",
    ),
    "audio spectrogram": Small(
        "ASTForAudioClassification",
        lambda: transformers.ASTConfig(
            max_length=64, num_mel_bins=32, num_labels=10, **_TINY_ENCODER
        ),
    ),
    "depth": Small(
        "DPTForDepthEstimation",
        lambda: transformers.DPTConfig(
            image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3], is_hybrid=False,
            neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=8, **_TINY_ENCODER,
        ),
    ),
}  # fmt: skip

"""The shapes of pictures and sound that a transformers configuration states."""

from __future__ import annotations

from typing import Any

PICTURE_SIDE = 224
"""Of classifiers whose configuration names no size (ResNet, ConvNeXt): that of ImageNet."""
DENSE_SIDE = 800
"""Of detectors and segmenters without one: the shorter side in DETR's training."""
SAMPLES_A_FRAME = 320
"""wav2vec2: 20 ms at 16 kHz."""


def picture_shape(config: Any, *, dense: bool) -> tuple[int, int, int]:
    """Channels, height and width; ``dense`` for a label a pixel or boxes."""
    parts = [config] + [
        getattr(config, name, None) for name in ("vision_config", "encoder", "backbone_config")
    ]
    for part in parts:
        size = getattr(part, "image_size", None)
        if size:
            return int(getattr(part, "num_channels", None) or 3), *sides(size)
    side = DENSE_SIDE if dense else PICTURE_SIDE
    return int(getattr(config, "num_channels", None) or 3), side, side


def sides(size: Any) -> tuple[int, int]:
    """Height and width, however a configuration writes them: a number, a pair or a mapping."""
    if isinstance(size, dict):
        height = int(size.get("height") or size.get("shortest_edge") or PICTURE_SIDE)
        return height, int(size.get("width") or height)
    if isinstance(size, (list, tuple)):
        return int(size[0]), int(size[-1])
    return int(size), int(size)


def sound_shape(config: Any, main_input: str, length: int) -> tuple[int, ...]:
    """The shape of one sample, for a sequence of ``length`` frames where it is free.

    Raw waves are (samples); spectra are (bands, frames) in Whisper and (frames, bands) elsewhere.
    """
    bands = getattr(config, "num_mel_bins", None)
    features = getattr(config, "input_feat_per_channel", None)
    features = features or getattr(config, "feature_projection_input_dim", None)
    if main_input == "input_features" and features:
        return 4 * length, int(features)  # Speech2Text's convolutions leave a frame of four
    if bands and hasattr(config, "max_source_positions"):
        return int(bands), 2 * int(config.max_source_positions)  # Whisper: always 30 seconds
    if bands and hasattr(config, "max_length"):
        return int(config.max_length), int(bands)  # the audio spectrogram transformer
    if main_input == "input_features" and bands:
        return length, int(bands)
    channels = getattr(config, "audio_channels", None)
    samples = length * samples_a_frame(config)
    return (samples,) if channels is None else (int(channels), samples)


def samples_a_frame(config: Any) -> int:
    """How many samples of a wave become one frame."""
    ratio = getattr(config, "inputs_to_logits_ratio", None)
    ratio = ratio() if callable(ratio) else ratio
    return int(ratio or SAMPLES_A_FRAME)


def frames(config: Any, samples: int) -> int:
    """How many frames wav2vec2's convolutions, or those of its kind, make of a wave."""
    kernels, strides = getattr(config, "conv_kernel", ()), getattr(config, "conv_stride", ())
    for kernel, stride in zip(kernels, strides, strict=True):
        samples = (samples - kernel) // stride + 1
    for _ in range(int(getattr(config, "num_adapter_layers", 0) or 0)):
        if getattr(config, "add_adapter", False):
            samples = (samples - 1) // int(config.adapter_stride) + 1
    return samples

"""A cache that keeps every token, of layers with sliding attention too."""

from __future__ import annotations

from typing import Any

from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache


def windowless_cache(config: Any) -> Cache:
    """A cache for a model of this configuration."""
    text = config.get_text_config(decoder=True)
    cache = DynamicCache(config=text)
    cache.layers = [
        DynamicLayer() if type(layer).__name__ == "DynamicSlidingWindowLayer" else layer
        for layer in cache.layers
    ]
    if config.is_encoder_decoder:
        return EncoderDecoderCache(cache, DynamicCache(config=text))
    return cache

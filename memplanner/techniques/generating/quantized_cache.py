"""A cache whose older keys and values are kept in few bits.

As in KIVI (Liu et al. 2024, arXiv:2402.02750) the latest tokens stay whole and are packed together
when there are enough of them; unlike there, keys are grouped by token as values are. What is packed
is never packed again. A prompt is packed as soon as it was read. Layers of another kind (sliding
windows, states) are kept as transformers keeps them.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache

from memplanner.techniques.low_bit.packing import level_table, pack


class Packed:
    """Rows of numbers in few bits, with a scale and a minimum for each group of a row."""

    def __init__(self, rows: torch.Tensor, bits: int, group: int) -> None:
        """Packs ``rows``, shaped (…, tokens, size); ``size`` is a multiple of ``group``."""
        self.bits, self.group = bits, group
        grouped = rows.reshape(*rows.shape[:-1], -1, group)
        self.minimum = grouped.amin(-1)
        highest = grouped.amax(-1)
        self.scale = highest.sub_(self.minimum).div_(2**bits - 1)
        divisor = torch.where(self.scale == 0, torch.ones_like(self.scale), self.scale)
        levels = (grouped - self.minimum.unsqueeze(-1)).div_(divisor.unsqueeze(-1))
        codes = levels.round_().clamp_(0, 2**bits - 1).to(torch.uint8)
        self.codes = pack(codes.reshape(-1), bits).view(*rows.shape[:-1], -1)

    def append(self, other: Packed) -> None:
        """Puts the tokens of ``other`` behind these."""
        self.codes = torch.cat([self.codes, other.codes], dim=-2)
        self.scale = torch.cat([self.scale, other.scale], dim=-2)
        self.minimum = torch.cat([self.minimum, other.minimum], dim=-2)

    def chosen(self, rows: torch.Tensor) -> None:
        """Keeps the texts ``rows`` of the batch, as beam search chooses them."""
        self.codes, self.scale, self.minimum = (
            part.index_select(0, rows) for part in (self.codes, self.scale, self.minimum)
        )

    def expanded(self, table: torch.Tensor) -> torch.Tensor:
        """The rows, in the type of their scales; ``table`` has the codes in each byte."""
        shape = (*self.codes.shape[:-1], -1, self.group)
        if self.bits == 8:
            values = self.codes.to(self.scale.dtype)
        else:
            values = torch.index_select(table, 0, self.codes.view(-1).to(torch.int32))
        values = values.view(shape).mul_(self.scale.unsqueeze(-1))
        return values.add_(self.minimum.unsqueeze(-1)).flatten(-2)


class LowBitLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """Keys and values of one layer."""

    is_croppable = False

    def __init__(self, bits: int, group: int, residual: int, left_whole: int = 0) -> None:
        super().__init__()
        self.bits, self.group, self.residual = bits, group, residual
        self.left_whole = left_whole
        """Tokens of the prompt that are left whole, as if they had been written one by one."""
        self.packed_keys: Packed | None = None
        self.packed_values: Packed | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Makes the empty tensors of the latest tokens, and the table that expands the others."""
        for states in (key_states, value_states):
            if states.shape[-1] % self.group:
                raise ValueError(
                    f"a head of {states.shape[-1]} numbers is no multiple of groups of {self.group}"
                )
        super().lazy_initialization(key_states, value_states)
        levels = torch.arange(2**self.bits, dtype=key_states.dtype)
        table = levels if self.bits == 8 else level_table(levels, self.bits)
        self.table = table.to(key_states.device)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values, those of packed tokens expanded."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self.packed_keys is None or self.packed_values is None:
            packed = key_states.shape[-2] - self.left_whole
            self.packed_keys = Packed(key_states[..., :packed, :], self.bits, self.group)
            self.packed_values = Packed(value_states[..., :packed, :], self.bits, self.group)
            if self.left_whole:
                self.keys = key_states[..., packed:, :].clone()
                self.values = value_states[..., packed:, :].clone()
            return key_states, value_states
        self.keys = torch.cat([self.keys, key_states], dim=-2)
        self.values = torch.cat([self.values, value_states], dim=-2)
        keys = torch.cat([self.packed_keys.expanded(self.table), self.keys], dim=-2)
        values = torch.cat([self.packed_values.expanded(self.table), self.values], dim=-2)
        if self.keys.shape[-2] >= self.residual:
            self.packed_keys.append(Packed(self.keys, self.bits, self.group))
            self.packed_values.append(Packed(self.values, self.bits, self.group))
            self.keys, self.values = self.keys.new_empty(0), self.values.new_empty(0)
        return keys, values

    def get_seq_length(self) -> int:
        """Tokens kept, packed or whole."""
        packed = 0 if self.packed_keys is None else self.packed_keys.codes.shape[-2]
        whole = 0 if self.keys is None or self.keys.dim() < 2 else self.keys.shape[-2]
        return int(packed + whole)

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keeps the texts that beam search has chosen."""
        if self.packed_keys is None or self.packed_values is None:
            return
        self.packed_keys.chosen(beam_idx)
        self.packed_values.chosen(beam_idx)
        if self.keys.dim() > 1:
            self.keys = self.keys.index_select(0, beam_idx)
            self.values = self.values.index_select(0, beam_idx)


def quantized_cache(
    config: Any, bits: int, group: int, residual: int, left_whole: int = 0
) -> Cache:
    """A cache for a model of this configuration; whole attention is kept in few bits.

    Cross-attention is kept as it is: it is made once and read whole for every token.
    """
    text = config.get_text_config(decoder=True)
    cache = DynamicCache(config=text)
    cache.layers = [
        LowBitLayer(bits, group, residual, left_whole) if type(layer) is DynamicLayer else layer
        for layer in cache.layers
    ]
    if config.is_encoder_decoder:
        return EncoderDecoderCache(cache, DynamicCache(config=text))
    return cache

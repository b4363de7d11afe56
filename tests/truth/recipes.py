"""Plain torch models as recipes: what transformers does not cover."""

from __future__ import annotations

_TOKENS = '{"ids": torch.randint(0, 300, (batch_size, sequence_length))}'
_VECTORS = '{"x": torch.randn(batch_size, sequence_length, 32)}'
_PICTURES = '{"x": torch.randn(batch_size, 3, 32, 32)}'


def _tagger(body: str, width: int) -> str:
    """A model that embeds tokens, runs ``self.body`` and predicts them again."""
    return f"""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(300, 64)
        self.body = {body}
        self.head = nn.Linear({width}, 300)

    def forward(self, ids):
        hidden = self.body(self.embed(ids))
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        logits = self.head(hidden)
        return {{"loss": nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())}}
"""


_EMBEDDING_BAG = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.EmbeddingBag(300, 64, mode="mean")
        self.head = nn.Linear(64, 10)

    def forward(self, ids):
        return {"loss": self.head(self.embed(ids)).pow(2).mean()}
"""

_CUSTOM_FUNCTION = """
class Exponential(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        result = x.exp()
        context.save_for_backward(result)
        return result

    @staticmethod
    def backward(context, gradient):
        (result,) = context.saved_tensors
        return gradient * result


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(32, 256)
        self.down = nn.Linear(256, 32)

    def forward(self, x):
        for _ in range(2):
            x = self.down(Exponential.apply(-self.up(x).abs()))
        return {"loss": x.pow(2).mean()}
"""

_TIED_AND_FROZEN = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(300, 64)
        self.frozen = nn.Linear(64, 64).requires_grad_(False)
        self.twice = nn.Linear(64, 64)
        self.head = nn.Linear(64, 300, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        x = torch.relu(self.frozen(self.embed(ids)))
        x = torch.relu(self.twice(torch.relu(self.twice(x))))
        return {"loss": nn.functional.cross_entropy(self.head(x).flatten(0, 1), ids.flatten())}
"""

_UNET = """
def block(before, after):
    return nn.Sequential(
        nn.GroupNorm(4, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1)
    )


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.down = nn.ModuleList([block(16, 16), block(16, 32), block(32, 64)])
        self.middle = block(64, 64)
        self.up = nn.ModuleList([block(128, 32), block(64, 16), block(32, 16)])
        self.last = nn.Conv2d(16, 3, 1)

    def forward(self, x):
        target, kept = x, []
        x = self.first(x)
        for down in self.down:
            x = down(x)
            kept.append(x)
            x = nn.functional.avg_pool2d(x, 2)
        x = self.middle(x)
        for up in self.up:
            x = nn.functional.interpolate(x, scale_factor=2)
            x = up(torch.cat([x, kept.pop()], 1))
        return {"loss": nn.functional.mse_loss(self.last(x), target)}
"""

_MULTIHEAD = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(32, 64)
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
        self.norm = nn.LayerNorm(64)
        self.head = nn.Linear(64, 1)

    def forward(self, x):
        hidden = self.first(x)
        attended, _ = self.attention(hidden, hidden, hidden)
        return {"loss": self.head(self.norm(hidden + attended)).pow(2).mean()}
"""

_CELLS = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(32, 64)
        self.head = nn.Linear(64, 1)

    def forward(self, x):
        state = torch.zeros(x.shape[0], 64), torch.zeros(x.shape[0], 64)
        for place in range(x.shape[1]):
            state = self.cell(x[:, place], state)
        return {"loss": self.head(state[0]).pow(2).mean()}
"""

_MODELS = {
    "LSTM": (_tagger("nn.LSTM(64, 96, 2, batch_first=True)", 96), _TOKENS),
    "bidirectional GRU": (_tagger("nn.GRU(64, 96, 2, bidirectional=True)", 192), _TOKENS),
    "nn.TransformerEncoder": (
        _tagger(
            "nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 6)", 64
        ),
        _TOKENS,
    ),
    "embedding bag": (_EMBEDDING_BAG, _TOKENS),
    "custom autograd function": (_CUSTOM_FUNCTION, _VECTORS),
    "tied weights, a frozen part": (_TIED_AND_FROZEN, _TOKENS),
    "U-Net": (_UNET, _PICTURES),
    "nn.MultiheadAttention": (_MULTIHEAD, _VECTORS),
    "LSTM cells in a loop": (_CELLS, _VECTORS),
}

RECIPES = {
    name: f"""import torch
from torch import nn

{model}

def model():
    return Model()


def batch(batch_size, sequence_length):
    return {batch}
"""
    for name, (model, batch) in _MODELS.items()
}

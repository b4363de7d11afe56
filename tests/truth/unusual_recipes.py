"""Models that do what tensors without values make hard, as recipes."""

from __future__ import annotations

from textwrap import indent
from typing import NamedTuple

_TEMPLATE = """import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

{definitions}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(32, 64)
        self.down = nn.Linear(64, 32)
{init}

    def forward(self, x):
{forward}


def model():
    return Model()


def batch(batch_size, sequence_length):
    return {{"x": torch.randn(batch_size, sequence_length, 32)}}
"""


class _Recipe(NamedTuple):
    """What is special of a model: its forward, more parts, what is defined before it."""

    forward: str
    init: str = ""
    definitions: str = ""

    def source(self) -> str:
        """The recipe's text."""
        return _TEMPLATE.format(
            definitions=self.definitions.strip(),
            init=indent(self.init.strip(), 8 * " "),
            forward=indent(self.forward.strip(), 8 * " "),
        )


_EXPERTS = """
class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.router = nn.Linear(32, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 32)) for _ in range(4)
        )

    def forward(self, x):
        flat = x.reshape(-1, 32)
        weight, chosen = self.router(flat).softmax(-1).topk(2, dim=-1)
        out = torch.zeros_like(flat)
{mixing}
        return x + out.view_as(x)
"""


def _experts(mixing: str) -> _Recipe:
    """Six layers of experts; ``mixing`` adds to ``out`` what the chosen ones make of ``flat``."""
    return _Recipe(
        forward="""
for e in self.layers: x = e(x)
return self.down(self.up(x)).pow(2).mean()
""",
        init="self.layers = nn.ModuleList(Experts() for _ in range(6))",
        definitions=_EXPERTS.format(mixing=indent(mixing.strip(), 8 * " ")),
    )


_MODELS: dict[str, _Recipe] = {
    "data-dependent branch": _Recipe(
        forward="""
h = self.up(x)
if h.mean() > 100: h = h.repeat(4, 1, 1)
return self.down(h).pow(2).mean()
""",
    ),
    "nonzero": _Recipe(
        forward="""
h = self.up(x)
where = (h[..., 0] > -1e9).nonzero()
h = h[where[:, 0], where[:, 1]]
return self.down(h).pow(2).mean()
""",
    ),
    "boolean mask": _Recipe(
        forward="""
h = self.up(x)
mask = x.abs().sum(-1) > -1
h = h[mask]
return self.down(h).pow(2).mean()
""",
    ),
    "masked_select, where": _Recipe(
        forward="""
h = self.down(self.up(x))
h = h.masked_select(h.isfinite())
a, b, c = torch.where(x.isfinite())
return h.pow(2).mean() + x[a, b, c].sum()
""",
    ),
    "custom op": _Recipe(
        forward="""
h = scale(self.up(x), 2.0)
with torch.no_grad(): shift_(self.stat, 1.0)
return self.down(h + self.stat).pow(2).mean()
""",
        init="""
self.register_buffer("stat", torch.zeros(64))
""",
        definitions="""
@torch.library.custom_op("nasty::scale", mutates_args=())
def scale(x: torch.Tensor, by: float) -> torch.Tensor:
    return torch.from_numpy(x.detach().numpy() * np.float32(by))

def _back(ctx, g):
    return scale(g, ctx.by), None
def _setup(ctx, inputs, output):
    ctx.by = inputs[1]
    ctx.save_for_backward(inputs[0])
scale.register_autograd(_back, setup_context=_setup)

@torch.library.custom_op("nasty::shift_", mutates_args={"x"})
def shift_(x: torch.Tensor, by: float) -> None:
    x.add_(by)
""",
    ),
    "numpy round trip": _Recipe(
        forward="""
h = self.up(x)
n = np.tanh(h.detach().cpu().numpy())
h = h + torch.from_numpy(n).to(h.device)
return self.down(h).pow(2).mean()
""",
    ),
    "checks values": _Recipe(
        forward="""
h = self.up(x)
if torch.isnan(h).any(): raise ValueError('NaN')
if not torch.isfinite(h).all(): raise ValueError('inf')
assert h.shape[0] == x.shape[0]
if (h.abs().max() > 1e6).item(): raise ValueError('big')
if torch.isnan(h.sum()): raise ValueError
return self.down(h).pow(2).mean()
""",
    ),
    "sort, topk": _Recipe(
        forward="""
h = self.up(x)
v, i = h.norm(dim=-1).topk(max(1, x.shape[1] // 2), dim=1)
h = torch.gather(h, 1, i[..., None].expand(-1, -1, 64))
o = h.mean(-1).argsort(1)
h = torch.take_along_dim(h, o[..., None], 1)
return self.down(h).pow(2).mean()
""",
    ),
    "experts, tolist": _experts("""
counts = torch.bincount(chosen.flatten(), minlength=4).tolist()
order = chosen.flatten().argsort()
rows = flat[order // 2].split(counts)
done = torch.cat([expert(part) for expert, part in zip(self.experts, rows) if len(part)])
out = out.index_add(0, order // 2, done * weight.flatten()[order, None])
"""),
    "experts, where": _experts("""
mask = F.one_hot(chosen, 4).permute(2, 1, 0)
hit = (mask.sum((-1, -2)) > 0).nonzero()
for expert in hit:
    expert = expert[0]
    slot, token = torch.where(mask[expert])
    out.index_add_(0, token, self.experts[expert](flat[token]) * weight[token, slot, None])
"""),
    "no_grad in place": _Recipe(
        forward="""
h = self.up(x)
with torch.no_grad():
    self.mean.mul_(0.9).add_(h.mean((0, 1)), alpha=0.1)
    self.count += 1
return self.down(h - self.mean).pow(2).mean()
""",
        init="""
self.register_buffer("mean", torch.zeros(64))
self.register_buffer("count", torch.zeros((), dtype=torch.long))
""",
    ),
    "functional transforms": _Recipe(
        forward="""
h = torch.func.vmap(self.up)(x)
g = torch.func.vmap(torch.func.grad(lambda v: self.down(v).pow(2).sum()))(h.reshape(-1, 64))
return self.down(h).pow(2).mean() + g.sum()
""",
    ),
    "hooks": _Recipe(
        forward="return self.down(self.up(x)).pow(2).mean()",
        init="""
self.up.register_forward_hook(lambda m, i, o: o.relu())
self.down.register_forward_pre_hook(lambda m, i: (i[0] * 2,))
self.up.register_full_backward_hook(lambda m, gi, go: None)
self.up.weight.register_hook(lambda g: g * 2)
""",
    ),
    "parametrizations": _Recipe(
        forward="return self.down(self.up(x)).pow(2).mean()",
        init="""
torch.nn.utils.parametrizations.weight_norm(self.up)
torch.nn.utils.parametrizations.spectral_norm(self.down)
self.extra = torch.nn.utils.parametrizations.orthogonal(nn.Linear(8, 8))
""",
    ),
    "keyword-only, a dataclass returned": _Recipe(
        forward="""
out = self.inner(x=x)
return Out(loss=self.down(out.hidden).pow(2).mean(), hidden=out.hidden)
""",
        init="self.inner = Inner()",
        definitions="""
import dataclasses
@dataclasses.dataclass
class Out:
    hidden: torch.Tensor
    loss: torch.Tensor = None
class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(32, 64)
    def forward(self, *, x):
        return Out(hidden=self.l(x))
""",
    ),
    "compiled": _Recipe(
        forward="return self.down(self.c(x)).pow(2).mean()",
        # by no compiler of C++, which would take longest of all that is here
        init="""
self.c = torch.compile(nn.Sequential(nn.Linear(32, 64), nn.GELU()), backend="aot_eager")
""",
    ),
    "distributions": _Recipe(
        forward="""
d = torch.distributions.Normal(self.up(x), F.softplus(self.up(x)) + .1)
z = d.rsample()
standard = torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z))
kl = torch.distributions.kl_divergence(d, standard)
c = torch.distributions.Categorical(logits=self.down(z))
a = c.sample()
return kl.mean() - c.log_prob(a).mean()
""",
    ),
    "packed sequence": _Recipe(
        forward="""
lengths = (x[..., 0] > -9).sum(1).cpu()
p = nn.utils.rnn.pack_padded_sequence(self.up(x), lengths, True, False)
h, _ = nn.utils.rnn.pad_packed_sequence(p, batch_first=True)
return self.down(h).pow(2).mean()
""",
    ),
    "python loop over items": _Recipe(
        forward="""
h = self.up(x)
outs = []
for i in range(int((x.abs().sum((1, 2)) > 0).sum())):
    outs.append(self.down(h[i]))
return torch.stack(outs).pow(2).mean()
""",
    ),
    "transforms and decompositions": _Recipe(
        forward="""
h = torch.fft.irfft(torch.fft.rfft(self.up(x)))
u, s, v = torch.linalg.svd(h)
q, r = torch.linalg.qr(h)
return self.down(h).pow(2).mean() + s.sum()+ q.sum()
""",
    ),
    "a loop until nothing is left": _Recipe(
        forward="""
h = self.up(x)
scores = h.mean(-1)
kept = []
order = scores[0].argsort()
while order.numel() > 0:
    i = order[0]
    kept.append(i)
    order = order[1:][(h[0, order[1:]] - h[0, i]).norm(dim=-1) > 100.]
return self.down(h[0, torch.stack(kept)]).pow(2).mean()
""",
    ),
    "ctc loss": _Recipe(
        forward="""
h = self.down(self.up(x)).log_softmax(-1).transpose(0, 1)
t = torch.randint(1, 32, (x.shape[0], 4), device=x.device)
long = torch.full((x.shape[0],), x.shape[1], device=x.device)
return F.ctc_loss(h, t, long, torch.full_like(long, 4))
""",
    ),
    "memory read through a pointer": _Recipe(
        forward="""
h = self.check(self.up(x))
return self.down(h).pow(2).mean()
""",
        init="self.check = Check()",
        definitions="""
import ctypes
class Check(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(64, 64)
    def forward(self, x):
        pointer = x.data_ptr()
        if not pointer: raise ValueError("no memory")
        first = ctypes.c_float.from_address(pointer).value
        return torch.sigmoid(self.gate(x)) * x * (1 + 0 * first)
""",
    ),
    "backward reads memory": _Recipe(
        forward="""
h = MyFn.apply(self.up(x))
return self.down(h).pow(2).mean()
""",
        definitions="""
class MyFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2
    @staticmethod
    def backward(ctx, g):
        if g.data_ptr() == 0: raise RuntimeError("no memory")
        return g * 2
""",
    ),
}

UNUSUAL = {name: recipe.source() for name, recipe in _MODELS.items()}

REFUSES_META = _Recipe(
    forward="""
for b in self.blocks: x = b(x, scale=2.)['h']
return self.down(self.up(x).relu()).pow(2).mean()
""",
    init="self.blocks = nn.ModuleList(Block() for _ in range(8))",
    definitions="""
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(32, 128)
        self.b = nn.Linear(128, 32)
        self.norm = nn.LayerNorm(32)
    def forward(self, x, *, scale):
        if x.is_meta: raise RuntimeError('no meta')
        return {"h": x + self.b(F.gelu(self.a(self.norm(x)))) * scale, "n": 3}
""",
).source()

NEEDS_A_CARD = _Recipe(
    forward="""
h = self.check(self.up(x))
return self.down(h).pow(2).mean()
""",
    init="self.check = Check()",
    definitions="""
class Check(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(64, 64)
    def forward(self, x):
        raise RuntimeError("this kernel needs a CUDA device")
""",
).source()

REFUSES_LENGTH = _Recipe(
    forward="return self.down(self.c(self.up(x)).relu()).pow(2).mean()",
    init="self.c=C()",
    definitions="""
class C(nn.Module):
    def forward(self, x):
        if x.shape[1] > 20: raise RuntimeError('no more than 20')
        return x * 2
""",
).source()

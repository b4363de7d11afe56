"""Distillation as scripts write it: a frozen teacher, the student's loss, torch's own functions."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional

from memplanner.plan.distillation import Distillation


class Plain(nn.Module):
    """Teacher and student with one loss; what ``section`` weighs with 0 is not computed."""

    def __init__(self, teacher: Any, student: Any, section: Distillation) -> None:
        super().__init__()
        self.teacher = teacher
        self.student = student
        self.section = section
        self.projection: nn.Module | None = None
        if teacher is not None:
            teacher.requires_grad_(False)
            widths = student.config.hidden_size, teacher.config.hidden_size
            if section.hidden_weight and widths[0] != widths[1]:
                self.projection = nn.Linear(*widths, bias=False)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(self, **batch: Any) -> dict[str, Any]:
        section = self.section
        asked = {}
        if section.hidden_weight:
            asked["output_hidden_states"] = True
        if section.attention_weight:
            asked["output_attentions"] = True
        hidden: list[torch.Tensor] = []
        attention: list[torch.Tensor] = []
        if self.teacher is not None:
            given = {name: value for name, value in batch.items() if name != "labels"}
            dtype = next(self.teacher.parameters()).dtype
            if "pixel_values" in given:
                given["pixel_values"] = given["pixel_values"].to(dtype)
            with torch.no_grad():
                output = self.teacher(**given, **asked)
                logits = output.logits
                learns_from = self._layers()
                if section.hidden_weight:
                    hidden = [output.hidden_states[index] for index in learns_from]
                if section.attention_weight:
                    attention = [output.attentions[index - 1] for index in learns_from]
                del output
        elif section.top_k:
            values = batch.pop("teacher_log_probabilities")
            classes = batch.pop("teacher_classes")
        else:
            logits = batch.pop("teacher_logits")
        heat = section.temperature
        with torch.no_grad():
            if self.teacher is not None and section.top_k:
                logits = logits.float() / heat
                values, classes = logits.topk(section.top_k)
                values = values - torch.logsumexp(logits, -1, keepdim=True)
            elif section.logits_weight and not section.top_k:
                theirs = functional.softmax(logits.float() / heat, -1)
                entropy = torch.special.entr(theirs).sum(-1)
            if self.teacher is not None or not section.top_k:
                del logits
        if not section.label_weight:
            batch.pop("labels")
        learned = self.student(**batch, **asked)
        terms = {}
        if section.label_weight:
            terms["labels"] = learned.loss
        if section.top_k:
            own = learned.logits.float() / heat
            chosen = own.gather(-1, classes) - torch.logsumexp(own, -1, keepdim=True)
            values = values.float()
            rest, own_rest = 1 - values.exp().sum(-1), 1 - chosen.exp().sum(-1)
            rest, own_rest = rest.clamp(min=1.2e-7), own_rest.clamp(min=1.2e-7)
            inside = (values.exp() * (values - chosen)).sum(-1)
            terms["logits"] = heat**2 * (inside + rest * (rest.log() - own_rest.log())).mean()
        elif section.logits_weight:
            own = (learned.logits.float() / heat).flatten(0, -2)
            crossed = functional.cross_entropy(own, theirs.flatten(0, -2))
            terms["logits"] = heat**2 * (crossed - entropy.mean())
            del own
        if section.hidden_weight:
            errors = []
            for state, target in zip(learned.hidden_states[1:], hidden, strict=True):
                seen = state if self.projection is None else self.projection(state)
                errors.append(functional.mse_loss(seen, target.to(seen.dtype)).float())
            terms["hidden"] = torch.stack(errors).mean()
        if section.attention_weight:
            errors = [
                functional.mse_loss(*(maps if maps[0].shape == maps[1].shape else
                             (maps[0].mean(1), maps[1].mean(1)))).float()
                for maps in zip(learned.attentions, attention, strict=True)
            ]  # fmt: skip
            terms["attention"] = torch.stack(errors).mean()
        weights = {"labels": section.label_weight, "logits": section.logits_weight}
        weights |= {"hidden": section.hidden_weight, "attention": section.attention_weight}
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return {"loss": loss, "terms": {name: term.detach() for name, term in terms.items()}}

    def _layers(self) -> list[int]:
        own = self.student.config.num_hidden_layers
        theirs = self.teacher.config.num_hidden_layers
        return [max(round(index * theirs / own), 1) for index in range(1, own + 1)]

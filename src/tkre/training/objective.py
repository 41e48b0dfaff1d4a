"""What fine-tuning minimises: cross-entropy and the parts of the recipe that are on."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.marking import TRIGGERS
from tkre.training.alignment import Alignment
from tkre.training.params import FinetuningParams
from tkre.training.run import Objective


class ClassifierObjective(Objective):
    """Cross-entropy, plus the parts of the recipe that are on.

    Args:
        model: The classifier.
        alignment: Pull to explanations, or None.
        params: Their weights.
    """

    def __init__(
        self, model: RelationClassifier, alignment: Alignment | None, params: FinetuningParams
    ) -> None:
        super().__init__()
        self.model = model
        self.alignment = alignment
        self.params = params

    def forward(self, **batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and every part of it."""
        labels = batch.pop("labels")
        features, scores = self.model.features(**batch)
        loss = F.cross_entropy(self.model.head.classify(features).float(), labels)
        parts = {"classification": loss.detach()}
        if self.alignment is not None:
            dropped = self.model.head.dropout(features)
            pull = self.alignment(dropped.float(), labels)
            assert self.params.alignment is not None
            loss = loss + self.params.alignment.weight * pull
            parts["alignment"] = pull.detach()
        if scores is not None:
            attention = attention_loss(scores, batch["spans"][:, TRIGGERS])
            loss = loss + self.params.trigger_weight * attention
            parts["triggers"] = attention.detach()
        return loss, parts

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The encoder, with what it keeps of a masked-LM head; head and alignment projection."""
        new = list(self.model.head.parameters())
        if self.alignment is not None:
            new += self.alignment.parameters()
        return list(self.model.encoder.parameters()), new


def attention_loss(scores_BT: Tensor, triggers_BT: Tensor) -> Tensor:
    """Cross-entropy of the attention to an even share for each trigger token.

    Rows without a trigger are left out; without any such row the loss is 0.
    """
    target_BT = triggers_BT.float()
    count_B = target_BT.sum(dim=1)
    logs_BT = scores_BT.float().log_softmax(dim=-1)
    # 0 * -inf at padding would be NaN.
    logs_BT = logs_BT.masked_fill(target_BT == 0, 0.0)
    each_B = -(target_BT * logs_BT).sum(dim=1) / count_B.clamp(min=1)
    return each_B.sum() / (count_B > 0).sum().clamp(min=1)

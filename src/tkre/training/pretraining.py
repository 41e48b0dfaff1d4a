"""Further pre-training on knowledge texts: MSLM, then MSLM + SCL, from the first one's weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tkre.corpora.schema import RelationSchema
from tkre.knowledge import KnowledgeText
from tkre.modeling.attention_masks import mask_for
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.contrastive import CONTRASTS
from tkre.modeling.device import on_device
from tkre.modeling.lineage import Step
from tkre.modeling.masked_lm import masked_lm_head
from tkre.modeling.span_masking import IGNORED, EncodedText, Words, encode_texts, mask
from tkre.training.batching import tell_truncated
from tkre.training.embedding import embed
from tkre.training.length_batches import pad
from tkre.training.params import PretrainingParams, StageParams
from tkre.training.run import Objective, train
from tkre.training.surroundings import surroundings


def pretrain(
    start: Checkpoint,
    texts: Sequence[KnowledgeText],
    schema: RelationSchema,
    params: PretrainingParams,
    stage: Literal["mslm", "scl"],
    *,
    data: str,
    seed: int,
    description: str,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Runs one stage.

    Args:
        start: A masked language model; it is not changed.
        texts: What is learnt from.
        schema: The relations; their definitions are the first anchors.
        params: Of both stages.
        stage: ``mslm`` or ``scl``.
        data: Digest of the texts, for the lineage.
        seed: Of order, dropout, masks, and negatives.
        description: Shown with the progress.

    Returns:
        The masked language model after the stage, its lineage one step longer; the losses of
        every step. With 0 epochs both are as they were.
    """
    stage_params: StageParams | None = getattr(params, stage)
    if stage_params is None or not stage_params.epochs or not texts:
        return start, pd.DataFrame(columns=["epoch", "step", "loss"])
    begun = time.perf_counter()
    started_from = weights_digest(start.model)
    torch.manual_seed(seed)
    model = copy.deepcopy(start.model)
    if stage_params.optimisation.freeze_embeddings:
        model.get_input_embeddings().weight.requires_grad_(False)
    contrast = None
    if stage_params.scl_weight:
        with on_device(start.model):
            contrast = _contrast(start, schema, params)
    encoded = encode_texts(texts, start.tokenizer, params.masking)
    tell_truncated(encoded, f"{description} {stage}")
    collator = _Collator(start, schema, params, np.random.default_rng(seed))
    losses = train(
        KnowledgeObjective(model, contrast, stage_params),
        encoded,
        collator,
        stage_params.optimisation,
        epochs=stage_params.epochs,
        seed=seed,
        description=f"{description} {stage}",
    )
    model.requires_grad_(True)
    step = Step(
        stage=stage,
        started_from=started_from,
        weights=weights_digest(model),
        data=data,
        settings=params.settings(stage),
        seconds=time.perf_counter() - begun,
        environment=surroundings(stage_params.optimisation.precision),
    )
    return Checkpoint(model.cpu().eval(), start.tokenizer, start.lineage.then(step)), losses


class KnowledgeObjective(Objective):
    """``l1 * MSLM + l2 * SCL`` over one encoder pass.

    The masked-LM head is applied at hidden positions only: the vocabulary is large, and most of
    its logits would be thrown away.

    Args:
        model: A Hugging Face masked language model.
        contrast: The contrastive loss (``modeling.contrastive``), None to leave it out.
        params: The weights.
    """

    def __init__(self, model: Any, contrast: nn.Module | None, params: StageParams) -> None:
        super().__init__()
        self.model = model
        self.contrast = contrast
        self.weights = (params.mslm_weight, params.scl_weight)

    def forward(self, **batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and both losses."""
        hidden_BTH = self.model.base_model(
            input_ids=batch["input_ids"],
            attention_mask=mask_for(self.model, batch["attention_mask"]),
        ).last_hidden_state
        masked_MH = hidden_BTH.flatten(0, 1).index_select(0, batch["positions"])
        logits = masked_lm_head(self.model)(masked_MH)
        mslm = F.cross_entropy(logits.float(), batch["answers"])
        loss, parts = self.weights[0] * mslm, {"mslm": mslm.detach()}
        if self.contrast is not None:
            scl = self.contrast(hidden_BTH, batch["spans"], batch["others"], batch["relations"])
            loss = loss + self.weights[1] * scl
            parts["scl"] = scl.detach()
        return loss, parts

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The masked language model; anchors and projections."""
        new = [] if self.contrast is None else list(self.contrast.parameters())
        return list(self.model.parameters()), new


class _Collator:
    """A batch of B knowledge texts of T tokens, masked anew each time it is drawn.

    M tokens are hidden: ``positions`` are their places in B * T, ``answers`` what they were.
    """

    def __init__(
        self,
        start: Checkpoint,
        schema: RelationSchema,
        params: PretrainingParams,
        generator: np.random.Generator,
    ) -> None:
        self._words = Words.of(start.tokenizer)
        self._padding = start.tokenizer.pad_token_id
        self._params = params
        self._numbers = {name: n for n, name in enumerate(schema.names)}
        self._generator = generator

    def __call__(self, texts: list[EncodedText]) -> dict[str, Tensor]:
        masked = [mask(t, self._generator, self._words, self._params.masking) for t in texts]
        count = self._params.contrast.other_spans
        others = [other_spans(t, count, self._generator) for t in texts]
        # Where something is hidden is known here: a GPU would have to be waited for to count it.
        labels = pad([labels for _, labels in masked], IGNORED).flatten()
        positions = (labels != IGNORED).nonzero().squeeze(1)
        return {
            "input_ids": pad([ids for ids, _ in masked], self._padding),
            "attention_mask": pad([np.ones(len(t), dtype=np.int64) for t in texts], 0),
            "positions": positions,
            "answers": labels[positions],
            "spans": pad([t.spans for t in texts], False),
            "others": pad(others, False),
            "relations": torch.tensor([self._numbers[t.relation] for t in texts]),
        }


def other_spans(text: EncodedText, count: int, generator: np.random.Generator) -> Any:
    """Spans of a text that say nothing about its relation, as long as the one that does.

    Args:
        text: Whose tokens of role "other" are drawn from, each span contiguous.
        count: How many.
        generator: Of the choice.

    Returns:
        ``count`` x T flags; a row is empty where the text has no such token.
    """
    flags = np.zeros((count, len(text)), dtype=bool)
    starts, stops = text.other_spans
    for row in flags:
        if not len(starts):
            break
        chosen = generator.integers(len(starts))
        row[starts[chosen] : stops[chosen]] = True
    return flags


def _contrast(start: Checkpoint, schema: RelationSchema, params: PretrainingParams) -> nn.Module:
    definitions = [schema.relations[name].definition for name in schema.names]
    symmetric = [schema.inverse_of(name) == name for name in schema.names]
    embedded = embed(start.model.base_model, start.tokenizer, definitions)
    loss = CONTRASTS[params.contrast.loss]
    return loss(embedded, torch.tensor(symmetric), params.contrast)

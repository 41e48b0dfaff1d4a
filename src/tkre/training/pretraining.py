"""Further pre-training on knowledge texts: MSLM, then MSLM + SCL, from the first one's weights.

The contrast of pairs: an encoder learns what explains a relation, read as a classifier reads.

The span contrast of the paper works on bare texts and on the last layer; a classifier reads marked
sentences, and the best one middle layers. What is learnt in one form is of little use in the other.
Here a labelled sentence is marked and pooled as ``modeling.heads.SpanHead`` does it, and pulled to
the explanations and the definition of its relation, away from those of all others (InfoNCE). So an
encoder takes in more synthetic sentences than a classifier is to be trained on. Not in the paper.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn import functional as F

from tkre.core.instance import Instance
from tkre.core.provenance import Step
from tkre.core.schema import RelationSchema
from tkre.generation.texts import KnowledgeText
from tkre.modeling.backbone import masked_lm_head
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.classifier import RelationClassifier, RelationClassifierConfig
from tkre.modeling.losses import CONTRASTS
from tkre.modeling.runtime import mask_for, on_device
from tkre.modeling.span_masking import IGNORED, EncodedText, Words, encode_texts, mask
from tkre.training.alignment import Alignment, explanation_alignment
from tkre.training.batching import log_truncation, pad
from tkre.training.inference import embed
from tkre.training.params import AlignmentParams, PairsParams, PretrainingParams, StageParams
from tkre.training.rows import LabelledRow, collate_labelled, swapped
from tkre.training.trainer import Objective, train, training_environment


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
    log_truncation(encoded, f"{description} {stage}")
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
        environment=training_environment(stage_params.optimisation.precision),
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


def pretrain_pairs(
    start: Checkpoint,
    rows: Sequence[Instance],
    schema: RelationSchema,
    params: PretrainingParams,
    *,
    data: str,
    seed: int,
    description: str,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Runs the stage.

    Args:
        start: A masked language model; it is not changed.
        rows: Labelled sentences, golden and synthetic; explanations are used where they have any.
        schema: The relations.
        params: Of all stages; ``params.pairs`` is this one.
        data: Digest of the rows, for the lineage.
        seed: Of order and dropout.
        description: Shown with the progress.

    Returns:
        The masked language model, the layers that are pooled and those below them trained, all
        else as it was; the losses of every step.

    Raises:
        ValueError: There are no rows, or the parameters do not ask for this stage.
    """
    stage = params.pairs
    if stage is None or not stage.epochs:
        raise ValueError("pretraining.pairs asks for no epoch")
    if not rows:
        raise ValueError(f"{description}: there is no labelled sentence to contrast")
    begun = time.perf_counter()
    started_from = weights_digest(start.model)
    torch.manual_seed(seed)
    reader = _reader(start, schema, stage)
    labels = {name: n for n, name in enumerate(schema.names)}
    shown = [*rows, *(swapped(rows, schema) if stage.swap else ())]
    encoded = reader.encode(shown, start.tokenizer)
    log_truncation(encoded, f"{description} pairs")
    numbers = [labels[str(row.relation)] for row in shown]
    anchors = AlignmentParams(weight=1.0, temperature=stage.temperature)
    with on_device(start.model):
        alignment = explanation_alignment(start, rows, schema, reader.head.size, anchors)
    assert alignment is not None
    losses = train(
        PairObjective(reader, alignment),
        [LabelledRow(e, n) for e, n in zip(encoded, numbers, strict=True)],
        collate_labelled(start.tokenizer.pad_token_id),
        stage.optimisation,
        epochs=stage.epochs,
        seed=seed,
        description=f"{description} pairs",
    )
    model = copy.deepcopy(start.model)
    model.base_model.load_state_dict(reader.encoder.cpu().state_dict(), strict=False)
    step = Step(
        stage="pairs",
        started_from=started_from,
        weights=weights_digest(model),
        data=data,
        settings=params.settings("pairs"),
        seconds=time.perf_counter() - begun,
        environment=training_environment(stage.optimisation.precision),
    )
    return Checkpoint(model.eval(), start.tokenizer, start.lineage.then(step)), losses


class PairObjective(Objective):
    """The pull of a marked pair to what explains its relation.

    Args:
        reader: Gives the features of a pair; what it predicts is not used.
        alignment: The loss over them.
    """

    def __init__(self, reader: RelationClassifier, alignment: Alignment) -> None:
        super().__init__()
        self.reader = reader
        self.alignment = alignment

    def forward(self, **batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, twice: it has no parts."""
        labels = batch.pop("labels")
        features, _ = self.reader.features(**batch)
        # By row: there is no classifier yet that would need every feature on one scale.
        normal = functional.layer_norm(features.float(), features.shape[1:])
        loss = self.alignment(self.reader.head.dropout(normal), labels)
        return loss, {"pairs": loss.detach()}

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The encoder; the projection."""
        return list(self.reader.encoder.parameters()), list(self.alignment.parameters())


def _reader(start: Checkpoint, schema: RelationSchema, stage: PairsParams) -> RelationClassifier:
    reader = RelationClassifier(
        RelationClassifierConfig(
            encoder=start.model.config.to_dict(),
            head="spans",
            layers=stage.layers,
            head_dropout=stage.dropout,
            max_length=stage.max_length,
            typed_markers=stage.typed_markers,
            id2label=dict(enumerate(schema.names)),
            label2id={name: n for n, name in enumerate(schema.names)},
        )
    )
    reader.load_encoder(start.model.base_model)
    if stage.optimisation.freeze_embeddings:
        reader.encoder.get_input_embeddings().weight.requires_grad_(False)
    return reader

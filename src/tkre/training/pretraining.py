"""Further pre-training: runs one stage of ``training.stages`` and prepares the project's stages.

MSLM and SCL (the paper's) read knowledge texts. The contrast of pairs (not in the paper) reads
labelled sentences like a classifier: marked, pooled from middle layers by
``modeling.heads.SpanHead``, and pulled to the explanations and the definition of their relation,
away from those of all others (InfoNCE). The span contrast of the paper works on bare texts and on
the last layer, which helps a classifier little that pools other layers of marked sentences.

Legend of shapes: B texts, T tokens, H hidden size, M masked tokens, S other spans.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from tkre.core.errors import UserError
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.generation.texts import KnowledgeText
from tkre.modeling.backbone import masked_lm_head
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.losses import Alignment
from tkre.modeling.params import LOSSES
from tkre.modeling.runtime import mask_for, on_device
from tkre.modeling.span_masking import IGNORED, EncodedText, Words, encode_texts, mask
from tkre.training.batching import (
    Batch,
    collate_labelled,
    labelled_rows,
    log_truncation,
    padded,
)
from tkre.training.inference import embed, embed_explanations
from tkre.training.stages import STAGES, PairsParams, PretrainingParams, TextParams
from tkre.training.trainer import Objective, StepRecorder, train


@dataclass(frozen=True)
class StageTraining:
    """The training of a stage.

    Attributes:
        objective: The loss to minimise.
        rows: Encoded rows.
        collate: Makes the arrays of a batch of rows.
        trained: Returns the masked language model after training.
    """

    objective: Objective
    rows: Sequence[Any]
    collate: Callable[[list[Any]], Batch]
    trained: Callable[[], PreTrainedModel]


def pretrain(
    start: Checkpoint,
    rows: Sequence[KnowledgeText] | Sequence[Instance],
    schema: RelationSchema,
    params: PretrainingParams,
    stage: str,
    *,
    data: str,
    seed: int,
    description: str,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Runs one stage.

    Args:
        start: A masked language model; it is not changed.
        rows: The data of ``Stage.reads``: knowledge texts, or labelled sentences, golden and
            synthetic, with explanations where they have any.
        schema: The relations; their definitions are the first anchors.
        params: Parameters of all stages.
        stage: A name of ``STAGES``.
        data: Digest of the rows, for the lineage.
        seed: Seed of order, dropout, masks and negatives.
        description: Shown with the progress.

    Returns:
        The masked language model after the stage, its lineage one step longer; the losses of
        every step. With 0 epochs, the start and an empty table.

    Raises:
        UserError: There are no rows.
    """
    stage_params = params.of(stage)
    if stage_params is None or not stage_params.epochs:
        return start, pd.DataFrame(columns=["epoch", "step", "loss"])
    if not rows:
        raise UserError(f"{description}: there is nothing to pre-train on for the stage {stage}")
    precision = stage_params.optimisation.precision
    recorder = StepRecorder(start, stage, data, params.settings(stage), precision)
    torch.manual_seed(seed)
    training: StageTraining = STAGES[stage].prepare(start, rows, schema, params, stage, seed)
    description = f"{description} {stage}"
    log_truncation([row.truncated for row in training.rows], description)
    losses = train(
        training.objective,
        training.rows,
        training.collate,
        stage_params.optimisation,
        epochs=stage_params.epochs_of(len(training.rows)),
        seed=seed,
        description=description,
    )
    model = training.trained().requires_grad_(True).cpu().eval()
    return Checkpoint(model, start.tokenizer, recorder.lineage(model)), losses


def text_training(
    start: Checkpoint,
    texts: Sequence[KnowledgeText],
    schema: RelationSchema,
    params: PretrainingParams,
    stage: str,
    seed: int,
) -> StageTraining:
    """Prepares a stage on knowledge texts: masked span language modelling, span contrast."""
    stage_params: TextParams = params.of(stage)
    model = copy.deepcopy(start.model)
    if stage_params.optimisation.freeze_embeddings:
        model.get_input_embeddings().weight.requires_grad_(False)
    contrast = None
    if stage_params.scl_weight:
        with on_device(start.model):
            contrast = span_contrast(start, schema, params)
    return StageTraining(
        TextObjective(model, contrast, stage_params),
        encode_texts(texts, start.tokenizer, params.masking),
        TextCollator(start, schema, params, np.random.default_rng(seed)),
        lambda: model,
    )


class TextObjective(Objective):
    """``l1 * MSLM + l2 * SCL`` over one encoder pass.

    The masked-LM head is applied at masked positions only: the vocabulary is large, and most of
    its logits would be discarded.

    Args:
        model: A Hugging Face masked language model.
        contrast: The contrastive loss (``modeling.losses``), None to leave it out.
        params: The weights.
    """

    def __init__(self, model: Any, contrast: nn.Module | None, params: TextParams) -> None:
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
        masked_MH = hidden_BTH.flatten(0, 1).index_select(0, batch["masked"])
        logits = masked_lm_head(self.model)(masked_MH)
        mslm = F.cross_entropy(logits.float(), batch["originals"])
        loss, parts = self.weights[0] * mslm, {"mslm": mslm.detach()}
        if self.contrast is not None:
            scl = self.contrast(hidden_BTH, batch["spans"], batch["others"], batch["labels"])
            loss = loss + self.weights[1] * scl
            parts["scl"] = scl.detach()
        return loss, parts

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The masked language model; anchors and projections."""
        new = [] if self.contrast is None else list(self.contrast.parameters())
        return list(self.model.parameters()), new


class TextCollator:
    """Makes a batch of B knowledge texts of T tokens, masked anew each time it is drawn.

    M tokens are masked: ``masked`` are their places in B * T, ``originals`` the tokens before
    masking. ``labels`` are the B numbers of the texts' relations.
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

    def __call__(self, texts: list[EncodedText]) -> Batch:
        """The arrays of a batch."""
        masked = [mask(t, self._generator, self._words, self._params.masking) for t in texts]
        count = self._params.contrast.other_spans
        others = [other_spans(t, count, self._generator) for t in texts]
        # Places are computed here: counting masked tokens on a GPU would make it wait.
        originals = padded([original for _, original in masked], IGNORED).flatten()
        places = np.flatnonzero(originals != IGNORED)
        return {
            "input_ids": padded([ids for ids, _ in masked], self._padding),
            "attention_mask": padded([np.ones(len(t), dtype=np.int64) for t in texts], 0),
            "masked": places,
            "originals": originals[places],
            "spans": padded([t.spans for t in texts], False),
            "others": padded(others, False),
            "labels": np.array([self._numbers[t.relation] for t in texts]),
        }


def other_spans(
    text: EncodedText, count: int, generator: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Draws ``count`` spans of tokens of role "other", as long as the relation span.

    Returns:
        S x T flags; a row is empty where the text has no such token.
    """
    flags = np.zeros((count, len(text)), dtype=bool)
    starts, stops = text.other_spans
    for row in flags:
        if not len(starts):
            break
        drawn = generator.integers(len(starts))
        row[starts[drawn] : stops[drawn]] = True
    return flags


def span_contrast(
    start: Checkpoint, schema: RelationSchema, params: PretrainingParams
) -> nn.Module:
    """The contrastive loss, anchored at the definitions of the relations."""
    definitions = [schema.relations[name].definition for name in schema.names]
    # An exchanged pair without a relation may have one or none: it is no example against it.
    symmetric = [name in (schema.inverse_of(name), schema.negative) for name in schema.names]
    embedded = embed(start.model.base_model, start.tokenizer, definitions, "definitions")
    loss = LOSSES[params.contrast.loss]
    return loss(embedded, torch.tensor(symmetric), params.contrast)


def pair_training(
    start: Checkpoint,
    rows: Sequence[Instance],
    schema: RelationSchema,
    params: PretrainingParams,
    stage: str,
    seed: int,
) -> StageTraining:
    """Prepares the contrast of pairs.

    The layers that are pooled and those below them are trained; the rest of the model stays.
    """
    stage_params: PairsParams = params.of(stage)
    reader = RelationClassifier.from_masked_lm(
        start.model,
        schema.names,
        freeze_embeddings=stage_params.optimisation.freeze_embeddings,
        head="spans",
        layers=stage_params.layers,
        head_dropout=stage_params.dropout,
        max_length=stage_params.max_length,
        typed_markers=stage_params.typed_markers,
    )
    trained_rows = labelled_rows(
        reader, start.tokenizer, rows, schema, add_inverted=stage_params.add_inverted
    )
    with on_device(start.model):
        anchors = embed_explanations(start, rows, schema)
    alignment = Alignment(*anchors, reader.head.size, stage_params.temperature)

    def trained() -> PreTrainedModel:
        model = copy.deepcopy(start.model)
        model.base_model.load_state_dict(reader.encoder.cpu().state_dict(), strict=False)
        return model

    return StageTraining(
        PairObjective(reader, alignment),
        trained_rows,
        partial(collate_labelled, padding=start.tokenizer.pad_token_id),
        trained,
    )


class PairObjective(Objective):
    """Alignment of marked pairs with the explanations and definitions of their relations.

    Args:
        reader: Computes the features of a pair; its predictions are not used.
        alignment: The loss over the features.
    """

    def __init__(self, reader: RelationClassifier, alignment: Alignment) -> None:
        super().__init__()
        self.reader = reader
        self.alignment = alignment

    def forward(self, **batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and the loss again as its only part."""
        labels = batch.pop("labels")
        features, _ = self.reader.features(**batch)
        # By row: the features of the span head are not standardised yet.
        normal = F.layer_norm(features.float(), features.shape[1:])
        loss = self.alignment(self.reader.head.dropout(normal), labels)
        return loss, {"pairs": loss.detach()}

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The encoder; the projection."""
        return list(self.reader.encoder.parameters()), list(self.alignment.parameters())

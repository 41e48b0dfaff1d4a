"""The contrast of pairs: an encoder learns what explains a relation, read as a classifier reads.

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

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from tkre.corpora.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.classifier import RelationClassifier, RelationClassifierConfig
from tkre.modeling.device import on_device
from tkre.modeling.lineage import Step
from tkre.records import Instance
from tkre.training.alignment import Alignment, explanation_alignment
from tkre.training.batching import tell_truncated
from tkre.training.params import AlignmentParams, PairsParams, PretrainingParams
from tkre.training.rows import LabelledRow, collate_labelled, swapped
from tkre.training.run import Objective, train
from tkre.training.surroundings import surroundings


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
    tell_truncated(encoded, f"{description} pairs")
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
        environment=surroundings(stage.optimisation.precision),
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

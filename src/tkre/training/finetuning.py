"""Fine-tuning: a relation classifier on golden and synthetic rows, a good epoch kept."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd
import torch

from tkre.corpora.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.classifier import RelationClassifier, RelationClassifierConfig
from tkre.modeling.classifier_config import TEMPERATURE
from tkre.modeling.device import device, on_device
from tkre.modeling.head_kinds import HEADS
from tkre.modeling.lineage import Step
from tkre.modeling.prompting import phrase_ids
from tkre.records import Instance
from tkre.training.alignment import explanation_alignment
from tkre.training.averaging import AveragedWeights
from tkre.training.batching import tell_truncated
from tkre.training.head_start import start_head
from tkre.training.objective import ClassifierObjective
from tkre.training.params import FinetuningParams
from tkre.training.rows import LabelledRow, collate_labelled, swapped
from tkre.training.run import train
from tkre.training.selection import EpochSelection
from tkre.training.surroundings import surroundings


def finetune(
    start: Checkpoint,
    rows: Sequence[Instance],
    validation: Sequence[Instance],
    schema: RelationSchema,
    params: FinetuningParams,
    *,
    data: str,
    seed: int,
    description: str,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains a classifier and keeps an epoch that is good on the validation rows.

    Args:
        start: A masked language model, pre-trained further or not; it is not changed.
        rows: Golden and synthetic training rows; explanations of golden ones are used if the
            parameters say so. There need be none where the parameters ask for no epoch.
        validation: Rows to choose the epoch on (``training.selection``). Without any, the last
            epoch is kept.
        schema: The relations; labels are numbered in its order.
        params: The recipe.
        data: Digest of the rows, for the lineage.
        seed: Of the new parameters, the order, dropout.
        description: Shown with the progress.

    Returns:
        The classifier with its tokenizer and lineage; losses by step with the validation scores,
        empty where nothing is trained.

    Raises:
        ValueError: There is nothing to train on, and training is asked for.
    """
    epochs = params.epochs(len(rows), len(schema.names))
    begun = time.perf_counter()
    started_from = weights_digest(start.model)
    torch.manual_seed(seed)
    labels = {name: n for n, name in enumerate(schema.names)}
    model = build_classifier(start, schema, params).to(device())
    shown = [*rows, *(swapped(rows, schema) if params.swap else ())]
    encoded = model.encode(shown, start.tokenizer)
    tell_truncated(encoded, f"{description} finetuning")
    numbers = [labels[str(i.relation)] for i in shown]
    with on_device(start.model):
        start_head(model, start, schema, encoded, numbers, params.probe_start)
        alignment = explanation_alignment(start, rows, schema, model.head.size, params.alignment)
    objective = ClassifierObjective(model, alignment, params)
    average = AveragedWeights(model, params.average) if params.average else None
    chooser = EpochSelection(
        model, average, start.tokenizer, validation, schema, rule=params.keep_epoch,
        epochs=epochs, validations=params.validations, precision=params.optimisation.precision,
    )  # fmt: skip
    losses = pd.DataFrame(columns=["epoch", "step", "loss"])
    if epochs:
        losses = train(
            objective,
            [LabelledRow(e, n) for e, n in zip(encoded, numbers, strict=True)],
            collate_labelled(start.tokenizer.pad_token_id),
            params.optimisation,
            epochs=epochs,
            seed=seed,
            description=f"{description} finetuning",
            on_step_end=average.update if average else None,
            on_epoch_end=chooser.epoch_ended,
        )
    model.load_state_dict(chooser.kept_weights)
    model.requires_grad_(True)
    step = Step(
        stage="finetuning",
        started_from=started_from,
        weights=weights_digest(model),
        data=data,
        settings=params.model_dump(mode="json"),
        seconds=time.perf_counter() - begun,
        environment=surroundings(params.optimisation.precision),
    )
    return Checkpoint(model.cpu().eval(), start.tokenizer, start.lineage.then(step)), losses


def build_classifier(
    start: Checkpoint, schema: RelationSchema, params: FinetuningParams
) -> RelationClassifier:
    """A classifier with the encoder's weights and a new head."""
    config = start.model.config.to_dict()
    if params.encoder_dropout is not None:
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            config[name] = params.encoder_dropout
    inverses = {name: schema.inverse_of(name) for name in schema.names}
    relations = schema.relations.items() if params.type_guided else ()
    phrases = {n: phrase_ids(r.phrase, start.tokenizer) for n, r in schema.relations.items()}
    allowed = {n: [list(r.head_types), list(r.tail_types)] for n, r in relations}
    model = RelationClassifier(
        RelationClassifierConfig(
            encoder=config,
            head=params.head,
            options=params.options,
            layers=params.layers,
            trigger_attention=params.trigger_weight > 0,
            head_dropout=params.head_dropout,
            max_length=params.max_length,
            typed_markers=params.typed_markers,
            phrases=phrases if HEADS[params.head].masked_lm else {},
            temperature=params.temperature or TEMPERATURE,
            both_directions=params.both_directions,
            negative=schema.negative,
            least_probability=params.least_probability,
            inverses={name: inverse for name, inverse in inverses.items() if inverse},
            allowed_types={name: kinds for name, kinds in allowed.items() if any(kinds)},
            entity_types=schema.entity_types,
            id2label=dict(enumerate(schema.names)),
            label2id={name: n for n, name in enumerate(schema.names)},
        )
    )
    model.load_encoder(start.model if model.head.masked_lm else start.model.base_model)
    if params.optimisation.freeze_embeddings:
        model.encoder.get_input_embeddings().weight.requires_grad_(False)
    return model

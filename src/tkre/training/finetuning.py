"""Fine-tuning of a relation classifier on golden and synthetic rows, with epoch selection."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.evaluation.metrics import micro_scores
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.entity_markers import TRIGGERS
from tkre.modeling.heads import Start
from tkre.modeling.losses import Alignment, attention_loss
from tkre.modeling.params import HEADS
from tkre.modeling.prompts import phrase_ids
from tkre.modeling.runtime import device, on_device
from tkre.training.batching import LabelledRow, labelled_rows, log_truncation
from tkre.training.distillation import Distilled
from tkre.training.inference import embed, embed_explanations, features_of_encoded, predict
from tkre.training.layer_choice import choose_layers
from tkre.training.params import FinetuningParams
from tkre.training.scoring import Probabilities, labels_of
from tkre.training.trainer import AveragedWeights, Objective, StepRecorder, train

Priors = npt.NDArray[np.float64]


@dataclass
class EpochSelection:
    """Scores epochs on the validation rows and keeps the weights of one.

    ``best`` keeps the epoch with the highest micro-F1, then the lowest loss. With eight rows per
    relation the highest is often due to chance, so ``one_standard_error`` keeps the last epoch
    whose micro-F1 is within one standard error of the highest.

    Attributes:
        model: The trained model.
        average: Its running average, which is scored and kept in its place; None for no average.
        tokenizer: Its tokenizer.
        validation: Rows to score on.
        schema: The relations.
        params: The recipe: the rule, and the number of epochs that are scored, evenly spaced, the
            last one among them.
        epochs: Number of epochs.
        kept_weights: Weights of the epoch that is kept so far.
    """

    model: RelationClassifier
    average: AveragedWeights | None
    tokenizer: PreTrainedTokenizerBase
    validation: Sequence[Instance]
    schema: RelationSchema
    params: FinetuningParams
    epochs: int

    def __post_init__(self) -> None:
        most = self.params.validations
        self._scored = {math.ceil(n * self.epochs / most) for n in range(1, most + 1)}
        self._best = (-math.inf, -math.inf)
        self.kept_weights: dict[str, Any] = copy.deepcopy(self.model.state_dict())

    def epoch_ended(self, epoch: int, _: nn.Module) -> dict[str, float]:
        """The validation scores of the epoch that has just ended; empty if it is not scored."""
        if epoch not in self._scored:
            return {}
        trained = None
        if self.average is not None:
            trained = copy.deepcopy(self.model.state_dict())
            self.model.load_state_dict(self.average.weights)
        figures = self._scores()
        score = (figures.get("validation_f1", 0.0), -figures.get("validation_loss", -epoch))
        self._best = max(self._best, score)
        # A new best is within reach of itself, so one set of weights is enough.
        tolerant = self.params.keep_epoch == "one_standard_error"
        if score == self._best or (tolerant and score[0] >= self._within_reach()):
            self.kept_weights = copy.deepcopy(self.model.state_dict())
        if trained is not None:
            self.model.load_state_dict(trained)
        return figures

    def _within_reach(self) -> float:
        """The highest micro-F1 less its standard error, that of a share of the rows."""
        share = self._best[0] / 100
        return self._best[0] - 100 * math.sqrt(share * (1 - share) / max(1, len(self.validation)))

    def _predict(self, rows: Sequence[Instance], *, natural: bool = False) -> Probabilities:
        precision = self.params.optimisation.precision
        return predict(self.model, self.tokenizer, rows, precision=precision, natural=natural)

    def _scores(self) -> dict[str, float]:
        if not self.validation:
            return {}
        rows = [row for row in self.validation if not row.natural]
        natural = [row for row in self.validation if row.natural]
        probabilities = np.concatenate([self._predict(rows), self._predict(natural, natural=True)])
        gold = [str(row.relation) for row in (*rows, *natural)]
        names = self.schema.names
        guessed = labels_of(probabilities, self.model.config)
        of_gold = probabilities[np.arange(len(gold)), [names.index(g) for g in gold]]
        return {
            "validation_f1": micro_scores(gold, guessed, self.schema.negative)["micro_f1"],
            "validation_loss": float(-np.log(of_gold.clip(1e-12)).mean()),
        }


class ClassifierObjective(Objective):
    """Cross-entropy, with alignment and attention supervision if the recipe has them.

    Args:
        model: The classifier.
        alignment: Alignment with explanations, or None.
        params: Weights of the losses.
        priors_2R: Shares of the labels in text that is not natural, and in natural text, which
            shift the logits; None shifts none.
        weighted: Whether rows have weights.
    """

    def __init__(
        self,
        model: RelationClassifier,
        alignment: Alignment | None,
        params: FinetuningParams,
        priors_2R: Priors | None = None,
        *,
        weighted: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.alignment = alignment
        self.params = params
        self.weighted = weighted
        self.log_priors_2R: Tensor | None
        logs = None if priors_2R is None else torch.tensor(np.log(priors_2R), dtype=torch.float32)
        self.register_buffer("log_priors_2R", logs)

    def forward(self, **batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and its parts."""
        labels, weights, natural = (batch.pop(n) for n in ("labels", "weights", "natural"))
        targets = batch.pop("shares", labels)  # of a batch without them: label numbers
        features, scores = self.model.features(**batch)
        logits = self.model.head.classify(features).float()
        if self.log_priors_2R is not None:
            logits = logits + self.log_priors_2R[natural.long()]
        # Weights of 1 give the same but for rounding, which leads to another model.
        row_weights = weights if self.weighted else None
        if row_weights is not None:
            loss = (row_weights * F.cross_entropy(logits, targets, reduction="none")).mean()
        else:
            loss = F.cross_entropy(logits, targets)
        parts = {"classification": loss.detach()}
        if self.alignment is not None:
            dropped = self.model.head.dropout(features)
            pull = self.alignment(dropped.float(), labels, row_weights)
            assert self.params.alignment is not None
            loss = loss + self.params.alignment.weight * pull
            parts["alignment"] = pull.detach()
        if scores is not None:
            attention = attention_loss(scores, batch["spans"][:, TRIGGERS], row_weights)
            loss = loss + self.params.trigger_weight * attention
            parts["triggers"] = attention.detach()
        return loss, parts

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The encoder, with its masked-LM head if kept; the head and the alignment projection."""
        new = list(self.model.head.parameters())
        if self.alignment is not None:
            new += self.alignment.parameters()
        return list(self.model.encoder.parameters()), new


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
    weights: Mapping[str, float] | None = None,
    random_rows: Sequence[Instance] = (),
    distilled: Distilled | None = None,
    head_first: bool = False,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains a classifier and keeps one epoch by its validation scores.

    Args:
        start: A masked language model, pre-trained further or not; it is not changed.
        rows: Golden and synthetic training rows; none are needed for 0 epochs. The alignment reads
            the explanations of golden rows.
        validation: Rows to choose the epoch on. Without any, the last epoch is kept.
        schema: The relations; labels are numbered in its order.
        params: The recipe.
        data: Digest of the rows, for the lineage.
        seed: Seed of the new parameters, the order and dropout.
        description: Shown with the progress.
        weights: Weights of rows by id, those of 1 left out.
        random_rows: Labelled natural text whose shares of labels are the prior, where the natural
            rows that train were chosen and so have other shares. Without any it is theirs.
        distilled: Further rows, with the probabilities that a teacher gives them.
        head_first: Whether the head precedes the tail all through the corpus: then the parts that
            tell their order are off (``FinetuningParams.of_the_order``).

    Returns:
        The classifier with its tokenizer and lineage; losses by step with the validation scores,
        empty where nothing is trained.

    Raises:
        ValueError: There are no rows, and the recipe has epochs.
    """
    distilled = distilled or Distilled()
    rows = [*rows, *distilled.rows]
    epochs = params.epochs(len(rows), len(schema.names))
    recorder = StepRecorder(
        start, "finetuning", data, params.model_dump(mode="json"), params.optimisation.precision
    )
    torch.manual_seed(seed)
    description = f"{description} finetuning"
    if head_first:
        recorder.chosen.update(params.of_the_order)
        params = params.model_copy(update=recorder.chosen)
    if params.layers == "auto":
        recorder.chosen["layers"] = list(choose_layers(start, rows, schema, params))
        params = params.model_copy(update=recorder.chosen)
    model = build_classifier(start, schema, params).to(device())
    trained_rows = labelled_rows(
        model, start.tokenizer, rows, schema,
        add_inverted=params.add_inverted, weights=weights, shares=distilled.shares,
    )  # fmt: skip
    priors = None
    if params.text_priors:
        priors = label_shares(trained_rows, len(schema.names))
        model.config.natural_prior = natural_prior(random_rows or rows, schema, weights)
    log_truncation([row.truncated for row in trained_rows], description)
    with on_device(start.model):
        model.head.initialise(head_start(model, start, schema, trained_rows, params))
        alignment = None
        if params.alignment is not None:
            anchors = embed_explanations(start, rows, schema)
            alignment = Alignment(*anchors, model.head.size, params.alignment.temperature)
    objective = ClassifierObjective(model, alignment, params, priors, weighted=bool(weights))
    average = AveragedWeights(model, params.average) if params.average else None
    selection = EpochSelection(model, average, start.tokenizer, validation, schema, params, epochs)
    losses = pd.DataFrame(columns=["epoch", "step", "loss"])
    if epochs:
        losses = train(
            objective,
            trained_rows,
            distilled.collation(start.tokenizer.pad_token_id, len(schema.names)),
            params.optimisation,
            epochs=epochs,
            seed=seed,
            description=description,
            on_step_end=average.update if average else None,
            on_epoch_end=selection.epoch_ended,
        )
    model.load_state_dict(selection.kept_weights)
    model.requires_grad_(True)
    return Checkpoint(model.cpu().eval(), start.tokenizer, recorder.lineage(model)), losses


def label_shares(rows: Sequence[LabelledRow], relations: int) -> Priors:
    """Shares of R labels among rows that are not natural text, and among those that are: 2 x R."""
    return np.stack([
        _shares([(row.label, row.weight) for row in rows if row.natural == natural], relations)
        for natural in (False, True)
    ])  # fmt: skip


def natural_prior(
    rows: Sequence[Instance], schema: RelationSchema, weights: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Shares of the labels among the rows of natural text; empty without any.

    Inverted rows are not natural text: they are not among them.
    """
    weights, numbers = weights or {}, {name: n for n, name in enumerate(schema.names)}
    natural = [(numbers[str(r.relation)], weights.get(r.id, 1.0)) for r in rows if r.natural]
    if not natural:
        return {}
    return dict(zip(schema.names, _shares(natural, len(numbers)).tolist(), strict=True))


def _shares(rows: Sequence[tuple[int, float]], relations: int) -> Priors:
    """Shares of R labels among rows, each with its label and weight.

    One row of each label is added, so that no share is 0; without any row they are equal.
    """
    counts = np.ones(relations)
    for label, weight in rows:
        counts[label] += weight
    shares: Priors = counts / counts.sum()
    return shares


class LinearProbe(LogisticRegression):
    """Logistic regression of scikit-learn with one thread of BLAS.

    The number of threads decides the order of sums, and processes of a grid and of Ray have
    different numbers: the same recipe would give other classifiers there.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: D102
        with threadpool_limits(1, user_api="blas"):
            super().fit(X, y, sample_weight)
        return self

    def decision_function(self, X: Any) -> Any:  # noqa: D102
        with threadpool_limits(1, user_api="blas"):
            return super().decision_function(X)


def head_start(
    model: RelationClassifier,
    start: Checkpoint,
    schema: RelationSchema,
    rows: Sequence[LabelledRow],
    params: FinetuningParams,
) -> Start:
    """Data that the head of a new classifier may be initialised from."""
    fit = None
    if params.probe_start is not None:
        # Equal shares, as those of the logits that the losses shift.
        balance = "balanced" if params.text_priors else None
        fit = LinearProbe(C=params.probe_start, max_iter=500, class_weight=balance).fit
    return Start(
        schema,
        [row.label for row in rows],
        features=lambda: features_of_encoded(model, [row.encoded for row in rows]),
        embed=lambda texts: embed(start.model.base_model, start.tokenizer, texts),
        word_embeddings=start.model.get_input_embeddings(),
        fit=fit,
    )


def build_classifier(
    start: Checkpoint, schema: RelationSchema, params: FinetuningParams
) -> RelationClassifier:
    """A classifier with the encoder's weights and a new head, by the settings of a recipe."""
    names = schema.names
    encoder = start.model.config.to_dict()
    if params.encoder_dropout is not None:
        for dropout in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            encoder[dropout] = params.encoder_dropout
    settings: dict[str, Any] = {
        name: getattr(params, name)
        for name in ("head", "options", "layers", "by_order", "before_mentions", "part_dropout",
                     "head_dropout", "max_length", "typed_markers", "both_directions",
                     "least_probability")
    }  # fmt: skip
    if params.temperature is not None:
        settings["temperature"] = params.temperature
    if HEADS[params.head].head_class.masked_lm:
        relations = schema.relations.items()
        settings["phrases"] = {n: phrase_ids(r.phrase, start.tokenizer) for n, r in relations}
    if params.type_guided:
        kinds = {n: (r.head_types, r.tail_types) for n, r in schema.relations.items()}
        settings["allowed_types"] = {name: kind for name, kind in kinds.items() if any(kind)}
    return RelationClassifier.from_masked_lm(
        start.model,
        names,
        freeze_embeddings=params.optimisation.freeze_embeddings,
        encoder=encoder,
        trigger_attention=params.trigger_weight > 0,
        negative=schema.negative,
        inverses={n: inverse for n in names if (inverse := schema.inverse_of(n))},
        entity_types=schema.entity_types,
        **settings,
    )

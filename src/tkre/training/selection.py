"""Which epoch is kept: a good one on the K-shot validation set."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from torch import nn
from transformers import PreTrainedTokenizerBase

from tkre.corpora.schema import RelationSchema
from tkre.evaluation.metrics import micro_scores
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.precision import Precision
from tkre.records import Instance
from tkre.training.averaging import AveragedWeights
from tkre.training.prediction import predict
from tkre.training.scoring import labels_of


class EpochSelection:
    """Scores every epoch on the validation rows and keeps the weights of one.

    ``best`` keeps the epoch with the highest micro-F1, then the lowest loss. With eight rows per
    relation the highest is often a lucky one, so ``one_standard_error`` keeps the last epoch whose
    micro-F1 is within one standard error of the highest: validation guards against training that
    goes wrong, and chooses nothing that it cannot tell apart.

    Args:
        model: What is trained.
        average: Its running average, which is scored and kept in its place; None for no average.
        tokenizer: Its own.
        validation: Rows to score on.
        schema: The relations.
        rule: ``best`` or ``one_standard_error``.
        epochs: How many there are.
        validations: How many of them are scored at most, evenly spread, the last one among them.
        precision: As it is trained.
    """

    def __init__(
        self,
        model: RelationClassifier,
        average: AveragedWeights | None,
        tokenizer: PreTrainedTokenizerBase,
        validation: Sequence[Instance],
        schema: RelationSchema,
        *,
        rule: Literal["best", "one_standard_error"],
        epochs: int,
        validations: int,
        precision: Precision,
    ) -> None:
        self._model = model
        self._average = average
        self._tokenizer = tokenizer
        self._validation = list(validation)
        self._schema = schema
        self._tolerant = rule == "one_standard_error"
        self._scored = {math.ceil(n * epochs / validations) for n in range(1, validations + 1)}
        self._precision = precision
        self._best = (-math.inf, -math.inf)
        self.kept_weights: dict[str, Any] = copy.deepcopy(model.state_dict())

    def epoch_ended(self, epoch: int, _: nn.Module) -> dict[str, float]:
        """The validation scores of the epoch that has just ended, if it is one of those scored."""
        if epoch not in self._scored:
            return {}
        trained = None
        if self._average is not None:
            trained = copy.deepcopy(self._model.state_dict())
            self._model.load_state_dict(self._average.weights)
        figures = self._scores()
        score = (figures.get("validation_f1", 0.0), -figures.get("validation_loss", -epoch))
        self._best = max(self._best, score)
        # Whatever raises the best is within reach of it, so one set of weights is enough.
        if score == self._best or (self._tolerant and score[0] >= self._within_reach()):
            self.kept_weights = copy.deepcopy(self._model.state_dict())
        if trained is not None:
            self._model.load_state_dict(trained)
        return figures

    def _within_reach(self) -> float:
        """The highest micro-F1, less its standard error as that of a share of the rows."""
        share = self._best[0] / 100
        return self._best[0] - 100 * math.sqrt(share * (1 - share) / max(1, len(self._validation)))

    def _scores(self) -> dict[str, float]:
        if not self._validation:
            return {}
        probabilities = predict(
            self._model, self._tokenizer, self._validation, precision=self._precision
        )
        gold = [str(i.relation) for i in self._validation]
        names = self._schema.names
        guessed = labels_of(probabilities, self._model)
        of_gold = probabilities[np.arange(len(gold)), [names.index(g) for g in gold]]
        return {
            "validation_f1": micro_scores(gold, guessed, self._schema.negative)["micro_f1"],
            "validation_loss": float(-np.log(of_gold.clip(1e-12)).mean()),
        }

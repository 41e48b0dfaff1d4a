"""SetFit (Tunstall et al. 2022) through its own package, as a baseline.

SetFit trains a sentence encoder on pairs of sentences, alike if their labels are the same, and
fits a logistic regression on its embeddings. It reads sentences and labels only, so the mentions
are marked in the text (``modeling.entity_markers``).
"""

from __future__ import annotations

import copy
import gc
import logging
import math
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import disable_progress_bars
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from setfit import SetFitModel, Trainer, TrainingArguments
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from tkre.core.instance import Instance
from tkre.core.progress import Progress
from tkre.core.provenance import Lineage
from tkre.core.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint, quiet_transformers
from tkre.modeling.entity_markers import encode_instances, mark
from tkre.modeling.runtime import use_bf16
from tkre.training.batching import log_truncation
from tkre.training.finetuning import LinearProbe
from tkre.training.params import SetFitParams
from tkre.training.scoring import Probabilities
from tkre.training.trainer import StepRecorder


def train_setfit(
    start: Checkpoint,
    rows: Sequence[Instance],
    schema: RelationSchema,
    params: SetFitParams,
    *,
    data: str,
    seed: int,
    description: str,
) -> tuple[SetFitModel, Lineage]:
    """Trains a sentence encoder and fits the logistic regression.

    Args:
        start: A masked language model; it is not changed.
        rows: Training rows.
        schema: The relations.
        params: SetFit's settings.
        data: Digest of the rows, for the lineage.
        seed: Seed of the order and of dropout. SetFit draws the pairs with a fixed seed.
        description: Shown with the progress.

    Returns:
        The model and the lineage of its sentence encoder.
    """
    settings = params.model_dump(mode="json")
    recorder = StepRecorder(start, "finetuning", data, settings, params.precision)
    _silence()
    model = SetFitModel(sentence_encoder(start, params.max_length), LinearProbe())
    sentences = texts(start, rows, params, f"{description} finetuning")
    labels = [str(row.relation) for row in rows]
    iterations = params.iterations(len(rows), len(schema.names))
    steps = iterations and math.ceil(2 * iterations * len(rows) / params.batch_size)
    with (
        tempfile.TemporaryDirectory() as unused,
        Progress(f"{description} finetuning", steps) as progress,
    ):
        trainer = Trainer(model, _arguments(params, iterations, seed, unused))
        inner = trainer.st_trainer
        for bar in (ProgressCallback, PrinterCallback):
            inner.pop_callback(bar)
        inner.add_callback(_Steps(progress))
        inner.args.dataloader_pin_memory = torch.cuda.is_available()
        inner.args._n_gpu = min(1, inner.args.n_gpu)  # as in training.trainer
        # SetFit has fp16 on a GPU only. Autocast's cache would keep the weights of the first step.
        bf16 = use_bf16(params.precision)
        with torch.autocast(model.device.type, torch.bfloat16, bf16, cache_enabled=False):
            trainer.train_embeddings(sentences, labels)
        trainer.train_classifier(sentences, labels)
        inner.accelerator.free_memory()
        del trainer, inner
        gc.collect()
    return model, recorder.lineage(model.model_body.eval())


def predict_setfit(
    model: SetFitModel,
    start: Checkpoint,
    instances: Sequence[Instance],
    schema: RelationSchema,
    params: SetFitParams,
    *,
    description: str,
) -> Probabilities:
    """The probability of every relation for every instance.

    Args:
        model: The trained model.
        start: The checkpoint that it was trained from; both have one tokenizer.
        instances: N instances; their relations are not read.
        schema: The relations. A relation without training rows is never predicted.
        params: SetFit's settings.
        description: Name of the rows in the log of truncated rows.

    Returns:
        N x R, columns in the order of the schema's names.
    """
    known = model.predict_proba(
        texts(start, instances, params, description), as_numpy=True, show_progress_bar=False
    )
    probabilities = np.zeros((len(instances), len(schema.names)))
    columns = [schema.names.index(name) for name in model.model_head.classes_]
    probabilities[:, columns] = known
    return probabilities


def sentence_encoder(start: Checkpoint, max_length: int) -> SentenceTransformer:
    """A sentence encoder with the weights of a masked language model.

    Its embedding is the mean over the tokens, of length 1, like that of all-MiniLM-L6-v2.
    """
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        # The module can only be made from files, with a pooler that is not needed.
        encoder = start.model.base_model
        encoder.save_pretrained(folder)
        start.tokenizer.save_pretrained(folder)
        words = Transformer(folder, max_seq_length=max_length)
    words.model = copy.deepcopy(encoder)
    return SentenceTransformer(modules=[words, Pooling(encoder.config.hidden_size), Normalize()])


def texts(
    start: Checkpoint, instances: Sequence[Instance], params: SetFitParams, description: str
) -> list[str]:
    """Sentences with their mentions marked; logs the number of truncated ones.

    SetFit cuts sentences at their end, wherever the mentions are.
    """
    encoded = encode_instances(
        instances, start.tokenizer, max_length=params.max_length, typed=params.typed_markers
    )
    log_truncation([e.truncated for e in encoded], description)
    return [mark(instance, typed=params.typed_markers)[0] for instance in instances]


def _arguments(
    params: SetFitParams, iterations: int | None, seed: int, folder: str
) -> TrainingArguments:
    return TrainingArguments(
        output_dir=folder,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        show_progress_bar=False,
        num_iterations=iterations,
        num_epochs=1,
        batch_size=params.batch_size,
        body_learning_rate=params.learning_rate,
        seed=seed,
    )


def _silence() -> None:
    """Turns off messages that SetFit turns on at its import, and the progress bars of datasets."""
    disable_progress_bars()
    for name in ("setfit", "sentence_transformers"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Steps(TrainerCallback):
    """Shows the progress of the training."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._progress.advance(1)

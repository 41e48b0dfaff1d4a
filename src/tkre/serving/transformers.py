"""The classifier in ``transformers.pipeline``; importing this module registers it.

    from transformers import pipeline
    import tkre.serving.transformers

    classify = pipeline("relation-classification", model="path/to/classifier")
    classify("<head>Ada</head> was born in <tail>London</tail>.")

``AutoModel`` and ``AutoModelForSequenceClassification`` then load classifiers, too. No code comes
from the folder, and ``trust_remote_code`` is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from transformers import AutoModel, AutoModelForSequenceClassification, Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from tkre.core.files import follow_umask
from tkre.corpora.unlabelled import Sentence
from tkre.evaluation.calibrator import Calibrator
from tkre.modeling.classifier import RelationClassifier, RelationClassifierConfig
from tkre.serving.extractor import Prediction, RelationExtractor, find_calibrator, find_schema

TASK = "relation-classification"
BATCH = 64  # sentences of a list per batch
_BEST: Any = (
    ""  # as in text-classification: ``top_k=None`` means all, so it cannot mean "not given"
)


class RelationClassificationPipeline(Pipeline):
    """Relation between the two marked mentions of a sentence.

    A sentence is a tagged text, a mapping or an instance, as for ``RelationExtractor``; a list
    returns a list, a generator or data set an iterator.

    Args:
        calibrator: See ``RelationExtractor.from_pretrained``.
        wanted_precision: Answers below its threshold are withheld.
        natural: Whether sentences are natural text; see ``RelationExtractor``.
        **kwargs: Arguments of any pipeline (``model``, ``tokenizer``, ``device``,
            ``batch_size``), and ``top_k``.

    Raises:
        CalibratorError: See ``RelationExtractor``.
    """

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = True

    def __init__(
        self,
        *,
        calibrator: Calibrator | str | Path | Literal[False] | None = None,
        wanted_precision: float | None = None,
        natural: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        folder = Path(self.model.name_or_path)
        self._extractor = RelationExtractor(
            self.model,
            self.tokenizer,
            find_calibrator(folder, calibrator),
            wanted_precision,
            find_schema(folder, None),
            natural,
        )

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Classify a sentence, a list, or the sentences of a generator or data set.

        Args:
            inputs: See the class.
            **kwargs: ``top_k``: number of labels (None: all), the predicted one first, then by
                probability. ``batch_size``: sentences per batch.

        Returns:
            For a sentence a dictionary with ``label`` (None where withheld), ``score`` (probability
            of the label or of the withheld one), and ``verdict``, ``abstained``, ``untyped`` and
            ``truncated`` as in ``Prediction``. With ``top_k``, a list of such dictionaries, each
            with its label; the rest is the same in each and is about the first.

        Raises:
            SentenceError: A sentence cannot be labelled.
        """
        if isinstance(inputs, list | tuple):
            # The default of transformers is a batch of 1.
            kwargs.setdefault("batch_size", self._batch_size or BATCH)
            return super().__call__(list(inputs), **kwargs) if inputs else []
        return super().__call__(inputs, **kwargs)

    def _sanitize_parameters(
        self, top_k: int | None = _BEST, **unknown: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if unknown:
            raise TypeError(f"{TASK} has no parameter {', '.join(sorted(unknown))}")
        if top_k is not None and top_k is not _BEST and top_k < 1:
            raise ValueError(f"top_k must be 1 or more, or None for all labels, not {top_k}")
        return {}, {}, {} if top_k is _BEST else {"top_k": top_k}

    def get_iterator(
        self,
        inputs: Iterable[Sentence],
        num_workers: int,
        batch_size: int,
        preprocess_params: Mapping[str, Any],
        forward_params: Mapping[str, Any],
        postprocess_params: Mapping[str, Any],
    ) -> Iterator[Any]:
        """The outputs of many sentences.

        The extractor makes the batches: it pads all inputs of a classifier, unlike the collator of
        ``transformers``, and names bad sentences by their positions.
        """
        for prediction in self._extractor.stream(inputs, rows=batch_size):
            yield self.postprocess(prediction, **postprocess_params)

    def preprocess(self, input_: Sentence, **preprocess_parameters: Any) -> dict[str, Any]:
        """One sentence as a batch."""
        return {"sentences": [input_]}

    def _forward(self, input_tensors: Mapping[str, Any], **forward_parameters: Any) -> Any:
        [prediction] = self._extractor(input_tensors["sentences"])
        return prediction

    def postprocess(self, model_outputs: Prediction, top_k: int | None = _BEST) -> Any:
        """Output for a sentence; see ``__call__``."""
        prediction = model_outputs
        flags = {
            name: getattr(prediction, name)
            for name in ("verdict", "abstained", "untyped", "truncated")
        }
        if top_k is _BEST:
            return {"label": prediction.relation, "score": prediction.probability} | flags
        # The predicted label need not be the most probable: in doubt it is the negative one.
        ranked = sorted(
            prediction.probabilities.items(),
            key=lambda item: (item[0] != prediction.guess, -item[1]),
        )
        return [{"label": label, "score": score} | flags for label, score in ranked[:top_k]]

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Save model and tokenizer without code: a user imports this module to load them."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.tokenizer.save_pretrained(save_directory, **kwargs)
        follow_umask(Path(save_directory), "config.json")


def register() -> None:
    """Register the task and the model with transformers, once."""
    if TASK in PIPELINE_REGISTRY.supported_tasks:
        return
    for auto in (AutoModel, AutoModelForSequenceClassification):
        auto.register(RelationClassifierConfig, RelationClassifier)
    PIPELINE_REGISTRY.register_pipeline(
        TASK,
        pipeline_class=RelationClassificationPipeline,
        pt_model=(RelationClassifier,),
        type="text",
    )


register()

"""The trained classifier as a plain Python object, without Kedro.

extractor = RelationExtractor.from_pretrained("path/to/classifier")
sentence = "<head>Ada</head> was born in <tail>London</tail>."
print(extractor([sentence])[0].relation)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tkre.corpora.unlabelled import unlabelled_instance
from tkre.evaluation.predictions import answered, prediction_frame
from tkre.evaluation.trust import TRUST_FILE, Trust, calibrate, share_among
from tkre.modeling.checkpoint import weights_digest
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.quiet import quiet_transformers
from tkre.records import Instance
from tkre.training.onnx_classifier import MODEL_FILE, OnnxClassifier
from tkre.training.prediction import labels_of, predict


@dataclass(frozen=True)
class Prediction:
    """What a sentence says about its two mentions.

    Attributes:
        relation: The likeliest label, or the negative one where none is likely enough; None where
            the guess is not sure enough for the wanted precision.
        probability: That of the guess.
        probabilities: Of every label.
        guess: The label in any case.
    """

    relation: str | None
    probability: float
    probabilities: dict[str, float]
    guess: str

    @property
    def abstained(self) -> bool:
        """Whether the guess is withheld."""
        return self.relation is None


class RelationExtractor:
    """Labels sentences whose two mentions are marked.

    Args:
        model: A relation classifier, or an exported one.
        tokenizer: Its own.
        trust: Its trust record, which calibrates probabilities; None leaves them as they are.
        wanted_precision: Answers below the record's threshold for it are withheld; None
            withholds none.

    Raises:
        TrustError: The record is of another classifier, or has no threshold for that precision.
        ValueError: A precision is wanted without a record.
    """

    def __init__(
        self,
        model: RelationClassifier | OnnxClassifier,
        tokenizer: PreTrainedTokenizerBase,
        trust: Trust | None = None,
        wanted_precision: float | None = None,
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._trust = trust
        self._confidence = 0.0
        if trust is not None:
            exported = isinstance(model, OnnxClassifier)
            trust.require(model.weights if exported else weights_digest(model))
        if wanted_precision is not None:
            if trust is None:
                raise ValueError(
                    f"wanted_precision={wanted_precision} needs the classifier's trust record: "
                    'trust="data/07_model_output/<corpus>/<shots>/<seed>/<variant>/trust.json"'
                )
            self._confidence = trust.confidence_for(wanted_precision)

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        trust: Trust | str | Path | None = None,
        wanted_precision: float | None = None,
    ) -> Self:
        """The extractor in a folder.

        Args:
            path: A folder that a run wrote a classifier to, or a folder of its versions, of which
                the newest is taken; or one that ``kedro classifier export`` wrote.
            trust: The classifier's trust record, its file, or a folder of its versions; None takes
                the one beside the weights, where ``kedro classifier publish`` has put one.
            wanted_precision: See the class.

        Raises:
            FileNotFoundError: There is no classifier, or no trust record.
        """
        folder = newest_version(Path(path))
        model: RelationClassifier | OnnxClassifier
        with quiet_transformers():
            if (folder / MODEL_FILE).is_file():
                model = OnnxClassifier.load(folder)
            else:
                model = RelationClassifier.from_pretrained(folder)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        if trust is None and (folder / TRUST_FILE).is_file():
            trust = folder / TRUST_FILE
        record = Trust.read(trust) if isinstance(trust, str | Path) else trust
        return cls(model, tokenizer, record, wanted_precision)

    @property
    def relations(self) -> list[str]:
        """The labels, in the order of their numbers."""
        labels = self._model.config.id2label
        return [labels[n] for n in range(len(labels))]

    def __call__(self, sentences: Sequence[str | Mapping[str, Any] | Instance]) -> list[Prediction]:
        """Labels a batch.

        Args:
            sentences: Tagged texts; or mappings with ``sentence`` and, if known, ``head_type``
                and ``tail_type``; or instances.

        Returns:
            A prediction for each, in order.

        Raises:
            TagError: The tags of a text do not mark one head and one tail.
        """
        instances = [_instance(s, n) for n, s in enumerate(sentences)]
        rows = predict(self._model, self._tokenizer, instances, description="extraction")
        frame = prediction_frame(
            [i.id for i in instances],
            [None] * len(instances),
            labels_of(rows, self._model),
            self.relations,
            rows,
        )
        if self._trust is not None:
            frame = calibrate(frame, self._trust, share_among(frame, self._trust))
        frame = answered(frame, self._model.config.negative, self._confidence)
        return [
            Prediction(
                None if row["abstained"] else row["predicted"],
                row["probability"],
                {relation: row[f"p.{relation}"] for relation in self.relations},
                row["predicted"],
            )
            for row in frame.to_dict("records")
        ]


def newest_version(path: Path) -> Path:
    """The folder itself if it holds a model, else the newest version in it.

    Raises:
        FileNotFoundError: Neither holds one.
    """
    if (path / "config.json").is_file():
        return path
    versions = sorted(p.parent for p in path.glob("*/*/config.json"))
    if not versions:
        raise FileNotFoundError(
            f"no classifier in {path}: neither config.json nor a version of one; `kedro run` "
            "writes classifiers to data/06_models/<corpus>/<shots>/<seed>/<variant>/classifier"
        )
    return versions[-1]


def _instance(sentence: str | Mapping[str, Any] | Instance, number: int) -> Instance:
    if isinstance(sentence, Instance):
        return sentence
    record = {"sentence": sentence} if isinstance(sentence, str) else dict(sentence)
    return unlabelled_instance(record, str(number))

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
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.quiet import quiet_transformers
from tkre.records import Instance
from tkre.training.prediction import labels_of, predict


@dataclass(frozen=True)
class Prediction:
    """What a sentence says about its two mentions.

    Attributes:
        relation: The likeliest label, or the negative one where none is likely enough.
        probability: Its probability.
        probabilities: Of every label.
    """

    relation: str
    probability: float
    probabilities: dict[str, float]


class RelationExtractor:
    """Labels sentences whose two mentions are marked.

    Args:
        model: A relation classifier.
        tokenizer: Its own.
    """

    def __init__(self, model: RelationClassifier, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Self:
        """The extractor in a folder.

        Args:
            path: A folder that a run wrote a classifier to, or a folder of its versions, of which
                the newest is taken.

        Raises:
            FileNotFoundError: There is no classifier.
        """
        folder = newest_version(Path(path))
        with quiet_transformers():
            model = RelationClassifier.from_pretrained(folder)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        return cls(model, tokenizer)

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
        predictions = []
        for row, label in zip(rows, labels_of(rows, self._model), strict=True):
            probabilities = dict(zip(self.relations, map(float, row), strict=True))
            predictions.append(Prediction(label, probabilities[label], probabilities))
        return predictions


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

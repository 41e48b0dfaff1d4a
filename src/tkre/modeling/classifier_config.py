"""What a relation classifier is, without its weights; loading it loads no model of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from tkre.modeling.classifier_settings import ClassifierSettings

# Cosines of a sentence with two definitions differ by some hundredths.
TEMPERATURE = 0.05


class RelationClassifierConfig(PretrainedConfig):
    """Configuration of ``RelationClassifier``; label names are ``id2label``, as everywhere.

    Attributes:
        encoder: Configuration of the encoder, as a dictionary with its ``model_type``.
        head: ``markers``, ``spans`` (``modeling.heads``), ``prompt``, ``answers``
            (``modeling.prompt_head``), ``prototypes`` (``modeling.prototypes``), or one of another
            package (``tkre.extensions``).
        options: Settings of another package's head.
        layers: For ``spans``: the encoder layers it pools, counted from 1; deeper layers are not
            kept. For other heads: empty; the last layer is read.
        trigger_attention: For ``spans``: one more vector, pooled by attention.
        head_dropout: Of the head's features.
        max_length: Longest sentence in tokens.
        typed_markers: Whether markers, or prompts, hold entity types.
        phrases: For ``prompt`` and ``answers``: by label, the token ids of the relation's phrase.
        temperature: For ``prototypes``: what likenesses are divided by.
        both_directions: Whether a sentence is also read with head and tail exchanged, and the
            two readings averaged, where the schema knows the inverse relation.
        negative: The label that says "none of the others".
        least_probability: What a relation must reach to be predicted; a sentence none of whose
            relations does gets the negative label.
        inverses: By label, the label with head and tail exchanged.
        allowed_types: By label, the head types and the tail types that the schema allows; labels
            that join any types are left out, and so are all if predictions are not to be guided
            by types.
        entity_types: All types of the schema, whether a relation names them or not; None where it
            is not known (a classifier of an older version).
    """

    model_type = "tkre-relation-classifier"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        head: str = ClassifierSettings.head,
        options: dict[str, Any] | None = None,
        layers: tuple[int, ...] = (),
        trigger_attention: bool = False,
        head_dropout: float = 0.1,
        max_length: int = ClassifierSettings.max_length,
        typed_markers: bool = ClassifierSettings.typed_markers,
        phrases: dict[str, list[int]] | None = None,
        temperature: float = TEMPERATURE,
        both_directions: bool = ClassifierSettings.both_directions,
        negative: str | None = None,
        least_probability: float = ClassifierSettings.least_probability,
        inverses: dict[str, str] | None = None,
        allowed_types: dict[str, list[list[str]]] | None = None,
        entity_types: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        # Not where it was loaded from: that is a path of one machine, and the lineage has its name.
        self.encoder = encoder and {k: v for k, v in encoder.items() if k != "_name_or_path"}
        self.head = head
        self.options = dict(options or {})
        self.layers = list(layers)
        self.trigger_attention = trigger_attention
        self.head_dropout = head_dropout
        self.max_length = max_length
        self.typed_markers = typed_markers
        self.phrases = dict(phrases or {})
        self.temperature = temperature
        self.both_directions = both_directions
        self.negative = negative
        self.least_probability = least_probability
        self.inverses = dict(inverses or {})
        self.allowed_types = dict(allowed_types or {})
        self.entity_types = None if entity_types is None else list(entity_types)
        super().__init__(**kwargs)

    def encoder_sizes(self) -> Any:
        """What heads ask of the encoder: ``model_type``, ``hidden_size``, ``pad_token_id``.

        From the fields as they stand if they have these names. To make a configuration of its
        architecture's own class loads all models of transformers, for the sake of its docstring.
        """
        fields = dict(self.encoder or {})
        if {"model_type", "hidden_size", "pad_token_id"} <= fields.keys():
            return SimpleNamespace(**fields)
        return self.encoder_config()

    def encoder_config(self) -> PretrainedConfig:
        """The encoder's configuration, its depth cut to the layers that are read."""
        fields: dict[str, Any] = dict(self.encoder or {})
        config = AutoConfig.for_model(fields.pop("model_type"), **fields)
        if self.layers:
            config.num_hidden_layers = max(self.layers)
        return config


AutoConfig.register(RelationClassifierConfig.model_type, RelationClassifierConfig)

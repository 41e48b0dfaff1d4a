"""The relation classifier: an encoder with one of several heads, as a Hugging Face model.

Legend of shapes: B sentences, T tokens, H hidden size, F features, R relations.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from tkre.core.instance import Instance
from tkre.modeling.heads import Head
from tkre.modeling.params import HEADS
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Tokenizer

# Cosines of a sentence with two definitions differ by some hundredths.
TEMPERATURE = 0.05


class RelationClassifierConfig(PretrainedConfig):
    """Configuration of ``RelationClassifier``; label names are ``id2label``, as everywhere.

    Attributes:
        encoder: Configuration of the encoder, as a dictionary with its ``model_type``.
        head: A name of ``modeling.params.HEADS``.
        options: Settings of another package's head.
        layers: For ``spans``: the encoder layers it pools, counted from 1; deeper layers are not
            kept. Empty for other heads, which read the last layer.
        trigger_attention: For ``spans``: whether it has one more vector, pooled by attention.
        head_dropout: Dropout of the head's features.
        max_length: Longest sentence in tokens.
        typed_markers: Whether markers, or prompts, hold entity types.
        phrases: For ``prompt`` and ``virtual_words``: token ids of the relations' phrases, by
            label.
        temperature: For ``prototypes``: divisor of the cosines.
        both_directions: Whether predictions average a sentence and its inverted reading, where the
            schema knows the inverse relation.
        negative: The label "none of the others".
        least_probability: Smallest probability of a predicted relation; below it a sentence gets
            the negative label.
        inverses: By label, the label with head and tail exchanged.
        allowed_types: By label, the head types and the tail types that the schema allows; labels
            that join any types are left out. Empty if predictions are not guided by types.
        entity_types: All types of the schema; None for a classifier of an older version.
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
        """``model_type``, ``hidden_size`` and ``pad_token_id`` of the encoder.

        From the fields if they have these names: the configuration class of the architecture would
        load all models of transformers for its docstring.
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


class RelationClassifier(PreTrainedModel):
    """Scores the relations of a schema for the marked pair of each sentence."""

    config_class = RelationClassifierConfig
    base_model_prefix = "encoder"
    head: Head

    def __init__(self, config: RelationClassifierConfig) -> None:
        super().__init__(config)
        kept = HEADS[config.head]
        self.encoder = _encoder(config.encoder_config(), masked_lm=kept.masked_lm)
        self.head = kept(config)
        self.post_init()

    @property
    def padding(self) -> int:
        """The padding token of its encoder."""
        return self.encoder.config.pad_token_id or 0

    def encode(self, instances: Sequence[Instance], tokenizer: Tokenizer) -> Sequence[Encoded]:
        """Instances as tokens, in the form that this classifier's head reads.

        Args:
            instances: In any order.
            tokenizer: The encoder's.
        """
        return self.head.encode(instances, tokenizer)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        **inputs: Tensor,
    ) -> SequenceClassifierOutput:
        """Logits over the labels.

        Args:
            input_ids: B x T tokens of what ``encode`` gives.
            attention_mask: B x T.
            labels: B label numbers, for a loss.
            **inputs: What else ``encode`` gives, by name; of marked sentences ``spans``.
        """
        features_BF, _ = self.features(input_ids, attention_mask, **inputs)
        logits_BR = self.head.classify(features_BF)
        loss = None if labels is None else nn.functional.cross_entropy(logits_BR, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits_BR)

    def features(
        self, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """The features that the head classifies, and its attention scores over the tokens.

        Returns:
            B x F features; B x T scores before the softmax, None for a head without attention.
        """
        return self.head.read(self.encoder, input_ids, attention_mask, **inputs)

    def load_encoder(self, encoder: PreTrainedModel) -> None:
        """Takes the weights of an encoder, as many layers as are kept.

        Args:
            encoder: With its masked-LM head if the head of this classifier reads it, else bare.

        Raises:
            ValueError: It lacks parameters of this one.
        """
        result = self.encoder.load_state_dict(encoder.state_dict(), strict=False)
        if result.missing_keys:
            raise ValueError(
                f"the encoder lacks {', '.join(result.missing_keys[:5])}: another architecture?"
            )

    def _init_weights(self, module: nn.Module) -> None:
        """As BERT: small normal weights. Weights that are loaded overwrite these."""
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)


def _encoder(config: PretrainedConfig, *, masked_lm: bool) -> PreTrainedModel:
    """The encoder, bare or with its masked-LM head.

    A bare one is without a pooler, which nothing here reads, if it can be had without.
    """
    if masked_lm:
        return AutoModelForMaskedLM.from_config(config)
    accepted = inspect.signature(AutoModel._model_mapping[type(config)].__init__).parameters
    extra = {"add_pooling_layer": False} if "add_pooling_layer" in accepted else {}
    return AutoModel.from_config(config, **extra)

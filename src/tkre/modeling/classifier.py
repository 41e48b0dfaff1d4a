"""The relation classifier: an encoder with one of several heads, as a Hugging Face model.

Legend of shapes: B sentences, T tokens, H hidden size, F features, R relations.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from tkre.core.errors import enumerated
from tkre.core.instance import Instance
from tkre.core.provenance import LINEAGE_FILE, Lineage
from tkre.modeling.heads import Head
from tkre.modeling.params import HEADS
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Tokenizer
from tkre.modeling.weights import WeightsError, torn_files_named


class RelationClassifierConfig(PretrainedConfig):
    """Configuration of ``RelationClassifier``: the fields of ``ClassifierSettings``."""

    model_type = "tkre-relation-classifier"

    def __init__(self, **given: Any) -> None:
        for setting in fields(ClassifierSettings):
            if setting.name == "id2label":
                continue  # a field of every configuration
            made = setting.default_factory
            default = setting.default if made is MISSING else made()
            # As JSON has it: a configuration equals itself after saving.
            value = json.loads(json.dumps(given.pop(setting.name, default)))
            setattr(self, setting.name, value)
        # The path of one machine; the lineage has the encoder's name.
        self.encoder.pop("_name_or_path", None)
        super().__init__(**given)

    def encoder_sizes(self) -> Any:
        """``model_type``, ``hidden_size`` and ``pad_token_id`` of the encoder.

        From the fields if they have these names: the configuration class of the architecture would
        load all models of transformers for its docstring.
        """
        if {"model_type", "hidden_size", "pad_token_id"} <= self.encoder.keys():
            return SimpleNamespace(**self.encoder)
        return self.encoder_config()

    def encoder_config(self) -> PretrainedConfig:
        """The encoder's configuration, its depth cut to the layers that are read."""
        config = AutoConfig.for_model(**self.encoder)
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
        head_class = HEADS[config.head].head_class
        self.encoder = _encoder(config.encoder_config(), masked_lm=head_class.masked_lm)
        self.head = head_class(config)
        self.post_init()

    @classmethod
    def from_masked_lm(
        cls,
        masked_lm: PreTrainedModel,
        labels: Sequence[str] = (),
        *,
        freeze_embeddings: bool = False,
        **settings: Any,
    ) -> Self:
        """A classifier with the encoder of a masked language model and a new head.

        Args:
            masked_lm: The masked language model; its weights are copied.
            labels: The labels in their order; none for features alone.
            freeze_embeddings: Whether the word embeddings are not trained.
            **settings: Further fields of ``ClassifierSettings``.
        """
        numbers = {"id2label": dict(enumerate(labels)),
                   "label2id": {label: n for n, label in enumerate(labels)}}  # fmt: skip
        given = {"encoder": masked_lm.config.to_dict(), **(numbers if labels else {}), **settings}
        model = cls(RelationClassifierConfig(**given))
        model.load_encoder(masked_lm if model.head.masked_lm else masked_lm.base_model)
        if freeze_embeddings:
            model.encoder.get_input_embeddings().weight.requires_grad_(False)
        return model

    @classmethod
    def from_pretrained(cls, folder: Any, *given: Any, **settings: Any) -> Any:
        """The classifier of a folder, as transformers loads it.

        Raises:
            DocumentError: Its lineage cannot be read, without which nothing tells its origin.
            WeightsError: A file is torn.
        """
        with torn_files_named(Path(folder)):
            if (lineage := Path(folder, LINEAGE_FILE)).is_file():
                Lineage.from_file(lineage)
            return super().from_pretrained(folder, *given, **settings)

    @property
    def padding(self) -> int:
        """The padding token of its encoder."""
        return self.encoder.config.pad_token_id or 0

    def encode(self, instances: Sequence[Instance], tokenizer: Tokenizer) -> Sequence[Encoded]:
        """Instances as tokens, in the form that its head reads.

        Args:
            instances: Instances in any order.
            tokenizer: The encoder's tokenizer.
        """
        return HEADS[self.config.head].encode(self.config, instances, tokenizer)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        **inputs: Tensor,
    ) -> SequenceClassifierOutput:
        """Logits over the labels.

        Args:
            input_ids: B x T tokens.
            attention_mask: B x T.
            labels: B label numbers, for a loss.
            **inputs: Further arrays of ``Encoded`` by name; ``spans`` for marked sentences.
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
        """Copies the weights of an encoder, as many layers as are kept.

        Args:
            encoder: An encoder, with its masked-LM head if the head of this classifier reads it.

        Raises:
            WeightsError: It lacks parameters of this one.
        """
        result = self.encoder.load_state_dict(encoder.state_dict(), strict=False)
        if result.missing_keys:
            raise WeightsError(
                f"the encoder lacks {enumerated(result.missing_keys, 5)}: another architecture?"
            )

    def _init_weights(self, module: nn.Module) -> None:
        """Small normal weights, as in BERT; loaded weights overwrite them."""
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)


def _encoder(config: PretrainedConfig, *, masked_lm: bool) -> PreTrainedModel:
    """The encoder with its masked-LM head, or bare and without a pooler where that is possible."""
    if masked_lm:
        return AutoModelForMaskedLM.from_config(config)
    accepted = inspect.signature(AutoModel._model_mapping[type(config)].__init__).parameters
    extra = {"add_pooling_layer": False} if "add_pooling_layer" in accepted else {}
    return AutoModel.from_config(config, **extra)

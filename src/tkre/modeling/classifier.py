"""The relation classifier: an encoder with one of several heads, as a Hugging Face model.

Legend of shapes: B sentences, T tokens, H hidden size, F features, R relations.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from tkre.modeling.classifier_config import RelationClassifierConfig
from tkre.modeling.head_kinds import HEADS
from tkre.modeling.heads import Head
from tkre.modeling.tokens import Encoded, Tokenizer
from tkre.records import Instance


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

"""The relation classifier: an encoder with one of two heads, as a Hugging Face model.

Legend of shapes: B sentences, T tokens, H hidden size, F features, R relations.
"""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from tkre.modeling.heads import HEADS, Head


class RelationClassifierConfig(PretrainedConfig):
    """Configuration of ``RelationClassifier``; label names are ``id2label``, as everywhere.

    Attributes:
        encoder: Configuration of the encoder, as a dictionary with its ``model_type``.
        head: ``markers`` or ``spans`` (``modeling.heads``).
        layers: For ``spans``: the encoder layers it pools, counted from 1; deeper layers are not
            kept. For ``markers``: empty; the last layer is read.
        trigger_attention: For ``spans``: one more vector, pooled by attention.
        head_dropout: Of the head's features.
        max_length: Longest sentence in tokens.
        typed_markers: Whether markers hold entity types.
        both_directions: Whether a sentence is also read with head and tail exchanged, and the
            two readings averaged, where the schema knows the inverse relation.
        negative: The label that says "none of the others".
        least_probability: What a relation must reach to be predicted; a sentence none of whose
            relations does gets the negative label.
        inverses: By label, the label with head and tail exchanged.
        allowed_types: By label, the head types and the tail types that the schema allows; labels
            that join any types are left out, and so are all if predictions are not to be guided
            by types.
    """

    model_type = "tkre-relation-classifier"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        head: str = "markers",
        layers: tuple[int, ...] = (),
        trigger_attention: bool = False,
        head_dropout: float = 0.1,
        max_length: int = 128,
        typed_markers: bool = True,
        both_directions: bool = False,
        negative: str | None = None,
        least_probability: float = 0.0,
        inverses: dict[str, str] | None = None,
        allowed_types: dict[str, list[list[str]]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.layers = list(layers)
        self.trigger_attention = trigger_attention
        self.head_dropout = head_dropout
        self.max_length = max_length
        self.typed_markers = typed_markers
        self.both_directions = both_directions
        self.negative = negative
        self.least_probability = least_probability
        self.inverses = dict(inverses or {})
        self.allowed_types = dict(allowed_types or {})
        super().__init__(**kwargs)

    def encoder_config(self) -> PretrainedConfig:
        """The encoder's configuration, its depth cut to the layers that are read."""
        fields: dict[str, Any] = dict(self.encoder or {})
        config = AutoConfig.for_model(fields.pop("model_type"), **fields)
        if self.layers:
            config.num_hidden_layers = max(self.layers)
        return config


class RelationClassifier(PreTrainedModel):
    """Scores the relations of a schema for the marked pair of each sentence."""

    config_class = RelationClassifierConfig
    base_model_prefix = "encoder"
    head: Head

    def __init__(self, config: RelationClassifierConfig) -> None:
        super().__init__(config)
        self.encoder = _encoder(config.encoder_config())
        self.head = HEADS[config.head](config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        spans: Tensor,
        labels: Tensor | None = None,
        **unused: Any,
    ) -> SequenceClassifierOutput:
        """Logits over the labels.

        Args:
            input_ids: B x T tokens of marked sentences (``modeling.marking``).
            attention_mask: B x T.
            spans: B x ROWS x T flags.
            labels: B label numbers, for a loss.
            **unused: What a Trainer may add.
        """
        features_BF, _ = self.features(input_ids, attention_mask, spans)
        logits_BR = self.head.classify(features_BF)
        loss = None if labels is None else nn.functional.cross_entropy(logits_BR, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits_BR)

    def features(
        self, input_ids: Tensor, attention_mask: Tensor, spans: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """The features that the head classifies, and its attention scores over the tokens.

        Returns:
            B x F features; B x T scores before the softmax, None for a head without attention.
        """
        output = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        )
        return self.head.features(output.hidden_states, attention_mask, spans)

    def load_encoder(self, encoder: PreTrainedModel) -> None:
        """Takes the weights of an encoder, as many layers as are kept.

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


def _encoder(config: PretrainedConfig) -> PreTrainedModel:
    """The bare encoder; without a pooler, which nothing here reads, if it can be had without."""
    accepted = inspect.signature(AutoModel._model_mapping[type(config)].__init__).parameters
    extra = {"add_pooling_layer": False} if "add_pooling_layer" in accepted else {}
    return AutoModel.from_config(config, **extra)


AutoConfig.register(RelationClassifierConfig.model_type, RelationClassifierConfig)

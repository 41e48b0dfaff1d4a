"""Parameters of reports and model cards: ``publishing`` in ``conf/base``."""

from __future__ import annotations

from pydantic import Field

from tkre.core.params import Params


class PageParams(Params):
    """Numbers of sentences that a report quotes; licences of corpora may demand 0 of both.

    Attributes:
        examples: Explanations, synthetic sentences and rejects of a corpus, each.
        errors: Wrongly labelled sentences of a variant.
    """

    examples: int = Field(4, ge=0)
    errors: int = Field(8, ge=0)


class CardParams(Params):
    """Fields of a model card that no run knows.

    Attributes:
        license: Identifier on the Hugging Face Hub, e.g. ``mit``; None leaves the field out:
            whoever publishes a classifier decides.
        language: Languages of corpora without a `language`, as ISO 639 codes.
        base_models: Names of backbones on the Hub, by the name in their catalog entry.
        datasets: Names of corpora on the Hub, by their name here, which is the default.
    """

    license: str | None = None
    language: tuple[str, ...] = ("en",)
    base_models: dict[str, str] = Field(default_factory=dict)
    datasets: dict[str, str] = Field(default_factory=dict)


class PublishingParams(Params):
    """Reports of experiments (``page``) and cards of classifiers (``card``)."""

    page: PageParams = PageParams()
    card: CardParams = CardParams()

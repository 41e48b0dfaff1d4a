"""Parameters of what is shown to readers: ``publishing`` in ``conf/base``."""

from __future__ import annotations

from pydantic import Field

from tkre.core.params import Params


class PageParams(Params):
    """How much of a corpus and its knowledge the page of an experiment quotes.

    Attributes:
        examples: Explanations, synthetic sentences and rejects of a corpus, each.
        errors: Wrongly labelled sentences of a variant. With 0 of both no sentence is quoted, as
            the licence of a corpus may want it.
    """

    examples: int = Field(4, ge=0)
    errors: int = Field(8, ge=0)


class CardParams(Params):
    """What a model card says that no run knows.

    Attributes:
        license: Its identifier on the Hugging Face Hub, e.g. ``mit``; None leaves the field out:
            whoever publishes a classifier decides.
        language: Of the corpora, as ISO 639 codes.
        base_models: What backbones are called on the Hub, by the name in their catalog entry.
        datasets: What corpora are called there; one that is not named keeps its own name.
    """

    license: str | None = None
    language: tuple[str, ...] = ("en",)
    base_models: dict[str, str] = Field(default_factory=dict)
    datasets: dict[str, str] = Field(default_factory=dict)


class PublishingParams(Params):
    """What readers are shown.

    Attributes:
        page: Of an experiment.
        card: Of a classifier.
    """

    page: PageParams = PageParams()
    card: CardParams = CardParams()

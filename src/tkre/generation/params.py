"""Parameters of knowledge generation: ``generation`` in ``conf/base``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tkre.core.params import DEFAULT_LLM, NO_LLM, Params
from tkre.core.text import NearDuplicateParams
from tkre.generation.llm.params import LanguageModelParams, ReplayParams
from tkre.generation.llm.protocol import Sampling

# Names with a meaning in tables, and names that pandas reads as missing values.
_RESERVED = {DEFAULT_LLM, NO_LLM, "na", "nan", "null"}


def _is_llm(name: str) -> str:
    if not re.fullmatch("[A-Za-z][A-Za-z0-9]*", name) or name.lower() in _RESERVED:
        raise ValueError(
            f"{name!r}: names of llms are made of letters and digits, begin with a letter, and "
            f"are none of {', '.join(sorted(_RESERVED))}"
        )
    return name


class RetryParams(Params):
    """Retries of requests whose answer was cut off, malformed or not usable.

    Attributes:
        attempts: Largest number of attempts, the first included.
        budget_factor: Factor on the token budget from one attempt to the next.
        temperature_step: Difference of the temperature from the first attempt's.
    """

    attempts: int = Field(3, gt=0)
    budget_factor: float = Field(2.0, ge=1)
    temperature_step: float = Field(0.3, ge=0)


class ExplanationParams(Params):
    """Explanations of support instances (the paper's explanation-driven knowledge).

    Attributes:
        sampling: Sampling of the language model.
        max_words: Longest explanation that is kept.
    """

    sampling: Sampling
    max_words: int = Field(120, gt=0)


class SynthesisParams(NearDuplicateParams):
    """Synthetic sentences for each relation (the paper's schema-constrained synthetic data).

    Near-copies of support, validation, test and other synthetic sentences are rejected.

    Attributes:
        sampling: Sampling of the language model.
        per_request: Sentences of one request.
        demonstrations: Support sentences in a request.
        extra_rounds: Rounds beyond the number that suffices without rejects; a relation that is
            still short after them is logged and stays short.
        min_words: Shortest sentence that is kept.
        max_words: Longest sentence that is kept.
        attributes: Values by attribute, such as topic, register or construction: each sentence of
            a request is asked for with one value of every attribute (``sentence_plans``).
        implicit: Share of the sentences that are asked to imply their relation.
    """

    sampling: Sampling
    per_request: int = Field(8, gt=0)
    demonstrations: int = Field(8, ge=0)
    extra_rounds: int = Field(2, ge=0)
    min_words: int = Field(4, gt=0)
    max_words: int = Field(60, gt=0)
    attributes: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    implicit: float = Field(0.0, ge=0, le=1)


class AnnotationParams(Params):
    """Annotation of unlabelled text (``generation.annotation``).

    Attributes:
        sampling: Sampling of the language model.
        demonstrations: Support sentences of each relation in a request; 0 leaves the definitions.
        votes: Answers for each row; every further one sees the relations in another order.
        kept_out: Share of the sentences that never train. Rows of these, drawn at random, are as
            large a part of the annotated ones, however the others are chosen.
        round_size: Rows that are chosen at once, where they are not taken in order.
    """

    sampling: Sampling = Sampling(temperature=0.0, max_tokens=200)
    demonstrations: int = Field(0, ge=0)
    votes: int = Field(1, ge=1, le=15)
    kept_out: float = Field(0.2, ge=0, lt=1)
    round_size: int = Field(100, gt=0)


class InContextParams(Params):
    """The language model as a classifier (``generation.classification``).

    Attributes:
        rows: Scored rows that it is asked about; a replay answers those that are recorded.
        demonstrations: Support sentences of each relation in a request.
    """

    rows: int = Field(400, gt=0)
    demonstrations: int = Field(8, ge=0)


Judged = Literal["support", "synthetic", "annotated"]  # rows whose labels are judged


class CrossFitParams(NearDuplicateParams):
    """The classifier that judges rows out of fold (``training.cross_fitting``).

    Near-copies are held out together.

    Attributes:
        layers: Encoder layers that its features are pooled from.
        max_length: Longest sentence in tokens.
        folds: Number of folds.
        inverse_regularisation: C of its logistic regression; small, since its labels may be wrong.
        golden_weight: Weight of a golden row, in synthetic rows.
        rounds: Number of fits; from the second on, the weight of a synthetic row is the probability
            of its label in the fit before.
    """

    layers: tuple[int, ...] = Field((3, 4), min_length=1)
    max_length: int = Field(128, ge=16)
    folds: int = Field(5, ge=2)
    inverse_regularisation: float = Field(0.003, gt=0)
    golden_weight: float = Field(3.0, gt=0)
    rounds: int = Field(3, ge=1)
    max_overlap: float = Field(0.3, gt=0, le=1)


class FilterParams(NearDuplicateParams):
    """The filter of synthetic rows (``generation.filtering``).

    Attributes:
        backbone: Name of the catalog entry ``backbones.<backbone>`` of the judging classifier.
        crossfit: Settings of the judging classifier.
        least_confidence: Least probability that a row's label is right.
        most_alike: Largest number of rows of a relation with the same two mentions.
    """

    backbone: str
    crossfit: CrossFitParams = CrossFitParams()
    least_confidence: float = Field(0.5, ge=0, le=1)
    most_alike: int = Field(2, gt=0)


class GenerationParams(Params):
    """Parameters of knowledge generation.

    Attributes:
        language_model: The default language model.
        llms: Further language models, by the names that experiments use.
        retry: Retries of requests whose answer was not usable.
        explanations: Explanations of support instances.
        synthesis: Synthetic sentences.
        filtering: The classifier that finds label errors, and the filter of synthetic sentences.
        annotations: Labels for unlabelled text.
    """

    language_model: LanguageModelParams
    llms: dict[Annotated[str, AfterValidator(_is_llm)], LanguageModelParams] = Field(
        default_factory=dict
    )
    retry: RetryParams
    explanations: ExplanationParams
    synthesis: SynthesisParams
    filtering: FilterParams
    annotations: AnnotationParams = AnnotationParams()

    def of_llm(self, llm: str) -> LanguageModelParams:
        """The language model of an entry of ``llms``, or of ``default``."""
        return llm_params(self.language_model if llm == DEFAULT_LLM else self.llms[llm], llm)


def llm_params(params: LanguageModelParams, llm: str) -> LanguageModelParams:
    """Parameters of a language model.

    Args:
        params: ``generation.language_model`` or an entry of ``generation.llms``.
        llm: Name of the language model. Recordings without digests are told apart by their model's
            name alone, so the replay of any but the default one is strict unless set otherwise.
    """
    if llm != DEFAULT_LLM and isinstance(params, ReplayParams) and params.strict is None:
        return params.model_copy(update={"strict": True})
    return params

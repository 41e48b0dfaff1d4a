"""Parameters of knowledge generation: ``generation`` in ``conf/base``."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tkre.core.params import DEFAULT_LLM, NO_LLM, Params
from tkre.generation.llm.params import LanguageModelParams, ReplayParams, backend_params
from tkre.generation.llm.protocol import Sampling

# What a table means something else by, or what pandas reads as a missing value.
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
        attempts: How often it is asked at most, the first time included.
        budget_factor: Each attempt may be so many times as long as the one before.
        temperature_step: By how much the temperature differs from the first attempt's.
    """

    attempts: int = Field(3, gt=0)
    budget_factor: float = Field(2.0, ge=1)
    temperature_step: float = Field(0.3, ge=0)


class ExplanationParams(Params):
    """Explanations of the support instances (the paper's explanation-driven knowledge).

    Attributes:
        sampling: How the language model draws them.
        max_words: A longer explanation is rejected; so is one that names a mention not at all.
    """

    sampling: Sampling
    max_words: int = Field(120, gt=0)


class SynthesisParams(Params):
    """New sentences for each relation (the paper's schema-constrained synthetic data).

    Attributes:
        sampling: How the language model draws them.
        per_request: Sentences asked for in one request.
        demonstrations: Support sentences that a request shows.
        extra_rounds: Rounds beyond those that would do if every sentence were kept, to make up
            for rejects; a relation still short after them is named and stays short.
        min_words: Shortest sentence that is kept.
        max_words: Longest.
        overlap_words: Length of the word runs by which near-copies are found.
        max_overlap: Largest share of a sentence's word runs that may stand in one other sentence
            (of the support, validation and test sets, or a synthetic one kept before).
    """

    sampling: Sampling
    per_request: int = Field(8, gt=0)
    demonstrations: int = Field(8, ge=0)
    extra_rounds: int = Field(2, ge=0)
    min_words: int = Field(4, gt=0)
    max_words: int = Field(60, gt=0)
    overlap_words: int = Field(4, gt=0)
    max_overlap: float = Field(0.5, gt=0, le=1)


class CrossFitParams(Params):
    """The classifier that judges rows it was not trained on (``training.crossfit``).

    Attributes:
        layers: Encoder layers that its features are pooled from.
        max_length: Longest sentence in tokens.
        folds: Parts that the judged rows are held out in.
        inverse_regularisation: C of its logistic regression; small, since its labels may be wrong.
        golden_weight: How many synthetic rows a golden row counts as.
        rounds: How often it is fitted; from the second round on, synthetic rows count as much as
            their labels were believed in the one before.
        overlap_words: Length of the word runs by which near-copies are found.
        max_overlap: Rows that share more of their word runs are held out together.
    """

    layers: tuple[int, ...] = Field((3, 4), min_length=1)
    max_length: int = Field(128, ge=16)
    folds: int = Field(5, ge=2)
    inverse_regularisation: float = Field(0.003, gt=0)
    golden_weight: float = Field(3.0, gt=0)
    rounds: int = Field(3, ge=1)
    overlap_words: int = Field(4, gt=0)
    max_overlap: float = Field(0.3, gt=0, le=1)


class FilterParams(Params):
    """Which synthetic rows are refused (``generation.filtering``).

    Attributes:
        backbone: Name of the catalog entry ``backbones.<backbone>`` that judges them.
        crossfit: The classifier that judges them.
        least_confidence: Probability that its label is right which a row must reach.
        overlap_words: Length of the word runs by which near-copies are found.
        max_overlap: Largest share of a sentence's word runs that may stand in one other sentence.
        most_alike: Rows of a relation with the same two mentions that are kept.
    """

    backbone: str
    crossfit: CrossFitParams = CrossFitParams()
    least_confidence: float = Field(0.5, ge=0, le=1)
    overlap_words: int = Field(4, gt=0)
    max_overlap: float = Field(0.5, gt=0, le=1)
    most_alike: int = Field(2, gt=0)


class GenerationParams(Params):
    """Everything about asking a language model.

    Attributes:
        language_model: Which one.
        llms: Others, by the names that experiments compare them by.
        retry: Retries of requests whose answer was not usable.
        explanations: What is asked about support instances.
        synthesis: What is asked about relations.
        filtering: The classifier that finds label errors, and the filter of synthetic sentences.
    """

    language_model: LanguageModelParams
    llms: dict[Annotated[str, AfterValidator(_is_llm)], LanguageModelParams] = Field(
        default_factory=dict
    )
    retry: RetryParams
    explanations: ExplanationParams
    synthesis: SynthesisParams
    filtering: FilterParams

    def of_llm(self, llm: str) -> LanguageModelParams:
        """The language model of an entry of ``llms``, or of ``default``."""
        return llm_params(self.language_model if llm == DEFAULT_LLM else self.llms[llm], llm)


def llm_params(settings: Any, llm: str) -> LanguageModelParams:
    """Parameters of a language model.

    Args:
        settings: ``generation.language_model`` or an entry of ``generation.llms``, parsed or not.
        llm: Name of the language model. Recordings without digests are told apart by their model's
            name alone, so that the replay of any but the default one is strict unless set otherwise.
    """
    params = backend_params(settings)
    if llm != DEFAULT_LLM and isinstance(params, ReplayParams) and params.strict is None:
        return params.model_copy(update={"strict": True})
    return params

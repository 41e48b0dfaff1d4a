"""Parameters of knowledge generation: ``generation`` in ``conf/base``."""

from __future__ import annotations

from pydantic import Field

from tkre.generation.backends.params import LanguageModelParams
from tkre.generation.protocol import Sampling
from tkre.params import Params


class AgainParams(Params):
    """How a question is asked again whose answer was cut off, malformed or not usable.

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


class GenerationParams(Params):
    """Everything about asking a language model.

    Attributes:
        language_model: Which one.
        again: How often what was not usable is asked again.
        explanations: What is asked about support instances.
        synthesis: What is asked about relations.
    """

    language_model: LanguageModelParams
    again: AgainParams
    explanations: ExplanationParams
    synthesis: SynthesisParams

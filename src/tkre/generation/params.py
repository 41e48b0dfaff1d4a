"""Parameters of knowledge generation: ``generation`` in ``conf/base``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tkre.generation.protocol import Sampling
from tkre.params import Params


class ReplayParams(Params):
    """Answers from the corpus's ``recordings.jsonl``; no language model runs.

    Attributes:
        model: Name of the model that gave the recorded answers.
    """

    backend: Literal["replay"]
    model: str


# Live backends join here, as a union whose members are told apart by ``backend``.
LanguageModelParams = ReplayParams


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
        explanations: What is asked about support instances.
        synthesis: What is asked about relations.
    """

    language_model: LanguageModelParams
    explanations: ExplanationParams
    synthesis: SynthesisParams

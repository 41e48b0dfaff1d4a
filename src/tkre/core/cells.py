"""Cells and their names: an experiment is a grid of cells, corpus x shots x seed x variant.

Only this module builds and parses the names of namespaces and datasets:

======================================  ================================================
``newsroom``                            a corpus
``newsroom.k8.s13``                     a *sample*: its K-shot sets and the knowledge about them
``newsroom.k8x4.s13``                   the same, with 4 x K synthetic sentences per relation
``newsroom.k0x4.s13``                   zero-shot: no labelled row, 4 rounds of synthetic sentences
``newsroom.k8x4n20.s13``                20 % of the synthetic sentences under a wrong label
``newsroom.k8x4n20f.s13``               the same after the filter
``newsroom.k8a300.s13``                 with 300 rows that a language model has annotated
``newsroom.k8a300d.s13``                the same, chosen to be diverse (``CHOICES``)
``newsroom.k8_qwen.s13``                knowledge of the language model ``qwen``
``newsroom.k8.s13.tkre``                a *cell*: one variant on a sample
``newsroom.k8.s13.encoder_1a2b3c4d``    an encoder by the digest of its recipe
``demo``                                an experiment, for its tables
======================================  ================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tkre.core.params import DEFAULT_LLM, Params

Seed = Annotated[int, Field(ge=0, lt=2**32)]  # as numpy takes them
MAX_SYNTHETIC = 100_000  # sentences of a relation: beyond, a number is mistyped
Choice = Literal["in_order", "diverse", "uncertain", "uncertain_and_diverse"]
IN_ORDER: Choice = "in_order"
Rows = Literal["test", "development"]  # rows that cells are scored on
# Ways to choose the rows that are annotated, with their letters in names of samples.
CHOICES: dict[Choice, str] = {
    IN_ORDER: "", "diverse": "d", "uncertain": "u", "uncertain_and_diverse": "b",
}  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9_]+")
_SAMPLE = re.compile(
    r"(?P<corpus>\w+)\.k(?P<shots>\d+)(x(?P<synthetic>\d+))?(n(?P<noise>\d+))?(?P<filtered>f)?"
    r"(a(?P<annotated>\d+)(?P<chosen>[dub])?)?(_(?P<llm>[A-Za-z0-9]+))?\.s(?P<seed>\d+)"
)


@dataclass(frozen=True)
class KShotSample:
    """The K-shot sets of one seed and the knowledge that a language model adds to them.

    Attributes:
        corpus: Name of the corpus.
        shots: K, labelled rows per relation.
        seed: Seed of the sample and of all training on it.
        synthetic: Synthetic sentences per relation, as a multiple of K; for K = 0, as a multiple of
            the sentences of one request.
        noise: Per cent of the synthetic sentences whose label is replaced by a wrong one.
        filtered: Whether the filter is applied to the synthetic sentences.
        llm: The language model: an entry of ``generation.llms``, or ``default`` for
            ``generation.language_model``.
        annotated: Rows of the corpus's unlabelled text that the language model labels.
        chosen: How they are chosen; without any it is ``IN_ORDER``.
    """

    corpus: str
    shots: int
    seed: int
    synthetic: int = 1
    noise: int = 0
    filtered: bool = False
    llm: str = DEFAULT_LLM
    annotated: int = 0
    chosen: Choice = IN_ORDER

    def __post_init__(self) -> None:
        if not self.annotated:
            object.__setattr__(self, "chosen", IN_ORDER)

    @property
    def name(self) -> str:
        """Namespace of its datasets."""
        kind = f"k{self.shots}"
        kind += "" if self.synthetic == 1 else f"x{self.synthetic}"
        kind += f"n{self.noise}" if self.noise else ""
        kind += "f" if self.filtered else ""
        kind += f"a{self.annotated}{CHOICES[self.chosen]}" if self.annotated else ""
        kind += "" if self.llm == DEFAULT_LLM else f"_{self.llm}"
        return f"{self.corpus}.{kind}.s{self.seed}"

    @property
    def plain(self) -> KShotSample:
        """This sample without planted noise, filter and annotated rows.

        Its synthetic sentences are as generated.
        """
        return replace(self, noise=0, filtered=False, annotated=0)

    @property
    def unannotated(self) -> KShotSample:
        """This sample without annotated rows; it identifies the synthetic sentences."""
        return replace(self, annotated=0)

    @property
    def with_annotations(self) -> KShotSample:
        """The plain sample with the annotated rows; it identifies these."""
        return replace(self.plain, annotated=self.annotated, chosen=self.chosen)

    @property
    def parent(self) -> KShotSample:
        """The sample whose synthetic sentences are the input: noise is planted, then filtered."""
        return replace(self.unannotated, filtered=False) if self.filtered else self.plain

    @property
    def golden(self) -> KShotSample:
        """This sample with the default language model; it identifies the K-shot sets."""
        return replace(self.explained, llm=DEFAULT_LLM)

    @property
    def explained(self) -> KShotSample:
        """This sample with default synthetic settings.

        It identifies the K-shot sets and their explanations.
        """
        return replace(self.plain, synthetic=1)


@dataclass(frozen=True)
class Cell:
    """One variant on one sample."""

    sample: KShotSample
    variant: str

    @property
    def name(self) -> str:
        """Namespace of its datasets."""
        return f"{self.sample.name}.{self.variant}"


@dataclass(frozen=True)
class EncoderChain:
    """The stages of an encoder, each in a cell of its own that variants of one recipe share.

    Attributes:
        stages: Name and cell of every stage, in their order; the variant of such a cell is the
            name of the recipe, ``encoder_1a2b3c4d``.
        reads: The dataset that each of them learns from.
        zero_shot: The sample of sentences without an example that it learns from, too.
    """

    stages: tuple[tuple[str, Cell], ...]
    reads: tuple[str, ...]
    zero_shot: KShotSample | None = None

    @property
    def samples(self) -> list[KShotSample]:
        """All samples whose knowledge it is pre-trained on."""
        return [self.sample, *([self.zero_shot] if self.zero_shot else [])]

    @property
    def sample(self) -> KShotSample:
        """Whose knowledge it is pre-trained on."""
        return self.stages[0][1].sample

    @property
    def encoder(self) -> str:
        """The dataset of what the last stage gives."""
        return _encoder(*self.stages[-1])

    @property
    def data(self) -> dict[str, Cell]:
        """The cells where the data of the stages is selected, by dataset."""
        data: dict[str, Cell] = {}
        for (_, cell), name in zip(self.stages, self.reads, strict=True):
            data.setdefault(name, cell)
        return data

    @property
    def namespaces(self) -> dict[str, str]:
        """The namespaces of that data."""
        return {name: cell.name for name, cell in self.data.items()}

    def start(self, stage: str) -> str | None:
        """The dataset that a stage starts from; None if that is the backbone."""
        names = [name for name, _ in self.stages]
        before = names.index(stage) - 1
        return None if before < 0 else _encoder(*self.stages[before])


def _encoder(stage: str, cell: Cell) -> str:
    return f"{cell.name}.{stage}_encoder"


def parse_sample(name: str) -> KShotSample:
    """The sample of a namespace such as ``newsroom.k8x4.s13``."""
    match = _SAMPLE.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a sample, such as 'newsroom.k8.s13'")
    return KShotSample(
        match["corpus"],
        int(match["shots"]),
        int(match["seed"]),
        synthetic=int(match["synthetic"] or 1),
        noise=int(match["noise"] or 0),
        filtered=match["filtered"] is not None,
        llm=match["llm"] or DEFAULT_LLM,
        annotated=int(match["annotated"] or 0),
        chosen=next(c for c, letter in CHOICES.items() if letter == (match["chosen"] or "")),
    )


def parse_cell(name: str) -> Cell:
    """The cell of a namespace such as ``newsroom.k8.s13.tkre``."""
    sample, _, variant = name.rpartition(".")
    if not _NAME.fullmatch(variant):
        raise ValueError(f"{name!r} is not the name of a cell, such as 'newsroom.k8.s13.tkre'")
    return Cell(parse_sample(sample), variant)


class Experiment(Params):
    """An entry of ``conf/base/experiments.yml``: every combination of the values of its axes.

    Attributes:
        corpora: Names of ``corpora`` parameters.
        shots: Values of K; 0 is zero-shot.
        seeds: Seeds of the samples.
        golden_seeds: Further seeds, of variants that a language model gives nothing: others may
            have recorded answers for few seeds, and are left out there.
        variants: Names of ``variants`` parameters.
        synthetic: Synthetic sentences per relation, as multiples of K (``KShotSample.synthetic``).
        noise: Per cent of synthetic sentences with a planted wrong label, to measure the effect.
        filtered: Whether the filter is applied; ``[false, true]`` compares both.
        llms: Language models, names of ``generation.llms`` or ``default`` for
            ``generation.language_model``. Several are compared.
        annotated: Rows of unlabelled text that a language model labels; 0 is none.
        chosen: How these are chosen: ``in_order`` of the pool, ``diverse``, ``uncertain`` or
            ``uncertain_and_diverse`` (``training.active_learning``).
        score_on: ``test``, or ``development`` for choosing a recipe: the K-shot sets of the
            protocol's other seeds, so that no test row is read.
        baseline: The variant that others are compared with; None takes ``reporting.baseline``.
    """

    corpora: tuple[str, ...]
    shots: tuple[Annotated[int, Field(ge=0, le=10_000)], ...] = Field((8,), min_length=1)
    seeds: tuple[Seed, ...] = Field((13,), min_length=1)
    golden_seeds: tuple[Seed, ...] = ()
    variants: tuple[str, ...]
    synthetic: tuple[Annotated[int, Field(ge=0, le=1000)], ...] = Field((1,), min_length=1)
    noise: tuple[int, ...] = (0,)
    filtered: tuple[bool, ...] = (False,)
    llms: tuple[str, ...] = (DEFAULT_LLM,)
    annotated: tuple[Annotated[int, Field(ge=0, le=10_000_000)], ...] = Field((0,), min_length=1)
    chosen: tuple[Choice, ...] = (IN_ORDER,)
    score_on: Rows = "test"
    baseline: str | None = None

    @field_validator(
        "shots", "seeds", "golden_seeds", "synthetic", "noise", "filtered", "llms", "annotated",
        "chosen", mode="before",
    )  # fmt: skip
    @classmethod
    def _one_value_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | str) else value

    @field_validator("corpora", "variants")
    @classmethod
    def _can_be_namespaces(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r}: names are made of letters, digits and underscores")
        return names

    @field_validator("noise")
    @classmethod
    def _is_a_share(cls, shares: tuple[int, ...]) -> tuple[int, ...]:
        for share in shares:
            if not 0 <= share < 100:
                raise ValueError(f"noise is a percentage below 100, not {share}")
        return shares

    @model_validator(mode="after")
    def _can_be_asked_for(self) -> Self:
        most = max(self.shots) * max(self.synthetic)
        if most > MAX_SYNTHETIC:
            raise ValueError(
                f"{max(self.shots):,} shots with {max(self.synthetic):,} times as many synthetic "
                f"sentences are {most:,} of a relation; {MAX_SYNTHETIC:,} is the most"
            )
        return self

    @property
    def samples(self) -> list[KShotSample]:
        """All samples; the seed varies fastest, the corpus slowest."""
        samples = (
            KShotSample(corpus, shots, seed, synthetic, noise, filtered, llm, annotated, chosen)
            for corpus, shots, synthetic, noise, filtered, annotated, chosen, llm, seed in product(
                self.corpora,
                self.shots,
                self.synthetic,
                self.noise,
                self.filtered,
                self.annotated,
                self.chosen,
                self.llms,
                (*self.seeds, *self.golden_seeds),
            )
        )
        return list(dict.fromkeys(samples))  # without annotated rows there is nothing to choose

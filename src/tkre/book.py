"""The experiment book: every experiment of ``conf/``, as cells with their variants."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import Field, ValidationError

from tkre.corpora.params import CorpusParams
from tkre.evaluation.params import ReportingParams
from tkre.generation.params import GenerationParams
from tkre.grid import Cell, Draw, Experiment
from tkre.params import Params
from tkre.suggest import did_you_mean
from tkre.variants import Variant

P = TypeVar("P", bound=Params)


class ConfigurationError(ValueError):
    """Something in ``conf/`` or ``--params`` that cannot be; the message names the entry."""


class InferenceParams(Params):
    """What ``kedro run --pipelines inference`` labels, and with what.

    Attributes:
        classifier: Name of the cell whose newest classifier is used.
        sentences: File of the sentences; the catalog entry ``inference.sentences`` reads it.
    """

    classifier: str
    sentences: str


class ProjectParameters(Params):
    """All parameters of the project; a key that is not here does not exist.

    Attributes:
        default_experiment: What ``kedro run`` runs.
        development_seeds: Seeds of the protocol, whose K-shot sets make up the development rows.
        corpora: By name.
        variants: By name.
        generation: Of knowledge.
        reporting: Of experiments.
        inference: Of new sentences.
    """

    default_experiment: str
    development_seeds: list[int]
    corpora: dict[str, CorpusParams]
    variants: dict[str, Variant]
    generation: GenerationParams
    reporting: ReportingParams
    inference: InferenceParams


class _Experiments(Params):
    experiments: dict[str, Experiment] = Field(default_factory=dict)


class Book:
    """Experiments and what they are made of.

    Args:
        experiments: Content of ``conf/*/experiments*.yml``.
        parameters: Content of ``conf/*/parameters*.yml``, with ``--params`` over it.

    Raises:
        ConfigurationError: Something is misspelt, of the wrong kind, or not there.
    """

    def __init__(self, experiments: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.parameters = parse(ProjectParameters, parameters, "parameters")
        written = parse(_Experiments, {"experiments": experiments}, "experiments").experiments
        self.experiments = self._with_corpora(written)
        for name, experiment in self.experiments.items():
            self._check(name, experiment)
        default = self.parameters.default_experiment
        if default not in self.experiments:
            raise ConfigurationError(
                f"default_experiment {default!r} is not an experiment"
                + did_you_mean(default, self.experiments)
            )

    def cells(self, experiment: str) -> dict[Cell, Variant]:
        """The cells of an experiment with their variants, corpora first, variants last.

        A variant that reads no knowledge does the same whatever the number of synthetic sentences,
        so it shares its cell with the experiments that have another one.
        """
        spec, variants = self.experiments[experiment], self.parameters.variants
        return {
            Cell(
                Draw(corpus, shots, seed, spec.synthetic if variants[name].uses_knowledge else 1),
                name,
            ): variants[name]
            for corpus in spec.corpora
            for shots in spec.shots
            for seed in spec.seeds
            for name in spec.variants
        }

    def _with_corpora(self, written: Mapping[str, Experiment]) -> dict[str, Experiment]:
        """Every corpus is an experiment too: the default one's grid on that corpus.

        So a user's own corpus runs by its name, with no other entry than its own.
        """
        pattern = written.get(self.parameters.default_experiment)
        if pattern is None:
            return dict(written)
        of_corpora = {
            corpus: pattern.model_copy(update={"corpora": (corpus,)})
            for corpus in self.parameters.corpora
        }
        return of_corpora | dict(written)

    def _check(self, name: str, experiment: Experiment) -> None:
        for what, used, known in (
            ("corpus", experiment.corpora, self.parameters.corpora),
            ("variant", experiment.variants, self.parameters.variants),
        ):
            for entry in used:
                if entry not in known:
                    raise ConfigurationError(
                        f"experiment {name}: there is no {what} {entry!r}"
                        + did_you_mean(entry, known)
                    )


def parse(model: type[P], raw: Mapping[str, Any], what: str) -> P:
    """A parameter model from what ``conf/`` holds.

    Args:
        model: The model.
        raw: What the files hold.
        what: What it is, for messages.

    Raises:
        ConfigurationError: With one line per wrong entry.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = [_described(dict(problem), model) for problem in error.errors()]
        head = f"{len(problems)} wrong entry(ies) among the {what} of conf/ and --params:"
        raise ConfigurationError("\n".join([head, *problems])) from None


def _described(problem: dict[str, Any], model: type[Params]) -> str:
    *place, last = (str(part) for part in problem["loc"])
    dotted = ".".join([*place, last])
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(last, _field_names(model), n=1)
        return f"  {dotted}: there is no such entry" + (
            f" (did you mean {near[0]!r}?)" if near else ""
        )
    given = repr(problem["input"])
    return f"  {dotted}: {problem['msg']}" + (f" (it is {given})" if len(given) < 80 else "")


def _field_names(annotation: Any) -> set[str]:
    """The names of all fields of a model and of the models inside it."""
    names: set[str] = set()
    if isinstance(annotation, type) and issubclass(annotation, Params):
        for name, field in annotation.model_fields.items():
            names |= {name} | _field_names(field.annotation)
    for argument in get_args(annotation):
        names |= _field_names(argument)
    return names

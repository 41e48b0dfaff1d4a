"""The experiment config: every experiment of ``conf/``, as cells with their variants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from tkre.core.cells import Cell, EncoderChain, Experiment, KShotSample, Rows, Seed, parse_cell
from tkre.core.errors import UserError
from tkre.core.params import DEFAULT_LLM, Params, did_you_mean
from tkre.corpora.params import CorpusParams
from tkre.evaluation.params import CalibrationParams, InferenceParams, ReportingParams
from tkre.generation.params import GenerationParams
from tkre.pipelines.namespaces import CellText
from tkre.report.params import PublishingParams
from tkre.training.recipes import Variant, axes_of, changed, written_out
from tkre.training.stages import STAGES, PretrainingParams

P = TypeVar("P", bound=Params)
_OF_VARIANT = re.compile(r"^  variants\.\w+\.")


class ConfigurationError(UserError, ValueError):
    """Something in ``conf/`` or ``--params`` that cannot be; the message names the entry."""


class ProjectParameters(Params):
    """All parameters of the project; a key that is not here does not exist.

    Attributes:
        default_experiment: What ``kedro run`` runs.
        development_seeds: Seeds of the protocol, whose K-shot sets make up the development rows.
        corpora: Corpora by name.
        variants: Recipes by name.
        encoders: Pre-training of the variants up to a stage, by ``Variant.encoders``; derived.
        experiments: Grids of cells by name.
        generation: Language models and their requests.
        reporting: Baseline, bootstrap and checks of a report.
        calibration: Fit of the calibrator.
        publishing: Content of pages and model cards.
        inference: Labelling of new sentences.
    """

    default_experiment: str
    development_seeds: list[Seed]
    corpora: dict[str, CorpusParams]
    variants: dict[str, Variant]
    encoders: dict[str, PretrainingParams]
    experiments: dict[str, Experiment]
    generation: GenerationParams
    reporting: ReportingParams
    calibration: CalibrationParams
    publishing: PublishingParams
    inference: InferenceParams


class ExperimentConfig:
    """Experiments and what they are made of.

    Args:
        parameters: All parameters (``assembled``).
        broken: Reason by corpus and experiment that was left out of them.

    Raises:
        ConfigurationError: Something is misspelt, of the wrong kind, or not there.
    """

    def __init__(
        self, parameters: Mapping[str, Any], broken: Mapping[str, str] | None = None
    ) -> None:
        self.broken = dict(broken or {})
        self.parameters = parse(ProjectParameters, parameters, "parameters and experiments")
        self.experiments = self.parameters.experiments
        for name, experiment in self.experiments.items():
            self._check(name, experiment)
        default = self.parameters.default_experiment
        if default not in self.experiments and default not in self.broken:
            raise ConfigurationError(
                f"default_experiment {default!r} is not an experiment"
                + did_you_mean(default, self.experiments)
            )
        labelling = parse_cell(self.parameters.inference.classifier)
        for what, name, known in (
            ("corpus", labelling.sample.corpus, self.parameters.corpora),
            ("variant", labelling.variant, self.parameters.variants),
        ):
            if name not in known and name not in self.broken:
                raise ConfigurationError(
                    f"inference.classifier: there is no {what} {name!r}{did_you_mean(name, known)}"
                )

    def cells(self, experiment: str) -> dict[Cell, Variant]:
        """The cells of an experiment with their variants, corpora first, variants last.

        A variant that reads no synthetic sentence does the same whatever their number, and one
        that reads nothing of a language model whichever that is: it shares its cell with the
        experiments that have another one, and so does one that reads no annotated row. Where there
        is no synthetic sentence, none can be put under a wrong label or be refused: these samples
        have neither noise nor filter. Variants that read something of a language model have no
        cell of ``golden_seeds``.
        """
        spec, variants = self.experiments[experiment], self.parameters.variants
        return {
            Cell(variants[name].read_of(sample), name): variants[name]
            for sample in (
                sample if sample.synthetic else sample.with_annotations for sample in spec.samples
            )
            for name in spec.variants
            if sample.seed in spec.seeds or variants[name].needs == "nothing"
        }

    def encoder(self, cell: Cell) -> EncoderChain | None:
        """The stages of the encoder of a cell; None if it starts from the backbone as it is.

        Variants whose pre-training is the same up to a stage share the encoder of that stage: its
        cell is named after the recipe (``Variant.encoders``), not after one of them.
        """
        variant = self.parameters.variants[cell.variant]
        if variant.pretraining is None:
            return None
        sample = variant.knowledge_of(cell.sample)
        return EncoderChain(
            tuple((stage, Cell(sample, name)) for stage, name in variant.encoders.items()),
            tuple(STAGES[stage].reads for stage in variant.encoders),
            variant.pretrained_on.zero_shot_sample(cell.sample),
        )

    def text(self, cell: Cell, variant: Variant, score_on: Rows) -> CellText:
        """Kinds of text that a cell is calibrated and scored on.

        Recipes are chosen on development rows, so experiments with these leave out natural tests.
        """
        if variant.in_context is not None:
            return CellText()
        corpus, tests = self.parameters.corpora[cell.sample.corpus], score_on == "test"
        recipe, trained = variant.finetuning, variant.classifier
        return CellText(
            kept_out=trained is not None and trained.annotated and cell.sample.annotated > 0,
            cross_fitted=recipe is not None and recipe.cross_fits(cell.sample),
            natural_test=tests and corpus.natural_test is not None,
            natural_labels=tests and corpus.test_labels == "natural",
        )

    def require_unlabelled(self, samples: Iterable[KShotSample]) -> None:
        """Refuses samples with annotated rows of a corpus without unlabelled text.

        Raises:
            ConfigurationError: A corpus has no entry ``unlabelled``.
        """
        for corpus in dict.fromkeys(sample.corpus for sample in samples if sample.annotated):
            if self.parameters.corpora[corpus].unlabelled is None:
                raise ConfigurationError(
                    f"annotated rows need unlabelled text, and corpora.{corpus} has no entry "
                    "`unlabelled`"
                )

    def _require_labels(self, name: str, experiment: Experiment) -> None:
        """Refuses true labels where the unlabelled text is no part of the training split."""
        recipes = [self.parameters.variants[v].finetuning for v in experiment.variants]
        if not any(recipe and recipe.true_labels for recipe in recipes):
            return
        for corpus in experiment.corpora:
            unlabelled = self.parameters.corpora[corpus].unlabelled
            if unlabelled is None or unlabelled.train_ids is None:
                raise ConfigurationError(
                    f"experiment {name}: a variant has true_labels, which need corpora.{corpus}."
                    "unlabelled.train_ids: the text of a file has no labels"
                )

    def _require_teachers(self, name: str, experiment: Experiment) -> None:
        """Refuses a distilled variant without unlabelled text or a teacher on the same sample."""
        variants = {name: self.parameters.variants[name] for name in experiment.variants}
        for student, variant in variants.items():
            if not (teacher := variant.teacher):
                continue
            place = f"experiment {name} (conf/*/experiments*.yml): {student} is distilled from "
            if teacher not in variants or teacher == student:
                raise ConfigurationError(
                    f"{place}{teacher}, another variant: name it among the variants of the "
                    "experiment"
                )
            if variants[teacher].finetuning is None or variants[teacher].teacher:
                raise ConfigurationError(
                    f"{place}{teacher}: a teacher has `finetuning`, and no teacher itself"
                )
            for sample in experiment.samples:
                read, taught = (v.read_of(sample).with_annotations
                                for v in (variant, variants[teacher]))  # fmt: skip
                if read != taught:
                    raise ConfigurationError(
                        f"{place}{teacher}, which reads {taught.name} where it reads {read.name} "
                        "itself: both have synthetic and annotated rows or neither"
                    )
                if self.parameters.corpora[sample.corpus].unlabelled is None:
                    raise ConfigurationError(
                        f"{place}{teacher}, which labels unlabelled text for it, and "
                        f"corpora.{sample.corpus} has no entry `unlabelled`"
                    )

    def axes(self, experiment: str) -> list[str]:
        """Axes along which it has several values (``recipes.axes_of``)."""
        spec = self.experiments[experiment]
        return axes_of(spec, {name: self.parameters.variants[name] for name in spec.variants})

    def _pretrained_on(self, experiment: Experiment) -> list[str]:
        known = self.parameters.variants
        variants = [known[name] for name in experiment.variants if name in known]
        return [v.pretrained_on.corpus for v in variants if v.pretrained_on.corpus]

    def _teachers(self, experiment: Experiment) -> list[str]:
        known = self.parameters.variants
        variants = [known[name] for name in experiment.variants if name in known]
        return [variant.teacher for variant in variants if variant.teacher]

    def _check(self, name: str, experiment: Experiment) -> None:
        llms = (DEFAULT_LLM, *self.parameters.generation.llms)
        for what, used, known in (
            ("corpus", experiment.corpora, self.parameters.corpora),
            ("variant", experiment.variants, self.parameters.variants),
            ("corpus", self._pretrained_on(experiment), self.parameters.corpora),
            ("variant", self._teachers(experiment), self.parameters.variants),
            ("variant", [experiment.baseline] if experiment.baseline else [], experiment.variants),
            ("llm", experiment.llms, llms),
        ):
            for entry in used:
                if entry not in known:
                    raise ConfigurationError(
                        f"experiment {name} (conf/*/experiments*.yml): there is no {what} "
                        f"{entry!r}{did_you_mean(entry, known)}"
                    )
        baseline = self.parameters.variants.get(
            experiment.baseline or self.parameters.reporting.baseline
        )
        if baseline is not None and baseline.in_context is not None:
            raise ConfigurationError(
                f"experiment {name}: the baseline is a language model, which labels only some of "
                "the sentences; take a variant that is trained"
            )
        self._require_teachers(name, experiment)
        self.require_unlabelled(experiment.samples)
        self._require_labels(name, experiment)
        called: dict[str, str] = {}
        for llm in experiment.llms:
            model = self.parameters.generation.of_llm(llm).called
            if (other := called.setdefault(model, llm)) != llm:
                raise ConfigurationError(
                    f"experiment {name}: the llms {other} and {llm} are both {model!r}, and "
                    "a store would take the answers of one for those of the other; give one "
                    "another name"
                )


def assembled(parameters: Mapping[str, Any], experiments: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as nodes see them, with the experiments among them.

    Variants that are ``like`` others are written out. Every corpus is an experiment too, the
    default one's grid on that corpus: so a user's own corpus runs by its name, with no other entry
    than its own. Variants with annotated rows are left out for a corpus without unlabelled text.

    Args:
        parameters: Content of ``conf/*/parameters*.yml``, with ``--params`` over it; under
            ``experiments`` it may change some.
        experiments: Content of ``conf/*/experiments*.yml``.

    Raises:
        VariantError: A variant is like one that does not exist, or like itself.
    """
    whole = dict(parameters) | {"encoders": {}}
    if isinstance(variants := parameters.get("variants"), Mapping):
        whole["variants"] = written_out(variants)
        whole["encoders"] = _encoders(whole["variants"])
    written = changed(experiments, parameters.get("experiments", {}))
    pattern = written.get(str(parameters.get("default_experiment")))
    if isinstance(pattern, Mapping):
        corpora = parameters.get("corpora", {})
        # Behind those that were written: this is the order in which the graph offers them.
        variants = whole.get("variants", {})
        of_corpora = {
            name: _on_corpus(pattern, name, entry, variants) for name, entry in corpora.items()
        }
        written |= {name: grid for name, grid in of_corpora.items() if name not in written}
    return {**whole, "experiments": written}


def _on_corpus(
    pattern: Mapping[str, Any], name: str, entry: Any, variants: Mapping[str, Any]
) -> dict[str, Any]:
    """The default grid on a corpus; without annotated rows if the corpus has no such text."""
    grid = {**pattern, "corpora": [name]}
    if isinstance(entry, Mapping) and not entry.get("unlabelled") and grid.pop("annotated", None):
        grid["variants"] = [
            variant
            for variant in grid.get("variants", ())
            if not _reads_annotated(variants.get(variant))
        ]
    return grid


def _reads_annotated(variant: Any) -> bool:
    recipe = variant.get("finetuning") if isinstance(variant, Mapping) else None
    return isinstance(recipe, Mapping) and bool(recipe.get("annotated"))


def _encoders(variants: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of all encoders by name; variants that are not valid are refused elsewhere."""
    encoders: dict[str, Any] = {}
    for raw in variants.values():
        with suppress(ValidationError):
            variant = Variant.model_validate(raw)
            stages = variant.pretraining.stages if variant.pretraining else {}
            encoders |= {variant.encoders[stage]: stages[stage] for stage in stages}
    return encoders


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
        problems = _told_once([_described(dict(problem), model) for problem in error.errors()])
        head = f"{len(problems)} wrong entry(ies) among the {what} of conf/ and --params:"
        raise ConfigurationError("\n".join([head, *problems])) from None


def _told_once(problems: list[str]) -> list[str]:
    """Problems of variants that only inherit them from the one they are ``like`` are counted."""
    told: dict[str, list[str]] = {}
    for problem in problems:
        told.setdefault(_OF_VARIANT.sub("", problem), []).append(problem)
    return [
        first + (f" (and so in {len(others)} more variants)" if others else "")
        for first, *others in told.values()
    ]


def _described(problem: dict[str, Any], model: type[Params]) -> str:
    *place, last = [str(part) for part in problem["loc"]] or ["the entry"]
    dotted = ".".join([*place, last])
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(last, _field_names(model) - {last}, n=1)
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

"""A variant: one way to run a cell, an entry under ``variants`` in ``conf/base``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from tkre.core.cells import Experiment, KShotSample
from tkre.core.errors import UserError
from tkre.core.params import Params, did_you_mean
from tkre.core.provenance import Lineage, LineageError, digest_of
from tkre.generation.params import InContextParams
from tkre.training.params import FinetuningParams, SetFitParams
from tkre.training.stages import ANNOTATED, STAGES, PretrainingParams

LIKE = "like"
# Parts of what a variant needs that come with annotated rows (``Variant.needs``).
READ, TRUE_LABELS = "read", "labels of the corpus"


class VariantError(UserError, ValueError):
    """A variant that is like one that does not exist, or like itself."""


class PretrainedOn(Params):
    """The knowledge that an encoder is pre-trained on, if it is not that of its own sample.

    Attributes:
        corpus: Another corpus (transfer); None is its own.
        synthetic: Another amount of synthetic sentences than the classifier is trained on, as a
            multiple of K; None is the same.
        zero_shot: Additional rounds of sentences that were written without any example.
    """

    corpus: str | None = None
    synthetic: int | None = Field(None, ge=0)
    zero_shot: int = Field(0, ge=0)

    def sample(self, sample: KShotSample) -> KShotSample:
        """The sample of the knowledge, for a classifier of the given sample."""
        synthetic = sample.synthetic if self.synthetic is None else self.synthetic
        return replace(sample.unannotated, corpus=self.corpus or sample.corpus, synthetic=synthetic)

    def zero_shot_sample(self, sample: KShotSample) -> KShotSample | None:
        """The sample of the sentences without an example; None for none."""
        corpus = self.corpus or sample.corpus
        if not self.zero_shot:
            return None
        return KShotSample(corpus, 0, sample.seed, self.zero_shot, llm=sample.llm)


class Variant(Params):
    """A named recipe.

    Attributes:
        backbone: Name of the catalog entry ``backbones.<backbone>``; empty for ``in_context``.
        pretraining: Further pre-training on knowledge; None starts from the backbone as it is.
        pretrained_on: The knowledge, if it is not that of the cell's own sample.
        finetuning: The classifier and its training.
        setfit: SetFit in place of the project's classifier; it is neither pre-trained nor saved.
        in_context: The language model in place of a classifier; nothing is trained.
    """

    backbone: str = ""
    pretraining: PretrainingParams | None = None
    pretrained_on: PretrainedOn = PretrainedOn()
    finetuning: FinetuningParams | None = None
    setfit: SetFitParams | None = None
    in_context: InContextParams | None = None

    @model_validator(mode="after")
    def _is_one_recipe(self) -> Self:
        recipes = {name: getattr(self, name) for name in ("finetuning", "setfit", "in_context")}
        named = [name for name, recipe in recipes.items() if recipe is not None]
        if len(named) != 1:
            raise ValueError(f"a variant has one of {', '.join(recipes)}, not {len(named)}")
        if self.finetuning is None and self.pretraining is not None:
            raise ValueError(f"{named[0]} has no pre-trained encoder: leave out pretraining")
        cross_fits = self.finetuning is not None and self.finetuning.folds
        if cross_fits and self.pretraining and ANNOTATED in self.pretraining.sources:
            raise ValueError(
                "folds with annotated rows among the sources of pre-training: the classifiers of "
                "the other folds would have seen the labels of theirs. Leave out one of the two"
            )
        if (self.in_context is None) != bool(self.backbone):
            raise ValueError("a variant has a backbone, or is in_context")
        return self

    @property
    def classifier(self) -> FinetuningParams | SetFitParams | None:
        """The recipe of the classifier; None if nothing is trained."""
        return self.finetuning or self.setfit

    @property
    def teacher(self) -> str | None:
        """The variant whose classifier teaches this one; None without one."""
        return self.finetuning.distilled_from if self.finetuning else None

    @property
    def settings(self) -> dict[str, Any]:
        """All settings as types of JSON."""
        return self.model_dump(mode="json")

    @property
    def uses_knowledge(self) -> bool:
        """Whether it needs generated knowledge."""
        return self.pretraining is not None or (
            self.classifier is not None and self.classifier.uses_knowledge
        )

    @property
    def uses_synthetic(self) -> bool:
        """Whether it needs synthetic sentences."""
        pretrained_on = self.pretraining.sources if self.pretraining else ()
        finetuned_on = self.classifier is not None and self.classifier.synthetic
        return finetuned_on or "synthetic" in pretrained_on

    @property
    def uses_annotated(self) -> bool:
        """Whether it needs annotated rows."""
        pretrained_on = self.pretraining.sources if self.pretraining else ()
        finetuned_on = self.classifier is not None and self.classifier.annotated
        return finetuned_on or ANNOTATED in pretrained_on

    def knowledge_of(self, sample: KShotSample) -> KShotSample:
        """The sample whose knowledge its encoder is pre-trained on, for a classifier of a sample.

        Annotated rows are those of the classifier's own corpus.
        """
        knowledge = self.pretrained_on.sample(sample)
        if self.pretraining is None or ANNOTATED not in self.pretraining.sources:
            return knowledge
        if knowledge.corpus != sample.corpus:
            return knowledge
        return replace(knowledge, annotated=sample.annotated, chosen=sample.chosen)

    @property
    def judges_annotations(self) -> bool:
        """Whether it needs the judgements of annotated rows."""
        params = self.finetuning
        return params is not None and (params.annotation_weights or params.annotation_filter)

    @property
    def needs(self) -> str:
        """Text that a language model gives it, in words: sentences that it has written or read.

        Where an upper bound is measured, the corpus gives labels in its place.
        """
        if self.in_context is not None:
            return "an answer for each sentence"
        true_labels = self.finetuning is not None and self.finetuning.true_labels
        parts = {
            "explanations": self.uses_knowledge and not self.uses_synthetic,
            "written": self.uses_synthetic,
            READ: self.uses_annotated and not true_labels,
            TRUE_LABELS: true_labels,
        }
        return " and ".join(name for name, on in parts.items() if on) or "nothing"

    def read_of(self, sample: KShotSample) -> KShotSample:
        """The part of a sample that it reads."""
        if self.in_context is not None:
            return sample.explained
        if self.uses_synthetic:
            read = sample
        else:
            read = sample.explained if self.uses_knowledge else sample.golden
        annotated = sample.annotated if self.uses_annotated else 0
        return replace(read, annotated=annotated, chosen=sample.chosen)

    @property
    def encoders(self) -> dict[str, str]:
        """Names of its encoders by stage: ``encoder_`` and a digest of their settings.

        Variants whose pre-training is the same up to a stage share the encoder. Settings at their
        defaults do not count, so that a new setting renames nothing.
        """
        if self.pretraining is None:
            return {}
        source = {"backbone": self.backbone, "zero_shot": self.pretrained_on.zero_shot}
        names = {}
        for stage, settings in self.pretraining.stages.items():
            params = PretrainingParams.model_validate(settings)
            recipe = source | params.model_dump(mode="json", exclude_defaults=True)
            names[stage] = f"encoder_{digest_of(recipe)[:8]}"
        return names

    def stale(self, lineage: Lineage, data: str | None = None) -> list[str]:
        """Differences between the recipe of a classifier and this one; empty for none.

        Settings that did not exist when it was made count as their defaults.

        Args:
            lineage: That of the classifier.
            data: Digest of the rows that it should be trained on; None leaves them out.
        """
        differing = self._differing(lineage)
        if data is not None and lineage.steps and lineage.steps[-1].data != data:
            differing.append("its training rows have changed since")
        return differing

    def require(self, lineage: Lineage, data: str) -> None:
        """Checks that a classifier was trained by this recipe on these rows.

        Raises:
            LineageError: It was not: its predictions would be those of another cell.
        """
        if differing := self.stale(lineage, data):
            raise LineageError(
                f"this classifier is not the cell's: {'; '.join(differing)}. Another run with "
                "other parameters has replaced it, or only a part of the cell was run. Run it "
                "again: kedro run makes what is missing"
            )

    def _differing(self, lineage: Lineage) -> list[str]:
        stages = self.pretraining.stages if self.pretraining else {}
        wanted: dict[str, Any] = dict(stages)
        recipe = self.classifier
        wanted["finetuning"] = recipe.model_dump(mode="json") if recipe else {}
        made = {step.stage: step.settings for step in with_defaults(lineage).steps}
        if list(made) != list(wanted):
            return [f"it went through {' and '.join(made)}, not {' and '.join(wanted)}"]
        return [
            f"{stage}.{entry} was {made[stage].get(entry)!r}, it is {setting!r} now"
            for stage, settings in wanted.items()
            for entry, setting in settings.items()
            if made[stage].get(entry) != setting
        ]


def with_defaults(lineage: Lineage) -> Lineage:
    """A lineage with settings that are newer than it at their defaults.

    Settings that are not valid any more stay as they are, and differ from any recipe.
    """
    return lineage.model_copy(
        update={
            "steps": tuple(
                step.model_copy(update={"settings": _with_defaults(step.stage, step.settings)})
                for step in lineage.steps
            )
        }
    )


def _with_defaults(stage: str, settings: dict[str, Any]) -> dict[str, Any]:
    if stage in STAGES:
        with suppress(ValidationError):
            return PretrainingParams.model_validate(settings).settings(stage)
        return settings
    for recipe in (FinetuningParams, SetFitParams):
        with suppress(ValidationError):
            return recipe.model_validate(settings).model_dump(mode="json")
    return settings


def varied(variants: Mapping[str, Variant]) -> tuple[str, dict[str, float]] | None:
    """The single number that variants differ in; None if they differ otherwise.

    Returns:
        Its dotted path, e.g. ``pretraining.contrast.temperature``, and its value by variant.
    """
    leaves = {name: dict(_leaves(v.model_dump(mode="json"))) for name, v in variants.items()}
    paths = {path for of_variant in leaves.values() for path in of_variant}
    differing = [p for p in paths if len({repr(leaf.get(p)) for leaf in leaves.values()}) > 1]
    if len(differing) != 1:
        return None
    values: dict[str, float] = {}
    for name, of_variant in leaves.items():
        value = of_variant.get(differing[0])
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        values[name] = value
    return differing[0], values


def axes_of(spec: Experiment, variants: Mapping[str, Variant]) -> list[str]:
    """Axes along which an experiment has several values.

    Returns:
        Those of ``shots``, ``synthetic``, ``noise`` and ``annotated`` with several values, and
        ``parameter`` if the variants differ in one number.
    """
    numbers = ("shots", "synthetic", "noise", "annotated")
    axes = [axis for axis in numbers if len(getattr(spec, axis)) > 1]
    return [*axes, "parameter"] if varied(variants) else axes


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, part in value.items():
        yield from _leaves(part, f"{path}.{key}" if path else key)


def written_out(variants: Mapping[str, Any]) -> dict[str, Any]:
    """Variants with all their settings: those of the variant they are ``like``, and their changes.

    ``{like: tkre, finetuning: {synthetic: false}}`` differs from ``tkre`` in one entry. Entries of
    mappings are replaced one by one, other values as a whole.

    Raises:
        VariantError: A variant is like one that does not exist, or, at some remove, like itself.
    """
    return {name: _written_out(name, variants, ()) for name in variants}


def _written_out(name: str, variants: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    own = variants[name]
    if not isinstance(own, Mapping) or LIKE not in own:
        return own
    path, model = (*path, name), own[LIKE]
    if model in path:
        raise VariantError(f"variant {name} is like itself: {' -> '.join((*path, model))}")
    if model not in variants:
        raise VariantError(
            f"variant {name} is like {model!r}, which does not exist"
            + did_you_mean(model, variants)
        )
    changes = {key: value for key, value in own.items() if key != LIKE}
    return changed(_written_out(model, variants, path), changes)


def changed(base: Any, changes: Any) -> Any:
    """Nested mappings with some entries changed; other values are replaced."""
    if not isinstance(base, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**base, **{key: changed(base.get(key), value) for key, value in changes.items()}}

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.training.test_params import OPTIMISATION
from tkre.core.cells import KShotSample
from tkre.core.provenance import Lineage, LineageError, Step
from tkre.training.recipes import Variant, VariantError, varied, written_out

PLAIN = {"backbone": "b", "finetuning": {"optimisation": OPTIMISATION}}
STAGE = {"epochs": 1, "optimisation": OPTIMISATION}


def test_which_variants_use_knowledge():
    assert not Variant.model_validate(PLAIN).uses_knowledge
    pretrained = PLAIN | {"pretraining": {"sources": ["support"], "mslm": STAGE, "scl": STAGE}}
    assert Variant.model_validate(pretrained).uses_knowledge
    with_synthetic = {"backbone": "b", "finetuning": PLAIN["finetuning"] | {"synthetic": True}}
    assert Variant.model_validate(with_synthetic).uses_knowledge


def test_a_variant_like_another_changes_only_what_it_names():
    written = {
        "grandchild": {"like": "child", "finetuning": {"optimisation": {"batch_size": 4}}},
        "child": {"like": "plain", "finetuning": {"synthetic": True}, "pretraining": None},
        "plain": PLAIN | {"pretraining": {"sources": ["support"], "mslm": STAGE, "scl": STAGE}},
    }
    variants = {name: Variant.model_validate(v) for name, v in written_out(written).items()}
    assert variants["plain"].pretraining and not variants["grandchild"].pretraining
    assert variants["grandchild"].finetuning.synthetic
    assert variants["grandchild"].finetuning.optimisation.batch_size == 4
    assert variants["child"].finetuning.optimisation == variants["plain"].finetuning.optimisation
    assert "like" in written["child"]  # what is written is not changed


@pytest.mark.parametrize(
    ("written", "problem"),
    [({"a": {"like": "b"}, "b": {"like": "a"}}, "is like itself: a -> b -> a"),
     ({"mine": {"like": "tkree"}, "tkre": PLAIN}, "like 'tkree', which.*did you mean 'tkre'")],
)  # fmt: skip
def test_what_a_variant_cannot_be_like(written, problem):
    with pytest.raises(VariantError, match=problem):
        written_out(written)


def variant(**changes):
    pretraining = {"sources": ["support"], "mslm": STAGE, "scl": STAGE | {"scl_weight": 1.0}}
    written = {"base": PLAIN | {"pretraining": pretraining}, "it": {"like": "base", **changes}}
    return Variant.model_validate(written_out(written)["it"])


def test_a_stage_is_shared_by_variants_that_agree_up_to_it():
    base = variant()
    hotter = variant(pretraining={"contrast": {"temperature": 0.5}})
    masked = variant(pretraining={"masking": {"other": 0.5}})
    other_head = variant(finetuning={"head_dropout": 0.5})
    assert base.encoders["mslm"] == hotter.encoders["mslm"]
    assert base.encoders["scl"] != hotter.encoders["scl"]
    assert base.encoders["mslm"] != masked.encoders["mslm"]
    assert base.encoders["scl"] == other_head.encoders["scl"]


def test_the_one_number_that_variants_differ_in():
    temperatures = {
        f"t{t}": variant(pretraining={"contrast": {"temperature": t}}) for t in (0.05, 0.1, 0.5)
    }
    path, values = varied(temperatures)
    assert path == "pretraining.contrast.temperature"
    assert values == {"t0.05": 0.05, "t0.1": 0.1, "t0.5": 0.5}
    assert varied({"a": variant(), "b": variant(finetuning={"synthetic": True})}) is None
    two = variant(pretraining={"contrast": {"temperature": 0.5, "dimension": 8}})
    assert varied({"a": variant(), "b": two}) is None
    assert varied({"a": variant(), "b": variant()}) is None


def lineage(of):
    steps = {**of.pretraining.stages, "finetuning": of.finetuning.model_dump(mode="json")}
    weights = [f"w{n}" for n in range(len(steps) + 1)]
    made = [
        Step(stage=stage, started_from=a, weights=b, data="d", settings=settings, seconds=1)
        for (stage, settings), a, b in zip(steps.items(), weights, weights[1:], strict=False)
    ]
    return Lineage(backbone="b", origin="w0", steps=tuple(made))


def test_what_was_made_by_another_recipe_is_stale():
    assert variant().stale(lineage(variant())) == []
    [reason] = variant(finetuning={"add_inverted": True}).stale(lineage(variant()))
    assert reason == "finetuning.add_inverted was False, it is True now"
    [reason] = variant(pretraining={"scl": {"epochs": 0}}).stale(lineage(variant()))
    assert "mslm and scl and finetuning, not mslm and finetuning" in reason
    [reason] = variant(pretraining={"contrast": {"temperature": 1}}).stale(lineage(variant()))
    assert reason.startswith("scl.contrast was")


def test_a_classifier_must_be_that_of_the_cell_by_recipe_and_rows():
    variant().require(lineage(variant()), data="d")
    with pytest.raises(LineageError, match=r"rows have changed since.*Run it again"):
        variant().require(lineage(variant()), data="e")
    with pytest.raises(LineageError, match="add_inverted was False, it is True now"):
        variant(finetuning={"add_inverted": True}).require(lineage(variant()), data="d")


def test_a_setting_that_is_newer_than_the_classifier_counts_as_its_default():
    made = lineage(variant())
    for step in made.steps[:-1]:
        del step.settings["contrast"]["dimension" if step.stage == "scl" else "other_spans"]
    del made.steps[-1].settings["options"]
    assert variant().stale(made) == []
    changed = variant(finetuning={"head": "spans", "layers": [3], "probe_start": 0.5})
    assert any("probe_start was None" in reason for reason in changed.stale(made))


def test_settings_that_are_not_valid_any_more_are_stale():
    made = lineage(variant())
    made.steps[-1].settings["head_dropout"] = "some"
    assert variant().stale(made)


def test_an_encoder_may_come_from_other_knowledge():
    sample = KShotSample("a", 8, 13)
    assert variant().pretrained_on.sample(sample) == sample
    assert variant(pretrained_on={"corpus": "b"}).pretrained_on.sample(sample) == KShotSample(
        "b", 8, 13
    )
    more = variant(pretrained_on={"synthetic": 4, "zero_shot": 2})
    assert more.pretrained_on.sample(sample) == KShotSample("a", 8, 13, 4)
    assert more.pretrained_on.zero_shot_sample(sample) == KShotSample("a", 0, 13, 2)
    assert variant().pretrained_on.zero_shot_sample(sample) is None
    # With more texts it is another encoder, though the recipe is the same.
    assert more.encoders["mslm"] != variant().encoders["mslm"]


SETFIT = {"backbone": "b", "setfit": {"samples_per_relation": 320}}


def test_setfit_is_a_variant_that_needs_no_language_model():
    variant = Variant.model_validate(SETFIT)
    assert not variant.uses_knowledge and not variant.uses_synthetic
    step = Step(stage="finetuning", started_from="o", weights="w", data="d", seconds=1.0,
                settings=variant.setfit.model_dump(mode="json"))  # fmt: skip
    lineage = Lineage(backbone="b", origin="o").then(step)
    assert variant.stale(lineage) == []
    other = Variant.model_validate(SETFIT | {"setfit": {"samples_per_relation": 160}})
    assert other.stale(lineage) == ["finetuning.samples_per_relation was 320, it is 160 now"]


IN_CONTEXT = {"in_context": {"rows": 400, "demonstrations": 8}}


def test_a_language_model_is_a_variant_of_the_plain_sample():
    variant = Variant.model_validate(IN_CONTEXT)
    assert not variant.uses_knowledge and variant.encoders == {}
    read = variant.read_of(KShotSample("toy", 8, 13, 4, 20, True, "qwen", 300))
    assert read == KShotSample("toy", 8, 13, llm="qwen")


@pytest.mark.parametrize(
    ("recipe", "needs"),
    [
        (IN_CONTEXT, "an answer for each sentence"),
        (SETFIT, "nothing"),
        ({"backbone": "b", "setfit": {"synthetic": True}}, "written"),
        ({"backbone": "b", "setfit": {"synthetic": True, "annotated": True}}, "written and read"),
        (PLAIN, "nothing"),
        (PLAIN | {"finetuning": PLAIN["finetuning"] | {"synthetic": True}}, "written"),
        (PLAIN | {"finetuning": PLAIN["finetuning"] | {"synthetic": True, "annotated": True}},
         "written and read"),
        (PLAIN | {"finetuning": PLAIN["finetuning"] | {"annotated": True, "true_labels": True}},
         "explanations and labels of the corpus"),
        (PLAIN | {"pretraining": {"sources": ["explanation"], "mslm": STAGE}}, "explanations"),
    ],
)  # fmt: skip
def test_what_a_variant_needs_of_a_language_model(recipe, needs):
    assert Variant.model_validate(recipe).needs == needs


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (IN_CONTEXT | {"backbone": "b"}, "a backbone, or is in_context"),
        ({"setfit": SETFIT["setfit"]}, "a backbone, or is in_context"),
        (IN_CONTEXT | {"pretraining": {"sources": ["support"], "mslm": STAGE, "scl": STAGE}},
         "in_context has no pre-trained encoder"),
        ({"backbone": "b"}, "one of finetuning, setfit, in_context"),
        (PLAIN | SETFIT, "one of finetuning, setfit, in_context"),
        (SETFIT | {"pretraining": {"sources": ["support"], "mslm": STAGE, "scl": STAGE}},
         "leave out pretraining"),
        # The labels of a fold would have reached the encoder of the classifier that judges them.
        (PLAIN | {"finetuning": PLAIN["finetuning"] | {"annotated": True, "folds": 4},
                  "pretraining": {"sources": ["annotated"], "mslm": STAGE}},
         "folds with annotated"),
    ],
)  # fmt: skip
def test_a_variant_is_one_recipe(variant, message):
    with pytest.raises(ValidationError, match=message):
        Variant.model_validate(variant)

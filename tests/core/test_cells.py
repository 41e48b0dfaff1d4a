from __future__ import annotations

import pytest
from pydantic import ValidationError

from tkre.core.cells import CHOICES, Cell, Experiment, KShotSample, parse_cell, parse_sample


@pytest.mark.parametrize(
    ("sample", "name"),
    [(KShotSample("newsroom", 8, 13), "newsroom.k8.s13"),
     (KShotSample("semeval2010_task8", 16, 42, 4), "semeval2010_task8.k16x4.s42"),
     (KShotSample("a", 0, 1, 0), "a.k0x0.s1"),
     (KShotSample("a", 8, 13, 4, 20), "a.k8x4n20.s13"),
     (KShotSample("a", 8, 13, 1, 5, True), "a.k8n5f.s13"),
     (KShotSample("a", 8, 13, filtered=True), "a.k8f.s13"),
     (KShotSample("semeval2010_task8", 8, 13, llm="qwen"), "semeval2010_task8.k8_qwen.s13"),
     (KShotSample("a_b", 8, 13, 4, 20, True, "Qwen3"), "a_b.k8x4n20f_Qwen3.s13"),
     (KShotSample("a", 8, 13, annotated=300), "a.k8a300.s13"),
     (KShotSample("a", 0, 13, 4, 20, True, "q", 9), "a.k0x4n20fa9_q.s13")],
)  # fmt: skip
def test_names_of_samples_and_cells_are_read_back(sample, name):
    assert sample.name == name
    assert parse_sample(name) == sample
    cell = Cell(sample, "tkre_plus")
    assert cell.name == f"{name}.tkre_plus"
    assert parse_cell(cell.name) == cell


@pytest.mark.parametrize("name", ["newsroom", "a.k8", "a.8.s13", "a.k8.s13.tkre", "a b.k8.s1", "",
                                  "a.k8_.s1", "a.k8_q_n.s1", "a.k8a.s1"])  # fmt: skip
def test_names_that_are_no_sample(name):
    with pytest.raises(ValueError, match="not the name of a sample"):
        parse_sample(name)


@pytest.mark.parametrize("name", ["a.k8.s13", "a.k8.s13.x-y", "tkre"])
def test_names_that_are_no_cell(name):
    with pytest.raises(ValueError, match="is not the name of a"):
        parse_cell(name)


@pytest.mark.parametrize("field", ["corpora", "variants"])
@pytest.mark.parametrize("name", ["a.b", "a b", "a-b", "@"])
def test_names_that_cannot_be_namespaces_are_refused(field, name):
    with pytest.raises(ValidationError, match="letters, digits and underscores"):
        Experiment.model_validate({"corpora": ["a"], "variants": ["b"], field: [name]})


def test_noise_is_planted_before_it_is_filtered():
    sample = KShotSample("a", 8, 13, 4, 20, filtered=True)
    assert sample.parent == KShotSample("a", 8, 13, 4, 20)
    assert sample.parent.parent == sample.plain == KShotSample("a", 8, 13, 4)
    assert KShotSample("a", 8, 13, 4, filtered=True).parent == sample.plain
    assert sample.golden == KShotSample("a", 8, 13)


def test_llm_is_part_of_all_samples_but_the_golden_one():
    sample = KShotSample("a", 8, 13, 4, 20, filtered=True, llm="qwen")
    assert sample.parent == KShotSample("a", 8, 13, 4, 20, llm="qwen")
    assert sample.plain == KShotSample("a", 8, 13, 4, llm="qwen")
    assert sample.explained == KShotSample("a", 8, 13, llm="qwen")
    assert sample.golden == KShotSample("a", 8, 13)


def test_annotated_rows_are_added_to_the_plain_sample():
    sample = KShotSample("a", 8, 13, 4, 20, filtered=True, llm="q", annotated=300)
    assert sample.plain == KShotSample("a", 8, 13, 4, llm="q")
    assert sample.with_annotations == KShotSample("a", 8, 13, 4, llm="q", annotated=300)
    assert sample.unannotated == KShotSample("a", 8, 13, 4, 20, filtered=True, llm="q")
    assert sample.parent == KShotSample("a", 8, 13, 4, 20, llm="q")
    assert sample.explained == KShotSample("a", 8, 13, llm="q")
    assert sample.golden == KShotSample("a", 8, 13)


def test_annotated_rows_are_an_axis():
    spec = {"corpora": ["a"], "seeds": [1, 2], "variants": ["v"]}
    experiment = Experiment.model_validate(spec | {"annotated": [0, 300]})
    assert [s.name for s in experiment.samples] == ["a.k8.s1", "a.k8.s2", "a.k8a300.s1",
                                                    "a.k8a300.s2"]  # fmt: skip
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Experiment.model_validate(spec | {"annotated": -1})


def test_the_way_of_choosing_annotated_rows_is_an_axis():
    spec = {"corpora": ["a"], "seeds": 1, "variants": ["v"], "annotated": [0, 300]}
    experiment = Experiment.model_validate(spec | {"chosen": list(CHOICES)})
    names = [sample.name for sample in experiment.samples]
    assert names == ["a.k8.s1", "a.k8a300.s1", "a.k8a300d.s1", "a.k8a300u.s1", "a.k8a300b.s1"]
    assert [parse_sample(name) for name in names] == experiment.samples
    diverse = experiment.samples[2]
    assert diverse.chosen == diverse.with_annotations.chosen == "diverse"
    assert diverse.plain == diverse.unannotated == experiment.samples[0]
    with pytest.raises(ValidationError, match="in_order"):
        Experiment.model_validate(spec | {"chosen": "random"})


def test_an_experiment_has_every_combination_of_its_axes():
    experiment = Experiment.model_validate(
        {"corpora": ["a"], "seeds": [1, 2], "synthetic": 4, "noise": [0, 10],
         "filtered": [False, True], "variants": ["v"]}
    )  # fmt: skip
    assert [d.name for d in experiment.samples] == [
        "a.k8x4.s1", "a.k8x4.s2", "a.k8x4f.s1", "a.k8x4f.s2",
        "a.k8x4n10.s1", "a.k8x4n10.s2", "a.k8x4n10f.s1", "a.k8x4n10f.s2",
    ]  # fmt: skip


def test_llms_are_an_axis():
    spec = {"corpora": ["a"], "seeds": [1, 2], "variants": ["v"]}
    experiment = Experiment.model_validate(spec | {"llms": ["default", "qwen"]})
    assert [d.name for d in experiment.samples] == [
        "a.k8.s1", "a.k8.s2", "a.k8_qwen.s1", "a.k8_qwen.s2",
    ]  # fmt: skip
    assert Experiment.model_validate(spec | {"llms": "qwen"}).llms == ("qwen",)


@pytest.mark.parametrize("share", [-1, 100])
def test_noise_is_a_percentage(share):
    with pytest.raises(ValidationError, match="noise is a percentage"):
        Experiment.model_validate({"corpora": ["a"], "variants": ["b"], "noise": share})


@pytest.mark.parametrize(
    ("axis", "problem"),
    [
        ({"seeds": -1}, "seeds.0"), ({"seeds": 2**40}, "seeds.0"), ({"seeds": []}, "seeds"),
        ({"golden_seeds": [-1]}, "golden_seeds.0"), ({"shots": -8}, "shots.0"),
        ({"shots": 10**12}, "shots.0"), ({"synthetic": -1}, "synthetic.0"),
        ({"shots": 5000, "synthetic": 500}, "2,500,000 of a relation"),
        ({"annotated": 10**12}, "annotated.0"), ({"shots": 0.5}, "shots"),
    ],
)  # fmt: skip
def test_axes_that_cannot_be(axis, problem):
    with pytest.raises(ValidationError) as error:
        Experiment.model_validate({"corpora": ["a"], "variants": ["v"], **axis})
    places = [".".join(map(str, e["loc"])) + e["msg"] for e in error.value.errors()]
    assert any(problem in place for place in places)

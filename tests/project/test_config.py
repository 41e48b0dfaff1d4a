from __future__ import annotations

import re
from copy import deepcopy
from itertools import pairwise

import pytest
from kedro.config import OmegaConfigLoader

from tkre.core.cells import parse_cell
from tkre.project.config import ConfigurationError, ExperimentConfig, assembled
from tkre.project.stages import stages_of
from tkre.settings import CONFIG_LOADER_ARGS


@pytest.fixture(scope="module")
def conf(root):
    loader = OmegaConfigLoader(str(root / "conf"), **CONFIG_LOADER_ARGS)
    parameters = loader["parameters"] | {"experiments": loader["experiments"]}
    parameters["generation"]["llms"] = {
        "qwen": {"backend": "vllm", "model": "Qwen/Qwen3-8B"},
        "again": {"backend": "replay", "model": "claude"},
    }
    return parameters


def changed(conf, path, value):
    parameters = deepcopy(conf)
    entry = parameters
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    return ExperimentConfig(assembled(parameters, {}))


def test_what_is_shipped_is_consistent(conf):
    config = ExperimentConfig(assembled(conf, {}))
    assert config.parameters.default_experiment == "demo"
    assert [cell.name for cell in config.cells("demo")] == [
        *(f"newsroom.k8.s13.{variant}" for variant in ("typ_marker", "tkre", "tkre_plus")),
        "newsroom.k8a1012.s13.tkre_plus_annotated",
    ]
    assert len(config.cells("semeval")) == 12


def test_a_corpus_without_unlabelled_text_has_the_default_grid_without_annotated_rows(conf):
    config = ExperimentConfig(assembled(conf, {}))
    assert [cell.name for cell in config.cells("chemprot")] == [
        f"chemprot.k8.s13.{variant}" for variant in ("typ_marker", "tkre", "tkre_plus")
    ]
    [*_, last] = config.cells("scierc")
    assert last.name == "scierc.k8a1012.s13.tkre_plus_annotated"


def test_variants_that_use_no_knowledge_share_their_cell(conf):
    names = {cell.name for cell in ExperimentConfig(assembled(conf, {})).cells("semeval_x4")}
    assert "semeval2010_task8.k8.s13.typ_marker" in names
    assert "semeval2010_task8.k8x4.s13.tkre_plus" in names


def test_further_seeds_are_of_variants_that_a_language_model_gives_nothing(conf):
    spec = {"corpora": ["newsroom"], "seeds": 13, "golden_seeds": [7, 99],
            "variants": ["typ_marker", "tkre_plus"]}  # fmt: skip
    config = changed(conf, ["experiments", "five"], spec)
    names = [cell.name for cell in config.cells("five")]
    assert names == [
        "newsroom.k8.s13.typ_marker", "newsroom.k8.s13.tkre_plus",
        "newsroom.k8.s7.typ_marker", "newsroom.k8.s99.typ_marker",
    ]  # fmt: skip
    data = stages_of(config, "five")["data_generation"].all_outputs()
    assert "newsroom.k8.s13.explained" in data and "newsroom.k8.s7.shots" in data
    assert not any("s7.expl" in name or "s7.synth" in name for name in data)


def test_without_a_synthetic_sentence_there_is_nothing_to_plant_or_to_filter(conf):
    conf = deepcopy(conf)
    conf["experiments"]["amounts"] |= {"seeds": [13], "synthetic": [0, 1], "noise": [0, 20]}
    samples = [cell.sample.name for cell in ExperimentConfig(assembled(conf, {})).cells("amounts")]
    assert samples == [
        f"semeval2010_task8.{kind}.s13" for kind in ("k8x0", "k8", "k8f", "k8n20", "k8n20f")
    ]


def test_variants_have_a_cell_for_each_llm_whose_text_they_read(conf):
    spec = {"corpora": ["newsroom"], "synthetic": 4, "llms": ["default", "qwen"],
            "variants": ["typ_marker", "tkre_plus_no_synthetic", "tkre_plus"]}  # fmt: skip
    config = changed(conf, ["experiments", "llms"], spec)
    assert [cell.name for cell in config.cells("llms")] == [
        "newsroom.k8.s13.typ_marker",
        "newsroom.k8.s13.tkre_plus_no_synthetic",
        "newsroom.k8x4.s13.tkre_plus",
        "newsroom.k8_qwen.s13.tkre_plus_no_synthetic",
        "newsroom.k8x4_qwen.s13.tkre_plus",
    ]
    encoder = config.encoder(parse_cell("newsroom.k8_qwen.s13.tkre"))
    assert re.fullmatch(
        r"newsroom\.k8_qwen\.s13\.encoder_[0-9a-f]{8}\.scl_encoder", encoder.encoder
    )


def test_variants_have_a_cell_for_each_number_of_annotated_rows_that_they_read(conf):
    spec = {"corpora": ["newsroom"], "synthetic": 4, "noise": 20, "annotated": [0, 300],
            "variants": ["typ_marker", "tkre", "tkre_annotated"]}  # fmt: skip
    config = changed(conf, ["experiments", "annotating"], spec)
    assert [cell.name for cell in config.cells("annotating")] == [
        "newsroom.k8.s13.typ_marker",
        "newsroom.k8x4n20.s13.tkre",
        "newsroom.k8x4n20.s13.tkre_annotated",
        "newsroom.k8x4n20a300.s13.tkre_annotated",
    ]
    assert config.axes("annotating") == ["annotated"]
    plain, annotated = (
        config.encoder(parse_cell(f"newsroom.{kind}.s13.tkre_annotated"))
        for kind in ("k8", "k8a300")
    )
    assert plain == annotated == config.encoder(parse_cell("newsroom.k8.s13.tkre"))


def test_every_corpus_is_an_experiment(conf):
    config = ExperimentConfig(assembled(conf, {}))
    assert {cell.sample.corpus for cell in config.cells("scierc")} == {"scierc"}
    mine = changed(conf, ["corpora", "mine"], {"format": "native", "train": "t.jsonl"})
    assert parse_cell("mine.k8.s13.tkre") in mine.cells("mine")


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["bogus"], 1, "bogus: there is no such entry"),
        (["variants", "tkre", "finetuning", "samples_per_relations"], 1,
         "samples_per_relations: there is no such entry .did you mean 'samples_per_relation'"),
        (["variants", "tkre", "finetuning", "samples_per_relation"], "many",
         r"samples_per_relation: .*\(it is 'many'\)"),
        (["corpora", "newsroom", "format"], "xml", "corpora.newsroom.format"),
        (["generation", "language_model", "backend"], "oracle", "generation.language_model"),
        (["default_experiment"], "demmo", "'demmo' is not an experiment .did you mean 'demo'"),
        (["experiments", "demo", "corpora"], ["newsrom"],
         r"experiment demo .conf.*\.yml.: there is no corpus 'newsrom' .did you mean 'newsroom'"),
        (["experiments", "demo", "variants"], ["tkree"],
         "there is no variant 'tkree' .did you mean 'tkre'"),
        (["experiments", "demo", "llms"], ["qwn"],
         "there is no llm 'qwn' .did you mean 'qwen'"),
        (["experiments", "demo", "llms"], ["default", "again"],
         "the llms default and again are both 'claude'"),
        (["generation", "llms", "qwen", "backend"], "oracle", "generation.llms.qwen"),
        (["experiments", "teacher", "baseline"], "llm_in_context",
         "experiment teacher: the baseline is a language model"),
        (["experiments", "mine"],
         {"corpora": ["chemprot"], "variants": ["tkre_annotated"], "annotated": 9},
         "annotated rows need unlabelled text, and corpora.chemprot has no"),
        (["experiments", "mine"],
         {"corpora": ["newsroom"], "variants": ["tkre_plus_true_labels"], "annotated": 9},
         "experiment mine: .*true_labels, which need corpora.newsroom.unlabelled.train_ids"),
        (["experiments", "distilled", "variants"],
         ["tkre_plus_annotated", "tkre_plus_annotated_distilled"],
         "experiment distilled .*is distilled from tkre_plus_annotated_mpnet.*name it among"),
        (["variants", "tkre_plus_annotated_distilled", "finetuning", "distilled_from"],
         "tkre_plus_annotated_mpnett", "there is no variant .* .did you mean 'tkre_plus_annotat"),
        (["variants", "tkre_plus_annotated_mpnet"], {"like": "setfit_annotated"},
         "experiment distilled .*: a teacher has `finetuning`, and no teacher itself"),
        (["variants", "tkre_plus_annotated_mpnet"], {"like": "tkre_plus"},
         "distilled from .*, which reads semeval2010_task8.k8.s13 where it reads "
         "semeval2010_task8.k8a1200.s13 itself: both have"),
        (["experiments", "mine"],
         {"corpora": ["chemprot"], "variants": ["tkre_plus_mpnet", "tkre_plus_distilled"]},
         "labels unlabelled text for it, and corpora.chemprot has no entry `unlabelled`"),
        (["experiments", "demo", "seed"], [1],
         "experiments.demo.seed: there is no such entry .did you mean 'seeds'"),
    ],
)  # fmt: skip
def test_wrong_entries_are_named_with_the_way_out(conf, path, value, problem):
    with pytest.raises(ConfigurationError, match=problem):
        changed(conf, path, value)


def test_a_teacher_that_has_a_teacher_is_refused(conf):
    parameters = deepcopy(conf)
    names = ["tkre_plus_annotated", "first", "second"]
    for teacher, student in pairwise(names):
        recipe = {"like": names[0], "finetuning": {"distilled_from": teacher}}
        parameters["variants"][student] = recipe
    mine = {"corpora": ["newsroom"], "variants": names, "annotated": 9}
    parameters["experiments"]["mine"] = mine | {"variants": names[:2]}
    ExperimentConfig(assembled(parameters, {}))
    parameters["experiments"]["mine"] = mine
    with pytest.raises(ConfigurationError, match=r"second is distilled from first: .* no teacher"):
        ExperimentConfig(assembled(parameters, {}))


def test_all_wrong_entries_are_listed_at_once(conf):
    parameters = deepcopy(conf)
    parameters["one"], parameters["two"] = 1, 2
    with pytest.raises(ConfigurationError, match=r"(?s)2 wrong.*one: there is.*two: there is"):
        ExperimentConfig(assembled(parameters, {}))


def stages(config, variant):
    """The names of the encoders of a variant, by stage."""
    chain = config.encoder(parse_cell(f"newsroom.k8.s13.{variant}"))
    return {stage: cell.variant for stage, cell in chain.stages}


def test_variants_share_the_encoders_of_stages_they_agree_in(conf):
    config = ExperimentConfig(assembled(conf, {}))
    assert config.encoder(parse_cell("newsroom.k8.s13.tkre_no_pretraining")) is None
    tkre = stages(config, "tkre")
    assert list(tkre) == ["mslm", "scl"] and tkre["mslm"] != tkre["scl"]
    assert stages(config, "tkre_no_scl") == {"mslm": tkre["mslm"]}
    assert stages(config, "tkre_bert_masking")["mslm"] != tkre["mslm"]
    assert set(tkre.values()) <= set(config.parameters.encoders)


def test_encoders_are_named_by_their_recipe_not_by_the_order_of_variants(conf):
    config = ExperimentConfig(assembled(conf, {}))
    parameters = deepcopy(conf)
    first = {"first": {"like": "tkre", "finetuning": {"synthetic": False}}}
    parameters["variants"] = first | dict(reversed(parameters["variants"].items()))
    other = ExperimentConfig(assembled(parameters, {}))
    assert stages(other, "tkre") == stages(config, "tkre") == stages(other, "first")
    # A setting that is written out and equal to its default is no other recipe.
    spelt = changed(conf, ["variants", "tkre", "pretraining", "contrast", "other_spans"], 1)
    assert stages(spelt, "tkre") == stages(config, "tkre")
    warm = changed(conf, ["variants", "tkre", "pretraining", "contrast", "temperature"], 0.7)
    assert stages(warm, "tkre")["mslm"] == stages(config, "tkre")["mslm"]
    assert stages(warm, "tkre")["scl"] != stages(config, "tkre")["scl"]


def test_an_encoder_of_another_corpus_is_made_there(conf):
    config = changed(
        conf, ["variants", "away"], {"like": "tkre", "pretrained_on": {"corpus": "scierc"}}
    )
    encoder = config.encoder(parse_cell("newsroom.k8.s13.away"))
    own = config.encoder(parse_cell("scierc.k8.s13.tkre"))
    assert encoder.encoder == own.encoder
    assert encoder.sample == parse_cell("scierc.k8.s13.tkre").sample


def test_params_may_narrow_an_experiment(conf):
    parameters = conf | {"experiments": {"semeval": {"seeds": [21]}}}
    config = ExperimentConfig(assembled(parameters, conf["experiments"]))
    assert {cell.sample.seed for cell in config.cells("semeval")} == {21}


def test_axes_of_figures(conf):
    config = ExperimentConfig(assembled(conf, {}))
    assert config.axes("demo") == []
    assert config.axes("shots") == ["shots"]
    assert config.axes("noise") == ["noise"]
    assert config.axes("temperature") == ["parameter"]


def test_a_problem_that_variants_inherit_is_reported_once(conf):
    with pytest.raises(ConfigurationError, match=r"(?s)^1 wrong.*tkre.*in \d+ more variants\)$"):
        changed(conf, ["variants", "tkre", "finetuning", "head_dropout"], 2)

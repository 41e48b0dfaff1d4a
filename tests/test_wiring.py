"""Every pipeline against the real catalog and parameters, in every environment."""

from __future__ import annotations

import os
import re
from inspect import signature
from pkgutil import resolve_name
from typing import get_type_hints

import pytest
from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from pydantic import TypeAdapter

from tests.conftest import ROOT
from tkre.cli import cli
from tkre.pipeline_registry import STAGES, register_pipelines
from tkre.pipelines.namespaces import IN_ROUNDS, PREFLIGHT, dataset_namespace
from tkre.project import config_loader as configuration
from tkre.project.stages import stages_of
from tkre.runner import GridRunner
from tkre.settings import CONFIG_LOADER_ARGS

LAYER_FOLDERS = {
    "raw": ("data/01_raw", "conf/base/prompts"), "intermediate": ("data/02_intermediate",),
    "primary": ("data/03_primary",), "feature": ("data/04_feature",),
    "model_input": ("data/05_model_input",), "models": ("data/06_models",),
    "model_output": ("data/07_model_output",), "reporting": ("data/08_reporting",),
}  # fmt: skip


ENVIRONMENTS = sorted(p.name for p in (ROOT / "conf").iterdir() if p.is_dir() and p.name != "local")


# Every environment has all experiments: the graphs of one are enough for each run of the tests.
@pytest.fixture(
    scope="module",
    params=[e if e == "base" else pytest.param(e, marks=pytest.mark.slow) for e in ENVIRONMENTS],
)
def loader(request):
    configure_project("tkre")
    return configuration.ConfigLoader(str(ROOT / "conf"), env=request.param, **CONFIG_LOADER_ARGS)


@pytest.fixture(scope="module")
def pipelines(loader):
    configuration.remember(loader)
    return register_pipelines()


@pytest.fixture(scope="module")
def catalog(loader):
    return DataCatalog.from_config(loader["catalog"], credentials=loader["credentials"])


@pytest.fixture(scope="module")
def nodes(pipelines):
    """The nodes of all pipelines, each once: experiments share most of them."""
    return {node for pipeline in pipelines.values() for node in pipeline.nodes}


@pytest.fixture(scope="module")
def kinds(nodes):
    """One node of each function and kinds of datasets; seeds and samples only change the place."""

    def kind(node):
        return node.func, frozenset(
            (name.count("."), name.rpartition(".")[2]) for name in datasets(node)
        )

    return list({kind(node): node for node in nodes}.values())


def datasets(of):
    """The datasets of a pipeline or a node."""
    names = of.datasets() if isinstance(of, Pipeline) else {*of.inputs, *of.outputs}
    return {name for name in names if not name.startswith("params:")}


def test_the_pipelines_by_name(pipelines):
    assert {"__default__", *STAGES, "inference", "demo", "semeval", "semeval_x4"} <= set(pipelines)
    assert tuple(stages_of(configuration.read_config(), "demo")) == STAGES
    names = {node.name for node in pipelines["__default__"].nodes}
    assert names == {node.name for node in pipelines["demo"].nodes}
    assert names == {node.name for stage in STAGES for node in pipelines[stage].nodes}


def test_the_package_as_a_command_runs_with_the_runner_of_kedro_run():
    command = find_run_command("tkre")
    assert command is cli.commands["run"]
    [runner] = (option.default for option in command.params if option.name == "runner")
    assert resolve_name(runner) is GridRunner


def test_any_experiments_run_in_one_command(pipelines, nodes):
    """Kedro refuses two nodes of one name, or of one output, that are not equal."""
    assert {node.name for node in Pipeline(nodes).nodes} == {node.name for node in nodes}
    assert {"chemprot", "chemprot_golden"} <= set(pipelines)  # of one sample, one with explanations


def test_the_graph_offers_them_in_an_order(pipelines):
    """The default one and its stages, inference, experiments as they are written, then corpora."""
    names = list(pipelines)
    assert names[:7] == ["__default__", *STAGES, "inference", "demo"]
    assert names.index("demo") < names.index("semeval") < names.index("newsroom")


def test_every_dataset_is_in_the_catalog_and_none_is_kept_in_memory_unseen(kinds, catalog):
    assert len(kinds) > 60
    for dataset in set().union(*(datasets(node) for node in kinds)):
        found = catalog.get(dataset)
        assert found is not None, f"{dataset} has no catalog entry"
        assert not isinstance(found, MemoryDataset), f"{dataset} is not persisted"


def test_every_parameter_reaches_its_nodes_as_the_model_they_name(pipelines, loader):
    parameters, checked = loader.config.parameters, set()
    for node in (node for pipeline in pipelines.values() for node in pipeline.nodes):
        given = node._inputs
        if not isinstance(given, dict):
            given = dict(zip(signature(node.func).parameters, node.inputs, strict=False))
        for argument, name in given.items():
            if not name.startswith("params:") or (node.func, name) in checked:
                continue
            checked.add((node.func, name))
            value = parameters
            for key in name.removeprefix("params:").split("."):
                value = value[key] if isinstance(value, dict) else getattr(value, key)
            hints = get_type_hints(node.func, include_extras=True)
            hint = hints[argument if argument in hints else "inputs"]  # numbered: **inputs
            TypeAdapter(hint).validate_python(value, strict=True)
    assert len(checked) > 100


@pytest.mark.parametrize("pipeline", ["demo", "semeval", "inference"])
def test_files_lie_in_the_folder_of_their_layer(pipelines, catalog, loader, pipeline):
    for dataset in datasets(pipelines[pipeline]):
        config = catalog.config_resolver.resolve_pattern(dataset)
        layer = config["metadata"]["kedro-viz"]["layer"]
        if "filepath" in config:
            raw = os.environ.get("TKRE_DATA", "data/01_raw")
            path = config["filepath"].replace(f"{raw}/", "data/01_raw/", 1)
            assert re.match("|".join(LAYER_FOLDERS[layer]), path), dataset


def test_every_entry_and_pattern_has_a_layer(loader):
    entries = {n: entry for n, entry in loader["catalog"].items() if not n.startswith("_")}
    assert len(entries) > 60
    for name, entry in entries.items():
        assert entry["metadata"]["kedro-viz"]["layer"] in LAYER_FOLDERS, name


def test_no_node_leads_back_to_an_earlier_layer(kinds, catalog):
    """kedro-viz draws layers only if they follow one another."""
    order = list(LAYER_FOLDERS)

    def place(dataset):
        return order.index(catalog.get(dataset).metadata["kedro-viz"]["layer"])

    for node in kinds:
        given = [place(n) for n in node.inputs if not n.startswith("params:")]
        assert max(given, default=0) <= min(place(n) for n in node.outputs), node.name


def test_previews_show_no_row_of_a_corpus(pipelines, catalog):
    """Nor what quotes whole rows; corpora may be under licence."""
    quoting = {"train", "dev", "test", "support", "validation", "development", "unseen_test",
               "explained", "knowledge", "training_rows", "pretraining_texts", "pretraining_pairs",
               "explanation_responses", "synthesis_responses", "pool", "reviewed", "unlabelled",
               "unreviewed", "annotated", "annotated_training", "annotated_validation",
               "annotation_responses"}  # fmt: skip
    seen = set()
    for dataset in datasets(pipelines["semeval"]) | datasets(pipelines["annotated"]):
        leaf = dataset.rsplit(".", 1)[-1]
        if leaf in quoting:
            assert catalog.get(dataset).metadata["kedro-viz"]["preview"] is False, dataset
            seen.add(leaf)
    assert seen == quoting


def test_costly_and_published_datasets_have_versions(pipelines, catalog):
    dear = ("knowledge", "synthetic", "explained", "annotated", "encoder", "mslm_encoder",
            "classifier",
            "predictions", "metrics", "summary", "cells", "confusion_figure",
            "f1_by_variant_figure",
            "calibrator", "calibration_scores", "environment", "errors", "card")  # fmt: skip
    checked = set()
    for dataset in datasets(pipelines["semeval"]) | datasets(pipelines["annotated"]):
        leaf = dataset.rsplit(".", 1)[-1]
        if leaf in dear or leaf.split("_")[-1] in dear:
            assert catalog.config_resolver.resolve_pattern(dataset).get("versioned"), dataset
            checked.add(leaf)
    assert len(checked) >= len(dear)
    assert catalog.config_resolver.resolve_pattern("semeval.report")["versioned"]


def test_no_two_datasets_share_a_file(pipelines, catalog):
    seen: dict[str, str] = {}
    used = (datasets(pipelines[name]) for name in ("semeval", "demo", "annotated"))
    for dataset in sorted(set().union(*used)):
        config = catalog.config_resolver.resolve_pattern(dataset)
        if "filepath" in config and not config["type"].endswith("CorpusFolderDataset"):
            assert seen.setdefault(config["filepath"], dataset) == dataset


GPU_FUNCTIONS = {
    "score_annotated",
    "explain", "synthesise", "annotate", "pretrain_mslm", "pretrain_scl", "finetune_classifier",
    "predict", "predict_natural", "label", "measure_class_centroids",
    "train_setfit",
    "pretrain_pairs", "score_support", "score_synthetic", "classify", "measure_speed",
    "annotate_chosen", "probe",
}  # fmt: skip


def test_the_tag_gpu_is_on_exactly_the_gpu_bound_nodes(nodes):
    for node in nodes:
        in_gpu_file = node.func.__module__.endswith(".gpu_nodes")
        assert ("gpu" in node.tags) == in_gpu_file == (node.func.__name__ in GPU_FUNCTIONS)


def test_stages_are_tags(pipelines):
    for stage in STAGES:
        tagged = pipelines["demo"].only_nodes_with_tags(stage)
        assert {n.name for n in tagged.nodes} == {n.name for n in pipelines[stage].nodes}


def test_both_sides_of_gpu_nodes_are_persisted_or_given(pipelines, catalog):
    for node in pipelines["demo"].only_nodes_with_tags("gpu").nodes:
        for dataset in (n for n in [*node.inputs, *node.outputs] if not n.startswith("params:")):
            assert not isinstance(catalog.get(dataset), MemoryDataset)


def test_requests_to_llms_precede_training(pipelines):
    """So an engine starts once in a run, and has given the GPU back when training begins."""
    for pipeline in pipelines.values():
        gpu = [node for node in pipeline.nodes if "gpu" in node.tags]
        asks = ["language_model" in node.tags for node in gpu]
        assert asks == sorted(asks, reverse=True), [node.name for node in gpu]


def test_training_splits_are_read_by_the_sampling_only(pipelines):
    """The K-shot protocol: train and dev go into the sample of shots, and nowhere else."""
    for name in ("demo", "semeval", "semeval_x4", "annotated", "distilled"):
        for node in pipelines[name].nodes:
            leaves = {i.rsplit(".", 1)[-1] for i in node.inputs}
            if leaves & {"train", "dev"} and ".tkre_plus_true_labels-" not in node.name:
                assert node.func.__name__ == "sample_k_shots"
            # Unlabelled and reviewed rows that copy one of them are refused.
            guards = {"select_unlabelled", "select_unannotated", "apply_reviews"}
            assert "development" not in leaves or node.func.__name__ in guards
            # Files of the corpus are read by nodes that drop the labels of unlabelled rows.
            if "folder" in leaves:
                readers = {"read_splits", "read_unlabelled", "select_unannotated"}
                assert node.func.__name__ in readers


def test_test_rows_are_read_to_score_and_to_refuse_copies_only(pipelines):
    def readers(of: str) -> set[str]:
        nodes = pipelines["semeval"].nodes
        return {n.func.__name__ for n in nodes if any(i.endswith(of) for i in n.inputs)}

    assert readers(".test") == {"sample_k_shots", "synthesise", "keep_sentences", "mark_implicit"}
    assert readers(".natural_test") == {"sample_k_shots", "synthesise", "keep_sentences"}
    # SemEval's test split has natural shares of labels.
    assert readers(".unseen_test") == {"predict_natural", "score", "list_errors"}


def test_natural_test_is_scored_and_neither_trains_nor_calibrates(pipelines):
    def readers(of: str, name: str = "newsroom_annotated") -> set[str]:
        nodes = pipelines[name].nodes
        return {n.func.__name__ for n in nodes if any(i.endswith(of) for i in n.inputs)}

    guards = {"sample_k_shots", "synthesise", "keep_sentences", "select_unlabelled",
              "apply_reviews"}  # fmt: skip
    assert readers(".natural_test") == guards | {"predict_natural", "score_natural", "list_errors"}
    assert readers(".natural_predictions") == {
        "score_natural", "evaluate_calibration", "list_errors",
    }  # fmt: skip
    assert readers(".unseen_test") >= {"predict", "score"}  # balanced labels
    assert readers(".annotated_validation_predictions") == {"fit_calibrators"}


def test_recipes_are_chosen_without_the_natural_test(pipelines):
    """On development rows, annotated rows that were kept out stand in its place."""
    for pipeline in pipelines.values():
        names = datasets(pipeline)
        if any(name.endswith(".development_metrics") for name in names):
            assert not [name for name in names if name.endswith(".natural_predictions")]


def test_calibrators_by_kind_of_text(pipelines):
    nodes = pipelines["newsroom_annotated"].nodes
    judged = {
        node.outputs[0]: node.inputs[1]
        for node in nodes
        if node.func.__name__ == "evaluate_calibration"
    }
    cell = "newsroom.k8x2a1012.s13.tkre_plus_annotated"
    assert judged[f"{cell}.test_calibration_scores"] == f"{cell}.balanced_calibrator"
    assert judged[f"{cell}.natural_calibration_scores"] == f"{cell}.calibrator"
    nodes = pipelines["annotated"].nodes
    [semeval] = [
        node
        for node in nodes
        if node.outputs[0].startswith("semeval2010_task8.k8a300.s13.tkre_plus_annotated.")
        and node.outputs[0].endswith("annotated_validation_calibration_scores")
    ]
    assert semeval.inputs[1].endswith(".calibrator")


def test_annotated_rows_are_read_by_the_variants_that_name_them(pipelines):
    nodes = pipelines["newsroom_annotated"].nodes
    readers = {
        node.name for node in nodes if "newsroom.k8x2a1012.s13.annotated_training" in node.inputs
    }
    assert readers == {
        f"finetuning.{variant}-newsroom-k8x2a1012-s13.golden_and_annotated_rows"
        for variant in ("tkre_annotated", "tkre_plus_annotated")
    }
    # One question a row, whatever the number of rows; the K-shot sets and texts are shared.
    made = {
        name for node in nodes for name in node.outputs if name.startswith("newsroom.k8x2a1012.")
    }
    assert {name.rpartition(".")[2] for name in made if name.count(".") == 3} == {
        "unlabelled", "unlabelled_report", "annotation_responses", "unreviewed", "annotated",
        "annotated_training", "annotated_validation", "review_report", "annotation_rejects",
        "annotation_yield", "rejects", "yield",
    }  # fmt: skip


def test_a_teacher_labels_what_its_student_trains_on(pipelines):
    nodes = {node.name: node for node in pipelines["distilled"].nodes}
    sample, place = "semeval2010_task8.k8a1200.s13", "semeval2010_task8-k8a1200-s13"
    teacher = nodes[f"finetuning.tkre_plus_annotated_mpnet-{place}.predict_unannotated"]
    assert f"{sample}.tkre_plus_annotated_mpnet.classifier" in teacher.inputs
    student = nodes[f"finetuning.tkre_plus_annotated_distilled-{place}.finetune"]
    assert {f"{sample}.unannotated", *teacher.outputs} <= set(student.inputs)
    for other in ("tkre_plus_annotated", "tkre_plus_annotated_mpnet"):
        inputs = nodes[f"finetuning.{other}-{place}.finetune"].inputs
        assert f"{sample}.unannotated" not in inputs
    reported = nodes["reporting.distilled.write_report"].inputs
    assert sum(name.endswith(".unannotated_report") for name in reported) == 3  # one a seed
    assert not any("unannotated" in name for name in datasets(pipelines["annotated"]))


def test_a_teacher_labels_all_unlabelled_text_where_none_is_annotated(pipelines):
    nodes = {node.name: node for node in pipelines["distilled_written"].nodes}
    sample, place = "semeval2010_task8.k8x4.s13", "semeval2010_task8-k8x4-s13"
    selected = nodes[f"finetuning.{place}.select_unannotated"]
    assert "semeval2010_task8.pool" in selected.inputs
    assert selected.outputs[0] == f"{sample}.unannotated"
    student = nodes[f"finetuning.tkre_plus_distilled-{place}.finetune"]
    assert {f"{sample}.unannotated", f"{sample}.tkre_plus_mpnet.unannotated_predictions"} <= set(
        student.inputs
    )
    assert not any(
        "annotat" in name.replace("unannotated", "")
        for name in datasets(pipelines["distilled_written"])
    )


def test_all_annotated_rows_train_where_a_recipe_has_folds(pipelines):
    cell = "newsroom.k8x2a1012.s13.tkre_plus_annotated_folds"
    nodes = {
        node.func.__name__: node
        for node in pipelines["newsroom_annotated"].nodes
        if any(name.startswith(f"{cell}.") for name in node.outputs)
    }
    assert "newsroom.k8x2a1012.s13.annotated" in nodes["golden_and_annotated_rows"].inputs
    predictions = f"{cell}.annotated_validation_predictions"
    assert predictions in nodes["finetune_classifier"].outputs
    assert predictions in nodes["fit_calibrators"].inputs
    assert "newsroom.k8x2a1012.s13.annotated_validation" not in nodes["finetune_classifier"].inputs


def test_setfit_reads_the_rows_that_the_recipes_read(pipelines):
    nodes = {node.name: node for node in pipelines["baselines_fair"].nodes}

    def training_rows(cell: str) -> set[str]:
        [node] = [n for n in nodes.values() if f"{cell}.training_rows" in n.outputs]
        return set(node.inputs)

    annotated = "semeval2010_task8.k8a1200.s13"
    for ours, setfit, sample in (
        ("spans_golden", "setfit", "semeval2010_task8.k8.s13"),
        ("tkre_plus", "setfit_synthetic", "semeval2010_task8.k8.s13"),
        ("tkre_plus_annotated", "setfit_annotated", annotated),
    ):
        assert training_rows(f"{sample}.{setfit}") == training_rows(f"{sample}.{ours}")
    place = "finetuning.setfit_annotated-semeval2010_task8-k8a1200-s13"
    train, fit = nodes[f"{place}.train_setfit_test"], nodes[f"{place}.fit_calibrators"]
    assert f"{annotated}.annotated_validation" in train.inputs
    assert f"{annotated}.setfit_annotated.annotated_validation_predictions" in {*train.outputs} & {
        *fit.inputs
    }


def test_annotated_rows_are_judged_for_the_variants_that_weigh_or_filter_them(pipelines):
    of_variant = {
        node.name.split(".")[1].partition("-")[0]: node.inputs
        for node in pipelines["annotated_parts"].nodes
        if node.func.__name__ == "finetune_classifier"
    }
    rows = {
        node.name.split(".")[1].partition("-")[0]
        for node in pipelines["annotated_parts"].nodes
        if node.func.__name__ == "golden_and_annotated_rows"
        and any(name.endswith(".annotation_judgements") for name in node.inputs)
    }
    weighed = {
        variant
        for variant, inputs in of_variant.items()
        if any(name.endswith(".annotation_judgements") for name in inputs)
    }
    assert weighed == {"tkre_plus_annotated_weighted"}
    assert rows == {"tkre_plus_annotated_filtered"}


def test_a_language_model_is_scored_without_a_classifier_beside_its_students(pipelines):
    nodes = {node.name: node for node in pipelines["teacher"].nodes}
    place = "llm_in_context-semeval2010_task8-k8-s13"
    of_cell = {name.rpartition(".")[2] for name in nodes if place in name}
    assert of_cell == {"classify_test", "keep_classifications_test", "score_test"}
    asking = nodes[f"data_generation.{place}.classify_test"]
    assert {"language_model", "gpu"} <= asking.tags
    timed = {n.split(".")[1].partition("-")[0] for n in nodes if n.endswith("measure_speed_test")}
    assert timed == {"spans_golden", "tkre_plus", "tkre_plus_annotated"}
    read = nodes["reporting.teacher.compare_teacher"].inputs
    assert sum(name.endswith(".test_predictions") for name in read) == 4
    assert sum(name.endswith(".annotation_responses") for name in read) == 1
    assert sum(name.endswith(".test_calibration_scores") for name in
               nodes["reporting.teacher.write_report"].inputs) == 3  # fmt: skip
    assert not [node for node in pipelines["annotated"].nodes if "speed" in node.name]


def test_rows_are_chosen_by_the_knowledge_of_the_plain_sample_and_its_answers(pipelines):
    nodes = {node.name: node for node in pipelines["annotated_choices"].nodes}
    place = "semeval2010_task8-k8a300{}-s13"
    names = {name for name in nodes if name.endswith(".annotate_chosen") and "-s13" in name}
    assert names == {f"data_generation.{place.format(c)}.annotate_chosen" for c in "dub"}
    assert f"data_generation.{place.format('')}.annotate" in nodes
    node = nodes[f"data_generation.{place.format('u')}.annotate_chosen"]
    plain, chosen = "semeval2010_task8.k8.s13", "semeval2010_task8.k8a300u.s13"
    assert {f"{plain}.synthetic", f"{plain}.explained", f"{chosen}.candidates"} < set(node.inputs)
    assert {"backbones.minilm", f"{chosen}.sample"} < set(node.inputs)
    assert IN_ROUNDS in node.tags and PREFLIGHT not in node.tags
    report = nodes["reporting.annotated_choices.write_report"].inputs
    assert sum(name.endswith(".unlabelled_report") for name in report) == 4 * 3


def test_without_annotated_rows_nothing_of_them_exists(pipelines):
    words = ("annot", "unlabelled", "review", ".pool")
    for name in ("semeval", "shots", "amounts"):
        names = {*datasets(pipelines[name]), *(node.name for node in pipelines[name].nodes)}
        assert not [found for found in names if any(word in found for word in words)]


def test_classifiers_that_are_saved_have_a_card_and_all_cells_are_on_the_page(pipelines):
    nodes = {node.name: node for node in pipelines["baselines"].nodes}
    cards = {n for n, node in nodes.items() if node.func.__name__ == "write_card"}
    assert "reporting.tkre-semeval2010_task8-k8-s13.write_card_test" in cards
    assert not [name for name in cards if "setfit" in name]
    read = nodes["reporting.baselines.write_report"].inputs
    assert sum(name.endswith(".test_metrics") for name in read) == 24
    assert {"baselines.summary", "baselines.diagnosis", "baselines.calibration"} <= set(read)
    assert "baselines.llms" not in read


def test_namespaces_and_tags_narrow(pipelines):
    pipeline = pipelines["semeval"]
    cell = pipeline.only_nodes_with_tags("semeval2010_task8.k8.s13.tkre")
    assert {"pretrain_mslm", "pretrain_scl", "finetune_classifier", "predict", "score"} <= {
        n.func.__name__ for n in cell.nodes
    }
    seed = pipeline.only_nodes_with_tags("semeval2010_task8.k8.s13")
    assert {dataset_namespace(n).split(".")[2] for n in seed.nodes} == {"s13"}
    [stage] = {node.namespace for node in cell.only_nodes_with_tags("finetuning").nodes}
    assert stage == "finetuning.tkre-semeval2010_task8-k8-s13"
    assert len(pipeline.only_nodes_with_namespaces([stage]).nodes) == 6
    assert set(pipeline.only_nodes_with_namespaces(["finetuning"]).nodes) == {
        node for node in pipeline.nodes if "finetuning" in node.tags
    }


def test_variants_read_only_what_their_recipe_uses(pipelines):
    nodes = pipelines["demo"].only_nodes_with_tags("newsroom.k8.s13.typ_marker")
    inputs = {i.rsplit(".", 1)[-1] for i in nodes.inputs()}
    assert not inputs & {"explained", "synthetic", "knowledge", "encoder"}

"""The examples of docs/extending.md, run as they stand there; each touches the files it names."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from tests.conftest import ROOT
from tests.docs.markdown import Block, blocks
from tests.report.contents import content
from tests.smoke_project import Project, newest
from tkre.core import params as registry
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusError, read_corpus
from tkre.evaluation.metrics import METRICS, ScoredRows
from tkre.generation.llm.protocol import LanguageModelError, Request, Sampling
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import GenerationParams
from tkre.generation.texts import knowledge_texts
from tkre.modeling.params import HEADS, ContrastParams
from tkre.report.figures import FIGURES, drawable
from tkre.report.page import report_page

PAGE = ROOT / "docs/extending.md"
BLOCKS = blocks(PAGE)
SCHEMA = {
    "type": "object",
    "properties": {"explanation": {"type": "string"}},
    "required": ["explanation"],
}
REQUEST = Request("explanation/toy/a", ({"role": "user", "content": "Why?"},), SCHEMA, Sampling())


def section(title: str) -> tuple[set[str], list[Block]]:
    """The files that a section says it touches, and its blocks that go into such files."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    [files] = re.findall(r"^Files: (.+)\.$", text, re.MULTILINE)
    inside = [b for b in BLOCKS if b.code in text and not str(b.title).startswith("conf/")]
    return set(re.findall(r"`([^`]+)`", files)), inside


def check_files_of_plugin(title: str, group: str) -> None:
    """The module of a section and its entry point are all that it adds."""
    named, [module] = section(title)
    entries = tomllib.loads(in_file("pyproject.toml"))["project"]["entry-points"]
    place = str(module.title).removesuffix(".py").replace("/", ".")
    assert named == {module.title, "pyproject.toml"}
    assert any(value.startswith(f"{place}:") for value in entries[group].values())
    assert group in registry.GROUPS


def in_file(title: str) -> str:
    """The code that the page puts into a file."""
    [code] = [block.code for block in BLOCKS if block.title == title]
    return code


def entries(title: str, key: str | None = None) -> dict[str, object]:
    """The entries that the page puts into a file of ``conf/``."""
    found: dict[str, object] = {}
    for block in BLOCKS:
        if block.title == title:
            content = yaml.safe_load(block.code)
            found |= content[key] if key else content
    assert found
    return found


def write_package(folder: Path) -> None:
    """Writes the package of the page, not installed."""
    (folder / "my_parts").mkdir()
    (folder / "my_parts/__init__.py").touch()
    for block in BLOCKS:
        if str(block.title).startswith(("my_parts/", "pyproject")):
            (folder / str(block.title)).write_text(block.code, encoding="utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A folder with the package and its metadata, as an installation leaves them."""
    folder = tmp_path_factory.mktemp("site")
    write_package(folder)
    project = tomllib.loads(in_file("pyproject.toml"))["project"]
    metadata = folder / f"my_parts-{project['version']}.dist-info"
    metadata.mkdir()
    name = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(name, encoding="utf-8")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def my_parts(package, monkeypatch):
    """Imports modules of the package, which is on the path."""
    monkeypatch.syspath_prepend(str(package))
    registry._installed.cache_clear()
    yield lambda module: importlib.import_module(f"my_parts.{module}")
    registry._installed.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "my_parts"]:
        del sys.modules[name]


def as_csv(lines: str) -> str:
    """A native file as the CSV that the format of the page reads."""
    text = io.StringIO(newline="")
    columns = ["id", "sentence", "relation", "head_type", "tail_type"]
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(json.loads(line) for line in lines.splitlines())
    return text.getvalue()


def test_a_format(my_parts, newsroom, newsroom_schema):
    check_files_of_plugin("A format", "tkre.formats")
    native = (newsroom / "test.jsonl").read_text(encoding="utf-8")
    corpus = entries("conf/base/parameters_corpora.yml", "corpora")["my_relations"]
    params = CorpusParams.model_validate(corpus | {"test": None})
    own = CorpusParams(format="native", train="train.jsonl")
    files = {"train.jsonl": native, "train.csv": as_csv(native)}
    read, expected = (
        read_corpus(files.__getitem__, newsroom_schema, p).splits["train"] for p in (params, own)
    )
    assert len(read) > 100
    assert [(r.id, r.text, r.head, r.tail, r.relation, r.head_type) for r in read] == [
        (r.id, r.text, r.head, r.tail, r.relation, r.head_type) for r in expected
    ]
    bad = {"train.csv": "id,sentence,relation\n1,no tags,born_in\n2,,born_in\n"}
    with pytest.raises(CorpusError) as refused:
        read_corpus(bad.__getitem__, newsroom_schema, params)
    assert "train.csv, line 2: " in str(refused.value)
    assert "train.csv, line 3: nothing in the column(s) sentence" in str(refused.value)


def test_a_head(my_parts, backbone, schema, toy_rows):
    from tkre.modeling.classifier import RelationClassifier, RelationClassifierConfig

    check_files_of_plugin("A head", "tkre.heads")
    variant = entries("conf/base/parameters_variants.yml", "variants")
    finetuning = variant.get("tkre_pair", {"finetuning": {}})["finetuning"] or {}
    model = RelationClassifier(
        RelationClassifierConfig(
            encoder=backbone.model.config.to_dict(),
            id2label=dict(enumerate(schema.names)),
            label2id={name: n for n, name in enumerate(schema.names)},
            **({"head": "pair", "options": {"width": 128}} | finetuning),
        )
    )
    assert isinstance(model.head, my_parts("heads").PairHead) and model.head.size == 128
    assert HEADS["pair"].encode is HEADS["markers"].encode
    [row] = model.encode(toy_rows[:1], backbone.tokenizer)
    batch = {name: torch.as_tensor(value)[None] for name, value in row.arrays().items()}
    mask = torch.ones_like(batch["input_ids"])
    features, attention = model.features(attention_mask=mask, **batch)
    assert model.head.classify(features).shape == (1, len(schema.names)) and attention is None


def test_a_contrastive_loss(my_parts):
    check_files_of_plugin("A contrastive loss", "tkre.losses")
    tau, margin = 0.5, 0.25
    params = ContrastParams(loss="margin", options={"margin": margin}, temperature=tau)
    loss = my_parts("losses").MarginContrast(torch.randn(2, 4), torch.zeros(2).bool(), params)
    own = super(type(loss), loss).losses
    positive, negatives = torch.tensor([1.0, 2.0]), torch.tensor([[0.5, -torch.inf], [1.0, 3.0]])
    assert torch.equal(loss.losses(positive, negatives), own(positive - margin / tau, negatives))
    assert (loss.losses(positive, negatives) > own(positive, negatives)).all()


@pytest.fixture
def language_model(my_parts, root):
    """The settings of the page's language model, with a Python program."""
    file = root / "conf/base/parameters_data_generation.yml"
    shipped = yaml.safe_load(file.read_text(encoding="utf-8"))["generation"]
    own = entries("conf/base/parameters_data_generation.yml", "generation")["language_model"]

    def made(program: str, **settings: object):
        command = [sys.executable, "-c", program]
        settings = own | {"command": command} | settings
        whole = shipped | {"language_model": settings}
        return GenerationParams.model_validate(whole).language_model

    return made


def test_a_language_model(language_model, tmp_path):
    check_files_of_plugin("A language model", "tkre.llms")
    params = language_model(
        "import sys; q = sys.stdin.read(); print('Well: {\"explanation\": \"to ' + q + '\"}')"
    )
    store = ResponseStore(tmp_path / "responses.jsonl")
    [answer] = LanguageModels().answering(params, ResponseStore(), store).generate([REQUEST])
    assert answer.answer == {"explanation": "to Why?"}
    assert answer.model == "my-model" and answer.source == f"command {sys.executable}"
    later = ResponseStore(store.path)
    assert LanguageModels().answering(params, ResponseStore(), later).holds(REQUEST)
    for program, reason in (
        ("print('no')", "not_json"),
        ("raise SystemExit('broken')", "server_error"),
        ("import time; time.sleep(60)", "timed_out"),
    ):
        broken = language_model(program, timeout=0.5 if reason == "timed_out" else 60.0)
        [answer] = LanguageModels().live(broken).generate([REQUEST])
        assert answer.reason == reason
    with pytest.raises(LanguageModelError, match="there is no program 'no-such-program'"):
        LanguageModels().live(language_model("", command=["no-such-program"])).check()


def test_a_metric(my_parts):
    check_files_of_plugin("A metric", "tkre.metrics")
    score = METRICS["macro_f1"]
    assert score is my_parts("scores").macro_f1 and "macro_f1" in list(METRICS)
    rows = ScoredRows(["a", "a", "b", "no"], ["a", "b", "b", "no"], "no")
    assert score.function(rows) == pytest.approx(200 / 3)
    assert score.function(ScoredRows(["no"], ["a"], "no")) == 0.0


def test_a_figure(my_parts):
    check_files_of_plugin("A figure", "tkre.figures")
    kind, found = FIGURES["precision_recall"], content()
    assert kind is my_parts("plots").PRECISION_RECALL and "precision_recall" in drawable([])
    [axes] = kind.draw(found.source("cells")).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall, %", "precision, %")
    assert len(kind.rows(found.source("cells"))) == len(found.variants)
    assert "Precision and recall" in report_page(found)


def changed_tree(title: str, folder: Path) -> Path:
    """A copy of the source, changed as a section says; only the files that it names change."""
    named, inside = section(title)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src/tkre", folder / "src/tkre", ignore=ignored)
    for block in inside:
        if block.language == "diff":
            apply = ["git", "apply", "-p1", "-"]
            subprocess.run(apply, input=block.code, cwd=folder, text=True, check=True)
        else:
            assert not (folder / str(block.title)).exists()
            (folder / str(block.title)).write_text(block.code, encoding="utf-8")
    files = (f.relative_to(folder) for f in (folder / "src").rglob("*") if f.is_file())
    touched = {
        str(f) for f in files
        if not (ROOT / f).exists() or (folder / f).read_bytes() != (ROOT / f).read_bytes()
    }  # fmt: skip
    assert touched == named and len(touched) <= 2
    return folder / "src"


def run_in(tree: Path, code: str, *arguments: object) -> dict[str, object]:
    """Runs Python code with a changed source; its last line is JSON."""
    paths = os.pathsep.join([str(tree), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


STAGE = """
import json, pickle, sys
from pathlib import Path
import tkre
from tests.docs.configuration import loader
from tkre.modeling.backbone import load_backbone
from tkre.pipelines.knowledge_pretraining import create_pipeline
from tkre.project.config import ExperimentConfig, assembled
from tkre.training.pretraining import pretrain
from tkre.training.recipes import changed

backbone, texts, schema, variants = pickle.loads(Path(sys.argv[1]).read_bytes())
experiments = dict(loader()["experiments"])
experiments["own"] = {"corpora": ["newsroom"], "variants": ["tkre_simcse"]}
parameters = dict(loader()["parameters"])
del parameters["experiments"]
config = ExperimentConfig(assembled(changed(parameters, {"variants": variants}), experiments))
cells = config.cells("own")
pipeline = create_pipeline(cells, {cell: config.encoder(cell) for cell in cells})
params = next(iter(cells.values())).pretraining
start = load_backbone("tiny", backbone, None)
after, losses = pretrain(
    start, texts, schema, params, "simcse", data="d", seed=1, description="toy"
)
print(json.dumps({
    "package": tkre.__file__, "columns": list(losses), "steps": len(losses),
    "stages": [step.stage for step in after.lineage.steps],
    "trained": after.lineage.weights != start.lineage.origin,
    "nodes": [node.name.rpartition(".")[2] for node in pipeline.nodes],
}))
"""


@pytest.mark.slow
def test_a_pre_training_stage(tmp_path, tiny_backbone, toy_rows, schema):
    tree = changed_tree("A pre-training stage", tmp_path)
    texts = knowledge_texts(toy_rows, [], schema, ["explanation", "support"])
    variants = entries("conf/base/parameters_variants.yml", "variants")
    variants = {"tkre_simcse": variants["tkre_simcse"]}
    given = tmp_path / "given.pickle"
    given.write_bytes(pickle.dumps((str(tiny_backbone), texts, schema, variants)))
    found = run_in(tree, STAGE, given)
    assert Path(str(found["package"])).is_relative_to(tree)
    assert "simcse" in found["columns"] and found["steps"] > 0
    assert (found["stages"], found["trained"]) == (["simcse"], True)
    assert found["nodes"][-1] == "pretrain_simcse" and "pretrain_scl" in found["nodes"]


def test_changes_of_the_project_apply(tmp_path):
    changed_tree("A pre-training stage", tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which pip has installed the package of the page."""
    source, target = tmp_path_factory.mktemp("my-parts"), tmp_path_factory.mktemp("installed")
    write_package(source)
    pip = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--disable-pip-version-check", "--target", str(target), str(source),
    ]  # fmt: skip
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def project(installed, tiny_backbone, tmp_path_factory, newsroom) -> Project:
    """The experiment of the page, run on the demo corpus as CSV with the installed package."""
    project = Project(tmp_path_factory.mktemp("project"), tiny_backbone)
    corpus: dict[str, str | None] = {"format": "csv", "natural_test": None}
    for split in ("train", "dev", "test"):
        native = (newsroom / f"{split}.jsonl").read_text(encoding="utf-8")
        target = project.folder / f"data/01_raw/newsroom/{split}.csv"
        target.write_text(as_csv(native), encoding="utf-8", newline="")
        corpus[split] = target.name
    variants = entries("conf/base/parameters_variants.yml", "variants")
    own = {name: variants[name] for name in ("tkre_pair", "tkre_margin")}
    project.write("conf/smoke/parameters_csv.yml", {"corpora": {"newsroom": corpus}})
    project.write("conf/smoke/parameters_own.yml", {"variants": own})
    experiment = entries("conf/base/experiments.yml")["my_parts"]
    project.write("conf/smoke/experiments.yml", {"my_parts": experiment})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(installed), *filter(None, sys.path)]))
        done = project.kedro("run", "--pipelines", "my_parts")
        assert done.returncode == 0, done.stdout[-3000:]
        yield project


def classifier(project: Project, variant: str) -> Path:
    return newest(project, f"06_models/newsroom/k8/s13/{variant}/classifier")


@pytest.mark.slow
def test_an_installed_package_is_used_in_a_run(project, tmp_path):
    cells = pd.read_csv(newest(project, "08_reporting/my_parts/cells.csv")).set_index("variant")
    assert set(cells.index) == {"tkre", "tkre_pair", "tkre_margin"}
    assert cells["macro_f1"].between(0, 100).all()
    summary = pd.read_csv(newest(project, "08_reporting/my_parts/summary.csv"))
    assert "macro_f1" in set(summary["metric"])
    report = newest(project, "08_reporting/my_parts/report.html").read_text(encoding="utf-8")
    assert "macro-F1" in report
    lineage = json.loads((classifier(project, "tkre_margin") / "lineage.json").read_text())
    stages = {s["stage"]: s["settings"] for s in lineage["steps"]}
    assert stages["scl"]["contrast"]["loss"] == "margin"
    # The head is found where there is no project.
    folder = classifier(project, "tkre_pair")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["head"], config["options"]) == ("pair", {"width": 128})
    code = (
        "import sys; from tkre.serving.extractor import RelationExtractor as E; e = E."
        "from_pretrained(sys.argv[1]); "
        "print(e(['<head>Ada</head> was in <tail>London</tail>.'])[0].relation)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(folder)]
    done = subprocess.run(command, text=True, capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in config["label2id"]


@pytest.mark.slow
def test_a_second_run_does_nothing_and_the_runner_lists_nodes(project):
    before = project.outputs()
    again = project.kedro("run", "--pipelines", "my_parts")
    assert re.search(r"(\d+) of \1 nodes were up to date", again.stdout)
    runner = ("--runner", "my_parts.runners.ListRunner")
    listed = project.kedro("run", *runner, "--pipelines", "data_generation")
    assert "data_generation.newsroom-k8-s13.explain: " in listed.stdout
    assert project.outputs() == before

"""Where everything on a page comes from: data, language models, code, machines, weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tkre.core.provenance import Environment, Step
from tkre.report.blocks import Block, Facts, Folded, Part, Prose, Section, Table, table_of
from tkre.report.content import ReportContent
from tkre.report.formatting import counted, duration, listed, llm_in_words, minute
from tkre.report.tables import TextTable

SHORT = 12  # letters of a digest that are enough to tell it
_NOT_KNOWN = "not recorded"


def origins(content: ReportContent) -> Section:
    """The lineage of the scores."""
    blocks: list[Block] = [
        Part("Corpora", [Facts(list(_files(content)), code=True)]),
        Part("Labelled sentences", _shots(content)),
        Part("Language models", _writers(content)),
        Part("Where the scores were put together", [Facts(list(_machine(content.environment)))]),
        Part("Training", _training(content)),
    ]
    return Section("lineage", "Lineage", blocks)


def short(digest: str) -> str:
    """The beginning of a digest."""
    return digest[:SHORT]


def _files(content: ReportContent) -> Iterator[tuple[str, str]]:
    for corpus in content.corpora:
        files = corpus.reading.get("files", {})
        name = corpus.schema.corpus
        if not files:
            yield name, f"digests of its files: {_NOT_KNOWN}"
        yield from ((f"{name}/{file}", f"sha256 {digest}") for file, digest in files.items())


def _shots(content: ReportContent) -> list[Block]:
    blocks: list[Block] = [
        Prose(["Ids of the K-shot sets: with them and the seed, a sample can be made again."])
    ]
    for reported in content.samples:
        shots = reported.shots
        facts = [
            ("support", ", ".join(shots["support"]) or "none: zero-shot"),
            ("validation", ", ".join(shots["validation"]) or "none"),
        ]
        counts = f"{len(shots['support'])} to train on, {len(shots['validation'])} to validate"
        blocks.append(Folded(f"{shots['sample']}: {counts}", [Facts(facts, code=True)]))
    return blocks


def _writers(content: ReportContent) -> list[Block]:
    if not content.knowing:
        return [Prose(["None was asked."])]
    facts = []
    for llm in dict.fromkeys(reported.sample.llm for reported in content.knowing):
        named = llm_in_words(llm, content.called.get(llm))
        facts.append((named, _answers(content, llm)))
    prompts = [
        (name.replace("_", " "), f"sha256 {hashlib.sha256(text.encode()).hexdigest()}")
        for name, text in content.prompts.items()
    ]
    return [Facts(facts), Facts(prompts, code=True)]


def _answers(content: ReportContent, llm: str) -> str:
    of_llm = [k.knowledge for k in content.knowing if k.sample.llm == llm and k.knowledge]
    # Draws ask some questions in common.
    sent = {
        (r["request_id"], r.get("digest"), r.get("finished")): r
        for knowledge in of_llm
        for r in knowledge.responses
    }.values()
    told = [f"{counted(len(sent), 'answer')} through {content.backend.get(llm, 'an unknown way')}"]
    if sources := sorted({str(r["source"]) for r in sent if r.get("source")}):
        told.append(f"asked by {listed(sources)}")
    if moments := sorted(str(r["finished"]) for r in sent if r.get("finished")):
        told.append(f"from {minute(moments[0])} to {minute(moments[-1])}")
    if tokens := sum(int(r.get("completion_tokens") or 0) for r in sent):
        told.append(f"{tokens:,} tokens written")
    if digestless := sum(not r.get("digest") for r in sent):
        some = "all" if digestless == len(sent) else f"{digestless:,} of them"
        told.append(f"{some} recorded without the digest of the question")
    return "; ".join(told)


def _machine(environment: Environment) -> Iterator[tuple[str, str]]:
    yield "When", minute(environment.finished)
    yield "Revision", revision(environment)
    yield "Machine", f"{environment.processor}; {counted(environment.cores or 1, 'core')}"
    yield "System", f"{environment.platform}; Python {environment.python}"
    if environment.device:
        threads = counted(environment.threads or 1, "thread")
        yield "Device", f"{environment.device}, {threads}, {environment.precision}"
    libraries = [f"{name} {version}" for name, version in environment.libraries.items()]
    yield "Libraries", ", ".join(libraries)


def revision(environment: Environment) -> str:
    """The revision of the code, and whether it was changed since."""
    if environment.revision is None:
        return "of no repository"
    return environment.revision + (", with changes of its own" if environment.modified else "")


def _training(content: ReportContent) -> list[Block]:
    places: dict[str, Environment] = {}
    for cell in content.cells:
        for step in cell.lineage.steps:
            if step.environment is not None:
                places.setdefault(_place(step.environment), step.environment)
    blocks: list[Block] = [Table(_steps(content))]
    for n, environment in enumerate(places.values(), start=1):
        title = f"Where it was trained{f', {n} of {len(places)}' if len(places) > 1 else ''}"
        blocks.append(Folded(title, [Facts(list(_machine(environment)))], open=len(places) == 1))
    if not places:
        blocks.append(Prose([f"Revision, device and threads of the training: {_NOT_KNOWN}."]))
    return blocks


def _place(environment: Environment) -> str:
    """The same for whatever was trained in the same place, at whatever time."""
    return environment.model_dump_json(exclude={"finished"})


def _steps(content: ReportContent) -> TextTable:
    rows = []
    for cell in content.cells:
        where = {"corpus": cell.metrics["corpus"], "shots": cell.metrics["shots"],
                 "variant": cell.metrics["variant"], "seed": cell.metrics["seed"]}  # fmt: skip
        rows += [where | _step(step) for step in cell.lineage.steps]
    backbones = sorted({f"{c.lineage.backbone} {short(c.lineage.origin)}" for c in content.cells})
    return table_of(
        rows,
        "Stages of training",
        f"Weights and data by the first {SHORT} letters of their digests. A stage starts from the "
        "weights that the one before it gave, the first one from the backbone: "
        f"{listed(backbones)}.",
        {"corpus": "corpus", "shots": "K", "variant": "variant", "seed": "seed", "stage": "stage",
         "started_from": "from", "weights": "gave", "data": "data", "device": "device",
         "threads": "threads", "revision": "revision", "finished": "finished"},
        {"seconds": "time"},
    )  # fmt: skip


def _step(step: Step) -> dict[str, str]:
    told = {
        "stage": step.stage,
        "started_from": short(step.started_from),
        "weights": short(step.weights),
        "data": short(step.data),
        "seconds": duration(step.seconds),
    }
    if step.environment is not None:
        told |= {
            "device": str(step.environment.device),
            "threads": str(step.environment.threads),
            "revision": short(step.environment.revision or "none"),
            "finished": minute(step.environment.finished),
        }
    return told

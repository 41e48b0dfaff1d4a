"""Section of the report on data, language models, code, machines and weights behind the scores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from tkre.core.provenance import Environment, Step
from tkre.evaluation.llm_comparison import sent_responses
from tkre.report.blocks import Block, Facts, Folded, Part, Prose, Table
from tkre.report.content import ReportContent
from tkre.report.formatting import counted, duration, listed, llm_in_words, minute
from tkre.report.tables import TextTable, table_of

SHORT = 12  # characters of a digest that are shown
_UNKNOWN = "not recorded"


def provenance(content: ReportContent) -> list[Block]:
    """Data, language models, code, machines and weights behind the scores."""
    return [
        Part("Corpora", [Facts(list(_files(content)), code=True)]),
        Part("Labelled sentences", _samples(content)),
        Part("Language models", _llms(content)),
        Part("Environment of the report", [Facts(list(_machine(content.environment)))]),
        Part("Training", _training(content)),
    ]


def _files(content: ReportContent) -> Iterator[tuple[str, str]]:
    for corpus in content.corpora:
        files = corpus.reading.get("files", {})
        name = corpus.schema.corpus
        if not files:
            yield name, f"digests of its files: {_UNKNOWN}"
        yield from ((f"{name}/{file}", f"sha256 {digest}") for file, digest in files.items())


def _samples(content: ReportContent) -> list[Block]:
    blocks: list[Block] = [Prose(["Ids of the K-shot sets: they reproduce a sample."])]
    for reported in content.samples:
        shots = reported.shots
        facts = [
            ("support", ", ".join(shots["support"]) or "none: zero-shot"),
            ("validation", ", ".join(shots["validation"]) or "none"),
        ]
        if reported.reviews is not None:
            facts.append(("rows reviewed by a person", _reviewed(reported.reviews)))
        counts = f"{len(shots['support'])} support, {len(shots['validation'])} validation"
        blocks.append(Folded(f"{shots['sample']}: {counts}", [Facts(facts, code=True)]))
    return blocks


def _reviewed(counts: Mapping[str, Any]) -> str:
    """Labels of a language model that a person has accepted or corrected, and refused rows."""
    if not counts["rows"] and not counts["refused"]:
        return "none"
    decisions = ("accepted", "corrected", "added")
    done = listed([f"{counts[decision]:,} {decision}" for decision in decisions])
    return f"{done}; refused as copies: {_refused(counts)}"


def _refused(counts: Mapping[str, Any]) -> str:
    return listed([f"{reason} {number}" for reason, number in counts["reasons"].items()]) or "none"


def _llms(content: ReportContent) -> list[Block]:
    if not content.knowing:
        return [Prose(["None was asked."])]
    facts = [
        (llm_in_words(llm, content.called.get(llm)), _responses(content, llm))
        for llm in dict.fromkeys(reported.sample.llm for reported in content.knowing)
    ]
    prompts = [
        (name.replace("_", " "), f"sha256 {hashlib.sha256(text.encode()).hexdigest()}")
        for name, text in content.prompts.items()
    ]
    return [Facts(facts), Facts(prompts, code=True)]


def _responses(content: ReportContent, llm: str) -> str:
    of_llm = [k.knowledge for k in content.knowing if k.sample.llm == llm and k.knowledge]
    sent = sent_responses(of_llm)
    backend = content.backend.get(llm, "unknown backend")
    parts = [f"{counted(len(sent), 'response')} ({backend})"]
    if sources := sorted({r.source for r in sent if r.source}):
        parts.append(f"sources: {listed(sources)}")
    if moments := sorted(r.finished for r in sent if r.finished):
        parts.append(f"from {minute(moments[0])} to {minute(moments[-1])}")
    if tokens := sum(r.completion_tokens or 0 for r in sent):
        parts.append(f"{tokens:,} completion tokens")
    if digestless := sum(not r.digest for r in sent):
        some = "all" if digestless == len(sent) else f"{digestless:,} of them"
        parts.append(f"{some} recorded without the digest of the request")
    return "; ".join(parts)


def _machine(environment: Environment) -> Iterator[tuple[str, str]]:
    yield "Time", minute(environment.finished)
    yield "Revision", revision(environment)
    yield "Machine", f"{environment.processor}; {counted(environment.cores or 1, 'core')}"
    yield "System", f"{environment.platform}; Python {environment.python}"
    if environment.device:
        threads = counted(environment.threads or 1, "thread")
        yield "Device", f"{environment.device}, {threads}, {environment.precision}"
    libraries = [f"{name} {version}" for name, version in environment.libraries.items()]
    yield "Libraries", ", ".join(libraries)


def revision(environment: Environment) -> str:
    """Revision of the code, and whether it has uncommitted changes."""
    if environment.revision is None:
        return "no repository"
    return environment.revision + (", with uncommitted changes" if environment.modified else "")


def _training(content: ReportContent) -> list[Block]:
    places: dict[str, Environment] = {}
    for cell in content.cells:
        for step in cell.lineage.steps:
            if step.environment is not None:
                # The same wherever it was trained in the same place, at whatever time.
                key = step.environment.model_dump_json(exclude={"finished"})
                places.setdefault(key, step.environment)
    blocks: list[Block] = [Table(_steps(content))]
    for n, environment in enumerate(places.values(), start=1):
        title = f"Environment of training{f', {n} of {len(places)}' if len(places) > 1 else ''}"
        blocks.append(Folded(title, [Facts(list(_machine(environment)))], open=len(places) == 1))
    if not places:
        blocks.append(Prose([f"Revision, device and threads of the training: {_UNKNOWN}."]))
    return blocks


def _steps(content: ReportContent) -> TextTable:
    where = ("corpus", "shots", "variant", "seed")
    rows = [
        {name: cell.metrics[name] for name in where} | _step(step)
        for cell in content.cells
        for step in cell.lineage.steps
    ]
    origins = {
        f"{c.lineage.backbone} {c.lineage.origin[:SHORT]}"
        for c in content.cells
        if c.lineage.origin
    }
    return table_of(
        rows,
        "Stages of training",
        f"The first {SHORT} characters of the digests of weights and data. A stage starts from the "
        "weights of the one before it, the first one from the backbone: "
        f"{listed(sorted(origins))}.",
        {"corpus": "corpus", "shots": "K", "variant": "variant", "seed": "seed", "stage": "stage",
         "started_from": "from", "weights": "weights", "data": "data", "device": "device",
         "threads": "threads", "revision": "revision", "finished": "finished"},
        {"seconds": "time"},
    )  # fmt: skip


def _step(step: Step) -> dict[str, str]:
    row = {
        "stage": step.stage,
        "started_from": step.started_from[:SHORT],
        "weights": step.weights[:SHORT],
        "data": step.data[:SHORT],
        "seconds": duration(step.seconds),
    }
    if step.environment is not None:
        row |= {
            "device": str(step.environment.device),
            "threads": str(step.environment.threads),
            "revision": (step.environment.revision or "none")[:SHORT],
            "finished": minute(step.environment.finished),
        }
    return row

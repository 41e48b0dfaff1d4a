"""What a language model wrote: how much of it is used, examples, what was refused and doubted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import pandas as pd

from tkre.generation.rejections import EXPLANATION, SYNTHESIS
from tkre.report.bars import BarRow, bar_legend, bar_panel
from tkre.report.blocks import (
    Block,
    Chart,
    Folded,
    Panel,
    Prose,
    Section,
    Table,
    table_of,
    titled,
    varying,
)
from tkre.report.content import Knowledge, ReportContent
from tkre.report.formatting import counted, llm_in_words
from tkre.report.quoting import examples
from tkre.report.tables import detail_tables, llm_tables

_KINDS = {EXPLANATION: "explanations", SYNTHESIS: "synthetic sentences"}
_FATES = (("used", "kept"), ("valid, not needed", "surplus"), ("refused", "rejected"),
          ("short", "short"))  # fmt: skip


def writing(content: ReportContent) -> Section:
    """Yield, examples and refusals of the knowledge, corpus by corpus."""
    title = "What the language model wrote"
    if not content.knowing:
        return Section(
            "knowledge", title, [Prose(["No variant here uses what a language model writes."])]
        )
    blocks: list[Block] = []
    for corpus, known in _by_corpus(content).items():
        blocks += [_yields(corpus, known), _refusals(corpus, known)]
        blocks += examples(content, corpus, known)
    if (table := content.tables.get("llms")) is not None:
        blocks += [titled(shown) for shown in llm_tables(table)]
    if (table := content.tables.get("filter")) is not None and len(table):
        blocks += [titled(shown) for shown in detail_tables("filter", table)]
    blocks += _label_errors(content)
    return Section("knowledge", title, blocks)


def _by_corpus(content: ReportContent) -> dict[str, list[Knowledge]]:
    """The knowledge of all samples of a corpus and a language model."""
    found: dict[str, list[Knowledge]] = {}
    several = len({known.sample.llm for known in content.knowing}) > 1
    for reported in content.knowing:
        sample, knowledge = reported.sample, reported.knowledge
        name = sample.corpus
        if several:
            name += f", written by {llm_in_words(sample.llm, content.called.get(sample.llm))}"
        if knowledge is not None:
            found.setdefault(name, []).append(knowledge)
    return found


def _yields(corpus: str, known: Sequence[Knowledge]) -> Chart:
    counts = ["wanted", "asked", "answered", *(column for _, column in _FATES)]
    table = pd.concat([k.yields for k in known])
    sums = table.groupby(["kind", "relation"], sort=False)[counts].sum().reset_index()
    panels = []
    for kind, plural in _KINDS.items():
        of_kind = sums[sums["kind"] == kind]
        if of_kind["answered"].sum() == 0:
            continue
        rows = [
            BarRow(row["relation"], [float(row[column]) for _, column in _FATES])
            for row in of_kind.to_dict("records")
        ]
        drawn = bar_panel(rows, _FATES, f"Yield of {plural}, {corpus}", plural)
        panels.append(Panel(plural[0].upper() + plural[1:], drawn))
    samples = counted(len(known), "sample")
    shown = table_of(
        sums.assign(kind=sums["kind"].map(_KINDS)),
        f"Yield by relation: {corpus}",
        f"numbers, summed over {samples}",
        {"kind": "kind", "relation": "relation"},
        {column: column for column in counts},
    )
    note = f"What became of what came back, by relation, summed over {samples}."
    return Chart(f"Yield by relation, {corpus}", note, panels, shown, bar_legend(_FATES))


def _refusals(corpus: str, known: Sequence[Knowledge]) -> Block:
    rejects = pd.concat([k.rejects for k in known])
    if rejects.empty:
        return Prose([f"{corpus}: nothing that came back was refused."])
    counts = rejects.groupby(["kind", "reason"]).size().rename("count").reset_index()
    counts = counts.assign(kind=counts["kind"].map(_KINDS).fillna(counts["kind"]))
    return Table(
        table_of(
            counts.sort_values("count", ascending=False, kind="stable"),
            f"Refused, and why: {corpus}",
            "everything that comes back is checked, whatever the language model promises",
            {"kind": "kind", "reason": "reason"},
            {"count": "number"},
        )
    )


def _label_errors(content: ReportContent) -> Iterator[Block]:
    table = content.tables.get("label_errors")
    if table is None or table.empty:
        return
    where = varying(table, ("corpus", "shots", "synthetic", "llm", "seed"))
    texts = {
        row.id: row.text
        for row in chain.from_iterable(
            k.knowledge.explained for k in content.knowing if k.knowledge
        )
    }
    shown = table.assign(sentence=table["id"].map(texts)) if content.page.examples else table
    columns = {"id": "id", "relation": "labelled", "likeliest": "rather", "sentence": "sentence"}
    yield Folded(
        "Suspected label errors",
        [
            Prose(
                [
                    "Judged by a classifier that has not seen the sentence. With few sentences a "
                    "relation, one wrong label weighs much: read these first."
                ]
            ),
            Table(
                table_of(
                    shown,
                    "Suspected label errors",
                    "probabilities of the label and of the likeliest other relation",
                    {name: {"shots": "K"}.get(name, name) for name in where} | columns,
                    {"probability": "label", "likeliest_probability": "other", "doubt": "doubt"},
                    decimals=2,
                )
            ),
        ],
    )

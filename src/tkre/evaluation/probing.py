"""Behavioural checks of a classifier, made from the schema alone.

After CheckList (Ribeiro et al. 2020, arXiv 2005.04118): sentences whose label follows from how they
are made. The phrase of each relation stands between two names that fit its entity types. Exchange,
negation and a third name change the label; unusual names and typing errors do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, product
from string import Formatter

import pandas as pd

from tkre.core.instance import Instance, Span
from tkre.core.schema import RelationSchema
from tkre.evaluation.probe_names import names_of

# What each check asks, in the order of tables.
CHECKS = {
    "phrase": "the phrase of the relation between two names",
    "forms": "further forms in relations.yml, such as passives",
    "exchange": "the same, head and tail exchanged: the inverse, or not the relation",
    "negation": "the phrase negated: not the relation",
    "third": "the phrase between two names, beside a third one",
    "bystander": "the third name and one of the two: not the relation",
    "names": "the phrase between long names, or names of another script",
    "typos": "the phrase with a typing error",
}
PAIRS = 3  # of names, for each relation: the kinds of typing errors, in little time
_BEFORE = "The report on {{other}} says that {}."
_BEHIND = "{}, and the report goes on with {{other}}."
# Forms of "be" and auxiliaries, which "not" follows; other verbs take "never" before them.
_AUXILIARY = re.compile(r"(is|are|was|were|can|could|will|would|does|did)\b", re.IGNORECASE)
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_COLUMNS = ["id", "check", "relation", "text", "head_start", "head_end", "tail_start", "tail_end",
            "head_type", "tail_type", "expected", "predicted", "probability", "right"]  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """A sentence with what a classifier must make of it.

    Attributes:
        check: Key of ``CHECKS``.
        relation: Relation whose phrase or form it holds.
        instance: The sentence; its relation is the only right label, None where several are.
        barred: Labels that are wrong where several are right.
    """

    check: str
    relation: str
    instance: Instance
    barred: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """Right label in words: ``sold_to``, ``not sold_to or bought_from``."""
        return self.instance.relation or f"not {' or '.join(self.barred)}"

    def right(self, predicted: str) -> bool:
        """Whether a label is right."""
        only = self.instance.relation
        return predicted == only if only is not None else predicted not in self.barred


def probes_of(schema: RelationSchema) -> list[Probe]:
    """The probes of a schema; the negative relation has those of its ``forms`` alone.

    Where the schema has no negative relation, no label can say that a relation does not hold: there
    are no probes of that.
    """
    return [probe for name in schema.names for probe in _probes(schema, name)]


def score_probes(probes: Sequence[Probe], predictions: pd.DataFrame) -> pd.DataFrame:
    """Probes with the answers of a classifier.

    Args:
        probes: N probes.
        predictions: Frame of N rows in their order, with ``predicted`` and ``probability``.

    Returns:
        N rows: id, check and relation, sentence and offsets of its mentions, their types, the
        expected label in words, the predicted one with its probability, whether it is right.
    """
    answers = zip(probes, predictions["predicted"], predictions["probability"], strict=True)
    rows = [
        (
            probe.instance.id, probe.check, probe.relation, probe.instance.text,
            probe.instance.head.start, probe.instance.head.end,
            probe.instance.tail.start, probe.instance.tail.end,
            probe.instance.head_type, probe.instance.tail_type,
            probe.expected, predicted, float(probability), probe.right(predicted),
        )
        for probe, predicted, probability in answers
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"right": bool})


def shares(scored: pd.DataFrame, by: str) -> pd.DataFrame:
    """Share of right answers, in per cent.

    Args:
        scored: Scored probes, of one or more classifiers (``score_probes``).
        by: Column whose values become rows, in the order of the frame.

    Returns:
        The column, a column for each of the ``CHECKS`` (missing without a probe), and ``all``.
    """
    per_cent = scored.assign(right=100.0 * scored["right"])
    table = per_cent.pivot_table("right", by, "check", sort=False).reindex(columns=list(CHECKS))
    table["all"] = per_cent.groupby(by, sort=False)["right"].mean()
    return table.rename_axis(columns=None).reset_index()


def worst_probes(scored: pd.DataFrame, most: int) -> pd.DataFrame:
    """The most confident wrong answers: of each check in turn, and within it of each relation."""
    worst = scored[~scored["right"]].sort_values("probability", ascending=False, kind="stable")
    worst = worst.drop_duplicates(["id", "predicted"]).reset_index(drop=True)
    for within in (["check", "relation"], ["check"]):
        turn = worst.groupby(within).cumcount()
        worst = worst.loc[turn.sort_values(kind="stable").index].reset_index(drop=True)
    return worst.head(most)


# Check; sentence with {head}, {tail} and {other}; right label, None where several are; which names
# are its head and its tail.
_Sentence = tuple[str, str, str | None, tuple[str, str]]
_STRAIGHT, _EXCHANGED = ("head", "tail"), ("tail", "head")


def _probes(schema: RelationSchema, name: str) -> Iterator[Probe]:
    inverse = schema.inverse_of(name)
    barred = (name, inverse) if inverse not in (None, name) else (name,)
    numbers = count(1)
    for pair, types in enumerate(_types(schema, name)):
        for check, sentence, label, mentions in _sentences(schema, name, pair):
            if label is None and schema.negative is None:
                continue
            instance = _instance(sentence, mentions, types, pair, unusual=check == "names")
            instance = replace(instance, id=f"{name}/{next(numbers)}", relation=label)
            yield Probe(check, name, instance, () if label else barred)


def _sentences(schema: RelationSchema, name: str, pair: int) -> Iterator[_Sentence]:
    """The sentences of a relation for one pair of names."""
    relation, inverse = schema.relations[name], schema.inverse_of(name)
    # A phrase is text: braces in it are no fields.
    phrase = relation.phrase.replace("{", "{{").replace("}", "}}")
    stated = f"{{head}} {phrase} {{tail}}"
    if not relation.negative:
        yield "phrase", f"{stated}.", name, _STRAIGHT
        yield "exchange", f"{stated}.", inverse, _EXCHANGED
    for form in relation.forms:
        yield "forms", form, name, _STRAIGHT
        if inverse or not relation.negative:
            yield "exchange", form, inverse, _EXCHANGED
    if relation.negative:
        return
    yield "negation", f"{{head}} {_negated(phrase)} {{tail}}.", None, _STRAIGHT
    yield "negation", f"It is not true that {stated}.", None, _STRAIGHT
    before, behind = _BEFORE.format(stated), _BEHIND.format(stated)
    yield from (("third", sentence, name, _STRAIGHT) for sentence in (before, behind))
    # The third name stands in the place of the mention that is farther from it.
    yield "bystander", before, None, ("other", "tail")
    yield "bystander", behind, None, ("head", "other")
    yield "names", f"{stated}.", name, _STRAIGHT
    if mistyped := _mistyped(phrase, pair):
        yield "typos", f"{{head}} {mistyped} {{tail}}.", name, _STRAIGHT


def _types(schema: RelationSchema, name: str) -> list[tuple[str | None, str | None]]:
    """Entity types of head and tail for each pair of names, spread over the allowed ones."""
    relation = schema.relations[name]
    every = schema.entity_types or (None,)
    allowed = list(product(relation.head_types or every, relation.tail_types or every))
    if inverse := schema.inverse_of(name):  # the exchanged pair must fit, too
        allowed = [(h, t) for h, t in allowed if schema.allows(inverse, t, h)] or allowed
    return [allowed[n * len(allowed) // PAIRS] for n in range(PAIRS)]


def _instance(
    sentence: str,
    mentions: tuple[str, str],
    types: tuple[str | None, str | None],
    pair: int,
    *,
    unusual: bool,
) -> Instance:
    """A sentence with its names, all different; the third has the type of the one it stands for."""
    kinds = {"head": types[0], "tail": types[1], "other": types[int(mentions[0] != "other")]}
    names = {
        role: names_of(kind, unusual=unusual)[pair + n]
        for n, (role, kind) in enumerate(kinds.items())
    }
    text, spans = "", {}
    for literal, role, _, _ in Formatter().parse(sentence):
        text += literal
        if role is not None:
            spans[role] = Span(len(text), len(text) + len(names[role]))
            text += names[role]
    head, tail = mentions
    return Instance(
        "",
        text[:1].upper() + text[1:],
        spans[head],
        spans[tail],
        head_type=kinds[head],
        tail_type=kinds[tail],
    )


def _negated(phrase: str) -> str:
    """A phrase with "not" behind its auxiliary, or "never" before its verb."""
    if found := _AUXILIARY.match(phrase):
        return f"{found[0]} not{phrase[found.end() :]}"
    return f"never {phrase}"


def _mistyped(phrase: str, pair: int) -> str | None:
    """A phrase with two letters of its longest word exchanged, or one left out, or one doubled.

    None if all of its words are short: another word might come of it.
    """
    word = max(_LONG_WORD.findall(phrase), key=len, default="")
    if not word:
        return None
    at = len(word) // 2
    before, one, other, behind = word[: at - 1], word[at - 1], word[at], word[at + 1 :]
    wrong = (other + one, other, one + one + other)[pair % 3]
    if wrong == one + other:  # two equal letters
        wrong = one
    return phrase.replace(word, before + wrong + behind, 1)

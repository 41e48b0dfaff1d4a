"""Tables of generated knowledge: language models compared, the filter, suspected label errors.

Language models are compared on the same K-shot sets: by yield and diversity of their output, and
by the F1 of the variants that use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any

import pandas as pd

from tkre.core.cells import parse_sample
from tkre.core.instance import Instance
from tkre.core.params import NO_LLM
from tkre.core.text import count_words, normalised, word_list, word_runs
from tkre.evaluation.results import GROUP_KEYS, std_over_seeds
from tkre.generation.label_errors import per_cent
from tkre.generation.llm.protocol import Response
from tkre.generation.rejections import EXPLANATION, SYNTHESIS

# Coordinates of a row.
WHERE = ["corpus", "shots", "synthetic", "llm"]
DIVERSITY = ["distinct_2", "largest_overlap", "distinct_pairs", "words"]
F1, F1_STD = "micro_f1.", "micro_f1_std."  # before the name of a variant
TOP = 3  # most common reasons of rejects


@dataclass(frozen=True)
class Knowledge:
    """Knowledge that a language model wrote for a sample.

    Attributes:
        yields: Counts by kind and relation (``rejections.yield_frame``), with the ``sample``.
        rejects: Rejected texts (``rejections.rejects_frame``).
        synthetic: Synthetic sentences that are used.
        explanation_responses: Responses of all attempts to explain a row.
        synthesis_responses: Responses of all attempts to write sentences.
        explained: Support with explanations.
        annotation_responses: Responses of all attempts to annotate a row.
    """

    yields: pd.DataFrame
    rejects: pd.DataFrame
    synthetic: Sequence[Instance]
    explanation_responses: Sequence[Response]
    synthesis_responses: Sequence[Response]
    explained: Sequence[Instance] = ()
    annotation_responses: Sequence[Response] = ()


def sent_responses(knowledge: Iterable[Knowledge]) -> list[Response]:
    """All responses, each once: samples share some requests, which are sent once."""
    responses = (
        r
        for k in knowledge
        for r in (*k.explanation_responses, *k.synthesis_responses, *k.annotation_responses)
    )
    return list({(r.request_id, r.digest, r.finished): r for r in responses}.values())


def llms_table(
    written: Sequence[Knowledge], cells: pd.DataFrame, called: Mapping[str, str], overlap_words: int
) -> pd.DataFrame:
    """One row per corpus, K, amount of synthetic sentences and language model, over all seeds.

    Args:
        written: Output for each sample with knowledge.
        cells: Table of cells (``results.cells_table``).
        called: Names of the models, by llm.
        overlap_words: Length of the word runs that overlaps are measured by.

    Returns:
        For either kind of knowledge (``explanation_``, ``synthesis_``) the numbers ``requested``,
        ``answered`` and ``kept``; ``yield``, the kept share of the wanted ones; ``validity``, the
        share of the requested ones that passed the checks (surplus ones included); the commonest
        ``rejects``. ``attempts`` that were sent, their ``prompt_tokens`` and ``completion_tokens``
        (a request that samples share counts once), and the mean ``seconds`` from request to answer;
        missing where no response records it. The ``diversity`` of the sentences, over relations and
        seeds. Micro-F1 of every variant, mean (``micro_f1.<variant>``) and sample standard
        deviation (``micro_f1_std.<variant>``) over seeds, without planted noise and annotated rows;
        filtered cells have columns of their own (``<variant>.filtered``). Shares are in per cent.
    """
    places: dict[tuple[Any, ...], list[Knowledge]] = {}
    for one in written:
        sample = parse_sample(one.yields["sample"].iloc[0])
        places.setdefault(tuple(getattr(sample, name) for name in WHERE), []).append(one)
    rows = []
    for place, of_seeds in places.items():
        where = dict(zip(WHERE, place, strict=True))
        yields = pd.concat([one.yields for one in of_seeds])
        rejects = pd.concat([one.rejects for one in of_seeds])
        rates = [rate for one in of_seeds for rate in diversity(one.synthetic, overlap_words)]
        spread = pd.DataFrame(rates, columns=DIVERSITY, dtype=float)
        row: dict[str, Any] = where | {"model": called[where["llm"]], "seeds": len(of_seeds)}
        for kind in (EXPLANATION, SYNTHESIS):
            row |= _counts(kind, yields[yields["kind"] == kind], rejects[rejects["kind"] == kind])
        row |= _effort(sent_responses(of_seeds))
        rows.append(row | spread.mean().to_dict() | _scores(cells, where))
    return pd.DataFrame(rows)


def diversity(rows: Sequence[Instance], overlap_words: int) -> list[dict[str, float]]:
    """Diversity of the sentences of each relation.

    The fewer they are, the easier it is to differ: compare relations with about as many sentences.

    Args:
        rows: Labelled sentences.
        overlap_words: Length of the word runs that overlaps are measured by.

    Returns:
        For every relation that has sentences: ``distinct_2``, the share of its pairs of
        neighbouring words that are different ones; ``largest_overlap``, the largest share of a
        sentence's word runs that stand in another sentence (missing for one sentence alone);
        ``distinct_pairs``, the share of its pairs of mentions that are different ones; ``words``
        per sentence. Shares are in per cent.
    """
    of_relation: dict[str, list[Instance]] = {}
    for row in rows:
        of_relation.setdefault(str(row.relation), []).append(row)
    return [_diversity(alike, overlap_words) for _, alike in sorted(of_relation.items())]


def _diversity(rows: Sequence[Instance], overlap_words: int) -> dict[str, float]:
    texts = [row.text for row in rows]
    neighbours = [pair for text in texts for pair in pairwise(word_list(text))]
    runs = [word_runs(text, overlap_words) for text in texts]
    overlaps = [len(one & other) / len(one) for one, other in permutations(runs, 2)]
    mentions = {(normalised(row.head_text), normalised(row.tail_text)) for row in rows}
    return {
        "distinct_2": per_cent(len(set(neighbours)), len(neighbours)),
        "largest_overlap": 100 * max(overlaps, default=float("nan")),
        "distinct_pairs": per_cent(len(mentions), len(rows)),
        "words": sum(count_words(text) for text in texts) / len(texts),
    }


def _counts(kind: str, yields: pd.DataFrame, rejects: pd.DataFrame) -> dict[str, Any]:
    names = ["wanted", "requested", "answered", "kept", "surplus"]
    wanted, requested, answered, kept, surplus = (int(yields[name].sum()) for name in names)
    reasons = rejects["reason"].value_counts()
    return {
        f"{kind}_requested": requested,
        f"{kind}_answered": answered,
        f"{kind}_kept": kept,
        f"{kind}_yield": per_cent(kept, wanted),
        f"{kind}_validity": per_cent(kept + surplus, requested),
        f"{kind}_rejects": ", ".join(f"{reason} {n}" for reason, n in reasons.head(TOP).items()),
    }


def _effort(sent: Sequence[Response]) -> dict[str, Any]:
    recorded = pd.DataFrame(
        [(r.prompt_tokens, r.completion_tokens, r.seconds) for r in sent],
        columns=["prompt_tokens", "completion_tokens", "seconds"],
        dtype=float,
    )
    return {
        "attempts": len(sent),
        "prompt_tokens": recorded["prompt_tokens"].sum(min_count=1),
        "completion_tokens": recorded["completion_tokens"].sum(min_count=1),
        "seconds": recorded["seconds"].mean(),
    }


def _scores(cells: pd.DataFrame, where: Mapping[str, Any]) -> dict[str, float]:
    """Means and deviations of the cells that use this knowledge, and of those that use none."""
    here = cells[
        (cells["corpus"] == where["corpus"])
        & (cells["shots"] == where["shots"])
        & (cells["noise"] == 0)
        & (cells["annotated"] == 0)
        & cells["llm"].isin([where["llm"], NO_LLM])
    ]
    scores: dict[str, float] = {}
    for (variant, filtered), group in here.groupby(["variant", "filtered"], sort=False):
        # A variant that reads no sentence is the same beside whatever number of them.
        exact = group[group["synthetic"] == where["synthetic"]]
        f1 = (exact if len(exact) else group[group["synthetic"] == 0])["micro_f1"].astype(float)
        if len(f1):
            name = f"{variant}.filtered" if filtered else str(variant)
            scores |= {f"{F1}{name}": f1.mean(), f"{F1_STD}{name}": std_over_seeds(f1)}
    return scores


FOUND = ["rejected", "precision", "recall", "lost"]
# Where a filter works; the noise last, so that the place without it is found.
FILTER_WHERE = [*(column for column in GROUP_KEYS if column not in ("noise", "filtered")), "noise"]
FILTER_COLUMNS = [
    *FILTER_WHERE, "variant", *FOUND,
    "clean_f1", "unfiltered_f1", "filtered_f1", "recovered", "seeds",
]  # fmt: skip
MOST_SUSPECTED = 10  # rows that are listed for a sample


def filter_table(cells: pd.DataFrame, scores: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each share of planted noise and each variant, means over seeds.

    Args:
        cells: Table of cells, filtered and not.
        scores: Scores of the filter, one per sample (``generation.label_errors``).

    Returns:
        Per cent of the sentences ``rejected``; ``precision`` and ``recall`` of the rejections of
        planted errors, and ``lost``, per cent of the right ones that were rejected; micro-F1
        without noise and filter, with noise, with noise and filter; ``recovered``, per cent of the
        F1 lost to noise that the filter restores (missing where noise costs nothing). Cells whose
        unfiltered twins are not part of the experiment have no row.
    """
    found = pd.DataFrame([_found(s) for s in scores])
    if found.empty:
        return pd.DataFrame(columns=FILTER_COLUMNS)
    means = found.groupby(FILTER_WHERE)[FOUND].mean()
    f1 = cells.groupby([*FILTER_WHERE, "filtered", "variant"])["micro_f1"].agg(["mean", "size"])
    rows = []
    for (*at, filtered, variant), score in f1.iterrows():
        key, clean = (*at, False, variant), (*at[:-1], 0, False, variant)
        if not filtered or tuple(at) not in means.index or key not in f1.index:
            continue
        without = float(f1.loc[clean, "mean"]) if clean in f1.index else float("nan")
        noisy, saved = float(f1.loc[key, "mean"]), float(score["mean"])
        costs = without - noisy
        rows.append(
            dict(zip(FILTER_WHERE, at, strict=True))
            | {"variant": variant, **means.loc[tuple(at)].to_dict()}
            | {"clean_f1": without, "unfiltered_f1": noisy, "filtered_f1": saved}
            | {"recovered": 100 * (saved - noisy) / costs if costs > 0 else float("nan")}
            | {"seeds": int(score["size"])}
        )
    return pd.DataFrame(rows, columns=FILTER_COLUMNS)


def label_errors_table(rankings: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Most suspected label errors in the support of every sample.

    Args:
        rankings: Rankings by name of their sample, the most suspected first.
    """
    where = ["corpus", "shots", "synthetic", "llm", "seed"]
    tables = []
    for name, ranking in rankings.items():
        sample, top = parse_sample(name), ranking.head(MOST_SUSPECTED)
        place = {column: getattr(sample, column) for column in where}
        top = top.assign(**place, rank=range(1, len(top) + 1))
        tables.append(top[[*where, "rank", *ranking]])
    columns = [*where, "rank"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _found(scores: Mapping[str, Any]) -> dict[str, Any]:
    sample = parse_sample(scores["sample"])
    return {
        **{column: getattr(sample, column) for column in FILTER_WHERE},
        **{name: scores[name] for name in FOUND[1:]},
        "rejected": per_cent(scores["rejected"], scores["rows"]),
    }

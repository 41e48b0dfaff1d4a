"""Cells and their names. An experiment is a grid of cells: corpus x shots x seed x variant.

This is the only place where names of namespaces and datasets are put together or taken apart:

=================================  ================================================
``newsroom``                       a corpus
``newsroom.k8.s13``                a *draw*: its K-shot sets and the knowledge of them
``newsroom.k8x4.s13``              the same, with 4 x K synthetic sentences
``newsroom.k8.s13.tkre``           a *cell*: one variant on a draw
``demo``                           an experiment, for its tables
=================================  ================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import field_validator

from tkre.params import Params

_NAME = re.compile(r"[A-Za-z0-9_]+")
_DRAW = re.compile(r"(?P<corpus>\w+)\.k(?P<shots>\d+)(x(?P<synthetic>\d+))?\.s(?P<seed>\d+)")


@dataclass(frozen=True)
class Draw:
    """The K-shot sets of one seed, and the knowledge that a language model adds to them.

    Attributes:
        corpus: Name of the corpus.
        shots: K, labelled rows per relation.
        seed: Of the draw and of everything random that is trained on it.
        synthetic: Synthetic sentences per relation, as a multiple of K.
    """

    corpus: str
    shots: int
    seed: int
    synthetic: int = 1

    @property
    def name(self) -> str:
        """Its namespace."""
        times = "" if self.synthetic == 1 else f"x{self.synthetic}"
        return f"{self.corpus}.k{self.shots}{times}.s{self.seed}"


@dataclass(frozen=True)
class Cell:
    """One variant on one draw."""

    draw: Draw
    variant: str

    @property
    def name(self) -> str:
        """Its namespace."""
        return f"{self.draw.name}.{self.variant}"


def parse_draw(name: str) -> Draw:
    """The draw of a namespace such as ``newsroom.k8x4.s13``."""
    match = _DRAW.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a draw, such as 'newsroom.k8.s13'")
    return Draw(
        match["corpus"], int(match["shots"]), int(match["seed"]), int(match["synthetic"] or 1)
    )


def parse_cell(name: str) -> Cell:
    """The cell of a namespace such as ``newsroom.k8.s13.tkre``."""
    draw, _, variant = name.rpartition(".")
    if not _NAME.fullmatch(variant):
        raise ValueError(f"{name!r} is not the name of a cell, such as 'newsroom.k8.s13.tkre'")
    return Cell(parse_draw(draw), variant)


class Experiment(Params):
    """An entry of ``conf/base/experiments.yml``.

    Attributes:
        corpora: Names of ``corpora`` parameters.
        shots: Values of K.
        seeds: Of the draws.
        variants: Names of ``variants`` parameters.
        synthetic: Synthetic sentences per relation, as a multiple of K.
        score_on: ``test``, or ``development`` for choosing a recipe: the K-shot sets of the
            protocol's other seeds, so that no test row is read.
    """

    corpora: tuple[str, ...]
    shots: tuple[int, ...] = (8,)
    seeds: tuple[int, ...] = (13,)
    variants: tuple[str, ...]
    synthetic: int = 1
    score_on: Literal["test", "development"] = "test"

    @field_validator("corpora", "variants")
    @classmethod
    def _can_be_namespaces(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r}: names are made of letters, digits and underscores")
        return names

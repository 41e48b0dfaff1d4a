from __future__ import annotations

import pytest
from pydantic import ValidationError

from tkre.grid import Cell, Draw, Experiment, parse_cell, parse_draw


@pytest.mark.parametrize(
    ("draw", "name"),
    [(Draw("newsroom", 8, 13), "newsroom.k8.s13"),
     (Draw("semeval2010_task8", 16, 42, 4), "semeval2010_task8.k16x4.s42"),
     (Draw("a", 0, 1, 0), "a.k0x0.s1")],
)  # fmt: skip
def test_names_of_draws_and_cells_are_read_back(draw, name):
    assert draw.name == name
    assert parse_draw(name) == draw
    cell = Cell(draw, "tkre_plus")
    assert cell.name == f"{name}.tkre_plus"
    assert parse_cell(cell.name) == cell


@pytest.mark.parametrize("name", ["newsroom", "a.k8", "a.8.s13", "a.k8.s13.tkre", "a b.k8.s1", ""])
def test_names_that_are_no_draw(name):
    with pytest.raises(ValueError, match="not the name of a draw"):
        parse_draw(name)


@pytest.mark.parametrize("name", ["a.k8.s13", "a.k8.s13.x-y", "tkre"])
def test_names_that_are_no_cell(name):
    with pytest.raises(ValueError, match="is not the name of a"):
        parse_cell(name)


@pytest.mark.parametrize("field", ["corpora", "variants"])
@pytest.mark.parametrize("name", ["a.b", "a b", "a-b", "@"])
def test_names_that_cannot_be_namespaces_are_refused(field, name):
    with pytest.raises(ValidationError, match="letters, digits and underscores"):
        Experiment.model_validate({"corpora": ["a"], "variants": ["b"], field: [name]})

"""The long forms of ``python -m tests.kills``; a short one is in ``tests/e2e``."""

from __future__ import annotations

import pytest

from tests.kills import printed_by

pytestmark = pytest.mark.slow


def test_forty_kills_of_a_grid_change_nothing():
    printed = printed_by("40")
    assert "40 kills" in printed and "outputs are equal" in printed
    stages = ("data_generation", "knowledge_pretraining", "finetuning", "reporting", "in a save")
    assert all(f"'{stage}'" in printed for stage in stages), printed


def test_twelve_kills_under_a_server_cost_what_was_in_flight():
    assert "12 kills" in printed_by("--server", "12")

"""Runs that are killed end as undisturbed ones do; ``tests/slow`` kills more often."""

from __future__ import annotations

import pytest

from tests.kills import printed_by

pytestmark = pytest.mark.e2e


def test_kills_of_a_grid_change_nothing():
    printed = printed_by("3")
    assert "3 kills" in printed and "outputs are equal" in printed

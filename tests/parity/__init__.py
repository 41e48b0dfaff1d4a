"""Numbers that a change of structure must not change; ``python -m tests.parity.record`` anew."""

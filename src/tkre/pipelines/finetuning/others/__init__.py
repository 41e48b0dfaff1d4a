"""Baselines that other packages train."""

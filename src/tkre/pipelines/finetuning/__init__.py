"""Classifiers: training rows, fine-tuning, predictions."""

from tkre.pipelines.finetuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]

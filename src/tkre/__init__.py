"""Few-shot relation extraction with knowledge from a language model (TKRE, arXiv 2505.12236)."""

__version__ = "0.1.0"

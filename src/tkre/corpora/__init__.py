"""Corpora: relation schemas, readers of file formats, few-shot sampling. Never imports kedro."""

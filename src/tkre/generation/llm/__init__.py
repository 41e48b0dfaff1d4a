"""Language models: replay of recorded answers, and backends that run a model."""

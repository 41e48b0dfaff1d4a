"""Training: batches, the run of a stage, what each stage learns from. Never imports kedro."""

"""Models and losses: tensors in, tensors out. Never imports kedro."""

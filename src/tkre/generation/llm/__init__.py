"""What answers requests: a replay of recorded answers, or a language model that runs."""

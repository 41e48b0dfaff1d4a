"""What a reader outside sees of a run: the page of an experiment, the card of a classifier."""

"""What the notebooks show, worked out here, so that their cells are short and tested."""

"""How good a classifier is: metrics on label names, intervals, tables. Never imports kedro."""

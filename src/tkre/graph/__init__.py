"""The graph for people to look at: a static site of kedro-viz, and pictures of it.

Neither holds a path of the machine it was made on, nor a sentence of a corpus that was not named.
"""

"""Phantoms and scanners: clean studies from geometry and physics; the seed decides everything random.

May import the library, and nothing else of training. The text of ``bone_phantoms`` and of the files that it imports
identifies the data set of simulated bone scans (see ``training.data.bone``): any edit there makes another one.
"""

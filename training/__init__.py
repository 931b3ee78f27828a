"""Makes the weights that ship, and every number that is claimed for them: ``python -m training``.

At the root are the recipe, what is built from one, and checkpoints; every room may import them. Imports torch at file
scope; runs outside Slicer.
"""

"""Makes every weight that ships, and every number that is claimed for it: ``python -m training``.

At the root is what every room knows: the recipe, what is built from one, and a training on disk. Imports torch at file
scope; runs outside Slicer.
"""

"""Measures of image quality on NumPy arrays, one file for each kind of question; may import nothing else of MedRestore.

fidelity: how close to a reference; no_reference: how an image does alone; segmentation: how two masks agree;
resolution: how sharp a profile is; statistics: whether a difference is more than chance.
"""

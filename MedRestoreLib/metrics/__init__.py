"""Measures of image quality on NumPy arrays. This room imports nothing else of MedRestore.

fidelity: an image against its reference; no_reference: an image alone; regions: a region against its background;
segmentation: two masks; resolution: a line profile; statistics: is a difference between two methods more than chance?
"""

"""Phantoms: clean studies made by geometry and physics alone, the same for the same seed.

May import the library, and nothing else of training.
"""

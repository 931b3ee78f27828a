"""Optimisation of any network on any data: ``loop.train`` runs a recipe; the other files are its parts.

May import build, checkpoint, data, losses and recipe.
"""

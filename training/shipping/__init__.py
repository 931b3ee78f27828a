"""From a finished training to what users get: float16 weights with their row of the manifest, and the card.

``retrain`` does it for everything that ships. May import build, checkpoint, data, recipe and the tables.
"""

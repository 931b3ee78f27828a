"""From a finished training to what users get: float16 weights with their row of the manifest, and the card.

May import the tables' results, recipe and build.
"""

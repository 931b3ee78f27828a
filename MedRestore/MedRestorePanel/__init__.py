"""The panel's parts, each a class of its own; ``MedRestore.py`` puts them together."""

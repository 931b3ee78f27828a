"""Restoration methods: ``catalogue`` lists them without importing them; each other file is one method."""

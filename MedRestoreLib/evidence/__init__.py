"""Judges a result without a reference: ``gain`` estimates what it is worth, ``audit`` looks at what was removed.

May import noise and NumPy's world; knows no page, no plan and no file.
"""

"""Judges a result without a reference: ``gain`` estimates its worth, ``audit`` tests the residual, ``totals`` the sums.

May import noise and NumPy's world; knows no page, no plan and no file.
"""

"""Networks that are trained for comparison and never ship, one architecture a file.

May import MedRestoreLib.networks.
"""

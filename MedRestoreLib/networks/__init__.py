"""Network architectures, one file each: they know tensors, not studies.

May import one another, and nothing else of MedRestore.
"""

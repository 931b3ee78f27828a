"""Network architectures, one file each: they know tensors, not studies, and import nothing else of MedRestore."""

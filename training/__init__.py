"""Training: reproduces every weights file. Not part of the installed library."""

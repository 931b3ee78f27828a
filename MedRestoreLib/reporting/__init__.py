"""What people look at: the report, its HTML page, figures, films of cines, and comparisons in numbers.

May import evidence, metrics, image, errors and files; computes no restoration.
"""

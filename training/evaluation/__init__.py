"""What is measured on the test split and on real studies: methods, baselines and networks alike.

May import data, trainers and the library; ``measure`` turns names on the command line into results on disk.
"""

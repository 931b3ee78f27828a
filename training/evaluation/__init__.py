"""Measurements on the test split and on real studies, of baselines, trainings and shipped weights alike.

Each file named in MEASURES answers one question: its ``measure`` gives the numbers of one method, its ``results`` one
``Result`` per method for the tables. ``methods`` turns a name on the command line into a method, ``protocols`` says on
what methods are compared. May import data, trainers, the tables' results and the library.
"""

# --measure → "module:function", a function of the methods' names and ``protocols.HeldOut``.
MEASURES = {
    "restoration": "restoration:results",
    "lesions": "lesions:results",
    "levels": "levels:results",
    "thinning": "thinning:results",
    "frames": "frames:results",
    "enhancement": "enhancement:results",
    "resolution": "resolution:results",
    "clips": "clips:results",
    "fusion": "fusion:results",
    "naturalness": "naturalness:results",
    "recognition": "recognition:results",
    "magnitudes": "magnitudes:results",
    "structures": "structures:results",
}

"""Files to studies and back: DICOM, NRRD, NIfTI, PNG, video. ``studies`` is the door; a file is written whole or not.

May import ``image`` and ``errors``, and nothing else of the library.
"""

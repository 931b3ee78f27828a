"""A DICOM node: series come by C-STORE, are restored by the rule that fits them, and go on as derived series.

``receiver`` takes instances in, ``queue`` remembers on disk what has been acknowledged, ``server`` restores the series
that are complete, ``sender`` delivers. Nobody outside imports it but the command line.
"""

"""The one path of a study: ``plan`` says what will be done, ``restore`` does it, window by window, on a device.

May import noise, methods, weights, evidence, reporting's ``Report``, modalities, image, errors and version.
"""

"""The one path of a study: ``plan`` says what will be done, ``restore`` does it, tile by tile, on a device.

May import noise, methods, weights, evidence, reporting's ``Report``, image and errors.
"""

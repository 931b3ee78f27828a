"""What a scanner or its user drew into an ultrasound frame: calipers, dotted lines, text.

It is no tissue: how well it survives a restoration says nothing, so it is left out of every measurement.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, label

BRIGHT = 190  # of 255: drawings are white...
STROKE, RISE = 9, 100  # ... thinner than so many pixels and so much brighter than what lies under them...
STEP, SHARP = 85, 0.25  # ... and in a quarter of their pixels brighter by so much than a neighbour: echoes are blurred
COLOUR = 40  # difference of the channels from which a pixel is coloured; echoes are grey
MARGIN = 2  # pixels around a drawing that it has dimmed or brightened
SQUARE = np.ones((3, 3), bool)


def drawn(frame: np.ndarray) -> np.ndarray:
    """Where a frame, uint8 ``(rows, columns)`` or in colour ``(rows, columns, 3)``, was drawn upon: bool.

    >>> bool(drawn(np.full((20, 20), 80, np.uint8)).any())
    False
    """
    import cv2

    colours = frame[..., None] if frame.ndim == 2 else frame
    coloured = np.ptp(colours.astype(np.int16), axis=2) > COLOUR
    grey = np.ascontiguousarray(colours.max(axis=2))
    cross, window = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.ones((STROKE, STROKE), np.uint8)
    thin = (grey >= BRIGHT) & (cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, window) >= RISE)
    sharp = thin & (cv2.subtract(grey, cv2.erode(grey, cross)) >= STEP)
    return binary_dilation(_parts(thin, sharp) | coloured, SQUARE, iterations=MARGIN)


def _parts(thin: np.ndarray, sharp: np.ndarray) -> np.ndarray:
    """The connected parts of ``thin`` that are ``sharp`` in a share SHARP of their pixels."""
    parts, count = label(thin, SQUARE)
    pixels, found = (np.bincount(parts[where], minlength=count + 1) for where in (thin, sharp))
    return thin & (found >= SHARP * pixels)[parts]

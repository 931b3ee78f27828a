"""Graphics burned into an ultrasound frame by the scanner or its user: calipers, dotted lines, text.

They are no tissue, so every measurement leaves them out.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, label

BRIGHT = 190  # of 255: graphics are white...
STROKE, RISE = 9, 100  # ... thinner than STROKE pixels and RISE grey values brighter than what lies under them...
STEP, SHARP = 85, 0.25  # ... and SHARP of their pixels are STEP grey values above a neighbour: echoes are blurred
COLOUR = 40  # difference of the channels from which a pixel is coloured; echoes are grey
MARGIN = 2  # pixels around a stroke that it has dimmed or brightened
SQUARE = np.ones((3, 3), bool)


def find(frame: np.ndarray) -> np.ndarray:
    """The mask of burned-in graphics in a frame, uint8 ``(rows, columns)`` or ``(rows, columns, 3)``: bool.

    >>> bool(find(np.full((20, 20), 80, np.uint8)).any())
    False
    """
    import cv2

    colours = frame[..., None] if frame.ndim == 2 else frame
    coloured = np.ptp(colours.astype(np.int16), axis=2) > COLOUR
    grey = np.ascontiguousarray(colours.max(axis=2))
    cross, window = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.ones((STROKE, STROKE), np.uint8)
    thin = (grey >= BRIGHT) & (cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, window) >= RISE)
    sharp = thin & (cv2.subtract(grey, cv2.erode(grey, cross)) >= STEP)
    return binary_dilation(_components(thin, sharp) | coloured, SQUARE, iterations=MARGIN)


def _components(thin: np.ndarray, sharp: np.ndarray) -> np.ndarray:
    """The connected components of ``thin`` of which at least the share SHARP is ``sharp``."""
    labels, count = label(thin, SQUARE)
    pixels, found = (np.bincount(labels[where], minlength=count + 1) for where in (thin, sharp))
    return thin & (found >= SHARP * pixels)[labels]

"""Near-duplicate images: often one patient saved twice, which must not end up in two splits (test-set leakage).

Each image has a perceptual hash of 64 bits: which of its lowest cosine coefficients are above their median. Images
whose hashes differ in at most NEAR bits are linked, and linked images form a cluster. Most pairs of BUSI's images
differ in 20 to 40 bits; about a hundred differ in at most 10, hardly any in 11 to 14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIDE, COEFFICIENTS = (
    32,
    9,
)  # pixels of the thumbnail; cosine coefficients per direction, of which 64 are used
BITS = 64
NEAR = 10  # bits in which two hashes of one scene may differ


def perceptual_hash(grey: np.ndarray) -> np.ndarray:
    """64 bits as bool ``(64,)`` of an image ``(rows, columns)``; hardly changed by scale, brightness or compression."""
    import cv2

    small = cv2.resize(np.asarray(grey, np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(small)[:COEFFICIENTS, :COEFFICIENTS].ravel()[1 : 1 + BITS]
    return lowest > np.median(lowest)


def clusters(hashes: Sequence[np.ndarray]) -> np.ndarray:
    """Each image's cluster, integers ``(n,)``: connected components of the graph of near-duplicates.

    >>> one, other = np.zeros(64, bool), np.ones(64, bool)
    >>> clusters([one, other, one]).tolist()
    [0, 1, 0]
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    bits = np.array(hashes, np.float32)
    apart = bits @ (1 - bits).T
    return connected_components(csr_matrix(apart + apart.T <= NEAR), directed=False)[1]

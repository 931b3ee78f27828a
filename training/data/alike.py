"""Which images are nearly the same: the same patient's, saved twice. They must not come to lie in two splits.

Each image has a perceptual hash, 64 bits that say which of its coarsest cosine waves are stronger than their median;
images whose hashes differ in few bits belong together, and so do those that share such a neighbour. Of BUSI's pairs
of images most differ in 20 to 40 bits; some hundred differ in at most 10, hardly any in 11 to 14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIDE, WAVES = 32, 9  # pixels of the thumbnail; cosine waves in each direction, without the last ones beyond 64
BITS = 64
NEAR = 10  # bits in which two hashes of one scene may differ


def perceptual_hash(grey: np.ndarray) -> np.ndarray:
    """64 bits as bool ``(64,)`` of an image ``(rows, columns)``; hardly changed by scale, brightness or compression."""
    import cv2

    small = cv2.resize(np.asarray(grey, np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small)[:WAVES, :WAVES].ravel()[1 : 1 + BITS]
    return waves > np.median(waves)


def clusters(hashes: Sequence[np.ndarray]) -> np.ndarray:
    """The number of each image's cluster, integers ``(n,)``; images alike, over however many steps, share one.

    >>> one, other = np.zeros(64, bool), np.ones(64, bool)
    >>> clusters([one, other, one]).tolist()
    [0, 1, 0]
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    bits = np.array(hashes, np.float32)
    apart = bits @ (1 - bits).T
    return connected_components(csr_matrix(apart + apart.T <= NEAR), directed=False)[1]

"""Are lesions found after restoration? A trained segmentation network outlines them in restored views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from MedRestoreLib.metrics import segmentation

from ..recipe import RecipeError
from ..tables.results import Result, Values
from . import methods
from .baselines import Restorer
from .protocols import HeldOut

MEASURES = {name: getattr(segmentation, name) for name in ("precision", "iou", "recall", "dice")}


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method, named "method, segmenter". Raises RecipeError."""
    if test.segmenter is None:
        raise RecipeError("lesions need --segmenter, the folder of a training of seunet_lesions.")
    segmenter = methods.learned(test.segmenter)
    for name in names:
        method = methods.find(name, test.protocol)
        values = measure(method.restore, segmenter.restore, test)
        both, about = f"{method.name}, {segmenter.name}", {**method.about, **test.about()}
        yield Result("lesions", test.protocol, both, values, method.seed, about)


def measure(restore: Restorer, segment: Restorer, test: HeldOut, levels: Sequence[float] = ()) -> Values:
    """Precision, IoU, recall and Dice → level → patient → over all pixels of the patient's views.

    Patients without a lesion are left out: they have no recall.

    Args:
        segment: returns logits; positive is lesion.
        levels: the protocol's if empty.
    """
    pooled: dict[tuple[str, str], list[np.ndarray]] = {}
    for view in test.views(levels or test.rules.lesion_levels):
        segmented = segment(restore(view.noisy, view.level), view.level) > 0
        pair = np.stack([segmented.ravel(), view.lesions.ravel()])
        pooled.setdefault((f"{view.level:g}", str(view.patient)), []).append(pair)
    found: Values = {name: {} for name in MEASURES}
    for (level, id), pairs in pooled.items():
        segmented, truth = np.concatenate(pairs, axis=1)
        if truth.any():
            for name, value_of in MEASURES.items():
                found[name].setdefault(level, {})[id] = value_of(segmented, truth)
    return found

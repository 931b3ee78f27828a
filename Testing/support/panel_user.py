"""What a user of the panel does: loads a study, chooses, waits, presses Apply."""

from __future__ import annotations

import numpy as np


def add_head(name: str = "T1", seed: int = 0, slices: int = 4):
    """A small magnetic resonance volume, oblique and anisotropic, with Rician noise of 8 of about 200."""
    import slicer

    from MedRestoreLib import mrml

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    clean = np.stack([120.0 * (x**2 + y**2 < 0.7) + 80 * ((x - 0.2) ** 2 + y**2 < 0.08)] * slices)
    noisy = np.hypot(clean + 8 * rng.normal(size=clean.shape), 8 * rng.normal(size=clean.shape))
    matrix = np.array([[0.6, -0.8, 0, 10], [0.8, 0.6, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    node = slicer.util.addVolumeFromArray(noisy.astype(np.float32), matrix, name=name)
    node.CreateDefaultDisplayNodes()
    mrml.set_modality(node, "MR")
    return node


def wait(predicate, timeout=60.0):
    from Testing import host

    host.wait_until(predicate, timeout)


def parameters(panel):
    return panel.logic.getParameterNode()


def choose(panel, node, **fields):
    """Choose a volume and wait until the panel knows it; then set what is given."""
    from Testing import host

    panel.ui.inputSelector.setCurrentNode(node)
    host.process_events(0.05)
    wait(lambda: parameters(panel).method and panel.study._request is None)
    change(panel, **fields)
    wait(lambda: panel.study._request is None)


def change(panel, **fields):
    """Set parameters and let the panel hear of it."""
    from Testing import host

    for name, value in fields.items():
        setattr(parameters(panel), name, value)
    host.process_events(0.05)


def restore(panel):
    panel.ui.applyButton.click()
    wait(lambda: not panel.restoring.isRunning)
    change(panel)
    assert parameters(panel).lastOutput is not None, panel.ui.statusLabel.text
    return parameters(panel).lastOutput


def nodes(kind="vtkMRMLVolumeNode"):
    import slicer

    return [node.GetName() for node in slicer.util.getNodesByClass(kind)]


def exchanged(panel):
    """Files that passed between the panel and its worker and are still there."""
    return [path.name for path in panel.worker.exchange.folder.iterdir()]

"""A person in front of the panel: chooses in boxes, presses buttons, waits, and looks at what is on show."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import numpy as np

from Testing.support.application import Application

BINDINGS = ("SlicerParameterName", "MedRestoreParameterName")


class User:
    """Works the panel through its widgets alone; what tests ask of nodes, they ask of the scene.

    Attributes:
        application: where all this happens.
        panel: the Python half of the panel.
        ui: its widgets, by name.
        p: its parameter node: what was chosen.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self.panel = application.panel()
        self.wait_until_read()
        self._folded = {name: section.collapsed for name, section in vars(self.ui).items() if _folds(section)}

    @property
    def ui(self) -> Any:
        return self.panel.ui

    @property
    def p(self) -> Any:
        return self.panel.logic.getParameterNode()

    # Time

    def rest(self, seconds: float = 0.05) -> None:
        """Do nothing for a while; whatever is due happens."""
        self.application.process_events(seconds)

    def wait(self, predicate: Callable[[], object], timeout: float = 120.0) -> None:
        self.application.wait_until(predicate, timeout)

    def wait_until_read(self) -> None:
        """Until the panel has looked at the study and shows what was chosen."""
        self.rest()
        self.wait(lambda: self.panel.isAtRest)
        self.rest()

    # Choices

    def widget(self, field: str) -> Any:
        """The widget that shows a field of the parameter node."""
        widgets = (widget for widget in vars(self.ui).values() if hasattr(widget, "property"))
        return next(w for w in widgets if field in [w.property(binding) for binding in BINDINGS])

    def choose(self, **values: Any) -> None:
        """Choose in the panel: fields of the parameter node and what they shall be; then wait until it has settled."""
        for field, value in values.items():
            self._set(self.widget(field), value)
        self.wait_until_read()

    def open(self, node: Any, **values: Any) -> None:
        """Choose a study and wait until the panel has read it; then choose the rest."""
        self.choose(inputVolume=node)
        self.choose(**values)

    def items(self, field: str) -> list[str]:
        """What a box offers."""
        box = self.widget(field)
        return [box.itemText(index) for index in range(box.count)]

    @staticmethod
    def _set(widget: Any, value: Any) -> None:
        if hasattr(widget, "setCurrentNode"):
            widget.setCurrentNode(value)
        elif isinstance(value, enum.Enum):
            widget.setCurrentIndex(widget.findText(value.label()))
        elif hasattr(widget, "currentIndex"):
            values = [widget.itemData(index) for index in range(widget.count)]
            assert value in values, f"{widget.name} offers {values}, not {value!r}"
            widget.setCurrentIndex(values.index(value))
        elif hasattr(widget, "checkable"):
            if widget.checked != value:
                widget.click()
        elif hasattr(widget, "placeholderText"):
            widget.text = value
        else:
            widget.value = value

    # Buttons

    def press(self, name: str) -> None:
        """Click a button as soon as the panel allows it."""
        button = getattr(self.ui, name)
        self.wait(lambda: button.enabled)
        button.click()

    def apply(self) -> Any:
        """Restore; the new volume."""
        self.press("applyButton")
        self.wait(lambda: not self.panel.restoring.isRunning)
        self.rest()
        assert self.p.lastOutput is not None, self.ui.statusLabel.text
        return self.p.lastOutput

    # Afterwards

    def leave(self) -> None:
        """Show another module."""
        self.application.leave()

    def come_back(self) -> None:
        import slicer

        slicer.util.selectModule("MedRestore")

    def fold_as_before(self) -> None:
        for name, folded in self._folded.items():
            getattr(self.ui, name).collapsed = folded

    def exchanged(self) -> list[str]:
        """Files that passed between the panel and its worker and are still there."""
        return [path.name for path in self.panel.workers.first.exchange.folder.iterdir()]


def _folds(widget: Any) -> bool:
    return hasattr(widget, "collapsed")


def add_volume(
    voxels: np.ndarray, name: str = "study", matrix: np.ndarray | None = None, modality: str = "", shown: bool = True
) -> Any:
    """A scalar volume of ``(slices, rows, columns)``, or a colour volume where there is a fourth axis."""
    import slicer

    from MedRestoreLib import mrml

    kind = "vtkMRMLVectorVolumeNode" if voxels.ndim == 4 else "vtkMRMLScalarVolumeNode"
    node = slicer.util.addVolumeFromArray(voxels, matrix, name=name, nodeClassName=kind)
    node.CreateDefaultDisplayNodes()
    mrml.set_modality(node, modality)
    if shown:
        show(node)
    return node


def add_head(name: str = "T1", seed: int = 0, slices: int = 4) -> Any:
    """A small magnetic resonance volume, oblique and anisotropic, with Rician noise of 8 of about 200."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    clean = np.stack([120.0 * (x**2 + y**2 < 0.7) + 80 * ((x - 0.2) ** 2 + y**2 < 0.08)] * slices)
    noisy = np.hypot(clean + 8 * rng.normal(size=clean.shape), 8 * rng.normal(size=clean.shape))
    matrix = np.array([[0.6, -0.8, 0, 10], [0.8, 0.6, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    return add_volume(noisy.astype(np.float32), name, matrix, "MR", shown=False)


def add_cine(frames: list[np.ndarray], name: str = "cine", modality: str = "US") -> tuple[Any, Any]:
    """A sequence of volumes, its first frame on show: the volume that shows the frames, and the browser."""
    import slicer

    from MedRestoreLib import mrml

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    for number, frame in enumerate(frames):
        volume = add_volume(frame, f"{name} {number}", shown=False)
        sequence.SetDataNodeAtValue(volume, str(number))
        slicer.mrmlScene.RemoveNode(volume)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    select_frame(browser, 0)
    mrml.set_modality(browser.GetProxyNode(sequence), modality)
    return browser.GetProxyNode(sequence), browser


def select_frame(browser: Any, number: int) -> None:
    """Show a frame of a cine in the views."""
    import slicer

    browser.SetSelectedItemNumber(number)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)


def add_segment(node: Any, inside: np.ndarray, name: str = "box", segmentation: Any = None) -> tuple[Any, str]:
    """Draw a segment on a volume's grid: the segmentation and the segment's id."""
    import slicer

    if segmentation is None:
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
        segmentation.CreateDefaultDisplayNodes()
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
    segment = segmentation.GetSegmentation().AddEmptySegment("", name)
    slicer.util.updateSegmentBinaryLabelmapFromArray(inside.astype(np.uint8), segmentation, segment, node)
    return segmentation, segment


def show(node: Any) -> None:
    """Put a volume into every slice view."""
    import slicer

    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=node, fit=True)


def names(kind: str = "vtkMRMLVolumeNode") -> list[str]:
    """The nodes of the scene that people see."""
    import slicer

    return [node.GetName() for node in slicer.util.getNodesByClass(kind)]


def node_ids() -> set[str]:
    """The ids of all nodes, also of those that nobody sees, but the subject hierarchy, which Slicer makes itself."""
    import slicer

    nodes = (slicer.mrmlScene.GetNthNode(k) for k in range(slicer.mrmlScene.GetNumberOfNodes()))
    return {node.GetID() for node in nodes if not node.IsA("vtkMRMLSubjectHierarchyNode")}

"""The pictures of the README and of Slicer's Sample Data module: ``python -m Testing.screenshots``.

The panel is drawn by Qt on the stand-ins of ``Testing.host``, so its widgets look plainer than in Slicer; the slices
are drawn by Slicer's own reslicing.
"""

from __future__ import annotations

import numpy as np

from Testing import host
from Testing.host.fixtures import MODULE
from Testing.support.paths import REPOSITORY

SCREENSHOTS = REPOSITORY / "Resources" / "Screenshots"
ICONS = MODULE.parent / "Resources" / "Icons"

THUMBNAIL = (260, 280)  # as wide and high as Sample Data shows them
PANEL_WIDTH = 480
PANE = (420, 500)


def main() -> None:
    thumbnails()
    panel()


def thumbnails() -> None:
    """One picture for each sample study, its middle slice."""
    from PIL import Image

    from MedRestoreLib import samples

    for name in samples.SAMPLES:
        study = samples.make(name)
        plane = study.voxels[0, study.voxels.shape[1] // 2]
        grey = np.clip(255 * plane / np.quantile(plane, 0.997), 0, 255).astype(np.uint8)
        grey = 255 - grey if study.modality == "NM" else grey
        picture = Image.fromarray(grey)
        picture.thumbnail(THUMBNAIL)
        page = Image.new("L", THUMBNAIL, int(grey[0, 0]))
        page.paste(picture, ((THUMBNAIL[0] - picture.width) // 2, (THUMBNAIL[1] - picture.height) // 2))
        page.save(ICONS / f"{name}.png", optimize=True)


def panel() -> None:
    """The panel after a sample was restored, with both slices beside it."""
    from PIL import Image

    host.new_scene()
    module = host.load_module(MODULE)
    host.select_module(module.name)
    widget = module.widgetRepresentation().self()
    parameters = widget.logic.getParameterNode()
    parameters.inputVolume = widget.logic.sample("MedRestoreHead")[0]
    host.wait_until(lambda: widget.ui.applyButton.enabled, 120)
    widget.ui.applyButton.click()
    host.wait_until(lambda: parameters.lastOutput is not None and widget.ui.sideBySideButton.enabled, 300)
    widget.ui.sideBySideButton.click()
    host.process_events(0.5)
    views = [_slice(f"MedRestore{name}") for name in ("Before", "After")]
    picture = _panel(widget)
    height = max(picture.height, 2 * PANE[1])
    page = Image.new("RGB", (picture.width + PANE[0], height), "#efefef")
    page.paste(picture, (0, 0))
    for number, view in enumerate(views):
        page.paste(view, (picture.width, number * PANE[1]))
    page.save(SCREENSHOTS / "panel.png", optimize=True)
    host.close_scene()


def _panel(widget):
    import io

    from PIL import Image
    from PySide6 import QtCore, QtWidgets

    whole = widget.parent
    QtWidgets.QWidget.resize(whole, PANEL_WIDTH, QtWidgets.QWidget.heightForWidth(whole, PANEL_WIDTH))
    host.process_events(0.2)
    data = QtCore.QBuffer()
    data.open(QtCore.QIODevice.WriteOnly)
    QtWidgets.QWidget.grab(whole).save(data, "PNG")
    return Image.open(io.BytesIO(data.data().data())).convert("RGB")


def _slice(name):
    """What a slice view shows, as Slicer reslices and blends it."""
    import slicer
    import vtk
    from PIL import Image
    from vtk.util.numpy_support import vtk_to_numpy

    logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
    logic.GetSliceNode().SetDimensions(*PANE, 1)
    logic.FitSliceToBackground()
    logic.UpdatePipeline()
    producer = logic.GetImageDataConnection().GetProducer()
    producer.Update()
    data = vtk.vtkImageData.SafeDownCast(producer.GetOutput())
    values = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(*data.GetDimensions()[1::-1], -1)
    return Image.fromarray(np.ascontiguousarray(values[::-1, :, :3]))


if __name__ == "__main__":
    main()

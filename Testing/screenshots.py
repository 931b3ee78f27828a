"""The pictures of the README and of Slicer's Sample Data module: ``python -m Testing.screenshots``.

The dark panel is drawn by Qt on the stand-ins of ``Testing.host``, so its widgets look plainer than in Slicer.
``panel.png`` is not made here: it is Slicer's own window, side by side after restoring the sample Bone scan.
"""

from __future__ import annotations

import numpy as np

from Testing import host
from Testing.host.fixtures import MODULE
from Testing.support.paths import REPOSITORY

SCREENSHOTS = REPOSITORY / "Resources" / "Screenshots"
ICONS = MODULE.parent / "Resources" / "Icons"

LARGEST = (900, 1200)  # of a figure in the README
THUMBNAIL = (260, 280)  # as wide and high as Sample Data shows them
PANEL_WIDTH = 480


# A dark theme, as Slicer's own: background, fields, text, text of what is disabled, and what is chosen.
DARK = {"Window": "#323232", "Base": "#262626", "Text": "#f0f0f0", "Disabled": "#7d7d7d", "Highlight": "#2f7fd0"}


def main() -> None:
    studies()
    thumbnails()
    several()


def studies() -> None:
    """The README's studies before and after: two simulated ones, a real SPECT and a real breast.

    The Jaszczak phantom is of NMQC (Apache-2.0), the breast of BUSI (Al-Dhabyani et al., Data in Brief 28, 2020).
    """
    import tempfile
    from dataclasses import replace
    from pathlib import Path

    from PIL import Image

    import MedRestoreLib as mr
    from MedRestoreLib.reporting.figures import before_after
    from Testing.benchmarks.inputs import real
    from training.simulate import bone, brain

    breast = replace(mr.read(real("ultrasound", "busi", "benign", "benign_025.png")), modality="US")
    made = {
        "bone_scan": mr.add_noise(bone.whole_body(seed=0, peak_counts=120.0), "poisson", 1.0, seed=1),
        "brain_t1": mr.add_noise(brain.t1_stack(seed=0, shape=(24, 217, 181)), "rician", 9.0, seed=2),
        "spect": mr.read(real("nuclear", "quality_control", "Jaszack.dcm")),
        "ultrasound": breast,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, study in made.items():
            result = mr.restore(study)
            drawn = before_after(study, result.image, Path(folder) / f"{name}.png", report=result.report)
            picture = Image.open(drawn).convert("RGB")
            picture.thumbnail(LARGEST, Image.Resampling.LANCZOS)
            picture.save(SCREENSHOTS / f"{name}.png", optimize=True)


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


def several() -> None:
    """Several volumes, one of which cannot be restored, in a dark theme."""
    host.start()
    former = _darken()
    host.new_scene()
    module = host.load_module(MODULE)
    host.select_module(module.name)
    widget = module.widgetRepresentation().self()
    ui, add = widget.ui, widget.logic.sample
    nodes = [add(name)[0] for name in ("MedRestoreBoneScan", "MedRestoreCine")]
    _add_empty("Localizer")
    widget.logic.getParameterNode().inputVolume = nodes[0]
    host.wait_until(lambda: ui.applyButton.enabled, 120)
    ui.severalCollapsibleButton.collapsed = False
    host.process_events(0.2)
    ui.severalAllButton.click()
    host.process_events(0.2)
    ui.severalButton.click()
    host.wait_until(lambda: not widget.several.isRunning, 300)
    host.process_events(0.3)
    _panel(widget).save(SCREENSHOTS / "panel_several.png", optimize=True)
    host.close_scene()
    _give_back(former)


def _add_empty(name):
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def _darken():
    """Dark colours for all of Qt's widgets; the former ones."""
    from PySide6 import QtGui, QtWidgets

    application = QtWidgets.QApplication.instance()
    former = (QtWidgets.QApplication.style().objectName, QtGui.QPalette(QtWidgets.QApplication.palette()))
    QtWidgets.QApplication.setStyle("Fusion")
    palette, roles = QtGui.QPalette(), QtGui.QPalette.ColorRole
    fields = {roles.Base, roles.AlternateBase, roles.ToolTipBase}
    for role in (roles.Window, roles.Button, *fields):
        palette.setColor(role, QtGui.QColor(DARK["Base" if role in fields else "Window"]))
    for role in (roles.WindowText, roles.Text, roles.ButtonText, roles.ToolTipText, roles.HighlightedText):
        palette.setColor(role, QtGui.QColor(DARK["Text"]))
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, role, QtGui.QColor(DARK["Disabled"]))
    for role in (roles.Highlight, roles.Link):
        palette.setColor(role, QtGui.QColor(DARK["Highlight"]))
    application.setPalette(palette)
    return former


def _give_back(former):
    from PySide6 import QtWidgets

    QtWidgets.QApplication.setStyle(former[0])
    QtWidgets.QApplication.instance().setPalette(former[1])


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


if __name__ == "__main__":
    main()

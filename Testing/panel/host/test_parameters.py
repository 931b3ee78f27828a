"""Parameter nodes: the host's stand-in keeps these promises, and so does Slicer's own package.

The latter is tried where SLICER_SOURCE_DIR names a checkout of Slicer.
"""

import enum
import gc
import importlib.util
import os
import pathlib
import sys
import types
import weakref
from typing import Annotated

import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

from Testing import host


class Noise(enum.Enum):
    POISSON = 1
    RICIAN = 2

    def label(self):
        return self.name.title()


def slicers_own(monkeypatch) -> types.ModuleType:
    """The package ``slicer.parameterNodeWrapper`` of a checkout of Slicer, over the host."""
    folder = pathlib.Path(os.environ["SLICER_SOURCE_DIR"], "Base", "Python", "slicer", "parameterNodeWrapper")
    import ctk
    import slicer

    class Other:
        """A widget class that the package names and the host has not."""

    for module, prefixes in ((slicer, ("qMRML", "qSlicer")), (ctk, ("ctk",))):
        monkeypatch.setattr(module, "__getattr__", _otherwise(module, prefixes, Other), raising=False)
    others = types.ModuleType("qSlicerSubjectHierarchyModuleWidgetsPythonQt")
    others.__getattr__ = _otherwise(others, ("qMRML",), Other)
    monkeypatch.setitem(sys.modules, others.__name__, others)
    name = "slicer.parameterNodeWrapper"
    for known in [known for known in sys.modules if known.split(".")[:2] == name.split(".")]:
        monkeypatch.delitem(sys.modules, known)
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, package)
    monkeypatch.setattr(slicer, "parameterNodeWrapper", package)
    spec.loader.exec_module(package)
    return package


def _otherwise(module, prefixes, instead):
    def get(name):
        if name.startswith(prefixes):
            return instead
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    return get


@pytest.fixture(params=["the stand-in", *(["Slicer's own"] if "SLICER_SOURCE_DIR" in os.environ else [])])
def package(slicer_app, request, monkeypatch):
    import slicer

    return slicer.parameterNodeWrapper if request.param == "the stand-in" else slicers_own(monkeypatch)


@pytest.fixture
def wrapper_class(package):
    import slicer

    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        level: Annotated[float, package.WithinRange(0.0, 10.0)] = 2.5
        method: str = "bm3d"
        noise: Noise = Noise.RICIAN
        preview: bool

        def isStrong(self):
            return self.level > 5

    return package.parameterNodeWrapper(Parameters)


@pytest.fixture
def node(slicer_app):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "Demo")


def volume(name="volume"):
    import numpy as np
    import slicer

    return slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.float32), name=name)


def test_parameters_begin_with_their_defaults_and_are_in_the_node_at_once(wrapper_class, node):
    parameters = wrapper_class(node)
    assert parameters.volume is None
    assert (parameters.level, parameters.method) == (2.5, "bm3d")
    assert (parameters.noise, parameters.preview) == (Noise.RICIAN, False)
    assert node.GetParameter("noise") == "RICIAN"
    assert node.GetParameter("level") == "2.5"
    assert node.GetParameter("preview") == "False"
    assert not parameters.isStrong()


def test_values_are_read_back_by_another_wrapper(wrapper_class, node):
    parameters = wrapper_class(node)
    parameters.volume, parameters.level, parameters.noise = volume(), 7.5, Noise.POISSON
    parameters.preview = True
    again = wrapper_class(node)
    assert again.volume is parameters.volume
    assert (again.level, again.noise, again.preview) == (7.5, Noise.POISSON, True)
    assert again.isStrong()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("level", 10.5, ValueError),
        ("level", "7", TypeError),
        ("level", None, ValueError),
        ("noise", "RICIAN", TypeError),
        ("preview", 1, TypeError),
        ("volume", "vtkMRMLScalarVolumeNode1", TypeError),
    ],
)
def test_a_wrong_value_is_refused_and_the_former_kept(wrapper_class, node, name, value, error):
    parameters = wrapper_class(node)
    former = getattr(parameters, name)
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert getattr(parameters, name) == former


def test_a_value_that_another_wrote_is_seen(wrapper_class, node):
    parameters = wrapper_class(node)
    node.SetParameter("level", "9.5")
    wrapper_class(node).method = "adf"
    assert (parameters.level, parameters.method) == (9.5, "adf")


def test_names_that_are_no_parameters_are_refused(wrapper_class, node):
    parameters = wrapper_class(node)
    with pytest.raises(ValueError, match="nosuch"):
        parameters.setValue("nosuch", 1)
    with pytest.raises(ValueError, match="nosuch"):
        parameters.connectParametersToGui({"nosuch": None})
    with pytest.raises(AttributeError):
        parameters.nosuch  # noqa: B018


def test_the_stand_in_refuses_attributes_that_would_be_slips(node):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        level: float

    with pytest.raises(AttributeError):
        Parameters(node).levle = 1.0


def test_a_removed_node_is_no_longer_referenced(wrapper_class, node):
    import slicer

    parameters = wrapper_class(node)
    parameters.volume = volume()
    slicer.mrmlScene.RemoveNode(parameters.volume)
    assert wrapper_class(node).volume is None


def test_one_modification_tells_observers_once(wrapper_class, node):
    import slicer
    import vtk

    parameters, seen = wrapper_class(node), []
    tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: seen.append(parameters.level))
    parameters.level = 4.0
    assert seen == [4.0]
    with slicer.util.NodeModify(parameters):
        parameters.level, parameters.preview = 5.0, True
        assert seen == [4.0]
    assert seen == [4.0, 5.0]
    parameters.RemoveObserver(tag)


@pytest.mark.skipif("SLICER_SOURCE_DIR" in os.environ, reason="about the host's own observers")
def test_a_forgotten_wrapper_leaves_nothing_for_vtk_to_call(wrapper_class, node):
    import qt

    wrapper = wrapper_class(node)
    spin_box = qt.QDoubleSpinBox()
    wrapper.disconnectGui(wrapper.connectParametersToGui({"level": spin_box}))
    forgotten = weakref.ref(wrapper)
    del wrapper
    gc.collect()
    assert forgotten() is None
    node.Modified()  # once this crashed the interpreter
    assert not node.HasObserver("ModifiedEvent")


@pytest.fixture
def saved(wrapper_class, node, tmp_path):
    """A scene file with parameters in it; the scene is empty again."""
    import slicer

    parameters = wrapper_class(node)
    parameters.level, parameters.noise = 6.0, Noise.POISSON
    parameters.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "kept")
    slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
    assert slicer.mrmlScene.Commit()
    slicer.mrmlScene.Clear(False)


def only_node():
    import slicer

    (found,) = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
    return found


def test_parameters_are_saved_with_the_scene(wrapper_class, saved):
    import slicer

    assert slicer.mrmlScene.Connect()
    again = wrapper_class(only_node())
    assert (again.level, again.noise, again.volume.GetName()) == (6.0, Noise.POISSON, "kept")


def test_while_a_scene_is_imported_a_wrapper_sees_no_nodes_and_keeps_not_seeing_them(wrapper_class, saved):
    """Whoever makes a wrapper too early has to make it anew when the import has ended."""
    import slicer

    scene, early = slicer.mrmlScene, []

    def look(caller, event):
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        if nodes and not early:
            early.append(wrapper_class(nodes[0]))

    tag = scene.AddObserver(scene.NodeAddedEvent, look)
    assert scene.Connect()
    scene.RemoveObserver(tag)
    assert early[0].level == 6.0
    assert early[0].volume is None
    assert wrapper_class(only_node()).volume.GetName() == "kept"


def bound(wrapper_class, node):
    import ctk
    import qt
    import slicer

    widgets = {
        "volume": slicer.qMRMLNodeComboBox(),
        "level": ctk.ctkSliderWidget(),
        "noise": qt.QComboBox(),
        "preview": qt.QCheckBox(),
    }
    widgets["volume"].noneEnabled = True
    widgets["volume"].setMRMLScene(slicer.mrmlScene)
    for name, widget in widgets.items():
        widget.setProperty("SlicerParameterName", name)
    ui = types.SimpleNamespace(**{f"{name}Widget": widget for name, widget in widgets.items()})
    parameters = wrapper_class(node)
    parameters.connectGui(ui)
    return parameters, widgets


def test_widgets_show_and_set_parameters(wrapper_class, node):
    parameters, widgets = bound(wrapper_class, node)
    assert (widgets["level"].value, widgets["level"].maximum) == (2.5, 10.0)
    assert widgets["noise"].currentText == "Rician"
    assert widgets["volume"].nodeTypes == ("vtkMRMLScalarVolumeNode",)
    image = volume()
    widgets["volume"].setCurrentNode(image)
    widgets["level"].value, widgets["noise"].currentIndex, widgets["preview"].checked = 8.0, 0, True
    assert parameters.volume is image
    assert (parameters.level, parameters.noise, parameters.preview) == (8.0, Noise.POISSON, True)
    parameters.level, parameters.noise, parameters.volume = 1.0, Noise.RICIAN, None
    assert (widgets["level"].value, widgets["noise"].currentText) == (1.0, "Rician")
    assert widgets["volume"].currentNode() is None


def test_disconnected_widgets_leave_parameters_alone(package, wrapper_class, node):
    import qt

    parameters, spin = wrapper_class(node), qt.QDoubleSpinBox()
    tag = parameters.connectParametersToGui({"level": spin})
    spin.value = 4
    assert parameters.level == 4
    parameters.disconnectGui(tag)
    spin.value = 7
    assert parameters.level == 4
    parameters.level = 5
    assert spin.value == 7


def test_a_widget_that_cannot_show_a_type_is_refused(wrapper_class, node):
    import qt

    with pytest.raises(RuntimeError):
        wrapper_class(node).connectParametersToGui({"level": qt.QComboBox()})
    with pytest.raises(RuntimeError):
        wrapper_class(node).connectParametersToGui({"noise": qt.QLabel()})


def test_a_connector_of_ones_own_may_take_any_widget(package, wrapper_class, node):
    import qt

    class ButtonText(package.GuiConnector):
        @staticmethod
        def canRepresent(widget, datatype):
            return type(widget) is qt.QPushButton

        @staticmethod
        def create(widget, datatype):
            return ButtonText(widget)

        def __init__(self, widget):
            super().__init__()
            self._widget = widget

        def _connect(self):
            self._widget.clicked.connect(self.changed)

        def _disconnect(self):
            assert self._widget.clicked.disconnect(self.changed)
            self._widget.enabled = False

        def widget(self):
            return self._widget

        def read(self):
            return "adf" if self._widget.text == "bm3d" else "bm3d"

        def write(self, value):
            self._widget.text = value

    parameters, button = wrapper_class(node), qt.QPushButton()
    tag = parameters.connectParametersToGui({"method": ButtonText(button)})
    assert button.text == "bm3d"
    button.click()
    assert (parameters.method, button.text) == ("adf", "adf")
    parameters.disconnectGui(tag)
    assert not button.enabled
    assert parameters.method == "adf"
    assert not host.errors

"""The host is as strict as the application that it stands in for: what PythonQt refuses, it refuses."""

import sys

import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

from Testing import host

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Demo</class>
 <widget class="qMRMLWidget" name="Demo"><layout class="QVBoxLayout">
  <item><widget class="qMRMLNodeComboBox" name="inputSelector">
   <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
   <property name="noneEnabled"><bool>true</bool></property>
   <property name="SlicerParameterName" stdset="0"><string>inputVolume</string></property>
  </widget></item>
  <item><widget class="%s" name="strengthSlider">
   <property name="%s"><double>2.0</double></property>
  </widget></item>
 </layout></widget>
 <connections><connection>
  <sender>Demo</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
  <receiver>inputSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
 </connection></connections>
</ui>"""


@pytest.fixture
def qt(slicer_app):
    return sys.modules["qt"]


@pytest.fixture
def ctk(slicer_app):
    return sys.modules["ctk"]


def volume(name="volume", shape=(3, 4, 5)):
    import numpy as np
    import slicer

    return slicer.util.addVolumeFromArray(np.zeros(shape, np.float32), name=name)


def test_properties_are_attributes_with_setters_beside_them(qt):
    button = qt.QPushButton("Apply")
    button.text, button.enabled, button.toolTip, button.name = "Cancel", False, "Stop", "cancelButton"
    assert (button.text, button.enabled, button.toolTip) == ("Cancel", False, "Stop")
    assert button.objectName == "cancelButton"
    button.setText("Apply")
    button.setEnabled(True)
    assert button.text == "Apply"
    assert button.isEnabled()
    edit = qt.QTextEdit()
    edit.plainText = "note"
    assert edit.toPlainText() == "note"


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("qt.QPushButton().nosuch", AttributeError),
        ("qt.QPushButton().nosuch.connect(print)", AttributeError),
        ("qt.QPushButton().nosuch = 1", AttributeError),
        ("qt.QPushButton().text()", TypeError),
        ("qt.QPushButton().text = 5", AttributeError),
        ("qt.QPushButton().click = print", AttributeError),
        ("qt.QPushButton().clicked = print", AttributeError),
        ("qt.QLabel().text = None", AttributeError),
        ("qt.QComboBox().count = 2", AttributeError),
        ("qt.QTimer().singleShot = True", AttributeError),
        ("qt.QCheckBox().checkStateChanged", AttributeError),
        ("qt.Signal", AttributeError),
        ("qt.QT_VERSION_STR", AttributeError),
        ("ctk.ctkNoSuchWidget", AttributeError),
        ("ctk.ctkSliderWidget().setMinimum(0)", AttributeError),
        ("ctk.ctkSliderWidget().range", AttributeError),
        ("ctk.ctkCollapsibleButton().setCollapsed(True)", AttributeError),
        ("slicer.qMRMLNodeComboBox().currentIndex", AttributeError),
        ("slicer.qMRMLNodeComboBox().setNodeTypes([])", AttributeError),
        ("slicer.qMRMLNodeComboBox().currentNode().GetID()", AttributeError),
        ("slicer.qMRMLNodeComboBox().setCurrentNode('id')", TypeError),
        ("slicer.qMRMLNoSuchWidget", AttributeError),
        ("slicer.app.nosuch", AttributeError),
        ("slicer.modules.comparevolumes", AttributeError),
        ("slicer.dicomDatabase", AttributeError),
    ],
)
def test_what_slicer_refuses_fails(qt, ctk, statement, refusal):
    import slicer

    with pytest.raises(refusal):
        exec(statement, {"qt": qt, "ctk": ctk, "slicer": slicer})


def test_an_unknown_signal_raises_by_name_and_only_warns_by_signature(qt, capfd):
    button = qt.QPushButton()
    assert not button.connect("nosuch()", print)
    assert "nosuch()" in capfd.readouterr().err
    with pytest.raises(AttributeError):
        button.nosuch.connect(print)


def test_connected_functions_get_as_many_arguments_as_they_take(qt):
    got = []
    button = qt.QPushButton()
    button.clicked.connect(lambda: got.append("none"))
    button.clicked.connect(lambda checked: got.append(checked))
    button.clicked.connect(lambda checked=True, more="kept": got.append((checked, more)))
    button.connect("clicked(bool)", lambda checked: got.append(("by signature", checked)))
    button.connect("clicked()", lambda *arguments: got.append(arguments))
    button.click()
    assert got == ["none", False, (False, "kept"), ("by signature", False), ()]


def test_disconnecting_takes_one_connection_or_all_of_a_signal(qt):
    got = []
    button = qt.QPushButton()
    button.clicked.connect(got.append)
    button.clicked.connect(got.append)
    button.clicked.disconnect(got.append)
    button.click()
    assert got == [False]
    button.disconnect("clicked(bool)")
    button.click()
    assert got == [False]


def test_an_exception_in_a_slot_is_kept_for_the_test_and_does_not_reach_the_sender(qt, capfd):
    button = qt.QPushButton()
    button.clicked.connect(lambda: 1 / 0)
    button.click()
    assert "ZeroDivisionError" in host.errors[-1]
    assert "ZeroDivisionError" in capfd.readouterr().err
    host.errors.clear()


def test_classes_derived_in_python_may_have_attributes_of_their_own(qt):
    class Panel(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.choice = 3

    assert Panel().choice == 3


def test_enums_are_numbers_and_lists_of_texts_are_tuples(qt, ctk):
    import slicer

    assert qt.QMessageBox.Yes == 16384
    assert isinstance(qt.Qt.WaitCursor, int)
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)


def test_a_process_speaks_bytes_and_says_its_exit_code(qt):
    ended, written = [], []
    process = qt.QProcess()
    process.readyReadStandardOutput.connect(lambda: written.append(process.readAllStandardOutput().data()))
    process.finished.connect(lambda *arguments: ended.append(arguments))
    process.start(sys.executable, ["-c", "import sys; print(sys.stdin.read()); sys.exit(3)"])
    assert process.waitForStarted(5000)
    assert process.state() == 2
    assert process.processId() > 0
    process.write("text ")
    process.write(b"and bytes")
    process.closeWriteChannel()
    host.wait_until(lambda: ended)
    assert ended == [(3,)]
    assert b"".join(written).strip() == b"text and bytes"
    assert process.state() == qt.QProcess.NotRunning


def load_ui(tmp_path, widget_class="ctkSliderWidget", number="maximum"):
    import slicer

    path = tmp_path / "Demo.ui"
    path.write_text(UI % (widget_class, number), encoding="utf-8")
    return slicer.util.loadUI(str(path))


def test_a_ui_file_gives_named_widgets_and_passes_the_scene_on(slicer_app, tmp_path):
    import slicer

    widget = load_ui(tmp_path)
    ui = slicer.util.childWidgetVariables(widget)
    assert ui.strengthSlider.maximum == 2.0
    assert ui.inputSelector.property("SlicerParameterName") == "inputVolume"
    assert not ui.inputSelector.enabled
    widget.setMRMLScene(slicer.mrmlScene)
    assert ui.inputSelector.enabled
    assert ui.inputSelector.mrmlScene() is slicer.mrmlScene
    with pytest.raises(AttributeError):
        widget.nosuch = 1


def test_a_ui_file_with_a_class_or_property_that_slicer_lacks_is_refused(slicer_app, tmp_path):
    with pytest.raises(RuntimeError, match="ctkFancySlider"):
        load_ui(tmp_path, widget_class="ctkFancySlider")
    with pytest.raises(RuntimeError, match="nosuch"):
        load_ui(tmp_path, number="nosuch")


def test_dialogs_answer_as_told_and_never_wait(qt):
    import slicer

    slicer.util.errorDisplay("No volume is chosen.")
    assert host.messages.shown[-1].kind == "error"
    assert host.messages.shown[-1].text == "No volume is chosen."
    host.answer("No", "Yes", "/tmp/out.nrrd")
    assert not slicer.util.confirmYesNoDisplay("Overwrite?")
    assert qt.QMessageBox.question(None, "Title", "Sure?") == qt.QMessageBox.Yes
    assert qt.QFileDialog.getSaveFileName(None, "Save") == "/tmp/out.nrrd"
    with pytest.raises(AssertionError, match="Delete"):
        slicer.util.confirmOkCancelDisplay("Delete?")


def test_stand_ins_offer_nothing_beyond_properties_signals_and_slots(slicer_app):
    """PythonQt sees only these of CTK's and Slicer's classes, so a plain public method would be a lie."""
    from PySide6 import QtCore

    from Testing.host import application, ctk, layout, loader, mrml_widgets, subject_hierarchy

    declared = QtCore.Property, QtCore.Signal, staticmethod, int  # a number is a value of a declared enum
    for part in (application, ctk, layout, loader, mrml_widgets, subject_hierarchy):
        kinds = [kind for kind in vars(part).values() if isinstance(kind, type) and issubclass(kind, QtCore.QObject)]
        for kind in (kind for kind in kinds if kind.__module__ == part.__name__):
            for name, thing in vars(kind).items():
                if name.startswith("_") or isinstance(thing, declared) or hasattr(thing, "_slots"):
                    continue
                overridden = (hasattr(base, name) for base in kind.__mro__ if base.__module__.startswith("PySide6"))
                assert any(overridden) or name == "staticMetaObject", f"{kind.__name__}.{name}"

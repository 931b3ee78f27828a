"""The sample studies: offered by Slicer's Sample Data module, and on show once they are loaded."""

from __future__ import annotations

import pytest

from Testing.support.compare_user import panes

SAMPLES = ["Bone scan", "T1 head", "Cine"]


def test_the_samples_stand_in_sample_data(module):
    import slicer

    sources = slicer.modules.sampleDataSources["MedRestore"]
    assert [source.sampleName for source in sources] == SAMPLES


@pytest.mark.parametrize("title", SAMPLES)
def test_a_loaded_sample_is_on_show(module, title):
    import slicer

    from MedRestorePanel.slices import sliceLogics, sliceOnShow
    from Testing import host

    (node,) = host.load_sample("MedRestore", title)
    assert {background for _, background, _ in panes()} == {node.GetName()}
    assert any(sliceOnShow(logic, node) is not None for logic in sliceLogics())
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    size = max(bounds[axis + 1] - bounds[axis] for axis in (0, 2, 4))
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    assert max(red.GetFieldOfView()[:2]) < 3 * size, "it fills the view"


def test_from_the_console_they_are_asked_for_by_the_logic(module):
    import slicer

    (node,) = slicer.util.getModuleLogic("MedRestore").sample("MedRestoreHead")
    assert {background for _, background, _ in panes()} == {node.GetName()}

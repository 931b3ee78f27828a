"""The module's logic: what the Python console, scripts and other modules call."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from . import settings
from .parameters import MedRestoreParameterNode

if TYPE_CHECKING:
    from MedRestoreLib import Plan
    from MedRestoreLib.mrml import Outcome
    from MedRestoreLib.pipeline.restore import Progress
    from MedRestoreLib.service.batch import Row


class MedRestoreLogic(ScriptedLoadableModuleLogic):
    """Restores volumes in this process and waits: for the Python console, scripts and other modules.

    Example::

        logic = slicer.util.getModuleLogic("MedRestore")
        restored = logic.restore(volumeNode)  # recommended method and level
        restored = logic.restore(volumeNode, method="bm3d", level=12.0)

    ``edits`` are the fields of ``MedRestoreLib.Plan``: method, noise, level, strength, dimensions, together, adapt,
    factor, device, precision, memory_gb, options. Every method raises ``MedRestoreLib.MedRestoreError`` with a sentence
    that says what to do; the scene is then as it was.
    """

    def getParameterNode(self) -> MedRestoreParameterNode:
        """The panel's choices; a new scene begins with what the settings say."""
        node = super().getParameterNode()
        isNew = node.GetParameterCount() == 0
        parameterNode = MedRestoreParameterNode(node)
        if isNew:
            settings.apply(parameterNode)
        return parameterNode

    def recommend(self, volumeNode: slicer.vtkMRMLVolumeNode, **edits: Any) -> Plan:
        """The ``MedRestoreLib.Plan`` for this volume: method, noise model, level, and why. Nothing is changed."""
        import MedRestoreLib as mr
        from MedRestoreLib import mrml

        return mr.recommend(mrml.image_of(volumeNode), **edits)

    def restore(
        self,
        volumeNode: slicer.vtkMRMLVolumeNode,
        *,
        outputVolume: slicer.vtkMRMLVolumeNode | None = None,
        mask: tuple[slicer.vtkMRMLSegmentationNode, str] | None = None,
        keepRemoved: bool = False,
        trust: bool = False,
        progress: Progress | None = None,
        **edits: Any,
    ) -> slicer.vtkMRMLVolumeNode:
        """Restore a volume; the new node appears beside it.

        Args:
            volumeNode: scalar or colour volume. Of a sequence, the frame on show (see ``restoreSequence``).
            outputVolume: volume to replace; None makes a new one.
            mask: ``(segmentationNode, segmentID)``: restore inside it only.
            keepRemoved: also add what was removed as a volume.
            trust: also add the map of trust (``mrml.trust_of``); it takes three times as long again.
            progress: called with a fraction (0 to 1) and a message; may raise ``MedRestoreLib.Cancelled``.

        Returns:
            The restored volume node. Its attribute "MedRestore.report" is the whole report as JSON.
        """
        from MedRestoreLib import mrml

        self._ensureTorch()
        return mrml.restore(
            volumeNode,
            output=outputVolume,
            mask=mask,
            keep_removed=keepRemoved,
            trust=trust,
            progress=progress,
            **edits,
        )

    def restoreStudy(
        self,
        volumeNode: slicer.vtkMRMLVolumeNode,
        *,
        keepRemoved: bool = False,
        progress: Progress | None = None,
        **edits: Any,
    ) -> list[Outcome]:
        """Restore every volume of the study (subject hierarchy) that ``volumeNode`` is of; a cine in all its frames.

        Returns:
            One outcome per volume: ``volume``, ``restored`` (None where it failed), ``message`` (why it failed).
        """
        from MedRestoreLib import mrml

        self._ensureTorch()
        return mrml.restore_study(volumeNode, keep_removed=keepRemoved, progress=progress, **edits)

    def restoreSequence(
        self, node: slicer.vtkMRMLNode, *, keepRemoved: bool = False, progress: Progress | None = None, **edits: Any
    ) -> slicer.vtkMRMLVolumeNode:
        """Restore all frames of a sequence, given by itself or by the volume that shows it.

        Returns:
            The volume that shows the restored sequence, in the same browser, synchronised with the original.
        """
        from MedRestoreLib import mrml

        self._ensureTorch()
        return mrml.restore(mrml.whole_study(node), keep_removed=keepRemoved, progress=progress, **edits)

    def batch(self, folder: str, outputFolder: str, *, progress: Progress | None = None, **edits: Any) -> list[Row]:
        """Restore every study below ``folder`` into ``outputFolder``; stopped at any moment, it can be started again.

        Returns:
            One row per study: study, status ("restored", "already done", "failed"), method, gain, message.
        """
        import MedRestoreLib as mr

        self._ensureTorch()
        return mr.batch(folder, outputFolder, progress=progress, **edits)

    def sample(self, name: str) -> list[slicer.vtkMRMLVolumeNode]:
        """Add one of the sample studies (keys of ``samples.SAMPLES``) and show it; returns its node in a list."""
        from MedRestoreLib import mrml

        from .slices import showVolume

        node = mrml.sample(name)
        showVolume(node)
        return [node]

    def _ensureTorch(self) -> None:
        """Offer to install PyTorch where a person can answer; elsewhere its absence is an error with the steps."""
        if importlib.util.find_spec("torch") is None and slicer.util.mainWindow() is not None:
            from .setup import ensureTorch

            ensureTorch()

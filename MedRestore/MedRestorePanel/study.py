"""The Input and Method sections: what the study is, the noise found in it, and what is recommended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from . import choices
from .level import LevelConnector
from .parameters import MOST_MEMORY, computing, frameCount
from .words import explained, ofLibrary

if TYPE_CHECKING:
    from MedRestoreLib import MedRestoreError
    from MedRestoreLib.methods.row import Method
    from MedRestoreLib.presets import Preset

    from .parameters import MedRestoreParameterNode
    from .workers import Workers

SURE = 0.5  # estimates below this confidence are shown as unsure


class StudySection(VTKObservationMixin):
    """Recognises the chosen study in the worker and keeps method, noise and level consistent.

    A choice that a person made stays until another study or modality is chosen: a recommendation fills what is open.
    Where no noise level can be read off the study, a usual one is filled in to start from, and said to be that.

    Args:
        ui: the panel's widgets.
        workers: read, preview and restore.
        onChosen: called with a volume that was chosen as the input.

    Attributes:
        connectors: of the parameter node's fields that Slicer's own connectors do not serve.
        recommended: what the worker recommended for the study on show, {} before that.
        filledLevel: the level that was found, or a usual one where none was.
    """

    def __init__(self, ui: Any, workers: Workers, *, onChosen: Callable[[slicer.vtkMRMLVolumeNode], None]) -> None:
        VTKObservationMixin.__init__(self)
        self.ui = ui
        self.workers = workers
        self.onChosen = onChosen
        self.recommended = {}
        self.connectors = {
            "modality": choices.ChoiceConnector(ui.modalityComboBox, choices.modalities()),
            "method": choices.ChoiceConnector(ui.methodComboBox),
            "noise": choices.ChoiceConnector(ui.noiseComboBox),
            "level": LevelConnector(ui.levelSlider),
            "dimensions": choices.ChoiceConnector(ui.dimensionsComboBox),
            "together": choices.ChoiceConnector(ui.togetherComboBox),
            "factor": choices.ChoiceConnector(ui.factorComboBox),
            "device": choices.ChoiceConnector(ui.deviceComboBox, choices.devices()),
            "precision": choices.ChoiceConnector(ui.precisionComboBox, choices.precisions()),
            "maskSegment": choices.ChoiceConnector(ui.maskSegmentComboBox),
        }
        self._parameterNode = None
        self._request = None
        self._message = ""
        self.filledLevel = 0.0
        self._usualLevel = 0.0  # what was filled in because no level could be read; 0 where one could
        self._seen = {}
        ui.estimateButton.clicked.connect(self.onEstimate)
        ui.whyButton.toggled.connect(self.onWhy)

    @property
    def isReading(self) -> bool:
        """Whether the worker is still looking at the study."""
        return self._request is not None

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self._forget()
        self._parameterNode = parameterNode
        self.workers.forget()

    def cleanup(self) -> None:
        self._forget()
        self.removeObservers()

    def update(self) -> None:
        """React to what changed since the last time: another study, modality, noise model or method."""
        p = self._parameterNode
        if p is None:
            return
        node = p.inputVolume
        study = (node.GetID() if node is not None else None, p.wholeSequence)
        isFirst = not self._seen
        changed = self._note(study=study, modality=p.modality, noise=p.noise, method=p.method)
        if isFirst and node is not None and p.method:
            self._recognise(noise=p.noise)  # of a scene that was loaded: what was chosen there stays
        elif "study" in changed:
            self._newStudy(node)
        elif "modality" in changed:
            self._newModality(node)
        elif "method" in changed:
            self._newMethod()
        elif "noise" in changed:
            self._newNoise()
        self._updateMask()
        self._updateTexts()

    def study(self) -> slicer.vtkMRMLNode | None:
        """The node that is restored: the volume, or the sequence that it shows; None where no volume is chosen."""
        from MedRestoreLib import mrml

        p = self._parameterNode
        node = None if p is None else p.inputVolume
        return node if node is None or not p.wholeSequence else mrml.whole_study(node)

    def missing(self) -> str:
        """What has to be chosen before anything can be restored, as a sentence; "" when nothing is missing."""
        p = self._parameterNode
        if p is None or p.inputVolume is None:
            return _("Select a volume.")
        if not p.method or not p.noise:
            return self._message or _("Reading the study...")
        if p.level <= 0 and not self._isBlind():
            return _("Set the noise level: none could be read off this study.")
        if p.maskSegmentation is not None and not p.maskSegment:
            return _("Choose the segment to restore inside, or the whole study.")
        return self._wrongOptions()

    def hint(self) -> str:
        """What a person should know before restoring, as sentences; "" where there is nothing to say."""
        p, hints = self._parameterNode, []
        if p is None or p.inputVolume is None:
            return ""
        if self.enlarges():
            hints.append(_("Enlarged is not measured: what is finer than the study's pixels was not seen."))
        if not p.modality:
            hints.append(_("Modality is not known: choose it to get the method and the noise made for it."))
        if self._usualLevel and p.level == self._usualLevel and not self._isBlind():
            start = _(
                "No noise level could be read off this study. {level} is a usual one to start from: judge it with the "
                "preview."
            )
            hints.append(start.format(level=f"{p.level:.3g}"))
        return " ".join(hints)

    def edits(self) -> dict[str, Any]:
        """The plan's fields as the panel has them, for the worker; without the mask.

        Raises:
            MedRestoreError: the options are not written as options are.
        """
        p = self._parameterNode
        edits = {"method": p.method, "noise": p.noise, **computing(p)}
        if p.level > 0:  # else the method finds it by itself
            edits["level"] = p.level
        if p.dimensions != "auto":
            edits["dimensions"] = int(p.dimensions)
        if p.together != "auto" and self._framesChoices():
            edits["together"] = p.together == "together"
        if p.adapt and self.canAdapt():
            edits["adapt"] = True
        if self.enlarges():
            edits["factor"] = self._factor()
        if p.options.strip():
            from MedRestoreLib import presets

            edits["options"] = presets.options_from_text(p.options)
        return edits

    def take(self, preset: Preset) -> None:
        """Choose what a preset decides; the method and the noise that it leaves open, and the level, are found anew."""
        from MedRestoreLib import presets

        edits = preset.edits()
        method, noise = edits.get("method", ""), edits.get("noise", "")
        self._set(
            method=method,
            noise=noise,
            level=float(edits.get("level", 0.0)),
            strength=float(preset.strength),
            dimensions=str(preset.dimensions),
            together="auto",
            adapt=False,
            factor=str(preset.factor) if preset.factor != 1 else "",
            options=presets.options_to_text(preset.options),
            device=preset.device,
            precision=preset.precision,
            memory=min(float(edits.get("memory_gb", 0.0)), MOST_MEMORY),
        )
        self._recognise(noise=noise, factor=edits.get("factor"))

    def _framesChoices(self) -> list[choices.Choice]:
        """Whether frames help each other; none where the study is no series, or the method cannot."""
        frames = frameCount(self._parameterNode) if self._parameterNode.wholeSequence else 1
        return choices.frames(self._parameterNode.method, frames)

    def canAdapt(self) -> bool:
        """Whether the method is a network that can learn on the study."""
        from MedRestoreLib.noise import model
        from MedRestoreLib.pipeline import adaptation

        method, noise = self._method(), self._parameterNode.noise
        return method is not None and bool(noise) and adaptation.can_adapt(method, model(noise))

    def enlarges(self) -> bool:
        """Whether the method makes the study larger."""
        method = self._method()
        return method is not None and bool(method.factors)

    def _factor(self) -> int:
        """How many times larger: as chosen, or the least that the method can."""
        factor, able = self._parameterNode.factor, self._method().factors
        return int(factor) if factor in map(str, able) else able[0]

    def isInVolume(self) -> bool:
        """Whether the method will work in three dimensions."""
        method, dimensions = self._method(), self._parameterNode.dimensions
        return method is not None and (dimensions == "3" or (dimensions == "auto" and method.dimensions[0] == 3))

    def lookedAtBy(self) -> str:
        """The title of the method that gives the first look: the chosen one, or its stand-in."""
        from MedRestoreLib.methods import catalogue

        method = self._method()
        return catalogue.find(method.look).title if method.look else method.title

    def onEstimate(self) -> None:
        """Read the level off the study again, for the noise model that is chosen."""
        self._newNoise()

    def onWhy(self, asked: bool) -> None:
        """Unfold the reasons, or fold them away."""
        self.ui.whyLabel.visible = asked

    def _wrongOptions(self) -> str:
        from MedRestoreLib import MedRestoreError, presets

        try:
            presets.options_from_text(self._parameterNode.options)
        except MedRestoreError as error:
            return explained(error)
        return ""

    def _note(self, **values: Any) -> set[str]:
        """Remember the values; the names of those that are not what they were."""
        changed = {name for name, value in values.items() if self._seen.get(name) != value}
        self._seen = values
        return changed

    def _forget(self) -> None:
        if self._request is not None:
            self.workers.cancel(self._request)
        self._request = None
        self._seen = {}
        self.recommended = {}
        self._message = ""
        self._usualLevel = 0.0

    def _newStudy(self, node: slicer.vtkMRMLVolumeNode | None) -> None:
        seen = self._seen
        self._forget()
        self._seen = seen
        if node is None:
            return
        from MedRestoreLib import mrml

        self.onChosen(node)
        fields = {"method": "", "noise": "", "level": 0.0, "dimensions": "auto", "together": "auto", "factor": ""}
        self._set(modality=mrml.modality_of(node), adapt=False, options="", **fields)
        self._recognise()

    def _newModality(self, node: slicer.vtkMRMLVolumeNode) -> None:
        from MedRestoreLib import mrml

        mrml.set_modality(node, self._parameterNode.modality)
        self._set(method="", noise="", level=0.0)
        self._recognise()

    def _newMethod(self) -> None:
        """Another method was chosen: what was chosen for the former one is open again."""
        if self._method() is not None:
            self._set(dimensions="auto", factor=str(self._factor()) if self.enlarges() else "", options="")
            self._fitNoise()
            self._fillLevel()

    def _fitNoise(self) -> None:
        """Take a noise model that the method handles. Without one the study is still being read."""
        method, noise = self._method(), self._parameterNode.noise
        if method is not None and noise and noise not in method.noises:
            self._set(noise=method.noises[0])
            self._newNoise()

    def _newNoise(self) -> None:
        """Another noise model was chosen: its level is another quantity and has to be found anew."""
        self._set(level=0.0)
        self._recognise(noise=self._parameterNode.noise)

    def _recognise(self, **edits: Any) -> None:
        from MedRestoreLib import MedRestoreError

        if self._request is not None:
            self.workers.cancel(self._request)
            self._request = None
        if self.study() is None:
            return
        self._message = _("Reading the study...")
        try:
            self._request = self.workers.request(
                "recognise",
                self.study(),
                {name: value for name, value in edits.items() if value},
                onDone=self._recognised,
                onError=self._notRecognised,
            )
        except MedRestoreError as error:
            self._notRecognised(error)

    def _recognised(self, reply: dict[str, Any]) -> None:
        self._request = None
        self._message = ""
        self.recommended = reply
        p = self._parameterNode
        self._set(method=p.method or reply["method"], noise=p.noise or reply["noise"])
        self.connectors["level"].setRange(reply["noise"], max(reply["start"], p.level))
        self._fillLevel()
        if self.enlarges() and not p.factor:
            self._set(factor=str(self._factor()))
        self._fitNoise()  # a person may have chosen the method meanwhile
        self._updateTexts()

    def _notRecognised(self, error: MedRestoreError) -> None:
        self._request = None
        self._message = explained(error)
        self._updateTexts()

    def _set(self, **values: Any) -> None:
        """Set fields by program: ``update`` takes them as seen."""
        p = self._parameterNode
        self._seen.update({name: value for name, value in values.items() if name in self._seen})
        with slicer.util.NodeModify(p):
            for name, value in values.items():
                setattr(p, name, value)

    def _method(self) -> Method | None:
        """The catalogue's row of the chosen method; None before one is chosen."""
        from MedRestoreLib.methods import catalogue

        return next((row for row in catalogue.METHODS if row.id == self._parameterNode.method), None)

    def _isBlind(self) -> bool:
        method = self._method()
        return method is not None and method.blind

    def _fillLevel(self) -> None:
        """Set the level that was read off the study; where none could be, a usual one if the method needs one."""
        p, found = self._parameterNode, self.recommended
        if found.get("noise") != p.noise:
            return
        self.filledLevel = found["level"] or (0.0 if self._findsLevel() else found["start"])
        if not p.level:
            self._usualLevel = 0.0 if found["level"] else self.filledLevel
            self._set(level=self.filledLevel)

    def _findsLevel(self) -> bool:
        """Whether the method goes without a level that could not be read. It cannot where no noise was found at all."""
        estimate = self.recommended.get("estimate")
        return self._isBlind() and estimate is not None and estimate["level"] is None

    def _updateMask(self) -> None:
        segmentation = self._parameterNode.maskSegmentation
        self.connectors["maskSegment"].setChoices(choices.segments(segmentation))
        self.ui.maskSegmentComboBox.enabled = segmentation is not None

    def _updateTexts(self) -> None:
        p, ui = self._parameterNode, self.ui
        if p is None:
            return
        hasStudy = p.inputVolume is not None
        found = self.recommended
        self.connectors["method"].setChoices(choices.methods(p.modality, p.noise, found.get("method", "")))
        self.connectors["noise"].setChoices(choices.noises(p.method))
        self.connectors["dimensions"].setChoices(choices.dimensions(p.method))
        self.connectors["factor"].setChoices(choices.factors(p.method))
        ui.factorNameLabel.visible = ui.factorComboBox.visible = self.enlarges()
        self.connectors["together"].setChoices(self._framesChoices() if hasStudy else [])
        ui.togetherLabel.visible = ui.togetherComboBox.visible = hasStudy and bool(self._framesChoices())
        ui.adaptCheckBox.visible = hasStudy and self.canAdapt()
        ui.recognisedLabel.text = self._message or (self._described() if hasStudy else "")
        ui.levelLabel.text = self._levelText()
        ui.whyLabel.text = self._reasons()
        ui.whyButton.enabled = bool(ui.whyLabel.text)
        ui.estimateButton.enabled = hasStudy and bool(p.noise) and not self.isReading
        for widget in (ui.methodComboBox, ui.noiseComboBox, ui.levelSlider, ui.modalityComboBox):
            widget.enabled = hasStudy
        frames = frameCount(self._parameterNode) if hasStudy else 1
        ui.wholeSequenceCheckBox.visible = frames > 1
        ui.wholeSequenceCheckBox.text = _("Restore all {frames} frames of the sequence").format(frames=frames)

    def _described(self) -> str:
        """Size and spacing."""
        node = self._parameterNode.inputVolume
        if node.GetImageData() is None:
            return _("The volume holds no voxels.")
        size = " × ".join(str(side) for side in node.GetImageData().GetDimensions())
        spacing = " × ".join(f"{side:.3g}" for side in node.GetSpacing())
        return _("{size} voxels of {spacing} mm").format(size=size, spacing=spacing)

    def _levelText(self) -> str:
        """The level's unit, what was found, and how sure that is; or that nobody needs it."""
        p, estimate = self._parameterNode, self._estimate()
        if not p.noise:
            return ""
        from MedRestoreLib import noise

        if self.enlarges():
            return _("Enlarging looks at no noise.")
        if self._isBlind():
            return _("{method} finds the noise by itself.").format(method=ofLibrary(self._method().title))
        unit = ofLibrary(noise.model(p.noise).unit)
        if estimate is None or not estimate["level"]:
            return _("In {unit}.").format(unit=unit)
        sure = _("sure") if estimate["confidence"] >= SURE else _("unsure, look closely")
        return _("In {unit}. Found: {level}, {sure}.").format(unit=unit, level=f"{estimate['level']:.3g}", sure=sure)

    def _reasons(self) -> str:
        """Why this noise model, method and level, and whose method it is; for those who ask."""
        estimate, method = self._estimate(), self._method()
        reasons = [self.recommended.get("reason", "")]
        if estimate is not None:
            found = _("Level: {reason} Confidence {percent} %.")
            percent = round(100 * estimate["confidence"])
            reasons.append(found.format(reason=estimate["reason"], percent=percent))
        if method is not None:
            reasons.append(f"{ofLibrary(method.title)}: {ofLibrary(method.summary)} {method.citation}.")
            if self._isBlind() and not self.enlarges():
                reasons.append(_("The level serves the evidence alone."))
        return "\n".join(filter(None, reasons))

    def _estimate(self) -> dict[str, Any] | None:
        """What was read off the study about the noise model that is chosen."""
        found = self.recommended
        return found.get("estimate") if found.get("noise") == self._parameterNode.noise else None

"""The Input and Method sections: what the study is, the noise found in it, and what is recommended."""

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from . import choices
from .level import LevelConnector

SURE = 0.5  # estimates below this confidence are shown as unsure


class StudySection(VTKObservationMixin):
    """Recognises the chosen study in the worker and keeps method, noise and level consistent.

    A choice that a person made stays until another study or modality is chosen: a recommendation fills what is open.

    Args:
        ui: the panel's widgets.
        uploads: sends studies and requests to the worker.

    Attributes:
        connectors: of the parameter node's fields that Slicer's own connectors do not serve.
        recommended: what the worker recommended for the study on show, {} before that.
    """

    def __init__(self, ui, uploads):
        VTKObservationMixin.__init__(self)
        self.ui = ui
        self.uploads = uploads
        self.recommended = {}
        self.connectors = {
            "modality": choices.ChoiceConnector(ui.modalityComboBox, choices.modalities()),
            "method": choices.ChoiceConnector(ui.methodComboBox),
            "noise": choices.ChoiceConnector(ui.noiseComboBox),
            "level": LevelConnector(ui.levelSlider),
            "dimensions": choices.ChoiceConnector(ui.dimensionsComboBox),
            "device": choices.ChoiceConnector(ui.deviceComboBox, choices.devices()),
            "maskSegment": choices.ChoiceConnector(ui.maskSegmentComboBox),
        }
        self._parameterNode = None
        self._request = None
        self._seen = {}
        ui.estimateButton.clicked.connect(self.onEstimate)

    def setParameterNode(self, parameterNode):
        self._forget()
        self._parameterNode = parameterNode
        self.uploads.forget()

    def cleanup(self):
        self._forget()
        self.removeObservers()

    def update(self):
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

    def study(self):
        """The node that is restored: the volume, or the sequence that it shows."""
        from MedRestoreLib import mrml

        p = self._parameterNode
        return mrml.whole_study(p.inputVolume) if p.wholeSequence else p.inputVolume

    def missing(self):
        """What has to be chosen before anything can be restored, as a sentence; "" when nothing is missing."""
        p = self._parameterNode
        if p is None or p.inputVolume is None:
            return _("Select a volume.")
        if not p.method or not p.noise:
            return self._message or _("Reading the study...")
        if p.level <= 0 and not self._isBlind():
            return _("Give a noise level: it cannot be told from this study.")
        if p.maskSegmentation is not None and not p.maskSegment:
            return _("Choose the segment to restore inside, or the whole study.")
        return ""

    def edits(self):
        """The plan's fields as the panel has them, for the worker; without the mask."""
        p = self._parameterNode
        edits = {"method": p.method, "noise": p.noise, "strength": p.strength, "device": p.device}
        if p.level > 0:  # else the method finds it by itself
            edits["level"] = p.level
        if p.dimensions != "auto":
            edits["dimensions"] = int(p.dimensions)
        if p.memory > 0:
            edits["memory_gb"] = p.memory
        return edits

    def onEstimate(self):
        """Read the level off the study again, for the noise model that is chosen."""
        self._newNoise()

    def _note(self, **values):
        """Remember the values; the names of those that are not what they were."""
        changed = {name for name, value in values.items() if self._seen.get(name) != value}
        self._seen = values
        return changed

    def _forget(self):
        if self._request is not None:
            self.uploads.cancel(self._request)
        self._request = None
        self._seen = {}
        self.recommended = {}
        self._message = ""

    def _newStudy(self, node):
        seen = self._seen
        self._forget()
        self._seen = seen
        if node is None:
            return
        from MedRestoreLib import mrml

        modality = mrml.modality_of(node)
        self._set(modality=modality, method="", noise="", level=0.0, dimensions="auto")
        self._recognise()

    def _newModality(self, node):
        from MedRestoreLib import mrml

        mrml.set_modality(node, self._parameterNode.modality)
        self._set(method="", noise="", level=0.0)
        self._recognise()

    def _newMethod(self):
        """Another method was chosen: take a noise model that it can handle."""
        method = self._method()
        if method is None:
            return
        self._set(dimensions="auto")
        if self._parameterNode.noise not in method.noises:
            self._set(noise=method.noises[0])
            self._newNoise()

    def _newNoise(self):
        """Another noise model was chosen: its level is another quantity and has to be found anew."""
        self._set(level=0.0)
        self._recognise(noise=self._parameterNode.noise)

    def _recognise(self, **edits):
        from MedRestoreLib import MedRestoreError

        if self._request is not None:
            self.uploads.cancel(self._request)
        self._message = _("Reading the study...")
        try:
            self._request = self.uploads.request(
                "recognise",
                self.study(),
                {name: value for name, value in edits.items() if value},
                onDone=self._recognised,
                onError=self._notRecognised,
            )
        except MedRestoreError as error:
            self._notRecognised(error)

    def _recognised(self, reply):
        self._request = None
        self._message = ""
        self.recommended = reply
        p, level = self._parameterNode, reply["level"] or 0.0
        self.connectors["level"].setRange(reply["noise"], max(level, p.level))
        self._set(method=p.method or reply["method"], noise=p.noise or reply["noise"], level=p.level or level)
        self._updateTexts()

    def _notRecognised(self, error):
        self._request = None
        self._message = str(error)
        self._updateTexts()

    def _set(self, **values):
        """Set fields by program: ``update`` takes them as seen."""
        p = self._parameterNode
        self._seen.update({name: value for name, value in values.items() if name in self._seen})
        with slicer.util.NodeModify(p):
            for name, value in values.items():
                setattr(p, name, value)

    def _method(self):
        """The catalogue's row of the chosen method; None before one is chosen."""
        from MedRestoreLib.methods import catalogue

        return next((row for row in catalogue.METHODS if row.id == self._parameterNode.method), None)

    def _isBlind(self):
        method = self._method()
        return method is not None and method.blind

    def _updateMask(self):
        segmentation = self._parameterNode.maskSegmentation
        self.connectors["maskSegment"].setChoices(choices.segments(segmentation))
        self.ui.maskSegmentComboBox.enabled = segmentation is not None

    def _updateTexts(self):
        p, ui = self._parameterNode, self.ui
        if p is None:
            return
        hasStudy, method = p.inputVolume is not None, self._method()
        found = self.recommended
        self.connectors["method"].setChoices(choices.methods(p.modality, p.noise, found.get("method", "")))
        self.connectors["noise"].setChoices(choices.noises(p.method))
        self.connectors["dimensions"].setChoices(choices.dimensions(p.method))
        ui.recognisedLabel.text = self._message or (self._described() if hasStudy else "")
        ui.methodLabel.text = "" if method is None else f"{method.summary} {method.citation}."
        ui.levelLabel.text = self._levelText()
        ui.estimateButton.enabled = hasStudy and bool(p.noise) and self._request is None
        for widget in (ui.methodComboBox, ui.noiseComboBox, ui.levelSlider, ui.modalityComboBox):
            widget.enabled = hasStudy
        ui.wholeSequenceCheckBox.visible = hasStudy and self._frames() > 1
        if ui.wholeSequenceCheckBox.visible:
            ui.wholeSequenceCheckBox.text = _("Restore all {frames} frames of the sequence").format(
                frames=self._frames()
            )

    def _frames(self):
        from MedRestoreLib import mrml

        sequence = mrml.sequence_of(self._parameterNode.inputVolume)[1]
        return sequence.GetNumberOfDataNodes() if sequence is not None else 1

    def _described(self):
        """Size and spacing, and why this noise model and method."""
        node = self._parameterNode.inputVolume
        if node.GetImageData() is None:
            return _("The volume holds no voxels.")
        size = " × ".join(str(side) for side in node.GetImageData().GetDimensions())
        spacing = " × ".join(f"{side:.3g}" for side in node.GetSpacing())
        about = _("{size} voxels of {spacing} mm.").format(size=size, spacing=spacing)
        return f"{about} {self.recommended.get('reason', '')}"

    def _levelText(self):
        """The level's unit, what was found and how sure that is; and who needs it."""
        if not self._isBlind():
            return self._foundText()
        own = _("{method} finds the noise by itself: the level serves the evidence alone.")
        return f"{self._foundText()} {own.format(method=self._method().title)}".strip()

    def _foundText(self):
        p, estimate = self._parameterNode, self.recommended.get("estimate")
        if not p.noise:
            return ""
        from MedRestoreLib import noise

        unit = noise.model(p.noise).unit
        if estimate is None or self.recommended.get("noise") != p.noise:
            return _("In {unit}.").format(unit=unit)
        if not estimate["level"]:
            return _("In {unit}. Not found: {reason}").format(unit=unit, reason=estimate["reason"])
        sure = _("sure") if estimate["confidence"] >= SURE else _("unsure, look closely")
        return _("In {unit}. Found: {level} ({sure}, {confidence} %). {reason}").format(
            unit=unit,
            level=f"{estimate['level']:.4g}",
            sure=sure,
            confidence=round(100 * estimate["confidence"]),
            reason=estimate["reason"],
        )

"""Combo boxes whose items change while the panel is open, and the items that they offer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import qt
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import GuiConnector

from .words import ofLibrary

if TYPE_CHECKING:
    import slicer

    from MedRestoreLib.methods.row import Method

# The role under which an item of a combo box keeps its flags; 0 there means that it is seen but cannot be chosen.
FLAGS_ROLE = int(qt.Qt.UserRole) - 1

MODALITIES = ("NM", "MR", "US", "PT", "CT", "OT")
UNKNOWN = "OT"  # DICOM's code for other; the catalogue's for any modality that no method is made for


class Choice(NamedTuple):
    """One item: its text, what the parameter node gets, a tool tip; without a value it is a heading."""

    label: str
    value: str | None
    toolTip: str = ""


SEPARATOR = Choice("", None)


def heading(label: str, toolTip: str = "") -> Choice:
    """An item that is read and cannot be chosen."""
    return Choice(label, None, toolTip)


class ChoiceConnector(GuiConnector):
    """Binds a string of the parameter node to a ``QComboBox`` whose choices may change at any time.

    A value that is not among the choices is kept and shown as "... (not available)": a saved scene loses nothing on
    a computer that offers less. The empty string, unless it is a choice of its own, shows an empty box.

    Example::

        connector = ChoiceConnector(ui.methodComboBox, choices.methods("MR", "rician", "bm3d"))
        parameterNode.connectParametersToGui({"method": connector})
    """

    def __init__(self, comboBox: qt.QComboBox, choices: Iterable[Choice] = ()) -> None:
        super().__init__()
        self._comboBox = comboBox
        self._choices = ()
        comboBox.clear()
        self.setChoices(choices)

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return datatype is str and type(widget) is qt.QComboBox

    @staticmethod
    def create(widget: Any, datatype: Any) -> ChoiceConnector | None:
        return ChoiceConnector(widget) if ChoiceConnector.canRepresent(widget, datatype) else None

    def setChoices(self, choices: Iterable[Choice]) -> None:
        """Offer other items. The value stays as it is, and nobody is told."""
        if tuple(choices) != self._choices:
            value = self.read()
            self._choices = tuple(choices)
            self._fill(value)

    def widget(self) -> qt.QComboBox:
        return self._comboBox

    def read(self) -> str:
        return self._comboBox.currentData or ""

    def write(self, value: str) -> None:
        if value != self.read() or self._comboBox.currentIndex < 0:
            self._fill(value)

    def _connect(self) -> None:
        self._comboBox.currentIndexChanged.connect(self.changed)

    def _disconnect(self) -> None:
        self._comboBox.currentIndexChanged.disconnect(self.changed)

    def _fill(self, value: str) -> None:
        wasBlocked = self._comboBox.blockSignals(True)
        self._comboBox.clear()
        for choice in self._choices:
            self._add(choice)
        values = [choice.value for choice in self._choices]
        if value and value not in values:
            missing = _("{value} (not available)").format(value=value)
            self._add(Choice(missing, value, _("This was chosen elsewhere and is not offered here.")))
            values.append(value)
        self._comboBox.setCurrentIndex(values.index(value) if value in values else -1)
        items = self._comboBox.view()  # may be wider than the box, which is as wide as the panel lets it be
        items.setMinimumWidth(items.sizeHintForColumn(0))
        self._comboBox.blockSignals(wasBlocked)

    def _add(self, choice: Choice) -> None:
        index = self._comboBox.count
        if choice == SEPARATOR:
            self._comboBox.insertSeparator(index)
            return
        self._comboBox.addItem(choice.label, choice.value)
        self._comboBox.setItemData(index, choice.toolTip, qt.Qt.ToolTipRole)
        if choice.value is None:
            self._comboBox.setItemData(index, 0, FLAGS_ROLE)


def modalities() -> list[Choice]:
    """What a person may answer when the study does not tell: DICOM codes, "" while nobody has answered."""
    titles = {
        "NM": _("Nuclear medicine, planar or SPECT (NM)"),
        "MR": _("Magnetic resonance (MR)"),
        "US": _("Ultrasound (US)"),
        "PT": _("PET (PT)"),
        "CT": _("CT or cone beam (CT)"),
        "OT": _("Other"),
    }
    return [Choice(_("Not known: please choose"), ""), *(Choice(titles[code], code) for code in MODALITIES)]


def methods(modality: str = "", noise: str = "", recommended: str = "") -> list[Choice]:
    """The methods: the recommended one first, those made for the modality, the others, and those that enlarge.

    Args:
        modality: DICOM code, "" when unknown.
        noise: the noise model that is chosen; methods that do not handle it come last. "" for any.
        recommended: a method's id, or "".
    """
    from MedRestoreLib.methods import catalogue

    modality = modality if any(modality in method.modalities for method in catalogue.METHODS) else UNKNOWN
    first = [method for method in catalogue.METHODS if method.id == recommended]
    others = [method for method in catalogue.METHODS if method.id != recommended]
    rest = [method for method in others if not method.factors]
    handling = [method for method in rest if not noise or noise in method.noises]
    fit = [method for method in handling if modality in method.modalities]
    groups = {
        _("Made for such studies"): fit,
        _("Made for other studies"): [method for method in handling if method not in fit],
        _("For other noise"): [method for method in rest if method not in handling],
        _("To enlarge"): [method for method in others if method.factors],
    }
    items = [
        _methodChoice(method, _("{title} (recommended)").format(title=ofLibrary(method.title))) for method in first
    ]
    for label, group in groups.items():
        if group:
            items += [heading(label), *(_methodChoice(method, ofLibrary(method.title)) for method in group)]
    return items


def noises(method: str = "") -> list[Choice]:
    """The noise models that a method handles; all for "" or a method that is not known."""
    from MedRestoreLib import noise
    from MedRestoreLib.methods import catalogue

    handled = next((row.noises for row in catalogue.METHODS if row.id == method), noise.IDS)
    models = [noise.model(name) for name in noise.IDS if name in handled]
    level = _("Level: {unit}")
    return [Choice(ofLibrary(m.title), m.id, level.format(unit=ofLibrary(m.unit))) for m in models]


def dimensions(method: str = "") -> list[Choice]:
    """Slice by slice or as a volume, as far as the method can; all for "" or a method that is not known."""
    from MedRestoreLib.methods import catalogue

    able = next((row.dimensions for row in catalogue.METHODS if row.id == method), (2, 3))
    titles = {2: _("Slice by slice (2-D)"), 3: _("As a volume (3-D)")}
    return [Choice(_("As recommended"), "auto"), *(Choice(titles[number], str(number)) for number in able)]


def frames(method: str, count: int) -> list[Choice]:
    """Whether so many frames of a series help each other; none where they are too few, or the method cannot."""
    from MedRestoreLib.methods import catalogue
    from MedRestoreLib.pipeline import checks, series

    row = next((row for row in catalogue.METHODS if row.id == method), None)
    if row is None or not checks.is_for_frames(row) or count < series.LEAST_FRAMES:
        return []
    about = _("Pieces of the series itself tell which is better.") if checks.rotates(row) else ""
    return [
        Choice(_("As recommended"), "auto", about),
        Choice(_("Together"), "together"),
        Choice(_("Each for itself"), "apart"),
    ]


def factors(method: str = "") -> list[Choice]:
    """How many times larger a method can make a study; none for a method that keeps the grid."""
    from MedRestoreLib.methods import catalogue

    able = next((row.factors for row in catalogue.METHODS if row.id == method), ())
    about = _("So many times as many rows and columns. Slices and frames stay.")
    return [Choice(_("{factor} times").format(factor=factor), str(factor), about) for factor in able]


def devices(names: Mapping[str, str] | None = None) -> list[Choice]:
    """Where to compute. torch is not imported: who knows the devices says so.

    Args:
        names: id ("cpu", "cuda", "mps") → name of each device that is there; None while that is not known.
    """
    accelerator = ("mps", _("Apple GPU")) if sys.platform == "darwin" else ("cuda", _("NVIDIA GPU"))
    items = [Choice(_("Automatic"), "auto", _("A GPU if there is one, else the processor."))]
    for device, title in (("cpu", _("Processor (CPU)")), accelerator):
        if names is None:
            items.append(Choice(title, device))
        elif device in names:
            items.append(Choice(f"{title}: {names[device]}" if names[device] else title, device))
        else:
            items.append(heading(_("{device}: none found").format(device=title)))
    return items


def precisions() -> list[Choice]:
    """In which precision networks calculate."""
    measured = _("bfloat16 for networks that it makes much faster and changes by far less than the noise.")
    return [
        Choice(_("Automatic"), "auto", measured),
        Choice(_("Exact (float32)"), "float32", _("The same result on every processor, but for rounding.")),
        Choice(_("Fast (bfloat16)"), "bfloat16", _("For every network; slower on processors without bfloat16.")),
    ]


def segments(segmentation: slicer.vtkMRMLSegmentationNode | None = None) -> list[Choice]:
    """The segments of a segmentation node by name; the value is the segment's id."""
    if segmentation is None:
        return []
    held = segmentation.GetSegmentation()
    ids = [held.GetNthSegmentID(number) for number in range(held.GetNumberOfSegments())]
    return [Choice(held.GetSegment(segment).GetName(), segment) for segment in ids]


def _methodChoice(method: Method, label: str) -> Choice:
    return Choice(label, method.id, f"{ofLibrary(method.summary)}\n{method.citation}")

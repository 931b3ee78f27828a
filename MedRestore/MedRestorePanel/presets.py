"""Presets in the Method section: what a site has found good is chosen, saved and shared as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import qt
import slicer
from slicer.i18n import tr as _

from .choices import Choice, ChoiceConnector, heading
from .parameters import computing
from .words import explained

if TYPE_CHECKING:
    from MedRestoreLib.presets import Preset

    from .parameters import MedRestoreParameterNode
    from .study import StudySection

ALIKE = 1e-3  # relative: a level this near to the one that was found is that one; it is shown in three digits


class Naming(NamedTuple):
    """How a preset is to be saved: its name, and what it leaves open."""

    name: str
    anyMethod: bool = False
    anyLevel: bool = True


class PresetSection:
    """A box with the presets of a folder, and a menu to save, delete, import and export them.

    The box shows the preset that is as the panel is, if there is one: after any change by hand that is none.

    Args:
        ui: the panel's widgets.
        study: the ``StudySection``, which takes a preset.
        folder: called without arguments, gives the folder of the presets.
        say: called with a sentence for the user.

    Attributes:
        askNaming: asks how to save; None when the user declines. It is given what to propose.
        askOpen, askSave: ask for a file; "" when the user declines.
    """

    def __init__(self, ui: Any, study: StudySection, *, folder: Callable[[], str], say: Callable[[str], None]) -> None:
        self.ui, self.study, self.folder, self.say = ui, study, folder, say
        self.askNaming, self.askOpen, self.askSave = _askNaming, _askOpen, _askSave
        self._parameterNode = None
        self._presets: dict[str, Preset] = {}
        self._wrong: dict[str, str] = {}
        self._last = ""  # the one that was chosen last; others may be alike
        self._box = ChoiceConnector(ui.presetComboBox)
        ui.presetComboBox.currentIndexChanged.connect(self.onPreset)
        self._menu = qt.QMenu(ui.presetButton)
        self.actions = {
            name: self._action(text, slot)
            for name, text, slot in (
                ("save", _("Save as preset..."), self.onSave),
                ("delete", _("Delete this preset"), self.onDelete),
                ("import", _("Import a preset file..."), self.onImport),
                ("export", _("Export this preset to a file..."), self.onExport),
            )
        }
        ui.presetButton.setMenu(self._menu)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._load()

    def cleanup(self) -> None:
        self._parameterNode = None

    def update(self) -> None:
        """Show which preset the panel's choices are, and what can be done."""
        p = self._parameterNode
        ready = p is not None and p.inputVolume is not None and bool(p.method and p.noise) and not self.study.isReading
        self.ui.presetComboBox.enabled = ready
        self._box.setChoices(self.choices(_("None")))
        current = self._current() if ready else ""
        if self._box.read() != current:
            self._box.write(current)
        for name, can in (("save", ready), ("delete", bool(current)), ("export", bool(current))):
            self.actions[name].enabled = can

    def choices(self, without: str) -> list[Choice]:
        """Items for a box: no preset, in the words ``without``, the presets, and the files that hold none."""
        broken = [heading(_("{file}: cannot be used").format(file=file), why) for file, why in self._wrong.items()]
        return [Choice(without, ""), *(Choice(p.name, p.name, p.note) for p in self._presets.values()), *broken]

    def edits(self, name: str) -> dict[str, Any]:
        """What a preset decides, for a study that nobody looks at; without one, how strong and with which means."""
        preset = self._presets.get(name)
        return computing(self._parameterNode) if preset is None else preset.edits()

    def onPreset(self) -> None:
        """A person chose one in the box."""
        preset = self._presets.get(self._box.read())
        if preset is not None:
            self._last = preset.name
            self.study.take(preset)

    def onSave(self) -> None:
        naming = self.askNaming(Naming(self._box.read(), anyLevel=self._isFoundLevel()))
        if naming is not None and self._try(lambda shelf: shelf.keep(self._preset(naming))):
            self._last = naming.name
            self._changed(_("The preset '{name}' is saved.").format(name=naming.name))

    def onDelete(self) -> None:
        name = self._box.read()
        question = _("Delete the preset '{name}'? It goes for all who use this folder.").format(name=name)
        if slicer.util.confirmYesNoDisplay(question) and self._try(lambda shelf: shelf.remove(name)):
            self._changed(_("The preset '{name}' is deleted.").format(name=name))

    def onImport(self) -> None:
        from MedRestoreLib import presets

        path = self.askOpen()
        if path and self._try(lambda shelf: shelf.keep(presets.read(path))):
            self._changed(_("The preset of {file} is among the presets now.").format(file=Path(path).name))

    def onExport(self) -> None:
        from MedRestoreLib import presets

        preset = self._presets[self._box.read()]
        path = self.askSave(f"{preset.name}{presets.ENDING}")
        if path and self._try(lambda shelf: presets.write(preset, path)):
            self.say(_("The preset is written to {file}.").format(file=path))

    def _action(self, text: str, slot: Callable[[], None]) -> qt.QAction:
        action = qt.QAction(text, self._menu)
        action.triggered.connect(slot)
        self._menu.addAction(action)
        return action

    def _load(self) -> None:
        from MedRestoreLib.presets import Shelf

        self._presets, self._wrong = Shelf(self.folder()).all()

    def _changed(self, message: str) -> None:
        self._load()
        self.update()
        self.say(message)

    def _try(self, work: Callable[[Any], object]) -> bool:
        """Do something with the folder's shelf; whether it could be done. Else the reason is said."""
        from MedRestoreLib import MedRestoreError
        from MedRestoreLib.presets import Shelf

        try:
            work(Shelf(self.folder()))
        except MedRestoreError as error:
            self.say(explained(error))
            return False
        return True

    def _current(self) -> str:
        alike = [name for name, preset in self._presets.items() if self._isAsChosen(preset)]
        return self._last if self._last in alike else next(iter(alike), "")

    def _isAsChosen(self, preset: Preset) -> bool:
        """Whether the panel is as the preset would make it."""
        from MedRestoreLib import presets

        p = self._parameterNode
        method = self.study.recommended.get("method") if preset.method == presets.AUTO else preset.method
        level = self._isFoundLevel() if preset.level == presets.AUTO else _near(p.level, preset.level)
        return (
            p.method == method
            and preset.noise in (presets.AUTO, p.noise)
            and level
            and _near(p.strength, preset.strength)
            and p.dimensions == str(preset.dimensions)
            and p.together == "auto"  # of a series, which no preset decides
            and not (p.adapt and self.study.canAdapt())
            and (p.factor or "1") == str(preset.factor)
            and p.options.replace(" ", "") == presets.options_to_text(preset.options).replace(" ", "")
            and p.device == preset.device
            and p.precision == preset.precision
            and _near(p.memory, 0.0 if preset.memory_gb == presets.AUTO else preset.memory_gb)
        )

    def _isFoundLevel(self) -> bool:
        """Whether the level is the one that was found, or filled in, rather than a person's."""
        return _near(self._parameterNode.level, self.study.filledLevel)

    def _preset(self, naming: Naming) -> Preset:
        """The panel's choices as a preset.

        Raises:
            MedRestoreError: they are not fit for one, or the name is not.
        """
        from MedRestoreLib import presets

        p = self._parameterNode
        return presets.Preset(
            name=naming.name.strip(),
            method=presets.AUTO if naming.anyMethod else p.method,
            noise=presets.AUTO if naming.anyMethod and naming.anyLevel else p.noise,
            level=presets.AUTO if naming.anyLevel or not p.level else p.level,
            strength=p.strength,
            dimensions=int(p.dimensions) if p.dimensions != "auto" and not naming.anyMethod else presets.AUTO,
            factor=int(p.factor or 1),
            options={} if naming.anyMethod else presets.options_from_text(p.options),
            device=p.device,
            precision=p.precision,
            memory_gb=p.memory or presets.AUTO,
        )


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= ALIKE * max(abs(one), abs(other))


def _askNaming(proposed: Naming) -> Naming | None:
    dialog = qt.QDialog(slicer.util.mainWindow())
    dialog.setWindowTitle(_("Save as preset"))
    form = qt.QFormLayout(dialog)
    name = qt.QLineEdit(proposed.name)
    anyMethod = qt.QCheckBox(_("Method: as recommended for each study"))
    anyLevel = qt.QCheckBox(_("Noise level: read off each study"))
    anyMethod.checked, anyLevel.checked = proposed.anyMethod, proposed.anyLevel
    form.addRow(_("Name:"), name)
    form.addRow(anyMethod)
    form.addRow(anyLevel)
    buttons = qt.QDialogButtonBox()
    buttons.setStandardButtons(qt.QDialogButtonBox.Save | qt.QDialogButtonBox.Cancel)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    form.addRow(buttons)
    accepted = dialog.exec_()
    naming = Naming(name.text, anyMethod.checked, anyLevel.checked)
    dialog.deleteLater()
    return naming if accepted else None


def _askOpen() -> str:
    return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Import a preset"), "", _("Preset (*.json)"))


def _askSave(name: str) -> str:
    return qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), _("Export the preset"), name, _("Preset (*.json)"))

"""The Slicer module MedRestore."""

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule


class MedRestore(ScriptedLoadableModule):
    """What Slicer shows about the module. Hidden: there is no panel yet, only the library in the Python console.

    Example::

        import MedRestoreLib as mr
        result = mr.restore(mr.read("scan.nrrd"))
    """

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MedRestore")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        parent.dependencies = []
        parent.contributors = ["The MedRestore authors"]
        parent.helpText = _(
            "Removes noise from SPECT, MRI and ultrasound studies and shows what was removed. "
            "The library MedRestoreLib is available in the Python console."
        )
        parent.acknowledgementText = _(
            "MedRestore is free software under the Apache License 2.0. Not a medical device."
        )
        parent.hidden = True

"""The Output section and the button: starts the job, shows how far it is, and adds what comes back to the scene."""

import time

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from . import stepping
from .setup import ensurePackages, ensureTorch, neededBy

# How the bar is shared: sending the study, restoring it, fetching the result.
SENT, RESTORED = 0.02, 0.97
STEPS = 1000


class RestoreSection(VTKObservationMixin):
    """Apply and Cancel. One job at a time; nothing is in the scene before it is whole.

    Args:
        ui: the panel's widgets.
        worker, uploads: where the work is done.
        study: the ``StudySection``: what to restore and how.
        onStarted: called when a job begins.
        onRestored: called with the restored volume and the removed part (or None).
    """

    def __init__(self, ui, worker, uploads, study, *, onStarted, onRestored):
        VTKObservationMixin.__init__(self)
        self.ui, self.worker, self.uploads, self.study = ui, worker, uploads, study
        self.onStarted, self.onRestored = onStarted, onRestored
        self._parameterNode = None
        self._job = None
        self._message = ""
        ui.progressBar.setRange(0, STEPS)
        ui.applyButton.clicked.connect(self.onApply)
        ui.setUpButton.clicked.connect(self.onSetUp)

    @property
    def isRunning(self):
        return self._job is not None

    def setParameterNode(self, parameterNode):
        self.cancel()
        self._parameterNode = parameterNode
        self._message = ""

    def cleanup(self):
        self.cancel()
        self.removeObservers()

    def update(self):
        ui, running = self.ui, self.isRunning
        missing = self.study.missing()
        ui.applyButton.text = _("Cancel") if running else _("Apply")
        ui.applyButton.enabled = running or not missing
        ui.applyButton.toolTip = _("Stop; nothing is kept.") if running else missing or _("Restore the study.")
        ui.progressBar.visible = running
        if not running:
            ui.statusLabel.text = self._message or missing

    def onApply(self):
        if self.isRunning:
            self.cancel(_("Cancelled. The scene is as it was."))
            return
        from MedRestoreLib import MedRestoreError

        if self.study.missing():
            self.say(self.study.missing())
            return
        try:
            self._install(neededBy(self._parameterNode.method))
            self._start()
        except MedRestoreError as error:
            self.fail(str(error))

    def onSetUp(self):
        """Install all that any method needs."""
        from MedRestoreLib import MedRestoreError

        try:
            self._install()
            self.say(_("All that restoring needs is installed."))
        except MedRestoreError as error:
            self.fail(str(error))

    def _install(self, packages=None):
        """Have PyTorch and the packages (None: all of the list); a worker that ran before would not see what is new."""
        installed = ensureTorch()
        if packages is None or packages:
            installed |= ensurePackages(*packages or ())
        if installed:
            self.uploads.forget()
            self.worker.close()
            self.worker.start()

    def fail(self, message):
        """Show an error; the panel is ready for the next try."""
        self._end()
        self.say(message)

    def cancel(self, message=""):
        """End the job, if there is one; the worker is killed if it does not hear."""
        job = self._job
        if job is not None:
            self._end()
            if job.steps is not None:
                job.steps.stop()
            self.uploads.cancel(job.request)
        self.say(message)

    def _start(self):
        from MedRestoreLib import mrml

        p = self._parameterNode
        study = self.study.study()
        mask = mrml.mask_of(p.maskSegmentation, p.maskSegment, study) if p.maskSegmentation is not None else None
        output = mrml.Output(study, target=p.outputVolume)
        job = self._job = _Job((study, p.inputVolume, p.outputVolume), output, p.keepRemoved)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._onNodeRemoved)
        self.onStarted()
        job.request = self.uploads.request(
            "restore",
            study,
            self.study.edits(),
            mask=mask,
            onProgress=lambda fraction, message: self._progress(job, SENT + (RESTORED - SENT) * fraction, message),
            onDone=lambda reply: self._restored(job, reply["report"]),
            onError=lambda error: self.fail(str(error)) if self._job is job else None,
            onCancelled=lambda: self._dropped(job),
        )
        self._progress(job, 0.0, _("Sending the study"))
        self.update()

    def _dropped(self, job):
        """The study was exchanged for another before it had arrived at the worker."""
        if self._job is job:
            self.cancel(_("Cancelled: another study was chosen before this one was read."))

    def _restored(self, job, report):
        """The worker is done: fetch the voxels in steps, then add the nodes."""
        if self._job is not job:
            self.worker.exchange.forget(job.request.id)
            return
        self._progress(job, RESTORED, _("Fetching the result"))

        def fetching():
            yield from self.worker.exchange.receiving(job.request.id, job.output.arrays)
            if job.keepRemoved:
                yield from job.output.removing()

        def failed(error):
            self.fail(_("The result could not be fetched: {reason}").format(reason=error))

        job.steps = stepping.run(fetching(), lambda nothing: self._add(job, report), failed)

    def _add(self, job, report):
        from MedRestoreLib import MedRestoreError

        try:
            node = job.output.add(report, job.keepRemoved)
        except MedRestoreError as error:
            self.fail(str(error))
            return
        self._end()
        seconds = time.monotonic() - job.began
        self.say(
            _("{name}: done in {seconds} s. {verdict}").format(
                name=node.GetName(), seconds=f"{seconds:.1f}", verdict=report["verdict"]
            )
        )
        self.onRestored(node, job.output.removed)

    def _end(self):
        self._job = None
        self.removeObservers()

    def say(self, message):
        """Show a sentence below the button until there is another one."""
        self._message = message[:1].upper() + message[1:]
        self.update()

    def _progress(self, job, fraction, message):
        if self._job is not job:
            return
        self.ui.progressBar.value = round(STEPS * fraction)
        self.ui.statusLabel.text = f"{message}. {job.timeLeft(fraction)}"

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node):
        if self._job is not None and self._job.needs(node):
            self.cancel(_("Cancelled: '{name}' was deleted.").format(name=node.GetName()))


class _Job:
    """What is under way: the nodes it needs, what it will add, since when."""

    def __init__(self, nodes, output, keepRemoved):
        self.nodes, self.output, self.keepRemoved = nodes, output, keepRemoved
        self.request = self.steps = None
        self.began = time.monotonic()

    def needs(self, node):
        return any(node is needed for needed in self.nodes)

    def timeLeft(self, fraction):
        """How long it will still take at this pace, in words; "" before that can be told."""
        passed = time.monotonic() - self.began
        if fraction <= SENT or passed < 2.0:
            return ""
        left = passed * (1 - fraction) / fraction
        if left < 1.5:
            return _("Nearly done.")
        if left < 90:
            return _("{seconds} s left.").format(seconds=round(left))
        return _("{minutes} min left.").format(minutes=round(left / 60))

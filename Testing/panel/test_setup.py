"""What restoring needs inside Slicer: installed where it is needed, and a way out where it cannot be."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys

import pytest

from MedRestoreLib import MissingPackage
from Testing.support.paths import REPOSITORY


@pytest.fixture
def setup(slicer_app, monkeypatch):
    """The module under test."""
    monkeypatch.syspath_prepend(REPOSITORY / "MedRestore")
    from MedRestorePanel import setup

    return setup


@pytest.fixture
def without_torch(setup, monkeypatch):
    """No torch can be found until the host says that it was installed; the host's answers are ``host.torch``."""
    from Testing import host

    host.torch.installed = False
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name == "torch" and not host.torch.installed else found(name),
    )
    return host


def message_of(error) -> str:
    return str(error.value)


def has_steps_by_hand(text: str, package: str) -> bool:
    """Whether a person without internet can follow the text: what to fetch, for which Python, and what to enter."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"Python {python}" in text
        and "pip download" in text
        and f'wheels "{package}' in text
        and "pip_install(" in text
    )


def test_torch_that_is_there_is_neither_asked_for_nor_imported(setup):
    from Testing import host

    host.add_pytorch_utils()
    assert setup.ensureTorch() is False
    assert host.torch.asked == 0


def test_missing_torch_is_installed_through_the_extension(setup, without_torch):
    without_torch.add_pytorch_utils()
    assert setup.ensureTorch() is True
    assert without_torch.torch.asked == 1
    assert setup.ensureTorch() is False


def test_torch_that_is_too_old_is_installed_anew(setup, without_torch, monkeypatch):
    without_torch.torch.installed = True
    without_torch.add_pytorch_utils()
    real = importlib.metadata.version
    old = lambda name: "1.13.1+cu117" if name == "torch" and not without_torch.torch.asked else real(name)  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "version", old)
    assert setup.ensureTorch() is True
    assert without_torch.torch.asked == 1


def test_half_installed_torch_counts_as_missing(setup, without_torch, monkeypatch):
    """An install that broke off leaves a folder without metadata."""
    without_torch.torch.installed = True

    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(MissingPackage):
        setup.ensureTorch()


def test_without_the_extension_the_message_names_it_and_the_steps_by_hand(setup, without_torch):
    with pytest.raises(MissingPackage) as error:
        setup.ensureTorch()
    assert "Extensions Manager" in message_of(error)
    assert has_steps_by_hand(message_of(error), "torch>=2.2")


def test_a_refusal_is_a_message_and_the_next_time_asks_again(setup, without_torch):
    without_torch.add_pytorch_utils()
    without_torch.torch.outcome = "refused"
    with pytest.raises(MissingPackage) as error:
        setup.ensureTorch()
    assert has_steps_by_hand(message_of(error), "torch>=2.2")
    without_torch.torch.outcome = "accepted"
    assert setup.ensureTorch() is True


def test_a_failed_install_tells_why_and_what_to_do(setup, without_torch):
    without_torch.add_pytorch_utils()
    without_torch.torch.outcome = "failed"
    with pytest.raises(MissingPackage) as error:
        setup.ensureTorch()
    assert "torch could not be installed" in message_of(error)
    assert has_steps_by_hand(message_of(error), "torch>=2.2")
    assert "GPU" in message_of(error)


@pytest.mark.parametrize(
    ("trouble", "cure"),
    [
        (OSError("[WinError 206] The filename or extension is too long: 'C:\\\\Users'"), "long paths"),
        (OSError(28, "No space left on device"), "disk is full"),
        (TypeError("'NoneType' object is not iterable"), "could not be installed"),
    ],
)
def test_known_troubles_come_with_their_cure(setup, without_torch, monkeypatch, trouble, cure):
    without_torch.add_pytorch_utils()

    def install(self, *arguments, **options):
        raise trouble

    monkeypatch.setattr(sys.modules["PyTorchUtils"].PyTorchUtilsLogic, "installTorch", install)
    with pytest.raises(MissingPackage) as error:
        setup.ensureTorch()
    assert cure in message_of(error)
    assert "Traceback" not in message_of(error)


def test_nothing_is_installed_while_slicer_is_being_tested(setup, without_torch, monkeypatch):
    import slicer

    without_torch.add_pytorch_utils()
    monkeypatch.setattr(type(slicer.app), "testingEnabled", lambda self: True)
    with pytest.raises(MissingPackage):
        setup.ensureTorch()
    assert without_torch.torch.asked == 0


@pytest.mark.parametrize(("numpy", "asked"), [("2.4.6", 0), ("1.26.4", 1)])
def test_a_mac_with_an_intel_processor_is_told_before_anything_is_installed(
    setup, without_torch, monkeypatch, numpy, asked
):
    without_torch.add_pytorch_utils()
    real = importlib.metadata.version
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: numpy if name == "numpy" else real(name))
    if asked:
        assert setup.ensureTorch() is True
    else:
        with pytest.raises(MissingPackage, match="Intel"):
            setup.ensureTorch()
    assert without_torch.torch.asked == asked


# Other packages


def test_only_the_packages_that_a_call_needs_are_asked_for(setup):
    from Testing import host

    host.packages.missing = {"safetensors", "opencv-python-headless"}
    assert setup.ensurePackages("safetensors") is True
    assert host.packages.asked == [["safetensors>=0.4"]]


def test_packages_that_are_there_are_not_asked_for(setup):
    from Testing import host

    host.packages.missing = {"opencv-python-headless"}
    assert setup.ensurePackages("safetensors") is False
    assert host.packages.asked == []


def test_without_names_the_whole_list_is_asked_for(setup):
    from Testing import host

    host.packages.missing = {"opencv-python-headless"}
    assert setup.ensurePackages() is True
    (asked,) = host.packages.asked
    lines = (REPOSITORY / "MedRestore/Resources/requirements.txt").read_text().splitlines()
    assert asked == [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("outcome", ["refused", "failed"])
def test_refused_or_failed_packages_are_a_message_with_steps_by_hand(setup, outcome):
    from Testing import host

    host.packages.missing, host.packages.outcome = {"safetensors", "opencv-python-headless"}, outcome
    with pytest.raises(MissingPackage) as error:
        setup.ensurePackages("opencv-python-headless", "safetensors")
    assert has_steps_by_hand(message_of(error), "opencv-python-headless>=4.8")
    assert '"safetensors>=0.4"' in message_of(error)
    host.packages.outcome = "accepted"
    assert setup.ensurePackages("safetensors") is True


def test_packages_that_are_still_missing_after_all_are_a_message(setup, monkeypatch):
    """Slicer in its testing mode skips the install without a word."""
    import slicer

    from Testing import host

    host.packages.missing = {"safetensors"}
    monkeypatch.setattr(slicer.packaging, "pip_ensure", lambda *arguments, **options: None)
    with pytest.raises(MissingPackage):
        setup.ensurePackages("safetensors")


def test_classical_methods_need_nothing_but_torch_and_what_slicer_brings(setup):
    assert setup.neededBy("bm3d") == ()
    program = """
import sys
sys.modules.update(dict.fromkeys(
    "cv2 gdcm matplotlib pydicom rich safetensors SimpleITK skimage typer".split()))  # None: cannot be imported
import numpy as np
import MedRestoreLib as mr
clean = np.add.outer(np.arange(48.0), np.arange(48.0))
image = mr.Image.from_array(clean + np.random.default_rng(0).normal(0, 3, clean.shape), modality="MR")
report = mr.restore(image, method="adf", noise="gaussian", level=3.0).report.to_dict()
print(report["verdict"])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()


def test_learned_methods_need_what_reads_their_weights(setup, monkeypatch):
    from dataclasses import replace

    from MedRestoreLib.methods import catalogue

    monkeypatch.setattr(catalogue, "METHODS", (replace(catalogue.METHODS[0], id="net", weights="net"),))
    assert setup.neededBy("net") == ("safetensors",)

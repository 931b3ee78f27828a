"""Real studies through the whole path, as a user would run them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pydicom
import pytest
import torch
from scipy.ndimage import gaussian_filter

import MedRestoreLib as mr
from MedRestoreLib.image import Source
from MedRestoreLib.methods.nllr import nonlocal_low_rank
from MedRestoreLib.metrics.fidelity import poisson_deviance
from MedRestoreLib.metrics.no_reference import enl
from MedRestoreLib.noise.poisson import thin
from MedRestoreLib.reporting.figures import before_after
from training import build
from training import recipe as recipes
from training.evaluation import baselines, frames, methods


@pytest.fixture(scope="module")
def bone_scan(data_folder):
    return mr.read(data_folder / "nuclear" / "bone_scan_whole_body.dcm")


def test_the_bone_scan_keeps_its_counts_geometry_and_header(bone_scan, tmp_path):
    result = mr.restore(bone_scan)
    assert (result.report.plan["noise"], result.report.plan["level"]) == ("poisson", 1.0)
    path = mr.write(result.image, tmp_path / "restored.dcm", derivation=result.report.derivation)
    written = mr.read(path)
    total = bone_scan.voxels.sum(dtype=float)
    assert abs(written.voxels.sum(dtype=float) / total - 1) < 0.005
    assert max(abs(f - 1) for f in result.report.provenance.totals_factors) < 0.005, "before any rescaling, too"
    assert written.same_grid(bone_scan, tolerance=1e-6)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    assert list(header.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert header.Modality == "NM"
    assert header.SourceImageSequence[0].ReferencedSOPInstanceUID == bone_scan.source.headers[0].SOPInstanceUID
    assert header.SOPInstanceUID != bone_scan.source.headers[0].SOPInstanceUID
    assert result.report.plan["method"] in header.DerivationDescription
    assert result.report.gain.certain
    assert before_after(bone_scan, result.image, tmp_path / "figure.png", report=result.report).stat().st_size > 10_000


def test_half_the_counts_restored_predict_the_other_half_better_than_they_do_themselves(bone_scan):
    """Thinning splits a scan into two independent ones (METHODS: P-thin): no reference is needed."""
    counts = bone_scan.voxels
    half = thin(counts, 0.5, np.random.default_rng(0))
    other = counts - half
    restored = mr.restore(bone_scan.with_voxels(half), noise="poisson", level=1.0).image.voxels
    floor = 0.01  # a rate of exactly zero would forbid the other half's counts
    assert poisson_deviance(other, np.maximum(restored, floor)) < 0.5 * poisson_deviance(other, np.maximum(half, floor))


def test_of_a_quarter_of_the_counts_the_recommended_network_makes_most(bone_scan):
    """What it predicts of the other three quarters against BM3D and the Gaussian whose width they themselves choose."""
    part = thin(bone_scan.voxels, 0.25, np.random.default_rng(9))
    rest, thinned = bone_scan.voxels - part, bone_scan.with_voxels(part)
    compared = (mr.recommend(thinned).method, "bm3d")
    rates = {method: mr.restore(thinned, method=method).image.voxels for method in compared}
    rates |= {f"gaussian {width}": gaussian_filter(part, (0, 0, width, width)) for width in baselines.WIDTHS}
    deviance = {name: poisson_deviance(rest, 3 * np.maximum(rate, 0.01)) for name, rate in rates.items()}
    assert min(deviance, key=deviance.get) == "emanet"
    assert abs(rates["emanet"].sum() / part.sum() - 1) < 0.005


def test_a_dicom_series_is_restored_where_it_lies(data_folder, tmp_path):
    head = mr.read(data_folder / "mri" / "t1w_dicom")
    result = mr.restore(head, method="adf", level=1.5)
    assert result.report.plan["noise"] == "rician"
    folder = mr.write(result.image, tmp_path / "restored", derivation=result.report.derivation)
    assert mr.read(folder).same_grid(head, tolerance=1e-4)
    removed = result.removed.voxels
    assert 0 < removed.std() < 0.1 * head.voxels.std()


def test_real_speckle_is_at_least_halved_and_the_mean_kept(data_folder):
    picture = replace(mr.read(data_folder / "ultrasound" / "busi" / "benign" / "benign_001.png"), modality="US")
    result = mr.restore(picture, method="nllr")
    before, after = picture.voxels[0, 0], result.image.voxels[0, 0]
    assert abs(after.mean() / before.mean() - 1) < 0.03
    tiles = [np.s_[y : y + 24, x : x + 24] for y in range(24, 400, 24) for x in range(24, 500, 24)]
    flat = sorted((t for t in tiles if before[t].mean() > 40), key=lambda t: before[t].std() / before[t].mean())[:10]
    assert np.mean([enl(after[t]) / enl(before[t]) for t in flat]) > 2
    assert result.report.gain is None or not result.report.gain.available


def test_on_real_frames_the_recommended_network_doubles_the_looks_and_keeps_lesions_and_edges(data_folder, tmp_path):
    """24 frames of the test split, as their own outlines and ``training.evaluation.frames`` measure them."""
    source = build.source(recipes.read("unet_att", ["data.arguments.side=0"]), tmp_path)
    source.prepare(("test",))
    recommended = mr.recommend(mr.Image.from_array(np.zeros((1, 64, 64)) + np.eye(64), modality="US"), level=0.1).method
    found = {
        name: frames.measure(methods.for_frames(name).restore, source, 24) for name in (recommended, "srad", "median")
    }

    def mean(name: str, measure: str, moment: str = "after") -> float:
        return float(np.mean(list(found[name][measure][moment].values())))

    assert mean(recommended, "enl_ratio") > 2
    assert mean(recommended, "gcnr") >= mean(recommended, "gcnr", "before")
    assert mean(recommended, "epi") > max(mean("srad", "epi"), mean("median", "epi"))


def test_a_frame_with_patches_that_differ_by_rounding_alone_is_despeckled(data_folder):
    """Reduced to half its size, this frame has black patches whose differences, squared, are no numbers any more."""
    frame = cv2.imread(str(data_folder / "ultrasound" / "busi" / "benign" / "benign_434.png")).mean(axis=2, dtype="f4")
    rows, columns = (side // 2 for side in frame.shape)
    small = cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA) / np.float32(255)
    with torch.inference_mode():
        images = torch.from_numpy(small)[None, None]
        assert torch.isfinite(nonlocal_low_rank(images, 0.14, compressed=60.0, reference=0.45708638429641724)).all()


def test_a_video_is_restored_frame_by_frame(data_folder):
    clip = mr.read(sorted((data_folder / "ultrasound" / "cine_lung").glob("*.mp4"))[0])
    few = mr.Image(clip.voxels[:3], modality="US", frame_times=clip.frame_times[:3])
    whole = mr.restore(few, method="srad", level=0.2).image.voxels
    alone = mr.restore(mr.Image(clip.voxels[1:2], modality="US"), method="srad", level=0.2).image.voxels
    assert np.median(np.abs(whole[1] - alone[0])) < 1.0


@pytest.mark.parametrize("headers", [True, False], ids=["told by the header", "told by the noise"])
def test_a_reconstruction_is_promised_no_gain_of_raw_counts(data_folder, headers):
    study = mr.read(data_folder / "nuclear" / "quality_control" / "Jaszack.dcm")
    source = study.source if headers else Source()
    slices = mr.Image(study.voxels[:, 18:26], study.spacing, modality="NM", source=source)
    report = mr.restore(slices, method="adf", noise="poisson", level=1.0).report
    assert not report.gain.available
    assert report.judgement.word in ("no reliable gain", "harm")

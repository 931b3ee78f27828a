"""What a frame is: volumes at several times, echoes or weightings are frames; what is no frame is a part to choose."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedRestoreLib.files.studies import list_series, read, write
from Testing.support.dicom_objects import AXIAL, dicom, enhanced, head, item, mosaics, save, series
from Testing.support.dicom_studies import edit, message_of


def frames(count: int = 3, slices: int = 4) -> np.ndarray:
    return np.stack([head(slices, seed=k) for k in range(count)])


def four_dimensional(folder: Path, stored: np.ndarray, changes: list[dict[str, Any]], **values: Any) -> Path:
    """Each frame of ``stored`` as a stack at the same places, with what sets the frame apart, in a shuffled order."""
    count, slices = stored.shape[:2]
    rng = np.random.default_rng(1)
    for place in rng.permutation(count * slices):
        frame, index = divmod(int(place), slices)
        placed = {
            "InstanceNumber": int(place) + 1,
            "PixelSpacing": [1.1, 0.9],
            "ImagePositionPatient": [0, 0, 2.5 * index],
            "ImageOrientationPatient": AXIAL,
        }
        save(dicom("MR", stored[frame, index], **{**placed, **changes[frame], **values}), folder / f"{place:03d}.dcm")
    return folder


DIFFERENCES = {
    "diffusion": [{"DiffusionBValue": b, "InstanceNumber": 1} for b in (0.0, 500.0, 1000.0)],
    "directions": [
        {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": d, "InstanceNumber": 1}
        for d in ([0.0, 0, 1], [0.0, 1, 0], [1.0, 0, 0])
    ],
    "times": [{"TemporalPositionIdentifier": k + 1, "InstanceNumber": 1} for k in range(3)],
    "echoes": [{"EchoTime": str(t), "InstanceNumber": 1} for t in (5, 10, 20)],
    "numbers alone": [{}, {}, {}],
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_a_volume_taken_several_times_is_frames(kind: str, tmp_path: Path) -> None:
    stored = frames()
    folder = four_dimensional(tmp_path / "in", stored, DIFFERENCES[kind])
    image = read(folder)
    np.testing.assert_array_equal(image.stored(), stored)
    assert image.spacing == (0.9, 1.1, 2.5)
    back = read(write(image.with_voxels(image.voxels * np.float32(0.5)), tmp_path / "out"))
    np.testing.assert_allclose(back.voxels, stored / 2.0, atol=0.02)


def test_times_of_frames_come_from_trigger_or_clock(tmp_path: Path) -> None:
    stored = frames()
    triggered = four_dimensional(tmp_path / "cine", stored, [{"TriggerTime": str(t)} for t in (0, 45, 100)])
    assert read(triggered).frame_times == (0, 45, 100)
    clock = [{"AcquisitionDate": "20200229", "AcquisitionTime": t} for t in ("235959.5", "235959.75", "235959.99")]
    assert read(four_dimensional(tmp_path / "dynamic", stored, clock)).frame_times == pytest.approx((0, 250, 490))


def test_an_incomplete_frame_is_named(tmp_path: Path) -> None:
    folder = four_dimensional(tmp_path / "in", frames(), DIFFERENCES["times"])
    (folder / "005.dcm").unlink()
    assert "there are 2 at 2.50 mm and 3 elsewhere" in message_of(folder)


def test_magnitude_and_phase_in_one_series_are_one_and_the_magnitude_can_be_chosen(tmp_path: Path) -> None:
    stored = frames(2)
    marks = [{"ImageType": ["ORIGINAL", "PRIMARY", kind, "ND"]} for kind in "MP"]
    folder = four_dimensional(tmp_path / "in", stored, marks)
    (pair,) = list_series(folder)
    assert (pair.part, pair.images, pair.uid) == ("magnitude and phase", 8, "1.2.3.4")
    magnitude, phase = pair.parts
    text = message_of(folder)
    assert "fill no turn" in text
    assert f"choose the magnitude alone, '{magnitude.uid}'" in text
    np.testing.assert_array_equal(read(folder, series=magnitude.uid).stored()[0], stored[0])
    assert "phase of a complex image" in message_of(folder, series=phase.uid)


def test_water_and_fat_in_one_series_are_parts(tmp_path: Path) -> None:
    stored = frames(2)
    folder = four_dimensional(tmp_path / "in", stored, [{"ImageType": ["DERIVED", "PRIMARY", k]} for k in ("W", "F")])
    assert {one.part for one in list_series(folder)} == {"w", "f"}
    assert {read(folder, series=str(k)).stored()[0, 0, 0, 0] for k in (1, 2)} == {
        stored[0, 0, 0, 0],
        stored[1, 0, 0, 0],
    }


def test_scouts_of_three_directions_are_parts(tmp_path: Path) -> None:
    for index, orientation in enumerate((AXIAL, [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])):
        for k in range(2):
            normal = np.cross(orientation[:3], orientation[3:])
            placed = {"ImageOrientationPatient": orientation, "ImagePositionPatient": list(5.0 * k * normal)}
            save(dicom("MR", head(1)[0], PixelSpacing=[1, 1], **placed), tmp_path / f"{index}{k}.dcm")
    assert {(one.part, one.images) for one in list_series(tmp_path)} == {("axial", 2), ("coronal", 2), ("sagittal", 2)}


def test_a_picture_that_strayed_into_a_series_does_not_tear_it_apart(tmp_path: Path) -> None:
    folder = series(tmp_path / "in", head())
    save(dicom("MR", head(1, 7, 9)[0]), folder / "stray.dcm")
    found = {one.part: one.images for one in list_series(folder)}
    assert found == {"20x16": 6, "7x9": 1}


def test_anterior_and_posterior_in_two_files_are_two_frames(tmp_path: Path) -> None:
    views = head(2)
    for k in range(2):
        save(dicom("NM", views[k], InstanceNumber=k + 1, PixelSpacing=[2, 2]), tmp_path / "in" / f"{1 - k}.dcm")
    image = read(tmp_path / "in")
    np.testing.assert_array_equal(image.stored()[:, 0], views)
    assert (image.modality, image.spacing[:2]) == ("NM", (2.0, 2.0))
    back = read(write(image.with_voxels(image.voxels * np.float32(0.5)), tmp_path / "out"))
    np.testing.assert_allclose(back.voxels[:, 0], views / 2.0, atol=0.02)


def test_stills_that_share_a_series_are_listed_one_by_one(tmp_path: Path) -> None:
    for k in range(3):
        save(dicom("US", head(1, seed=k)[0].astype(np.uint8), InstanceNumber=k + 1), tmp_path / f"{k}.dcm")
    found = list_series(tmp_path)
    assert [(one.images, len(one.files)) for one in found] == [(1, 1)] * 3
    assert len({one.uid for one in found}) == 3
    for one in found:
        assert read(tmp_path, series=one.uid).voxels.shape == (1, 1, 20, 16)


def test_a_series_with_a_uid_for_every_slice_is_one_volume(tmp_path: Path) -> None:
    volume = head()
    folder = series(tmp_path / "in", volume, lambda d, k: setattr(d, "SeriesInstanceUID", f"1.2.3.{k + 1}"))
    np.testing.assert_array_equal(read(folder).stored()[0], volume)
    (one,) = list_series(folder)
    assert one.images == 6


def test_single_images_of_other_series_are_not_joined(tmp_path: Path) -> None:
    def apart(dataset: Any, index: int) -> None:
        dataset.SeriesInstanceUID, dataset.SeriesNumber = f"1.2.3.{index + 1}", index + 1

    assert len(list_series(series(tmp_path, head(), apart))) == 6


def test_copies_of_a_file_count_once(tmp_path: Path) -> None:
    folder = series(tmp_path / "in", head())
    shutil.copy(folder / "0002.dcm", folder / "0002(1).dcm")
    assert read(folder).voxels.shape == (1, 6, 20, 16)
    assert [one.images for one in list_series(folder)] == [6]
    edit(shutil.copy(folder / "0003.dcm", folder / "again.dcm"), lambda d: setattr(d, "InstitutionName", "sent twice"))
    assert [one.images for one in list_series(folder)] == [6]


@pytest.mark.parametrize(
    "groups",
    [
        lambda k: {"MRDiffusionSequence": item(DiffusionBValue=500.0 * k)},
        lambda k: {"MREchoSequence": item(EffectiveEchoTime=5.0 + k)},
        lambda k: {"FrameContentSequence": item(TemporalPositionIndex=k + 1)},
        lambda k: {},
    ],
)
def test_an_enhanced_object_may_hold_a_volume_several_times(groups: Any, tmp_path: Path) -> None:
    stored = frames()
    about = [{"depth": 2.5 * z, **groups(k)} for k in range(3) for z in range(4)]
    image = read(save(enhanced(stored.reshape(-1, 20, 16), about), tmp_path / "in.dcm"))
    np.testing.assert_array_equal(image.stored(), stored)
    back = read(write(image.with_voxels(image.voxels * np.float32(0.5)), tmp_path / "out.dcm"))
    np.testing.assert_allclose(back.voxels, stored / 2.0, atol=0.02)


def test_times_of_enhanced_frames(tmp_path: Path) -> None:
    about = [
        {"depth": 2.5 * z, "TemporalPositionSequence": item(TemporalPositionTimeOffset=1.5 * k)}
        for k in range(3)
        for z in range(4)
    ]
    assert read(save(enhanced(frames().reshape(-1, 20, 16), about), tmp_path / "a.dcm")).frame_times == (0, 1500, 3000)


def test_magnitude_and_phase_in_one_enhanced_object_are_one(tmp_path: Path) -> None:
    stored = frames(2)
    about = [
        {
            "depth": 2.5 * z,
            "MRImageFrameTypeSequence": item(ComplexImageComponent=component, FrameType=["ORIGINAL", "PRIMARY"]),
        }
        for component in ("MAGNITUDE", "PHASE")
        for z in range(4)
    ]
    path = save(enhanced(stored.reshape(-1, 20, 16), about), tmp_path / "in.dcm")
    assert "choose the magnitude alone, '1.2.3.4/magnitude'" in message_of(path)
    image = read(path, series="1.2.3.4/magnitude")
    np.testing.assert_array_equal(image.stored()[0], stored[0])
    assert "phase" in message_of(path, series="1.2.3.4/phase")
    back = read(write(image.with_voxels(image.voxels * np.float32(0.5)), tmp_path / "out.dcm"))
    np.testing.assert_allclose(back.voxels[0], stored[0] / 2.0, atol=0.02)
    header = back.source.headers[0]
    assert header.NumberOfFrames == 4
    for frame in header.PerFrameFunctionalGroupsSequence:
        assert frame.MRImageFrameTypeSequence[0].FrameType[0] == "DERIVED"


def test_an_enhanced_ultrasound_volume_is_a_volume(tmp_path: Path) -> None:
    stored = head(12).astype(np.uint8)
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.4, 0.5], SliceThickness=0.8)],
        PlaneOrientationVolumeSequence=[item(ImageOrientationVolume=AXIAL)],
    )
    groups = [item(PlanePositionVolumeSequence=[item(ImagePositionVolume=[-20, 0, 0.8 * k])]) for k in range(12)]
    values = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": groups}
    image = read(save(dicom("US volume", stored, **values), tmp_path / "a.dcm"))
    np.testing.assert_array_equal(image.stored()[0], stored)
    np.testing.assert_allclose(image.spacing, (0.5, 0.4, 0.8))
    assert image.origin == (-20, 0, 0)
    header = read(write(image, tmp_path / "out.dcm")).source.headers[0]
    assert list(header.ImageType[:2]) == ["DERIVED", "PRIMARY"]  # the enhanced classes admit no SECONDARY


PLACED = {"ImagePositionPatient": [0, 0, 5], "ImageOrientationPatient": AXIAL, "PixelSpacing": [0.3, 0.3]}


def test_a_placed_multi_frame_object_without_groups_is_a_volume_unless_it_tells_of_time(tmp_path: Path) -> None:
    stored = head(10).astype(np.int16)
    dental = dicom("CT", stored, **PLACED, SliceThickness=0.4, SpacingBetweenSlices=0.5)
    image = read(save(dental, tmp_path / "a.dcm"))
    assert (image.voxels.shape, image.spacing) == ((1, 10, 20, 16), (0.3, 0.3, 0.5))
    back = read(write(image.with_voxels(image.voxels * np.float32(0.5)), tmp_path / "out.dcm"))
    assert (back.voxels.shape, back.spacing) == (image.voxels.shape, image.spacing)
    dental.FrameTime = "40"
    assert read(save(dental, tmp_path / "b.dcm")).voxels.shape == (10, 1, 20, 16)
    cine = dicom("US", stored.astype(np.uint8), **PLACED, SliceThickness=0.4)
    assert read(save(cine, tmp_path / "c.dcm")).voxels.shape == (10, 1, 20, 16)


def test_frames_at_given_offsets_are_slices(tmp_path: Path) -> None:
    values = {**PLACED, "FrameIncrementPointer": 0x3004000C, "GridFrameOffsetVector": [0, 2, 4, 6]}
    image = read(save(dicom("CT", head(4).astype(np.int16), **values), tmp_path / "a.dcm"))
    assert (image.voxels.shape[:2], image.spacing[2]) == ((1, 4), 2.0)
    values["GridFrameOffsetVector"] = [0, 2, 4, 9]
    assert "unevenly spaced" in message_of(save(dicom("CT", head(4).astype(np.int16), **values), tmp_path / "b.dcm"))


@pytest.mark.parametrize(("said", "held"), [(1, 3), (None, 3), (0, 4), (1, 4), (4, 12), (4, 3)])
def test_more_or_fewer_frames_than_declared_are_never_colour(said: int | None, held: int, tmp_path: Path) -> None:
    dataset = dicom("US", head(held).astype(np.uint8))
    if said is None:
        del dataset.NumberOfFrames
    else:
        dataset.NumberOfFrames = said
    text = message_of(save(dataset, tmp_path / "a.dcm"))
    assert "Number of Frames" in text or "truncated" in text


@pytest.mark.parametrize(("said", "held"), [(6, 4), (1, 3), (2, 3)])
def test_compressed_frames_must_be_as_many_as_declared(said: int, held: int, tmp_path: Path) -> None:
    import io

    from PIL import Image as Picture
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    dataset = dicom("US", head(held).astype(np.uint8), NumberOfFrames=said)
    codes = []
    for plane in head(held).astype(np.uint8):
        stream = io.BytesIO()
        Picture.fromarray(plane).save(stream, "JPEG")
        codes.append(stream.getvalue())
    dataset.PixelData = encapsulate(codes)
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    assert f"declares {said} frames and holds {held}" in message_of(save(dataset, tmp_path / "a.dcm"))


def test_a_mosaic_is_a_volume_where_nibabel_finds_it(tmp_path: Path) -> None:
    with warnings.catch_warnings():  # it calls itself experimental
        warnings.simplefilter("ignore")
        from nibabel.nicom.dicomwrappers import wrapper_from_file

    path = mosaics(tmp_path / "in") / "0.dcm"
    image, theirs = read(path), wrapper_from_file(path)
    assert image.voxels.shape == (1, 48, 128, 128)
    np.testing.assert_array_equal(image.voxels[0].T.swapaxes(0, 1), theirs.get_data())  # theirs: row, column, slice
    affine = theirs.affine[:3, [1, 0, 2]]  # LPS
    np.testing.assert_allclose(np.reshape(image.direction, (3, 3)) * image.spacing, affine, atol=1e-4)
    np.testing.assert_allclose(image.origin, theirs.affine[:3, 3], atol=1e-4)
    back = read(write(image, tmp_path / "same.dcm"))
    np.testing.assert_array_equal(back.source.headers[0].Rows, 896)
    np.testing.assert_array_equal(back.stored(), image.stored())
    restored = wrapper_from_file(write(image.with_voxels(image.voxels * np.float32(0.5)), tmp_path / "half.dcm"))
    np.testing.assert_allclose(restored.get_data(), theirs.get_data() / 2, atol=0.1)


def test_mosaics_of_a_series_are_frames(tmp_path: Path) -> None:
    image = read(mosaics(tmp_path / "in", 3))
    assert image.voxels.shape == (3, 48, 128, 128)
    assert image.frame_times == (0.0, 2000.0, 4000.0)
    np.testing.assert_array_equal(read(write(image, tmp_path / "out")).stored(), image.stored())


def test_a_mosaic_that_nothing_explains_is_refused(tmp_path: Path) -> None:
    kinds = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    assert "CSA header (0029,1010)" in message_of(save(dicom("MR", head(1)[0], ImageType=kinds), tmp_path / "a.dcm"))
    path = mosaics(tmp_path / "in") / "0.dcm"
    edit(path, lambda dataset: setattr(dataset[0x00291010], "value", dataset[0x00291010].value[:200]))
    assert "CSA header (0029,1010)" in message_of(path)


def nuclear(count: int, **values: Any) -> Any:
    return dicom("NM", head(count), PixelSpacing=[4, 4], **values)


def phase(**values: Any) -> Any:
    return item(**values)


def test_delays_and_pauses_of_a_dynamic_nuclear_study_move_its_frames(tmp_path: Path) -> None:
    phases = [
        phase(PhaseDelay=1000, ActualFrameDuration=500, PauseBetweenFrames=100, NumberOfFramesInPhase=2),
        phase(PhaseDelay=5000, ActualFrameDuration=2000, PauseBetweenFrames=0, NumberOfFramesInPhase=2),
    ]
    path = save(nuclear(4, PhaseInformationSequence=phases), tmp_path / "a.dcm")
    assert read(path).frame_times == (1000, 1600, 7100, 9100)


def test_two_detectors_of_a_dynamic_study_share_its_times(tmp_path: Path) -> None:
    phases = [phase(ActualFrameDuration=500, NumberOfFramesInPhase=2)]
    dataset = nuclear(4, PhaseInformationSequence=phases, FrameIncrementPointer=[0x00540020, 0x00540030, 0x00540100])
    dataset.DetectorVector, dataset.PhaseVector, dataset.TimeSliceVector = [1, 2, 1, 2], [1] * 4, [1, 1, 2, 2]
    assert read(save(dataset, tmp_path / "a.dcm")).frame_times == (0, 0, 500, 500)


def test_a_vector_of_the_wrong_length_is_named(tmp_path: Path) -> None:
    dataset = nuclear(4, FrameIncrementPointer=0x00540080)
    dataset.SliceVector = [1, 2, 3]
    assert "Slice Vector (0054,0080)" in message_of(save(dataset, tmp_path / "a.dcm"))


def test_frame_times_of_a_video_that_jumps_are_kept(tmp_path: Path) -> None:
    steps = ["0", "10", "10", "90", "10"]
    path = save(dicom("US", head(5).astype(np.uint8), FrameTimeVector=steps), tmp_path / "a.dcm")
    image = read(path)
    assert image.frame_times == (0, 10, 20, 110, 120)
    assert read(write(image, tmp_path / "a.nrrd")).frame_times == image.frame_times
    from MedRestoreLib.errors import OutputError

    with pytest.raises(OutputError, match="uneven"):
        write(image, tmp_path / "a.mp4")


def test_pixels_that_are_not_square_have_a_spacing_that_is_no_length(tmp_path: Path) -> None:
    image = read(save(dicom("US", head(1)[0].astype(np.uint8), PixelAspectRatio=["3", "4"]), tmp_path / "a.dcm"))
    assert image.spacing == (pytest.approx(4 / 3), 1.0, 1.0)
    assert not image.spacing_known
    for bad in (["0", "4"], ["-3", "4"]):
        dataset = dicom("US", head(1)[0].astype(np.uint8), PixelAspectRatio=bad)
        assert read(save(dataset, tmp_path / "b.dcm")).spacing == (1.0, 1.0, 1.0)

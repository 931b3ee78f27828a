"""What passes through the exchange folder arrives as it was, in short steps, and nothing half-made stays."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib.service.exchange import Exchange, command, kill
from MedRestoreLib.service.slabs import SLAB_BYTES

TYPES = ("uint8", "int16", ">i2", "float32", "float64", "bool")


def frames_of(shape: tuple[int, ...], dtype: str, contiguous: bool, seed: int = 0) -> list[np.ndarray]:
    stored = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 250, shape).astype(dtype)
    return list(stored if contiguous else np.asfortranarray(stored))


def largest_step(fractions: list[float], size: int) -> float:
    return np.diff([0.0, *fractions]).max() * size


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 6)] * 4),
    components=st.sampled_from([(), (3,), (4,)]),
    dtype=st.sampled_from(TYPES),
    contiguous=st.booleans(),
)
def test_what_was_sent_is_what_arrives(shape, components, dtype, contiguous):
    frames = frames_of((*shape, *components), dtype, contiguous)
    with Exchange() as exchange:
        upload = exchange.send(frames, {"spacing": (1, 2, 3)})
        np.testing.assert_array_equal(np.load(upload.path), frames)
        arrays = [np.empty_like(frame) for frame in frames]
        shutil.move(upload.path, exchange.folder / "9-out.npy")
        assert list(exchange.receiving(9, arrays))[-1:] == [1.0]
        np.testing.assert_array_equal(arrays, frames)
        assert not list(exchange.folder.iterdir())


@pytest.mark.parametrize("shape", [(1, 60, 256, 256), (1, 1, 3000, 2000), (90, 1, 200, 300)])
def test_no_step_copies_more_than_a_slab(shape):
    frames = frames_of(shape, "float32", True)
    size = sum(frame.nbytes for frame in frames)
    with Exchange() as exchange:
        fractions = list(exchange.sending(frames, {}))
        assert fractions[-1] == 1.0
        assert largest_step(fractions, size) < 1.05 * SLAB_BYTES
        sent = next(exchange.folder.iterdir())
        shutil.move(sent, exchange.folder / "9-out.npy")
        assert largest_step(list(exchange.receiving(9, [np.empty_like(f) for f in frames])), size) < 1.05 * SLAB_BYTES


def test_stopped_at_any_step_nothing_is_left():
    frames = frames_of((1, 60, 256, 256), "float32", True)
    with Exchange() as exchange:
        for taken in (1, 3):
            sending = exchange.sending(frames, {})
            for _ in range(taken):
                next(sending)
            sending.close()
            assert not list(exchange.folder.iterdir())
        upload = exchange.send(frames, {})
        for taken in (0, 2):
            request = exchange.request("restore", upload)
            shutil.copy(upload.path, exchange.folder / request["output"])
            receiving = exchange.receiving(request["id"], [np.empty_like(frame) for frame in frames])
            for _ in range(taken):
                next(receiving)
            receiving.close()
            assert not (exchange.folder / request["output"]).exists()


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([np.zeros((2, 3, 4)), np.zeros((2, 3, 5))], "differ in size"),
        ([np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4))], "differ in size or type"),
        ([np.zeros((3, 4))], "cannot be restored"),
        ([np.zeros((2, 3, 4), complex)], "cannot be restored"),
    ],
)
def test_what_is_no_study_is_refused(frames, says):
    with Exchange() as exchange, pytest.raises(mr.UnsupportedImage, match=says):
        exchange.send(frames, {})


def test_a_result_unlike_what_it_is_for_is_refused():
    with Exchange() as exchange:
        for number, stored in enumerate([np.zeros((1, 2, 3, 4), np.float32), np.zeros((1, 2, 3, 4))]):
            np.save(exchange.folder / f"{number}-out.npy", stored)
        for number, shape in ((0, (2, 3, 5)), (1, (2, 3, 4)), (2, (2, 3, 4))):
            with pytest.raises(mr.OutputError):
                list(exchange.receiving(number, [np.zeros(shape, np.float32)]))


def test_a_request_is_one_line_of_json_whatever_the_plan_holds():
    image = mr.Image.from_array(np.random.default_rng(0).normal(100, 5, (4, 64, 64)), modality="MR")
    plan = mr.recommend(
        image, method="bm3d", noise="gaussian", options={"psd": np.ones((8, 8))}, mask=image.voxels[0] > 90
    )
    with Exchange() as exchange:
        upload, mask = exchange.send(image.voxels, {"modality": "OT"}), exchange.send([plan.mask], {})
        request = exchange.request(
            "preview", upload, plan, mask=mask, at=(0, np.int64(2)), modality="MR", level=np.float32(4)
        )
        read = json.loads(json.dumps(request))
        assert read == request
        assert read["image"]["modality"] == "MR"
        assert (read["frame"], read["slice"], read["edits"]) == (0, 2, {"level": 4.0})
        assert read["plan"]["options"]["psd"] == np.ones((8, 8)).tolist()
        assert read["plan"]["estimate"]["level"] == pytest.approx(5, rel=0.1)
        again = exchange.request("restore", upload, plan.to_dict(), mask=mask)
        assert again["plan"] == read["plan"]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="elsewhere a worker goes by its number")
def test_a_kill_meets_no_process_that_merely_names_the_folder():
    with Exchange() as exchange:
        wait = "import time; time.sleep(600)"
        bystanders = [[sys.executable, "-c", wait, str(exchange.folder)], [sys.executable, "-c", wait, "worker", "x"]]
        worker = [sys.executable, "-c", wait, *command("python", exchange.folder)[1:]]
        running = [subprocess.Popen(one) for one in (*bystanders, worker)]
        for process in running:  # until its command has taken the place of ours
            while str(exchange.folder) not in (said := Path(f"/proc/{process.pid}/cmdline").read_text()):
                if "worker\0x" in said:
                    break
                time.sleep(0.01)
        kill(exchange.folder, None)
        assert running[2].wait() < 0
        assert [process.poll() for process in running[:2]] == [None, None]
        for process in running[:2]:
            process.kill()
            process.wait()


def test_a_spacing_that_is_not_known_stays_so_in_the_worker():
    image = mr.Image.from_array(np.ones((4, 4)), spacing_known=False)
    with Exchange() as exchange:
        upload = exchange.send(image.voxels, {"spacing": image.spacing, "spacing_known": image.spacing_known})
        assert exchange.request("restore", upload)["image"]["spacing_known"] is False

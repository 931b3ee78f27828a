"""ISMRMRD files as its library writes them: a header in XML, and a table of acquisitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_INDEX = np.dtype(
    [
        *[
            (name, "<u2")
            for name in (
                "kspace_encode_step_1",
                "kspace_encode_step_2",
                "average",
                "slice",
                "contrast",
                "phase",
                "repetition",
                "set",
                "segment",
            )
        ],
        ("user", "<u2", (8,)),
    ]
)
HEAD = np.dtype(
    [
        ("version", "<u2"),
        ("flags", "<u8"),
        ("measurement_uid", "<u4"),
        ("scan_counter", "<u4"),
        ("acquisition_time_stamp", "<u4"),
        ("physiology_time_stamp", "<u4", (3,)),
        ("number_of_samples", "<u2"),
        ("available_channels", "<u2"),
        ("active_channels", "<u2"),
        ("channel_mask", "<u8", (16,)),
        ("discard_pre", "<u2"),
        ("discard_post", "<u2"),
        ("center_sample", "<u2"),
        ("encoding_space_ref", "<u2"),
        ("trajectory_dimensions", "<u2"),
        ("sample_time_us", "<f4"),
        ("position", "<f4", (3,)),
        ("read_dir", "<f4", (3,)),
        ("phase_dir", "<f4", (3,)),
        ("slice_dir", "<f4", (3,)),
        ("patient_table_position", "<f4", (3,)),
        ("idx", _INDEX),
        ("user_int", "<i4", (8,)),
        ("user_float", "<f4", (8,)),
    ]
)
NOISE = 1 << 18
_XML = """<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <encoding>
  <encodedSpace><matrixSize><x>{columns}</x><y>{rows}</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>{width}</x><y>{height}</y><z>5</z></fieldOfView_mm></encodedSpace>
  <reconSpace><matrixSize><x>{wanted}</x><y>{rows}</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>{wanted}</x><y>{height}</y><z>5</z></fieldOfView_mm></reconSpace>
  <encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{last}</maximum><center>{centre}</center>
   </kspace_encoding_step_1></encodingLimits>
  <trajectory>{trajectory}</trajectory>
 </encoding>
</ismrmrdHeader>"""


def write(
    path: Path,
    kspace: np.ndarray,
    *,
    noise: np.ndarray | None = None,
    wanted: int | None = None,
    skip: int = 0,
    trajectory: str = "cartesian",
    position: tuple[float, float, float] = (10.0, -20.0, 30.0),
) -> None:
    """Write k-space ``(coils, slices, rows, columns)`` of pixels of 1 mm and slices 6 mm apart.

    Args:
        noise: ``(coils, samples)`` of a scan without signal.
        wanted: columns of the reconstruction, fewer than the encoded ones where the readout is oversampled.
        skip: leave out every so many-th line.
    """
    import h5py

    coils, slices, rows, columns = kspace.shape
    lines = [] if noise is None else [(NOISE, 0, 0, noise)]
    lines += [
        (0, number, row, kspace[:, number, row])
        for number in range(slices)
        for row in range(rows)
        if not (skip and row % skip)
    ]
    table = np.zeros(
        len(lines),
        np.dtype([("head", HEAD), ("traj", h5py.vlen_dtype(np.float32)), ("data", h5py.vlen_dtype(np.float32))]),
    )
    for record, (flags, number, row, data) in zip(table, lines, strict=True):
        head = record["head"]
        head["version"], head["flags"] = 1, flags
        head["active_channels"] = head["available_channels"] = coils
        head["number_of_samples"], head["center_sample"] = data.shape[1], data.shape[1] // 2
        head["read_dir"], head["phase_dir"], head["slice_dir"] = np.eye(3)
        head["position"] = np.add(position, (0, 0, 6 * number))
        head["idx"]["kspace_encode_step_1"], head["idx"]["slice"] = row, number
        record["traj"] = np.zeros(0, np.float32)
        record["data"] = np.ascontiguousarray(data, np.complex64).view(np.float32).ravel()
    xml = _XML.format(
        columns=columns,
        rows=rows,
        width=columns,
        height=rows,
        wanted=wanted or columns,
        last=rows - 1,
        centre=rows // 2,
        trajectory=trajectory,
    )
    with h5py.File(path, "w") as file:
        group = file.create_group("dataset")
        group.create_dataset("xml", data=np.array([xml], dtype=object), dtype=h5py.string_dtype())
        group.create_dataset("data", data=table)

"""A study as MedRestore sees it: float32 voxels in the study's own unit, and the geometry they live in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import resampling
from .errors import UnsupportedImage

# Luma weights of ITU-R BT.601, which JPEG and DICOM's YBR_FULL use (DICOM PS3.3 C.7.6.3.1.2).
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Source:
    """Where an image came from and how its numbers were stored, so that it can go back the same way.

    ``dtype`` is the NumPy name of the stored type. For DICOM, ``stored = (voxels - intercept) / slope`` and ``headers``
    holds the datasets without their pixels, in the order of the slices (or the one multi-frame header). ``format`` is
    the file name's suffix as read (".nrrd", ".dcm", ".png", ".mp4"...), "" for an array. ``native`` is what a NIfTI or
    NRRD header says beyond an Image (codes, intents, labels); it goes back into a file of the same format.
    """

    format: str = ""
    dtype: str = "float32"
    slope: float = 1.0
    intercept: float = 0.0
    headers: tuple[Any, ...] = field(default=(), repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    native: Any = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels with geometry, modality and unit. Never changed in place: ``with_voxels`` makes the next one.

    Attributes:
        voxels: float32, read-only, ``(frames, slices, rows, columns)``, in the study's own unit.
        spacing: distance between voxel centres along columns, rows and slices (x, y, z), mm; all > 0.
        origin: position of voxel (0, 0, 0), LPS, mm.
        direction: 3x3, row-major; column k is the unit vector along image axis k (x, y, z), LPS, as in ITK.
        frame_times: start of each frame in ms, or () when unknown or there is one frame.
        modality: DICOM code: "MR", "NM", "US"..., "OT" when unknown.
        unit: unit of a voxel ("counts", "HU"...), "" when unknown.
        colour: None, or float32 ``(frames, slices, rows, columns, components)``: what must be added to the luma in
            ``voxels`` to get red, green and blue; further components (alpha) stand as they are.
        remainder: None, or float64 like ``voxels``: what float32 could not hold of the stored numbers (64-bit types).
        source: how it was stored.
        spacing_known: False where the source does not state its spacing, as a PNG: ``spacing`` then counts voxels
            (1 where nothing is known), and lengths, areas and volumes cannot be given in mm.
        padding: None, or float32 like ``voxels``: the value of each voxel that only fills the rectangle (DICOM's Pixel
            Padding), NaN where something was measured. ``voxels`` holds the smallest measured value there, so that
            padding is not filtered into its neighbours; ``stored`` puts the padding back.
        phase: None, or float32 like ``voxels``, radians: the study is complex, and ``voxels`` its magnitude. It is
            restored as complex numbers, whose noise is Gaussian and without bias.
    """

    voxels: np.ndarray
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    frame_times: tuple[float, ...] = ()
    modality: str = "OT"
    unit: str = ""
    colour: np.ndarray | None = field(default=None, repr=False)
    remainder: np.ndarray | None = field(default=None, repr=False)
    source: Source = field(default_factory=Source, repr=False)
    spacing_known: bool = True
    padding: np.ndarray | None = field(default=None, repr=False)
    phase: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels, dtype=np.float32)
        if voxels.ndim != 4 or voxels.size == 0:
            raise UnsupportedImage(
                f"voxels must be (frames, slices, rows, columns) and not empty, got shape {voxels.shape}; "
                "Image.from_array takes 2-D and 3-D arrays."
            )
        object.__setattr__(self, "voxels", _read_only(voxels))
        object.__setattr__(self, "spacing", tuple(float(s) for s in self.spacing))
        object.__setattr__(self, "origin", tuple(float(o) for o in self.origin))
        object.__setattr__(self, "direction", tuple(float(d) for d in np.ravel(self.direction)))
        object.__setattr__(self, "frame_times", tuple(float(t) for t in self.frame_times))
        if len(self.spacing) != 3 or not all(np.isfinite(s) and s > 0 for s in self.spacing):
            raise UnsupportedImage(f"spacing must be three positive lengths in mm, got {self.spacing}.")
        axes = np.reshape(self.direction, (3, 3)) if len(self.direction) == 9 else np.zeros((3, 3))
        if len(self.origin) != 3 or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4):
            raise UnsupportedImage("the image axes are not perpendicular unit vectors; resample the study first.")
        if self.frame_times and len(self.frame_times) != voxels.shape[0]:
            raise UnsupportedImage(f"{len(self.frame_times)} frame times for {voxels.shape[0]} frames.")
        for name in ("colour", "remainder", "padding", "phase"):
            extra = getattr(self, name)
            if extra is not None:
                if extra.shape[:4] != voxels.shape:
                    raise UnsupportedImage(f"{name} has shape {extra.shape}, the voxels have {voxels.shape}.")
                object.__setattr__(self, name, _read_only(extra))

    @classmethod
    def from_array(cls, array: Any, *, axes: str = "", **attributes: Any) -> Image:
        """Image of a NumPy array (or anything ``np.asarray`` takes) of any real or complex type.

        Args:
            array: ``(rows, columns)``, ``(slices, rows, columns)`` or ``(frames, slices, rows, columns)``; with
                ``axes`` any order of the letters ``f``, ``z``, ``y``, ``x`` and ``c`` (colour, 3 or 4 components),
                e.g. ``"fyxc"`` for a colour cine.
            **attributes: the other attributes of ``Image``.

        Raises:
            UnsupportedImage: the shape does not fit, or the type is not a number.

        >>> Image.from_array([[1, 2], [3, 4]], modality="MR").voxels.shape
        (1, 1, 2, 2)
        """
        stored = np.asarray(array)
        if stored.dtype.kind not in "biufc":
            raise UnsupportedImage(f"voxels of type {stored.dtype} are not numbers.")
        axes = axes or {2: "yx", 3: "zyx", 4: "fzyx"}.get(stored.ndim, "")
        if len(axes) != stored.ndim or len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes) <= set("fzyxc"):
            raise UnsupportedImage(f"an array of shape {stored.shape} cannot be read as axes '{axes}'.")
        order = [a for a in "fzyxc" if a in axes]
        full = stored.transpose([axes.index(a) for a in order])
        for position, axis in enumerate("fz"):
            if axis not in axes:
                full = np.expand_dims(full, position)
        attributes.setdefault("source", Source(dtype=str(stored.dtype)))
        if full.dtype.kind == "c":
            if "c" in axes:
                raise UnsupportedImage("complex colours are not supported.")
            return cls(np.abs(full), phase=np.angle(full).astype(np.float32), **attributes)
        if "c" not in axes:
            return cls(full, remainder=_remainder(full), **attributes)
        if full.shape[4] not in (3, 4):
            raise UnsupportedImage(f"colour needs 3 or 4 components, got {full.shape[4]}.")
        colour = np.array(full, dtype=np.float32)
        luma = (colour[..., :3] @ np.array(LUMA, np.float32)).astype(np.float32)
        colour[..., :3] -= luma[..., None]
        return cls(luma, colour=colour, **attributes)

    def with_voxels(self, voxels: np.ndarray) -> Image:
        """The same study with other voxels of the same shape, kept as float32."""
        if np.shape(voxels) != self.voxels.shape:
            raise ValueError(f"voxels have shape {np.shape(voxels)}, the study has {self.voxels.shape}")
        return replace(self, voxels=voxels, remainder=None)

    def enlarged(self, factor: int, voxels: np.ndarray | None = None) -> Image:
        """The same study on a grid with ``factor`` times as many rows and columns; frames and slices stay.

        It fills the same place: the edges of its voxels coincide with those of the coarser ones. Colour is interpolated
        bicubically, padding is repeated.

        Args:
            factor: 1 gives the study itself.
            voxels: ``(frames, slices, factor * rows, factor * columns)``; None interpolates them bicubically. They
                fall below zero only where the study does, and not below its least voxel.

        >>> fine = Image.from_array([[1, 2], [3, 4]], spacing=(1, 2, 5)).enlarged(2)
        >>> fine.voxels.shape, fine.spacing, fine.origin
        ((1, 1, 4, 4), (0.5, 1.0, 5.0), (-0.25, -0.5, 0.0))
        """
        if factor == 1:
            return self if voxels is None else self.with_voxels(voxels)
        rows, columns = self.voxels.shape[2:]
        if voxels is None:
            voxels = np.maximum(resampling.enlarged(self.voxels, factor), least(self.voxels))
        if np.shape(voxels) != (*self.voxels.shape[:2], factor * rows, factor * columns):
            raise ValueError(f"voxels have shape {np.shape(voxels)}, not {factor} times that of {self.voxels.shape}")
        across, down, through = self.spacing
        spacing = (across / factor, down / factor, through)
        shift = [(fine - coarse) / 2 for fine, coarse in zip(spacing, self.spacing, strict=True)]
        colour, padding = self.colour, self.padding
        if colour is not None:
            colour = np.moveaxis(resampling.enlarged(np.moveaxis(colour, 4, 2), factor), 2, 4)
        return replace(
            self,
            voxels=voxels,
            spacing=spacing,
            origin=tuple(np.array(self.origin) + np.reshape(self.direction, (3, 3)) @ shift),
            colour=colour,
            remainder=None,
            padding=None if padding is None else resampling.repeated(padding, factor),
            phase=None,
        )

    def magnitude(self) -> Image:
        """The study without its phase; itself where it is not complex."""
        if self.phase is None:
            return self
        real = np.dtype(self.source.dtype).kind != "c"
        return replace(self, phase=None, source=self.source if real else replace(self.source, dtype="float32"))

    def stored(self) -> np.ndarray:
        """Voxels as they were stored, or would be: ``(frames, slices, rows, columns[, components])``.

        An untouched image gives back the very numbers it was read from, in their type. Colour is rounded to its
        integer type and kept in its range; other voxels that do not fit their integer type come back as float32.
        Complex numbers come back as complex64 where they were complex, else as their magnitude.
        """
        dtype = np.dtype(self.source.dtype)
        voxels = self.with_padding()
        if dtype.kind == "c":
            return (voxels * np.exp(1j * (0 if self.phase is None else self.phase))).astype(np.complex64)
        if self.colour is not None:
            components = np.array(self.colour)
            components[..., :3] += self.voxels[..., None]
            return as_integers(components, dtype) if dtype.kind in "iu" else components.astype(dtype)
        if self.remainder is not None:
            return (voxels.astype(np.float64) + self.remainder).astype(dtype)
        if dtype == np.float32 or (dtype.itemsize < 4 and dtype.kind == "f"):
            return np.array(voxels)
        with np.errstate(invalid="ignore", over="ignore"):
            typed = voxels.astype(dtype)
            return typed if np.array_equal(typed.astype(np.float32), voxels) else np.array(voxels)

    def with_padding(self) -> np.ndarray:
        """Voxels, and the padding's own values where there is padding."""
        return self.voxels if self.padding is None else np.where(np.isnan(self.padding), self.voxels, self.padding)

    def same_grid(self, other: Image, tolerance: float = 1e-3) -> bool:
        """Whether both images have the same shape and lie on the same points in space, within ``tolerance`` mm."""
        if self.voxels.shape[1:] != other.voxels.shape[1:]:
            return False
        extent = max(np.multiply(self.spacing, self.voxels.shape[:0:-1]))
        return bool(
            np.allclose(self.spacing, other.spacing, atol=tolerance)
            and np.allclose(self.origin, other.origin, atol=tolerance)
            and np.allclose(self.direction, other.direction, atol=tolerance / extent)
        )


def least(voxels: np.ndarray) -> float:
    """What no voxel of an enlarged study falls below: zero, or the study's least voxel where that is negative."""
    return min(0.0, float(voxels.min()))


def as_integers(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round to the integer type, values beyond its range kept at its ends."""
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values.astype(np.float64)), limits.min, limits.max).astype(dtype)


def _remainder(stored: np.ndarray) -> np.ndarray | None:
    """What float32 loses of 64-bit floats and of integers beyond 2^24; None when it loses nothing."""
    if stored.dtype.kind == "b" or stored.dtype.itemsize < 4 or stored.dtype == np.float32:
        return None
    exact = stored.astype(np.float64)
    if stored.dtype.kind in "iu" and np.abs(exact).max(initial=0) >= 2.0**53:
        raise UnsupportedImage("voxel values beyond 2^53 are not supported; rescale the study first.")
    with np.errstate(invalid="ignore", over="ignore"):
        lost = exact - exact.astype(np.float32)
    lost[~np.isfinite(lost)] = 0.0
    return lost if lost.any() else None


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view

"""A method bound to a study: the one place where a method meets voxels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MedRestoreError
from ..image import Image
from ..methods.row import Denoiser, Method
from ..noise import Noise, model
from . import checks, domains, series
from . import device as devices
from .domains import Domain
from .evening import evened, unevenness

if TYPE_CHECKING:
    import torch

    from .plan import Plan


@dataclass(frozen=True, eq=False)
class Denoising:
    """A method with all that it is told about one study. Called on voxels, or parts of them, it restores them.

    The noise of the voxels must be even: see ``evening``.

    Attributes:
        method: the row of the catalogue.
        implementation: its function.
        noise: the noise model, bound to the study.
        dimensions: 2 (planes are independent) or 3.
        factor: how many times as many rows and columns the result has.
        options: the method's own parameters.
        offset, scale: of the whole study; see ``Domain.range``. Parts of a study share them.
        device: where it is computed.
        precision: in which a network calculates, "float32" or "bfloat16".
        basis: of the whole study's frames, which are restored together; see ``series``. None: each for itself.
        across: what lets enlarged frames share their detail; see ``clips``. None: each is for itself.
    """

    method: Method
    implementation: Denoiser = field(repr=False)
    noise: Noise
    dimensions: int
    factor: int
    options: Mapping[str, Any]
    offset: float
    scale: float
    device: torch.device
    precision: str
    basis: np.ndarray | None = field(default=None, repr=False)
    across: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, image: Image, plan: Plan, device: torch.device) -> Denoising:
        """What ``plan`` says is done to ``image``, on ``device``."""
        method = checks.find_method(plan.method)
        noise = model(plan.noise).bind(image.voxels, plan.level)
        noise = replace(noise, spectrum=plan.spectrum, remove_bias=plan.remove_bias)
        even = evened(image.voxels, unevenness(plan, image.voxels))
        offset, scale = domains.find(method.domain).range(noise, even)
        options = method.parsed(plan.options)
        function, dimensions, factor = method.load(plan.factor), plan.dimensions, plan.factor
        basis = series.components(noise.stabilise(even)) if plan.together and checks.rotates(method) else None
        across = method.load_across(factor) if plan.together and method.across else None
        precision = devices.precision(plan.precision, device, learned=method.learned, preferred=method.bfloat16)
        return cls(
            method, function, noise, dimensions, factor, options, offset, scale, device, precision, basis, across
        )

    @property
    def domain(self) -> Domain:
        """The scale of values that the method is made for."""
        return domains.find(self.method.domain)

    @property
    def sigma(self) -> float:
        """The noise level as the method takes it."""
        return self.domain.sigma(self.noise, self.scale) if self.method.coloured else self.sigma_as_white

    @property
    def sigma_as_white(self) -> float:
        """The noise level as networks take it, which know no spectrum."""
        sigma, spectrum = self.domain.sigma(self.noise, self.scale), self.noise.spectrum
        return sigma if spectrum is None else sigma * spectrum.as_white

    @property
    def told(self) -> dict[str, Any]:
        """What the method is told beside the noise level, by keyword."""
        spectrum = {"spectrum": self.noise.spectrum} if self.method.coloured else {}
        return {**self.options, **self.domain.options(self.noise, self.scale), **spectrum}

    @property
    def reach(self) -> int:
        """How many voxels away a voxel can influence the result."""
        return self.method.reach_at(self.sigma, **self.options)

    def __call__(self, voxels: np.ndarray, progress: Callable[[float], None] = lambda fraction: None) -> np.ndarray:
        """Voxels restored at full strength, in the study's unit.

        Args:
            voxels: float32; in two dimensions ``(planes, rows, columns)``, in three ``(slices, rows, columns)``; where
                frames are restored together, all of them: ``(frames, slices, rows, columns)``.
            progress: called with the fraction done, where there are frames.

        Returns:
            An array like ``voxels``, with ``factor`` times as many rows and columns.

        Raises:
            MedRestoreError: the method returned values that are not numbers.
        """
        values = self.domain.forward(self.noise, voxels)
        clean = self._denoised(values) if self.basis is None else self._together(values, progress)
        return self.domain.inverse(self.noise, clean)

    def steadied(self, voxels: np.ndarray, enlarged: np.ndarray) -> np.ndarray:
        """The first of some frames with the detail that it shares with the others, ``(factor rows, factor columns)``.

        Args:
            voxels: float32 ``(frames, rows, columns)``.
            enlarged: each of them enlarged for itself.
        """
        import torch

        assert self.across is not None
        batches = [
            torch.from_numpy((values - np.float32(self.offset)) / np.float32(self.scale))[:, None].to(self.device)
            for values in (voxels, enlarged)
        ]
        with torch.inference_mode():
            first = self.across(*reversed(batches))[0, 0].cpu().numpy()
        return first * np.float32(self.scale) + np.float32(self.offset)

    def on_stabilised(self, stabilised: np.ndarray) -> np.ndarray:
        """As ``__call__``, from variance-stabilised voxels ``(frames, slices, rows, columns)`` to stabilised ones.

        Where frames are restored together, these are all the frames of one piece of the study, then of the next.
        """
        values = self.domain.from_stabilised(self.noise, stabilised)
        if self.basis is None:
            clean = np.stack([self._denoised(frame) for frame in values])
        else:
            pieces = values.reshape(-1, len(self.basis), *values.shape[1:])
            clean = np.concatenate([self._together(piece) for piece in pieces])
        return self.domain.to_stabilised(self.noise, clean)

    def _together(self, values: np.ndarray, progress: Callable[[float], None] = lambda fraction: None) -> np.ndarray:
        """The method on the components of frames ``(frames, slices, rows, columns)``."""
        assert self.basis is not None
        clean = np.empty_like(values)
        for number, component in enumerate(series.rotated(self.basis, values)):
            progress(number / len(clean))
            clean[number] = self._denoised(component)
        return series.rotated(self.basis.T, clean)

    def _denoised(self, values: np.ndarray) -> np.ndarray:
        """The method on values of its domain."""
        import torch

        values = (values - self.offset) / self.scale
        above = np.maximum(values - self.domain.ceiling(self.noise, self.scale), 0)
        scaled = torch.from_numpy(np.ascontiguousarray(values - above, dtype=np.float32))
        batch = scaled[:, None] if self.dimensions == 2 else scaled[None, None]
        with torch.inference_mode(), devices.calculating(self.precision, self.device):
            result = self.implementation(batch.to(self.device), self.sigma, **self.told).float()
        *others, rows, columns = scaled.shape
        restored = result.reshape(*others, self.factor * rows, self.factor * columns).cpu().numpy()
        if not np.isfinite(restored).all():  # an inverse transform could turn these into plausible zeros
            raise MedRestoreError(
                f"{self.method.id} gave values that are not numbers; please report it, use another method."
            )
        restored = restored + above if self.factor == 1 else np.maximum(restored, 0)
        return restored * np.float32(self.scale) + np.float32(self.offset)

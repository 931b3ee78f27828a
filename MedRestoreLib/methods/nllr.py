"""Non-local low-rank despeckling, after Zhu, Fu, Brown and Heng."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import avg_pool2d, fold, pad, unfold

from ..errors import InvalidPlan

PATCH = 8
STRIDE = 4  # between key patches; half a patch
REACH, SPACING = 14, 2  # candidates lie on every second pixel, at most this far away
GROUP = 60  # patches in a group
MARGIN = 16  # mirrored border: holds every candidate and is a multiple of STRIDE
NOISY_SHARE = 0.1  # of the speckled image in the first matching
BACK = 0.1
GAMMA = 1.0
RANK = 8
POWER = 2
THRESHOLD = 1.1
KEPT = 0
PSD = "no"
GMUL = 1.5
OUTLIER = 0.0
MODE = "g"
WEIGHT = "rank"
CHUNK = 2048  # groups worked on at once
TINY = 1e-6


def nonlocal_low_rank(images, sigma, *, iterations=2, compressed=0.0, reference=None):
    if compressed > 0 and reference is None:
        raise InvalidPlan("nllr: a log-compressed image needs the reference grey that the level refers to.")
    rows, columns = images.shape[2:]
    border = (MARGIN, MARGIN + -columns % STRIDE, MARGIN, MARGIN + -rows % STRIDE)
    noisy = pad(images, border, mode="reflect")

    def noise_std(grey):
        return torch.full_like(grey, sigma * reference) if compressed > 0 else sigma * grey

    guide = _guidance(noisy, noise_std)
    current = noisy
    matched = torch.cat([guide, math.sqrt(NOISY_SHARE) * noisy], 1)
    for iteration in range(iterations):
        blended = torch.lerp(current, noisy, BACK) if iteration else noisy
        members = _match(matched)
        current = _denoise(noisy, blended, guide, members, noise_std)
        guide = matched = current
    return current[:, :, MARGIN : MARGIN + rows, MARGIN : MARGIN + columns].contiguous()


def _guidance(images, noise_std, radius=4, passes=3):
    guide = _median(images)
    for _ in range(passes):
        mean = _box(guide, radius)
        variance = (_box(guide.square(), radius) - mean.square()).clamp_min_(0)
        slope = variance / (variance + (GMUL * noise_std(mean)).square() + TINY**2)
        guide = _box(slope, radius) * guide + _box(mean - slope * mean, radius)
    return guide


def _median(images):
    padded = pad(images, (1, 1, 1, 1), mode="replicate")
    rows, columns = images.shape[2:]
    shifted = [padded[:, :, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return torch.stack(shifted).median(0).values


def _box(images, radius):
    padded = pad(images, (radius,) * 4, mode="replicate")
    return avg_pool2d(avg_pool2d(padded, (2 * radius + 1, 1), 1), (1, 2 * radius + 1), 1)


def _match(images):
    """(keys, GROUP) flat indices of patch origins, batch included"""
    count, _, rows, columns = images.shape
    key_rows = (rows - 2 * MARGIN) // STRIDE - 1
    key_columns = (columns - 2 * MARGIN) // STRIDE - 1
    height, width = STRIDE * (key_rows + 1), STRIDE * (key_columns + 1)
    start = MARGIN
    offsets = [(y, x) for y in range(-REACH, REACH + 1, SPACING) for x in range(-REACH, REACH + 1, SPACING)]
    centre = images[:, :, start : start + height, start : start + width]
    distances = images.new_empty(count, key_rows, key_columns, len(offsets))
    for number, (y, x) in enumerate(offsets):
        shifted = images[:, :, start + y : start + y + height, start + x : start + x + width]
        squares = (shifted - centre).square_().sum(1)
        cells = squares.view(count, key_rows + 1, STRIDE, width).sum(2).view(count, key_rows + 1, key_columns + 1, STRIDE).sum(3)
        pairs = cells[:, 1:] + cells[:, :-1]
        torch.add(pairs[:, :, 1:], pairs[:, :, :-1], out=distances[..., number])
    best = distances.topk(GROUP, dim=3, largest=False, sorted=False).indices
    across = columns - PATCH + 1
    table = torch.tensor([y * across + x for y, x in offsets], device=images.device)
    ky = start + STRIDE * torch.arange(key_rows, device=images.device)
    kx = start + STRIDE * torch.arange(key_columns, device=images.device)
    kn = torch.arange(count, device=images.device) * (rows - PATCH + 1) * across
    keys = kn[:, None, None] + ky[:, None] * across + kx
    return (keys[..., None] + table[best]).view(-1, GROUP)


def _dct(like):
    k = torch.arange(PATCH, dtype=torch.float64)
    one = torch.cos(math.pi / PATCH * (k + 0.5) * k[:, None]) * math.sqrt(2 / PATCH)
    one[0] /= math.sqrt(2)
    full = torch.kron(one, one)
    order = (k[:, None] + k).flatten().argsort(stable=True)
    return full[order].to(like)


def _patches(images, basis):
    """(N * origins, 64)"""
    return (unfold(images, PATCH).transpose(1, 2) @ basis.T).reshape(-1, PATCH * PATCH)


def _denoise(noisy, blended, guide, members, noise_std):
    count, _, rows, columns = noisy.shape
    basis = _dct(noisy)
    spectra = _patches(blended, basis)
    powers = _patches(noisy - guide, basis).square_()
    grey = avg_pool2d(guide, PATCH, 1).flatten()
    moved = avg_pool2d((noisy - blended).square(), PATCH, 1).flatten()
    total, weights = torch.zeros_like(spectra), torch.zeros_like(grey)
    for chunk in members.split(CHUNK):
        flat = chunk.flatten()
        group = spectra.index_select(0, flat).view(-1, GROUP, PATCH * PATCH)
        variance = noise_std(grey[chunk].mean(1)).square()
        left = (1 - moved[chunk].mean(1) / (variance + TINY**2)).clamp_min(0) * GAMMA**2
        if PSD == "group":
            psd = powers.index_select(0, flat).view(-1, GROUP, PATCH * PATCH).mean(1)
            psd = psd + 0.02 * psd.mean(1, keepdim=True) + TINY**2
            psd = psd * (variance * left / psd.mean(1))[:, None]
        else:
            psd = (variance * left)[:, None].expand(-1, 64)
        scale = (psd.sqrt() + TINY)[:, None]
        mean = group.mean(1, keepdim=True)
        white = (group - mean) / scale
        low, rank, colw = _low_rank(white)
        weight = colw / (1 + rank)[:, None] if WEIGHT == "rank" else colw
        total.index_add_(0, flat, (low.mul_(scale).add_(mean)).mul_(weight[..., None]).view(-1, PATCH * PATCH))
        weights.index_add_(0, flat, weight.flatten())
    total = (total @ basis).view(count, -1, PATCH * PATCH).transpose(1, 2)
    weights = weights.view(count, 1, -1).expand(-1, PATCH * PATCH, -1)
    total = fold(total, (rows, columns), PATCH)
    weights = fold(weights, (rows, columns), PATCH)
    return torch.where(weights > 0, total / weights.clamp_min(TINY), blended)


def _low_rank(white):
    """white (B, n, 64), unit noise."""
    n, m = white.shape[1:]
    q = white[:, :, :RANK]
    gram = white @ white.transpose(1, 2)
    for _ in range(POWER):
        q = _orth(gram @ q)
    small = q.transpose(1, 2) @ gram @ q
    values, vectors = torch.linalg.eigh(small)
    values = values.clamp_min(0) / THRESHOLD**2
    if MODE == "g":
        inside = (values - m - n).clamp_min(0).square() - 4 * m * n
        gain = inside.clamp_min(0).sqrt() / values.clamp_min(TINY)
    elif MODE == "w":
        s = values.sqrt(); C = 2.83 * math.sqrt(n)
        gain = torch.where(values > 4 * C, (s + (values - 4 * C).clamp_min(0).sqrt()) / (2 * s).clamp_min(TINY), 0.0)
    if KEPT:
        gain[:, -KEPT:] = 1
    rank = (gain > 0).sum(1)
    basis = q @ vectors
    low = (basis * gain[:, None]) @ (basis.transpose(1, 2) @ white)
    colw = white.new_ones(white.shape[:2])
    if OUTLIER:
        e = (white - low).square().sum(2).sqrt()
        colw = (OUTLIER * 8 / e.clamp_min(TINY)).clamp_max(1)
    return low, rank, colw


def _orth(columns):
    return torch.linalg.qr(columns).Q

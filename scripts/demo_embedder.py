"""Train the offline crop embedder without labels: two views of one thing shall be near, of two things far.

Loss: NT-Xent (Chen et al., "A Simple Framework for Contrastive Learning", 2020). A glyph's views are its
strokes with other ink, paper, size, turn and light; a photograph's patch is seen shifted and recoloured.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from extraction.demo import paper
from extraction.demo.glyphs import Split, digit_of, glyphs_of
from extraction.demo.scenes import draw_glyph, ink, street_photographs
from extraction.packages.sdk.engine.embedding.base import crop_box, letterbox
from extraction.packages.sdk.engine.embedding.offline import (
    INPUT_SIZE,
    WEIGHTS_FILE,
    OfflineBackbone,
    OfflineEmbedder,
)

VIEWS = 10
PATCHES = 300
BATCH = 192
TEMPERATURE = 0.15

Bank = NDArray[np.uint8]


def glyph_crop(rng: np.random.Generator, glyph: int) -> NDArray[np.uint8]:
    """Draw a glyph on paper and cut it out as a detection's crop would be: (64, 64, 3)."""
    mask = draw_glyph(
        rng, glyph, float(np.exp(rng.uniform(np.log(40), np.log(120)))), float(rng.normal(0, 12))
    )
    if rng.random() < 0.4:
        kernel = np.ones((3, 3), np.uint8)
        mask = cv2.dilate(mask, kernel) if rng.random() < 0.5 else cv2.erode(mask, kernel)
    height, width = mask.shape
    margin = 16
    sheet = paper.sheet(
        rng, height + 2 * margin, width + 2 * margin, paper.PAPERS[int(rng.integers(len(paper.PAPERS)))]
    )
    ink(
        sheet,
        mask,
        (margin, margin),
        paper.INKS[int(rng.integers(len(paper.INKS)))],
        float(rng.uniform(0.5, 0.97)),
    )
    shot = paper.photograph(rng, sheet, paper.desk_for(int(rng.integers(64))))
    jitter = rng.normal(0, 0.05, 4)
    box = (
        margin + width * (0.5 + jitter[0]),
        margin + height * (0.5 + jitter[1]),
        width * (1 + jitter[2]),
        height * (1 + jitter[3]),
    )
    return letterbox(crop_box(shot, box), INPUT_SIZE)


def _glyph_bank(rng: np.random.Generator, split: Split, views: int) -> tuple[Bank, NDArray[np.int64]]:
    """Give (glyphs, views, 64, 64, 3) of a split and the digit of each (for measuring only)."""
    glyphs = [glyph for digit in range(10) for glyph in glyphs_of(split, digit)]
    bank = np.stack([[glyph_crop(rng, glyph) for _ in range(views)] for glyph in glyphs])
    return bank, np.asarray([digit_of(glyph) for glyph in glyphs])


def _patch_bank(rng: np.random.Generator) -> Bank:
    """Give (patches, views, 64, 64, 3) cut from the street photographs, each view a little shifted."""
    rows = []
    photographs = [np.asarray(Image.open(path).convert("RGB")) for path in street_photographs()]
    for _ in range(PATCHES):
        image = photographs[int(rng.integers(len(photographs)))]
        height, width = image.shape[:2]
        w, h = np.exp(rng.uniform(np.log(40), np.log(420), 2))
        x, y = (
            rng.uniform(w / 2, max(w / 2 + 1, width - w / 2)),
            rng.uniform(h / 2, max(h / 2 + 1, height - h / 2)),
        )
        views = []
        for _ in range(VIEWS):
            jitter = rng.normal(0, 0.08, 4)
            box = (x + w * jitter[0], y + h * jitter[1], w * (1 + jitter[2]), h * (1 + jitter[3]))
            views.append(letterbox(crop_box(image, box), INPUT_SIZE))
        rows.append(views)
    return np.asarray(rows, np.uint8)


def _augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift, scale, turn and recolour images (n, 3, 64, 64) in 0..1, each by itself."""
    count = len(images)
    noise = torch.randn(count, 8, generator=generator)
    angle, scale = noise[:, 0] * 0.10, 1 + noise[:, 1] * 0.07
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = torch.cos(angle) * scale, -torch.sin(angle) * scale
    theta[:, 1, 0], theta[:, 1, 1] = torch.sin(angle) * scale, torch.cos(angle) * scale
    theta[:, :, 2] = noise[:, 2:4] * 0.05
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    gain = (1 + noise[:, 4:7] * 0.10).view(count, 3, 1, 1)
    contrast = (1 + noise[:, 7] * 0.2).view(count, 1, 1, 1)
    middle = moved.mean(dim=(1, 2, 3), keepdim=True)
    return (((moved - middle) * contrast + middle) * gain).clamp(0, 1)


def _contrast(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """NT-Xent over two views (n, d) of unit length."""
    both = torch.cat([one, two])
    likeness = both @ both.T / TEMPERATURE
    likeness.fill_diagonal_(-1e4)
    partner = torch.arange(len(both)).roll(len(one))
    return functional.cross_entropy(likeness, partner)


def nearest_accuracy(
    known: NDArray[np.float32],
    digits: NDArray[np.int64],
    asked: NDArray[np.float32],
    truth: NDArray[np.int64],
) -> float:
    """Share of `asked` (m, d) whose 5 nearest of `known` (n, d) by cosine vote for the right digit."""
    nearest = np.argsort(-(asked @ known.T), axis=1)[:, :5]
    votes = np.asarray([np.bincount(digits[row], minlength=10).argmax() for row in nearest])
    return float((votes == truth).mean())


def train_embedder(out: Path, *, seed: int, steps: int) -> dict[str, Any]:
    """Train on the split `train`, save in half precision, and measure k-NN on the split `holdout`."""
    from safetensors.torch import save_file

    began = time.monotonic()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    glyph_bank, digits = _glyph_bank(rng, "train", VIEWS)
    bank = (
        torch.from_numpy(np.concatenate([glyph_bank, _patch_bank(rng)])).permute(0, 1, 4, 2, 3).contiguous()
    )
    model = OfflineBackbone().to(memory_format=torch.channels_last)
    head = nn.Sequential(nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(inplace=True), nn.Linear(256, 128))
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.randperm(len(bank), generator=generator)[:BATCH]
        views = torch.rand(BATCH, VIEWS, generator=generator).argsort(dim=1)[:, :2]
        pairs = torch.cat([bank[rows, views[:, 0]], bank[rows, views[:, 1]]]).float() / 255
        out_vectors = functional.normalize(head(model(_augment(pairs, generator))), dim=1)
        loss = _contrast(out_vectors[:BATCH], out_vectors[BATCH:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(
                f"embedder step {step}/{steps} loss {loss.item():.3f} {time.monotonic() - began:.0f} s",
                flush=True,
            )
    weights = out / WEIGHTS_FILE
    state = {
        name: value.half().contiguous()
        for name, value in model.state_dict().items()
        if value.is_floating_point()
    }
    state |= {name: value for name, value in model.state_dict().items() if not value.is_floating_point()}
    save_file(state, weights)
    weights.chmod(0o644)
    embedder = OfflineEmbedder(weights, device="cpu")
    asked, truth = _glyph_bank(np.random.default_rng(seed + 1), "holdout", 1)
    known = embedder.embed(list(glyph_bank[:, 0])).astype(np.float32)
    found = embedder.embed(list(asked[:, 0])).astype(np.float32)
    return {
        "steps": steps,
        "holdout 5-NN accuracy, ten digits": round(nearest_accuracy(known, digits, found, truth), 4),
        "holdout glyphs": len(truth),
        "seconds": round(time.monotonic() - began),
        "bytes": weights.stat().st_size,
    }

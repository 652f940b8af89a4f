"""Desks, sheets and light: everything of a scene but its digits. Images are float32 RGB in 0..1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Colour = tuple[float, float, float]
Ruling = Literal["plain", "lines", "squares", "dots"]

PAPERS: tuple[Colour, ...] = (
    (0.97, 0.96, 0.92),
    (0.95, 0.93, 0.86),
    (0.93, 0.94, 0.96),
    (0.98, 0.90, 0.62),
    (0.86, 0.93, 0.84),
    (0.97, 0.84, 0.84),
    (0.80, 0.70, 0.55),
)
INKS: tuple[Colour, ...] = (
    (0.10, 0.11, 0.14),
    (0.10, 0.19, 0.48),
    (0.16, 0.28, 0.62),
    (0.55, 0.12, 0.14),
    (0.12, 0.36, 0.26),
    (0.36, 0.36, 0.38),
    (0.33, 0.18, 0.42),
)
DESKS: tuple[Colour, ...] = (
    (0.45, 0.32, 0.22),
    (0.30, 0.31, 0.33),
    (0.62, 0.52, 0.40),
    (0.22, 0.27, 0.30),
    (0.52, 0.53, 0.52),
)


@dataclass(frozen=True)
class Desk:
    """What one camera always sees: its desk, its light and its optics."""

    name: str
    surface: Colour
    light: tuple[float, float]
    warmth: float
    noise: float
    blur: float


def desk_for(number: int) -> Desk:
    """Give desk `number`, always the same one."""
    rng = np.random.default_rng([71, number])
    return Desk(
        name=f"desk_{number:02d}",
        surface=DESKS[int(rng.integers(len(DESKS)))],
        light=(float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1))),
        warmth=float(rng.uniform(-0.05, 0.06)),
        noise=float(rng.uniform(0.006, 0.028)),
        blur=float(rng.uniform(0.3, 1.0)),
    )


def cloud(rng: np.random.Generator, height: int, width: int, cell: int) -> Picture:
    """Draw smooth noise (height, width), mean about 0, spread about 1, patches of `cell` px."""
    coarse = rng.standard_normal((max(2, height // cell + 2), max(2, width // cell + 2)), dtype=np.float32)
    grown: Picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return grown


def surface(rng: np.random.Generator, colour: Colour, height: int, width: int) -> Picture:
    """Draw a desk top (height, width, 3): long grain over slow changes of tone."""
    grain = cv2.resize(
        rng.standard_normal((height, max(2, width // 90)), dtype=np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    grain = cv2.GaussianBlur(grain, (0, 0), 0.9)
    tone = 1 + 0.06 * grain + 0.05 * cloud(rng, height, width, 120)
    picture: Picture = np.asarray(colour, np.float32) * tone[..., None]
    return picture


def _ruling(rng: np.random.Generator, kind: Ruling, height: int, width: int) -> Picture:
    """Draw printed lines as coverage (height, width) in 0..1."""
    lines = np.zeros((height, width), np.float32)
    step = int(rng.integers(22, 38))
    start = int(rng.integers(step))
    if kind in ("lines", "squares"):
        lines[start::step, :] = 1
    if kind == "squares":
        lines[:, start::step] = 1
    if kind == "dots":
        lines[start::step, start::step] = 1
        lines = cv2.dilate(lines, np.ones((2, 2), np.uint8))
    blurred: Picture = cv2.GaussianBlur(lines, (0, 0), 0.6)
    return blurred


def sheet(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Picture:
    """Draw a sheet of paper (height, width, 3): fibres, cloudiness and maybe printed ruling."""
    fibre = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), 0.8)
    tone = 1 + 0.022 * fibre + 0.014 * cloud(rng, height, width, 60)
    paper = np.asarray(colour, np.float32) * tone[..., None]
    kind: Ruling = ("plain", "plain", "lines", "squares", "dots")[int(rng.integers(5))]
    if kind != "plain":
        print_colour = np.asarray((0.55, 0.66, 0.82), np.float32)
        ruling = _ruling(rng, kind, height, width) * rng.uniform(0.25, 0.6)
        paper = paper * (1 - ruling[..., None]) + print_colour * ruling[..., None]
    result: Picture = paper.astype(np.float32)
    return result


def lay(
    picture: Picture,
    paper: Picture,
    centre: tuple[float, float],
    size: tuple[float, float],
    degrees: float,
) -> Picture:
    """Lay a sheet of `size` px, turned, with its centre at `centre` px, and its soft shadow."""
    height, width = picture.shape[:2]
    corners = cv2.boxPoints((centre, size, degrees))
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    cover = (mask / 255).astype(np.float32)[..., None]
    shifted = np.roll(mask, (5, 4), (0, 1)).astype(np.float32) / 255
    shadow = cv2.GaussianBlur(shifted, (0, 0), 7)[..., None]
    turn = cv2.getRotationMatrix2D(centre, -degrees, 1.0)
    turned = cv2.warpAffine(paper, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    result: Picture = (picture * (1 - 0.45 * shadow)) * (1 - cover) + turned * cover
    return result


def photograph(rng: np.random.Generator, picture: Picture, desk: Desk) -> NDArray[np.uint8]:
    """Take the picture as the desk's camera would: light, warmth, blur, noise. RGB uint8."""
    height, width = picture.shape[:2]
    ys, xs = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    fall = 1 + 0.10 * (desk.light[0] * xs + desk.light[1] * ys) - 0.07 * (xs**2 + ys**2)
    level = float(rng.uniform(0.78, 1.0))
    tint = np.asarray((1 + desk.warmth, 1.0, 1 - desk.warmth), np.float32)
    shot = picture * (fall * level)[..., None] * tint
    shot = cv2.GaussianBlur(shot, (0, 0), max(0.2, desk.blur + float(rng.uniform(-0.2, 0.5))))
    shot += rng.standard_normal(shot.shape, dtype=np.float32) * desk.noise
    result: NDArray[np.uint8] = (np.clip(shot, 0, 1) * 255).astype(np.uint8)
    return result

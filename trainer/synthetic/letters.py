"""Letters and signs that are not digits, printed in fonts and written as strokes.

    character, font -> printed picture
    character -> strokes on a grid -> shaky points -> smooth lines -> written picture

Letters that people read as digits are left out: O Q D o (0), I l i j J (1), Z z (2), S s (5), b G (6),
B (8), g q y (9 and 4). The fonts come with matplotlib.
"""

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.synthetic.curves import draw_strokes, smooth_line

LATIN = "ACEFHKMNPRTUVWXYacdefhkmnprtuvwx"
GREEK = "ΓΔΛΞΠΣΦΨΩαβγεηκλμνπρτφχψω"
CYRILLIC = "ДЖИЙЛФЦЧШЩЪЫЭЮЯджийлфцшщъыэюя"
SIGNS = "#%&@?€£¥+*=<>{}[]~^§¶÷±∞√∂∑∏∈∩∪∀∃∇≈≠≤≥←→↑↓↔⇒★☆♠♣♥♦♪☺☂☎✓✗✂✈♞"

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol"),
    *("STIXGeneralItalic", "STIXGeneralBolIta", "cmr10", "cmb10", "cmss10", "cmtt10", "cmmi10"),
)
SIGN_FONT = "DejaVuSans"  # has every sign above

# Strokes on a 10 x 10 grid: pairs of digits, x from the left and y from the top. `|` begins a new stroke and
# `~` makes a stroke smooth.
STROKES = {
    "A": "09 40 89|26 66",
    "C": "~82 51 21 03 06 28 58 87",
    "E": "80 00 09 89|04 64",
    "F": "80 00 09|04 64",
    "H": "00 09|80 89|04 84",
    "K": "00 09|80 04 89",
    "M": "09 00 45 80 89",
    "N": "09 00 89 80",
    "P": "00 09|~00 60 82 64 04",
    "R": "00 09|~00 60 82 64 04|34 89",
    "T": "00 80|40 49",
    "U": "~00 06 28 58 86 80",
    "V": "00 49 80",
    "W": "00 29 43 69 80",
    "X": "00 89|80 09",
    "Y": "00 44 80|44 49",
    "a": "~71 41 13 16 38 67 74|70 79",
    "d": "~75 44 16 28 59 78|80 89",
    "e": "~15 75 73 51 22 05 28 58 87",
    "f": "~71 51 33 39|13 63",
    "h": "00 09|~05 43 65 69",
    "k": "00 09|63 06 79",
    "m": "01 09|~04 22 44 49|~44 62 84 89",
    "n": "01 09|~04 32 64 69",
    "p": "00 09|~01 40 73 45 05",
    "r": "02 09|~05 22 52 63",
    "t": "~30 37 58 77|03 73",
    "u": "~00 06 38 66 70|70 79",
    "w": "~00 28 43 68 80",
    "x": "~00 44 89|~80 45 09",
    "z-less loop": "~08 34 70 51 38 69 97",
    "Γ": "09 00 80|80 82",
    "Δ": "40 09 89 40",
    "Λ": "09 40 89",
    "Σ": "80 00 44 09 89",
    "Ψ": "~00 15 46 75 80|40 49",
    "Φ": "~42 12 05 47 78 95 72 42|40 49",
    "Ж": "00 45 09|80 45 89|40 49",
    "И": "00 09 80 89",
    "Ш": "00 09 89 80|40 49",
    "Я": "80 89|~80 20 02 24 84|54 09",
    "日": "00 09 89 80 00|04 84",
    "木": "03 93|40 49|43 09|43 99",
    "人": "40 09|43 89",
    "大": "03 83|40 09|44 89",
    "中": "02 06 86 82 02|40 49",
    "ん": "~40 25 09 35 46 58 86",
    "あ": "02 82|~40 37 48|~73 47 18 15 54 86 69",
    "&": "~89 22 30 52 25 07 29 58 85",
    "#": "20 19|60 59|03 83|06 86",
    "?": "~02 10 50 72 44 46|48 49",
    "@": "~66 45 25 27 47 64 66 87 92 50 11 07 39 79",
}


def print_letter(text: str, font: str, side: int) -> np.ndarray:
    """Return (side, side) uint8, ink 255: text in one of FONTS, as large as fits with a margin."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    height = side * (0.75 if len(text) == 1 else 1.1 / len(text))
    draw.text((side / 2, side / 2), text, 255, _font(font, max(8, round(height))), anchor="mm")
    return np.asarray(image)


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib  # slow to import, for commands that draw no letter

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    # The basic layout is the same on every machine; the other one needs a system library.
    return ImageFont.truetype(folder / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


def write_letter(name: str, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return a letter of STROKES in an unsteady, slanted hand, (side, side) uint8, ink 255."""
    shaky, slant = rng.uniform(0.1, 0.8), rng.normal(0, 0.15)
    size = side * rng.uniform(0.5, 0.8, 2)
    strokes = []
    for stroke in STROKES[name].split("|"):
        digits = stroke.lstrip("~").replace(" ", "")
        points = np.array(list(digits), np.float64).reshape(-1, 2)
        points += rng.normal(0, shaky, points.shape)
        points = smooth_line(points) if stroke.startswith("~") or rng.random() < 0.2 else points
        points[:, 0] += slant * (4.5 - points[:, 1])
        strokes.append(side / 2 + (points - 4.5) / 9 * size)
    return draw_strokes(strokes, side, size.max() * rng.uniform(0.05, 0.2))

"""Makes images.json: the pixels that Pillow gives for image files of each format, size and mode.

    pip install pillow==13.0.0 numpy==2.4.6
    python make_image_golden.py > images.json

A case is a file (base64), the size asked for, and Pillow's pixels (base64; height * width * channels bytes, row by row).
"""
import base64
import io
import json
import platform

import numpy as np
import PIL
from PIL import Image, ImageOps

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
FITS = {
    "fill": lambda image, size, method: image.resize(size, method),
    "cover": lambda image, size, method: ImageOps.fit(image, size, method),
    "contain": lambda image, size, method: ImageOps.pad(image, size, method, color="black"),
}
cases = []


def crop(image, size, method, short_side):
    """What torchvision.transforms.functional does for Resize(short_side) and CenterCrop(size)."""
    if short_side:
        width, height = image.size
        scaled = (short_side, int(short_side * height / width)) if width <= height else (int(short_side * width / height), short_side)
        image = image.resize(scaled, method)
    left, top = [max((wanted - given) // 2, 0) for wanted, given in zip(size, image.size)]
    right, bottom = [max((wanted - given + 1) // 2, 0) for wanted, given in zip(size, image.size)]
    image = ImageOps.expand(image, (left, top, right, bottom))
    x, y = [int(round((given - wanted) / 2.0)) for wanted, given in zip(size, image.size)]
    return image.crop((x, y, x + size[0], y + size[1]))



def scene(height, width):
    """Gradients with edges, unlike in each direction and channel."""
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * x / (width - 1)
    green = 255 * y / (height - 1)
    blue = 128 + 100 * np.sin(x / 5) * np.cos(y / 7)
    pixels = np.stack([red, green, blue], -1).round().astype(np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (250, 240, 10)
    return Image.fromarray(pixels)


def encoded(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def add(name, content, size, *, colour="rgb", fit="fill", filter="bilinear", short_side=None):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    if image.mode in ("RGBA", "LA", "PA"):
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    image, method = image.convert("RGB"), FILTERS[filter]
    pixels = crop(image, size, method, short_side) if fit == "crop" else FITS[fit](image, size, method)
    pixels = np.asarray(pixels.convert("L" if colour == "grey" else "RGB"))
    step = {"kind": "decodeImage", "height": size[1], "width": size[0], "colour": colour, "fit": fit, "filter": filter, "shortSide": short_side}
    cases.append({"name": name, "step": step, "file": base64.b64encode(content).decode(), "pixels": base64.b64encode(pixels.tobytes()).decode()})


picture = scene(20, 28)
png = encoded(picture, "PNG")
same = (28, 20)
exif = Image.Exif()
exif[0x0112] = 6
clear = picture.copy()
clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 28).astype(np.uint8), (20, 1))))

add("PNG", png, same)
add("PNG, grey", png, same, colour="grey")
add("grey PNG", encoded(picture.convert("L"), "PNG"), same)
add("PNG with a palette", encoded(picture.quantize(32), "PNG"), same)
add("PNG with one bit a pixel", encoded(picture.convert("1"), "PNG"), same, colour="grey")
add("PNG that is transparent", encoded(clear, "PNG"), same)
add("JPEG", encoded(picture, "JPEG", quality=90), same)
add("progressive JPEG", encoded(picture, "JPEG", quality=90, progressive=True), same)
add("grey JPEG", encoded(picture.convert("L"), "JPEG", quality=90), same, colour="grey")
add("JPEG on its side", encoded(picture, "JPEG", quality=90, exif=exif), (20, 28))
add("lossless WebP", encoded(picture, "WEBP", lossless=True), same)
add("lossy WebP", encoded(picture, "WEBP", quality=90), same)
add("TIFF", encoded(picture, "TIFF"), same)
add("TIFF, LZW", encoded(picture, "TIFF", compression="tiff_lzw"), same)
add("GIF of two frames", encoded(picture, "GIF", save_all=True, append_images=[ImageOps.invert(picture)]), same)
for filter in FILTERS:
    add(f"shrunk, {filter}", png, (7, 5), filter=filter)
    add(f"grown, {filter}", png, (56, 40), filter=filter)
    add(f"stretched, {filter}", png, (12, 16), filter=filter)
for fit in ("cover", "contain"):
    add(f"fit {fit}", png, (7, 9), fit=fit)
for short_side, size in ((None, (11, 14)), (None, (40, 9)), (10, (9, 8)), (10, (12, 11)), (31, (28, 28))):
    add(f"cropped to {size[0]} x {size[1]}, short side {short_side}", png, size, fit="crop", filter="bicubic", short_side=short_side)
photo = scene(128, 160)
add("JPEG, cropped", encoded(photo, "JPEG", quality=90), (28, 26), fit="crop", short_side=32)
exif[0x0112] = 8
add("JPEG, cropped and turned from 8", encoded(photo, "JPEG", quality=90, exif=exif), (21, 30), fit="crop", short_side=33)
jpeg = encoded(photo, "JPEG", quality=90)
add("JPEG, shrunk", jpeg, (40, 32), fit="fill")
for orientation in (2, 3, 4, 5, 6, 7, 8):
    exif[0x0112] = orientation
    add(f"JPEG, shrunk and turned from {orientation}", encoded(photo, "JPEG", quality=90, exif=exif), (26, 31), fit="cover")
add("JPEG, shrunk to the nearest", jpeg, (9, 8), fit="fill", filter="nearest")
add("JPEG, shrunk to a ninth", jpeg, (18, 14), fit="fill")
add("PNG, shrunk to a ninth", encoded(photo, "PNG"), (18, 14), fit="fill")
exif[0x0112] = 6
add("JPEG, shrunk to a ninth and turned", encoded(scene(129, 161), "JPEG", quality=90, exif=exif), (14, 18), fit="cover")

print(json.dumps({"python": platform.python_version(), "pillow": PIL.__version__, "numpy": np.__version__, "cases": cases}, separators=(",", ":")))

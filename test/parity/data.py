"""What Pillow and NumPy make of images; each command prints JSON and leaves bytes in files."""

import colorsys
import io
import json
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage, stats

FILTERS = ("box", "bilinear", "hamming", "bicubic", "lanczos", "nearest")


def resize(folder: str, count: str) -> list:
    """Random images resized between random sizes: `before` and `after` hold their pixels one after the other, `after`
    first with each of six filters, then as torchvision's `Resize(shorter side)` and `CenterCrop(size)` do."""
    random = np.random.RandomState(0)
    cases = []
    with open(f"{folder}/before", "wb") as before, open(f"{folder}/after", "wb") as after:
        for _ in range(int(count)):
            # Mostly small, some large and some long and thin.
            height, width, new_height, new_width = (int(x) for x in np.ceil(np.exp(random.uniform(0, 5.5, 4))))
            shorter = int(np.ceil(np.exp(random.uniform(0, 4))))
            pixels = random.randint(0, 256, (height, width, 3)).astype(np.uint8)
            image = Image.fromarray(pixels)
            before.write(pixels.tobytes())
            for name in FILTERS:
                after.write(image.resize((new_width, new_height), Image.Resampling[name.upper()]).tobytes())
            after.write(center_crop(resize_shorter(image, shorter), new_height, new_width).tobytes())
            cases.append([height, width, new_height, new_width, shorter])
    return cases


def resize_shorter(image: Image.Image, side: int) -> Image.Image:
    """torchvision's `Resize(side)`, which is not at hand everywhere: `functional.resize` of 0.28 on PIL images."""
    width, height = image.size
    short, long = (width, height) if width <= height else (height, width)
    new_short, new_long = side, int(side * long / short)
    size = (new_short, new_long) if width <= height else (new_long, new_short)
    return image.resize(size, Image.Resampling.BILINEAR)


def center_crop(image: Image.Image, height: int, width: int) -> Image.Image:
    """torchvision's `CenterCrop((height, width))`, likewise."""
    if width > image.width or height > image.height:
        left, top = max(0, (width - image.width) // 2), max(0, (height - image.height) // 2)
        right, bottom = max(0, (width - image.width + 1) // 2), max(0, (height - image.height + 1) // 2)
        image = ImageOps.expand(image, (left, top, right, bottom))
    top, left = int(round((image.height - height) / 2.0)), int(round((image.width - width) / 2.0))
    return image.crop((left, top, left + width, top + height))


def formats(folder: str, height: str, width: str) -> list:
    """Files of every kind of 8-bit image that Pillow writes, and `pixels`: what it reads from them, in sorted order."""
    random = np.random.RandomState(1)
    ramp = np.add.outer(np.arange(83), np.arange(101))
    waves = np.stack([127 + 120 * np.sin(ramp * f + random.uniform(6)) for f in (0.07, 0.13, 0.29)], 2)
    color = Image.fromarray((waves + random.uniform(-7, 7, waves.shape)).clip(0, 255).astype(np.uint8))
    alpha = Image.fromarray(random.randint(0, 256, (83, 101)).astype(np.uint8))
    grey = color.convert("L")
    rotated = Image.Exif()
    rotated[274] = 6
    images = {
        "420.jpg": (color, {"subsampling": 2}),
        "422.jpeg": (color, {"subsampling": 1}),
        "444.JPG": (color, {"subsampling": 0, "quality": 95}),
        "progressive.jpg": (color, {"progressive": True}),
        "rotated.jpg": (color, {"exif": rotated}),
        "grey.jpg": (grey, {}),
        "large.jpg": (color.resize((900, 700)), {"quality": 90}),
        "large_grey.jpg": (grey.resize((900, 700)), {}),
        "rgb.png": (color, {}),
        "rgb_key.png": (color, {"transparency": (1, 2, 3)}),
        "rgba.png": (Image.merge("RGBA", (*color.split(), alpha)), {}),
        "grey.png": (grey, {}),
        "grey_alpha.png": (Image.merge("LA", (grey, alpha)), {}),
        "bits.png": (grey.convert("1"), {}),
        "palette.png": (color.quantize(200), {}),
        "palette_16.png": (color.quantize(13), {"bits": 4}),
        "palette_key.png": (color.quantize(50), {"transparency": 7}),
        "palette.gif": (color.quantize(100), {}),
        "animated.gif": (color.quantize(60), {"save_all": True, "append_images": [color.rotate(90).quantize(60)]}),
        "lossy.webp": (color, {}),
        "lossless.webp": (color, {"lossless": True}),
    }
    Path(folder, "images").mkdir()
    for name, (image, options) in images.items():
        image.save(f"{folder}/images/{name}", **options)
    with open(f"{folder}/pixels", "wb") as out:
        for name in sorted(images):
            image = Image.open(f"{folder}/images/{name}").convert("RGB")
            out.write(image.resize((int(width), int(height)), Image.LANCZOS).tobytes())
    return sorted(images)


def jpegs(folder: str, count: str) -> list:
    """JPEG of all sizes up to 70, qualities, samplings and restart intervals, `0.jpg` and so on; `pixels`: what Pillow
    reads from them, one after the other. @returns their heights and widths"""
    random = np.random.RandomState(6)
    sizes = []
    with open(f"{folder}/pixels", "wb") as out:
        for i in range(int(count)):
            height, width = (int(x) for x in random.randint(1, 71, 2))
            coarse = random.randint(0, 256, (*random.randint(1, 12, 2), 3)).astype(np.uint8)
            smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(int)
            noise = random.randint(0, 2) * random.randint(-30, 31, smooth.shape)
            image = Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))
            options = {"quality": int(random.randint(1, 101)), "optimize": bool(random.randint(2))}
            if i % 7 == 0:
                image = image.convert("L")
            else:
                options["subsampling"] = i % 3
            if i % 5 == 0:
                options["restart_marker_blocks"] = int(random.randint(1, 9))
            image.save(f"{folder}/{i}.jpg", **options)
            out.write(Image.open(f"{folder}/{i}.jpg").convert("RGB").tobytes())
            sizes.append([height, width])
    return sizes


def archive(path: str, folder: str, part: str = "") -> list:
    """The images of a tar archive that lie below `part`, by name: their pixels as they are (`whole`), and at 32 × 32
    (`small`)."""
    Path(folder, "images").mkdir()
    with tarfile.open(path) as tar:
        files = {}
        for member in tar:
            if member.isfile() and part in member.name:
                # Names in different classes are the same.
                name = "_".join(Path(member.name).parts[-2:])
                files[name] = tar.extractfile(member).read()
    with open(f"{folder}/whole", "wb") as whole, open(f"{folder}/small", "wb") as small:
        for name in sorted(files):
            Path(folder, "images", name).write_bytes(files[name])
            image = Image.open(io.BytesIO(files[name])).convert("RGB")
            whole.write(image.tobytes())
            small.write(image.resize((32, 32), Image.LANCZOS).tobytes())
    return sorted(files)


def cifar(folder: str) -> dict:
    """CIFAR-10 in its Python form, pickled by Python 3 in every protocol that knows bytes; `pixels`: what it holds."""
    random = np.random.RandomState(2)
    labels = []
    with open(f"{folder}/pixels", "wb") as out:
        for batch in range(1, 6):
            data = random.randint(0, 256, (4, 3072)).astype(np.uint8)
            drawn = random.randint(0, 10, 4).tolist()
            out.write(data.reshape(4, 3, 32, 32).transpose(0, 2, 3, 1).tobytes())
            content = {b"labels": drawn, b"data": data, b"batch_label": b"a batch"}
            with open(f"{folder}/data_batch_{batch}", "wb") as file:
                pickle.dump(content, file, protocol=batch % 3 + 2)
            labels += drawn
    names = ["airplane", "automobile", "bird"]
    with open(f"{folder}/batches.meta", "wb") as file:
        pickle.dump({"label_names": names}, file)
    return {"labels": labels, "names": names}


def colors(folder: str) -> int:
    """The colours that the reference results' `pure` set has."""
    drawn = np.random.RandomState(0).randint(0, 256, (10000, 1, 1, 3)).astype(np.uint8)
    Path(folder, "colors").write_bytes(drawn.tobytes())
    return len(drawn)


def image_random(stream: int, index: int) -> np.random.RandomState:
    """The random numbers of an image of seed 0."""
    return np.random.RandomState((stream * 0x9E3779B1 + index) % 2**32)


def generated(folder: str, count: str) -> list:
    """The first images of each generated set, 32 × 32, as their papers describe them."""

    def blob(random):
        blurred = ndimage.gaussian_filter((random.random_sample((32, 32, 3)) < 0.7) * 1.0, 1.5, mode="nearest")
        return np.where(blurred < 0.75, 0, blurred)

    kinds = {
        "gaussian_noise": (16, lambda random: 0.5 + random.standard_normal((32, 32, 3))),
        "blobs": (18, blob),
    }
    for name, (stream, draw) in kinds.items():
        images = [to_bytes(255 * draw(image_random(stream, i))) for i in range(int(count))]
        Path(folder, name).write_bytes(np.stack(images).tobytes())
    return list(kinds)


def to_bytes(samples: np.ndarray) -> np.ndarray:
    """Rounded, halves up; what is a half but for its last bits is one."""
    return np.floor(samples.clip(0, 255).round(6) + 0.5).astype(np.uint8)


def corrupted(folder: str, count: str) -> dict:
    """Corruptions of random photographs-to-be, `source-32` and `source-96`, at the strengths of CIFAR-10-C and of
    ImageNet-C: by each name and size, the file of the corrupted images."""

    def jpeg(x, quality, _):
        file = io.BytesIO()
        Image.fromarray(x).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    def pixelate(x, share, _):
        image = Image.fromarray(x)
        small = image.resize((int(image.width * share), int(image.height * share)), Image.BOX)
        return np.asarray(small.resize(image.size, Image.BOX))

    def brightness(x, share, _):
        rows = [colorsys.rgb_to_hsv(*(pixel / 255)) for pixel in x.reshape(-1, 3)]
        brighter = [colorsys.hsv_to_rgb(h, s, min(1, v + share)) for h, s, v in rows]
        return 255 * np.array(brighter).reshape(x.shape)

    def saturate(x, strength, _):
        factor, more = strength
        rows = [colorsys.rgb_to_hsv(*(pixel / 255)) for pixel in x.reshape(-1, 3)]
        coloured = [colorsys.hsv_to_rgb(h, min(1, s * factor + more), v) for h, s, v in rows]
        return 255 * np.array(coloured).reshape(x.shape)

    def contrast(x, share, _):
        means = x.mean((0, 1), keepdims=True)
        return (x - means) * share + means

    kinds = {
        "gaussian_noise": (lambda x, c, r: x + 255 * r.normal(size=x.shape, scale=c), (0.04, 0.06, 0.08, 0.09, 0.1), (0.08, 0.12, 0.18, 0.26, 0.38)),
        "shot_noise": (lambda x, c, r: 255 * stats.poisson.ppf(r.random_sample(x.shape), x / 255 * c) / c, (500, 250, 100, 75, 50), (60, 25, 12, 5, 3)),
        "gaussian_blur": (lambda x, c, r: ndimage.gaussian_filter(x * 1.0, (c, c, 0), mode="nearest"), (0.4, 0.6, 0.7, 0.8, 1), (1, 2, 3, 4, 6)),
        "contrast": (contrast, (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
        "brightness": (brightness, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
        "saturate": (saturate, ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)), ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))),
        "pixelate": (pixelate, (0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),
        "jpeg_compression": (jpeg, (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
    }
    random = np.random.RandomState(5)
    files = {}
    for row, side in enumerate((32, 96)):
        smooth = ndimage.gaussian_filter(random.uniform(-900, 1100, (int(count), side, side, 3)), (0, 3, 3, 0.5))
        source = to_bytes(smooth)
        np.save(f"{folder}/source-{side}.npy", source)
        for name, (corrupt, *strengths) in kinds.items():
            for severity, strength in enumerate(strengths[row], 1):
                spec = f"{name}-{severity}:{folder}/source-{side}.npy"
                files[spec] = f"{folder}/{name}-{severity}-{side}"
                images = [to_bytes(corrupt(x, strength, image_random(32, i))) for i, x in enumerate(source)]
                Path(files[spec]).write_bytes(np.stack(images).tobytes())
    return files


commands = {
    "resize": resize,
    "formats": formats,
    "jpegs": jpegs,
    "archive": archive,
    "cifar": cifar,
    "colors": colors,
    "generated": generated,
    "corrupted": corrupted,
}
print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))

"""Sets of images in every format, written by Python's libraries, and what these read from them.

Each command fills a folder and prints a list of cases: what to open, and the names, labels, classes and pixels that
must come out, the pixels in a file.
"""

import gzip
import io
import json
import pickle
import shutil
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
from PIL import Image, ImageOps, PngImagePlugin

random = np.random.RandomState(3)
HEIGHT, WIDTH = 37, 53


def case(spec, pixels, names=None, labels=None, classes=None, **options) -> dict:
    """`pixels`: N x H x W x 3, uint8."""
    pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
    file = Path(sys.argv[2], f"expected-{case.count}")
    case.count += 1
    file.write_bytes(pixels.tobytes())
    return {
        "spec": str(spec),
        "options": options,
        "pixels": str(file),
        "size": list(pixels.shape[1:3]),
        "count": len(pixels),
        "names": names,
        "labels": None if labels is None else [int(label) for label in labels],
        "classes": classes,
    }


case.count = 0


def picture(height=HEIGHT, width=WIDTH) -> Image.Image:
    ramp = np.add.outer(np.arange(height), np.arange(width))
    waves = np.stack([127 + 120 * np.sin(ramp * f + random.uniform(6)) for f in (0.07, 0.13, 0.29)], 2)
    return Image.fromarray((waves + random.uniform(-7, 7, waves.shape)).clip(0, 255).astype(np.uint8))


def noise(mode="L") -> Image.Image:
    channels = {"L": (), "RGB": (3,)}[mode]
    return Image.fromarray(random.randint(0, 256, (HEIGHT, WIDTH, *channels)).astype(np.uint8))


def png(bits: int, color_type: int, samples: np.ndarray) -> bytes:
    """A PNG of `samples`, H x W x channels, which Pillow cannot write itself."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in samples]
    else:
        per_byte = [np.unpackbits(row.reshape(-1, 1).astype(np.uint8), axis=1)[:, 8 - bits :] for row in samples]
        rows = [np.packbits(row.reshape(-1)).tobytes() for row in per_byte]
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], bits, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg(image: Image.Image, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee\x00\x0eAdobe")
    return data[:at] + data[at + 16 :]


def as_ycck(data: bytes) -> bytes:
    """The same samples, said to be YCCK: other colours, but a file of that kind."""
    at = data.index(b"\xff\xee\x00\x0eAdobe")
    return data[: at + 15] + b"\x02" + data[at + 16 :]


def gif_beyond(image: Image.Image, screen, offset, transparent=None, colors=16, ramp=False) -> bytes:
    """A frame somewhere on or beyond the screen, with a local palette that is shorter than the indices."""
    out = io.BytesIO()
    image.quantize(256).save(out, "GIF", interlace=1)
    data = out.getvalue()
    size = 3 * 2 << (data[10] & 7)
    palette, rest = data[13 : 13 + size], data[13 + size :]
    if ramp:
        palette = bytes(i // 3 for i in range(size))
    frame = rest[rest.index(b",") :]
    control = b"" if transparent is None else b"!\xf9\x04" + struct.pack("<BHB", 1, 0, transparent) + b"\0"
    local = struct.pack("<HH", *offset) + frame[5:9] + bytes([0x40 | 0x80 | colors.bit_length() - 2])
    header = b"GIF89a" + struct.pack("<HHBBB", *screen, 0, 0, 0)
    return header + control + b"," + local + palette[: 3 * colors] + frame[10:]


def kinds(folder: Path) -> list:
    """Image files that are neither 8-bit grey nor RGB, or otherwise out of the ordinary."""
    color, grey = picture(), picture().convert("L")
    cmyk = Image.merge("CMYK", (*color.split(), noise()))
    wide = random.randint(0, 65536, (HEIGHT, WIDTH, 4))
    wide[:9] = random.randint(0, 600, (9, WIDTH, 4))
    rgba = Image.merge("RGBA", (*color.split(), noise()))
    frames = {"save_all": True, "append_images": [picture(), picture()], "duration": 40}
    clear = color.quantize(30)
    files = {
        "16-bit-grey.png": png(16, 0, wide[:, :, :1]),
        "16-bit-rgb.png": png(16, 2, wide[:, :, :3]),
        "16-bit-grey-alpha.png": png(16, 4, wide[:, :, :2]),
        "16-bit-rgba.png": png(16, 6, wide),
        "1-bit.png": png(1, 0, wide[:, :, :1] & 1),
        "2-bit.png": png(2, 0, wide[:, :, :1] & 3),
        "4-bit.png": png(4, 0, wide[:, :, :1] & 15),
        "cmyk.jpg": jpeg(cmyk, quality=90),
        "cmyk-progressive.jpg": jpeg(cmyk, progressive=True),
        "cmyk-without-adobe.jpg": without_adobe(jpeg(cmyk)),
        "ycck.jpg": as_ycck(jpeg(cmyk)),
        "rgb.jpg": jpeg(color, keep_rgb=True),
        "grey-progressive.jpg": jpeg(grey, progressive=True),
        "inner.gif": gif_beyond(picture(20, 30), (WIDTH, HEIGHT), (11, 7)),
        "inner-clear.gif": gif_beyond(picture(20, 30), (WIDTH, HEIGHT), (11, 7), transparent=5),
        "ramp.gif": gif_beyond(picture(20, 30), (WIDTH, HEIGHT), (11, 7), ramp=True),
        "beyond.gif": gif_beyond(picture(20, 30), (20, 10), (WIDTH - 30, HEIGHT - 20), transparent=200),
    }
    saved = {
        "palette-2.png": (color.quantize(2), {"bits": 1}),
        "palette-4-alpha.png": (color.quantize(4), {"bits": 2, "transparency": bytes([0, 255, 128, 3])}),
        "grey-key.png": (grey, {"transparency": 100}),
        "animated.png": (color, frames),
        "icc.png": (color, {"icc_profile": b"not a profile"}),
        "clear.gif": (clear, {"transparency": 3}),
        "clear-animated.gif": (clear, {**frames, "transparency": 3, "disposal": 2}),
        "not-interlaced.gif": (color.quantize(256), {"interlace": 0}),
        "two.gif": (color.convert("1"), {}),
        "grey.gif": (grey, {}),
        "animated.webp": (color, frames),
        "alpha.webp": (rgba, {}),
        "alpha-lossless.webp": (rgba, {"lossless": True, "exact": True}),
        "alpha-animated.webp": (rgba, frames),
    }
    saved |= {
        "rgb.bmp": (color, {}),
        "rgba.bmp": (rgba, {}),
        "grey.bmp": (grey, {}),
        "two.bmp": (color.convert("1"), {}),
        "palette.bmp": (color.quantize(77), {}),
        "rgb.tif": (color, {}),
        "rgba.tif": (rgba, {"compression": "tiff_lzw"}),
        "grey-alpha.tif": (Image.merge("LA", (grey, noise())), {}),
        "cmyk.tif": (cmyk, {"compression": "tiff_adobe_deflate"}),
        "palette.tif": (color.quantize(200), {"compression": "packbits"}),
        "two.tif": (color.convert("1"), {"compression": "group4"}),
        "pages.tif": (color, {"save_all": True, "append_images": [picture()]}),
        "jpeg.tif": (color, {"compression": "jpeg", "quality": 90}),
        "16-bit-grey.tif": (Image.fromarray(wide[:, :, 0].astype(np.uint16)), {}),
        "big.tif": (color, {"big_tiff": True}),
    }
    images = folder / "kinds"
    images.mkdir()
    for name, data in files.items():
        (images / name).write_bytes(data)
    for name, (image, options) in saved.items():
        image.save(images / name, **options)
    names = sorted([*files, *saved])
    pixels = [np.asarray(Image.open(images / name).convert("RGB")) for name in names]
    return [case(images, np.stack(pixels), names)]


def oriented(folder: Path) -> list:
    """Every EXIF orientation, ignored as by default and applied."""
    images = folder / "oriented"
    images.mkdir()
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274] = orientation
        for kind in ("jpg", "png", "webp", "tif"):
            picture().save(images / f"{orientation}.{kind}", exif=exif)
        # What ImageMagick and Adobe's programs write instead.
        text, xmp = PngImagePlugin.PngInfo(), f'<x xmlns:tiff="t" tiff:Orientation="{orientation}"/>'
        profile = exif.tobytes().hex()
        text.add_text("Raw profile type exif", f"\nexif\n{len(profile) // 2:8}\n{profile}\n", zip=orientation % 2 == 0)
        picture().save(images / f"{orientation}-text.png", pnginfo=text)
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp, zip=orientation % 2 == 0)
        picture().save(images / f"{orientation}-xmp.png", pnginfo=text)
        picture().save(images / f"{orientation}-xmp.jpg", xmp=xmp.encode())
        picture().save(images / f"{orientation}-xmp.webp", xmp=xmp.encode())
    names = sorted(path.name for path in images.iterdir())
    opened = [Image.open(images / name) for name in names]
    resized = lambda image: np.asarray(image.convert("RGB").resize((24, 32), Image.LANCZOS))
    return [
        case(images, [resized(image) for image in opened], names),
        case(images, [resized(ImageOps.exif_transpose(image)) for image in opened], names, orient=True),
    ]


def arrays(folder: Path) -> list:
    """Images in arrays: NumPy's, IDX, MATLAB's, HDF5."""
    count = 23
    color = random.randint(0, 256, (count, 12, 17, 3)).astype(np.uint8)
    grey = random.randint(0, 256, (count, 12, 17)).astype(np.uint8)
    as_rgb = np.repeat(grey[..., None], 3, 3)
    labels = random.randint(0, 10, count).astype(np.uint8)
    labels[0] = 9
    digits = list("0123456789")
    numbers = [str(i) for i in range(count)]
    cases = []

    np.save(folder / "color.npy", color)
    np.save(folder / "grey.npy", grey)
    np.save(folder / "one.npy", color[0])
    cases.append(case(folder / "one.npy", color[:1]))
    with open(folder / "version-3.npy", "wb") as file:
        np.lib.format.write_array(file, color, version=(3, 0))
    for name, pixels in (("color", color), ("grey", as_rgb), ("version-3", color)):
        cases.append(case(folder / f"{name}.npy", pixels, numbers))

    def idx(array):
        sizes = struct.pack(f">{array.ndim}I", *array.shape)
        return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()

    for zipped in (False, True):
        mnist = folder / f"mnist{zipped:d}"
        mnist.mkdir()
        for part, images, some in (("train", grey, labels), ("t10k", grey[::-1], labels[::-1])):
            for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", some)):
                data = idx(array)
                if zipped:
                    (mnist / f"{name}.gz").write_bytes(gzip.compress(data))
                else:
                    (mnist / name).write_bytes(data)
        ending = ".gz" if zipped else ""
        cases.append(case(f"{mnist}:train", as_rgb, numbers, labels, digits))
        cases.append(case(f"{mnist}:test", as_rgb[::-1], numbers, labels[::-1], digits))
        cases.append(case(mnist / f"t10k-images-idx3-ubyte{ending}", as_rgb[::-1], numbers, labels[::-1], digits))
    (folder / "color.idx").write_bytes(idx(color))
    cases.append(case(folder / "color.idx", color, numbers))

    stored = np.where(labels == 0, 10, labels)
    svhn = folder / "svhn"
    svhn.mkdir()
    for name, options, y in (
        ("train_32x32", {"do_compression": True}, stored),
        ("test_32x32", {"do_compression": False}, stored.astype(np.float64)),
    ):
        contents = {"other": {"a": "struct"}, "X": color.transpose(1, 2, 3, 0), "y": y[:, None], "text": "b"}
        scipy.io.savemat(svhn / f"{name}.mat", contents, **options)
        read = scipy.io.loadmat(svhn / f"{name}.mat")
        pixels = read["X"].transpose(3, 0, 1, 2)
        cases.append(case(svhn / f"{name}.mat", pixels, numbers, read["y"][:, 0] % 10, digits))
        cases.append(case(f"{svhn}:{name[:-6]}", pixels, numbers, read["y"][:, 0] % 10, digits))
    scipy.io.savemat(folder / "one.mat", {"X": color[0]}, do_compression=True)
    cases.append(case(folder / "one.mat", color[:1], ["0"]))

    with h5py.File(folder / "compact.hdf5", "w") as file:
        file.create_dataset("data", data=color, chunks=(4, 12, 17, 3), compression="gzip", shuffle=True)
    for name, data in (
        ("bytes", color),
        ("grey", grey),
        ("float64", color.astype(np.float64)),
        ("float32", color.astype(np.float32)),
        ("unit64", color / 255),
        ("unit32", color.astype(np.float32) / np.float32(255)),
    ):
        with h5py.File(folder / f"{name}.hdf5", "w") as file:
            file.create_dataset("data", data=data)
    for path in sorted(folder.glob("*.hdf5")):
        with h5py.File(path) as file:
            data = file["data"][:].astype(np.float64)
        data = np.rint(data * (255 if data.max() <= 1 else 1))
        cases.append(case(path, data if data.ndim == 4 else np.repeat(data[..., None], 3, 3), numbers))
    return cases


def image_tree(root: Path, files: list) -> dict:
    """Writes small images, and gives their pixels by name."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        kind = Path(name).suffix.lower().replace(".jpeg", ".jpg")
        picture(16, 16).save(root / name, {".jpg": "JPEG", ".png": "PNG"}[kind])
    return {name: np.asarray(Image.open(root / name).convert("RGB")) for name in files}


def archives(folder: Path) -> list:
    """Class folders as a folder, in zip and in tar archives of every dialect."""
    long = "x" * 90
    classes = ["banded", "banded-2", "blotchy", "Zig", "ä é", "\U0001f600", "\uff5e"]
    files = [f"dtd/images/{name}/{name}_{i}.jpg" for name in classes for i in (1, 2, 10)]
    files += ["dtd/images/banded/sub/a.png", f"dtd/images/Zig/{long}/{long}/{long}.jpeg"]
    source = folder / "source"
    pixels = image_tree(source, files)
    (source / "dtd/labels").mkdir()
    (source / "dtd/labels/train1.txt").write_text("banded/banded_1.jpg\n")
    (source / "dtd/images/banded/.hidden.jpg").write_bytes(b"")
    chosen = sorted(files, key=lambda name: (name.split("/")[2], name))
    expected = {
        "pixels": np.stack([pixels[name] for name in chosen]),
        "labels": [sorted(classes).index(name.split("/")[2]) for name in chosen],
        "classes": sorted(classes),
    }
    paths = {
        "zip": shutil.make_archive(str(folder / "plain"), "zip", source),
        "tar": shutil.make_archive(str(folder / "plain"), "tar", source),
        "gz": shutil.make_archive(str(folder / "plain"), "gztar", source),
    }
    for dialect, name in ((tarfile.GNU_FORMAT, "gnu"), (tarfile.PAX_FORMAT, "pax")):
        paths[name] = folder / f"{name}.tar"
        with tarfile.open(paths[name], "w", format=dialect) as tar:
            tar.add(source, arcname=".")
    paths["ustar"] = folder / "ustar.tar"
    with tarfile.open(paths["ustar"], "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in files:
            if len(name) < 200:
                tar.add(source / name, arcname=name)
    paths["stored"] = folder / "stored.zip"
    with zipfile.ZipFile(paths["stored"], "w") as archive:
        for name in files:
            with archive.open(name, "w", force_zip64=True) as out:
                out.write((source / name).read_bytes())
    cases = [case(source, **expected, names=chosen)]
    for name, path in paths.items():
        if name == "ustar":
            keep = [i for i, file in enumerate(chosen) if len(file) < 200]
            some = {key: [expected[key][i] for i in keep] for key in ("pixels", "labels")}
            cases.append(case(path, **some, classes=expected["classes"], names=[chosen[i] for i in keep]))
        else:
            cases.append(case(path, **expected, names=chosen))

    # The one folder at the top is left out of what the names are relative to only where it was opened itself.
    flat = sorted(name for name in files if "banded/" in name and "sub" not in name)
    listed = folder / "source" / "list.txt"
    listed.write_text("".join(f"{name} {7 * i % 5 - 1}\n" for i, name in enumerate(reversed(flat))))
    labels = [7 * i % 5 - 1 for i in range(len(flat))]
    cases.append(case(listed, [pixels[name] for name in reversed(flat)], flat[::-1], labels, list("0123")[: max(labels) + 1]))
    return cases


def openood(folder: Path) -> list:
    """OpenOOD's folders: lists in one, the images that they name in another."""
    files = [f"cifar10/test/dog/{i:04}.png" for i in range(5)]
    pixels = image_tree(folder / "data/images_classic", files)
    listed = folder / "data/benchmark_imglist/cifar10/test_cifar10.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("\r\n".join(f"{name} 5" for name in files))
    return [case(listed, [pixels[name] for name in files], files, [5] * 5, list("012345"))]


def published(folder: Path) -> list:
    """CIFAR and tiny-imagenet-200 as they are published, unpacked and in their archives."""
    cases = []
    for name, part, key, meta, forms in (
        ("cifar-10-batches-py", "test", b"labels", "label_names", ["test_batch", "batches.meta"]),
        ("cifar-100-python", "test", b"fine_labels", "fine_label_names", ["test", "meta"]),
    ):
        classes = [f"class {i}" for i in range(4)]
        data = random.randint(0, 256, (6, 3072)).astype(np.uint8)
        labels = random.randint(0, 4, 6).tolist()
        root = folder / name / name
        root.mkdir(parents=True)
        (root / forms[0]).write_bytes(pickle.dumps({b"data": data, key: labels}, 2))
        (root / forms[1]).write_bytes(pickle.dumps({meta: classes}, 2))
        (root / "readme.html").write_text("read me")
        archive = shutil.make_archive(str(folder / name), "gztar", folder / name)
        pixels = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        names = [f"{forms[0]}/{i}" for i in range(6)]
        for spec in (root, root.parent, archive):
            cases.append(case(f"{spec}:{part}", pixels, names, labels, classes))
        cases.append(case(root / forms[0], pixels, names, labels))
    binary = folder / "cifar-10-binary"
    records = random.randint(0, 10, (6, 3073)).astype(np.uint8)
    (binary / "cifar-10-batches-bin").mkdir(parents=True)
    (binary / "cifar-10-batches-bin/test_batch.bin").write_bytes(records.tobytes())
    archive = shutil.make_archive(str(binary), "gztar", binary)
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    cases.append(case(f"{archive}:test", pixels, [f"test_batch.bin/{i}" for i in range(6)], records[:, 0]))

    classes = ["n01443537", "n01629819", "n02814860"]
    train = [f"train/{name}/images/{name}_{i}.JPEG" for name in classes for i in range(3)]
    val = [f"val/images/val_{i}.JPEG" for i in range(12)]
    test = [f"test/images/test_{i}.JPEG" for i in range(5)]
    root = folder / "tiny" / "tiny-imagenet-200"
    pixels = image_tree(root, [*train, *val, *test])
    drawn = [classes[i % 3] for i in random.permutation(12)]
    lines = "".join(f"{Path(name).name}\t{wnid}\t0\t32\t44\t62\n" for name, wnid in zip(val, drawn))
    (root / "val/val_annotations.txt").write_text(lines)
    (root / "wnids.txt").write_text("\n".join(reversed(classes)))
    for name in classes:
        (root / f"train/{name}/{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t10\t63\t58\n")
    archive = shutil.make_archive(str(folder / "tiny-imagenet-200"), "zip", root.parent)
    by_name = dict(zip(val, drawn))
    for part, files, wnids in (
        ("train", train, [name.split("/")[1] for name in train]),
        ("val", sorted(val), [by_name[name] for name in sorted(val)]),
        ("test", sorted(test), None),
    ):
        labels = wnids and [classes.index(wnid) for wnid in wnids]
        names = [name[len(part) + 1 :] for name in files]
        for spec in (f"{root}:{part}", root / part, f"{archive}:{part}"):
            cases.append(case(spec, [pixels[name] for name in files], names, labels, wnids and classes))
    return cases


def databases(folder: Path) -> list:
    """LMDB: small and large values, a deep tree, one that was changed often, and LSUN's way of keys."""
    cases = []
    for name, count, side, page_changes in (("few", 3, 16, 0), ("test_lmdb", 40, 64, 0), ("deep", 2500, 2, 400)):
        environment = lmdb.open(str(folder / name), map_size=1 << 28)
        images = {}
        for _ in range(count):
            # A key of LSUN is a hash in hexadecimal digits.
            key = random.bytes(20).hex()
            out = io.BytesIO()
            picture(side, side).save(out, ("WEBP", "JPEG", "PNG")[len(images) % 3])
            images[key] = out.getvalue()
        with environment.begin(write=True) as transaction:
            for key, value in images.items():
                transaction.put(key.encode(), value)
        for key in list(images)[:page_changes]:
            with environment.begin(write=True) as transaction:
                transaction.delete(key.encode())
            del images[key]
        with environment.begin() as transaction:
            entries = [(key.decode(), bytes(value)) for key, value in transaction.cursor()]
        environment.close()
        pixels = [np.asarray(Image.open(io.BytesIO(value)).convert("RGB")) for _, value in entries]
        for spec in (folder / name, folder / name / "data.mdb"):
            cases.append(case(spec, pixels, [key for key, _ in entries]))
    return cases


def tables(folder: Path) -> list:
    """Parquet: structs as Hugging Face writes them, with class names, in parts and row groups; plain binary values."""
    cases = []
    classes = ["ape", "bee", "cow"]
    features = {"image": {"_type": "Image"}, "label": {"names": classes, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

    def rows(count):
        files, pixels = [], []
        for i in range(count):
            out = io.BytesIO()
            picture(24, 20).save(out, ("PNG", "JPEG", "WEBP")[i % 3])
            files.append(out.getvalue())
            pixels.append(np.asarray(Image.open(out).convert("RGB")))
        return files, pixels, random.randint(0, 3, count).tolist()

    for codec in ("snappy", "gzip", "none", "brotli", "zstd", "lz4", "delta"):
        root = folder / codec / "data"
        root.mkdir(parents=True)
        all_pixels, all_labels = [], []
        for part, count in (("test-00000-of-00001", 7), ("train-00000-of-00002", 23), ("train-00001-of-00002", 12)):
            files, pixels, labels = rows(count)
            images = [{"bytes": file, "path": f"{i}.png" if i % 2 else None} for i, file in enumerate(files)]
            table = pa.table({"extra": list("x" * count), "image": pa.array(images, struct), "label": labels})
            differences = {"label": "DELTA_BINARY_PACKED", "image.bytes": "DELTA_BYTE_ARRAY"}
            pq.write_table(
                table.replace_schema_metadata(metadata), root / f"{part}.parquet", row_group_size=5, data_page_size=900,
                compression="zstd" if codec == "delta" else codec,
                column_encoding=differences if codec == "delta" else None,
                use_dictionary=codec not in ("brotli", "delta"),
                data_page_version="2.0" if codec in ("gzip", "lz4") else "1.0",
            )
            if part.startswith("train"):
                all_pixels += pixels
                all_labels += labels
            else:
                spec = root / f"{part}.parquet"
                cases.append(case(spec, pixels, [str(i) for i in range(count)], labels, classes))
                cases.append(case(f"{root.parent}:test", pixels, None, labels, classes))
        cases.append(case(f"{root.parent}:train", all_pixels, [str(i) for i in range(35)], all_labels, classes))
    files, pixels, labels = rows(9)
    pq.write_table(pa.table({"name": list("abcdefghi"), "img": files}), folder / "plain.parquet")
    cases.append(case(folder / "plain.parquet", pixels))
    fine = {"coarse_label": [0] * 9, "fine_label": labels, "img": files}
    pq.write_table(pa.table(fine), folder / "fine.parquet")
    cases.append(case(folder / "fine.parquet", pixels, None, labels, list("012")[: max(labels) + 1]))
    return cases


commands = [kinds, oriented, arrays, archives, openood, published, databases, tables]
chosen = {command.__name__: command for command in commands}[sys.argv[1]]
print(json.dumps(chosen(Path(sys.argv[2]))))

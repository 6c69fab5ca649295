"""What Pillow, zipfile, tarfile, SciPy and h5py read of the test files of Python's libraries: images, archives, arrays.

`library-files.py FOLDER` fetches Pillow's sources from PyPI into the folder, and prints what is read of each file: SHA-256 of
pixels, of members, of values in C's order; null where the library refuses the file.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import warnings
import zipfile
from pathlib import Path, PurePosixPath

import h5py
import numpy as np
import PIL
import scipy
import scipy.io
from PIL import Image

warnings.simplefilter("ignore")
ENDINGS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def attempt(read, path):
    try:
        return read(path)
    except BaseException:
        return None


def pixels(path: Path) -> dict:
    image = Image.open(path)
    image.load()
    rgb = image.convert("RGB")
    return {"size": [rgb.height, rgb.width], "sha": sha(rgb.tobytes())}


def pillow_images(folder: Path) -> list:
    """The test images lie in the source distribution alone."""
    package = f"pillow=={PIL.__version__}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pillow", package]
    subprocess.run([*pip, "--dest", str(folder)], check=True, stdout=sys.stderr)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    files = sorted(path for path in folder.glob("*/Tests/images/**/*") if path.suffix.lower() in ENDINGS)
    return [{"path": str(path), "read": attempt(pixels, path)} for path in files]


def name_of(name: str) -> str:
    # Windows writes its own separator.
    return str(PurePosixPath(name.replace("\\", "/")))


def members(path: Path) -> dict:
    """The regular files in an archive by their names, the last of a name counts; null where one cannot be read."""
    found = {}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if not entry.filename.endswith(("/", "\\")):
                    found[name_of(entry.filename)] = attempt(lambda e: sha(archive.read(e)), entry)
    else:
        with tarfile.open(path) as archive:
            for entry in archive:
                if entry.isreg():
                    found[name_of(entry.name)] = attempt(lambda e: sha(archive.extractfile(e).read()), entry)
    return found


def archives() -> list:
    """CPython's own, where its tests are installed; LA_OOD_CPYTHON_TESTS names another folder of them."""
    folder = Path(os.environ.get("LA_OOD_CPYTHON_TESTS", Path(sysconfig.get_path("stdlib"), "test")))
    ending = re.compile(r"\.(zip|tar|tar\.gz|tgz|whl|egg)$")
    files = sorted(path for path in folder.rglob("*") if ending.search(path.name) and path.is_file())
    return [{"path": str(path), "read": attempt(members, path)} for path in files]


def matrices(path: Path) -> dict:
    """Arrays of numbers by their names: type, sizes, values as MATLAB orders them."""
    found = {}
    for name, value in scipy.io.loadmat(path, squeeze_me=False).items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.dtype.itemsize in (1, 2, 4, 8):
            little = value.astype(value.dtype.newbyteorder("<"), order="F")
            found[name] = {"shape": list(value.shape), "sha": sha(little.tobytes(order="F")), "kind": value.dtype.str[1:]}
    return found


def matlab_files() -> list:
    folder = Path(scipy.__file__).parent / "io/matlab/tests/data"
    return [{"path": str(path), "read": attempt(matrices, path)} for path in sorted(folder.glob("*.mat"))]


def hdf5_files() -> list:
    folder = Path(h5py.__file__).parent / "tests/data_files"
    keys = lambda path: sorted(h5py.File(path, "r").keys())
    return [{"path": str(path), "read": attempt(keys, path)} for path in sorted(folder.glob("*.h5"))]


folder = Path(sys.argv[1])
result = {
    "images": pillow_images(folder),
    "archives": archives(),
    "matrices": matlab_files(),
    "hdf5": hdf5_files(),
}
print(json.dumps(result))

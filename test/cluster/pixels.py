"""What the recipes make of image files: `pixels.py FOLDER OUTPUT HEIGHT WIDTH` writes, for each of the models' metadata in the
list on standard input, the pixels of all files, in the order of their names, which it prints."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
from guarded import pixels

folder, output, height, width = sys.argv[1:]
paths = sorted(Path(folder).iterdir())
with open(output, "wb") as file:
    for metadata in json.load(sys.stdin):
        for path in paths:
            image = pixels(path, path.read_bytes(), (int(height), int(width)), metadata)
            file.write(image.tobytes())
json.dump([path.name for path in paths], sys.stdout)

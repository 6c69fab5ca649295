"""This Python's version (3.11), where its packages lie, and the NumPy 1 that run.sh puts beside them."""

import json
import sys
import sysconfig
from pathlib import Path

version = f"{sys.version_info.major}.{sys.version_info.minor}"
numpy1 = str(Path(sys.prefix) / "numpy1")
json.dump({"version": version, "packages": sysconfig.get_path("purelib"), "numpy1": numpy1}, sys.stdout)

"""The versions of everything that the figures on Python's side depend on."""

import json
import platform
from importlib.metadata import version

packages = ["torch", "scikit-learn", "numpy", "scipy", "pillow"]
print(json.dumps({"python": platform.python_version(), **{name: version(name) for name in packages}}))

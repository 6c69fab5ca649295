"""Top-1 accuracy of published checkpoints under PyTorch, on images that Pillow decodes.

    accuracy.py IMAGES ARCHITECTURE CHECKPOINT MEAN STD
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from backbones import NETWORKS
from PIL import Image

images, architecture, checkpoint, mean, std = sys.argv[1:]
folders = sorted(path for path in Path(images).iterdir())
files = [(file, label) for label, folder in enumerate(folders) for file in sorted(folder.iterdir())]
state = torch.load(checkpoint, weights_only=True, map_location="cpu")
state = state.get("state_dict", state)
network = NETWORKS[architecture](classes=len(folders))
network.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
network.eval()
mean, std = (torch.tensor(json.loads(numbers)).view(1, 3, 1, 1) for numbers in (mean, std))

correct = 0
with torch.no_grad():
    for start in range(0, len(files), 100):
        batch = files[start : start + 100]
        pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file, _ in batch])
        x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
        correct += (network(x).argmax(1) == torch.tensor([label for _, label in batch])).sum().item()
print(json.dumps({"images": len(files), "accuracy": correct / len(files)}))

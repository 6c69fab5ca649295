"""The fine-tuning of `fine-tuning.ts` in PyTorch: the same checkpoint, images, recipe and number of steps; other random
numbers. Takes a JSON object, prints a line of JSON an epoch: loss and accuracy of training, test accuracy, seconds, and
those of the processor. What is known after an epoch is kept in the file `state`, and gone on from."""

import json
import math
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "parity"))
from backbones import NETWORKS
from PIL import Image

task = json.loads(sys.argv[1])
recipe = task["recipe"]
torch.set_num_threads(task["threads"])
torch.manual_seed(task["seed"])
mean, std = (torch.tensor(task[key]).view(1, 3, 1, 1) for key in ("mean", "std"))


def load(path):
    folders = sorted(pathlib.Path(path).iterdir())
    files = [(file, label) for label, folder in enumerate(folders) for file in sorted(folder.iterdir())]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file, _ in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.tensor([label for _, label in files])


def normalised(pixels):
    return (pixels.float() / 255 - mean) / std


def augmented(pixels):
    padded = F.pad(pixels, [recipe["crop"]] * 4)
    places = torch.randint(2 * recipe["crop"] + 1, (len(pixels), 2)).tolist()
    crops = torch.stack([image[:, y : y + 32, x : x + 32] for image, (y, x) in zip(padded, places)])
    flips = torch.rand(len(pixels)) < 0.5
    crops[flips] = crops[flips].flip(3)
    return crops


def rate_at(done):
    warmup = recipe["schedule"]["warmup"]
    if done < warmup:
        return recipe["rate"] * done / warmup
    return recipe["rate"] * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2


def accuracy(network, images, labels):
    network.eval()
    with torch.no_grad():
        right = sum((network(normalised(x)).argmax(1) == y).sum().item() for x, y in zip(images.split(100), labels.split(100)))
    return right / len(labels)


images, labels = load(task["train"])
test = load(task["test"])
network = NETWORKS[task["name"]](10)
state = torch.load(task["checkpoint"], weights_only=True, map_location="cpu")
network.load_state_dict(state.get("state_dict", state))
optimiser = torch.optim.SGD(network.parameters(), lr=0, momentum=recipe["momentum"], weight_decay=recipe["weightDecay"])
saved = pathlib.Path(task["state"])


def keep(epochs):
    print(json.dumps(epochs[-1]), flush=True)
    part = saved.with_suffix(".part")
    torch.save([epochs, network.state_dict(), optimiser.state_dict(), torch.get_rng_state()], part)
    part.rename(saved)


if saved.exists():
    epochs, weights, velocities, random = torch.load(saved, weights_only=True)
    network.load_state_dict(weights)
    optimiser.load_state_dict(velocities)
    torch.set_rng_state(random)
    for known in epochs:
        print(json.dumps(known), flush=True)
else:
    epochs = [{"epoch": 0, "testAccuracy": accuracy(network, *test)}]
    keep(epochs)
steps = math.ceil(len(labels) / recipe["batch"])
for epoch in range(len(epochs) - 1, recipe["epochs"]):
    start, start_of_processor = time.perf_counter(), time.process_time()
    network.train()
    total, right = 0.0, 0
    for step, chosen in enumerate(torch.randperm(len(labels)).split(recipe["batch"])):
        optimiser.param_groups[0]["lr"] = rate_at((epoch + step / steps) / recipe["epochs"])
        logits = network(normalised(augmented(images[chosen])))
        loss = F.cross_entropy(logits, labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(chosen)
        right += (logits.argmax(1) == labels[chosen]).sum().item()
    tested = accuracy(network, *test)
    epochs.append(
        {
            **{"epoch": epoch + 1, "trainLoss": total / len(labels), "trainAccuracy": right / len(labels)},
            **{"testAccuracy": tested, "seconds": time.perf_counter() - start},
            "processorSeconds": time.process_time() - start_of_processor,
        }
    )
    keep(epochs)

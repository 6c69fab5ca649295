"""PyTorch's side of families.test.ts: networks of torchvision, timm and transformers with random weights.

families.py save FOLDER NAME     saves a network in a folder of its own as its users do, prints where, and its logits
families.py load FOLDER NAME...  loads what was exported strictly, prints whether it is what was saved, bit by bit
"""

import json
import sys
from pathlib import Path

import torch

# torchvision's own operators (nms) are those of the PyTorch that it was built for; its models need none of them.
register = torch.library.register_fake
torch.library.register_fake = lambda name, *args, **kwargs: (
    (lambda function: function) if str(name).startswith("torchvision::") else register(name, *args, **kwargs)
)

import timm  # noqa: E402
import torchvision  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import ResNetConfig, ResNetForImageClassification  # noqa: E402

SIZE = 224


def transformers_network(**options):
    return ResNetForImageClassification(ResNetConfig(num_labels=10, **options))


small = {"depths": [2, 1, 1, 1], "hidden_sizes": [32, 64, 96, 128], "embedding_size": 16}

# name: (how it is made, how it is saved)
NETWORKS = {
    "torchvision resnet18": (lambda: torchvision.models.resnet18(), "torch"),
    "torchvision resnet152": (lambda: torchvision.models.resnet152(num_classes=7), "torch"),
    "torchvision resnext50_32x4d": (lambda: torchvision.models.resnext50_32x4d(), "legacy"),
    "torchvision wide_resnet50_2": (lambda: torchvision.models.wide_resnet50_2(num_classes=5), "parallel"),
    "torchvision vgg13": (lambda: torchvision.models.vgg13(num_classes=3), "features"),
    "torchvision vgg11_bn": (lambda: torchvision.models.vgg11_bn(), "safetensors"),
    "torchvision densenet169": (lambda: torchvision.models.densenet169(), "compiled"),
    "torchvision resnet34": (lambda: torchvision.models.resnet34(), "module"),
    "timm resnet26d": (lambda: timm.create_model("resnet26d"), "timm"),
    "timm resnet14t": (lambda: timm.create_model("resnet14t"), "timm"),
    "timm resnetblur50": (lambda: timm.create_model("resnetblur50"), "timm"),
    "timm resnetaa34d": (lambda: timm.create_model("resnetaa34d"), "timm"),
    "timm resnet50c": (lambda: timm.create_model("resnet50c"), "timm"),
    "timm densenet121": (lambda: timm.create_model("densenet121"), "timm"),
    "timm vgg11": (lambda: timm.create_model("vgg11", num_classes=11), "timm"),
    "transformers basic": (lambda: transformers_network(layer_type="basic", **small), "pretrained"),
    "transformers bottleneck": (lambda: transformers_network(layer_type="bottleneck", **small), "pretrained"),
    "transformers, other": (
        lambda: transformers_network(
            layer_type="bottleneck",
            downsample_in_bottleneck=True,
            downsample_in_first_stage=True,
            hidden_act="gelu",
            **small,
        ),
        "pretrained",
    ),
}


def make(name):
    """The network, its weights drawn so that every part of it counts."""
    torch.manual_seed(sum(map(ord, name)))
    network = NETWORKS[name][0]().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.2)
                module.bias.uniform_(-0.1, 0.1)
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.num_batches_tracked.fill_(2**40 + 1)
    return network


def save(network, how, folder):
    state_dict = network.state_dict()
    folder.mkdir()
    prefixed = lambda prefix: {prefix + key: value for key, value in state_dict.items()}
    if how == "timm":
        timm.models.save_for_hf(network, folder, safe_serialization=True)
        return folder / "model.safetensors"
    if how == "pretrained":
        network.save_pretrained(folder)
        return folder / "model.safetensors"
    if how == "safetensors":
        save_file(state_dict, folder / "weights.safetensors")
        return folder / "weights.safetensors"
    path = folder / "weights.pth"
    content = {
        "torch": state_dict,
        "legacy": state_dict,
        "parallel": {"epoch": 3, "state_dict": prefixed("module."), "optimizer": {"state": {}}},
        # As PyTorch's examples wrap a VGG.
        "features": {key.replace("features.", "features.module.", 1): value for key, value in state_dict.items()},
        "compiled": {"model": prefixed("_orig_mod.")},
        "module": network,
    }[how]
    torch.save(content, path, _use_new_zipfile_serialization=how != "legacy")
    return path


def save_one(folder, name):
    torch.manual_seed(0)
    image = torch.randn(2, 3, SIZE, SIZE)
    image.numpy().tofile(folder / "image.bin")
    network = make(name)
    path = save(network, NETWORKS[name][1], folder / name.replace(" ", "-"))
    with torch.no_grad():
        output = network.double()(image.double())
    return {"path": str(path), "logits": getattr(output, "logits", output).flatten().tolist()}


def load_all(folder, names):
    same = {}
    for name in names:
        own = make(name).state_dict()
        place = folder / name.replace(" ", "-")
        for file, load in [("back.pth", lambda path: torch.load(path, weights_only=True)), ("back.safetensors", load_file)]:
            network = NETWORKS[name][0]()
            loaded = load(place / file)
            if NETWORKS[name][1] == "features":
                # The inner wrapper is a part of the keys that the file had.
                loaded = {key.replace("features.module.", "features.", 1): value for key, value in loaded.items()}
            network.load_state_dict(loaded, strict=True)
            found = network.state_dict()
            same[f"{name}, {file}"] = all(torch.equal(found[key], value) for key, value in own.items())
    return same


command, folder, *names = sys.argv[1:]
result = save_one(Path(folder), *names) if command == "save" else load_all(Path(folder), names)
print(json.dumps(result, allow_nan=False))

"""Classifiers of torchvision as files, and PyTorch eager on them.

real.py export FOLDER                     FOLDER/resnet50.onnx and FOLDER/vit_b_16.onnx, with random weights
real.py eager NAME IMAGES THREADS BATCH   prints the seconds that PyTorch takes for so many images of 224 × 224, with the outputs
                                          of every convolution, block and encoder layer pooled as la-ood pools its taps
"""

import json
import sys
import time

import torch

_register_fake = torch.library.register_fake
torch.library.register_fake = lambda operator, *args, **options: (
    (lambda function: function) if isinstance(operator, str) and operator.startswith("torchvision::") else _register_fake(operator, *args, **options)
)

from torchvision.models import get_model  # noqa: E402
from torchvision.models.resnet import Bottleneck  # noqa: E402
from torchvision.models.vision_transformer import EncoderBlock  # noqa: E402

NAMES = ("resnet50", "vit_b_16")


def network(name):
    torch.manual_seed(0)
    return get_model(name, weights=None).eval()


def export(folder):
    for name in NAMES:
        axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
        names = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": axes}
        torch.onnx.export(network(name), (torch.zeros(1, 3, 224, 224),), f"{folder}/{name}.onnx", dynamo=False, opset_version=17, **names)
    return list(NAMES)


def eager(name, images, threads, batch):
    torch.set_num_threads(int(threads))
    made = network(name)
    pooled = []
    watched = (Bottleneck, EncoderBlock)
    for module in made.modules():
        if isinstance(module, watched):
            module.register_forward_hook(lambda _, __, y: pooled.append(y.mean((2, 3)) if y.ndim == 4 else y.mean(1)))
    pixels = torch.randint(0, 256, (int(batch), 224, 224, 3), dtype=torch.uint8)

    def run():
        pooled.clear()
        made(((pixels.permute(0, 3, 1, 2).float() / 255) - 0.5) / 0.25)

    run()
    start = time.perf_counter()
    for _ in range(0, int(images), int(batch)):
        run()
    return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    command, *args = sys.argv[1:]
    with torch.no_grad():
        print(json.dumps({"export": export, "eager": eager}[command](*args)))

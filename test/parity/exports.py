"""Networks of torchvision and timm as people export and quantise them: with random weights, of few blocks, and of images of 64
pixels, since a file's operators are those of the larger ones.

exports.py PATTERN…   makes the files whose names fit a pattern, and prints the folder that they lie in, and for each its logits of
                      the images in pixels.npy, one by one, as onnxruntime computes them operator by operator

They are kept in the environment's folder, and made anew where this script or a package changes.
"""

import hashlib
import io
import json
import logging
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from fnmatch import fnmatch
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from torch import nn

_register_fake = torch.library.register_fake
torch.library.register_fake = lambda operator, *args, **options: (
    (lambda function: function) if isinstance(operator, str) and operator.startswith("torchvision::") else _register_fake(operator, *args, **options)
)

import timm  # noqa: E402
import torchvision.models as tv  # noqa: E402
from torchvision.models.convnext import CNBlockConfig  # noqa: E402
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig  # noqa: E402
from torchvision.models.resnet import BasicBlock, Bottleneck  # noqa: E402
from torchvision.models.vgg import make_layers  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE, COUNT, CLASSES = 64, 2, 100
PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxruntime", "onnxscript", "onnxslim", "numpy")


def vgg_bn():
    network = tv.VGG(make_layers([8, "M", 16, "M", 32, "M"], batch_norm=True))
    network.classifier = nn.Sequential(nn.Linear(32 * 49, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, CLASSES))
    return network


def efficientnet_v2():
    blocks = [FusedMBConvConfig(1, 3, 1, 24, 24, 1), FusedMBConvConfig(4, 3, 2, 24, 48, 1), MBConvConfig(4, 3, 2, 48, 64, 2)]
    return tv.EfficientNet(blocks, 0.2, last_channel=128, num_classes=CLASSES)


TORCHVISION = {
    "resnet18": lambda: tv.ResNet(BasicBlock, [1, 1, 1, 1], num_classes=CLASSES),
    "resnet50": lambda: tv.ResNet(Bottleneck, [1, 1, 1, 1], num_classes=CLASSES),
    "resnext50_32x4d": lambda: tv.ResNet(Bottleneck, [1, 1, 1, 1], groups=32, width_per_group=4, num_classes=CLASSES),
    "densenet121": lambda: tv.DenseNet(8, (2, 2, 2, 2), 16, num_classes=CLASSES),
    "googlenet": lambda: tv.GoogLeNet(CLASSES, aux_logits=False, init_weights=False),
    "convnext_tiny": lambda: tv.ConvNeXt([CNBlockConfig(24, 48, 1), CNBlockConfig(48, 96, 1), CNBlockConfig(96, None, 1)], num_classes=CLASSES),
    "efficientnet_v2_s": efficientnet_v2,
    "vgg11_bn": vgg_bn,
    "vit_b_16": lambda: tv.VisionTransformer(SIZE, 16, 3, 3, 48, 96, num_classes=CLASSES),
    "swin_t": lambda: tv.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=CLASSES),
}
TIMM = {
    "deit_tiny_patch16_224": {"img_size": SIZE, "depth": 3},
    "convit_tiny": {"img_size": SIZE, "depth": 4, "local_up_to_layer": 2},
    "levit_128s": {"img_size": SIZE},
    "mixer_s32_224": {"img_size": SIZE},
}

# Library, network, exporter, opset; then what is done to the file.
EXPORTS = {
    **{
        f"tv-{name}-script13": ("torchvision", name, "script", 13)
        for name in ("resnet18", "mobilenet_v2", "densenet121", "squeezenet1_1", "googlenet")
    },
    **{
        f"tv-{name}-script17": ("torchvision", name, "script", 17)
        for name in ("resnet50", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf", "vit_b_16")
    },
    **{f"tv-{name}-dynamo18": ("torchvision", name, "dynamo", 18) for name in ("resnet18", "mobilenet_v3_small", "convnext_tiny", "vgg11_bn", "swin_t")},
    **{f"tv-{name}-dynamo20": ("torchvision", name, "dynamo", 20) for name in ("resnext50_32x4d", "efficientnet_v2_s", "densenet121", "vit_b_16")},
    **{
        f"timm-{name}-script17": ("timm", name, "script", 17)
        for name in ("resnet26d", "regnetx_002", "ghostnet_100", "hrnet_w18_small", "res2net50_14w_8s", "deit_tiny_patch16_224", "mixer_s32_224")
    },
    **{
        f"timm-{name}-dynamo18": ("timm", name, "dynamo", 18)
        for name in ("efficientnet_lite0", "mobileone_s0", "repvgg_a0", "edgenext_xx_small", "convit_tiny", "levit_128s")
    },
    "timm-deit_tiny-dynamo20": ("timm", "deit_tiny_patch16_224", "dynamo", 20),
    "half-resnet18": ("torchvision", "resnet18", "dynamo", 18, "half"),
    "half-mobilenet_v2": ("torchvision", "mobilenet_v2", "script", 17, "half"),
    "qdq-resnet18": ("torchvision", "resnet18", "script", 17, "qdq"),
    "qdq-mobilenet_v2": ("torchvision", "mobilenet_v2", "script", 13, "qdq"),
    "qoperator-resnet18": ("torchvision", "resnet18", "script", 17, "qoperator"),
    "dynamic-resnet18": ("torchvision", "resnet18", "script", 17, "dynamic"),
    "dynamic-deit_tiny": ("timm", "deit_tiny_patch16_224", "script", 17, "dynamic"),
    "slim-resnet18": ("torchvision", "resnet18", "script", 17, "slim"),
    "slim-deit_tiny": ("timm", "deit_tiny_patch16_224", "script", 17, "slim"),
}


def main(patterns):
    names = [name for name in EXPORTS if any(fnmatch(name, pattern) for pattern in patterns)]
    key = hashlib.sha256(Path(__file__).read_bytes() + repr([version(name) for name in PACKAGES]).encode())
    folder = Path(sys.prefix) / "exports" / key.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", pixels())
    missing = [name for name in names if not (folder / f"{name}.json").exists()]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        list(pool.map(make, [folder] * len(missing), missing))
    return {"folder": str(folder), "logits": {name: json.loads((folder / f"{name}.json").read_text()) for name in names}}


def pixels():
    return np.random.default_rng(SIZE).integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)


def make(folder, name):
    """Writes the file of an export, and then its logits, which say that it is there."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # It has no operators in ONNX.
    torch.manual_seed(0)
    library, network, exporter, opset, *after = EXPORTS[name]
    if library == "timm":
        made = timm.create_model(network, num_classes=CLASSES, **TIMM.get(network, {}))
    else:
        made = TORCHVISION.get(network, lambda: tv.get_model(network, weights=None, num_classes=CLASSES))()
    model = settle(made).eval()
    images = normalised()
    path = folder / f"{name}.onnx"
    with redirect_stdout(io.StringIO()), torch.no_grad():
        export(model.half() if after == ["half"] else model, images.half() if after == ["half"] else images, path, exporter, opset)
        for change in after:
            changed(path, change, images)
    part = folder / f"{name}.part"
    part.write_text(json.dumps(logits(path, images)))
    part.rename(folder / f"{name}.json")


def settle(network):
    """Running statistics of batch normalisation as they are on noise: with those of a new network the logits vanish or explode.
    And no weights of zeros, which some heads begin with: their logits would be equal whatever the rest computes."""
    for weights in network.parameters():
        if weights.ndim > 1 and not weights.any():
            nn.init.normal_(weights, std=0.02)
    network.train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.randn(8, 3, SIZE, SIZE))
    return network


def normalised():
    images = torch.from_numpy(pixels()).permute(0, 3, 1, 2).float().div(255)
    return ((images - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1)).contiguous()


def export(network, images, path, exporter, opset):
    if exporter == "dynamo":
        shapes = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(network, (images,), path, dynamo=True, opset_version=opset, dynamic_shapes=shapes, external_data=False, verbose=False)
    else:
        axes = {"image": {0: "batch"}, "scores": {0: "batch"}}
        torch.onnx.export(network, (images,), path, dynamo=False, opset_version=opset, input_names=["image"], output_names=["scores"], dynamic_axes=axes)


class Reader(CalibrationDataReader):
    def __init__(self, path, images):
        name = onnx.load(path).graph.input[0].name
        self.batches = iter([{name: image[None].numpy()} for image in images])

    def get_next(self):
        return next(self.batches, None)


def changed(path, change, images):
    whole = str(path)
    if change in ("qdq", "qoperator"):
        form = QuantFormat.QDQ if change == "qdq" else QuantFormat.QOperator
        quantize_static(whole, whole, Reader(whole, images), quant_format=form, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    elif change == "dynamic":
        quantize_dynamic(whole, whole, weight_type=QuantType.QUInt8)
    elif change == "slim":
        import onnxslim

        onnx.save(onnxslim.slim(onnx.load(whole)), whole)


def logits(path, images):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    values = images.numpy().astype(np.float16 if "float16" in image.type else np.float32)
    return [session.run(None, {image.name: values[i : i + 1]})[0].astype(np.float64)[0].tolist() for i in range(COUNT)]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))

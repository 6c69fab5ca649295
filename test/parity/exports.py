"""Networks of torchvision and timm as people export and quantise them, with random weights.

exports.py FOLDER NAME…   per name FOLDER/NAME.onnx; prints its logits of the images in FOLDER/pixels-SIZE.npy, one by one, as
                          onnxruntime computes them operator by operator, and the size of the images
exports.py                prints the names
"""

import io
import json
import logging
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

_register_fake = torch.library.register_fake
torch.library.register_fake = lambda operator, *args, **options: (
    (lambda function: function) if isinstance(operator, str) and operator.startswith("torchvision::") else _register_fake(operator, *args, **options)
)

import timm  # noqa: E402
import torchvision  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Library, network, size of its images, exporter, opset; then what is done to the file.
EXPORTS = {
    **{f"tv-{name}-script13": ("torchvision", name, 64, "script", 13) for name in ("resnet18", "mobilenet_v2", "densenet121", "squeezenet1_1", "googlenet")},
    **{f"tv-{name}-script17": ("torchvision", name, 64, "script", 17) for name in ("resnet50", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf")},
    **{f"tv-{name}-dynamo18": ("torchvision", name, 64, "dynamo", 18) for name in ("resnet18", "mobilenet_v3_large", "convnext_tiny", "alexnet", "vgg11_bn")},
    **{f"tv-{name}-dynamo20": ("torchvision", name, 64, "dynamo", 20) for name in ("resnext50_32x4d", "efficientnet_v2_s", "densenet121")},
    "tv-vit_b_32-script17": ("torchvision", "vit_b_32", 224, "script", 17),
    "tv-swin_t-dynamo18": ("torchvision", "swin_t", 224, "dynamo", 18),
    **{f"timm-{name}-script17": ("timm", name, 64, "script", 17) for name in ("resnet26d", "regnetx_002", "ghostnet_100", "hrnet_w18_small", "res2net50_14w_8s")},
    **{f"timm-{name}-dynamo18": ("timm", name, 64, "dynamo", 18) for name in ("efficientnet_lite0", "mobileone_s0", "repvgg_a0", "edgenext_xx_small")},
    "timm-deit_tiny-script17": ("timm", "deit_tiny_patch16_224", 224, "script", 17),
    "timm-deit_tiny-dynamo20": ("timm", "deit_tiny_patch16_224", 224, "dynamo", 20),
    "timm-convit_tiny-dynamo18": ("timm", "convit_tiny", 224, "dynamo", 18),
    "timm-levit_128s-dynamo18": ("timm", "levit_128s", 224, "dynamo", 18),
    "timm-mixer_s32-script17": ("timm", "mixer_s32_224", 224, "script", 17),
    "half-resnet18": ("torchvision", "resnet18", 64, "dynamo", 18, "half"),
    "half-mobilenet_v2": ("torchvision", "mobilenet_v2", 64, "script", 17, "half"),
    "qdq-resnet18": ("torchvision", "resnet18", 64, "script", 17, "qdq"),
    "qdq-mobilenet_v2": ("torchvision", "mobilenet_v2", 64, "script", 13, "qdq"),
    "qoperator-resnet18": ("torchvision", "resnet18", 64, "script", 17, "qoperator"),
    "dynamic-resnet18": ("torchvision", "resnet18", 64, "script", 17, "dynamic"),
    "dynamic-deit_tiny": ("timm", "deit_tiny_patch16_224", 224, "script", 17, "dynamic"),
    "slim-resnet18": ("torchvision", "resnet18", 64, "script", 17, "slim"),
    "slim-deit_tiny": ("timm", "deit_tiny_patch16_224", 224, "script", 17, "slim"),
}
COUNT = 2


def main(folder, names):
    folder = Path(folder)
    found = {}
    for name in names:
        library, network, size, exporter, opset, *after = EXPORTS[name]
        torch.manual_seed(0)
        made = torchvision.models.get_model(network, weights=None) if library == "torchvision" else timm.create_model(network)
        if network == "googlenet":
            made.aux_logits = False
        model = settle(made, size).eval()
        images = normalised(folder, size)
        path = folder / f"{name}.onnx"
        with redirect_stdout(io.StringIO()), torch.no_grad():
            export(model.half() if after == ["half"] else model, images.half() if after == ["half"] else images, path, exporter, opset)
            for change in after:
                changed(path, change, images)
        found[name] = {"size": size, "logits": logits(path, images)}
    return found


def settle(network, size):
    """Running statistics of batch normalisation as they are on noise: with those of a new network the logits vanish or explode."""
    network.train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.randn(8, 3, size, size))
    return network


def normalised(folder, size):
    path = folder / f"pixels-{size}.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(size).integers(0, 256, (COUNT, size, size, 3), np.uint8))
    images = torch.from_numpy(np.load(path)).permute(0, 3, 1, 2).float().div(255)
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

        onnxslim.slim(whole, whole)


def logits(path, images):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    values = images.numpy().astype(np.float16 if "float16" in image.type else np.float32)
    return [session.run(None, {image.name: values[i : i + 1]})[0].astype(np.float64)[0].tolist() for i in range(COUNT)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    folder, *names = sys.argv[1:] or [None]
    print(json.dumps(main(folder, names) if folder else list(EXPORTS)))

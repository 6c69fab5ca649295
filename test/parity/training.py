"""What PyTorch makes of the graphs and networks that the training tests train.

training.py operators DIR NAME...  per name: runs DIR/NAME.onnx in float64 on DIR/NAME.input.bin, goes back from the gradient
                                   DIR/NAME.dy.bin, and writes DIR/NAME.bin (float64): output, gradient of the input, gradients
                                   of the weights and then the statistics, in the order of the initializers
training.py make DIR NAME...       per name: DIR/NAME.pth with weights as before training, and of a network that is no backbone DIR/NAME.onnx
training.py gradients DIR NAME DRAWS SIZE   goes forth and back with DIR/NAME.pth in float64 and float32, each draw on the next SIZE
                                   images of DIR/images.bin and DIR/labels.bin; writes gradients and statistics (DIR/NAME.DRAW.64.pth, DIR/NAME.DRAW.32.pth)
training.py train DIR NAME STEPS DRAWS HALF    trains in both, each draw on the next 2 HALF images, half of them a step, and prints losses
training.py cotrain DIR NAME DRAWS SIZE    as gradients, one co-training step with the detectors of DIR/cotrain.json; prints losses in float64
"""

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from backbones import NETWORKS as BACKBONES
from backbones import randomise
from classifiers import MobileNet
from onnx import numpy_helper
from torch import nn

CLASSES = 10
DTYPES = (("64", torch.float64), ("32", torch.float32))
NETWORKS = {**BACKBONES, "mobilenet": MobileNet}


def interpret(path, x):
    """Runs an ONNX graph as ONNX defines it, operator by operator. Gives its output, weights and statistics."""
    graph = onnx.load(path).graph
    values = {}
    for tensor in graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
        values[tensor.name] = value.double() if value.is_floating_point() else value
    weights = {name: value for name, value in values.items() if name.startswith(("weight", "bias"))}
    for weight in weights.values():
        weight.requires_grad_()
    values[graph.input[0].name] = x
    for node in graph.node:
        inputs = [values.get(name) for name in node.input]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = getattr(Operators, node.op_type)(*inputs, **attributes)
    statistics = [value for name, value in values.items() if name.startswith("running")]
    return values[graph.output[0].name], list(weights.values()), statistics


def padded(x, pads, value=0.0):
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


class Operators:
    @staticmethod
    def Conv(x, w, b=None, pads=(0, 0, 0, 0), strides=(1, 1), dilations=(1, 1), group=1, kernel_shape=None):
        return F.conv2d(padded(x, pads), w, b, tuple(strides), 0, tuple(dilations), group)

    @staticmethod
    def BatchNormalization(x, w, b, mean, var, epsilon=1e-5, momentum=0.9):
        return F.batch_norm(x, mean, var, w, b, True, 1 - momentum, epsilon)

    @staticmethod
    def MaxPool(x, kernel_shape, strides, pads=(0, 0, 0, 0), ceil_mode=0):
        return F.max_pool2d(x, kernel_shape, strides, pads[:2], ceil_mode=bool(ceil_mode))

    @staticmethod
    def AveragePool(x, kernel_shape, strides, pads=(0, 0, 0, 0), count_include_pad=0):
        return F.avg_pool2d(x, kernel_shape, strides, pads[:2], count_include_pad=bool(count_include_pad))

    @staticmethod
    def Gemm(x, w, b=None, transB=0):
        y = x @ (w.T if transB else w)
        return y if b is None else y + b

    @staticmethod
    def Slice(x, starts, ends, axes, steps):
        for start, end, axis, step in zip(*(t.tolist() for t in (starts, ends, axes, steps))):
            x = x[(slice(None),) * axis + (slice(start, min(end, x.shape[axis]), step),)]
        return x

    @staticmethod
    def Pad(x, pads):
        half = len(pads) // 2
        return F.pad(x, [int(pads[i + side]) for i in reversed(range(half)) for side in (0, half)])

    Add = staticmethod(lambda a, b: a + b)
    Sub = staticmethod(lambda a, b: a - b)
    Div = staticmethod(lambda a, b: a / b)
    Exp = staticmethod(torch.exp)
    LeakyRelu = staticmethod(lambda x, alpha: F.leaky_relu(x, alpha))
    LogSoftmax = staticmethod(lambda x, axis: F.log_softmax(x, axis))
    Transpose = staticmethod(lambda x, perm: x.permute(*perm))
    ReduceSum = staticmethod(lambda x, axes, keepdims=1: x.sum(tuple(axes.tolist()), keepdim=bool(keepdims)))
    Mul = staticmethod(lambda a, b: a * b)
    MatMul = staticmethod(lambda a, b: a @ b)
    Relu = staticmethod(torch.relu)
    Sigmoid = staticmethod(torch.sigmoid)
    Identity = staticmethod(lambda x: x)
    HardSwish = staticmethod(F.hardswish)
    HardSigmoid = staticmethod(lambda x, alpha=0.2, beta=0.5: (alpha * x + beta).clamp(0, 1))
    Clip = staticmethod(lambda x, low, high: x.clamp(low, high))
    Concat = staticmethod(lambda *xs, axis: torch.cat(xs, axis))
    Constant = staticmethod(lambda value: torch.from_numpy(numpy_helper.to_array(value).copy()).double())
    Cast = staticmethod(lambda x, to: x.double())
    Squeeze = staticmethod(lambda x, axes: x.squeeze(tuple(axes.tolist())))
    Flatten = staticmethod(lambda x: x.flatten(1))
    Reshape = staticmethod(lambda x, shape: x.reshape(*[x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())]))
    GlobalAveragePool = staticmethod(lambda x: x.mean((2, 3), keepdim=True))
    ReduceMean = staticmethod(lambda x, axes, keepdims=1: x.mean(tuple(axes.tolist()), keepdim=bool(keepdims)))


def operators(folder, names):
    for name in names:
        shape = json.loads((folder / f"{name}.json").read_text())
        x = torch.from_numpy(np.fromfile(folder / f"{name}.input.bin", np.float32).reshape(shape)).double().requires_grad_()
        y, weights, statistics = interpret(folder / f"{name}.onnx", x)
        dy = torch.from_numpy(np.fromfile(folder / f"{name}.dy.bin", np.float32)).double().reshape(y.shape)
        gradients = torch.autograd.grad((y * dy).sum(), [x, *weights])
        parts = [y, *gradients, *statistics]
        torch.cat([part.detach().flatten() for part in parts]).numpy().tofile(folder / f"{name}.bin")
    return {}


def network_of(folder, name, dtype):
    network = NETWORKS[name](CLASSES)
    network.load_state_dict(torch.load(folder / f"{name}.pth", weights_only=True))
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
    return network.to(dtype).train()


def batch_of(folder, dtype):
    labels = torch.from_numpy(np.fromfile(folder / "labels.bin", np.uint8)).long()
    images = np.fromfile(folder / "images.bin", np.float32).reshape(len(labels), 3, 32, 32)
    return torch.from_numpy(images).to(dtype), labels


def make(folder, names):
    torch.manual_seed(1)
    for name in names:
        network = NETWORKS[name](CLASSES)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        # The exporter makes one of initializers that are equal, which all of a new network's batch normalisations are.
        torch.save((network if name in BACKBONES else randomise(network)).state_dict(), folder / f"{name}.pth")
        if name not in BACKBONES:
            export(network_of(folder, name, torch.float32).eval(), folder / f"{name}.onnx")
    return {}


def export(network, path):
    """With batch normalisation as it is, not folded into the convolution before it."""
    axes = {"image": {0: "batch"}, "scores": {0: "batch"}}
    names = {"input_names": ["image"], "output_names": ["scores"], "dynamic_axes": axes}
    keep = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    with redirect_stdout(io.StringIO()):
        torch.onnx.export(network, (torch.zeros(2, 3, 32, 32),), str(path), dynamo=False, opset_version=13, **names, **keep)


def first_step(network, loss, path):
    """Gradients after one step back, and statistics after one step forth, by state-dict key."""
    loss.backward()
    found = {f"gradient/{key}": weight.grad for key, weight in network.named_parameters()}
    found |= {key: value for key, value in network.named_buffers() if "running" in key}
    torch.save({key: value.double().clone() for key, value in found.items()}, path)


def gradients(folder, names):
    name, draws, size = names
    for draw in range(int(draws)):
        for bits, dtype in DTYPES:
            network = network_of(folder, name, dtype)
            images, labels = (part[draw * int(size) : (draw + 1) * int(size)] for part in batch_of(folder, dtype))
            first_step(network, F.cross_entropy(network(images), labels), folder / f"{name}.{draw}.{bits}.pth")
    return {}


def train(folder, names):
    name, steps, draws, half = names[0], *(int(number) for number in names[1:])
    return [{bits: losses_of(folder, name, steps, draw, half, dtype) for bits, dtype in DTYPES} for draw in range(draws)]


def losses_of(folder, name, steps, draw, half, dtype):
    network = network_of(folder, name, dtype)
    images, labels = (part[draw * 2 * half : (draw + 1) * 2 * half] for part in batch_of(folder, dtype))
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    losses = []
    for step in range(steps):
        part = slice(0, half) if step % 2 == 0 else slice(half, None)
        loss = F.cross_entropy(network(images[part]), labels[part])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def cotrain(folder, names):
    """Cross-entropy - lambda D / (2 L); D sums alpha K(z, sv) over layers, samples and support vectors."""
    name, draws, size = names[0], *(int(number) for number in names[1:])
    task = json.loads((folder / "cotrain.json").read_text())
    losses = []
    for draw in range(draws):
        for bits, dtype in DTYPES:
            network = network_of(folder, name, dtype)
            images, labels = (part[draw * size : (draw + 1) * size] for part in batch_of(folder, dtype))
            loss = cotrain_loss(network, images, labels, task, dtype)
            first_step(network, loss, folder / f"cotrain.{draw}.{bits}.pth")
            if bits == "64":
                losses.append(loss.item())
    return losses


def cotrain_loss(network, images, labels, task, dtype):
    modules, outputs = dict(network.named_modules()), {}
    for layer in task["layers"]:
        tap = layer["tap"]
        modules[tap].register_forward_hook(lambda _, __, y, tap=tap: outputs.__setitem__(tap, y))
    loss = F.cross_entropy(network(images), labels)
    density = 0
    for layer in task["layers"]:
        numbers = lambda key: torch.tensor(layer[key], dtype=dtype)
        z = (outputs[layer["tap"]].mean((2, 3)) - numbers("mean")) / numbers("scale")
        vectors = numbers("supportVectors").reshape(-1, z.shape[1])
        squares = ((z[:, None, :] - vectors[None]) ** 2).sum(2)
        density = density + (torch.exp(-layer["gamma"] * squares) * numbers("alpha")).sum()
    return loss - task["lambda"] * density / (2 * len(task["layers"]))


if __name__ == "__main__":
    mode, folder, *names = sys.argv[1:]
    print(json.dumps({"operators": operators, "make": make, "gradients": gradients, "train": train, "cotrain": cotrain}[mode](Path(folder), names)))

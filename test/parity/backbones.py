"""The backbones in PyTorch, written from the papers and the specification, for the parity test beside it.

backbones.py make DIR NAME...    per name: DIR/NAME.pth with random weights and statistics, DIR/input.bin, and
                                 DIR/NAME.bin with every pooled tap and the logits, one after the other (float32);
                                 prints the taps of each
backbones.py verify DIR NAME...  loads DIR/NAME-exported.pth strictly; prints whether all is bit-identical to NAME.pth
"""

import json
import sys

import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, kernel=3, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias)


class Vgg(nn.Module):
    stages = {11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4]}

    def __init__(self, depth, classes):
        super().__init__()
        layers, inputs = [], 3
        for count, outputs in zip(self.stages[depth], [64, 128, 256, 512, 512]):
            for _ in range(count):
                layers += [conv(inputs, outputs, bias=True), nn.BatchNorm2d(outputs), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers, nn.AvgPool2d(1, 1))
        hidden = [nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout()]
        self.classifier = nn.Sequential(*hidden, nn.Linear(512, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Block(nn.Module):
    """A residual block; `bottleneck` has 1 × 1, 3 × 3, 1 × 1 convolutions, otherwise two of 3 × 3."""

    def __init__(self, inputs, width, stride, bottleneck, option_a):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            plan = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        else:
            plan = [(inputs, width, 3, stride), (width, width, 3, 1)]
        for i, sizes in enumerate(plan, 1):
            setattr(self, f"conv{i}", conv(*sizes))
            setattr(self, f"bn{i}", nn.BatchNorm2d(sizes[1]))
        self.count, self.pad = len(plan), None
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            if option_a:
                self.pad = outputs // 4
            else:
                self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.count:
                y = F.relu(y)
        if self.pad is not None:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, blocks, widths, bottleneck, option_a, classes):
        super().__init__()
        self.conv1, self.bn1 = conv(3, widths[0]), nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for i, (count, width) in enumerate(zip(blocks, widths)):
            layer = nn.Sequential()
            for j in range(count):
                layer.append(Block(inputs, width, 2 if i > 0 and j == 0 else 1, bottleneck, option_a))
                inputs = 4 * width if bottleneck else width
            setattr(self, f"layer{i + 1}", layer)
        self.depth = len(blocks)
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for i in range(self.depth):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.linear(x.mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, inputs, growth, bottleneck):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 4 * growth, 1) if bottleneck else conv(inputs, growth)
        self.bottleneck = bottleneck
        if bottleneck:
            self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth)

    def forward(self, x):
        y = self.conv1(F.relu(self.bn1(x)))
        if self.bottleneck:
            y = self.conv2(F.relu(self.bn2(y)))
        return torch.cat([x, y], 1)


class DenseBlock(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layer = nn.Sequential(*layers)

    def forward(self, x):
        return self.layer(x)


class Transition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 1)

    def forward(self, x):
        return F.avg_pool2d(self.conv1(F.relu(self.bn1(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, depth, growth, reduction, bottleneck, classes):
        super().__init__()
        layers, channels = (depth - 4) // (6 if bottleneck else 3), 2 * growth
        self.conv1 = conv(3, channels)
        for i in (1, 2, 3):
            block = DenseBlock(DenseLayer(channels + j * growth, growth, bottleneck) for j in range(layers))
            setattr(self, f"block{i}", block)
            channels += layers * growth
            if i < 3:
                setattr(self, f"trans{i}", Transition(channels, int(channels * reduction)))
                channels = int(channels * reduction)
        self.bn1, self.fc = nn.BatchNorm2d(channels), nn.Linear(channels, classes)

    def forward(self, x):
        x = self.trans2(self.block2(self.trans1(self.block1(self.conv1(x)))))
        return self.fc(F.relu(self.bn1(self.block3(x))).mean((2, 3)))


CLASSES = 7


def resnet(blocks, bottleneck=False):
    return lambda classes=CLASSES: ResNet(blocks, [64, 128, 256, 512], bottleneck, False, classes)


def cifar_resnet(depth):
    return lambda classes=CLASSES: ResNet([(depth - 2) // 6] * 3, [16, 32, 64], False, True, classes)


# By architecture; each takes the number of classes.
NETWORKS = {
    **{f"vgg{depth}": lambda classes=CLASSES, depth=depth: Vgg(depth, classes) for depth in Vgg.stages},
    "resnet18": resnet([2, 2, 2, 2]),
    "resnet34": resnet([3, 4, 6, 3]),
    "resnet50": resnet([3, 4, 6, 3], bottleneck=True),
    **{f"resnet{depth}": cifar_resnet(depth) for depth in (20, 32, 44, 56, 110)},
    "densenet100": lambda classes=CLASSES: DenseNet(100, 12, 0.5, True, classes),
    "densenet40-plain": lambda classes=CLASSES: DenseNet(40, 12, 0.5, False, classes),
    "densenet22-k24-r1": lambda classes=CLASSES: DenseNet(22, 24, 1, True, classes),
    "densenet13-plain-k5-r0.3": lambda classes=CLASSES: DenseNet(13, 5, 0.3, False, classes),
}


def randomise(network):
    """Batch normalisation with weights of any size and statistics as a short training leaves them."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.1)
        norm.momentum = 0.6
    network.train()
    for _ in range(2):
        network(torch.randn(4, 3, 32, 32))
    return network.eval()


def pooled_taps(network, x):
    """The output of every convolution but the shortcuts', in the order of execution, pooled; then the logits."""
    taps, hooks = {}, []
    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and "shortcut" not in path:
            hook = lambda _, __, y, path=path: taps.__setitem__(path, y.mean((2, 3)))
            hooks.append(module.register_forward_hook(hook))
    taps["logits"] = network(x)
    for hook in hooks:
        hook.remove()
    return taps


def make(folder, names):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 32, 32)
    x.numpy().tofile(f"{folder}/input.bin")
    shapes = {}
    for name in names:
        network = randomise(NETWORKS[name]())
        torch.save(network.state_dict(), f"{folder}/{name}.pth")
        taps = pooled_taps(network, x)
        torch.cat([tap.flatten() for tap in taps.values()]).numpy().tofile(f"{folder}/{name}.bin")
        shapes[name] = [[path, tap.shape[1]] for path, tap in taps.items()]
    return shapes


def verify(folder, names):
    return {name: is_identical(NETWORKS[name](), f"{folder}/{name}") for name in names}


def is_identical(network, stem):
    expected = torch.load(f"{stem}.pth", weights_only=True)
    actual = torch.load(f"{stem}-exported.pth", weights_only=True)
    network.load_state_dict(actual, strict=True)
    same = lambda a, b: a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    return list(actual) == list(expected) and all(same(actual[key], expected[key]) for key in expected)


if __name__ == "__main__":
    mode, folder, *names = sys.argv[1:]
    with torch.no_grad():
        print(json.dumps({"make": make, "verify": verify}[mode](folder, names)))

"""Trains the demo's backbone, a ResNet-20 for CIFAR-sized images, on the demo's own images, about ten minutes on two cores.

    npx tsx data/demo/export-images.ts train 16000 train.pixels train.labels
    npx tsx data/demo/export-images.ts test 2000 test.pixels test.labels
    python data/demo/train_backbone.py train.pixels train.labels test.pixels test.labels backbone.pth
    npx la-ood import backbone.pth data/demo/backbone.onnx

The state dict has the keys of https://github.com/akamaster/pytorch_resnet_cifar10, option A shortcuts. Pixels are
normalised with the ImageNet mean and standard deviation, this project's default.
"""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SEED = 0
EPOCHS = 12
BATCH = 128
PEAK_RATE = 0.004
WEIGHT_DECAY = 0.05
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.new = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        # Option A: every second pixel, and zeros in the new channels, half of them on each side.
        shortcut = x[:, :, :: self.stride, :: self.stride]
        return F.relu(y + F.pad(shortcut, (0, 0, 0, 0, self.new // 2, self.new // 2)))


class ResNet20(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def load(pixels: str, labels: str) -> tuple[torch.Tensor, torch.Tensor]:
    images = np.fromfile(pixels, np.uint8).reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(np.fromfile(labels, np.uint8)).long()


def normalise(images: torch.Tensor) -> torch.Tensor:
    return ((images.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def augment(images: torch.Tensor) -> torch.Tensor:
    """A flip and a turn by a right angle: no shape has a favourite direction."""
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    return images.rot90(int(torch.randint(4, ())), (2, 3))


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    model.eval()
    with torch.no_grad():
        right = sum((model(normalise(x)).argmax(1) == y).sum() for x, y in zip(images.split(500), labels.split(500)))
    return int(right) / len(labels)


def main(train_pixels: str, train_labels: str, test_pixels: str, test_labels: str, output: str) -> None:
    torch.manual_seed(SEED)
    images, labels = load(train_pixels, train_labels)
    test = load(test_pixels, test_labels)
    model = ResNet20(int(labels.max()) + 1).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    steps = len(labels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        model.train()
        order = torch.randperm(len(labels))
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            loss = F.cross_entropy(model(normalise(augment(images[chosen]))), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, test accuracy {accuracy(model, *test):.4f}", flush=True)
    torch.save({key: value.contiguous() for key, value in model.state_dict().items()}, output)


main(*sys.argv[1:])

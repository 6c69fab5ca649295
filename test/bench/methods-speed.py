"""The seconds that pytorch-ood takes to fit and to score each of its methods.

methods-speed.py DIR THREADS: reads DIR/{train,queries,head}.hdf5; for each name of a method on a line of its input prints a line of
JSON, {fit, score}, or null where pytorch-ood lacks the method.
"""

import gc
import json
import sys
import time
from pathlib import Path

import h5py
import torch

# pytorch-ood imports torchvision, of which it needs no operator here: one that was built for another torch does.
register_fake = torch.library.register_fake
torch.library.register_fake = lambda name, *args, **options: (
    (lambda function: function) if name.startswith("torchvision::") else register_fake(name, *args, **options)
)
from pytorch_ood import detector as ood  # noqa: E402

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)


def read(name):
    with h5py.File(folder / f"{name}.hdf5") as file:
        return [torch.from_numpy(file[str(i)][:]) for i in range(len(file))]


x, z, y = read("train")
y = y[:, 0].long()
bx, bz, _ = read("queries")
training, queries = (x, z, y), (bx, bz)
weight, bias = read("head")
head = torch.nn.Linear(x.shape[1], z.shape[1])
with torch.no_grad():
    head.weight.copy_(weight)
    head.bias.copy_(bias[:, 0])


def maps(values):
    return values[:, :, None, None]


def of_maps(values):
    return head(values.flatten(1))


def logits(detector):
    return (lambda: detector.fit_logits(z, y) if hasattr(detector, "fit_logits") else detector, lambda: detector.predict_logits(bz))


def features(detector, of=lambda values: values):
    return (lambda: detector.fit_features(of(x), y), lambda: detector.predict_features(of(bx)))


def shaped(detector, fit=lambda: None):
    return (fit, lambda: detector.predict_feature_maps(maps(bx)))


def react():
    detector = ood.ReAct(None, of_maps, percentile=0.9)
    return shaped(detector, lambda: detector.fit_feature_maps(maps(x), y))


def unit(values):
    return torch.nn.functional.normalize(values, dim=1)


width = x.shape[1]
principal = 1000 if width >= 2048 else 512 if width >= 768 else width // 2
gradnorm = ood.GradNorm(head, lambda name: name == "weight")
detectors = {
    "msp": lambda: logits(ood.MaxSoftmax(None)),
    "max-logit": lambda: logits(ood.MaxLogit(None)),
    "energy": lambda: logits(ood.EnergyBased(None)),
    "gen": lambda: logits(ood.GEN(None, M=100)),
    "temperature-scaling": lambda: logits(ood.TemperatureScaling(None)),
    "entropy": lambda: logits(ood.Entropy(None)),
    "kl-matching": lambda: logits(ood.KLMatching(None)),
    "knn": lambda: features(ood.KNN(None, k=50)),
    "nnguide": lambda: features(ood.NNGuide(None, head, k=10)),
    "mahalanobis": lambda: features(ood.Mahalanobis(None)),
    "mahalanobis++": lambda: features(ood.Mahalanobis(None), unit),
    "relative-mahalanobis": lambda: features(ood.RMD(None)),
    "she": lambda: features(ood.SHE(None, head)),
    "vim": lambda: features(ood.ViM(None, principal, head.weight, head.bias)),
    "react": react,
    "scale": lambda: shaped(ood.SCALE(None, of_maps, percentile=0.85)),
    "ash-b": lambda: shaped(ood.ASH(None, of_maps, "ash-b", 0.9)),
    "ash-s": lambda: shaped(ood.ASH(None, of_maps, "ash-s", 0.9)),
    "dice": lambda: features(ood.DICE(None, head.weight, head.bias, p=0.9)),
    "fdbd": lambda: features(ood.fDBD(None, head)),
    "nci": lambda: features(ood.NCI(None, head, alpha=1e-4)),
    "gradnorm": lambda: (lambda: None, lambda: [gradnorm.predict(part) for part in bx.split(500)]),
}


def timed(name):
    gc.collect()
    fit, score = detectors[name]()
    start = time.perf_counter()
    fit()
    fitted = time.perf_counter()
    score()
    return {"fit": fitted - start, "score": time.perf_counter() - fitted}


warm = set()
for name in map(str.strip, sys.stdin):
    if name in detectors and name not in warm:
        # Once with few images: what is loaded at first is no part of a method's time.
        x, z, y, bx, bz = (values[:1000] for values in (*training, *queries))
        timed(name)
        (x, z, y), (bx, bz) = training, queries
        warm.add(name)
    print(json.dumps(timed(name) if name in detectors else None), flush=True)

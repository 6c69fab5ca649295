"""Scores of methods as pytorch-ood computes them, or NumPy from the formula, and as onnxruntime does from methods.onnx.

methods.py DIR METHOD...: reads DIR/{train,known,unknown,head}.hdf5, DIR/svms.json and DIR/methods.onnx, and writes DIR/expected.json: for each
method its scores as `reference` and as `onnxruntime`, known images first. Prints by method where the reference is from.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import onnxruntime
import torch
from scipy.special import log_softmax, softmax
from sklearn.metrics.pairwise import rbf_kernel

# pytorch-ood imports torchvision, of which it needs no operator here: one that was built for another torch does.
register_fake = torch.library.register_fake
torch.library.register_fake = lambda name, *args, **options: (
    (lambda function: function) if name.startswith("torchvision::") else register_fake(name, *args, **options)
)
from pytorch_ood import detector as ood  # noqa: E402

folder = Path(sys.argv[1])
names = sys.argv[2:]


def read(name):
    with h5py.File(folder / f"{name}.hdf5") as file:
        layers = [file[str(i)][:] for i in range(len(file))]
        taps = json.loads(file.attrs["taps"]) if "taps" in file.attrs else None
    return dict(zip(taps, layers)) if taps else layers


train, known, unknown = read("train"), read("known"), read("unknown")
weight, bias = read("head")
bias = bias[:, 0]
both = {tap: np.concatenate([known[tap], unknown[tap]]) for tap in known}
x, z, y = train["head_input"].astype(np.float64), train["logits"].astype(np.float64), train["labels"][:, 0].astype(int)
bx, bz = both["head_input"].astype(np.float64), both["logits"].astype(np.float64)
count, width = x.shape
classes = z.shape[1]

tensor = torch.from_numpy
head = torch.nn.Linear(width, classes, dtype=torch.float64)
with torch.no_grad():
    head.weight.copy_(tensor(weight))
    head.bias.copy_(tensor(bias))
single = torch.nn.Linear(width, classes)
single.load_state_dict(head.state_dict())
labels = tensor(y)


def maps(values):
    return tensor(values)[:, :, None, None]


def of_maps(values):
    return head(values.flatten(1))


def unit(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def fitted_features(detector, features=x, queries=bx):
    torch.set_default_dtype(torch.float64)  # of the sums that Mahalanobis takes
    try:
        return fit_and_predict(detector, features, queries)
    finally:
        torch.set_default_dtype(torch.float32)


def fit_and_predict(detector, features, queries):
    return detector.fit_features(tensor(features), labels).predict_features(tensor(queries))


def in_float64(compute):
    """Keeps float64 where a method would go over to float32: an AUROC may differ by 1e-6 only, which rounding there can exceed."""
    to_float = torch.Tensor.float
    torch.Tensor.float = torch.Tensor.double
    try:
        return compute()
    finally:
        torch.Tensor.float = to_float


def pytorch_ood():
    """Its faults: Mahalanobis and RMD do not divide the scatter by the number of images (the former halves besides): their scores
    are brought to the covariance's measure here. What takes float() computes in float32."""
    single_precision = tensor(x).float(), tensor(bx).float()
    return {
        "msp": lambda: 1 + ood.MaxSoftmax.score(tensor(bz)),
        "max-logit": lambda: ood.MaxLogit.score(tensor(bz)),
        "energy": lambda: ood.EnergyBased.score(tensor(bz)),
        "kl-matching": lambda: ood.KLMatching(None).fit_logits(tensor(z)).predict_logits(tensor(bz)),
        "knn": lambda: fitted_features(ood.KNN(None, k=50)),
        "mahalanobis": lambda: 2 * count * fitted_features(ood.Mahalanobis(None)),
        "mahalanobis++": lambda: 2 * count * fitted_features(ood.Mahalanobis(None), unit(x), unit(bx)),
        "relative-mahalanobis": lambda: count * fitted_features(ood.RMD(None)),
        "vim": lambda: in_float64(
            lambda: ood.ViM(None, principal(), head.weight, head.bias).fit_features(tensor(x), labels).predict_features(tensor(bx))
        ),
        "react": lambda: ood.ReAct(None, of_maps, percentile=0.9)
        .fit_feature_maps(maps(x), labels)
        .predict_feature_maps(maps(bx)),
        "scale": lambda: ood.SCALE(None, of_maps, percentile=0.85).predict_feature_maps(maps(bx)),
        "ash-s": lambda: ood.ASH(None, of_maps, "ash-s", 0.9).predict_feature_maps(maps(bx)),
        "ash-b": lambda: ood.ASH(None, of_maps, "ash-b", 0.9).predict_feature_maps(maps(bx)),
        "dice": lambda: ood.DICE(None, single.weight, single.bias, p=0.9)
        .fit_features(single_precision[0], labels)
        .predict_features(single_precision[1]),
        "fdbd": lambda: ood.fDBD(None, single).fit_features(single_precision[0]).predict_features(single_precision[1]),
        "nci": lambda: ood.NCI(None, single, alpha=1e-4)
        .fit_features(single_precision[0])
        .predict_features(single_precision[1]),
        "she": lambda: fitted_features(ood.SHE(None, head)),
        "nnguide": lambda: ood.NNGuide(None, single, k=10)
        .fit_features(single_precision[0], labels)
        .predict_features(single_precision[1]),
        "gradnorm": lambda: torch.cat(
            [ood.GradNorm(head, lambda name: name == "weight").predict(part) for part in tensor(bx).split(2000)]
        ),
    }


def principal():
    return 1000 if width >= 2048 else 512 if width >= 768 else width // 2


def gen(gamma=0.1, most=100):
    """pytorch-ood's clamps probabilities to [1e-7, 1 - 1e-7], where (1e-7)^0.1 is 0.2: not what the paper says."""
    p = -np.sort(-softmax(bz, axis=1), axis=1)
    rest = np.stack([np.delete(p, k, axis=1).sum(axis=1) for k in range(classes)], axis=1)
    return (p**gamma * rest**gamma)[:, :most].sum(axis=1)


def entropy():
    """pytorch-ood's clips probabilities to 1e-7 before it takes logarithms: sure images lose their order."""
    p = log_softmax(bz, axis=1)
    return -(np.exp(p) * p).sum(axis=1)


def temperature_scaling():
    """pytorch-ood's ends after 50 steps of a small rate, short of the optimum."""
    chosen = np.random.RandomState(0).permutation(count)[:20000]
    low, high = 1e-3, 1e3

    def slope(beta):
        p = softmax(beta * z[chosen], axis=1)
        return (np.sum(p * z[chosen], axis=1) - z[chosen, y[chosen]]).mean()

    for _ in range(200):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    p = -np.sort(-softmax(low * bz, axis=1), axis=1)
    return p[:, 1:].sum(axis=1)


def residual():
    origin = -np.linalg.pinv(weight.astype(np.float64)) @ bias
    centred = x - origin
    values, vectors = np.linalg.eigh(centred.T @ centred / count)
    left = vectors[:, : width - principal()]
    return np.linalg.norm((bx - origin) @ left, axis=1)


def cosine():
    means = np.stack([x[y == k].mean(axis=0) for k in np.unique(y)])
    return 1 - (unit(bx) @ unit(means).T).max(axis=1)


def layers(score):
    """The mean over groups of taps of standardised scores."""
    taps = [tap for tap in train if tap not in ("logits", "head_input", "labels")]
    groups, room = [], 0
    for tap in taps:
        own = train[tap].shape[1]
        if not groups or own > room:
            groups, room = groups + [[]], 128
        groups[-1].append(tap)
        room -= own
    order = np.random.RandomState(0).permutation(count)
    total = 0
    for group in groups:
        features, queries = (np.concatenate([part[tap] for tap in group], axis=1).astype(np.float64) for part in (train, both))
        mean, std = features.mean(axis=0), features.std(axis=0)
        of = score((features - mean) / std, order[:1000])
        scales = of((features[order[1000:3000]] - mean) / std)
        total = total + (of((queries - mean) / std) - scales.mean()) / scales.std()
    return total / len(groups)


def gaussian(features, _):
    precision = np.linalg.inv(features.T @ features / count + 1e-3 * np.eye(features.shape[1]))
    return lambda q: np.log(np.einsum("ij,jk,ik->i", q, precision, q) + 1e-9)


def neighbours(features, chosen):
    bank = features[chosen]
    return lambda q: np.log(
        np.concatenate(
            [np.sort(((part[:, None] - bank[None]) ** 2).sum(axis=2), axis=1)[:, 4] for part in np.array_split(q, len(q) // 100)]
        )
        + 1e-9
    )


def svm(tap, gamma, rho, mean, scale, supportVectors, alpha):
    points = (both[tap].astype(np.float64) - mean) / scale
    kernel = rbf_kernel(points, np.reshape(supportVectors, (len(alpha), -1)), gamma=gamma)
    return rho - kernel @ np.array(alpha)


def layer_svms():
    return np.max([svm(**given) for given in json.loads((folder / "svms.json").read_text())], axis=0)


numpy = {
    "layer-svms": layer_svms,
    "gen": gen,
    "entropy": entropy,
    "temperature-scaling": temperature_scaling,
    "residual": residual,
    "cosine": cosine,
    "layer-gaussians": lambda: layers(gaussian),
    "layer-knn": lambda: layers(neighbours),
}

session = onnxruntime.InferenceSession(folder / "methods.onnx", providers=["CPUExecutionProvider"])
inputs = [value.name for value in session.get_inputs()]
sources = {}
theirs = pytorch_ood()
parts = [session.run(names, {name: both[name][start : start + 500] for name in inputs}) for start in range(0, len(bx), 500)]
expected = {}
for at, name in enumerate(names):
    reference = theirs.get(name) or numpy[name]
    sources[name] = "pytorch-ood" if name in theirs else "NumPy"
    scores = reference()
    scores = scores.detach().numpy() if isinstance(scores, torch.Tensor) else scores
    expected[name] = {
        "reference": np.asarray(scores, dtype=np.float64).tolist(),
        "onnxruntime": np.concatenate([part[at] for part in parts]).tolist(),
    }
(folder / "expected.json").write_text(json.dumps(expected))
json.dump(sources, sys.stdout)

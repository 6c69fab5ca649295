"""The original's detector training with scikit-learn and NumPy; each command prints JSON and leaves arrays in files."""

import json
import os
import sys

# One thread: the other side of the comparison has the second core.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

NU, THRESHOLD, EPSILON = 0.001, 0.01, 1e-8
GAMMAS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1]


def random() -> list:
    """Draws of every kind, mixed, from several seeds."""
    draws = []
    for seed in [0, 1, 42, 2**31, 2**32 - 1]:
        state = np.random.RandomState(seed)
        draws.append(
            {
                "seed": seed,
                "permutation": state.permutation(1000).tolist(),
                "normal": state.standard_normal(701).tolist(),
                "random": state.random_sample(700).tolist(),
                "later": state.standard_normal(3).tolist(),
                "last": state.permutation(70000)[-5:].tolist(),
            }
        )
    return draws


def split(*counts: str) -> list:
    """Indices of the original's split."""
    parts = [train_test_split(np.arange(int(n)), test_size=0.3, random_state=42) for n in counts]
    return [{"train": train.tolist(), "validation": validation.tolist()} for train, validation in parts]


def synthetic(folder: str) -> list:
    """Features as layers have them: mixtures of correlated Gaussians, half of them with heavy tails, scales that differ,
    a dead and a nearly dead feature; float32 files."""
    state = np.random.RandomState(7)
    layers = []
    for width, count, heavy in [
        (10, 9000, False), (12, 9000, True), (24, 6000, False), (48, 5000, True), (48, 5000, False),
        (108, 3500, False), (150, 3000, True), (512, 2000, False), (512, 2000, True),
    ]:  # fmt: skip
        latent = max(4, width // 3)
        mixing = state.standard_normal((latent, width)) / np.sqrt(latent)
        features = state.standard_normal((10, width))[state.randint(0, 10, count)] * 0.5
        features += state.standard_normal((count, latent)) @ mixing + 0.2 * state.standard_normal((count, width))
        if heavy:
            features *= np.sqrt(3 / np.maximum(state.chisquare(3, (count, 1)), 0.05))
        features = features * state.uniform(0.1, 3, width) + 3 * state.standard_normal(width)
        features[:, 1] = 0.1
        features[:, 2] = (state.uniform(size=count) < 0.01) * state.uniform(size=count)
        name = f"{width} wide, {'heavy tails' if heavy else 'no tails'}"
        features.astype("<f4").tofile(f"{folder}/{name}.f32")
        layers.append({"name": name, "width": width})
    return layers


def shift(x):
    """Self-adaptive data shifting as the original does it, slips included, and the length without them."""
    k = int(np.ceil(5 * np.log10(len(x))))
    distances, indices = NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)
    edges, normals = [], []
    for i in range(len(x)):
        v = x[i] - x[indices[i, 1:]]
        v = v / (np.linalg.norm(v, axis=1, keepdims=True) + EPSILON)
        normal = v.sum(0)
        if (v @ normal >= 0).mean() > 1 - THRESHOLD:
            edges.append(i)
            normals.append(normal / (np.linalg.norm(normal) + EPSILON))
    length = distances[edges][1:].mean()
    return distances[:, 1:], indices[:, 1:], np.array(edges), x[edges] + np.array(normals) * length, length


def objective(svm):
    """Half of a'Ka, in float64."""
    points, alpha = svm.support_vectors_, svm.dual_coef_[0]
    norms = (points**2).sum(1)
    total = 0.0
    for i in range(0, len(points), 500):
        squares = norms[i : i + 500, None] + norms[None] - 2 * points[i : i + 500] @ points.T
        total += alpha[i : i + 500] @ np.exp(-svm.gamma * np.maximum(squares, 0)) @ alpha
    return total / 2


def original(folder: str, name: str, width: str) -> dict:
    """The detector of one layer. `<name>.<part>` has what it is made of, float64 but for indices (uint32)."""

    def save(part, array, kind="<f8"):
        np.ascontiguousarray(array).astype(kind).tofile(f"{folder}/{name}.{part}")

    features = np.fromfile(f"{folder}/{name}.f32", "<f4").astype(np.float64).reshape(-1, int(width))
    scaler = StandardScaler().fit(features)
    x = scaler.transform(features)
    train, validation = train_test_split(x, test_size=0.3, random_state=42)
    distances, indices, edges, outliers, length = shift(validation)
    save("mean", scaler.mean_)
    save("scale", scaler.scale_)
    save("validation", validation)
    save("distances", distances)
    save("indices", indices, "<u4")
    save("edges", edges, "<u4")
    save("outliers", outliers)

    trials, judged = [], []
    best = None
    for gamma in GAMMAS:
        svm = OneClassSVM(nu=NU, gamma=gamma, tol=1e-3, cache_size=1000).fit(train)
        values = svm.decision_function(np.concatenate([validation, outliers]))
        error_ind = (values[: len(validation)] <= 0).mean()
        error_ood = (values[len(validation) :] > 0).mean()
        trial = {"gamma": gamma, "error": (error_ind + error_ood) / 2, "objective": objective(svm)}
        # LIBSVM's distance to the optimum grows as (tol / rho)²: from 1e-5 on, the optimum itself is needed.
        if svm.offset_[0] < 0.1:
            trial["optimum"] = objective(OneClassSVM(nu=NU, gamma=gamma, tol=1e-6, cache_size=1000).fit(train))
        trials.append(trial)
        judged.append(values)
        if best is None or trial["error"] < best["error"]:
            best = trial
    save("values", np.array(judged))
    final = OneClassSVM(nu=NU, gamma=best["gamma"], tol=1e-3, cache_size=1000).fit(x)
    values = final.decision_function(np.concatenate([validation, outliers]))
    save("final", values)
    labels = np.repeat([0, 1], [len(validation), len(outliers)])
    return {
        "trials": trials,
        "gamma": best["gamma"],
        "error": best["error"],
        "length": length,
        "auroc": 100 * roc_auc_score(labels, -values),
    }


def exact(folder: str, name: str, width: str) -> list:
    """Objectives at tol 1e-6 on all of a layer."""
    features = np.fromfile(f"{folder}/{name}.f32", "<f4").astype(np.float64).reshape(-1, int(width))
    x = StandardScaler().fit_transform(features)
    return [objective(OneClassSVM(nu=NU, gamma=g, tol=1e-6, cache_size=1000).fit(x)) for g in GAMMAS]


commands = {"random": random, "split": split, "synthetic": synthetic, "original": original, "exact": exact}
print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))

"""For each case (InD scores, OOD scores) the metrics as scikit-learn and NumPy compute them."""

import json
import sys

import numpy as np
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score, roc_curve


def fpr_at_95_tpr(labels, scores):
    """OpenOOD's: the first operating point whose TPR is at least .95."""
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return fpr[np.argmax(tpr >= 0.95)]


def original_fpr_at_95_tpr(labels, scores):
    """The original LA-OOD's."""
    fpr, tpr, _ = roc_curve(labels, scores)
    return np.interp(0.95, tpr, fpr)


def area_under_pr(labels, scores):
    precision, recall, _ = precision_recall_curve(labels, scores)
    return auc(recall, precision)


def metrics(ind, ood, fpr_at_95_tpr):
    scores = np.concatenate([ind, ood]).astype(np.float64)
    labels = np.array([0] * len(ind) + [1] * len(ood))
    return {
        "fprAt95Tpr": fpr_at_95_tpr(labels, scores),
        "fprAt95TprIndPositive": fpr_at_95_tpr(1 - labels, -scores),
        "auroc": roc_auc_score(labels, scores),
        "auprOut": area_under_pr(labels, scores),
        "auprIn": area_under_pr(1 - labels, -scores),
    }


def misclassification(scores, wrong):
    """Of untied scores: the mean risk over coverages 1/n, 2/n, …, 1."""
    order = np.argsort(scores)
    risks = np.cumsum(np.array(wrong)[order]) / np.arange(1, len(order) + 1)
    return {"auroc": roc_auc_score(wrong, scores), "aurc": risks.mean()}


with open(sys.argv[1]) as file:
    given = json.load(file)
json.dump(
    {
        "metrics": [metrics(*case, fpr_at_95_tpr) for case in given["cases"]],
        "original": [metrics(*case, original_fpr_at_95_tpr) for case in given["cases"]],
        "misclassification": misclassification(**given["classified"]),
    },
    sys.stdout,
)

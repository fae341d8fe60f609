"""Makes evaluation.json: what scikit-learn says of made-up predictions whose truth is known.

    pip install scikit-learn==1.9.1 scipy==1.17.1
    python make_evaluation_golden.py > evaluation.json

Some scores are rounded to a 64th, so that many are equal. All are float32.
"""
import json
import platform

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize_scalar
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(7)


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def classes_case(rows, classes, tie, absent):
    """`absent`: the last class is never true and never answered."""
    truth = rng.integers(0, classes - (1 if absent else 0), rows)
    logits = rng.normal(size=(rows, classes)) * 1.5
    logits[np.arange(rows), truth] += 1.2
    if absent:
        logits[:, -1] = -9
    p = softmax(logits)
    if tie:
        p = np.round(p * 64) / 64 + 1 / 128
        p = p / p.sum(axis=1, keepdims=True)
    p = p.astype(np.float32)
    d = p.astype(np.float64)
    answer = p.argmax(axis=1)
    labels = list(range(classes))
    precision, recall, f1, support = m.precision_recall_fscore_support(truth, answer, labels=labels, zero_division=0)
    figures = {
        "accuracy": m.accuracy_score(truth, answer),
        "balanced_accuracy": m.balanced_accuracy_score(truth, answer),
        "log_loss": m.log_loss(truth, d / d.sum(axis=1, keepdims=True), labels=labels),
        "brier_score": float(np.mean((d[:, 1] - truth) ** 2)) if classes == 2
        else m.brier_score_loss(truth, d / d.sum(axis=1, keepdims=True), labels=labels),
    }
    for average in ("macro", "weighted"):
        scores = m.precision_recall_fscore_support(truth, answer, average=average, zero_division=0)
        figures.update({f"{average}_{name}": score for name, score in zip(("precision", "recall", "f1"), scores)})
    by_class = []
    for k in labels:
        own = (truth == k).astype(int)
        known = 0 < own.sum() < rows
        by_class.append({
            "roc": m.roc_auc_score(own, d[:, k]) if known else None,
            "ap": m.average_precision_score(own, d[:, k]) if known else None,
            "precision": precision[k], "recall": recall[k], "f1": f1[k], "rowCount": int(support[k]),
        })
    if classes == 2:
        figures["roc_auc"], figures["average_precision"] = by_class[1]["roc"], by_class[1]["ap"]
        share, mean = calibration_curve(truth, d[:, 1], n_bins=10)
    else:
        known = not absent
        figures["roc_auc"] = float(np.mean([c["roc"] for c in by_class])) if known else None
        figures["average_precision"] = float(np.mean([c["ap"] for c in by_class])) if known else None
        share, mean = calibration_curve((answer == truth).astype(int), d.max(axis=1), n_bins=10)
    if classes > 5:
        figures["top_5_accuracy"] = m.top_k_accuracy_score(truth, d, k=5, labels=labels)

    def tempered(t):
        return m.log_loss(truth, softmax(np.log(d) / t), labels=labels)

    best = minimize_scalar(lambda log_t: tempered(np.exp(log_t)), bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-8})
    k = 1 if classes == 2 else 0
    false_positive, true_positive, thresholds = m.roc_curve(truth == k, d[:, k], drop_intermediate=False)
    return {
        "classes": classes, "truth": truth.tolist(), "probabilities": [float(x) for x in p.ravel()],
        "figures": figures, "byClass": by_class, "confusion": m.confusion_matrix(truth, answer, labels=labels).tolist(),
        "calibration": {"share": share.tolist(), "mean": mean.tolist()},
        "temperature": float(np.exp(best.x)), "temperedLogLoss": float(best.fun),
        "roc": {"class": k, "falsePositive": false_positive[1:].tolist(), "truePositive": true_positive[1:].tolist(), "thresholds": thresholds[1:].tolist()},
    }


def numbers_case(rows):
    truth = rng.gamma(2, 30, rows)
    answer = truth * 0.9 + rng.normal(size=rows) * 12
    return {
        "truth": truth.tolist(), "answers": answer.tolist(),
        "figures": {
            "rmse": m.root_mean_squared_error(truth, answer), "mae": m.mean_absolute_error(truth, answer),
            "median_absolute_error": m.median_absolute_error(truth, answer), "r2": m.r2_score(truth, answer),
        },
        "quantiles": np.quantile(answer - truth, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist(),
    }


def labels_case(rows, labels):
    truth = (rng.random((rows, labels)) < 0.35).astype(int)
    p = np.clip(0.5 + (truth - 0.5) * 0.5 + rng.normal(size=truth.shape) * 0.3, 0.01, 0.99).astype(np.float32)
    d = p.astype(np.float64)
    answer = (p >= 0.5).astype(int)
    micro = m.precision_recall_fscore_support(truth, answer, average="micro", zero_division=0)
    return {
        "labels": labels, "truth": truth.ravel().tolist(), "probabilities": [float(x) for x in p.ravel()],
        "figures": {
            "subset_accuracy": m.accuracy_score(truth, answer), "hamming_loss": m.hamming_loss(truth, answer),
            "micro_precision": micro[0], "micro_recall": micro[1], "micro_f1": micro[2],
            "macro_f1": m.f1_score(truth, answer, average="macro", zero_division=0),
            "roc_auc": m.roc_auc_score(truth, d, average="macro"),
            "average_precision": m.average_precision_score(truth, d, average="macro"),
        },
    }


print(json.dumps({
    "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__, "sklearn": sklearn.__version__},
    "classes": {
        "two classes": classes_case(150, 2, False, False),
        "two classes with equal scores": classes_case(200, 2, True, False),
        "four classes with equal scores": classes_case(150, 4, True, False),
        "eight classes": classes_case(120, 8, False, False),
        "a class that never occurs": classes_case(80, 3, False, True),
    },
    "numbers": {"odd": numbers_case(101), "even": numbers_case(100)},
    "labels": {"three labels": labels_case(120, 3)},
}, separators=(",", ":")))

"""Python detectors on the histories of anomalies, judged as `foreshock backtest` judges its own.

    python training/peers/anomalies.py --data DIR --history smd|asd --json

It makes its own environment at the first run. Each detector learns from a machine's train file,
scaled by its means and deviations, and scores its test file; scores are smoothed over ten samples for
ranking where that gives a higher PR-AUC on the choosing half, and told as they are for alarms. VUS-PR
is that of the vus package.
"""
import argparse
import glob
import hashlib
import json
import os
import sys
import warnings

from environment import run_within

run_within(
    "anomaly-peers",
    [
        "numba==0.68.1",
        "numpy==2.4.6",
        "pandas==3.1.1",
        "pyod==3.6.7",
        "scikit-learn==1.9.1",
        "scipy==1.17.1",
        "tqdm==4.67.1",
    ],
    ["vus==0.0.6"],
)

import numpy as np
import pandas as pd
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neural_network import MLPRegressor
from vus.utils.metrics import metricor

SAMPLES_PER_DAY = {"smd": 1440, "asd": 288}
FALSE_RUNS_PER_DAY = {"smd": 1.0, "asd": 0.2}
LEAST_DEVIATION = 0.01
SMOOTHING = 10
GAP_MAX = 10
BUFFER = 100
# Nodes with a lower share of their hash are the choosing half.
CHOSEN_ON_BELOW = 50


def isolation_forest(train, test):
    model = IsolationForest(random_state=0, n_jobs=1).fit(train)
    return -model.score_samples(train), -model.score_samples(test)


def hbos(train, test):
    model = HBOS().fit(train)
    return model.decision_function(train), model.decision_function(test)


def ecod(train, test):
    model = ECOD().fit(train)
    return model.decision_scores_, model.decision_function(test)


def pca(train, test):
    """Squared error of the components that explain 90 % of the variance."""
    model = PCA(0.9, svd_solver="full").fit(train)
    error = lambda x: ((x - model.inverse_transform(model.transform(x))) ** 2).sum(1)
    return error(train), error(test)


def kmeans_ad(train, test, window=10, clusters=20):
    """Distance of the last samples' window to the nearest of the usual ones (Yairi et al. 2001)."""

    def windows(x):
        padded = np.concatenate([np.repeat(x[:1], window - 1, 0), x])
        view = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)
        return view.reshape(len(x), -1)

    model = KMeans(clusters, n_init=1, random_state=0).fit(windows(train))
    distance = lambda x: model.transform(windows(x)).min(1)
    return distance(train), distance(test)


def largest(error, deviation):
    """Of each row: the largest of its errors over their deviations."""
    return np.abs(error / np.maximum(deviation, LEAST_DEVIATION)).max(1)


def pca_max(train, test):
    """The largest standardised residual of the components that explain 90 % of the variance."""
    model = PCA(0.9, svd_solver="full").fit(train)
    error = lambda x: x - model.inverse_transform(model.transform(x))
    deviation = error(train).std(0)
    return largest(error(train), deviation), largest(error(test), deviation)


def ew_residuals(train, test, half_life):
    """What the exponentially weighted mean of the samples before did not foresee."""
    rows = np.concatenate([train, test])
    kept = 2 ** (-1 / half_life)
    residuals = np.empty_like(rows)
    mean = rows[0].copy()
    for i, row in enumerate(rows):
        residuals[i] = row - mean
        mean += (1 - kept) * residuals[i]
    return residuals[: len(train)], residuals[len(train) :]


def ew_max(train, test):
    before, after = ew_residuals(train, test, 60)
    return largest(before, before.std(0)), largest(after, before.std(0))


def ew_mahalanobis(train, test):
    before, after = ew_residuals(train, test, 10)
    mean = before.mean(0)
    inverse = np.linalg.inv(np.cov(before.T) + 1e-3 * np.eye(before.shape[1]))
    distance = lambda x: np.sqrt(np.maximum(0, np.einsum("ij,jk,ik->i", x - mean, inverse, x - mean)))
    return distance(before), distance(after)


def pca_max_and_ew_mahalanobis(train, test):
    """Both in units of what is usual of them, added."""
    parts = [pca_max(train, test), ew_mahalanobis(train, test)]
    return tuple(sum(part[i] / np.median(part[0]) for part in parts) for i in (0, 1))


def autoencoder_max(train, test):
    """The largest standardised residual of an autoencoder with a narrow middle."""
    width = train.shape[1]
    layers = (width, max(2, width // 4), width)
    model = MLPRegressor(hidden_layer_sizes=layers, random_state=0, early_stopping=True, max_iter=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, train)
    error = lambda x: x - model.predict(x)
    deviation = error(train).std(0)
    return largest(error(train), deviation), largest(error(test), deviation)


PEERS = {
    "IsolationForest": isolation_forest,
    "HBOS": hbos,
    "ECOD": ecod,
    "PCA": pca,
    "KMeansAD": kmeans_ad,
    "PCA max": pca_max,
    "EW max": ew_max,
    "EW Mahalanobis": ew_mahalanobis,
    "PCA max + EW Mahalanobis": pca_max_and_ew_mahalanobis,
    "autoencoder max": autoencoder_max,
}


def trailing_mean(scores, length):
    sums = np.cumsum(np.concatenate([[0.0], scores]))
    first = np.maximum(np.arange(len(scores)) - length + 1, 0)
    return (sums[1:] - sums[first]) / (np.arange(len(scores)) - first + 1)


def runs_of(flags, gap=0):
    """First and last index of each run; runs with at most `gap` others between them are one."""
    at = np.flatnonzero(flags)
    if len(at) == 0:
        return []
    breaks = np.flatnonzero(np.diff(at) > gap + 1)
    return list(zip(at[np.r_[0, breaks + 1]], at[np.r_[breaks, len(at) - 1]]))


def count_runs(over, labels):
    """False runs, and anomalies with a sample over the threshold."""
    touched = np.concatenate([[0], np.cumsum(over & (labels == 1))])
    false_runs = sum(touched[b + 1] == touched[a] for a, b in runs_of(over, GAP_MAX))
    return false_runs, sum(over[a : b + 1].any() for a, b in runs_of(labels))


def found_within(scores, labels, false_runs_max):
    """Anomalies found at the lowest of 1,000 thresholds down to which no more runs are false."""
    found = 0
    falling = np.sort(scores)[::-1]
    for k in np.unique(np.geomspace(1, len(scores), 1000).astype(int)) - 1:
        false_runs, count = count_runs(scores >= falling[k], labels)
        if false_runs > false_runs_max:
            break
        found = count
    return found


def threshold_on(scores, runs_per_day, samples_per_day):
    """The static threshold that has the rate asked for on train."""
    low, high = 0, len(scores) - 1
    falling = np.sort(scores)[::-1]
    while low < high:
        middle = (low + high + 1) // 2
        count = len(runs_of(scores >= falling[middle], GAP_MAX))
        if count * samples_per_day / len(scores) <= runs_per_day:
            low = middle
        else:
            high = middle - 1
    return falling[low]


def vus_pr(labels, scores):
    return float(metricor().RangeAUC_volume_opt(labels, scores, BUFFER, 250)[-1])


def half_of(name):
    share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 100
    return "choosing" if share < CHOSEN_ON_BELOW else "reported"


def ranking(nodes, smoothing):
    """Mean PR-AUC on the choosing half."""
    areas = [
        average_precision_score(labels, trailing_mean(scores, smoothing))
        for name, _, scores, labels in nodes
        if half_of(name) == "choosing"
    ]
    return np.mean(areas) if areas else 0


def judge(name, train_scores, scores, labels, history, smoothing):
    samples_per_day = SAMPLES_PER_DAY[history]
    asked = FALSE_RUNS_PER_DAY[history]
    days = len(scores) / samples_per_day
    smooth = trailing_mean(scores, smoothing)
    threshold = threshold_on(train_scores, asked, samples_per_day)
    false_runs, found = count_runs(scores >= threshold, labels)
    events = max(1, len(runs_of(labels)))
    return {
        "node": name,
        "half": half_of(name),
        "vusPr": vus_pr(labels, smooth),
        "prAuc": float(average_precision_score(labels, smooth)),
        "rocAuc": float(roc_auc_score(labels, smooth)),
        "eventRecall": float(found_within(scores, labels, asked * days) / events),
        "falseRunsPerDay": float(false_runs / days),
        "eventRecallAtThreshold": float(found / events),
    }


FIGURES = ["vusPr", "prAuc", "rocAuc", "eventRecall", "falseRunsPerDay", "eventRecallAtThreshold"]


def means(nodes):
    return {f: float(np.mean([n[f] for n in nodes])) for f in FIGURES} if nodes else None


def summary(nodes):
    half = lambda which: means([n for n in nodes if n["half"] == which])
    halves = {which: half(which) for which in ("choosing", "reported")}
    return {**means(nodes), "nodes": nodes, "halves": halves}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--history", required=True, choices=sorted(SAMPLES_PER_DAY))
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    files = sorted(glob.glob(os.path.join(args.data, "*_train.csv*")))
    if not files:
        sys.exit(f"{args.data}: no *_train.csv file; point --data at the folder of history {args.history}")
    scored = {peer: [] for peer in args.peers}
    for file in files:
        name = os.path.basename(file).split("_train")[0]
        train = pd.read_csv(file).to_numpy(float)
        test = pd.read_csv(file.replace("_train", "_test"))
        labels = test.pop("label").to_numpy(int)
        mean, deviation = train.mean(0), np.maximum(train.std(0), LEAST_DEVIATION)
        scaled = [(part - mean) / deviation for part in (train, test.to_numpy(float))]
        for peer in args.peers:
            print(f"{name} {peer}", file=sys.stderr, flush=True)
            scored[peer].append((name, *PEERS[peer](*scaled), labels))
    result = {}
    for peer, nodes in scored.items():
        smoothing = max((1, SMOOTHING), key=lambda length: ranking(nodes, length))
        print(f"judging {peer}", file=sys.stderr, flush=True)
        judged = [judge(*node, args.history, smoothing) for node in nodes]
        result[peer] = {"smoothing": smoothing, **summary(judged)}
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        for peer, figures in result.items():
            print(peer.ljust(16), *(f"{f} {figures[f]:.3f}" for f in FIGURES))


main()

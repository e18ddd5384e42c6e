"""Peers of the models that are trained by folds: LightGBM, XGBoost and a random forest on the same rows.

python folded.py --history NAME --rows FILE --json    FILE: of scripts/export-rows.ts

Each peer goes the way ours goes: models of all folds but one judge the one, their mean judges the test
nodes. Needs numpy, scikit-learn, lightgbm and xgboost, as scripts/quality/peers.ts pins them.
"""

import argparse
import json
from fnmatch import fnmatchcase

import lightgbm
import numpy
import xgboost
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import average_precision_score

SURE = 0.8
SEED = 1


def read_rows(path):
    """The header, the columns by name as float64, and the features, float32 [rows, features]."""
    with open(path, "rb") as file:
        header = json.loads(file.readline())
        count = header["rowCount"]
        columns = {name: numpy.frombuffer(file.read(8 * count), "<f8") for name in header["columns"]}
        width = len(header["features"])
        matrix = numpy.frombuffer(file.read(), "<f4").reshape(count, width)
    return header, columns, matrix


def lightgbm_model(rows, target, is_share):
    settings = {
        "objective": "regression" if is_share else "binary",
        "learning_rate": 0.05,
        "num_leaves": 8,
        "min_data_in_leaf": 60,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "seed": SEED,
        "num_threads": 1,
        "verbose": -1,
    }
    return lightgbm.train(settings, lightgbm.Dataset(rows, target), 200).predict


def xgboost_model(rows, target, is_share):
    settings = {
        "objective": "reg:squarederror" if is_share else "binary:logistic",
        "eta": 0.05,
        "max_depth": 4,
        "min_child_weight": 10,
        "colsample_bytree": 0.5,
        "subsample": 0.7,
        "lambda": 1.0,
        "seed": SEED,
        "nthread": 1,
    }
    booster = xgboost.train(settings, xgboost.DMatrix(rows, target), 200)
    return lambda other: booster.predict(xgboost.DMatrix(other))


def forest_model(rows, target, is_share):
    settings = {"n_estimators": 150, "min_samples_leaf": 10, "random_state": SEED, "n_jobs": 1}
    if is_share:
        forest = RandomForestRegressor(max_features=0.5, **settings).fit(known(rows), target)
        return lambda other: forest.predict(known(other))
    forest = RandomForestClassifier(max_features="sqrt", **settings).fit(known(rows), target)
    return lambda other: forest.predict_proba(known(other))[:, 1]


def known(rows):
    """A forest takes no missing values: far below all others they are a side of their own."""
    return numpy.nan_to_num(rows, nan=-1e6)


PEERS = {"lightgbm": lightgbm_model, "xgboost": xgboost_model, "forest": forest_model}


def scores_of(peer, columns, rows, goal, fold_count):
    """Out of fold, and by the mean of all folds where the row is of the test slice."""
    target = columns["target." + goal["name"]]
    is_test = columns["isTest"] == 1
    scores = numpy.zeros(len(target))
    for held in range(fold_count):
        inside = columns["fold"] == held
        learned = ~is_test & ~inside & ~numpy.isnan(target)
        predict = peer(rows[learned], target[learned], goal["target"] == "remaining")
        scores[~is_test & inside] = predict(rows[~is_test & inside])
        scores[is_test] += predict(rows[is_test]) / fold_count
    return scores


def rank(target, scores, chosen):
    chosen = chosen & ~numpy.isnan(target)
    if not target[chosen].any():
        return None
    return float(average_precision_score(target[chosen], scores[chosen]))


def sure_ones(columns, labels, scores, chosen):
    """Failures with a row at 0.8 or more, and runs of such rows none of which has a failure ahead."""
    failures, caught, wrong = set(), set(), 0
    order = numpy.lexsort((columns["atMs"], columns["node"]))
    node, run = None, None
    for i in order[chosen[order]]:
        if columns["node"][i] != node or scores[i] < SURE:
            wrong += run is False
            run = None
        node = columns["node"][i]
        failure = (node, columns["failureAtMs"][i])
        if labels[i] == 1:
            failures.add(failure)
        if scores[i] < SURE:
            continue
        if labels[i] == 1:
            caught.add(failure)
        run = run is True or labels[i] == 1
    wrong += run is False
    return {"failureCount": len(failures), "caughtAtP8": len(caught), "falseEpisodesAtP8": wrong}


def remaining_error(header, columns, goal, scores, chosen):
    last = {}
    for i in numpy.flatnonzero(chosen & (columns["cutOff"] == 1)):
        if numpy.isfinite(columns["nextFailureAtMs"][i]):
            last[columns["node"][i]] = i
    at = numpy.array(sorted(last.values()), dtype=int)
    if len(at) == 0:
        return {}
    interval = header["intervalMs"]
    cap = goal["horizonMs"] / interval
    truth = (columns["nextFailureAtMs"][at] - columns["atMs"][at]) / interval
    said = cap * (1 - numpy.clip(scores[at], 0, 1))
    root = lambda far: float(numpy.sqrt(numpy.mean(far**2)))
    return {
        "rulRmse": root(said - truth),
        "rulCappedRmse": root(said - numpy.minimum(truth, cap)),
        "rulNodeCount": len(at),
    }


def judge(header, columns, scored, chosen):
    main, *parts = header["goals"]
    labels = columns["target." + main["name"]]
    figures = {
        "prAuc": rank(labels, scored[main["name"]], chosen),
        **sure_ones(columns, labels, scored[main["name"]], chosen),
        "parts": {},
    }
    by_kind = []
    for goal in parts:
        scores = scored[goal["name"]]
        if goal["target"] == "remaining":
            figures.update(remaining_error(header, columns, goal, scores, chosen))
            continue
        ranking = rank(columns["target." + goal["name"]], scores, chosen)
        figures["parts"][goal["name"]] = {"prAuc": ranking}
        if goal["failureKind"] is not None and ranking is not None:
            by_kind.append(ranking)
    figures["macroPrAuc"] = float(numpy.mean(by_kind)) if by_kind else None
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not read: the rows hold all that is needed")
    parser.add_argument("--history", required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    header, columns, rows = read_rows(options.rows)
    fold_count = int(columns["fold"].max()) + 1
    judged = columns["onlyFit"] == 0
    is_test = columns["isTest"] == 1
    result = {}
    for name in options.peers.split(","):
        scored = {}
        for goal in header["goals"]:
            used = [
                i
                for i, feature in enumerate(header["features"])
                if not any(fnmatchcase("." + feature, "*." + end) for end in goal["leaveOut"])
            ]
            narrow = numpy.ascontiguousarray(rows[:, used])
            scored[goal["name"]] = scores_of(PEERS[name], columns, narrow, goal, fold_count)
        result[name] = {
            "validation": judge(header, columns, scored, judged & ~is_test),
            "test": judge(header, columns, scored, judged & is_test),
        }
    print(json.dumps({"history": options.history, "peers": result}, indent=None if options.json else 2))


if __name__ == "__main__":
    main()

"""peers.py PEER FOLDER TREES EARLY: trains one peer on the rows of FOLDER, which scripts/quality/rows.ts wrote.

Writes PEER.SLICE.f64, the log odds of every row of calibration, validation and test, and prints one line
of JSON: CPU and wall seconds of training, peak memory, trees. EARLY: 1 stops on the validation rows.
"""
import json
import os
import resource
import sys
import time

import numpy

PEER, FOLDER, TREES, EARLY = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1"
ABOUT = json.load(open(os.path.join(FOLDER, "rows.json")))
THREADS = os.cpu_count()
PATIENCE = 100
SEED = 1
LEAVES = ABOUT["training"]["leaves"]
RATE = ABOUT["training"]["learningRate"]
SHARE = ABOUT["training"]["featureRatio"]
ROWS_MIN = ABOUT["training"]["rowsMin"]
L2 = ABOUT["training"]["l2"]


def column(name, kind):
    return numpy.fromfile(os.path.join(FOLDER, name), dtype=kind)


def read(name):
    """Bin numbers as float32, missing as NaN; labels; weights."""
    bins = column(f"{name}.u8", numpy.uint8).reshape(-1, ABOUT["width"])
    rows = bins.astype(numpy.float32)
    rows[bins == 255] = numpy.nan
    return rows, column(f"{name}.labels", numpy.uint8), column(f"{name}.weights", numpy.float32)


def log_odds(probability):
    p = numpy.clip(probability, 1e-7, 1 - 1e-7)
    return numpy.log(p / (1 - p))


def lightgbm():
    import lightgbm as lgb

    params = {
        "objective": "binary", "num_threads": THREADS, "verbosity": -1, "max_bin": 255,
        "min_data_in_bin": 1, "num_leaves": LEAVES, "learning_rate": RATE, "feature_fraction": SHARE,
        "min_data_in_leaf": ROWS_MIN, "lambda_l2": L2, "seed": SEED, "metric": "average_precision",
    }
    rows, labels, weights = FIT
    data = lgb.Dataset(rows, labels, weight=weights, params=params)
    stop = [lgb.early_stopping(PATIENCE, verbose=False)] if EARLY else []
    held = [lgb.Dataset(VALIDATION[0], VALIDATION[1], reference=data)] if EARLY else []
    model = lgb.train(params, data, num_boost_round=TREES, valid_sets=held, callbacks=stop)
    return (lambda x: model.predict(x, raw_score=True)), model.num_trees()


def xgboost():
    import xgboost as xgb

    params = {
        "objective": "binary:logistic", "nthread": THREADS, "tree_method": "hist",
        "grow_policy": "lossguide", "max_depth": 0, "max_leaves": LEAVES, "eta": RATE,
        "colsample_bytree": SHARE, "min_child_weight": 0.1, "lambda": L2, "seed": SEED,
        "eval_metric": "aucpr",
    }
    rows, labels, weights = FIT
    data = xgb.QuantileDMatrix(rows, labels, weight=weights, max_bin=256)
    held = [(xgb.DMatrix(VALIDATION[0], VALIDATION[1]), "v")] if EARLY else []
    stop = {"early_stopping_rounds": PATIENCE} if EARLY else {}
    model = xgb.train(params, data, num_boost_round=TREES, evals=held, verbose_eval=False, **stop)
    last = model.best_iteration + 1 if EARLY else TREES
    predict = lambda x: model.predict(xgb.DMatrix(x), output_margin=True, iteration_range=(0, last))
    return predict, last


def histgb():
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, labels, weights = FIT
    model = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, max_features=SHARE,
        min_samples_leaf=ROWS_MIN, l2_regularization=L2, early_stopping=False, random_state=SEED,
    )
    model.fit(rows, labels, sample_weight=weights)
    return model.decision_function, model.n_iter_


def catboost():
    from catboost import CatBoostClassifier, Pool

    rows, labels, weights = FIT
    model = CatBoostClassifier(
        iterations=TREES, depth=8, learning_rate=0.1, l2_leaf_reg=3, rsm=SHARE, thread_count=THREADS,
        eval_metric="PRAUC", random_seed=SEED, verbose=False, allow_writing_files=False,
        metric_period=10,
    )
    held = Pool(VALIDATION[0], VALIDATION[1]) if EARLY else None
    model.fit(Pool(rows, labels, weight=weights), eval_set=held, use_best_model=EARLY)
    return (lambda x: model.predict(x, prediction_type="RawFormulaVal")), model.tree_count_


def forest():
    from sklearn.ensemble import RandomForestClassifier

    rows, labels, weights = FIT
    model = RandomForestClassifier(
        n_estimators=200, min_samples_leaf=5, max_features="sqrt", max_samples=0.5,
        n_jobs=THREADS, random_state=SEED,
    )
    model.fit(rows, labels, sample_weight=weights)
    return (lambda x: log_odds(model.predict_proba(x)[:, 1])), 200


FIT, VALIDATION = read("fit"), read("validation")
cpu, wall = time.process_time(), time.monotonic()
predict, trees = {
    "lightgbm": lightgbm, "xgboost": xgboost, "histgb": histgb, "catboost": catboost, "forest": forest,
}[PEER]()
cpu, wall = time.process_time() - cpu, time.monotonic() - wall
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
del FIT
for name in ("calibration", "validation", "test"):
    rows = read(name)[0]
    scores = numpy.asarray(predict(rows), dtype=numpy.float64) if len(rows) else numpy.zeros(0)
    scores.tofile(os.path.join(FOLDER, f"{PEER}.{name}.f64"))
print(json.dumps({"cpuSeconds": cpu, "wallSeconds": wall, "peakBytes": peak, "trees": int(trees)}))

"""Trains LightGBM or XGBoost on one thread whenever it is told to, and says what CPU time that took.

Each line of input is a request and is answered by a line, both JSON:
  {"rival", "folder", "width", "trees", "leaves", "rate", "rows_min", "hessian_min", "l2",
   "feature_ratio", "seed"}
  {"binMs", "trainMs"}
The folder holds train.f32, train.u8, train.w (rows, labels, weights) and test.f32. The rows are bin
numbers, a missing value NaN, so that every trainer splits at the same places. The margins of the test
rows go to RIVAL.f64 there.
"""
import json
import os
import sys
import time

import lightgbm
import numpy
import xgboost

MAX_BIN = 255


def read(folder, width):
    rows = numpy.fromfile(os.path.join(folder, "train.f32"), dtype=numpy.float32)
    labels = numpy.fromfile(os.path.join(folder, "train.u8"), dtype=numpy.uint8)
    weights = numpy.fromfile(os.path.join(folder, "train.w"), dtype=numpy.float32)
    test = numpy.fromfile(os.path.join(folder, "test.f32"), dtype=numpy.float32)
    return rows.reshape(-1, width), labels, weights, test.reshape(-1, width)


def train_lightgbm(request, rows, labels, weights, quantised):
    params = {
        "objective": "binary",
        "num_threads": 1,
        "verbosity": -1,
        "max_bin": MAX_BIN,
        "min_data_in_bin": 1,
        "bin_construct_sample_cnt": len(rows),
        "feature_pre_filter": False,
        "num_leaves": request["leaves"],
        "learning_rate": request["rate"],
        "min_data_in_leaf": request["rows_min"],
        "min_sum_hessian_in_leaf": request["hessian_min"],
        "lambda_l2": request["l2"],
        "feature_fraction": request["feature_ratio"],
        "seed": request["seed"],
        "use_quantized_grad": quantised,
        # Row-wise was the faster of its two ways here.
        "force_row_wise": True,
    }
    began = time.process_time()
    data = lightgbm.Dataset(rows, labels, weight=weights, params=params).construct()
    binned = time.process_time()
    booster = lightgbm.train(params, data, num_boost_round=request["trees"])
    done = time.process_time()
    predict = lambda test: booster.predict(test, raw_score=True, num_threads=1)
    return binned - began, done - binned, predict


def train_xgboost(request, rows, labels, weights):
    params = {
        "objective": "binary:logistic",
        "nthread": 1,
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_depth": 0,
        "max_bin": MAX_BIN + 1,
        "max_leaves": request["leaves"],
        "eta": request["rate"],
        "min_child_weight": request["hessian_min"],
        "lambda": request["l2"],
        "colsample_bytree": request["feature_ratio"],
        "seed": request["seed"],
    }
    began = time.process_time()
    data = xgboost.QuantileDMatrix(rows, labels, weight=weights, max_bin=MAX_BIN + 1, nthread=1)
    binned = time.process_time()
    booster = xgboost.train(params, data, num_boost_round=request["trees"])
    done = time.process_time()
    predict = lambda test: booster.predict(xgboost.DMatrix(test, nthread=1), output_margin=True)
    return binned - began, done - binned, predict


RIVALS = {
    "lightgbm": lambda *args: train_lightgbm(*args, quantised=False),
    "lightgbm-quantised": lambda *args: train_lightgbm(*args, quantised=True),
    "xgboost": train_xgboost,
}

print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    folder, rival = request["folder"], request["rival"]
    rows, labels, weights, test = read(folder, request["width"])
    bin_s, train_s, predict = RIVALS[rival](request, rows, labels, weights)
    margins = numpy.asarray(predict(test), dtype=numpy.float64)
    margins.tofile(os.path.join(folder, f"{rival}.f64"))
    print(json.dumps({"binMs": bin_s * 1000, "trainMs": train_s * 1000}), flush=True)

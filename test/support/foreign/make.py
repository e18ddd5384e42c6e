"""Models of other trainers as ONNX, and what those trainers say of a few rows, for test/parity/foreign.test.ts.

    python3 test/support/foreign/make.py

makes its own environment under .cache, pinned, and writes *.onnx and scores.csv beside this file.
Rows lie on thresholds and have missing values; every score is the trainer's own, not ONNX Runtime's.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = HERE.parents[2] / ".cache" / "foreign-models"
PACKAGES = [
    "lightgbm==4.7.0",
    "xgboost==3.2.0",
    "scikit-learn==1.9.1",
    "numpy==2.4.6",
    "onnx==1.23.2",
    "onnxmltools==1.16.0",
    "skl2onnx==1.20.0",
    "packaging==26.0",
]
FEATURES = 5
TRAINED_ROWS = 4_000
SCORED_ROWS = 200
OPSET = {"": 15, "ai.onnx.ml": 3}


def main():
    python = ENVIRONMENT / "bin" / "python"
    if pathlib.Path(sys.prefix) != ENVIRONMENT:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        sys.exit(subprocess.run([python, __file__]).returncode)
    make()


def make():
    import lightgbm
    import numpy
    import xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    random = numpy.random.default_rng(5)
    rows = numpy.round(random.normal(size=(TRAINED_ROWS, FEATURES)) * 8) / 8
    rows = rows.astype(numpy.float32)
    rows[random.random(rows.shape) < 0.1] = numpy.nan
    whole = numpy.nan_to_num(rows)
    risk = whole[:, 0] - whole[:, 1] ** 2 + numpy.isnan(rows[:, 2]) - 0.5
    labels = (risk + random.normal(size=TRAINED_ROWS) > 0).astype(int)
    some, some_whole = rows[:SCORED_ROWS], whole[:SCORED_ROWS]

    inputs = [("input", FloatTensorType([None, FEATURES]))]
    options = {"initial_types": inputs, "target_opset": 15}
    scores = {}

    def write(name, model, probability):
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
        scores[name] = probability

    light = lightgbm.LGBMClassifier(n_estimators=12, num_leaves=12, verbose=-1, random_state=1)
    light.fit(rows, labels)
    write("lightgbm", convert_lightgbm(light, zipmap=False, **options), light.predict_proba(some)[:, 1])
    zipped = convert_lightgbm(light, **options)
    (HERE / "lightgbm-zipmap.onnx").write_bytes(zipped.SerializeToString())

    extreme = xgboost.XGBClassifier(n_estimators=12, max_depth=3, random_state=1)
    extreme.fit(rows, labels)
    write("xgboost", convert_xgboost(extreme, **options), extreme.predict_proba(some)[:, 1])

    # These two have no missing values: the scores are of rows with 0 in their place.
    arguments = {"options": {"zipmap": False}, "target_opset": OPSET}
    forests = {
        "gradient-boosting": GradientBoostingClassifier(n_estimators=12, random_state=1),
        "random-forest": RandomForestClassifier(n_estimators=8, max_depth=5, random_state=1),
        "logistic-regression": LogisticRegression(),
    }
    for name, forest in forests.items():
        forest.fit(whole, labels)
        onnx = to_onnx(forest, whole[:1], **arguments)
        write(name, onnx, forest.predict_proba(some_whole)[:, 1])

    names = list(scores)
    lines = [",".join([f"f{i}" for i in range(FEATURES)] + names)]
    for i in range(SCORED_ROWS):
        values = ["" if numpy.isnan(value) else repr(float(value)) for value in some[i]]
        lines.append(",".join(values + [f"{scores[name][i]:.9f}" for name in names]))
    (HERE / "scores.csv").write_text("\n".join(lines) + "\n")


main()

"""Scores or explains a file of rows with LightGBM or lleaves, on one thread, whenever it is told to.

usage: rivals.py MODEL ROWS WIDTH PASSES NAMES
Each line of input names a rival, or a rival and a file for its results; each is answered by a line.
"""
import hashlib
import pathlib
import sys

import lightgbm
import numpy

model_file, rows_file, width, passes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
wanted = sys.argv[5].split(",")
rows = numpy.fromfile(rows_file, dtype=numpy.float32).reshape(-1, width)
rivals = {}

# On float32 rows it is faster than on float64.
booster = lightgbm.Booster(model_file=model_file)
if "lightgbm" in wanted:
    rivals["lightgbm"] = lambda: booster.predict(rows, raw_score=True, num_threads=1)
if "contributions" in wanted:
    rivals["contributions"] = lambda: booster.predict(rows, pred_contrib=True, num_threads=1)

if "lleaves" in wanted:
    try:
        import lleaves

        # Compiling takes half a minute; its fastest settings of those tried.
        digest = hashlib.sha256(pathlib.Path(model_file).read_bytes()).hexdigest()[:16]
        cache = pathlib.Path(model_file).with_name(f"trees-{digest}.o")
        compiled = lleaves.Model(model_file=model_file)
        compiled.compile(cache=cache, raw_score=True, use_fp64=False, fblocksize=16)
        rivals["lleaves"] = lambda: compiled.predict(rows, n_jobs=1)
    except Exception as error:
        print(f"lleaves: {error}", file=sys.stderr)

print(" ".join(rivals), flush=True)
for line in sys.stdin:
    name, *out = line.split()
    if out:
        numpy.asarray(rivals[name](), dtype=numpy.float64).tofile(out[0])
    else:
        for _ in range(passes):
            rivals[name]()
    print("done", flush=True)

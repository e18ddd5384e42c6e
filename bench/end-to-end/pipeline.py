"""What a Python team would run instead: telemetry from Kafka, NumPy state, boosted trees, exactly once.

`train` writes a model from recorded messages, and compiles it where lleaves is installed. `run` reads the
partitions it is given: until so many samples are done, and then prints how long that took since it had its
partitions; or, with --samples 0, until its input is closed.

Two ways: `usual` as people write it, with default settings, LightGBM, and a commit after each batch; `tuned`
with everything that was found to help on top: compiled trees, settings of the client, one message at a time
through the caches, rows of a column of names remembered, the commit of one batch beside the work on the next.
"""
import argparse
import gc
import json
import os
import sys
import threading
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # idle threads would spin beside us
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import orjson
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

try:
    import lleaves
except ImportError:
    lleaves = None

HALF_LIVES_S = np.array([60.0, 600.0, 3600.0])
ACTING_POINT = 0.8
ACTING_MARGIN = float(np.log(ACTING_POINT / (1 - ACTING_POINT)))
ROWS_MAX = 1_024
KNOWN_COLUMNS_MAX = 10_000
TUNING = {
    "fetch.wait.max.ms": 50, "fetch.queue.backoff.ms": 1, "queued.min.messages": 1_000_000, "check.crcs": False,
    "max.partition.fetch.bytes": 4 << 20, "queued.max.messages.kbytes": 128 << 10, "fetch.max.bytes": 16 << 20,
}


class State:
    """Per node and metric: mean and variance at each half-life; and when the node was last seen."""

    def __init__(self, nodes, metrics):
        self.width = 3 * metrics
        self.metrics = metrics
        self.moments = np.zeros((nodes, 2 * self.width), np.float32)
        self.last = np.full(nodes, -np.inf)
        self.features = np.empty((ROWS_MAX, 3 * self.width), np.float32)

    def fold(self, rows, at, values):
        """One sample of each row's node, ROWS_MAX at most; returns the features, valid until the next call."""
        count, width = len(rows), self.width
        while rows.max() >= len(self.last):
            self.moments = np.concatenate([self.moments, np.zeros_like(self.moments)])
            self.last = np.concatenate([self.last, np.full(len(self.last), -np.inf)])
        before = self.last[rows]
        ages = np.exp2(np.maximum(at - before, 0)[:, None] / -HALF_LIVES_S)  # 0 at a first sample
        keep = ages.astype(np.float32).repeat(self.metrics, axis=1)
        moments, out = self.moments.take(rows, axis=0), self.features[:count]
        mean, variance = moments[:, :width], moments[:, width:]
        residual = np.concatenate([values, values, values], axis=1)
        residual -= mean
        step = residual - residual * keep
        mean += step
        out[:, :width] = mean
        np.subtract(residual, step, out=out[:, width : 2 * width])
        step *= residual
        variance += step
        variance *= keep
        np.sqrt(variance, out=out[:, 2 * width :])
        self.moments[rows] = moments
        self.last[rows] = np.maximum(before, at)
        return out


class Ids(dict):
    """An unknown name gets the next row."""

    def __missing__(self, name):
        self[name] = row = len(self)
        return row


class Columns:
    """Arrow batches as arrays. Fleets send the same nodes together, so the rows of their names are remembered."""

    def __init__(self, ids, names):
        self.ids, self.names, self.known = ids, names, {}

    def decode(self, message):
        for batch in pa.ipc.open_stream(message):
            rows = self.rows(batch.column(batch.schema.get_field_index("node")))
            at = batch.column(batch.schema.get_field_index("at")).view(pa.int64()).to_numpy() / 1_000
            values = np.empty((len(at), len(self.names)), np.float32)
            for i, name in enumerate(self.names):
                values[:, i] = batch.column(batch.schema.get_field_index(name)).to_numpy(zero_copy_only=False)
            # A node that is there twice is folded in two steps, in order.
            for part in rows if isinstance(rows, list) else [None]:
                if part is None:
                    yield rows, at, values
                else:
                    yield part[0], at[part[1]], values[part[1]]

    def rows(self, column):
        """All rows when no node is there twice and they are few enough, else a list of (rows, where they are)."""
        key = b"".join([part.to_pybytes() for part in column.buffers()[1:]])
        found = self.known.get(key)
        if found is None:
            rows = np.fromiter((self.ids[name] for name in column.to_pylist()), np.int64, len(column))
            found = list((rows[part], part) for part in in_order(rows))
            found = found if len(found) > 1 else rows
            if len(self.known) < KNOWN_COLUMNS_MAX:
                self.known[key] = found
        return found


def in_order(rows):
    """Index arrays of ROWS_MAX at most without a repeated row in any."""
    left = np.arange(len(rows))
    while len(left) > 0:
        _, first = np.unique(rows[left], return_index=True)
        first = np.sort(first)[:ROWS_MAX]
        yield left[first]
        left = np.delete(left, first)


def decode_json(messages, ids, names):
    samples = [json.loads(message) for message in messages]
    rows = np.array([ids[sample["node"]] for sample in samples])
    at = np.array([sample["at"] for sample in samples], np.float64) / 1_000
    values = np.array([[sample["metrics"][name] for name in names] for sample in samples], np.float32)
    for part in in_order(rows):
        yield rows[part], at[part], values[part]


def compiled(file):
    """The same trees as machine code; its fastest settings of those tried."""
    model = lleaves.Model(model_file=file)
    model.compile(cache=file + ".o", raw_score=True, use_fp64=False, fblocksize=64)
    return model


def train(options):
    """Ill nodes are told from well ones at once; what else is in the labels keeps the trees at full size."""
    names, rng = options.metrics.split(","), np.random.default_rng(1)
    ids, source = Ids(), pa.memory_map(options.recorded)
    state, columns, features = State(1_024, len(names)), Columns(ids, names), []
    while source.tell() < source.size():
        features += [state.fold(*part).copy() for part in columns.decode(source)]
    ill, found = np.fromfile(options.labels, np.uint8), np.concatenate(features)
    well = found[ill == 0, : len(names) // 2]
    rank = ((found[:, : len(names) // 2] - well.mean(axis=0)) / (well.std(axis=0) + 1e-6)).mean(axis=1)
    doubt = np.clip(0.2 + 0.3 * np.sin(3 * rank), 0.02, 0.5)
    labels = rng.random(len(found)) < np.where(ill == 1, 0.97, doubt)
    settings = dict(objective="binary", num_leaves=options.leaves, learning_rate=0.05, verbose=-1, num_threads=2, seed=1)
    booster = lgb.train(settings, lgb.Dataset(found, labels), options.trees)
    risk = booster.predict(found)
    leaves = [tree["num_leaves"] for tree in booster.dump_model()["tree_info"]]
    report = {"trees": len(leaves), "leavesMean": float(np.mean(leaves)), "illFound": float((risk[ill == 1] >= ACTING_POINT).mean()),
              "wellTaken": float((risk[ill == 0] >= ACTING_POINT).mean())}
    booster.save_model(options.model)
    if lleaves is not None:
        compiled(options.model)
    print(json.dumps(report), flush=True)


def run(options):
    usual = options.way == "usual"
    names, ids = options.metrics.split(","), Ids()
    state, columns = State(options.nodes, len(names)), Columns(ids, names)
    known = []
    if usual or lleaves is None:
        booster = lgb.Booster(model_file=options.model)
        risky = lambda found: np.flatnonzero(booster.predict(found, num_threads=1) >= ACTING_POINT)
    else:
        model = compiled(options.model)
        risky = lambda found: np.flatnonzero(model.predict(found, n_jobs=1) >= ACTING_MARGIN)
    common = {"bootstrap.servers": options.brokers}
    consumer = Consumer({**common, **({} if usual else TUNING), "group.id": options.group, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    producer = Producer({**common, "transactional.id": f"{options.group}-{options.partitions}", "linger.ms": 0})
    producer.init_transactions()
    pool, pending = ThreadPoolExecutor(1), None
    partitions = [int(each) for each in options.partitions.split(",")]
    consumer.list_topics(options.telemetry)
    gc.disable()  # no cycles are made below
    print("ready", flush=True)
    sys.stdin.readline()
    # The client fetches ahead as soon as it has partitions, so the clock begins with them.
    began, done = time.perf_counter(), 0
    consumer.assign([TopicPartition(options.telemetry, each, OFFSET_BEGINNING) for each in partitions])
    closed = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
    while done < options.samples or (options.samples == 0 and not closed.is_set()):
        messages = taken(consumer, options.batch, usual)
        if not messages:
            continue
        acted = []
        parts = decode_json(messages, ids, names) if options.format == "json" else \
            (part for message in messages for part in columns.decode(message))
        for rows, at, values in parts:
            acted += rows[risky(state.fold(rows, at, values))].tolist()
            done += len(rows)
        if len(known) < len(ids):
            known[:] = ids
        if pending is not None:
            pending.result()
        producer.begin_transaction()
        for row in acted:
            producer.produce(options.commands, orjson.dumps({"node": known[row]}), partition=partitions[0])
        offsets, group = consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        pending = pool.submit(commit, producer, offsets, group)
        if usual:
            pending.result()
    if pending is not None:
        pending.result()
    print(json.dumps({"elapsedMs": (time.perf_counter() - began) * 1_000, "samples": done, "nodes": len(ids)}), flush=True)
    consumer.close()


def taken(consumer, most, usual):
    """Tuned: what is there, as soon as there is something, which is best for delay and as good for a backlog."""
    if usual:
        found = consumer.consume(most, 0.1)
    else:
        first = consumer.poll(0.1)
        found = [] if first is None else [first, *consumer.consume(most - 1, 0)]
    return [message.value() for message in found if not message.error()]


def commit(producer, offsets, group):
    producer.send_offsets_to_transaction(offsets, group)
    producer.commit_transaction()


parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["train", "run"])
for name in ("model", "recorded", "labels", "brokers", "telemetry", "commands", "group", "partitions", "metrics", "format", "way"):
    parser.add_argument(f"--{name}", default="")
for name in ("samples", "nodes", "trees", "leaves", "batch"):
    parser.add_argument(f"--{name}", type=int, default=0)
arguments = parser.parse_args()
if arguments.what == "train":
    train(arguments)
else:
    run(arguments)

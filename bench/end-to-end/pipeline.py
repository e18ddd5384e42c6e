"""What a Python team would run instead: telemetry from Kafka, NumPy state, LightGBM, exactly once.

`train FILE` writes a model. `run` reads the partitions it is given until so many samples are done, and
prints how long that took from its first batch to its last commit.
"""
import argparse
import json
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # idle threads would spin beside us
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import orjson
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

HALF_LIVES_S = np.array([60.0, 600.0, 3600.0])
ACTING_POINT = 0.8


class State:
    """Per node and metric: mean and variance at each half-life, and when the node was last seen."""

    def __init__(self, nodes, metrics):
        self.mean = np.zeros((nodes, 3, metrics), np.float32)
        self.variance = np.zeros((nodes, 3, metrics), np.float32)
        self.last = np.full(nodes, -np.inf)

    def fold(self, rows, at, values):
        """One sample of each row's node; returns the features."""
        keep = np.exp2(-np.maximum(at - self.last[rows], 0)[:, None] / HALF_LIVES_S)
        keep = keep.astype(np.float32)[:, :, None]
        mean, variance = self.mean[rows], self.variance[rows]
        residual = values[:, None, :] - mean
        step = residual * (1 - keep)
        mean += step
        variance = (variance + step * residual) * keep
        self.mean[rows], self.variance[rows] = mean, variance
        self.last[rows] = np.maximum(self.last[rows], at)
        parts = [mean, residual - step, np.sqrt(variance)]
        return np.concatenate([part.reshape(len(rows), -1) for part in parts], axis=1)


def train(file, metrics, trees, leaves):
    rng, rows = np.random.default_rng(1), 20_000
    state, features, labels = State(rows, metrics), [], []
    for turn in range(4):
        values = rng.standard_normal((rows, metrics)).astype(np.float32)
        found = state.fold(np.arange(rows), np.full(rows, turn * 10.0), values)
        features.append(found)
        noise = 0.4 * rng.standard_normal(rows)
        labels.append(values[:, : metrics // 2].mean(axis=1) + 0.3 * np.sin(3 * found[:, 20]) + noise > 0.8)
    settings = dict(objective="binary", num_leaves=leaves, learning_rate=0.03, verbose=-1, num_threads=2, seed=1)
    data = lgb.Dataset(np.concatenate(features), np.concatenate(labels))
    lgb.train(settings, data, trees).save_model(file)


class Ids(dict):
    """An unknown name gets the next row."""

    def __missing__(self, name):
        self[name] = row = len(self)
        return row


def decode_arrow(messages, ids, names):
    batches = [batch for message in messages for batch in pa.ipc.open_stream(message.value())]
    rows = np.fromiter((ids[name] for batch in batches for name in batch.column("node").to_pylist()), np.int64)
    at = np.concatenate([batch.column("at").cast(pa.int64()).to_numpy() for batch in batches])
    values = np.empty((len(rows), len(names)), np.float32)
    for i, name in enumerate(names):
        values[:, i] = np.concatenate([batch.column(name).to_numpy(zero_copy_only=False) for batch in batches])
    return rows, at / 1_000, values


def decode_json(messages, ids, names, loads):
    samples = [loads(message.value()) for message in messages]
    rows = np.array([ids[sample["node"]] for sample in samples])
    at = np.array([sample["at"] for sample in samples], np.float64)
    values = np.array([[sample["metrics"][name] for name in names] for sample in samples], np.float32)
    return rows, at / 1_000, values


def run(options):
    names, usual = options.metrics.split(","), options.way == "usual"
    booster = lgb.Booster(model_file=options.model)
    # As people write it: default settings, a commit after each batch, no overlap.
    tuning = {} if usual else {
        "fetch.wait.max.ms": 50, "fetch.queue.backoff.ms": 5, "queued.min.messages": 1_000_000,
        "max.partition.fetch.bytes": 4 << 20, "queued.max.messages.kbytes": 128 << 10, "check.crcs": False,
    }
    common = {"bootstrap.servers": options.brokers}
    consumer = Consumer({**common, **tuning, "group.id": options.group, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    producer = Producer({**common, "transactional.id": f"{options.group}-{options.partitions}", "linger.ms": 0})
    producer.init_transactions()
    state, ids, pool, pending = State(options.nodes, len(names)), Ids(), ThreadPoolExecutor(1), None
    partitions = [int(each) for each in options.partitions.split(",")]
    consumer.assign([TopicPartition(options.telemetry, each, OFFSET_BEGINNING) for each in partitions])
    print("ready", flush=True)
    sys.stdin.readline()
    began, done, per_message = None, 0, 1 if options.format == "json" else 1_000
    while done < options.samples:
        messages = [m for m in consumer.consume(max(1, 10_000 // per_message), 0.1) if not m.error()]
        if not messages:
            continue
        began = began or time.perf_counter()
        if options.format == "json":
            rows, at, values = decode_json(messages, ids, names, json.loads if usual else orjson.loads)
        else:
            rows, at, values = decode_arrow(messages, ids, names)
        # A node that is there twice is folded in two steps, in order.
        for part in in_order(rows):
            found = state.fold(rows[part], at[part], values[part])
            risk = booster.predict(found, num_threads=1)
            acted = [(int(row), float(p)) for row, p in zip(rows[part], risk) if p >= ACTING_POINT] if usual else \
                [(int(rows[part][i]), float(risk[i])) for i in np.flatnonzero(risk >= ACTING_POINT)]
            if pending is not None:
                pending.result()
                pending = None
            producer.begin_transaction()
            for row, p in acted:
                producer.produce(options.commands, orjson.dumps({"node": row, "probability": p}))
            offsets, group = consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
            pending = pool.submit(commit, producer, offsets, group)
            if usual:
                pending.result()
        done += len(rows)
    pending.result()
    print(json.dumps({"elapsedMs": (time.perf_counter() - began) * 1_000, "samples": done, "nodes": len(ids)}), flush=True)
    consumer.close()


def in_order(rows):
    """Index arrays without a repeated row in any; most batches are one."""
    left = np.arange(len(rows))
    while len(left) > 0:
        _, first = np.unique(rows[left], return_index=True)
        yield left[np.sort(first)]
        left = np.delete(left, first)


def commit(producer, offsets, group):
    producer.send_offsets_to_transaction(offsets, group)
    producer.commit_transaction()


parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["train", "run"])
for name in ("model", "brokers", "telemetry", "commands", "group", "partitions", "metrics", "format", "way"):
    parser.add_argument(f"--{name}", default="")
for name in ("samples", "nodes", "trees", "leaves"):
    parser.add_argument(f"--{name}", type=int, default=0)
arguments = parser.parse_args()
if arguments.what == "train":
    train(arguments.model, len(arguments.metrics.split(",")), arguments.trees, arguments.leaves)
else:
    run(arguments)

// The native yardstick of the node table: the same tiles, the same arithmetic on four float32 at a time,
// one sample of every node per line read from stdin, then health and liveness of all. Answers each line
// with one sum.
use std::hint::black_box;
use std::io::{stdin, stdout, BufRead, Write};

const METRICS: usize = 16;
const QUADS: usize = METRICS / 4;
const LANES: usize = 256;
const ROWS: usize = 1000;
const HALF_LIVES: [f64; 3] = [60_000.0, 600_000.0, 3_600_000.0];
const START: f64 = 1.7e12;
const USED: u32 = 1;
const SILENT: u32 = 2;
const CHANGED: u32 = 4;
const QUEUED: u32 = 8;
const SEEN: u32 = 16;
const SAMPLED: u32 = 32;
const GAPS: u32 = 64;
const ALL: u8 = 15;
const NEVER: i64 = -(1 << 47);
const DISTANCE_MIN: f32 = 9.094947e-13;
const VARIANCE_MIN: f32 = 5.169_879e-26;
const MISSING_MIN: f32 = 9.536743e-7;

type Quad = [f32; 4];

/// Four metrics of one node; one element per half-life.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Moments {
    mean: [Quad; 3],
    variance: [Quad; 3],
    changes: [Quad; 3],
    maximum: Quad,
}

/// Times of 48 bits: low words, then high halves.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct History {
    missing: Quad,
    at_low: [u32; 4],
    changed_low: [u32; 4],
    at_high: [i16; 4],
    changed_high: [i16; 4],
}

/// What one sample of a node changes of it, besides its metrics.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    last_seen: f64,
    first_at: f64,
    last_at: f64,
    next_grid: f64,
    emitted_at: f64,
    arrival_mean: f32,
    arrival_variance: f32,
    other: [u32; 4],
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Tile {
    lines: [Line; LANES],
    seen_observed: [f64; LANES],
    flags: [u32; LANES],
    values: [[Quad; QUADS]; LANES],
    moments: [[Moments; QUADS]; LANES],
    history: [[History; QUADS]; LANES],
    /// Lanes with a time of their own, and above them lanes that changed with the newest sample.
    states: [[u8; QUADS]; LANES],
}

#[derive(Clone, Copy)]
struct Factors {
    kept: [Quad; 3],
    spread: [Quad; 3],
}

struct Decays {
    elapsed: f64,
    node: Factors,
}

/// What the kernel reads of a class: it is made for any, so nothing of one is compiled in.
struct Class {
    low: [Quad; QUADS],
    high: [Quad; QUADS],
    /// Lanes whose value is worked out of readings; none in this bench.
    counters: [u8; QUADS],
    rounds: Vec<Round>,
}

/// One metric of each part of health: which, and how its value becomes a ratio.
struct Round {
    metric: [usize; 4],
    bad: Quad,
    scale: Quad,
}

impl Class {
    fn new() -> Class {
        let rounds = (0..QUADS).map(|q| Round {
            metric: std::array::from_fn(|part| q * 4 + part),
            bad: [0.9; 4],
            scale: [1.0 / (0.1 - 0.9); 4],
        });
        Class {
            low: [[0.0; 4]; QUADS],
            high: [[1e6; 4]; QUADS],
            counters: [0; QUADS],
            rounds: rounds.collect(),
        }
    }
}

struct Table {
    class: Class,
    tiles: Vec<Tile>,
    queue: Vec<u32>,
    health: Vec<f32>,
    listed: Vec<u32>,
    decays: Decays,
}

fn halving(x: f64) -> f64 {
    if !(x < 1022.0) {
        return 0.0;
    }
    let n = (x + 0.5).floor();
    let z = (n - x) * std::f64::consts::LN_2;
    let mut p = 1.0 / 6227020800.0;
    for c in [
        479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0, 5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0,
    ] {
        p = p * z + 1.0 / c;
    }
    p * f64::from_bits(((1023 - n as i64) as u64) << 52)
}

impl Table {
    fn new(nodes: usize) -> Table {
        let none = [f32::NAN; 4];
        let zero = [0f32; 4];
        let moments = Moments {
            mean: [none; 3],
            variance: [[VARIANCE_MIN; 4]; 3],
            changes: [[DISTANCE_MIN; 4]; 3],
            maximum: none,
        };
        let mut history = History {
            missing: zero,
            at_low: [0; 4],
            changed_low: [0; 4],
            at_high: [0; 4],
            changed_high: [0; 4],
        };
        history.set_at(ALL, NEVER);
        history.set_changed(ALL, NEVER);
        let line = Line {
            last_seen: f64::NAN,
            first_at: f64::NAN,
            last_at: f64::NEG_INFINITY,
            next_grid: f64::INFINITY,
            emitted_at: f64::NEG_INFINITY,
            arrival_mean: 10_000.0,
            arrival_variance: 0.0,
            other: [0; 4],
        };
        let tile = Tile {
            lines: [line; LANES],
            seen_observed: [f64::NAN; LANES],
            flags: [USED; LANES],
            values: [[none; QUADS]; LANES],
            moments: [[moments; QUADS]; LANES],
            history: [[history; QUADS]; LANES],
            states: [[ALL; QUADS]; LANES],
        };
        let factors = Factors { kept: [zero; 3], spread: [zero; 3] };
        Table {
            class: black_box(Class::new()),
            tiles: vec![tile; nodes.div_ceil(LANES)],
            queue: Vec::with_capacity(nodes),
            health: vec![0.0; nodes.div_ceil(LANES) * LANES],
            listed: Vec::with_capacity(nodes),
            decays: Decays { elapsed: f64::NAN, node: factors },
        }
    }

    /// A sample newer than the node's last; the bench sends no others.
    fn fold_row(&mut self, node: usize, at: f64, row: usize, values: &[f64]) {
        let lane = node % LANES;
        let tile = &mut self.tiles[node / LANES];
        let last = tile.lines[lane].last_at;
        if !(at > last) {
            return;
        }
        assert!(tile.lines[lane].next_grid >= at, "no row is due in this bench");
        if last == f64::NEG_INFINITY {
            tile.lines[lane].first_at = at;
            tile.lines[lane].next_grid = (at / 1e12).ceil() * 1e12;
            tile.flags[lane] |= SAMPLED;
        } else {
            self.decays.over(at - last);
        }
        let gaps = tile.flags[lane] & GAPS != 0;
        let mut gaps_left = false;
        for q in 0..QUADS {
            let next: Quad = std::array::from_fn(|i| {
                let raw = values[(q * 4 + i) * ROWS + row] as f32;
                bounded(raw, self.class.low[q][i], self.class.high[q][i])
            });
            let held = tile.values[lane][q];
            let moments = &mut tile.moments[lane][q];
            let history = &mut tile.history[lane][q];
            let state = &mut tile.states[lane][q];
            let present = bits(next.map(|x| !x.is_nan()));
            if gaps || present != ALL {
                gaps_left |= history.fold_missing(present);
            }
            let changed = bits(std::array::from_fn(|i| next[i] != held[i]));
            if present == ALL && *state & ALL == 0 && self.class.counters[q] == 0 {
                tile.values[lane][q] = next;
                moments.hold(&held, &next, &self.decays.node);
                let fresh = changed << 4;
                if fresh != *state {
                    history.set_changed((*state & !fresh) >> 4, last as i64);
                    *state = fresh;
                }
                continue;
            }
            let mut factors = self.decays.node;
            let mut known = present;
            for i in 0..4 {
                if present & *state & 1 << i == 0 {
                    continue;
                }
                match history.at(i) {
                    NEVER => known ^= 1 << i,
                    before => factors.set_lane(i, at - before as f64),
                }
            }
            let changed = changed & known;
            moments.hold_some(&held, &next, present, changed, &factors);
            for i in 0..4 {
                if present & 1 << i != 0 {
                    tile.values[lane][q][i] = next[i];
                }
            }
            let absent = !present & ALL;
            history.set_changed(*state >> 4 & !changed, last as i64);
            history.set_at(absent & !*state, last as i64);
            *state = absent | changed << 4;
        }
        let mut flags = tile.flags[lane];
        if gaps != gaps_left {
            flags ^= GAPS;
        }
        tile.lines[lane].last_at = at;
        if flags & QUEUED == 0 {
            self.queue.push(node as u32);
        }
        tile.flags[lane] = flags | QUEUED | CHANGED;
    }

    fn life_sign(&mut self, node: usize, appended: f64, observed: f64) {
        let lane = node % LANES;
        let tile = &mut self.tiles[node / LANES];
        let seen = tile.flags[lane] & SEEN != 0;
        tile.flags[lane] |= SEEN;
        if !seen || appended > tile.lines[lane].last_seen {
            tile.lines[lane].last_seen = appended;
        }
        let ahead = appended - observed;
        let at = observed + if ahead > 0.0 { ahead.min(2000.0) } else { 0.0 };
        let gap = at - tile.seen_observed[lane];
        if seen && !(gap > 0.0) {
            return;
        }
        tile.seen_observed[lane] = at;
        if seen {
            let d = gap - tile.lines[lane].arrival_mean as f64;
            tile.lines[lane].arrival_mean = (tile.lines[lane].arrival_mean as f64 + d / 16.0) as f32;
            let spread = 15.0 / 16.0 * (tile.lines[lane].arrival_variance as f64 + d * d / 16.0);
            tile.lines[lane].arrival_variance = if spread < 1e-6 { 0.0 } else { spread as f32 };
        }
    }

    fn health(&mut self) {
        for (tile, scores) in self.tiles.iter().zip(self.health.chunks_exact_mut(LANES)) {
            for lane in 0..LANES {
                let values = tile.values[lane].as_flattened();
                let mut worst = [1f32; 4];
                for round in &self.class.rounds {
                    for part in 0..4 {
                        let ratio = (values[round.metric[part]] - round.bad[part]) * round.scale[part];
                        let least = if ratio < worst[part] { ratio } else { worst[part] };
                        worst[part] = if least < 0.0 { 0.0 } else { least };
                    }
                }
                let score = 0.4 * worst[0] + 0.3 * worst[1] + 0.2 * worst[2] + 0.1 * worst[3];
                let known = tile.flags[lane] & (USED | SAMPLED) == USED | SAMPLED;
                scores[lane] = if known { score } else { f32::NAN };
            }
        }
    }

    fn sweep(&mut self, now: f64) {
        self.listed.clear();
        for (t, tile) in self.tiles.iter_mut().enumerate() {
            for lane in 0..LANES {
                let before = tile.flags[lane];
                if before & (USED | SEEN) != USED | SEEN {
                    continue;
                }
                let silent = now - tile.seen_observed[lane] > 30_000.0;
                if silent == (before & SILENT != 0) {
                    continue;
                }
                tile.flags[lane] = before ^ SILENT;
                self.listed.push((t * LANES + lane) as u32 | if silent { 0x8000_0000 } else { 0 });
            }
        }
    }
}

impl Moments {
    fn hold(&mut self, held: &Quad, next: &Quad, factors: &Factors) {
        for h in 0..3 {
            for i in 0..4 {
                let k = factors.kept[h][i];
                let d = distance(self.mean[h][i], held[i]);
                let variance = k * self.variance[h][i] + factors.spread[h][i] * (d * d);
                let one = if next[i] != held[i] { 1.0 } else { 0.0 };
                let changes = self.changes[h][i] * k + one;
                self.mean[h][i] = held[i] + d * k;
                self.variance[h][i] = at_least(VARIANCE_MIN, variance);
                self.changes[h][i] = at_least(DISTANCE_MIN, changes);
            }
        }
        for i in 0..4 {
            self.maximum[i] = if self.maximum[i] < next[i] { next[i] } else { self.maximum[i] };
        }
    }

    fn hold_some(&mut self, held: &Quad, next: &Quad, takes: u8, changed: u8, factors: &Factors) {
        for i in (0..4).filter(|i| takes & 1 << i != 0) {
            for h in 0..3 {
                let k = factors.kept[h][i];
                let d = distance(self.mean[h][i], held[i]);
                let variance = k * self.variance[h][i] + factors.spread[h][i] * (d * d);
                let changes = self.changes[h][i] * k + (changed >> i & 1) as f32;
                self.mean[h][i] = if held[i].is_nan() { next[i] } else { held[i] + d * k };
                self.variance[h][i] = at_least(VARIANCE_MIN, variance);
                self.changes[h][i] = at_least(DISTANCE_MIN, changes);
            }
            if !(self.maximum[i] >= next[i]) {
                self.maximum[i] = next[i];
            }
        }
    }
}

impl History {
    fn at(&self, i: usize) -> i64 {
        (self.at_high[i] as i64) << 32 | self.at_low[i] as i64
    }

    fn set_at(&mut self, lanes: u8, time: i64) {
        for i in (0..4).filter(|i| lanes & 1 << i != 0) {
            self.at_low[i] = time as u32;
            self.at_high[i] = (time >> 32) as i16;
        }
    }

    fn set_changed(&mut self, lanes: u8, time: i64) {
        for i in (0..4).filter(|i| lanes & 1 << i != 0) {
            self.changed_low[i] = time as u32;
            self.changed_high[i] = (time >> 32) as i16;
        }
    }

    fn fold_missing(&mut self, present: u8) -> bool {
        for i in 0..4 {
            let target = if present & 1 << i != 0 { 0.0 } else { 1.0 };
            let moved = self.missing[i] + (target - self.missing[i]) * (1.0 / 32.0);
            self.missing[i] = if moved >= MISSING_MIN { moved } else { 0.0 };
        }
        self.missing.iter().any(|ratio| *ratio != 0.0)
    }
}

impl Factors {
    fn set_lane(&mut self, i: usize, elapsed: f64) {
        for h in 0..3 {
            let exact = halving(elapsed / HALF_LIVES[h]);
            let k = if exact < DISTANCE_MIN as f64 { 0.0 } else { exact };
            self.kept[h][i] = k as f32;
            self.spread[h][i] = (k * (1.0 - k)) as f32;
        }
    }
}

impl Decays {
    fn over(&mut self, elapsed: f64) {
        if elapsed == self.elapsed {
            return;
        }
        self.elapsed = elapsed;
        for i in 0..4 {
            self.node.set_lane(i, elapsed);
        }
    }
}

fn at_least(least: f32, x: f32) -> f32 {
    if x < least {
        least
    } else {
        x
    }
}

fn distance(mean: f32, held: f32) -> f32 {
    let d = mean - held;
    if d.abs() >= DISTANCE_MIN {
        d
    } else {
        0.0
    }
}

/// Missing where it is out of bounds.
fn bounded(raw: f32, low: f32, high: f32) -> f32 {
    let value = if raw.abs() < 1e-30 { 0.0 } else { raw };
    if raw >= low && raw <= high {
        value
    } else {
        f32::NAN
    }
}

fn bits(lanes: [bool; 4]) -> u8 {
    lanes[0] as u8 | (lanes[1] as u8) << 1 | (lanes[2] as u8) << 2 | (lanes[3] as u8) << 3
}

fn value_of(row: usize, metric: usize, pass: usize) -> f64 {
    let n = ((row * METRICS + metric + pass * 7919) as u32).wrapping_mul(0x9e3779b1);
    n as f64 / 4294967296.0
}

fn main() {
    let nodes: usize = std::env::args().nth(1).expect("the number of nodes").parse().expect("a number");
    let mut table = Table::new(nodes);
    let columns = [0, 1].map(|pass| {
        let mut values = vec![0.0; METRICS * ROWS];
        for m in 0..METRICS {
            for row in 0..ROWS {
                values[m * ROWS + row] = value_of(row, m, pass);
            }
        }
        values
    });
    for (pass, _) in stdin().lock().lines().enumerate() {
        let at = START + pass as f64 * 10_000.0;
        for node in 0..nodes {
            let row = node % ROWS;
            table.fold_row(node, at + row as f64, row, &columns[pass % 2]);
            table.life_sign(node, at + 1000.0, at + 1000.0);
        }
        table.health();
        table.sweep(at + 1000.0);
        let mut sum = 0.0;
        for node in 0..ROWS {
            sum += table.tiles[node / LANES].moments[node % LANES][0].mean[0][0] as f64 + table.health[node] as f64;
        }
        println!("{sum}");
        stdout().flush().expect("stdout");
    }
}

// The native yardstick of the node table: the same tiles, the same arithmetic, one sample of every
// node per line read from stdin, then health and liveness of all. Answers each line with one sum.
use std::io::{stdin, stdout, BufRead, Write};

const METRICS: usize = 16;
const LANES: usize = 16;
const ROWS: usize = 1000;
const HALF_LIVES: [f64; 3] = [60_000.0, 600_000.0, 3_600_000.0];
const START: f64 = 1.7e12;
const USED: u32 = 1;
const SILENT: u32 = 2;
const CHANGED: u32 = 4;
const QUEUED: u32 = 8;
const SEEN: u32 = 16;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Entry {
    raw: f64,
    at: f64,
    changed_at: f64,
    mean: [f32; 3],
    variance: [f32; 3],
    changes: [f32; 3],
    maximum: f32,
}

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Block {
    value: [f32; LANES],
    entries: [Entry; LANES],
}

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Tile {
    last_seen: [f64; LANES],
    last_seen_observed: [f64; LANES],
    first_at: [f64; LANES],
    last_at: [f64; LANES],
    next_grid: [f64; LANES],
    emitted_at: [f64; LANES],
    arrival_mean: [f32; LANES],
    arrival_variance: [f32; LANES],
    other: [[u32; LANES]; 4],
    flags: [u32; LANES],
    spare: [u32; LANES],
    metrics: [Block; METRICS],
    missing: [[f32; METRICS]; LANES],
}

struct Decays {
    elapsed: f64,
    k: [f64; 3],
    q: [f64; 3],
}

struct Table {
    tiles: Vec<Tile>,
    queue: Vec<u32>,
    health: Vec<f32>,
    listed: Vec<u32>,
    decays: Decays,
}

fn f32_of(x: f64) -> f32 {
    if x > 3e38 {
        return 3e38;
    }
    if x < -3e38 {
        return -3e38;
    }
    if x > -1e-30 && x < 1e-30 {
        return 0.0;
    }
    x as f32
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
        let entry = Entry {
            raw: f64::NAN,
            at: f64::NEG_INFINITY,
            changed_at: f64::NAN,
            mean: [f32::NAN; 3],
            variance: [0.0; 3],
            changes: [0.0; 3],
            maximum: f32::NAN,
        };
        let block = Block { value: [f32::NAN; LANES], entries: [entry; LANES] };
        let tile = Tile {
            last_seen: [f64::NAN; LANES],
            last_seen_observed: [f64::NAN; LANES],
            first_at: [f64::NAN; LANES],
            last_at: [f64::NEG_INFINITY; LANES],
            next_grid: [f64::INFINITY; LANES],
            emitted_at: [f64::NEG_INFINITY; LANES],
            arrival_mean: [10_000.0; LANES],
            arrival_variance: [0.0; LANES],
            other: [[0; LANES]; 4],
            flags: [USED; LANES],
            spare: [0; LANES],
            metrics: [block; METRICS],
            missing: [[0.0; METRICS]; LANES],
        };
        Table {
            tiles: vec![tile; nodes.div_ceil(LANES)],
            queue: Vec::with_capacity(nodes),
            health: vec![0.0; nodes.div_ceil(LANES) * LANES],
            listed: Vec::with_capacity(nodes),
            decays: Decays { elapsed: f64::NAN, k: [1.0; 3], q: [0.0; 3] },
        }
    }

    fn fold_row(&mut self, node: usize, at: f64, row: usize, values: &[f64]) {
        let lane = node % LANES;
        let tile = &mut self.tiles[node / LANES];
        let newer = at > tile.last_at[lane];
        for m in 0..METRICS {
            let raw = values[m * ROWS + row];
            let present = raw >= 0.0 && raw <= 1e6;
            if newer && !(present && tile.missing[lane][m] == 0.0) {
                let ratio = tile.missing[lane][m] as f64;
                tile.missing[lane][m] = f32_of(ratio + (if present { 0.0 } else { 1.0 } - ratio) / 32.0);
            }
            let block = &mut tile.metrics[m];
            if present && at > block.entries[lane].at {
                fold_value(&mut block.entries[lane], &mut block.value[lane], &mut self.decays, at, raw);
            }
        }
        if !newer {
            return;
        }
        tile.last_at[lane] = at;
        if tile.first_at[lane].is_nan() {
            tile.first_at[lane] = at;
            tile.next_grid[lane] = (at / 1e12).ceil() * 1e12;
        }
        if tile.flags[lane] & QUEUED == 0 {
            self.queue.push(node as u32);
        }
        tile.flags[lane] |= QUEUED | CHANGED;
    }

    fn life_sign(&mut self, node: usize, appended: f64, observed: f64) {
        let lane = node % LANES;
        let tile = &mut self.tiles[node / LANES];
        let seen = tile.flags[lane] & SEEN != 0;
        tile.flags[lane] |= SEEN;
        if !seen || appended > tile.last_seen[lane] {
            tile.last_seen[lane] = appended;
        }
        let ahead = appended - observed;
        let at = observed + if ahead > 0.0 { ahead.min(2000.0) } else { 0.0 };
        let gap = at - tile.last_seen_observed[lane];
        if seen && !(gap > 0.0) {
            return;
        }
        tile.last_seen_observed[lane] = at;
        if seen {
            let d = gap - tile.arrival_mean[lane] as f64;
            tile.arrival_mean[lane] = f32_of(tile.arrival_mean[lane] as f64 + d / 16.0);
            let spread = tile.arrival_variance[lane] as f64 + d * d / 16.0;
            tile.arrival_variance[lane] = f32_of(15.0 / 16.0 * spread);
        }
    }

    fn health(&mut self) {
        for (t, tile) in self.tiles.iter().enumerate() {
            let mut worst = [[1f32; LANES]; 4];
            for m in 0..METRICS {
                let part = &mut worst[m % 4];
                for lane in 0..LANES {
                    let ratio = (tile.metrics[m].value[lane] - 0.9) / (0.1f32 - 0.9);
                    let least = if ratio < part[lane] { ratio } else { part[lane] };
                    part[lane] = if least < 0.0 { 0.0 } else { least };
                }
            }
            for lane in 0..LANES {
                let score = 0.4 * worst[0][lane] + 0.3 * worst[1][lane] + 0.2 * worst[2][lane] + 0.1 * worst[3][lane];
                let known = tile.flags[lane] & USED != 0 && tile.last_at[lane] != f64::NEG_INFINITY;
                self.health[t * LANES + lane] = if known { score } else { f32::NAN };
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
                let silent = now - tile.last_seen_observed[lane] > 30_000.0;
                if silent == (before & SILENT != 0) {
                    continue;
                }
                tile.flags[lane] = before ^ SILENT;
                self.listed.push((t * LANES + lane) as u32 | if silent { 0x8000_0000 } else { 0 });
            }
        }
    }
}

fn fold_value(entry: &mut Entry, value: &mut f32, decays: &mut Decays, at: f64, raw: f64) {
    let first = entry.at == f64::NEG_INFINITY;
    let changed = raw != entry.raw;
    let elapsed = at - entry.at;
    entry.at = at;
    entry.raw = raw;
    let held = *value as f64;
    let next = f32_of(raw);
    *value = next;
    if !(entry.maximum >= next) {
        entry.maximum = next;
    }
    if first {
        entry.mean = [next; 3];
        return;
    }
    if changed {
        entry.changed_at = at;
    }
    if elapsed != decays.elapsed {
        decays.elapsed = elapsed;
        for h in 0..3 {
            decays.k[h] = halving(elapsed / HALF_LIVES[h]);
            decays.q[h] = decays.k[h] * (1.0 - decays.k[h]);
        }
    }
    let one = if changed { 1.0 } else { 0.0 };
    for h in 0..3 {
        let k = decays.k[h];
        let d = entry.mean[h] as f64 - held;
        entry.mean[h] = f32_of(held + d * k);
        entry.variance[h] = f32_of(k * entry.variance[h] as f64 + decays.q[h] * (d * d));
        entry.changes[h] = f32_of(entry.changes[h] as f64 * k + one);
    }
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
            sum += table.tiles[node / LANES].metrics[0].entries[node % LANES].mean[0] as f64 + table.health[node] as f64;
        }
        println!("{sum}");
        stdout().flush().expect("stdout");
    }
}

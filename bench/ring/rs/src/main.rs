//! The rivals of bench/ring in Rust: the crate `hashring`, and the algorithm of wasm/assembly/ring.ts.
//! Waits on standard input: for each line `crate` or `same` it looks all keys up once and answers with
//! the milliseconds and a checksum of the owners, so that both processes are measured in turns.
use std::io::{stdin, stdout, BufRead, Write};
use std::time::Instant;

const K1: u64 = 0x9e3779b185ebca87;
const K2: u64 = 0xc2b2ae3d27d4eb4f;
const K3: u64 = 0xff51afd7ed558ccd;
const NODES: u32 = 1000;
const VIRTUAL_NODES: u64 = 256;
const BLOCK: usize = 2048;

fn mix(mut h: u64) -> u64 {
    h ^= h >> 32;
    h = h.wrapping_mul(K3);
    h ^= h >> 29;
    h = h.wrapping_mul(K2);
    h ^ (h >> 32)
}

fn step(h: u64, word: u64) -> u64 {
    (h ^ word.wrapping_mul(K1)).rotate_left(29).wrapping_mul(K2)
}

#[inline(always)]
fn word(key: &[u8], at: usize) -> u64 {
    unsafe { (key.as_ptr().add(at) as *const u64).read_unaligned() }
}

#[inline(always)]
fn hash(key: &[u8]) -> u64 {
    let mut h = (key.len() as u64).wrapping_mul(K1);
    if key.len() < 8 {
        let padded = key.iter().fold(0u64, |w, b| (w << 8) | *b as u64);
        return mix(step(h, padded));
    }
    let last = key.len() - 8;
    let mut at = 0;
    while at < last {
        h = step(h, word(key, at));
        at += 8;
    }
    mix(step(h, word(key, last)))
}

struct Ring {
    points: Vec<u64>,
    buckets: Vec<u32>,
    shift: u32,
}

impl Ring {
    fn new() -> Ring {
        let name = |node| format!("node-{node}");
        let seeds: Vec<u64> = (0..NODES).map(|node| hash(name(node).as_bytes())).collect();
        let mut points: Vec<u64> = vec![];
        for node in 0..NODES {
            let seed = seeds[node as usize];
            for j in 0..VIRTUAL_NODES {
                let position = mix(seed.wrapping_add(j.wrapping_mul(K1))) & 0xffffffff00000000;
                points.push(position | node as u64);
            }
        }
        points.sort_by_key(|point| (point >> 32, seeds[*point as u32 as usize]));
        let bits = 1 + (points.len() as f64 + 1.0).log2().ceil() as u32;
        let mut buckets = vec![0; 1 << bits];
        let mut point = 0;
        for (b, first) in buckets.iter_mut().enumerate() {
            let limit = (b as u64) << (64 - bits);
            while point < points.len() && points[point] < limit {
                point += 1;
            }
            *first = point as u32;
        }
        let sentinel = 0xffffffff00000000 | (points[0] & 0xffffffff);
        points.extend([sentinel, sentinel]);
        Ring { points, buckets, shift: 32 - bits }
    }

    /// Three short loops over a block of keys, as in the kernel.
    fn owners(&self, bytes: &[u8], offsets: &[u32], owners: &mut [u32]) {
        let mut positions = [0u32; BLOCK];
        let mut points = [0u32; BLOCK];
        for (block, out) in owners.chunks_mut(BLOCK).enumerate() {
            let offsets = &offsets[block * BLOCK..block * BLOCK + out.len() + 1];
            for i in 0..out.len() {
                let key = unsafe { bytes.get_unchecked(offsets[i] as usize..offsets[i + 1] as usize) };
                positions[i] = (hash(key) >> 32) as u32;
            }
            for i in 0..out.len() {
                let bucket = (positions[i] >> self.shift) as usize;
                points[i] = unsafe { *self.buckets.get_unchecked(bucket) };
            }
            for i in 0..out.len() {
                out[i] = unsafe { self.owner_from(points[i] as usize, positions[i]) };
            }
        }
    }

    #[inline(always)]
    unsafe fn owner_from(&self, first: usize, position: u32) -> u32 {
        let point = |at: usize| *self.points.get_unchecked(at);
        let after = |point: u64| (point >> 32) as u32 >= position;
        let (one, next) = (point(first), point(first + 1));
        if after(next) {
            return if after(one) { one as u32 } else { next as u32 };
        }
        let mut at = first + 2;
        while !after(point(at)) {
            at += 1;
        }
        point(at) as u32
    }
}

fn main() {
    let count: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let texts: Vec<String> = (0..count).map(|i| format!("key:{i:012}")).collect();
    let bytes: Vec<u8> = texts.iter().flat_map(|text| text.bytes()).collect();
    let mut offsets = vec![0u32];
    for text in &texts {
        offsets.push(offsets.last().unwrap() + text.len() as u32);
    }
    let ring = Ring::new();
    let mut rival: hashring::HashRing<(u32, u64)> = hashring::HashRing::new();
    rival.batch_add((0..NODES).flat_map(|n| (0..VIRTUAL_NODES).map(move |j| (n, j))).collect());
    let mut owners = vec![0u32; count];
    for line in stdin().lock().lines() {
        let began = Instant::now();
        if line.unwrap() == "same" {
            ring.owners(&bytes, &offsets, &mut owners);
        } else {
            for (owner, text) in owners.iter_mut().zip(&texts) {
                *owner = rival.get(text).unwrap().0;
            }
        }
        let ms = began.elapsed().as_secs_f64() * 1e3;
        let sum = owners.iter().fold(0u32, |sum, owner| sum.wrapping_mul(31).wrapping_add(*owner));
        println!("{ms} {sum}");
        stdout().flush().unwrap();
    }
}

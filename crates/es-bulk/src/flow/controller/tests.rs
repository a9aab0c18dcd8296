//! Simulated servers: the throughput of the controller beside that of the best fixed limit.

use std::collections::BinaryHeap;

use super::*;

/// A server. Times are in microseconds.
#[derive(Clone, Copy, Debug)]
struct Server {
    /// The number of requests that it works on at once.
    workers: usize,
    /// The work of one request, give or take a quarter.
    service: u64,
    /// The way there and back.
    network: u64,
    /// The number of requests at which it refuses another one.
    room: usize,
    /// The factor by which its work takes longer in the second half.
    slows: u64,
    /// The percentage by which each request that waits makes the work of the others longer.
    crowds: u64,
    /// The time for which it takes longer, at first two and a half times as long.
    warms_up: u64,
    /// The mean time between stalls, by a merge for instance; 0 is never.
    stalls_every: u64,
}

const SERVER: Server = Server {
    workers: 4,
    service: 100_000,
    network: 2_000,
    room: usize::MAX,
    slows: 1,
    crowds: 0,
    warms_up: 0,
    stalls_every: 0,
};
const BODY: u64 = 4 << 20;
/// The wait of a refused batch before it is sent again.
const PAUSE: u64 = 250_000;

impl Server {
    /// The time that a request takes while this many others wait.
    fn work(&self, now: u64, is_late: bool, waiting: usize, random: &mut fastrand::Rng) -> u64 {
        let slow = if is_late { self.slows } else { 1 };
        let cold = 150 * self.warms_up.saturating_sub(now) / self.warms_up.max(1);
        let crowd = self.crowds * waiting as u64;
        let work = self.service * slow * random.u64(75..=125) / 100 * (100 + cold) / 100 * (100 + crowd) / 100;
        let is_held_up = self.stalls_every > 0 && random.u64(0..self.stalls_every) < work;
        if is_held_up { work + random.u64(0..STALL) } else { work }
    }
}

/// The longest stall.
const STALL: u64 = 600_000;

/// The outcome of a simulated load.
#[derive(Debug)]
struct Outcome {
    /// Requests answered.
    answered: u64,
    refused: u64,
    /// The limit after each answer of the second half.
    limits: Vec<usize>,
}

impl Outcome {
    fn mean_limit(&self) -> f64 {
        self.limits.iter().sum::<usize>() as f64 / self.limits.len() as f64
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives {
        sent: u64,
    },
    Done {
        sent: u64,
    },
    Answered {
        sent: u64,
        is_refused: bool,
    },
    /// A batch that was refused may be sent again.
    Waited,
}

/// Runs an endless load for a while. Batches that wait for their retry hold the
/// budget, which has room for `2 * limit` batches of the largest limit.
fn run(server: Server, concurrency: Concurrency, seconds: u64) -> Outcome {
    run_by_chance(server, concurrency, seconds, 7)
}

fn run_by_chance(server: Server, concurrency: Concurrency, seconds: u64, seed: u64) -> Outcome {
    let mut controller = Controller::new(concurrency);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut events: BinaryHeap<std::cmp::Reverse<(u64, u64, Event)>> = BinaryHeap::new();
    let (mut order, mut under_way, mut waiting, mut busy) = (0, 0, 0, 0);
    let mut queue: std::collections::VecDeque<u64> = std::collections::VecDeque::new();
    let mut outcome = Outcome { answered: 0, refused: 0, limits: Vec::new() };
    let end = seconds * 1_000_000;
    let mut now = 0;
    loop {
        while under_way < controller.limit() && under_way + waiting < 32 {
            order += 1;
            under_way += 1;
            events.push(std::cmp::Reverse((now + server.network / 2, order, Event::Arrives { sent: now })));
        }
        let Some(std::cmp::Reverse((at, _, event))) = events.pop() else { break };
        now = at;
        if now > end {
            break;
        }
        let mut work = |waiting| server.work(now, now > end / 2, waiting, &mut random);
        order += 1;
        match event {
            Event::Arrives { sent } if busy + queue.len() >= server.room => {
                let back = now + server.network / 2;
                events.push(std::cmp::Reverse((back, order, Event::Answered { sent, is_refused: true })));
            }
            Event::Arrives { sent } if busy < server.workers => {
                busy += 1;
                events.push(std::cmp::Reverse((now + work(queue.len()), order, Event::Done { sent })));
            }
            Event::Arrives { sent } => queue.push_back(sent),
            Event::Done { sent } => {
                busy -= 1;
                let back = now + server.network / 2;
                events.push(std::cmp::Reverse((back, order, Event::Answered { sent, is_refused: false })));
                if let Some(next) = queue.pop_front() {
                    busy += 1;
                    order += 1;
                    events.push(std::cmp::Reverse((now + work(queue.len()), order, Event::Done { sent: next })));
                }
            }
            Event::Answered { sent, is_refused } => {
                let saturated = under_way >= controller.limit();
                under_way -= 1;
                outcome.answered += u64::from(!is_refused);
                outcome.refused += u64::from(is_refused);
                if is_refused {
                    waiting += 1;
                    events.push(std::cmp::Reverse((now + PAUSE, order, Event::Waited)));
                }
                controller.observe(Observation {
                    now: Duration::from_micros(now),
                    round_trip: Duration::from_micros(now - sent),
                    bytes: if is_refused { 0 } else { BODY },
                    refused: if is_refused { 1.0 } else { 0.0 },
                    saturated,
                });
                if now > end / 2 {
                    outcome.limits.push(controller.limit());
                }
            }
            Event::Waited => waiting -= 1,
        }
    }
    outcome
}

fn best_fixed(server: Server, seconds: u64) -> (usize, u64) {
    let all = (1..=16).map(|limit| (limit, run(server, Concurrency::Fixed(limit), seconds).answered));
    all.max_by_key(|(limit, answered)| (*answered, std::cmp::Reverse(*limit))).unwrap()
}

#[test]
fn the_limit_comes_within_three_percent_of_the_best_fixed_one() {
    let table = [
        ("one worker", Server { workers: 1, ..SERVER }),
        ("two workers", Server { workers: 2, ..SERVER }),
        ("four workers", SERVER),
        ("seven workers", Server { workers: 7, ..SERVER }),
        ("twelve workers", Server { workers: 12, ..SERVER }),
        ("more workers than the limit", Server { workers: 100, ..SERVER }),
        ("far away", Server { workers: 2, service: 20_000, network: 100_000, ..SERVER }),
        ("very far away", Server { workers: 8, service: 10_000, network: 300_000, ..SERVER }),
        ("quick requests", Server { workers: 3, service: 5_000, network: 500, ..SERVER }),
        ("little room", Server { workers: 4, room: 5, ..SERVER }),
        ("room for as many as it works on", Server { workers: 6, room: 6, ..SERVER }),
        ("room for ten", Server { workers: 8, room: 10, ..SERVER }),
        ("slows down", Server { workers: 5, slows: 2, ..SERVER }),
        ("slows down very much", Server { workers: 8, network: 100_000, service: 50_000, slows: 5, ..SERVER }),
        ("slow requests", Server { workers: 4, service: 800_000, ..SERVER }),
    ];
    let mut lines = Vec::new();
    let mut is_enough = true;
    for (name, server) in table {
        let seconds = if server.service > 500_000 { 480 } else { 120 };
        let (limit, best) = best_fixed(server, seconds);
        let found = run(server, Concurrency::default(), seconds);
        let share = found.answered as f64 / best as f64;
        let (low, high) = (found.limits.iter().min().unwrap(), found.limits.iter().max().unwrap());
        let refused = found.refused as f64 / found.answered as f64;
        let changes = found.limits.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let moving = changes as f64 / found.limits.len() as f64;
        lines.push(format!(
            "{name}: {share:.3} of fixed {limit}; {low} to {high}; {moving:.3} changes, {refused:.3} refused an answer"
        ));
        is_enough &= share >= 0.97 && refused < 0.02 && moving < 0.02;
    }
    assert!(is_enough, "{}", lines.join("\n"));
}

#[test]
fn a_server_that_more_requests_slow_down_is_not_sent_more() {
    // As a client on the same processors does, and a server that is short of memory.
    let crowded = Server { workers: 2, crowds: 3, ..SERVER };
    let table = [
        ("crowded", crowded),
        ("crowded, and cold at first", Server { warms_up: 8_000_000, ..crowded }),
        ("crowded, with stalls", Server { stalls_every: 2_000_000, ..crowded }),
        ("crowded, cold, with stalls", Server { warms_up: 8_000_000, stalls_every: 2_000_000, ..crowded }),
    ];
    for (name, server) in table {
        for seconds in [20, 90] {
            // A single run may have bad luck: a stall looks like the limit that was there.
            let runs = |concurrency| (0..8).map(move |seed| run_by_chance(server, concurrency, seconds, seed));
            let answered = |concurrency| runs(concurrency).map(|found| found.answered).sum::<u64>() as f64;
            let best = (1..=8).map(|limit| answered(Concurrency::Fixed(limit))).fold(0.0, f64::max);
            let share = answered(Concurrency::default()) / best;
            let limit = runs(Concurrency::default()).map(|found| found.mean_limit()).sum::<f64>() / 8.0;
            assert!(share >= 0.95 && limit < 4.5, "{name}, {seconds} s: {share:.3} of the best, {limit:.1} at once");
        }
    }
}

#[test]
fn a_load_of_a_few_requests_is_not_spent_on_trying() {
    let crowded = Server { workers: 2, crowds: 3, ..SERVER };
    // A wide server gets few rounds of few requests.
    let table =
        [("crowded", crowded, 0.94), ("four workers", SERVER, 0.9), ("ten", Server { workers: 10, ..SERVER }, 0.7)];
    for (name, server, least) in table {
        // Some forty requests for two workers.
        let found = run(server, Concurrency::default(), 2);
        let share = found.answered as f64 / best_fixed(server, 2).1 as f64;
        assert!(share >= least, "{name}: {share:.3} of the best");
    }
}

/// Answers at regular times, a round of them at a time.
struct Regular {
    controller: Controller,
    now: Duration,
}

impl Regular {
    const ROUND_TRIP: Duration = Duration::from_millis(100);

    fn rounds(&mut self, rounds: usize, refused: f64, saturated: bool) {
        for _ in 0..rounds {
            self.round(Self::ROUND_TRIP, refused, saturated);
        }
    }

    fn round(&mut self, round_trip: Duration, refused: f64, saturated: bool) {
        self.now += round_trip;
        for _ in 0..self.controller.limit() {
            self.controller.observe(Observation {
                now: self.now,
                round_trip,
                bytes: (BODY as f64 * (1.0 - refused)) as u64,
                refused,
                saturated,
            });
        }
    }
}

fn regular(concurrency: Concurrency) -> Regular {
    Regular { controller: Controller::new(concurrency), now: Duration::ZERO }
}

#[test]
fn it_falls_smoothly_while_items_are_refused_and_comes_back() {
    let mut load = regular(Concurrency::default());
    load.rounds(40, 0.0, true);
    assert_eq!(load.controller.limit(), 16);
    let mut limits = vec![16];
    for _ in 0..60 {
        load.rounds(1, 0.6, true);
        limits.push(load.controller.limit());
    }
    assert!(limits.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] <= 3), "{limits:?}");
    assert_eq!(limits[60], 1);
    load.rounds(300, 0.0, true);
    assert_eq!(load.controller.limit(), 16);
}

#[test]
fn few_refused_items_lower_it_little() {
    let mut load = regular(Concurrency::default());
    load.rounds(40, 0.0, true);
    load.rounds(5, 0.01, true);
    assert!(load.controller.limit() >= 15, "{}", load.controller.limit());
}

#[test]
fn it_does_not_rise_while_there_is_too_little_to_send() {
    let mut load = regular(Concurrency::default());
    load.rounds(200, 0.0, false);
    assert_eq!(load.controller.limit(), 2);
    load.rounds(40, 0.0, true);
    assert_eq!(load.controller.limit(), 16);
}

#[test]
fn a_limit_is_no_larger_than_there_is_memory_for() {
    let mut load = regular(Concurrency::default());
    load.controller.set_room(5);
    load.rounds(40, 0.0, true);
    assert_eq!(load.controller.limit(), 5);
    load.controller.set_room(3);
    assert_eq!(load.controller.limit(), 3);
    load.rounds(40, 0.0, true);
    // A single large document does not keep it low for good.
    load.controller.set_room(100);
    assert_eq!(load.controller.limit(), 3);
    load.rounds(400, 0.0, true);
    assert_eq!(load.controller.limit(), 16);
    load.controller.set_room(0);
    assert_eq!(load.controller.limit(), 1);
}

#[test]
fn where_memory_bounds_it_fewer_are_tried() {
    let mut load = regular(Concurrency::default());
    load.controller.set_room(4);
    let mut limits = Vec::new();
    for _ in 0..200 {
        let limit = load.controller.limit();
        // It works on two, and more only wait.
        load.round(Regular::ROUND_TRIP * limit.div_ceil(2) as u32, 0.0, true);
        limits.push(limit);
    }
    assert!(limits[100..].iter().all(|limit| *limit <= 3), "{limits:?}");
}

#[test]
fn a_fixed_limit_stays_and_every_limit_is_at_least_one() {
    let mut load = regular(Concurrency::Fixed(3));
    load.controller.set_room(1);
    load.rounds(50, 1.0, true);
    assert_eq!(load.controller.limit(), 3);
    assert_eq!(Controller::new(Concurrency::Fixed(0)).limit(), 1);
    let mut load = regular(Concurrency::Adaptive { max: 0 });
    load.rounds(50, 1.0, true);
    load.rounds(50, 0.0, true);
    assert_eq!(load.controller.limit(), 1);
    assert_eq!(Controller::new(Concurrency::Adaptive { max: 2 }).limit(), 2);
}

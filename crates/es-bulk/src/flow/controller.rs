//! Decides how many requests may be in flight. Pure: the caller passes the time and the outcome of
//! each request, and there is no clock inside.
//!
//! Nobody knows how many requests a cluster can work on at once, and it changes. So the limit is
//! found by trying: it rises while a raise improves throughput, in acknowledged bytes per second,
//! and goes back where it does not, as more requests then only wait in the server's queue. At
//! first it doubles as soon as requests are seen not to wait. A gain that may be chance, or a
//! server that warms up, is measured from both sides before it counts. Refusals (429) lower the
//! limit by a fifth each round, in proportion to the share that was refused, and the limit is
//! remembered as a ceiling for a while. Where answers take longer per byte than they once did and
//! no more come back, fewer requests are tried now and then.
//!
//! Adding and multiplying is the scheme of congestion control in networks (RFC 5681), and deciding
//! by the delivery rate that of BBR; the units here are requests and not packets.
//!
//! AIMD on a smoothed round-trip time and Netflix' Gradient2 are a fifth as long, and were measured
//! in the simulations of the tests. Both fill the queue of the server until a limit is hit: on a
//! server that waiting requests slow down they reach 0.88 and 0.90 of the best fixed limit, with
//! nine requests in flight instead of four; a short load reaches 0.81 and 0.85; and a server
//! with little room refuses up to 0.74 (AIMD) and 0.07 (Gradient2) requests per answer. This
//! controller stays above 0.95, 0.9 and below 0.02.

use std::time::Duration;

use crate::options::Concurrency;

/// The limit when a load begins.
const FIRST: f64 = 2.0;
/// The length of a measurement in rounds, while the limit rises. In a round each of the requests
/// in flight is answered once.
const ROUNDS_RISING: usize = 1;
/// As [`ROUNDS_RISING`], once the limit has settled: smaller differences take longer to measure.
const ROUNDS_SETTLED: usize = 4;
/// The minimum number of answers in a measurement.
const FEWEST_ANSWERS: usize = 8;
/// A raise that improves throughput by less than this share is not worth its memory.
const WORTH_HAVING: f64 = 0.02;
/// As [`WORTH_HAVING`], for a limit that was doubled.
const WORTH_DOUBLING: f64 = 0.05;
/// The share of the largest possible gain from which on a raise certainly pays.
const SURELY_PAYS: f64 = 0.4;
/// As [`SURELY_PAYS`], where only the first requests at a limit were measured.
const EASILY_PAYS: f64 = 0.6;
/// The share of the throughput that fewer requests may cost.
const WORTH_LOSING: f64 = 0.02;
/// The share by which the limit falls in a round in which everything was refused.
const FALL: f64 = 0.2;
/// Answers that take this many times as long per byte as the quickest ones have waited.
const QUEUEING: f64 = 1.2;
/// The number of measurements between two trials of another limit: at first, and at most.
const PATIENCE: (u32, u32) = (4, 32);
/// The number of measurements for which a refused limit is not tried again: at first, and at most.
const CEILING_HOLDS: (u32, u32) = (8, 64);
/// A throughput that differs by this share means that the situation has changed.
const UPHEAVAL: f64 = 0.3;

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    /// The time of the answer, since any fixed moment.
    pub(crate) now: Duration,
    /// The time that the answer took.
    pub(crate) round_trip: Duration,
    /// Bytes of the documents that were acknowledged.
    pub(crate) bytes: u64,
    /// The share of the documents that the server had no room for, from 0 to 1.
    pub(crate) refused: f64,
    /// There was more to send than the limit allowed.
    pub(crate) saturated: bool,
}

/// The phase of the search.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Raising the limit while that pays; limit and throughput were these before the last raise.
    Rising { before: Option<(f64, f64)> },
    /// Staying at the limit for this many more measurements.
    Staying { measurements: u32 },
    /// Trying another limit; limit and throughput were these before.
    Trying { before: (f64, f64) },
    /// Measuring the limit before again, as the one that was tried seemed better: a server that
    /// gets quicker by itself makes every other limit seem better.
    Confirming { before: (f64, f64), tried: (f64, f64) },
    /// Rising again after refusals.
    Recovering,
}

/// Answers that are measured together.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    number: usize,
    saturated: usize,
    bytes: u64,
    round_trips: Duration,
}

impl Answers {
    fn add(&mut self, seen: &Observation) {
        self.number += 1;
        self.saturated += usize::from(seen.saturated);
        self.bytes += seen.bytes;
        self.round_trips += seen.round_trip;
    }

    /// Tells whether the limit held requests back: otherwise the answers say nothing about it.
    fn are_saturated(&self) -> bool {
        self.saturated * 10 >= self.number * 9
    }

    /// The seconds per byte, of all requests together.
    fn seconds_per_byte(&self) -> f64 {
        self.round_trips.as_secs_f64() / self.bytes.max(1) as f64
    }
}

/// Decides how many requests may be in flight.
#[derive(Debug)]
pub(crate) struct Controller {
    limit: f64,
    /// The most that the options allow.
    most: f64,
    /// The most of these for which there is memory.
    room: f64,
    is_fixed: bool,
    phase: Phase,
    /// The first answers at the limit, as many as it allows at once.
    first: Answers,
    /// The answers of the current measurement.
    current: Answers,
    /// The time of the answer that the measurement began with, which does not count.
    began: Option<Duration>,
    /// Requests sent before this time say nothing about the limit.
    changed: Duration,
    /// The best recent throughput, in bytes per second.
    best: f64,
    /// The throughput at the limit, smoothed.
    usual: f64,
    /// The shortest average time per byte of a measurement, in seconds.
    quickest: f64,
    /// A limit that was refused, and the number of measurements for which it is not tried again.
    ceiling: Option<(f64, u32)>,
    ceiling_holds: u32,
    has_been_refused: bool,
    patience: u32,
    /// The next trial is of fewer requests.
    tries_fewer: bool,
}

impl Controller {
    pub(crate) fn new(concurrency: Concurrency) -> Self {
        let (limit, most, is_fixed) = match concurrency {
            Concurrency::Fixed(number) => (number.max(1) as f64, number.max(1) as f64, true),
            Concurrency::Adaptive { max } => (FIRST.min(max.max(1) as f64), max.max(1) as f64, false),
        };
        Self {
            limit,
            most,
            room: most,
            is_fixed,
            phase: Phase::Rising { before: None },
            first: Answers::default(),
            current: Answers::default(),
            began: None,
            changed: Duration::ZERO,
            best: 0.0,
            usual: 0.0,
            quickest: f64::INFINITY,
            ceiling: None,
            ceiling_holds: CEILING_HOLDS.0,
            has_been_refused: false,
            patience: PATIENCE.0,
            tries_fewer: false,
        }
    }

    /// The number of requests that may be in flight now.
    pub(crate) fn limit(&self) -> usize {
        // A whole number of at least 1.
        self.limit.min(self.room).max(1.0) as usize
    }

    /// Sets the number of requests for which there is memory. More would never be in flight at
    /// once, and a limit that allows them could not be measured.
    pub(crate) fn set_room(&mut self, requests: usize) {
        if !self.is_fixed {
            self.room = (requests.max(1) as f64).min(self.most);
        }
    }

    /// Takes an answer into account.
    pub(crate) fn observe(&mut self, seen: Observation) {
        if self.is_fixed || seen.now.saturating_sub(seen.round_trip) < self.changed {
            return;
        }
        if seen.refused > 0.0 {
            return self.fall(seen.now, seen.refused.min(1.0));
        }
        if self.limit > self.room {
            return self.set(seen.now, self.room);
        }
        if self.first.number < self.limit() {
            self.first.add(&seen);
            if self.first.number == self.limit() && self.rises_easily(seen.now) {
                return;
            }
        }
        let Some(began) = self.began else {
            self.began = Some(seen.now);
            return;
        };
        self.current.add(&seen);
        let rounds =
            if matches!(self.phase, Phase::Rising { .. } | Phase::Recovering) { ROUNDS_RISING } else { ROUNDS_SETTLED };
        // Whole rounds: answers come in bunches of as many as are under way.
        let rounds = rounds.max(FEWEST_ANSWERS.div_ceil(self.limit()));
        let passed = seen.now.saturating_sub(began).as_secs_f64();
        if self.current.number < rounds * self.limit() || passed <= 0.0 {
            return;
        }
        let answers = std::mem::take(&mut self.current);
        self.began = Some(seen.now);
        self.decide(seen.now, answers, answers.bytes as f64 / passed);
    }

    /// Doubles the limit when the first requests have hardly waited for each other. By Little's
    /// law as many bytes come back in a second as are under way for each second that they take.
    fn rises_easily(&mut self, now: Duration) -> bool {
        let Phase::Rising { before } = self.phase else { return false };
        if self.has_been_refused || !self.first.are_saturated() || self.first.round_trips.is_zero() {
            return false;
        }
        let throughput = self.limit / self.first.seconds_per_byte();
        let least = before.map_or(0.0, |before| raised(before, self.limit, EASILY_PAYS));
        match self.higher() {
            Some(higher) if throughput >= least => {
                self.phase = Phase::Rising { before: Some((self.limit, throughput)) };
                self.set(now, higher);
                true
            }
            _ => false,
        }
    }

    /// Lowers the limit after a refusal, once a round.
    fn fall(&mut self, now: Duration, share: f64) {
        let refused = self.limit.floor();
        self.ceiling_holds = match self.phase {
            // One long refusal is one event.
            Phase::Recovering => CEILING_HOLDS.0,
            // A limit that was tried again too soon is left alone for longer.
            _ if self.has_been_refused => (self.ceiling_holds * 2).min(CEILING_HOLDS.1),
            _ => CEILING_HOLDS.0,
        };
        self.has_been_refused = true;
        self.ceiling = Some((refused, self.ceiling_holds));
        let fallen = match self.phase {
            // The limit that was tried was too high; the one before was not.
            Phase::Trying { before } | Phase::Rising { before: Some(before) } if before.0 < self.limit => before.0,
            _ => self.limit * (1.0 - FALL * share),
        };
        self.phase = Phase::Recovering;
        self.set(now, fallen);
    }

    /// Decides by the throughput of a measurement.
    fn decide(&mut self, now: Duration, answers: Answers, throughput: f64) {
        self.ceiling = match self.ceiling {
            Some((_, 0)) => None,
            Some((ceiling, left)) => Some((ceiling, left - 1)),
            None => None,
        };
        if !answers.are_saturated() {
            if let Phase::Trying { before } = self.phase {
                self.stay(now, before.0);
            }
            return;
        }
        let per_byte = answers.seconds_per_byte();
        // The quickest time may never come back, so it is slowly forgotten.
        self.quickest = (self.quickest * 1.003).min(per_byte);
        match self.phase {
            Phase::Rising { before } => self.rise(now, before, throughput),
            Phase::Recovering => self.recover(now, throughput),
            Phase::Trying { before } => self.compare(now, before, throughput),
            Phase::Confirming { before, tried } => self.confirm(now, before, tried, throughput),
            Phase::Staying { measurements } => self.watch(now, measurements, throughput, per_byte),
        }
    }

    fn rise(&mut self, now: Duration, before: Option<(f64, f64)>, throughput: f64) {
        self.update_best(throughput);
        if let Some((limit, had)) = before {
            if throughput < had * (1.0 + WORTH_DOUBLING) {
                self.usual = had;
                return self.stay(now, limit);
            }
            if throughput < raised((limit, had), self.limit, SURELY_PAYS) {
                return self.verify(now, (limit, had), throughput);
            }
        }
        match self.higher() {
            Some(higher) => {
                self.phase = Phase::Rising { before: Some((self.limit, throughput)) };
                self.set(now, higher);
            }
            None => {
                self.usual = throughput;
                self.stay(now, self.limit);
            }
        }
    }

    fn recover(&mut self, now: Duration, throughput: f64) {
        self.update_best(throughput);
        let goal = self.ceiling.map_or(self.limit, |(ceiling, _)| ceiling - 1.0);
        if goal > self.limit {
            let step = ((goal - self.limit) / 2.0).max(1.0);
            return self.set(now, (self.limit + step).min(goal));
        }
        if self.ceiling.is_none() {
            self.phase = Phase::Rising { before: None };
            return;
        }
        self.usual = throughput;
        self.phase = Phase::Staying { measurements: 0 };
    }

    fn compare(&mut self, now: Duration, before: (f64, f64), throughput: f64) {
        let (limit, had) = before;
        self.update_best(throughput);
        if pays((self.limit, throughput), limit, had) {
            self.verify(now, before, throughput);
        } else {
            self.keep(now, limit, had);
        }
    }

    /// Goes back to measure the limit before once more.
    fn verify(&mut self, now: Duration, before: (f64, f64), throughput: f64) {
        self.phase = Phase::Confirming { before, tried: (self.limit, throughput) };
        self.set(now, before.0);
    }

    fn confirm(&mut self, now: Duration, before: (f64, f64), tried: (f64, f64), throughput: f64) {
        let (limit, had) = before;
        self.update_best(throughput);
        let (mean, most) = ((had + throughput) / 2.0, had.max(throughput));
        // More has to be better than either measurement, as it costs memory and waiting.
        if !pays(tried, limit, if tried.0 > limit { most } else { mean }) {
            return self.keep(now, limit, mean);
        }
        (self.patience, self.usual) = (PATIENCE.0, tried.1);
        if tried.0 > limit && tried.1 >= raised((limit, most), tried.0, SURELY_PAYS) {
            self.phase = Phase::Rising { before: None };
            return self.set(now, tried.0);
        }
        self.stay(now, tried.0);
    }

    /// Stays at a limit after another one was tried in vain, and waits longer for the next trial.
    fn keep(&mut self, now: Duration, limit: f64, usual: f64) {
        self.patience = (self.patience * 2).min(PATIENCE.1);
        self.usual = usual;
        self.stay(now, limit);
    }

    fn watch(&mut self, now: Duration, measurements: u32, throughput: f64, per_byte: f64) {
        if (throughput - self.usual).abs() > UPHEAVAL * self.usual {
            (self.usual, self.best, self.patience) = (throughput, throughput, PATIENCE.0);
            self.tries_fewer = false;
        }
        self.usual += 0.3 * (throughput - self.usual);
        self.update_best(throughput);
        let has_ceiling_passed = self.ceiling.is_none();
        let has_lost = self.usual < 0.95 * self.best;
        if measurements > 0 && !has_lost {
            self.phase = Phase::Staying { measurements: measurements - 1 };
            return;
        }
        let queues = per_byte > QUEUEING * self.quickest;
        let fewer = (self.limit - (self.limit / 6.0).round().max(1.0)).max(1.0);
        let try_fewer = self.tries_fewer && queues && fewer < self.limit;
        self.tries_fewer = !self.tries_fewer;
        let tried = if try_fewer {
            Some(fewer)
        } else {
            self.higher()
                .filter(|higher| has_ceiling_passed || Some(*higher) < self.ceiling.map(|(ceiling, _)| ceiling))
        };
        match tried {
            Some(tried) => {
                self.phase = Phase::Trying { before: (self.limit, self.usual) };
                self.set(now, tried);
            }
            None => self.phase = Phase::Staying { measurements: if queues { 0 } else { self.patience } },
        }
    }

    /// The next limit above this one, if there is one. Until the first refusal it is found by
    /// doubling.
    fn higher(&self) -> Option<f64> {
        let is_first = matches!(self.phase, Phase::Rising { .. }) && !self.has_been_refused;
        let step = if is_first { self.limit } else { (self.limit / 4.0).max(1.0) };
        let room = self.ceiling.map_or(self.room, |(ceiling, _)| (ceiling - 1.0).min(self.room));
        let higher = (self.limit + step).floor().min(room);
        (higher >= self.limit + 0.5).then_some(higher)
    }

    fn update_best(&mut self, throughput: f64) {
        // The best of long ago is worth less than what is measured now.
        let weight = if throughput > self.best { 0.4 } else { 0.1 };
        self.best += weight * (throughput - self.best);
    }

    fn stay(&mut self, now: Duration, limit: f64) {
        self.phase = Phase::Staying { measurements: self.patience };
        if limit == self.limit {
            return;
        }
        self.set(now, limit);
    }

    fn set(&mut self, now: Duration, limit: f64) {
        self.limit = limit.clamp(1.0, self.room);
        self.changed = now;
        (self.first, self.current, self.began) = (Answers::default(), Answers::default(), None);
    }
}

/// The throughput after a raise that gains this share of what it could, in proportion to the limit.
fn raised((limit, had): (f64, f64), to: f64, share: f64) -> f64 {
    had * (1.0 + share * (to / limit - 1.0))
}

/// Tells whether a limit with a throughput is better than another one.
fn pays(tried: (f64, f64), limit: f64, had: f64) -> bool {
    let (tried, throughput) = tried;
    throughput >= had * if tried > limit { 1.0 + WORTH_HAVING } else { 1.0 - WORTH_LOSING }
}

#[cfg(test)]
mod tests;

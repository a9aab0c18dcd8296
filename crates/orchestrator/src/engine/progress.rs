//! The progress of one step: counted where the work is done, and sent on at most ten times a second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bus::Bus;
use super::event::{RunEvent, StepName};

const EVERY: Duration = Duration::from_millis(100);

/// The progress of one step.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bus: Bus,
    step: StepName,
    counts: Mutex<Counts>,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    done: u64,
    total: Option<u64>,
    bytes: Option<u64>,
    resumed: u64,
    phase: Option<&'static str>,
    sent: Option<Instant>,
}

impl Progress {
    /// The progress of a step, of which this many rows are expected.
    pub fn new(bus: Bus, step: StepName, total: Option<u64>) -> Self {
        let counts = Counts { done: 0, total, bytes: None, resumed: 0, phase: None, sent: None };
        Self(Arc::new(Inner { bus, step, counts: Mutex::new(counts) }))
    }

    /// Sets the number of rows in all.
    pub fn set_total(&self, total: u64) {
        self.counts().total = Some(total);
    }

    /// Counts rows that an earlier process had done.
    pub fn resume_after(&self, rows: u64) {
        if rows > 0 {
            let mut counts = self.counts();
            (counts.done, counts.resumed) = (counts.done + rows, rows);
            self.send(&mut counts);
        }
    }

    /// Sets the number of bytes written so far.
    pub fn set_bytes(&self, bytes: u64) {
        self.counts().bytes = Some(bytes);
    }

    /// Counts from zero again, as the rows are read once more for this phase.
    pub fn restart(&self, phase: &'static str) {
        let mut counts = self.counts();
        (counts.done, counts.resumed, counts.phase) = (0, 0, Some(phase));
        self.send(&mut counts);
    }

    /// Counts rows.
    pub fn advance(&self, rows: u64) {
        let mut counts = self.counts();
        counts.done += rows;
        if counts.sent.is_none_or(|sent| sent.elapsed() >= EVERY) {
            self.send(&mut counts);
        }
    }

    /// Sends a line for a person.
    pub fn note(&self, note: impl Into<String>) {
        self.0.bus.send(RunEvent::StepNote { step: self.0.step.clone(), note: note.into() });
    }

    fn send(&self, counts: &mut Counts) {
        counts.sent = Some(Instant::now());
        let Counts { done, total, bytes, resumed, phase, .. } = *counts;
        self.0.bus.send(RunEvent::StepProgress { step: self.0.step.clone(), done, total, bytes, resumed, phase });
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

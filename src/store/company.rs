//! Who shares a transaction.

use tokio::sync::mpsc;

use super::ground::Ground;
use super::operation::{Operation, Pending, operations};
use super::release::Release;

/// Operations that may join a plan's transaction while it is written: as many as there are attempts of what
/// one part of the due ticks has, of whichever kind they are.
const COMPANY: usize = 256;

/// Turns of the runtime without a newcomer after which [`gather`] expects none: whoever was told something
/// may tell others before one of them has something to write. After a single one, 15 of 400 seeds of the
/// simulation did not repeat themselves; after as many as this, one or two of 1,000.
const QUIET: u32 = 32;

/// Lets in everybody who is about to come, until nobody has for [`QUIET`] turns. A scripted disk takes its
/// own time for each transaction: which operations share one must not depend on how fast SQLite's thread
/// is, or a seed would not repeat itself.
///
/// Rejected for a real disk: while the writer waits for company, SQLite's thread rests, which made a burst
/// a tenth slower.
pub(super) async fn gather(
    queue: &mut mpsc::Receiver<Pending>,
    batch: &mut Vec<Pending>,
    most: usize,
) {
    let mut quiet = 0;
    while quiet < QUIET && batch.len() < most {
        tokio::task::yield_now().await;
        quiet += 1;
        while batch.len() < most
            && let Ok(pending) = queue.try_recv()
        {
            batch.push(pending);
            quiet = 0;
        }
    }
}

/// Those who join a transaction while it is written. They are let in for the attempts of the runs that it
/// plans, which are being prepared meanwhile and would else wait for one of their own; who is in the queue
/// before them comes along.
///
/// Only that of a plan is joined, which takes about as long to be written as they take to come; any other
/// would only keep those waiting who are in it. None on a scripted disk, for the reason of [`gather`].
pub(super) struct Company<'q> {
    queue: &'q mut mpsc::Receiver<Pending>,
    joined: Vec<Pending>,
    /// Of those who have joined, how many are written.
    written: usize,
}

impl<'q> Company<'q> {
    pub(super) fn of(
        ground: &Ground,
        batch: &[Pending],
        queue: &'q mut mpsc::Receiver<Pending>,
    ) -> Option<Self> {
        let plans = |pending: &Pending| matches!(pending.operation, Operation::Plan(_));
        (!ground.disk.is_scripted() && batch.iter().any(plans)).then_some(Self {
            queue,
            joined: Vec::new(),
            written: 0,
        })
    }

    /// Whether somebody comes before `release` does, until which the transaction is kept open.
    pub(super) async fn comes_before(&mut self, release: &Release) -> bool {
        let room = self.queue.max_capacity().saturating_sub(self.joined.len());
        tokio::select! {
            biased;
            _ = release.has_come() => false,
            came = self.queue.recv_many(&mut self.joined, room), if room > 0 => came > 0,
        }
    }

    /// Lets in who has come by now.
    pub(super) fn let_in(&mut self) -> Vec<&Operation> {
        while self.joined.len() < self.written + COMPANY
            && let Ok(pending) = self.queue.try_recv()
        {
            self.joined.push(pending);
        }
        let known = std::mem::replace(&mut self.written, self.joined.len());
        operations(&self.joined[known..])
    }
    /// All who have.
    pub(super) fn into_joined(self) -> Vec<Pending> {
        self.joined
    }
}

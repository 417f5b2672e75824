//! A disk that fails, is slow, and loses its process at the worst moment.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use funcron::clock::Clock;
use funcron::store::{Disk, Moment, StoreError, StoreErrorKind};
use tokio::sync::watch;

use super::chance::Chance;

/// Whether it is one of the failures that are brought about here.
pub(crate) fn is_the_disks(error: &StoreError) -> bool {
    use StoreErrorKind::{Busy, Full, Io};
    matches!(error.kind(), Busy | Full | Io)
}

/// The hand that holds the disk.
#[derive(Clone)]
pub(crate) struct Mischief {
    clock: Clock,
    state: Arc<Mutex<State>>,
    /// The monotonic instant until which the writer stands still.
    stalled: watch::Sender<Duration>,
    crashed: watch::Sender<bool>,
}

struct State {
    chance: Chance,
    failing: Option<StoreErrorKind>,
    /// Commits take up to so many milliseconds.
    slow: Option<u64>,
    /// The process dies at the n-th such moment.
    fuse: Option<(Moment, u64)>,
    failures: u64,
    stalls: u64,
}

impl Mischief {
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        let state = State {
            chance: Chance::of(seed, "disk"),
            failing: None,
            slow: None,
            fuse: None,
            failures: 0,
            stalls: 0,
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
            stalled: watch::Sender::new(Duration::ZERO),
            crashed: watch::Sender::new(false),
        }
    }

    pub(crate) fn disk(&self) -> Disk {
        let own = self.clone();
        Disk::scripted(move |moment| {
            let own = own.clone();
            Box::pin(async move { own.at(moment).await })
        })
    }

    async fn at(&self, moment: Moment) -> Result<(), StoreErrorKind> {
        let (mut stall, mut failing, mut dies) = (None, None, false);
        {
            let mut state = self.state.lock().unwrap();
            if let Some((fatal, left)) = &mut state.fuse
                && *fatal == moment
            {
                *left -= 1;
                dies = *left == 0;
            }
            if dies {
                state.fuse = None;
            } else if moment == Moment::BeforeCommit {
                failing = state.failing.clone();
                state.failures += u64::from(failing.is_some());
            }
            if let Some(longest) = state.slow {
                stall = Some(Duration::from_millis(state.chance.scale(10, longest)));
                state.stalls += 1;
            }
        }
        if dies {
            self.crash();
            return std::future::pending().await;
        }
        if let Some(stall) = stall {
            self.stalled.send_replace(self.clock.monotonic() + stall);
            self.clock.sleep(stall).await;
        }
        failing.map_or(Ok(()), Err)
    }

    // ---- What the world does to it ----

    pub(crate) fn fail(&self, kind: StoreErrorKind) {
        self.state.lock().unwrap().failing = Some(kind);
    }

    pub(crate) fn slow_down(&self, longest: u64) {
        self.state.lock().unwrap().slow = Some(longest);
    }

    pub(crate) fn light_fuse(&self, moment: Moment, commits: u64) {
        self.state.lock().unwrap().fuse = Some((moment, commits));
    }

    pub(crate) fn heal(&self) {
        let mut state = self.state.lock().unwrap();
        (state.failing, state.slow, state.fuse) = (None, None, None);
    }

    /// The process is to die where it stands.
    pub(crate) fn crash(&self) {
        self.crashed.send_replace(true);
    }

    // ---- What the world waits for ----

    pub(crate) async fn until_crashed(&self) {
        let mut crashed = self.crashed.subscribe();
        let _ = crashed.wait_for(|crashed| *crashed).await;
    }

    /// Until the writer stands still and time must pass.
    pub(crate) async fn until_stalled(&self) {
        let mut stalled = self.stalled.subscribe();
        let _ = stalled
            .wait_for(|until| *until > self.clock.monotonic())
            .await;
    }

    pub(crate) fn is_stalled(&self) -> bool {
        *self.stalled.borrow() > self.clock.monotonic()
    }

    pub(crate) fn has_crashed(&self) -> bool {
        *self.crashed.borrow()
    }

    /// Another process.
    pub(crate) fn revive(&self) {
        self.stalled.send_replace(Duration::ZERO);
        self.crashed.send_replace(false);
    }

    /// Failed transactions, and slow moments.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let state = self.state.lock().unwrap();
        (state.failures, state.stalls)
    }
}

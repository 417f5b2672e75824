//! Signals, as levels: one that comes before anybody listens for what it means is not lost.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::reload::Wanted;
use crate::clock::Clock;
use crate::engine::Poke;

/// A wish to stop that comes so soon after the first is the same wish: timeout(1), for one, sends its
/// signal to the process, and once more to the group that the process is in.
const ECHO: Duration = Duration::from_millis(300);

/// How much a daemon is to stop: after calls under way have ended, or, once it was asked again, now.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// No new calls.
    pub(super) begun: CancellationToken,
    /// No waiting for those under way either.
    pub(super) at_once: CancellationToken,
    /// When it was first asked for, by the monotonic clock.
    first: Arc<OnceLock<Duration>>,
}

impl Stop {
    /// Asks for a stop; the second time, for one at once.
    pub fn ask(&self, clock: &Clock) {
        let now = clock.monotonic();
        let first = *self.first.get_or_init(|| now);
        self.begun.cancel();
        if now.saturating_sub(first) >= ECHO {
            self.at_once.cancel();
        }
    }
}

/// The signals that a daemon obeys.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Passes them on, for ever.
    pub(super) async fn forward(
        &mut self,
        stop: &Stop,
        wanted: &Wanted,
        poke: &Poke,
        clock: &Clock,
    ) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => stop.ask(clock),
                _ = self.interrupt.recv() => stop.ask(clock),
                _ = self.hangup.recv() => {
                    wanted.by_signal();
                    poke.poke();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_second_wish_stops_at_once_and_an_echo_of_the_first_does_not() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let stop = Stop::default();
        assert!(!stop.begun.is_cancelled());
        stop.ask(&clock);
        stop.ask(&clock);
        assert!(stop.begun.is_cancelled() && !stop.at_once.is_cancelled());
        clock.advance(ECHO);
        stop.ask(&clock);
        assert!(stop.at_once.is_cancelled());
    }
}

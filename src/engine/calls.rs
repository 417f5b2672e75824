//! The calls under way: spawned by `admit`, awaited by `stop`.
//!
//! A permit is held here, by the run, so that it comes back once and only once, whatever becomes of
//! the task. It comes back when the call is over, which is before its end is recorded: the remote has
//! nothing of it under way any more, and a commit must not hold up other people's calls. What is being
//! recorded stays bounded all the same, since a new attempt needs a commit of its own, in which all
//! that has queued up before takes part.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cut::Cut;
use super::permits::{Permit, Returned};
use super::run::Run;
use crate::domain::run::{Reason, RunId};
use crate::store::StoreError;

#[derive(Debug)]
pub(super) struct Calls {
    pub(super) tasks: TaskTracker,
    /// Set when a stop begins: what is not sent by then is not sent any more.
    pub(super) stopping: CancellationToken,
    /// Set when a stop waits no longer.
    pub(super) abort: CancellationToken,
    under_way: HashMap<RunId, UnderWay>,
    pub(super) sender: mpsc::UnboundedSender<Told>,
    // Bounded: there are at most two messages for each call under way.
    pub(super) told: mpsc::UnboundedReceiver<Told>,
}

#[derive(Debug)]
struct UnderWay {
    /// Cuts this call alone off.
    cut: Cut,
    /// Until it has been given back.
    permit: Option<Arc<Permit>>,
}

/// What an attempt's task tells.
#[derive(Debug)]
pub(super) enum Told {
    /// The call is over; its end is being recorded.
    Over(Over),
    /// The task has ended.
    Ended(Ended),
}

/// A call that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) run: RunId,
    pub(super) returned: Returned,
    /// The server called the key invalid.
    pub(super) holds_key: bool,
    /// There was a reply: it frees a held key, unless it holds it.
    pub(super) replied: bool,
}

impl Over {
    /// A call of which nobody knows how it went.
    pub(super) fn unknown(run: RunId, now: Duration) -> Self {
        Self {
            run,
            returned: Returned::Sent(now),
            holds_key: false,
            replied: false,
        }
    }
}

/// How an attempt's task ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The ledger failed before the attempt was recorded, so nothing was sent.
    NotOpened { run: RunId, error: StoreError },
    /// The run's row no longer waits for this attempt; nothing was sent.
    NotWaiting { run: RunId },
    /// It was to be cut off before it was opened; nothing was sent.
    Withdrawn { run: RunId },
    /// The attempt's end is durable, and this is its run now.
    Closed(Box<Run>),
    /// The stop did not leave the time to record the end: the next start closes the attempt.
    Abandoned { run: RunId },
}

impl Ended {
    /// Whose attempt it was.
    pub(super) fn run(&self) -> RunId {
        match self {
            Self::NotOpened { run, .. }
            | Self::NotWaiting { run }
            | Self::Withdrawn { run }
            | Self::Abandoned { run } => *run,
            Self::Closed(run) => run.id,
        }
    }
}

impl Calls {
    pub(super) fn new() -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        Self {
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            abort: CancellationToken::new(),
            under_way: HashMap::new(),
            sender,
            told,
        }
    }

    /// Calls under way, and those whose end is being recorded.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Notes a call whose task is about to be spawned.
    pub(super) fn begin(&mut self, run: RunId, cut: Cut, permit: Arc<Permit>) {
        let permit = Some(permit);
        self.under_way.insert(run, UnderWay { cut, permit });
    }

    /// Has the run's call end now, if it is under way: its attempt will say why.
    pub(super) fn cut(&self, run: RunId, reason: Reason) {
        if let Some(call) = self.under_way.get(&run) {
            call.cut.cut(reason);
        }
    }

    /// Takes the permit back that a call holds, if it still does.
    pub(super) fn take_permit(&mut self, run: RunId) -> Option<Arc<Permit>> {
        self.under_way.get_mut(&run)?.permit.take()
    }

    /// Lets go of a call whose task has ended; answers with the permit, if it still held one.
    pub(super) fn end(&mut self, run: RunId) -> Option<Arc<Permit>> {
        self.under_way.remove(&run)?.permit
    }
}

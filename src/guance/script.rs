//! Calls that do not leave: what a simulation's remote answers, and when.
//!
//! Only the wire is left out. A scripted reply is held against the call's timeout, read, judged and
//! redacted by the code that does it for every reply.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::client::Call;
use super::exchange::{End, Received};
use super::judge::{Timing, record};
use crate::clock::Clock;
use crate::domain::attempt::CallRecord;

/// What comes of a call, counted from its start.
#[derive(Clone, Debug)]
pub struct ScriptedReply {
    /// When the request's last byte was handed to the connection; `None`: never.
    pub written_after: Option<Duration>,
    /// When it ends, unless the call's timeout is sooner; then there is no reply.
    pub ends_after: Duration,
    /// How.
    pub end: ScriptedEnd,
}

/// How a scripted call ends.
#[derive(Clone, Debug)]
pub enum ScriptedEnd {
    /// With a whole reply.
    Reply {
        /// The HTTP status.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<Duration>,
        /// The body as it was decompressed.
        body: Vec<u8>,
    },
    /// With a redirect to this place.
    Redirect {
        /// The HTTP status, a 3xx.
        status: u16,
        /// `Location`.
        to: String,
    },
    /// Without a reply, for this reason.
    Lost(String),
}

type Answer = dyn Fn(&Call) -> ScriptedReply + Send + Sync;

#[derive(Clone)]
pub(super) struct Script {
    clock: Clock,
    answer: Arc<Answer>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl Script {
    pub(super) fn new(clock: Clock, answer: Arc<Answer>) -> Self {
        Self { clock, answer }
    }

    pub(super) async fn call(&self, call: Call) -> CallRecord {
        let reply = (self.answer)(&call);
        let took = reply.ends_after.min(call.timeout);
        self.clock.sleep(took).await;
        let written_after = reply.written_after.filter(|written| *written <= took);
        let mut received = Received::default();
        let end = if took < reply.ends_after {
            End::Lost(format!("no reply within {:?}", call.timeout))
        } else {
            arrive(reply.end, &mut received)
        };
        // Only the distances between these matter.
        let started = Instant::now();
        let timing = Timing {
            started,
            written: written_after.map(|after| started + after),
            ended: started + took,
        };
        record(&call, received, end, written_after.is_some(), &timing)
    }
}

fn arrive(end: ScriptedEnd, received: &mut Received) -> End {
    match end {
        ScriptedEnd::Reply {
            status,
            retry_after,
            body,
        } => {
            received.status = Some(status);
            received.retry_after = retry_after;
            received.body = body;
            End::Whole
        }
        ScriptedEnd::Redirect { status, to } => {
            received.status = Some(status);
            received.redirect_to = Some(to);
            End::Redirect
        }
        ScriptedEnd::Lost(why) => End::Lost(why),
    }
}

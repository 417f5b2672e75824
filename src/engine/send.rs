//! The call of an attempt that is durable: its place among the workspace's calls, its reply, and what
//! cuts it short.
//!
//! What ends an attempt before its call has a place ends it unsent, which is known and said: it is a
//! `network_error`, and not in doubt.

use std::time::Duration;

use jiff::Timestamp;

use super::execute::Context;
use super::gate::Place;
use super::permits::Permit;
use crate::clock::{Clock, Uptime};
use crate::domain::attempt::CallRecord;
use crate::domain::job::Job;
use crate::domain::outcome::Outcome;
use crate::domain::run::Reason;
use crate::guance::{Call, Request};

/// When the request was given to the client, on both clocks. Not the attempt's opening: until its row
/// is durable a slow disk may take seconds, and a quota slot counted from before would end too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instants {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Duration,
    pub(super) uptime: Option<Uptime>,
}

impl Instants {
    pub(super) fn now(clock: &Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
            uptime: clock.uptime(),
        }
    }
}

/// What became of a call.
#[derive(Debug)]
pub(super) struct Made {
    /// Since when it was the client's.
    pub(super) sent: Instants,
    pub(super) record: CallRecord,
    /// It was taken back before it was sent, through no doing of its own: its run waits on for this reason,
    /// whatever its policy for retries says.
    pub(super) taken_back: Option<Reason>,
}

/// Why a call has no place any more.
#[derive(Clone, Copy, Debug)]
enum Unsent {
    Cut(Reason),
    Stopping,
    KeyHeld,
    Late,
}

impl Unsent {
    const fn words(self) -> &'static str {
        match self {
            Self::Cut(Reason::Operator) => "somebody cancelled the run before its call was sent",
            Self::Cut(Reason::Replaced) => "a newer run took its place before its call was sent",
            Self::Cut(_) => "the call was cut off before it was sent",
            Self::Stopping => "the daemon was stopped before the call was sent",
            Self::KeyHeld => "the server called the API key invalid before the call was sent",
            Self::Late => "the deadline passed before the call was sent",
        }
    }

    const fn waits_on(self) -> Option<Reason> {
        match self {
            Self::Stopping => Some(Reason::Retry),
            Self::KeyHeld => Some(Reason::KeyHeld),
            Self::Cut(_) | Self::Late => None,
        }
    }
}

/// Makes the call when there is a place for it, and by `deadline`.
pub(super) async fn send(
    context: &Context,
    job: &Job,
    permit: &Permit,
    request: Request,
    deadline: Timestamp,
) -> Made {
    let place = pass(context, permit, deadline).await;
    let sent = Instants::now(&context.clock);
    let (record, taken_back) = match place {
        Ok(_place) => {
            let left = remaining(deadline, sent.wall);
            let record = call(context, job, permit, request, left).await;
            if record.holds_key {
                // Before the place is free: whoever comes next has the same key.
                permit.refuse_key();
            }
            (record, None)
        }
        Err(unsent) => (
            CallRecord::without_reply(Outcome::NetworkError, None, unsent.words()),
            unsent.waits_on(),
        ),
    };
    Made {
        sent,
        record,
        taken_back,
    }
}

/// Waits for a place; or says why there is none any more, and nothing was sent.
async fn pass(context: &Context, permit: &Permit, deadline: Timestamp) -> Result<Place, Unsent> {
    let left = remaining(deadline, context.clock.now());
    let place = tokio::select! {
        biased;
        reason = context.cut.asked() => return Err(Unsent::Cut(reason)),
        () = context.stopping.cancelled() => return Err(Unsent::Stopping),
        place = permit.gate.enter() => place,
        () = context.clock.sleep(left) => return Err(Unsent::Late),
    };
    match permit.is_key_held() {
        true => Err(Unsent::KeyHeld),
        false => Ok(place),
    }
}

fn remaining(deadline: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(deadline.duration_since(now)).unwrap_or(Duration::ZERO)
}

async fn call(
    context: &Context,
    job: &Job,
    permit: &Permit,
    request: Request,
    left: Duration,
) -> CallRecord {
    let call = Call {
        workspace: permit.workspace.name.clone(),
        request,
        timeout: job.timeout.min(left),
        expect: job.expect.clone(),
    };
    tokio::select! {
        // A reply that is there is the truth, whatever else has come at the same moment; and what a
        // person wanted of this run says more than that the daemon stops.
        biased;
        record = context.client.call(call) => record,
        reason = context.cut.asked() => {
            let decided_by = match reason {
                Reason::Operator => "somebody cancelled the run with the call under way",
                Reason::Replaced => "a newer run took its place with the call under way",
                _ => "the call was cut off under way",
            };
            CallRecord::without_reply(Outcome::Unknown, Some(reason), decided_by)
        }
        () = context.abort.cancelled() => CallRecord::without_reply(
            Outcome::Unknown,
            Some(Reason::Shutdown),
            "the daemon was stopped with the call under way",
        ),
    }
}

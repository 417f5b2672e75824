//! The call of an attempt that is durable: its place among the workspace's calls, its reply, and what
//! cuts it short.
//!
//! What ends an attempt before its call has a place ends it unsent, which is known and said: it is a
//! `network_error`, never in doubt.

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

/// Makes the call when there is a place for it, and by `deadline`; says since when, and what it came to.
pub(super) async fn send(
    context: &Context,
    job: &Job,
    permit: &Permit,
    request: Request,
    deadline: Timestamp,
) -> (Instants, CallRecord) {
    let place = pass(context, permit, deadline).await;
    let sent = Instants::now(&context.clock);
    let record = match place {
        Ok(_place) => {
            let left = remaining(deadline, sent.wall);
            call(context, job, permit, request, left).await
        }
        Err(why) => CallRecord::without_reply(Outcome::NetworkError, None, why),
    };
    (sent, record)
}

/// Waits for a place; or says why there is none any more, and nothing was sent.
async fn pass(
    context: &Context,
    permit: &Permit,
    deadline: Timestamp,
) -> Result<Place, &'static str> {
    let left = remaining(deadline, context.clock.now());
    tokio::select! {
        biased;
        reason = context.cut.asked() => Err(match reason {
            Reason::Operator => "somebody cancelled the run before its call was sent",
            Reason::Replaced => "a newer run took its place before its call was sent",
            _ => "the call was cut off before it was sent",
        }),
        () = context.abort.cancelled() => Err("the daemon was stopped before the call was sent"),
        place = permit.gate.enter() => Ok(place),
        () = context.clock.sleep(left) => {
            Err("the deadline passed before a call of the workspace came to its end; nothing was sent")
        }
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

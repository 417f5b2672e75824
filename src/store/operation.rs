//! What the writer is asked to do, and what it answers.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::claim::{OpenAttempt, Opened};
use super::error::StoreError;
use super::finish::{CloseAttempt, Closed, Settle};
use super::orders::{Order, Ordered};
use super::plan::Plan;
use super::prune::Prune;
use super::release::Release;
use super::rewind::{Rewind, Rewound};
use super::size::{Shrink, Size};
use super::versions::Event;
use crate::domain::run::RunId;

/// An operation and where its answer goes.
pub(super) struct Pending {
    pub(super) operation: Operation,
    pub(super) answer: oneshot::Sender<Result<Answer, StoreError>>,
}

pub(super) enum Operation {
    Plan(Box<Plan>),
    Settle(Vec<Settle>),
    Record(Box<Event>),
    Probe,
    Order(Box<Order>),
    Rewind(Box<Rewind>),
    Prune(Box<Prune>),
    Shrink(Shrink),
    Open(Box<OpenAttempt>),
    Close(Arc<CloseAttempt>),
}

#[derive(Debug)]
pub(super) enum Answer {
    /// Runs whose tick had a row already.
    Planned(Vec<RunId>),
    Opened(Opened),
    Closed(Closed),
    /// Runs that did not wait.
    Settled(Vec<RunId>),
    Ordered(Ordered),
    Rewound(Rewound),
    /// The pass, a batch further.
    Pruned(Box<Prune>),
    Size(Size),
    Done,
}

impl Operation {
    /// What it waits for before it is committed.
    pub(super) const fn release(&self) -> Option<&Release> {
        match self {
            Self::Plan(plan) => plan.release.as_ref(),
            _ => None,
        }
    }

    /// What is being done, for an error's text.
    pub(super) const fn doing(&self) -> &'static str {
        match self {
            Self::Plan(_) => "recording planned runs",
            Self::Settle(_) => "recording decisions on waiting runs",
            Self::Record(_) => "recording an event",
            Self::Probe => "trying whether the ledger can be written",
            Self::Order(_) => "recording an order",
            Self::Rewind(_) => "taking the planning back to a clock that was set back",
            Self::Prune(_) => "deleting what is old",
            Self::Shrink(_) => "giving free pages back to the file system",
            Self::Open(_) => "recording an attempt before its call",
            Self::Close(_) => "recording an attempt's end",
        }
    }
}

/// What they are to do, in their order.
pub(super) fn operations(batch: &[Pending]) -> Vec<&Operation> {
    batch.iter().map(|pending| &pending.operation).collect()
}

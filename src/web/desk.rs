//! Where requests wait for whoever drives the engine.

use tokio::sync::{mpsc, oneshot};

use crate::engine::{Command, CommandError, Poke, Reply};

/// Requests that may wait before further ones do.
const QUEUE: usize = 256;

/// What is asked of a daemon.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Something of its engine.
    Engine(Command),
    /// To take over its configuration as it is now.
    Reload,
}

/// What a daemon answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The engine's reply.
    Engine(Reply),
    /// To `Reload`.
    Reloaded(Reloaded),
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Jobs that are loaded now.
    pub jobs: usize,
    /// Each changed job with the kind of its change.
    pub changes: Vec<(String, &'static str)>,
    /// Keys that have changed to no effect before the next start.
    pub at_next_start: Vec<&'static str>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    /// What.
    pub ask: Ask,
    /// By whom.
    pub actor: String,
    /// Where the answer goes; nobody may be there any more.
    pub answer: oneshot::Sender<Result<Answer, CommandError>>,
}

/// Takes requests in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    queue: mpsc::Sender<Asked>,
    poke: Poke,
}

/// A desk, and what it takes in.
pub fn desk(poke: Poke) -> (Desk, mpsc::Receiver<Asked>) {
    let (queue, asked) = mpsc::channel(QUEUE);
    (Desk { queue, poke }, asked)
}

impl Desk {
    /// Hands a request in and waits for its answer; `None` where the daemon is stopping.
    pub async fn ask(&self, ask: Ask, actor: String) -> Option<Result<Answer, CommandError>> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { ask, actor, answer };
        self.queue.send(asked).await.ok()?;
        self.poke.poke();
        answered.await.ok()
    }
}

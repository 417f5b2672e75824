//! A thread that does one thing after another.
//!
//! For work that takes megabytes for a moment: an allocator keeps freed blocks for the thread that made
//! them, and in a pool of threads that adds up to many times what was ever in use.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::{io, thread};

use tokio::sync::oneshot;

type Task = Box<dyn FnOnce() + Send>;

/// The thread's door. The thread ends with it.
#[derive(Debug)]
pub(super) struct OneThread(mpsc::Sender<Task>);

impl OneThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let (door, tasks) = mpsc::channel::<Task>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || tasks.into_iter().for_each(|task| task()))?;
        Ok(Self(door))
    }

    /// Does `task` there. A panic of it is the caller's.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
        let task = move || {
            // Nothing of the task is looked at after a panic, but the panic itself.
            let result = catch_unwind(AssertUnwindSafe(task));
            // Whoever asked may have gone by now.
            let _ = answer.send(result);
        };
        // The thread lives as long as its door, and answers everything: neither can fail.
        let _ = self.0.send(Box::new(task));
        match answered.await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_is_done_on_one_thread_and_a_panic_ends_only_its_own_task() {
        let one = OneThread::start("one").unwrap();
        let name = || thread::current().name().map(str::to_owned);
        assert_eq!(one.run(name).await.as_deref(), Some("one"));
        let id = || thread::current().id();
        let first = one.run(id).await;
        let one = std::sync::Arc::new(one);
        let panicking = tokio::spawn({
            let one = std::sync::Arc::clone(&one);
            async move { one.run(|| panic!("of this task alone")).await }
        });
        assert!(panicking.await.unwrap_err().is_panic());
        assert_eq!(one.run(id).await, first);
        assert_ne!(thread::current().id(), first);
    }
}

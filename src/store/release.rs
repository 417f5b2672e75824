//! Leave to commit what has been written already: a plan of what is not due yet is written before it is,
//! and durable only afterwards.

use tokio::sync::watch;

/// What a written plan waits for before it is committed. Clones wait for the same.
#[derive(Clone, Debug)]
pub struct Release(watch::Receiver<bool>);

/// Releases what waits. Dropped without that, it withdraws it: nothing of it is kept.
#[derive(Debug)]
pub struct Releaser(watch::Sender<bool>);

impl Release {
    /// A release that is still to come, and who gives it.
    pub fn new() -> (Releaser, Self) {
        let (sender, receiver) = watch::channel(false);
        (Releaser(sender), Self(receiver))
    }

    /// Waits until it has come; `false`: it has been withdrawn, and never will.
    pub(super) async fn has_come(&self) -> bool {
        self.0.clone().wait_for(|released| *released).await.is_ok()
    }

    /// Whether it has been withdrawn.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.0.has_changed().is_err() && !*self.0.borrow()
    }
}

impl Releaser {
    /// From now on what waits is committed.
    pub fn release(self) {
        self.0.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_comes_once_and_for_everybody_or_is_withdrawn() {
        let (releaser, release) = Release::new();
        let other = release.clone();
        assert!(!release.is_withdrawn());
        releaser.release();
        assert!(release.has_come().await && other.has_come().await);
        assert!(!release.is_withdrawn());

        let (releaser, release) = Release::new();
        drop(releaser);
        assert!(!release.has_come().await);
        assert!(release.is_withdrawn());
    }
}

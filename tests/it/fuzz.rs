//! What people and servers may write, at random: schedules, configurations, replies, templates.
//!
//! Nothing of it may panic, hang or grow without bound (guarantee G7). An ordinary run tries a hundred
//! thousand cases in all; `FUNCRON_FUZZ_CASES` says how many each kind is to have instead. A case that
//! fails is told in its smallest form, one that hangs as it is.

#![expect(
    clippy::print_stderr,
    reason = "a case that hangs is told by its guard"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::{Index, select};

mod files;
mod replies;
mod schedules;
mod templates;

/// The most that one case may take, unoptimised, on a machine with other things to do.
const LONG: Duration = Duration::from_secs(10);

/// After so long a case is taken to hang.
const HANGS: Duration = Duration::from_secs(60);

/// So many cases, or what `FUNCRON_FUZZ_CASES` says.
fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("FUNCRON_FUZZ_CASES").map_or(usual, |cases| {
        cases.parse().expect("FUNCRON_FUZZ_CASES is a number")
    });
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Does something that must end soon. Nothing can be done about it from within if it does not, so a
/// guard beside it tells the case and ends the process.
fn bounded<T>(case: &impl std::fmt::Debug, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    GUARD.with(|guard| guard.watch(format!("{case:?}")));
    let made = work();
    GUARD.with(Guard::rest);
    let took = started.elapsed();
    assert!(took < LONG, "it took {took:?}: {case:?}");
    made
}

thread_local! {
    static GUARD: Guard = Guard::new();
}

/// Since when which case is tried.
type Tried = Arc<Mutex<Option<(Instant, String)>>>;

/// A thread that watches the one it belongs to.
struct Guard {
    tried: Tried,
    thread: JoinHandle<()>,
}

impl Guard {
    fn new() -> Self {
        let tried = Tried::default();
        let thread = std::thread::spawn({
            let tried = Arc::downgrade(&tried);
            move || {
                while let Some(tried) = tried.upgrade() {
                    if let Some((since, case)) = &*lock(&tried)
                        && since.elapsed() > HANGS
                    {
                        eprintln!("this case hangs: {case}");
                        std::process::abort();
                    }
                    drop(tried);
                    std::thread::park_timeout(Duration::from_secs(1));
                }
            }
        });
        Self { tried, thread }
    }

    fn watch(&self, case: String) {
        *lock(&self.tried) = Some((Instant::now(), case));
    }

    fn rest(&self) {
        *lock(&self.tried) = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.rest();
        self.thread.thread().unpark();
    }
}

/// A case that panicked leaves nothing half done.
fn lock(tried: &Tried) -> std::sync::MutexGuard<'_, Option<(Instant, String)>> {
    tried.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is done to a text: a stretch of it becomes something else.
type Edit = (Index, usize, String);

/// Up to six edits that put one of `pieces` in place of up to thirty characters.
fn edits(pieces: &[&str]) -> impl Strategy<Value = Vec<Edit>> + use<> {
    let pieces: Vec<String> = pieces.iter().map(|&piece| piece.to_owned()).collect();
    let edit = (any::<Index>(), 0..30_usize, select(pieces));
    proptest::collection::vec(edit, 0..6)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, taken, piece) in edits {
        let at = at.index(chars.len() + 1);
        let end = (at + taken).min(chars.len());
        chars.splice(at..end, piece.chars());
    }
    chars.into_iter().collect()
}

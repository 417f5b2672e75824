//! Watches what the configuration is made of, and asks for a reload when it has changed and come to
//! rest.
//!
//! By looking at the contents once a second, not by inotify (the crate `notify`). inotify tells of
//! what this kernel does itself: nothing of a change made on the other side of NFS, SMB, 9p,
//! virtio-fs or a bind mount of Docker Desktop; it watches inodes, so that every directory on the way
//! to a file has to be watched and watched anew, for an editor that renames and for the link `..data`
//! by which Kubernetes swaps a whole volume; its watches are few, and its queue overflows. Whoever
//! builds on it is told to look now and then as well (kubelet, Vector and watchexec do) and has two
//! mechanisms then. Looking alone misses nothing, and costs a read of files that are in memory
//! anyway. CoreDNS does it so, every 30 s with a digest; Caddy once a second.
//!
//! Contents, because times lie: a file may be written twice within one tick of a file system's clock,
//! and the times within Kubernetes' volumes have been wrong.
//!
//! On a thread of its own: a file system that hangs must hold up neither a call nor the stop.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::reload::Wanted;
use crate::clock::Clock;
use crate::config::Sources;
use crate::engine::Poke;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Of the time, looking takes one part in so many at most: files that are large, or far away, are
/// looked at less often.
const SHARE: u32 = 200;

/// What has changed must stay as it is for so long: a file half written, or one of several that were
/// written, is no configuration.
const REST: Duration = Duration::from_secs(2);

/// After a reload that failed though the files are right.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What came of a reload, whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told<F> {
    /// This was read, and taken over or refused.
    Read(F),
    /// It could not be taken over, through no fault of the files.
    Again,
}

/// Finds out when something that changes has come to rest. It is told the time and what is seen, and
/// knows neither clock nor file.
#[derive(Debug)]
struct Debounce<F> {
    /// What was read last.
    known: F,
    /// What differs from it, and since when it has.
    changed: Option<(F, Duration)>,
    /// A reload was asked for, and nothing has been told since.
    is_asked: bool,
    not_before: Duration,
}

impl<F: PartialEq> Debounce<F> {
    const fn new(known: F) -> Self {
        Self {
            known,
            changed: None,
            is_asked: false,
            not_before: Duration::ZERO,
        }
    }

    /// Takes a look. Whether it is time for a reload.
    fn look(&mut self, now: Duration, seen: F) -> bool {
        if seen == self.known {
            self.changed = None;
            return false;
        }
        let since = match &self.changed {
            Some((before, since)) if *before == seen => *since,
            _ => now,
        };
        self.changed = Some((seen, since));
        let is_due = now >= since + REST && now >= self.not_before && !self.is_asked;
        self.is_asked |= is_due;
        is_due
    }

    fn tell(&mut self, now: Duration, told: Told<F>) {
        self.is_asked = false;
        match told {
            Told::Read(known) => self.known = known,
            Told::Again => self.not_before = now + TRY_AGAIN,
        }
    }
}

/// The thread that watches. It ends when this is dropped, or as soon as its look ends.
#[derive(Debug)]
pub(super) struct Watch {
    told: Sender<Told<Sources>>,
}

impl Watch {
    /// Watches from what has been read on.
    pub(super) fn start(known: Sources, clock: Clock, wanted: Wanted, poke: Poke) -> Self {
        let (told, hear) = mpsc::channel();
        let watching = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch(known, &clock, &hear, &wanted, &poke));
        if let Err(error) = watching {
            tracing::warn!(
                %error,
                "the configuration's files are not watched; send SIGHUP or run `funcron reload` after a change"
            );
        }
        Self { told }
    }

    /// Tells what came of a reload.
    pub(super) fn tell(&self, told: Told<Sources>) {
        // There may be no thread, which was warned of.
        let _ = self.told.send(told);
    }
}

fn watch(
    known: Sources,
    clock: &Clock,
    hear: &Receiver<Told<Sources>>,
    wanted: &Wanted,
    poke: &Poke,
) {
    let mut watched = known.clone();
    let mut debounce = Debounce::new(known);
    let mut pause = PAUSE;
    loop {
        match hear.recv_timeout(pause) {
            Ok(told) => {
                if let Told::Read(read) = &told {
                    watched.clone_from(read);
                }
                debounce.tell(clock.monotonic(), told);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let begun = clock.monotonic();
        let seen = watched.now();
        let now = clock.monotonic();
        pause = PAUSE.max(now.saturating_sub(begun) * SHARE);
        if debounce.look(now, seen) {
            wanted.by_change();
            poke.poke();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a reload is asked for, in seconds, if one look a second sees these; a reload reads what
    /// was seen when it was asked for.
    fn asked(looks: &str) -> Vec<u64> {
        let mut debounce = Debounce::new('a');
        let mut asked = Vec::new();
        for (second, seen) in (0..).zip(looks.chars()) {
            let now = Duration::from_secs(second);
            if debounce.look(now, seen) {
                asked.push(second);
                debounce.tell(now, Told::Read(seen));
            }
        }
        asked
    }

    #[test]
    fn a_change_is_read_once_when_it_has_rested() {
        assert!(asked("aaaaaa").is_empty());
        assert_eq!(asked("aabbbbbbb"), [4]);
        assert_eq!(asked("abbbbcccc"), [3, 7], "each content once");
        assert_eq!(asked("abbbbaaaa"), [3, 7], "back again is a change too");
    }

    #[test]
    fn what_goes_on_changing_is_not_read_until_it_rests() {
        assert_eq!(asked("abcbcbcbcddd"), [11]);
        assert!(asked("abbabbabba").is_empty(), "it is as it was");
        assert_eq!(asked("abbcccc"), [5], "the first of two writes is not read");
    }

    #[test]
    fn a_look_that_comes_late_counts_from_the_first_that_saw_the_change() {
        let mut debounce = Debounce::new('a');
        let seconds = Duration::from_secs;
        assert!(!debounce.look(seconds(10), 'b'), "it may just have changed");
        assert!(debounce.look(seconds(90), 'b'));
    }

    #[test]
    fn nothing_is_asked_twice_before_an_answer_and_the_answer_may_be_to_somebody_else() {
        let mut debounce = Debounce::new('a');
        let seconds = Duration::from_secs;
        let looks = (0..9).map(|second| debounce.look(seconds(second), 'b'));
        assert_eq!(looks.filter(|asks| *asks).count(), 1);
        // SIGHUP, which read something newer than what was seen here.
        debounce.tell(seconds(9), Told::Read('c'));
        assert!(!debounce.look(seconds(10), 'c'));
        assert!(!debounce.look(seconds(20), 'c'));
    }

    #[test]
    fn what_could_not_be_taken_over_is_tried_again_after_a_while() {
        let mut debounce = Debounce::new('a');
        let seconds = Duration::from_secs;
        assert!(!debounce.look(seconds(0), 'b'));
        assert!(debounce.look(seconds(2), 'b'));
        debounce.tell(seconds(3), Told::Again);
        let wait = TRY_AGAIN.as_secs();
        let mut asks = (3..2 * wait).filter(|second| debounce.look(seconds(*second), 'b'));
        assert_eq!(asks.next(), Some(3 + wait));
        assert_eq!(asks.next(), None);
    }
}

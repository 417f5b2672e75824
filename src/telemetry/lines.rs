//! Log lines on their way to standard error.
//!
//! A thread of its own writes them: at once where there is nothing else to write, else all together that
//! came in the last milliseconds. A burst ends ten thousand attempts within a second, and each line would
//! be a system call in the way of the next request; writing them one by one was an eighth of what the
//! runtime's threads compute then, where a pipe took them.
//!
//! Invariants
//! - What is written is whole lines, in the order in which they came.
//! - Nobody waits for somebody who does not read: what there is no room for is dropped, and how many lines
//!   that were is told as soon as there is.
//! - A kill loses the lines of the last milliseconds, and nothing else depends on them.
//!
//! Rejected: tracing-appender, whose bound is a number of lines however long they are, which cannot say in
//! the log that some are missing, and which wakes its thread for nearly every line.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that wait, at most; a longer line is taken where it is the only one.
const MOST: usize = 4 << 20;

/// What a buffer keeps of its memory after a flood.
const KEPT: usize = 64 << 10;

/// From one write to the next.
const GATHERED: Duration = Duration::from_millis(5);

/// Lines that are to be written.
#[derive(Debug)]
pub(super) struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that there was no room for.
    dropped: u64,
    /// All is written, and the thread sleeps until a line comes.
    idle: bool,
}

impl Lines {
    /// Starts the thread that writes them `to` there.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start(to: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let all = lines.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || all.write_on(to))?;
        Ok(lines)
    }

    /// Waits until everything is written, so long at most: it may never be.
    pub(super) fn flush(&self, patience: Duration) {
        let is_busy = |state: &mut State| !state.idle;
        let waited = self
            .changed
            .wait_timeout_while(self.state(), patience, is_busy);
        drop(waited);
    }

    fn write_on(&self, mut to: impl Write) {
        let mut text = Vec::new();
        loop {
            let dropped = self.next(&mut text);
            // Where it cannot be written there is nobody to tell.
            let _ = to.write_all(&text).and_then(|()| to.flush());
            text.clear();
            text.shrink_to(KEPT);
            if dropped > 0 {
                tracing::warn!(
                    lines = dropped,
                    "log lines were dropped here, since nobody read standard error; the ledger has everything"
                );
            }
            thread::sleep(GATHERED);
        }
    }

    /// Waits for lines and takes them; answers how many were dropped after them.
    fn next(&self, text: &mut Vec<u8>) -> u64 {
        let mut state = self.state();
        while state.waiting.is_empty() {
            state.idle = true;
            self.changed.notify_all();
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(text, &mut state.waiting);
        std::mem::take(&mut state.dropped)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a whole line in each time.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.waiting.is_empty() || state.waiting.len() + line.len() <= MOST {
            state.waiting.extend_from_slice(line);
        } else {
            state.dropped += 1;
        }
        // Once for all lines until it sleeps again: to wake it is a system call.
        if std::mem::take(&mut state.idle) {
            self.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Shows what is written, each time only when it is `let_through`.
    struct Reader {
        let_through: mpsc::Receiver<()>,
        shown: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.let_through.recv();
            let _ = self.shown.send(text.to_owned());
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read_by_somebody() -> (Arc<Lines>, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let (door, let_through) = mpsc::channel();
        let (shown, written) = mpsc::channel();
        let lines = Lines::start(Reader { let_through, shown }).unwrap();
        (lines, door, written)
    }

    fn say(lines: &Arc<Lines>, line: &str) {
        (&**lines).write_all(line.as_bytes()).unwrap();
    }

    /// All that was said so far is with the reader, and what is said from now on waits.
    fn wait_until_taken(lines: &Lines) {
        while !lines.state().waiting.is_empty() {
            thread::yield_now();
        }
    }

    #[test]
    fn lines_that_come_while_others_are_written_are_written_together_and_in_order() {
        let (lines, door, written) = read_by_somebody();
        say(&lines, "one\n");
        wait_until_taken(&lines);
        say(&lines, "two\n");
        say(&lines, "three\n");
        door.send(()).unwrap();
        door.send(()).unwrap();
        lines.flush(LONG);
        let written: Vec<_> = written.try_iter().collect();
        assert_eq!(written, [&b"one\n"[..], b"two\nthree\n"]);
    }

    #[test]
    fn nobody_waits_for_who_does_not_read_and_what_is_dropped_is_counted() {
        let (lines, door, written) = read_by_somebody();
        let long = format!("{}\n", "x".repeat(MOST / 4));
        say(&lines, &long);
        wait_until_taken(&lines);
        for _ in 0..19 {
            say(&lines, &long);
        }
        // There is room for three beside the one that is being written.
        assert_eq!(lines.state().dropped, 16);
        lines.flush(Duration::ZERO);

        drop(door);
        lines.flush(LONG);
        let written = written.try_iter().map(|text| text.len()).sum::<usize>();
        assert_eq!(written, long.len() * 4);
        assert_eq!(lines.state().dropped, 0);
    }
}

//! Identifiers as the platform makes them: random, and nothing to read in them.
//!
//! The randomness is that of the standard library's hash keys, which is plenty for a stand-in and
//! needs neither a crate nor the wall clock that a time-ordered UUID would read.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of identifiers; no two of one source are equal but by a collision of 128 bits.
#[derive(Debug, Default)]
pub(super) struct Ids {
    keys: [RandomState; 2],
    drawn: AtomicU64,
}

impl Ids {
    /// `TRACE-` and a UUID in capitals.
    pub(super) fn trace(&self) -> String {
        let uuid = uuid::Builder::from_random_bytes(self.draw().to_be_bytes()).into_uuid();
        format!("TRACE-{}", uuid.to_string().to_uppercase())
    }

    /// `task-` and twelve letters or digits.
    pub(super) fn task(&self) -> String {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut rest = self.draw();
        let mut id = String::from("task-");
        for _ in 0..12 {
            let digit = usize::try_from(rest % 62).unwrap_or_default();
            id.push(char::from(ALPHABET[digit]));
            rest /= 62;
        }
        id
    }

    fn draw(&self) -> u128 {
        let turn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.keys.each_ref().map(|keys| keys.hash_one(turn));
        u128::from(high) << 64 | u128::from(low)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_have_the_platforms_shape_and_differ() {
        let ids = Ids::default();
        let traces: HashSet<String> = (0..1000).map(|_| ids.trace()).collect();
        let tasks: HashSet<String> = (0..1000).map(|_| ids.task()).collect();
        assert_eq!((traces.len(), tasks.len()), (1000, 1000));
        for trace in traces {
            let groups: Vec<&str> = trace.split('-').collect();
            assert_eq!(groups[0], "TRACE");
            let lengths: Vec<usize> = groups[1..].iter().map(|group| group.len()).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12]);
            let capital = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
            assert!(groups[1..].concat().chars().all(capital), "{trace}");
        }
        for task in tasks {
            let (prefix, rest) = task.split_at(5);
            assert_eq!((prefix, rest.len()), ("task-", 12));
            assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric()), "{task}");
        }
    }
}

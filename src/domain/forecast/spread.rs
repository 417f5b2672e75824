//! How far into its `spread` a job falls due: a function of its name, the same for ever.

use std::time::Duration;

use crate::domain::schedule::stable;

/// The offset of a job within its spread, in `[0, spread)`.
///
/// `h` is the first 8 bytes, big-endian, of SHA-256(`spread` ++ 0x00 ++ job name); the offset is
/// `h` mod the spread, in microseconds.
pub fn offset(job: &str, spread: Duration) -> Duration {
    let microseconds = u64::try_from(spread.as_micros()).unwrap_or(u64::MAX);
    if microseconds == 0 {
        return Duration::ZERO;
    }
    Duration::from_micros(stable("spread", job) % microseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: `int.from_bytes(sha256(b"spread\0nightly-report").digest()[:8]) % 600_000_000`.
    #[test]
    fn the_offset_is_that_of_another_sha256() {
        for (job, seconds, microseconds) in [
            ("nightly-report", 600, 304_886_692),
            ("nightly-report", 0, 0),
            ("a", 60, 40_839_332),
        ] {
            let offset = offset(job, Duration::from_secs(seconds));
            assert_eq!(offset, Duration::from_micros(microseconds), "{job}");
        }
    }
}

//! `H`: a value that differs from job to job and stays the same for ever.
//!
//! `h` is the first 8 bytes, big-endian, of SHA-256(`purpose` ++ 0x00 ++ job name), where the
//! purpose is `spread` ([`crate::domain::spread`]) or `cron:second`, `cron:minute`, `cron:hour`, `cron:day_of_month`, `cron:month` or
//! `cron:day_of_week`. Then, over the field's range `a..=b`:
//!
//! - `H` is `a + h % (b - a + 1)`, where the day of month is 1 to 28, so that every month has it,
//!   and the day of week 0 to 6;
//! - `H/n` is every n-th from `a + h % n` up to `b`, where the day of month is 1 to 31;
//! - `H(a-b)` and `H(a-b)/n` are the same over the range given.
//!
//! It can never change: a job would move in time, and its past would look wrong to the auditor.

use sha2::{Digest, Sha256};

/// `h` of a field's purpose and a job's name.
pub(in crate::domain) fn stable(purpose: &str, job: &str) -> u64 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(job)
        .finalize()
        .into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::stable;

    /// By Python: `int.from_bytes(sha256(b"cron:minute\0nightly-report").digest()[:8])`.
    #[test]
    fn the_values_are_those_of_another_sha256() {
        for (purpose, job, value) in [
            ("cron:minute", "nightly-report", 780_578_928_530_954_072),
            ("cron:hour", "nightly-report", 12_897_817_762_106_377_939),
            ("cron:minute", "", 7_665_771_353_110_953_434),
            ("cron:second", "a", 1_954_252_407_494_128_319),
        ] {
            assert_eq!(stable(purpose, job), value, "{purpose} {job}");
        }
    }
}

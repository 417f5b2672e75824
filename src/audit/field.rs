//! One field of a cron expression: the values that its text stands for.
//!
//! Every item of a list becomes the numbers it names; nothing is kept of how they were written.
//! `L`, `W` and `#` are not handled here, for they name no number before a month is known
//! ([`super::calendar`]).

use sha2::{Digest, Sha256};

use super::definition::Unreadable;

/// What a field may say.
pub(super) struct Field {
    /// Its name, for messages.
    pub(super) name: &'static str,
    pub(super) min: u32,
    pub(super) max: u32,
    /// Full names in the order of their numbers; their first three letters stand for them too.
    names: &'static [&'static str],
    /// The number of the first name.
    first_name: u32,
    /// Whether `max` is another name of `min`: Sunday is 0 and 7.
    max_is_min: bool,
    /// The year has no `H`.
    hashed: Option<Hashed>,
}

/// The `H` of a field.
struct Hashed {
    /// What is hashed with the job's name.
    purpose: &'static str,
    /// The highest number that a bare `H` gives.
    max: u32,
    /// Where `H/n` ends.
    max_with_step: u32,
}

pub(super) const SECOND: Field = Field {
    name: "second",
    min: 0,
    max: 59,
    names: &[],
    first_name: 0,
    max_is_min: false,
    hashed: Some(Hashed {
        purpose: "cron:second",
        max: 59,
        max_with_step: 59,
    }),
};
pub(super) const MINUTE: Field = Field {
    name: "minute",
    min: 0,
    max: 59,
    names: &[],
    first_name: 0,
    max_is_min: false,
    hashed: Some(Hashed {
        purpose: "cron:minute",
        max: 59,
        max_with_step: 59,
    }),
};
pub(super) const HOUR: Field = Field {
    name: "hour",
    min: 0,
    max: 23,
    names: &[],
    first_name: 0,
    max_is_min: false,
    hashed: Some(Hashed {
        purpose: "cron:hour",
        max: 23,
        max_with_step: 23,
    }),
};
/// A bare `H` stays within 28, so that its day exists in every month; `H/n` goes on to the 31st.
pub(super) const DAY_OF_MONTH: Field = Field {
    name: "day-of-month",
    min: 1,
    max: 31,
    names: &[],
    first_name: 0,
    max_is_min: false,
    hashed: Some(Hashed {
        purpose: "cron:day_of_month",
        max: 28,
        max_with_step: 31,
    }),
};
pub(super) const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
    first_name: 1,
    max_is_min: false,
    hashed: Some(Hashed {
        purpose: "cron:month",
        max: 12,
        max_with_step: 12,
    }),
};
/// 7 is Sunday once more; `H` does not know it.
pub(super) const DAY_OF_WEEK: Field = Field {
    name: "day-of-week",
    min: 0,
    max: 7,
    names: &[
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ],
    first_name: 0,
    max_is_min: true,
    hashed: Some(Hashed {
        purpose: "cron:day_of_week",
        max: 6,
        max_with_step: 6,
    }),
};
pub(super) const YEAR: Field = Field {
    name: "year",
    min: 1970,
    max: 2100,
    names: &[],
    first_name: 0,
    max_is_min: false,
    hashed: None,
};

impl Field {
    /// The numbers that a comma-separated list of items names.
    pub(super) fn list(&self, text: &str, job: &str) -> Result<Vec<u32>, Unreadable> {
        let mut numbers = Vec::new();
        for item in text.split(',') {
            numbers.extend(self.item(item, job)?);
        }
        Ok(numbers)
    }

    /// The numbers that one item names: `*`, `n`, `a-b`, `H`, `H(a-b)`, all but `n` with a step.
    pub(super) fn item(&self, item: &str, job: &str) -> Result<Vec<u32>, Unreadable> {
        let (base, step) = match item.split_once('/') {
            None => (item, None),
            Some((base, step)) => (base, Some(self.step(item, step)?)),
        };
        if let Some(range) = base.strip_prefix(['H', 'h']) {
            return self.hashed_item(item, range, step, job);
        }
        if base == "*" {
            return Ok(every(self.min, self.max, step.unwrap_or(1)));
        }
        if base.contains('-') {
            let (first, last) = self.range(item, base)?;
            return Ok(every(first, last, step.unwrap_or(1)));
        }
        match step {
            None => Ok(vec![self.number(base)?]),
            Some(_) => Err(self.cannot_read(item)),
        }
    }

    /// One number, or a name.
    pub(super) fn number(&self, text: &str) -> Result<u32, Unreadable> {
        let number = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().ok()
        } else {
            (self.first_name..)
                .zip(self.names)
                .find(|(_, name)| {
                    text.eq_ignore_ascii_case(name) || text.eq_ignore_ascii_case(&name[..3])
                })
                .map(|(number, _)| number)
        };
        number
            .filter(|number| (self.min..=self.max).contains(number))
            .ok_or_else(|| self.cannot_read(text))
    }

    fn range(&self, item: &str, range: &str) -> Result<(u32, u32), Unreadable> {
        let (first, last) = range
            .split_once('-')
            .ok_or_else(|| self.cannot_read(item))?;
        let (first, mut last) = (self.number(first)?, self.number(last)?);
        // The week's end as people write it, `fri-sun`.
        if self.max_is_min && last == self.min && first > last {
            last = self.max;
        }
        if first > last {
            return Err(self.cannot_read(item));
        }
        Ok((first, last))
    }

    fn step(&self, item: &str, text: &str) -> Result<u32, Unreadable> {
        text.parse()
            .ok()
            .filter(|step| *step > 0 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| self.cannot_read(item))
    }

    /// `H` and its forms: `range` is what follows the letter, empty or `(a-b)`.
    fn hashed_item(
        &self,
        item: &str,
        range: &str,
        step: Option<u32>,
        job: &str,
    ) -> Result<Vec<u32>, Unreadable> {
        let hashed = self.hashed.as_ref().ok_or_else(|| self.cannot_read(item))?;
        let hash = stable_hash(hashed.purpose, job);
        let bounds = range
            .strip_prefix('(')
            .and_then(|range| range.strip_suffix(')'));
        let (first, last) = match (bounds, step) {
            (Some(bounds), _) => self.range(item, bounds)?,
            (None, _) if !range.is_empty() => return Err(self.cannot_read(item)),
            (None, Some(_)) => (self.min, hashed.max_with_step),
            (None, None) => (self.min, hashed.max),
        };
        Ok(match step {
            None => vec![first + remainder(hash, last - first + 1)],
            Some(step) => every(first.saturating_add(remainder(hash, step)), last, step),
        })
    }

    /// The error for an item of this field.
    pub(super) fn cannot_read(&self, item: &str) -> Unreadable {
        Unreadable(format!("the {} field has `{item}`", self.name))
    }
}

fn every(first: u32, last: u32, step: u32) -> Vec<u32> {
    (first..=last)
        .step_by(usize::try_from(step).unwrap_or(usize::MAX))
        .collect()
}

/// `hash % width`, which fits because `width` does.
fn remainder(hash: u64, width: u32) -> u32 {
    u32::try_from(hash % u64::from(width)).unwrap_or(0)
}

/// The first 8 bytes, big-endian, of SHA-256(purpose, 0x00, job name): stable for ever.
fn stable_hash(purpose: &str, job: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(job)
        .finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

//! `except` and `only_on`, and which days they leave: by nothing but the words and a table.

use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};

use crate::simulation::chance::Chance;

/// China's public holidays of 2026; of other years the simulation's jobs see none but those that the
/// product knows too, and it does not go back before 2026.
const CHINA: [((i8, i8), (i8, i8)); 7] = [
    ((1, 1), (1, 3)),
    ((2, 15), (2, 23)),
    ((4, 4), (4, 6)),
    ((5, 1), (5, 5)),
    ((6, 19), (6, 21)),
    ((9, 25), (9, 27)),
    ((10, 1), (10, 7)),
];

const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// One item of a list.
#[derive(Clone, Debug)]
enum Item {
    Dates(Date, Date),
    Weekdays(usize, usize),
    Holidays,
}

impl Item {
    fn random(chance: &mut Chance, near: Timestamp, days: u64) -> Self {
        match chance.between(0, 5) {
            0..=2 => {
                let start = near.in_tz("UTC").unwrap().date();
                let first = start + (chance.between(0, days) as i64).days();
                let length = chance.scale(1, (days / 6).max(2)) as i64 - 1;
                Self::Dates(first, first + length.days())
            }
            3 | 4 => {
                let first = chance.between(0, 6) as usize;
                Self::Weekdays(first, first + chance.between(0, 2) as usize)
            }
            _ => Self::Holidays,
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Dates(first, last) if first == last => first.to_string(),
            Self::Dates(first, last) => format!("{first}/{last}"),
            Self::Weekdays(first, last) if first == last => WEEK[*first].to_owned(),
            Self::Weekdays(first, last) => format!("{}-{}", WEEK[*first], WEEK[last % 7]),
            Self::Holidays => "holidays-cn".to_owned(),
        }
    }

    fn holds(&self, day: Date) -> bool {
        match self {
            Self::Dates(first, last) => *first <= day && day <= *last,
            Self::Weekdays(first, last) => {
                let weekday = day.weekday().to_monday_zero_offset() as usize;
                (*first..=*last).any(|at| at % 7 == weekday)
            }
            Self::Holidays => CHINA.iter().any(|(first, last)| {
                let [first, last] = [first, last].map(|(month, day)| date(2026, *month, *day));
                first <= day && day <= last
            }),
        }
    }
}

/// The days on which a job runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Days {
    items: Vec<Item>,
    /// The items are the days on which it does, not those on which it does not.
    only: bool,
}

impl Days {
    /// Of a story that begins then and has about so many days.
    pub(super) fn random(chance: &mut Chance, near: Timestamp, days: u64) -> Self {
        let most = chance.between(1, 3);
        let items = (0..most).map(|_| Item::random(chance, near, days));
        Self {
            items: items.collect(),
            only: chance.happens(0.3),
        }
    }

    /// The key of a job, or nothing.
    pub(super) fn written(&self) -> String {
        if self.items.is_empty() {
            return String::new();
        }
        let key = if self.only { "only_on" } else { "except" };
        let items: Vec<String> = self.items.iter().map(Item::written).collect();
        format!(", {key}: [ \"{}\" ]", items.join("\", \""))
    }

    /// Whether the day of an instant is left out.
    pub(crate) fn exclude(&self, at: Timestamp, zone: &str) -> bool {
        let day = at.in_tz(zone).unwrap().date();
        let listed = self.items.iter().any(|item| item.holds(day));
        !self.items.is_empty() && listed != self.only
    }
}

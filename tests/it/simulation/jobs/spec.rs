//! One random job, and what the checks must know of it.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use super::days::Days;
use crate::simulation::chance::Chance;

pub(super) const DAY: u64 = 86_400;
pub(super) const WEEK: u64 = 7 * DAY;

const ZONES: [&str; 5] = [
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
];

/// What any job may repeat, and what only one that may run twice.
const HARMLESS: [&str; 6] = [
    "throttled",
    "network_error",
    "func_failed",
    "rejected",
    "auth_failed",
    "result_invalid",
];
const DOUBTFUL: [&str; 3] = ["func_timeout", "server_error", "unknown"];

/// When the story is, about: what bounds and calendars are drawn from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Era {
    pub(super) start: Timestamp,
    /// Seconds.
    pub(super) span: u64,
}

impl Era {
    fn instant(self, chance: &mut Chance, from: f64, to: f64) -> Timestamp {
        let share = from + (to - from) * chance.unit();
        self.start + SignedDuration::from_secs((self.span as f64 * share) as i64)
    }
}

/// A job as configured. Durations are seconds.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) workspace: &'static str,
    pub(crate) schedule: String,
    /// Between two ticks, about.
    pub(crate) period: u64,
    pub(crate) zone: &'static str,
    pub(crate) gap: &'static str,
    pub(crate) fold: &'static str,
    pub(crate) starts_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) days: Days,
    pub(crate) spread: u64,
    pub(crate) enabled: bool,
    pub(crate) overlap: &'static str,
    pub(crate) catchup: &'static str,
    pub(crate) max_catchup: u64,
    pub(crate) window: u64,
    pub(crate) start_deadline: u64,
    pub(crate) timeout: u64,
    pub(crate) deadline: u64,
    pub(crate) idempotent: bool,
    pub(crate) max_attempts: u32,
    pub(crate) initial_delay: u64,
    pub(crate) multiplier: f64,
    pub(crate) max_delay: u64,
    pub(crate) into_next_tick: bool,
    /// The list that takes the default's place.
    pub(crate) on: Option<Vec<&'static str>>,
    pub(crate) not_on: Vec<&'static str>,
    /// Told to the function: an edit that changes nothing else.
    pub(crate) version: u64,
}

impl Spec {
    pub(super) fn random(chance: &mut Chance, name: String, period: u64, era: Era) -> Self {
        let (schedule, period) = schedule(chance, period);
        let idempotent = chance.happens(0.4);
        let mut spec = Self {
            name,
            workspace: chance.pick(&["a", "a", "a", "b", "b", "c"]),
            schedule,
            period,
            zone: chance.pick(&ZONES),
            gap: chance.pick(&["run_after", "skip"]),
            fold: chance.pick(&["first", "last", "both"]),
            starts_at: None,
            ends_at: None,
            days: Days::default(),
            spread: 0,
            enabled: chance.happens(0.95),
            overlap: overlap(chance),
            catchup: chance.pick(&["latest", "latest", "all", "all", "none"]),
            max_catchup: chance.scale(1, 20),
            window: chance.scale(30, 2 * DAY),
            start_deadline: chance.scale(5, 3_600),
            timeout: chance.scale(1, 60),
            deadline: chance.scale(60, 3_600),
            idempotent,
            max_attempts: chance.between(1, 5) as u32,
            initial_delay: chance.scale(1, 60),
            multiplier: chance.pick(&[1.0, 1.5, 2.0, 3.0]),
            max_delay: chance.scale(60, 600),
            into_next_tick: chance.happens(0.3),
            on: None,
            not_on: Vec::new(),
            version: 1,
        };
        spec.choose_what_is_retried(chance);
        if chance.happens(0.3) {
            spec.spread = chance.scale(1, (2 * period).min(DAY));
        }
        if chance.happens(0.15) {
            spec.choose_bounds(chance, era);
        }
        if chance.happens(if era.span > 3 * DAY { 0.3 } else { 0.1 }) {
            spec.choose_days(chance, era);
        }
        spec
    }

    fn choose_what_is_retried(&mut self, chance: &mut Chance) {
        let doubtful = DOUBTFUL.iter().filter(|_| self.idempotent);
        let possible: Vec<&str> = HARMLESS.iter().chain(doubtful).copied().collect();
        let some = |chance: &mut Chance| {
            let chosen = possible.iter().filter(|_| chance.happens(0.6));
            chosen.copied().collect::<Vec<_>>()
        };
        self.on = chance.happens(0.35).then(|| some(chance));
        self.not_on = if chance.happens(0.15) {
            some(chance)
        } else {
            Vec::new()
        };
    }

    fn choose_bounds(&mut self, chance: &mut Chance, era: Era) {
        self.starts_at = chance.happens(0.6).then(|| era.instant(chance, -0.1, 0.5));
        self.ends_at = chance.happens(0.6).then(|| era.instant(chance, 0.5, 1.0));
    }

    fn choose_days(&mut self, chance: &mut Chance, era: Era) {
        self.days = Days::random(chance, era.start, era.span / DAY);
    }

    /// An operator changes what the job does, or when.
    pub(super) fn edit(&mut self, chance: &mut Chance, era: Era) -> &'static str {
        match chance.between(0, 13) {
            0 | 1 => {
                (self.schedule, self.period) = schedule(chance, self.period);
                "edits: schedule"
            }
            2 => {
                self.zone = chance.pick(&ZONES);
                "edits: timezone"
            }
            3 => {
                self.choose_bounds(chance, era);
                "edits: bounds"
            }
            4 => {
                self.choose_days(chance, era);
                "edits: calendars"
            }
            5 => {
                self.spread = chance.scale(1, (2 * self.period).min(DAY));
                "edits: spread"
            }
            6 => {
                self.overlap = overlap(chance);
                "edits: overlap"
            }
            7 | 8 => {
                self.enabled = !self.enabled;
                if self.enabled {
                    "edits: enabled"
                } else {
                    "edits: disabled"
                }
            }
            9 => {
                self.catchup = chance.pick(&["latest", "all", "none"]);
                self.max_catchup = chance.scale(1, 20);
                "edits: catch-up"
            }
            _ => {
                self.version += 1;
                self.idempotent = chance.happens(0.5);
                self.timeout = chance.scale(1, 60);
                self.choose_what_is_retried(chance);
                "edits: others"
            }
        }
    }

    /// From now on nothing is due any more; what waits goes on waiting.
    pub(super) fn end(&mut self) {
        self.schedule = "@manual".to_owned();
        self.enabled = true;
        (self.starts_at, self.ends_at) = (None, None);
        self.days = Days::default();
        self.spread = 0;
    }

    /// Whether an outcome is followed by another attempt (contract, section 4).
    pub(crate) fn retries(&self, outcome: &str) -> bool {
        let listed = match &self.on {
            Some(on) => on.contains(&outcome),
            None => {
                matches!(outcome, "throttled" | "network_error")
                    || (self.idempotent && DOUBTFUL.contains(&outcome))
            }
        };
        listed && !self.not_on.contains(&outcome)
    }

    /// Seconds to wait after so many failures.
    pub(crate) fn delay(&self, failures: u32) -> f64 {
        let factor = self.multiplier.powf(f64::from(failures.saturating_sub(1)));
        (self.initial_delay as f64 * factor).min(self.max_delay as f64)
    }

    pub(super) fn write(&self, text: &mut String) {
        let list = |key: &str, outcomes: &[&str]| format!(", {key}: [ {} ]", outcomes.join(", "));
        let on = self
            .on
            .as_deref()
            .map_or(String::new(), |on| list("on", on));
        let not_on = list("not_on", &self.not_on);
        let bound = |key: &str, at: Option<Timestamp>| {
            at.map_or(String::new(), |at| format!(", {key}: \"{at}\""))
        };
        let max_catchup = if self.catchup == "all" {
            format!(", max_catchup: {}", self.max_catchup)
        } else {
            String::new()
        };
        let kwargs = r#"run: "{{ run_id }}", attempt: "{{ attempt }}", tick: "{{ scheduled_at | tz('UTC') }}", job: "{{ job }}", trigger: "{{ trigger }}""#;
        let _ = writeln!(
            text,
            "  - {{ name: {}, workspace: {}, func_id: test__it.f, schedule: \"{}\", timezone: {}, \
             dst: {{ gap: {}, overlap: {} }}{}{}{}, spread: {}s, enabled: {}, overlap: {}, \
             catchup: {}{max_catchup}, catchup_window: {}s, \
             start_deadline: {}s, timeout: {}s, deadline: {}s, idempotent: {}, \
             kwargs: {{ {kwargs}, version: {} }}, retry: {{ max_attempts: {}, initial_delay: {}s, \
             multiplier: {}, max_delay: {}s, jitter: 0, into_next_tick: {}{on}{not_on} }} }}",
            self.name,
            self.workspace,
            self.schedule,
            self.zone,
            self.gap,
            self.fold,
            bound("starts_at", self.starts_at),
            bound("ends_at", self.ends_at),
            self.days.written(),
            self.spread,
            self.enabled,
            self.overlap,
            self.catchup,
            self.window,
            self.start_deadline,
            self.timeout,
            self.deadline,
            self.idempotent,
            self.version,
            self.max_attempts,
            self.initial_delay,
            self.multiplier,
            self.max_delay,
            self.into_next_tick,
        );
    }
}

fn overlap(chance: &mut Chance) -> &'static str {
    chance.pick(&[
        "skip",
        "skip",
        "queue_one",
        "queue_all",
        "allow",
        "cancel_running",
    ])
}

/// A schedule of about this period, and the period it has.
fn schedule(chance: &mut Chance, period: u64) -> (String, u64) {
    let hashed = chance.happens(0.2);
    let of_its_own = |chance: &mut Chance, low, high| {
        let number = chance.between(low, high);
        if hashed {
            "H".to_owned()
        } else {
            number.to_string()
        }
    };
    let minute = of_its_own(chance, 0, 59);
    let hour = of_its_own(chance, 0, 23);
    let night = chance.between(1, 3);
    match period {
        0..60 if chance.happens(0.5) => (format!("@every {period}s"), period),
        0..60 => (format!("*/{period} * * * * *"), period),
        60..3_600 => {
            let every = period / 60;
            let from = if hashed { "H" } else { "*" };
            (format!("{from}/{every} * * * *"), every * 60)
        }
        3_600..DAY => {
            let every = period / 3_600;
            (format!("{minute} */{every} * * *"), every * 3_600)
        }
        WEEK.. => (format!("{minute} {hour} * * sat"), WEEK),
        _ => match chance.between(0, 3) {
            0 => (format!("{minute} {hour} * * *"), DAY),
            1 => (format!("{minute} {night} * * *"), DAY),
            2 => (format!("{minute} {hour} * * mon-fri"), WEEK / 5),
            _ => (format!("{minute} {hour} */2 * *"), 2 * DAY),
        },
    }
}

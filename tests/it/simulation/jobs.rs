//! Random jobs, and what the checks must know of them.

use std::fmt::Write;

use super::chance::Chance;

/// Ticks that a seed's jobs have about, over its whole span.
const TICKS: f64 = 200.0;

const DAY: u64 = 86_400;
const WEEK: u64 = 7 * DAY;

const ZONES: [&str; 5] = [
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
];

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
    pub(crate) enabled: bool,
    pub(crate) catchup: &'static str,
    pub(crate) window: u64,
    pub(crate) start_deadline: u64,
    pub(crate) timeout: u64,
    pub(crate) deadline: u64,
    pub(crate) idempotent: bool,
    pub(crate) max_attempts: u32,
    pub(crate) initial_delay: u64,
    pub(crate) multiplier: u32,
    pub(crate) max_delay: u64,
    pub(crate) into_next_tick: bool,
    /// `func_failed` is retried, too.
    pub(crate) stubborn: bool,
    /// Told to the function: an edit that changes nothing else.
    pub(crate) version: u64,
}

impl Spec {
    fn random(chance: &mut Chance, name: String, period: u64) -> Self {
        let (schedule, period) = schedule(chance, period);
        Self {
            name,
            workspace: chance.pick(&["a", "a", "b"]),
            schedule,
            period,
            zone: chance.pick(&ZONES),
            gap: chance.pick(&["run_after", "skip"]),
            fold: chance.pick(&["first", "last", "both"]),
            enabled: chance.happens(0.95),
            catchup: chance.pick(&["latest", "latest", "none"]),
            window: chance.scale(30, 2 * DAY),
            start_deadline: chance.scale(5, 3_600),
            timeout: chance.scale(1, 60),
            deadline: chance.scale(60, 3_600),
            idempotent: chance.happens(0.4),
            max_attempts: chance.between(1, 5) as u32,
            initial_delay: chance.scale(1, 60),
            multiplier: chance.between(1, 3) as u32,
            max_delay: chance.scale(60, 600),
            into_next_tick: chance.happens(0.3),
            stubborn: chance.happens(0.2),
            version: 1,
        }
    }

    /// Whether an outcome is followed by another attempt (contract, section 4).
    pub(crate) fn retries(&self, outcome: &str) -> bool {
        match outcome {
            "throttled" | "network_error" => true,
            "func_timeout" | "server_error" | "unknown" => self.idempotent,
            "func_failed" => self.stubborn,
            _ => false,
        }
    }

    /// Seconds to wait after so many failures.
    pub(crate) fn delay(&self, failures: u32) -> f64 {
        let factor = f64::from(self.multiplier).powf(f64::from(failures.saturating_sub(1)));
        (self.initial_delay as f64 * factor).min(self.max_delay as f64)
    }

    fn write(&self, text: &mut String) {
        let on = if self.stubborn {
            let doubtful = if self.idempotent {
                ", func_timeout, server_error, unknown"
            } else {
                ""
            };
            format!(", on: [throttled, network_error, func_failed{doubtful}]")
        } else {
            String::new()
        };
        let kwargs = r#"run: "{{ run_id }}", attempt: "{{ attempt }}", tick: "{{ scheduled_at | tz('UTC') }}", job: "{{ job }}", trigger: "{{ trigger }}""#;
        let _ = writeln!(
            text,
            "  - {{ name: {}, workspace: {}, func_id: test__it.f, schedule: \"{}\", timezone: {}, \
             dst: {{ gap: {}, overlap: {} }}, enabled: {}, catchup: {}, catchup_window: {}s, \
             start_deadline: {}s, timeout: {}s, deadline: {}s, idempotent: {}, \
             kwargs: {{ {kwargs}, version: {} }}, retry: {{ max_attempts: {}, initial_delay: {}s, \
             multiplier: {}, max_delay: {}s, jitter: 0, into_next_tick: {}{on} }} }}",
            self.name,
            self.workspace,
            self.schedule,
            self.zone,
            self.gap,
            self.fold,
            self.enabled,
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

/// A schedule of about this period, and the period it has.
fn schedule(chance: &mut Chance, period: u64) -> (String, u64) {
    let minute = chance.between(0, 59);
    let hour = chance.between(0, 23);
    let night = chance.between(1, 3);
    match period {
        0..60 if chance.happens(0.5) => (format!("@every {period}s"), period),
        0..60 => (format!("*/{period} * * * * *"), period),
        60..3_600 => {
            let every = period / 60;
            (format!("*/{every} * * * *"), every * 60)
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

/// What is configured.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) jobs: Vec<Spec>,
    /// Calls a minute with one key, and with all keys of a workspace.
    pub(crate) per_key: u64,
    pub(crate) per_workspace: u64,
    max_in_flight: u64,
    made: usize,
    usual: u64,
}

impl Setup {
    pub(crate) fn random(chance: &mut Chance) -> Self {
        let usual = chance.pick(&[7, 60, 300, 3_600, 3_600, DAY, DAY, WEEK]);
        let mut setup = Self {
            jobs: Vec::new(),
            per_key: chance.scale(2, 20),
            per_workspace: chance.scale(3, 30),
            max_in_flight: chance.between(1, 16),
            made: 0,
            usual,
        };
        // Many jobs of every few seconds would leave no time for anything to happen, and many of
        // every day no months.
        let most = if (60..DAY).contains(&usual) { 25 } else { 10 };
        for _ in 0..chance.between(5, most) {
            setup.add(chance);
        }
        setup
    }

    /// Seconds in which the jobs have about [`TICKS`] ticks.
    pub(crate) fn span(&self) -> u64 {
        let rate: f64 = self.jobs.iter().map(|job| 1.0 / job.period as f64).sum();
        (TICKS / rate) as u64
    }

    fn add(&mut self, chance: &mut Chance) {
        self.made += 1;
        // A few names only, so that one comes back whose job was removed.
        let name = format!("job-{}", self.made % 30);
        if self.jobs.iter().any(|job| job.name == name) {
            return;
        }
        let period = match chance.between(0, 9) {
            0 => DAY,
            1 => self.usual * chance.between(2, 4),
            _ => self.usual,
        };
        self.jobs.push(Spec::random(chance, name, period));
    }

    /// What an operator changes.
    pub(crate) fn change(&mut self, chance: &mut Chance) {
        for _ in 0..chance.between(1, 4) {
            let spare = self.jobs.len() > 3;
            let at = chance.between(0, self.jobs.len() as u64 - 1) as usize;
            let job = &mut self.jobs[at];
            match chance.between(0, 8) {
                0 => self.add(chance),
                1 if spare => _ = self.jobs.remove(at),
                2 => (job.schedule, job.period) = schedule(chance, job.period.max(self.usual)),
                3 => job.zone = chance.pick(&ZONES),
                4 | 5 => job.enabled = !job.enabled,
                6 => {
                    self.per_key = chance.scale(2, 20);
                    self.per_workspace = chance.scale(3, 30);
                }
                _ => {
                    job.version += 1;
                    job.idempotent = chance.happens(0.5);
                    job.timeout = chance.scale(1, 60);
                }
            }
        }
    }

    /// From now on nothing is due any more; what waits goes on waiting.
    pub(crate) fn end(&mut self) {
        for job in &mut self.jobs {
            job.schedule = "@manual".to_owned();
            job.enabled = true;
        }
    }

    pub(crate) fn yaml(&self) -> String {
        let quota = format!(
            "quota: {{ per_key: {}/min, per_workspace: {}/min }}, max_in_flight: {}",
            self.per_key, self.per_workspace, self.max_in_flight
        );
        let mut text = format!(
            "version: 1\nworkspaces:\n  \
             a: {{ base_url: \"https://a.example\", api_keys: [{{ env: KEY_1 }}, {{ env: KEY_2 }}], {quota} }}\n  \
             b: {{ base_url: \"https://b.example\", api_key: {{ env: KEY_3 }}, {quota} }}\njobs:\n"
        );
        for job in &self.jobs {
            job.write(&mut text);
        }
        text
    }
}

//! What happens to a daemon, drawn from the seed: crashes, reloads, clocks that are set, disks and
//! servers that fail.

use std::time::Duration;

use funcron::engine::Engine;
use funcron::store::{Moment, StoreErrorKind};
use jiff::SignedDuration;

use super::daemon::{Crashed, Death};
use super::{World, keys_of};

impl World {
    /// The next event; `Some`: the daemon's life ends with it.
    pub(super) async fn happen(&mut self, engine: &mut Engine) -> Result<Option<Death>, Crashed> {
        let now = self.clock.monotonic();
        let chance = &mut self.chance;
        self.next_event = now + Duration::from_secs(chance.between(1, 2 * self.pace));
        self.next_event += Duration::from_micros(chance.between(1, 999_999));
        match chance.between(0, 15) {
            0 => return Ok(Some(Death::Killed)),
            1..=3 => {
                let (before, after) = ("fuses before a commit", "fuses after a commit");
                let moment = self.light_fuse(6);
                self.count(if moment == Moment::BeforeCommit {
                    before
                } else {
                    after
                });
            }
            4 | 5 => {
                let calls = chance.between(1, 3);
                self.server.light_fuse(calls);
                self.count("fuses at a call");
            }
            6 => return Ok(Some(Death::Stopped)),
            7..=9 => self.reload(engine).await?,
            10 | 11 => self.step_wall(),
            trouble => self.make_trouble(trouble),
        }
        Ok(None)
    }

    /// The process is to die at one of its next commits.
    fn light_fuse(&mut self, most: u64) -> Moment {
        let moment = self
            .chance
            .pick(&[Moment::BeforeCommit, Moment::AfterCommit]);
        let commits = self.chance.between(1, most);
        self.mischief.light_fuse(moment, commits);
        moment
    }

    async fn reload(&mut self, engine: &mut Engine) -> Result<(), Crashed> {
        self.edit();
        let jobs = self.jobset();
        let keys = keys_of(&jobs);
        let reloaded = self.attend(engine.reload(jobs, "world", &[])).await?;
        // Where the ledger fails the old configuration stays.
        if reloaded.is_ok() {
            self.tell_the_limits(&keys);
            self.count("reloads");
        } else {
            self.count("reloads that the disk refused");
        }
        self.unwell_until(Duration::from_secs(60));
        Ok(())
    }

    /// Disk or server are not well, for a spell.
    fn make_trouble(&mut self, kind: u64) {
        let now = self.clock.monotonic();
        let chance = &mut self.chance;
        let spell = Duration::from_secs(chance.scale(2, self.pace.max(4)));
        let (longest, what) = match kind {
            12 => {
                let kinds = [
                    StoreErrorKind::Full,
                    StoreErrorKind::Io,
                    StoreErrorKind::Busy,
                ];
                self.mischief.fail(chance.pick(&kinds));
                (Duration::from_secs(900), "failing disks")
            }
            13 => {
                self.mischief.slow_down(chance.scale(100, 30_000));
                (Duration::from_secs(600), "slow disks")
            }
            14 => {
                self.server.refuse_key(chance.between(0, 2) as usize);
                (Duration::MAX, "keys called invalid")
            }
            _ => {
                self.server.disappear();
                (Duration::MAX, "server unreachable")
            }
        };
        self.relief = Some(now + spell.min(longest));
        self.count(what);
    }

    /// A start is no safer than anything else.
    pub(super) fn trouble_the_start(&mut self) {
        match self.chance.between(0, 7) {
            0 | 1 => {
                self.light_fuse(4);
                self.count("fuses at a start");
            }
            2 => {
                let spell = Duration::from_secs(self.chance.scale(2, 60));
                self.mischief.fail(StoreErrorKind::Full);
                self.relief = Some(self.clock.monotonic() + spell);
                self.count("disks failing at a start");
            }
            _ => {}
        }
    }

    /// The wall clock is set, or the machine sleeps: its monotonic clock stands still then.
    pub(super) fn step_wall(&mut self) {
        let chance = &mut self.chance;
        let millis = match chance.between(0, 3) {
            0 => chance.scale(1, 9_000),
            1 | 2 => chance.scale(9_000, 3_000_000),
            _ => chance.scale(3_000_000, (self.pace * 1_000).max(4_000_000)),
        };
        let (ahead, sleeps) = (chance.happens(0.6), chance.happens(0.25));
        let millis = millis as i64 * if ahead || sleeps { 1 } else { -1 };
        self.move_wall(SignedDuration::from_millis(millis));
        self.count(match (sleeps, ahead) {
            (true, _) => "suspends",
            (false, true) => "clock steps ahead",
            (false, false) => "clock steps back",
        });
    }

    pub(super) fn move_wall(&mut self, step: SignedDuration) {
        let before = self.clock.now();
        self.clock.step_wall(step);
        self.clocks.note(&self.clock);
        let after = self.clock.now();
        let margin = Duration::from_secs(180);
        self.unwell
            .push((before.min(after) - margin, before.max(after) + margin));
        if after > before {
            self.jumps
                .push((before.as_microsecond(), after.as_microsecond()));
        } else {
            self.set_back.push((after - margin, before + margin));
        }
        // Until a large jump is believed, orders are carried out by the clock of before it.
        if step > SignedDuration::from_hours(1) {
            self.set_back.push((before - margin, before + margin));
        }
        self.latest = self.latest.max(after);
    }
}

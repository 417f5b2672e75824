//! What state a job is in × how its definition changes × how the daemon learns of it × what becomes
//! of missed ticks: each with the ledger it must leave. Nothing of it fires the past unless asked.
//!
//! The story: `a` is due every minute from 00:01 to 00:08. At 1:30 it is paused or disabled, at 3:30
//! its definition changes, at 6:30 it is resumed or enabled. Where the daemon goes away at 3:30 it is
//! back at 5:30, so that 00:04 and 00:05 fall into nobody's time.

use std::time::Duration;

use super::{pause_job, resume};
use crate::support::house::{House, job};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Paused,
    PausedAndResumed,
    DisabledAndEnabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    None,
    /// Every other minute from now on.
    Schedule,
    Kwargs,
    /// `a` becomes `b`.
    Rename,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The file changes, and the daemon is not told before it must be for something else.
    Untold,
    Reload,
    Restart,
    Kill,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    state: State,
    edit: Edit,
    way: Way,
    catchup: &'static str,
}

/// In half minutes, as instants are counted here: 1:30, 3:30, 5:30 and 6:30.
const HELD: u32 = 3;
const CHANGED: u32 = 7;
const BACK: u32 = 11;
const FREED: u32 = 13;

impl Cell {
    fn is_down(self) -> bool {
        matches!(self.way, Way::Restart | Way::Kill)
    }

    /// When the new definition begins to rule, in half minutes.
    fn takes_effect(self) -> Option<u32> {
        match self.way {
            Way::Reload => Some(CHANGED),
            Way::Restart | Way::Kill => Some(BACK),
            // It comes along with the reload that enables.
            Way::Untold if self.state == State::DisabledAndEnabled => Some(FREED),
            Way::Untold => None,
        }
    }

    fn jobs(self, is_edited: bool, is_enabled: bool) -> Vec<String> {
        let edit = if is_edited { self.edit } else { Edit::None };
        let more = format!("catchup: {}, enabled: {is_enabled}", self.catchup);
        let (name, schedule) = match edit {
            Edit::None | Edit::Kwargs => ("a", "* * * * *"),
            Edit::Schedule => ("a", "*/2 * * * *"),
            Edit::Rename => ("b", "* * * * *"),
        };
        let text = job(name, schedule, &more);
        vec![match edit {
            Edit::Kwargs => text.replace("kwargs: { ", "kwargs: { more: 1, "),
            Edit::None | Edit::Schedule | Edit::Rename => text,
        }]
    }

    fn live(self) -> House {
        let may_disable = self.state == State::DisabledAndEnabled;
        let mut house = House::new(&self.jobs(false, true));
        house.run_until("00:01:30");
        match self.state {
            State::Running => {}
            State::Paused | State::PausedAndResumed => _ = pause_job(&mut house, "a"),
            State::DisabledAndEnabled => _ = house.reload(&self.jobs(false, false)),
        }
        house.run_until("00:03:30");
        let changed = self.jobs(true, !may_disable);
        match self.way {
            Way::Untold => house.rewrite(&changed),
            Way::Reload => _ = house.reload(&changed),
            Way::Restart => house.stop(Duration::ZERO),
            Way::Kill => house.crash(),
        }
        if self.is_down() {
            house.rewrite(&changed);
            house.advance_to("00:05:30");
            house.open();
        }
        house.run_until("00:06:30");
        match self.state {
            State::Running | State::Paused => {}
            State::PausedAndResumed => _ = resume(&mut house, "a"),
            State::DisabledAndEnabled => _ = house.reload(&self.jobs(true, true)),
        }
        house.run_until("00:08:30");
        house
    }

    /// What the ledger must say, by the words of the contract and by nothing of the engine's.
    fn expected(self, name: &str) -> Vec<String> {
        let ends = (1..=8).filter_map(|minute| {
            let end = self.end(name, minute)?;
            Some(format!("00:0{minute}:00 {end}"))
        });
        ends.collect()
    }

    /// What becomes of a minute under a name; `None`: there is no tick.
    fn end(self, name: &str, minute: u32) -> Option<&'static str> {
        let instant = 2 * minute;
        let is_new = self.takes_effect().is_some_and(|from| instant > from);
        let (ruling, every) = match (self.edit, is_new) {
            (Edit::Rename, true) => ("b", 1),
            (Edit::Schedule, true) => ("a", 2),
            _ => ("a", 1),
        };
        let is_held = instant > HELD && (instant < FREED || self.state == State::Paused);
        let is_disabled = self.state == State::DisabledAndEnabled && is_held;
        if name != ruling || !minute.is_multiple_of(every) || is_disabled {
            return None;
        }
        // A pause is the name's, whatever its definition and whether anybody was there.
        let is_paused = matches!(self.state, State::Paused | State::PausedAndResumed) && is_held;
        if is_paused && name == "a" {
            return Some("skipped/paused");
        }
        if !self.is_down() || !(CHANGED..BACK).contains(&instant) {
            return Some("success");
        }
        let closes_the_past = matches!(self.edit, Edit::Schedule | Edit::Rename);
        Some(match (self.catchup, minute) {
            _ if closes_the_past => "missed/daemon_down",
            ("all", _) | ("latest", 5) => "catchup success",
            ("latest", _) => "missed/catchup",
            _ => "missed/daemon_down",
        })
    }
}

/// Catch-up runs are told by their end alone where they were not made.
fn runs(house: &House, name: &str) -> Vec<String> {
    let runs = house.runs(name);
    runs.iter()
        .map(|run| run.replace("catchup missed", "missed"))
        .collect()
}

fn hold(catchup: &'static str) {
    let mut cells = 0;
    for state in [
        State::Running,
        State::Paused,
        State::PausedAndResumed,
        State::DisabledAndEnabled,
    ] {
        for edit in [Edit::None, Edit::Schedule, Edit::Kwargs, Edit::Rename] {
            for way in [Way::Untold, Way::Reload, Way::Restart, Way::Kill] {
                let cell = Cell {
                    state,
                    edit,
                    way,
                    catchup,
                };
                // That its audit is clean, and that every call has its row, is seen when it falls down.
                let house = cell.live();
                for name in ["a", "b"] {
                    assert_eq!(runs(&house, name), cell.expected(name), "{name}: {cell:?}");
                }
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 64);
}

#[test]
fn every_state_edit_and_way_leaves_its_ledger_where_nothing_is_caught_up() {
    hold("none");
}

#[test]
fn every_state_edit_and_way_leaves_its_ledger_where_the_latest_tick_is_caught_up() {
    hold("latest");
}

#[test]
fn every_state_edit_and_way_leaves_its_ledger_where_all_ticks_are_caught_up() {
    hold("all");
}

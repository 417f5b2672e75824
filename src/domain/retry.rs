//! How long until the retry, and whether there is one (contract, section 4).
//!
//! Pure: the present, the unit of jitter and the next tick are parameters. A throttled attempt is
//! no failure of the call: it is retried outside `max_attempts`, bounded by the deadline and the
//! next tick alone.

use std::time::Duration;

use jiff::Timestamp;

use super::job::RetryPolicy;
use super::outcome::Outcome;
use super::run::{Reason, RunState};

/// The shortest wait that a throttled reply can ask for.
pub const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The longest wait that a throttled reply can ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// The outcomes that are retried where a job does not say (the table of section 4): those that
/// ran nothing, and for an idempotent job those that may have run.
pub fn default_on(idempotent: bool) -> Vec<Outcome> {
    let safe = [Outcome::Throttled, Outcome::NetworkError];
    let repeatable = NEEDS_IDEMPOTENT.into_iter().filter(|_| idempotent);
    safe.into_iter().chain(repeatable).collect()
}

/// The outcomes whose retry may do a thing twice: only an `idempotent` job may list them in `on`.
pub const NEEDS_IDEMPOTENT: [Outcome; 3] =
    [Outcome::FuncTimeout, Outcome::ServerError, Outcome::Unknown];

/// The back-off after `failed` failed attempts (1 or more): `initial_delay · multiplier^(failed-1)`
/// up to `max_delay`, moved by up to ± `jitter` of itself, and never beyond `max_delay`.
/// `jitter_unit` is drawn from [0, 1).
pub fn delay(policy: &RetryPolicy, failed: u32, jitter_unit: f64) -> Duration {
    let longest = policy.max_delay.as_secs_f64();
    let exponent = f64::from(failed.saturating_sub(1));
    let base = (policy.initial_delay.as_secs_f64() * policy.multiplier.powf(exponent)).min(longest);
    let spread = policy.jitter.clamp(0.0, 1.0) * (2.0 * jitter_unit.clamp(0.0, 1.0) - 1.0);
    let seconds = (base * (1.0 + spread)).clamp(0.0, longest);
    // Not a number (0 · ∞, of a zero initial delay): there is nothing to wait for.
    let exact = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
    // What the ledger can hold: a part of a microsecond more would have the engine wait for an instant
    // that its clock, which counts as the ledger does, shows only a microsecond later.
    exact - Duration::from_nanos(u64::from(exact.subsec_nanos() % 1_000))
}

/// An attempt that has just been judged, and where its run stands.
#[derive(Clone, Debug)]
pub struct Situation {
    /// What became of the attempt.
    pub outcome: Outcome,
    /// Why, where that is `unknown`.
    pub unknown_reason: Option<Reason>,
    /// The reason of an earlier attempt of the run that was `unknown`, if there was one.
    pub unknown_before: Option<Reason>,
    /// Attempts of the run so far, this one among them.
    pub attempts: u32,
    /// Those of them that were not throttled.
    pub counted: u32,
    /// The attempt's end.
    pub now: Timestamp,
    /// The first attempt's opening plus the job's `deadline`.
    pub deadline: Timestamp,
    /// The first tick after `now`, for a live run; other triggers have none.
    pub next_tick: Option<Timestamp>,
    /// What the reply asked to wait (`waitSeconds`, `Retry-After`).
    pub retry_after: Option<Duration>,
}

/// What becomes of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt, not before this instant.
    Retry {
        /// Opening it earlier would break the back-off.
        not_before: Timestamp,
    },
    /// The run is over.
    Final {
        /// `success`, `failed` or `unknown`.
        state: RunState,
        /// Why, unless it is `success`.
        reason: Option<Reason>,
    },
}

/// Decides what follows an attempt. `jitter_unit` is drawn from [0, 1).
pub fn decide(policy: &RetryPolicy, situation: &Situation, jitter_unit: f64) -> Decision {
    let outcome = situation.outcome;
    if outcome == Outcome::Success {
        return Decision::Final {
            state: RunState::Success,
            reason: None,
        };
    }
    let throttled = outcome == Outcome::Throttled;
    let spent = !throttled && situation.counted >= policy.max_attempts;
    if spent || !policy.on.contains(&outcome) {
        return end(situation, Reason::Outcome(outcome));
    }

    let wait = match situation.retry_after.filter(|_| throttled) {
        Some(asked) => asked.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER),
        // Each kind of failure has a back-off of its own: a run that was throttled five times
        // has not failed to connect even once.
        None if throttled => delay(
            policy,
            situation.attempts.saturating_sub(situation.counted),
            jitter_unit,
        ),
        None => delay(policy, situation.counted, jitter_unit),
    };
    let not_before = situation.now.checked_add(wait).unwrap_or(Timestamp::MAX);
    let next_tick = situation.next_tick.filter(|_| !policy.into_next_tick);
    match next_tick {
        // Where both are in the way, the earlier one is the cause.
        Some(tick) if tick < situation.deadline && not_before >= tick => {
            end(situation, Reason::NextTick)
        }
        _ if not_before >= situation.deadline => end(situation, Reason::Deadline),
        _ => Decision::Retry { not_before },
    }
}

/// The end of a run without success. What may have taken effect once is never called failed.
fn end(situation: &Situation, reason: Reason) -> Decision {
    let unknown = match situation.outcome {
        Outcome::Unknown => Some(situation.unknown_reason.unwrap_or(Reason::NoReply)),
        _ => situation.unknown_before,
    };
    match unknown {
        Some(reason) => Decision::Final {
            state: RunState::Unknown,
            reason: Some(reason),
        },
        None => Decision::Final {
            state: RunState::Failed,
            reason: Some(reason),
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            max_attempts: 3,
            initial_delay: Duration::from_secs(5),
            multiplier: 2.0,
            max_delay: Duration::from_secs(300),
            jitter: 0.2,
            on: default_on(true),
            into_next_tick: false,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn situation(outcome: Outcome) -> Situation {
        Situation {
            outcome,
            unknown_reason: (outcome == Outcome::Unknown).then_some(Reason::Engine),
            unknown_before: None,
            attempts: 1,
            counted: u32::from(outcome != Outcome::Throttled),
            now: at(1_000),
            deadline: at(1_900),
            next_tick: None,
            retry_after: None,
        }
    }

    fn ended(state: RunState, reason: Reason) -> Decision {
        Decision::Final {
            state,
            reason: Some(reason),
        }
    }

    #[test]
    fn only_an_idempotent_job_repeats_what_may_have_run() {
        assert_eq!(
            default_on(false),
            [Outcome::Throttled, Outcome::NetworkError]
        );
        for outcome in NEEDS_IDEMPOTENT {
            assert!(default_on(true).contains(&outcome));
            let policy = RetryPolicy {
                on: default_on(false),
                ..policy()
            };
            assert!(matches!(
                decide(&policy, &situation(outcome), 0.5),
                Decision::Final { .. }
            ));
        }
    }

    #[test]
    fn the_back_off_doubles_up_to_its_cap() {
        let seconds: Vec<_> = (1..=8)
            .map(|failed| delay(&policy(), failed, 0.5).as_secs())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(delay(&policy(), 1, 0.0), Duration::from_secs(4));
    }

    #[test]
    fn a_success_ends_the_run_whatever_went_before() {
        let after_unknown = Situation {
            unknown_before: Some(Reason::NoReply),
            ..situation(Outcome::Success)
        };
        let success = Decision::Final {
            state: RunState::Success,
            reason: None,
        };
        assert_eq!(decide(&policy(), &after_unknown, 0.5), success);
    }

    #[test]
    fn attempts_run_out_but_not_for_throttled_ones() {
        let spent = Situation {
            attempts: 3,
            counted: 3,
            ..situation(Outcome::NetworkError)
        };
        assert_eq!(
            decide(&policy(), &spent, 0.5),
            ended(RunState::Failed, Reason::Outcome(Outcome::NetworkError))
        );
        let throttled = Situation {
            attempts: 7,
            counted: 3,
            deadline: at(100_000),
            ..situation(Outcome::Throttled)
        };
        assert_eq!(
            decide(&policy(), &throttled, 0.5),
            // the fourth throttled one: 5 s doubled three times
            Decision::Retry {
                not_before: at(1_040)
            }
        );
    }

    #[test]
    fn a_throttled_reply_is_obeyed_within_a_second_and_five_minutes() {
        for (asked, waited) in [(0, 1), (7, 7), (3_600, 300)] {
            let asked = Situation {
                retry_after: Some(Duration::from_secs(asked)),
                ..situation(Outcome::Throttled)
            };
            let Decision::Retry { not_before } = decide(&policy(), &asked, 0.5) else {
                panic!("no retry");
            };
            assert_eq!(not_before, at(1_000 + waited));
        }
        // and only a throttled one: nobody else may slow a job down
        let other = Situation {
            retry_after: Some(Duration::from_secs(200)),
            ..situation(Outcome::NetworkError)
        };
        assert_eq!(
            decide(&policy(), &other, 0.5),
            Decision::Retry {
                not_before: at(1_005)
            }
        );
    }

    #[test]
    fn a_retry_at_or_after_the_next_tick_ends_a_live_run() {
        for outcome in [Outcome::NetworkError, Outcome::Throttled] {
            let with_tick = |tick| Situation {
                next_tick: Some(at(tick)),
                ..situation(outcome)
            };
            assert_eq!(
                decide(&policy(), &with_tick(1_005), 0.5),
                ended(RunState::Failed, Reason::NextTick)
            );
            let retried = Decision::Retry {
                not_before: at(1_005),
            };
            assert_eq!(decide(&policy(), &with_tick(1_006), 0.5), retried);
            let into = RetryPolicy {
                into_next_tick: true,
                ..policy()
            };
            assert_eq!(decide(&into, &with_tick(1_001), 0.5), retried);
        }
    }

    #[test]
    fn a_retry_at_or_after_the_deadline_ends_the_run_and_the_earlier_bound_is_the_cause() {
        let late = Situation {
            deadline: at(1_005),
            ..situation(Outcome::NetworkError)
        };
        assert_eq!(
            decide(&policy(), &late, 0.5),
            ended(RunState::Failed, Reason::Deadline)
        );
        for (tick, reason) in [(1_002, Reason::NextTick), (1_004, Reason::Deadline)] {
            let both = Situation {
                deadline: at(1_003),
                next_tick: Some(at(tick)),
                ..situation(Outcome::NetworkError)
            };
            assert_eq!(
                decide(&policy(), &both, 0.5),
                ended(RunState::Failed, reason)
            );
        }
    }

    #[test]
    fn a_run_with_an_unknown_attempt_never_ends_failed() {
        let now_unknown = Situation {
            counted: 3,
            unknown_before: Some(Reason::Redirect),
            ..situation(Outcome::Unknown)
        };
        assert_eq!(
            decide(&policy(), &now_unknown, 0.5),
            ended(RunState::Unknown, Reason::Engine)
        );
        for cut in [
            Situation {
                deadline: at(1_001),
                ..situation(Outcome::NetworkError)
            },
            Situation {
                next_tick: Some(at(1_001)),
                ..situation(Outcome::NetworkError)
            },
            situation(Outcome::FuncFailed),
        ] {
            let before = Situation {
                unknown_before: Some(Reason::BadReply),
                ..cut
            };
            assert_eq!(
                decide(&policy(), &before, 0.5),
                ended(RunState::Unknown, Reason::BadReply)
            );
        }
    }

    prop_compose! {
        fn any_policy()(
            initial in 0u64..1_000_000,
            multiplier in 1.0f64..1e6,
            longest in 0u64..1_000_000,
            jitter in 0.0f64..=1.0,
        ) -> RetryPolicy {
            RetryPolicy {
                initial_delay: Duration::from_millis(initial),
                multiplier,
                max_delay: Duration::from_millis(longest),
                jitter,
                ..policy()
            }
        }
    }

    proptest! {
        #[test]
        fn no_delay_is_longer_than_the_cap(
            policy in any_policy(), failed in 0u32.., unit in 0.0f64..1.0,
        ) {
            // a nanosecond for the way through f64
            let cap = policy.max_delay + Duration::from_nanos(1);
            prop_assert!(delay(&policy, failed, unit) <= cap);
        }

        #[test]
        fn a_delay_is_of_whole_microseconds(
            policy in any_policy(), failed in 1u32..2_000, unit in 0.0f64..1.0,
        ) {
            prop_assert_eq!(delay(&policy, failed, unit).subsec_nanos() % 1_000, 0);
        }

        #[test]
        fn delays_grow_but_for_the_jitter(
            policy in any_policy(), failed in 1u32..2_000, unit in 0.0f64..1.0,
        ) {
            prop_assert!(delay(&policy, failed, unit) <= delay(&policy, failed + 1, unit));
        }

        #[test]
        fn a_retry_opens_neither_before_now_nor_at_a_bound(
            policy in any_policy(),
            outcome in proptest::sample::select(Outcome::ALL.to_vec()),
            counted in 0u32..10, throttled in 0u32..10,
            deadline in 0i64..3_000, tick in proptest::option::of(1_001i64..3_000),
            unit in 0.0f64..1.0,
        ) {
            let situation = Situation {
                attempts: counted + throttled,
                counted,
                deadline: at(deadline),
                next_tick: tick.map(at),
                ..situation(outcome)
            };
            match decide(&policy, &situation, unit) {
                Decision::Retry { not_before } => {
                    prop_assert!(not_before >= situation.now);
                    prop_assert!(not_before < situation.deadline);
                    prop_assert!(situation.next_tick.is_none_or(|tick| not_before < tick));
                    prop_assert!(counted < policy.max_attempts || outcome == Outcome::Throttled);
                }
                Decision::Final { state, reason } => {
                    prop_assert!(state.is_final());
                    prop_assert_eq!(reason.is_none(), state == RunState::Success);
                }
            }
        }
    }
}

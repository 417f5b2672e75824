//! A daemon of the simulated world, from its start to its end, and the driver's part in it.

use std::pin::pin;
use std::time::Duration;

use funcron::engine::{Engine, Step};
use funcron::store::{Held, Ledger};
use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::{World, is_the_disks};

/// More steps at one instant are a hot loop.
const MOST_STEPS: u32 = 2_000;

/// Turns of the runtime in which whoever a moment has woken does what it can without another thread. In
/// more of them a thread that reads might be done or not, and a seed would not repeat itself (of 1,000
/// seeds 42 did not, with 64).
pub(super) const TURNS: u32 = 8;

/// Turns in which a lead is written. More than the store's writer waits for company, which would else still
/// wait when time goes on.
const TURNS_OF_A_LEAD: u32 = 64;

/// What waits when nothing more is due has ended after so long.
const DRAIN: Duration = Duration::from_secs(3 * 86_400);

pub(super) struct Daemon {
    pub(super) runtime: Runtime,
    pub(super) engine: Engine,
    pub(super) ledger: Ledger,
    pub(super) held: Held,
}

/// How a daemon's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Killed,
    Stopped,
    /// The story is over.
    Last,
}

/// The process died.
pub(super) struct Crashed;

impl Daemon {
    pub(super) fn live(&mut self, world: &mut World) -> Death {
        let Self {
            runtime, engine, ..
        } = self;
        let life: Result<Death, Crashed> = runtime.block_on(async {
            let mut lives = false;
            let mut guard = (world.clock.monotonic(), 0);
            loop {
                if world.is_over() {
                    return Ok(Death::Last);
                }
                let step = step_until(world, engine, &mut guard, None).await?;
                let now = world.clock.now().as_microsecond();
                match world.lives.last_mut() {
                    Some(life) if lives => life.1 = now,
                    _ if step.is_some() => {
                        world.lives.push((now, now));
                        lives = true;
                    }
                    _ => {}
                }
                if world.clock.monotonic() >= world.next_order && !world.has_moved_on {
                    let in_flight = step.map_or(0, |step| step.in_flight);
                    world.order(engine, in_flight).await?;
                }
                if world.clock.monotonic() >= world.next_event
                    && let Some(death) = world.happen(engine).await?
                {
                    return Ok(death);
                }
            }
        });
        life.unwrap_or(Death::Killed)
    }

    /// Nothing is due any more, nothing goes wrong any more: whatever waits has to end.
    pub(super) fn drain(&mut self, world: &mut World) {
        world.relieve();
        world.server.calm_down();
        if world.clock.now() < world.latest {
            let behind = world.latest.duration_since(world.clock.now());
            world.move_wall(behind);
        }
        world.setup.end();
        let jobs = world.jobset();
        let end = world.clock.monotonic() + DRAIN;
        (world.until, world.next_event) = (Duration::MAX, Duration::MAX);
        world.next_order = Duration::MAX;
        let Self {
            runtime, engine, ..
        } = self;
        let drained = runtime.block_on(async {
            let mut guard = (world.clock.monotonic(), 0);
            let begin = world.clock.monotonic() + Duration::from_secs(120);
            // A jump of the clock that was still in doubt is believed after a minute.
            while world.clock.monotonic() < begin {
                let step = step_until(world, engine, &mut guard, Some(begin)).await?;
                if step.is_some_and(|step| is_idle(&step)) {
                    let left = begin - world.clock.monotonic();
                    world.pass(left);
                }
            }
            let reloaded = world.attend(engine.reload(jobs, "world", &[])).await?;
            assert!(reloaded.is_ok(), "seed {}: {reloaded:?}", world.seed);
            loop {
                let step = step_until(world, engine, &mut guard, Some(end)).await?;
                if step.is_some_and(|step| is_idle(&step)) {
                    return Ok(true);
                }
                if world.clock.monotonic() >= end {
                    return Ok(false);
                }
            }
        });
        match drained {
            Ok(true) => {}
            Ok(false) => panic!("seed {}: a run waits for ever", world.seed),
            Err(Crashed) => panic!("seed {}: a crash out of time", world.seed),
        }
    }

    pub(super) fn stop(self, world: &mut World) {
        let Self {
            runtime,
            mut engine,
            ledger,
            held,
        } = self;
        let begin = world.clock.monotonic();
        let server = world.server.clone();
        let stopped = runtime.block_on(world.attend(async move {
            engine.stop(std::future::ready(())).await;
            drop(engine);
            server.look_away();
            held.release(ledger).await;
        }));
        match stopped {
            Ok(()) => world.count("stops"),
            Err(Crashed) => {
                world.count("crashes");
                runtime.shutdown_background();
            }
        }
        world.stops.push((begin, world.clock.monotonic()));
        // What the stop could not record either is open still.
        world.mark_the_cut_off();
    }
}

/// Nothing is under way, and nothing ever will be.
fn is_idle(step: &Step) -> bool {
    step.wake.is_none() && step.waiting == 0 && step.in_flight == 0
}

/// A step, and then the time until something happens. The driver's part.
async fn step_until(
    world: &mut World,
    engine: &mut Engine,
    guard: &mut (Duration, u32),
    end: Option<Duration>,
) -> Result<Option<Step>, Crashed> {
    let now = world.clock.monotonic();
    if guard.0 != now {
        *guard = (now, 0);
    }
    world.has_moved_on = false;
    guard.1 += 1;
    assert!(guard.1 < MOST_STEPS, "seed {}: a hot loop", world.seed);
    let step = match world.attend(engine.step()).await? {
        Ok(step) => step,
        Err(error) => {
            assert!(
                is_the_disks(&error),
                "seed {}: a step failed: {error}",
                world.seed
            );
            world.count("steps that the disk refused");
            world.pass(Duration::from_secs(1));
            return Ok(None);
        }
    };
    if world.relief.is_none() {
        world.well_at = world.clock.now();
    }
    if step.in_flight > 0 {
        let (clock, mischief) = (world.clock.clone(), world.mischief.clone());
        tokio::select! {
            biased;
            () = mischief.until_crashed() => return Err(Crashed),
            () = clock.until_asleep(step.in_flight) => {}
            () = mischief.until_stalled() => {
                settle(TURNS).await;
            }
            () = engine.idle(None) => {
                world.has_moved_on = true;
                return Ok(Some(step));
            }
        }
        if mischief.has_crashed() {
            return Err(Crashed);
        }
    }
    let now = world.clock.now();
    let over = end.is_some() && is_idle(&step);
    if over || step.wake.is_some_and(|wake| wake <= now) {
        return Ok(Some(step));
    }
    let monotonic = world.clock.monotonic();
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).ok();
    let others = [
        world.clock.next_waking(),
        Some(world.next_event),
        Some(world.next_order),
        world.relief,
        Some(world.until),
        end,
    ];
    let others = others
        .into_iter()
        .flatten()
        .map(|at| at.saturating_sub(monotonic));
    let next = step.wake.and_then(until).into_iter().chain(others).min();
    let next = next.unwrap_or_default();
    if let Some(lead) = engine.next_lead()
        && let begins = until(lead.start).unwrap_or_default()
        && begins < next
    {
        world.pass(begins);
        take_lead(world, engine, lead.end).await?;
    } else if next < Duration::MAX / 2 {
        world.pass(next);
        // Whoever this wakes is awake before the next step.
        settle(TURNS).await;
    }
    Ok(Some(step))
}

/// The lead of `tick`, which has begun, and the time until then. The driver's part.
async fn take_lead(world: &mut World, engine: &mut Engine, tick: Timestamp) -> Result<(), Crashed> {
    let (called_away, mischief) = (Notify::new(), world.mischief.clone());
    let mut lead = pin!(engine.take_lead(called_away.notified()));
    while world.clock.now() < tick {
        tokio::select! {
            biased;
            () = mischief.until_crashed() => return Err(Crashed),
            _ = &mut lead => {
                world.count("leads that were not taken");
                return Ok(());
            }
            // All is written that will be, and waits for the instant.
            () = settle(TURNS_OF_A_LEAD) => {}
        }
        let monotonic = world.clock.monotonic();
        let meddling = world.next_event.min(world.next_order);
        if meddling <= monotonic {
            called_away.notify_one();
            break;
        }
        let left = Duration::try_from(tick.duration_since(world.clock.now())).unwrap_or_default();
        let waking = world.clock.next_waking().into_iter().chain(world.relief);
        let others = waking.map(|at| at.saturating_sub(monotonic));
        let next = others.chain([left, meddling - monotonic]).min();
        world.pass(next.unwrap_or_default());
    }
    let has_come = world.attend(lead).await?;
    world.count(match has_come {
        true => "leads",
        false => "leads that were broken off",
    });
    Ok(())
}

/// Whoever is awake does what there is to do.
pub(super) async fn settle(turns: u32) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

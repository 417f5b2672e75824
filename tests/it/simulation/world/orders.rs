//! What people order meanwhile, drawn from the seed.

use std::time::Duration;

use funcron::domain::job::JobName;
use funcron::domain::json::Json;
use funcron::domain::run::RunId;
use funcron::domain::workspace::WorkspaceName;
use funcron::engine::{
    BackfillOrder, Cancelled, Command, CommandError, Engine, PauseOrder, Reply, ResumeOrder,
    Selection, TriggerOrder,
};
use jiff::{SignedDuration, Timestamp};

use super::daemon::Crashed;
use super::{World, is_the_disks};
use crate::simulation::chance::Chance;
use crate::simulation::facts;

/// An order, and what became of it. Its actor is its own, so that its events are told from others'.
pub(crate) struct Given {
    pub(crate) actor: String,
    pub(crate) command: Command,
    /// The monotonic instant of the answer, or of the death.
    pub(crate) answered: Duration,
    pub(crate) answer: Answer,
}

#[derive(Debug)]
pub(crate) enum Answer {
    Done(Reply),
    /// Nothing was done.
    Refused,
    /// The ledger failed; nothing was done.
    Failed,
    /// The daemon died before it answered.
    Died,
}

impl World {
    /// Gives one order, when everybody who could do something waits for time to pass.
    pub(super) async fn order(
        &mut self,
        engine: &mut Engine,
        in_flight: usize,
    ) -> Result<(), Crashed> {
        let (clock, mischief) = (self.clock.clone(), self.mischief.clone());
        if in_flight > 0 {
            tokio::select! {
                biased;
                () = mischief.until_crashed() => return Err(Crashed),
                () = clock.until_asleep(in_flight) => {}
                () = mischief.until_stalled() => {}
                () = engine.idle(None) => return Ok(()),
            }
        }
        let pace = self.chance.between(1, 2 * self.order_pace);
        self.next_order = clock.monotonic() + Duration::from_secs(pace);
        let Some(command) = self.draw().await else {
            return Ok(());
        };
        let actor = format!("person-{}", self.orders.len());
        let answer = self.attend(engine.command(command.clone(), &actor)).await;
        let (answer, crashed) = match answer {
            // Before the call that is given up can say so itself, half of the time: the order alone
            // must do.
            Ok(Ok(reply @ Reply::Cancelled(Cancelled::GivenUp))) => {
                let dies = Chance::of(self.seed, &actor).happens(0.5);
                (Answer::Done(reply), dies)
            }
            Ok(Ok(reply)) => (Answer::Done(reply), false),
            Ok(Err(CommandError::Store(error))) => {
                assert!(is_the_disks(&error), "seed {}: {error}", self.seed);
                (Answer::Failed, false)
            }
            Ok(Err(_)) => (Answer::Refused, false),
            Err(Crashed) => (Answer::Died, true),
        };
        self.count(counted_as(&command, &answer));
        self.orders.push(Given {
            actor,
            command,
            answered: self.clock.monotonic(),
            answer,
        });
        if crashed { Err(Crashed) } else { Ok(()) }
    }

    async fn draw(&mut self) -> Option<Command> {
        match self.chance.between(0, 15) {
            0..=2 => Some(self.draw_pause()),
            3..=5 => Some(Command::Resume(ResumeOrder {
                jobs: self.draw_selection(),
                reason: None,
            })),
            6 | 7 => Some(Command::Trigger(self.draw_trigger())),
            8..=10 => {
                let (running, open) = ("state = 'running'", "state IN ('waiting', 'running')");
                let run = match self.draw_run(running).await {
                    Some(run) => run,
                    None => self.draw_run(open).await?,
                };
                Some(Command::Cancel(run))
            }
            11 => Some(Command::Resolve {
                run: self.draw_run("state = 'unknown'").await?,
                succeeded: self.chance.happens(0.5),
                note: "asked the owner".to_owned(),
            }),
            12..=14 => Some(Command::Backfill(self.draw_backfill())),
            _ => Some(Command::Replay(self.draw_run("attempts > 0").await?)),
        }
    }

    fn draw_job(&mut self) -> JobName {
        let at = self.chance.between(0, self.setup.jobs.len() as u64 - 1);
        let name = if self.chance.happens(0.03) {
            "job-of-nobody"
        } else {
            &self.setup.jobs[at as usize].name
        };
        JobName::parse(name).unwrap()
    }

    fn draw_selection(&mut self) -> Selection {
        match self.chance.between(0, 9) {
            0 => Selection::All,
            1 | 2 => Selection::Workspace(WorkspaceName(self.chance.pick(&["a", "b", "c"]).into())),
            _ => Selection::Job(self.draw_job()),
        }
    }

    fn draw_pause(&mut self) -> Command {
        let length = self.chance.scale(1, self.pace.max(2)) as i64;
        // A few that are over before they begin.
        let length = SignedDuration::from_secs(if self.chance.happens(0.05) {
            -1
        } else {
            length
        });
        Command::Pause(PauseOrder {
            jobs: self.draw_selection(),
            reason: self.chance.happens(0.5).then(|| "for a while".to_owned()),
            until: self.chance.happens(0.5).then(|| self.clock.now() + length),
        })
    }

    fn draw_trigger(&mut self) -> TriggerOrder {
        let number = self.orders.len() as u64;
        let given = vec![("by_hand".to_owned(), Json::UInt(number))];
        TriggerOrder {
            job: self.draw_job(),
            kwargs: if self.chance.happens(0.5) {
                given
            } else {
                Vec::new()
            },
        }
    }

    /// A run of which that holds; sometimes any other, of which it is refused.
    async fn draw_run(&mut self, what: &str) -> Option<RunId> {
        let what = if self.chance.happens(0.1) { "1" } else { what };
        let choice = self.chance.next();
        let run = facts::some_run(&self.ledger_path(), what, choice).await?;
        Some(RunId(run.parse().unwrap()))
    }

    fn draw_backfill(&mut self) -> BackfillOrder {
        let job = self.draw_job();
        let period = self
            .setup
            .jobs
            .iter()
            .find(|spec| spec.name == job.as_str());
        let period = period.map_or(60, |spec| spec.period) as i64;
        let now: Timestamp = self.clock.now();
        // More than one part holds, now and then.
        let most = if self.chance.happens(0.08) { 150 } else { 12 };
        let ticks = self.chance.scale(1, most) as i64;
        let back = self.chance.between(0, 20) as i64;
        let until = now - SignedDuration::from_secs(back * period);
        BackfillOrder {
            job,
            from: until - SignedDuration::from_secs(ticks * period),
            until,
            every: self.chance.happens(0.5),
            dry_run: self.chance.happens(0.1),
        }
    }
}

/// For the summary: the verb, and what became of the order.
fn counted_as(command: &Command, answer: &Answer) -> &'static str {
    match (command, answer) {
        (_, Answer::Refused) => "orders refused",
        (_, Answer::Failed) => "orders that the disk refused",
        (_, Answer::Died) => "orders that the daemon died of",
        (Command::Status, _) => "orders: status",
        (Command::Trigger(_), _) => "orders: trigger",
        (Command::Pause(order), _) if order.until.is_some() => "orders: pause until",
        (Command::Pause(_), _) => "orders: pause",
        (Command::Resume(_), _) => "orders: resume",
        (Command::Cancel(_), _) => "orders: cancel",
        (Command::Resolve { .. }, _) => "orders: resolve",
        (Command::Backfill(order), _) if order.dry_run => "orders: backfill, dry",
        (Command::Backfill(_), _) => "orders: backfill",
        (Command::Replay(_), _) => "orders: replay",
        (Command::Prune, _) => "orders: prune",
    }
}

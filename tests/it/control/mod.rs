//! What people order of a running daemon: the commands of the engine in a house with a clock that
//! stands still, and the real binary over its socket.

use funcron::domain::job::JobName;
use funcron::domain::run::RunId;
use funcron::engine::{
    Command, CommandError, PauseAnswer, PauseOrder, Reply, ResumeOrder, Selection, Started,
    TriggerOrder,
};

use crate::support::house::{House, at};

mod absent;
mod audit;
mod backfill;
pub(crate) mod cancel;
mod crash;
mod pause;
mod replay;
mod socket;
mod states;
mod trigger;
mod withdrawn;

fn name(job: &str) -> JobName {
    JobName::parse(job).unwrap()
}

fn order(house: &mut House, command: Command) -> Result<Reply, CommandError> {
    house.run(async |engine| engine.command(command, "a test").await)
}

fn pause(house: &mut House, jobs: Selection, until: Option<&str>) -> PauseAnswer {
    let pause = PauseOrder {
        jobs,
        reason: Some("the reason".to_owned()),
        until: until.map(at),
    };
    match order(house, Command::Pause(pause)) {
        Ok(Reply::Pauses(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

fn pause_job(house: &mut House, job: &str) -> PauseAnswer {
    pause(house, Selection::Job(name(job)), None)
}

fn resumption(jobs: Selection) -> ResumeOrder {
    ResumeOrder {
        jobs,
        reason: Some("the end".to_owned()),
    }
}

fn resume(house: &mut House, job: &str) -> PauseAnswer {
    match order(
        house,
        Command::Resume(resumption(Selection::Job(name(job)))),
    ) {
        Ok(Reply::Pauses(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

fn trigger(house: &mut House, job: &str) -> Started {
    let order_of = TriggerOrder {
        job: name(job),
        kwargs: Vec::new(),
    };
    match order(house, Command::Trigger(order_of)) {
        Ok(Reply::Started(started)) => started,
        other => panic!("{other:?}"),
    }
}

/// The newest run of the job.
fn newest(house: &House, job: &str) -> RunId {
    let ids = house.texts(&format!(
        "SELECT id FROM runs WHERE job = '{job}' ORDER BY created_us DESC, id DESC LIMIT 1"
    ));
    RunId(ids[0].parse().unwrap())
}

/// What was said about a job or a run.
fn events(house: &House, kind: &str) -> Vec<String> {
    house.texts(&format!(
        "SELECT concat_ws(' ', actor, job, detail) FROM events WHERE kind = '{kind}' ORDER BY id"
    ))
}

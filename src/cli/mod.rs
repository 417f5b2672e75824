//! The command line: one file a command, one place that prints (`output`), one table of exit codes
//! (`exit`).
//!
//! Commands that only read open the ledger read-only and need no daemon. What they print on standard
//! output is stable and for machines too; words for people go to standard error.

mod audit;
mod backfill;
mod backup;
mod calendar;
mod cancel;
mod daemon;
mod demo;
mod doctor;
mod exit;
mod export;
mod global;
mod history;
mod jobs;
mod list;
mod moment;
mod next;
mod output;
mod pause;
mod progress;
mod proof;
mod prune;
mod reindent;
mod reload;
mod replay;
mod resolve;
mod run;
mod sandbox;
mod show;
mod stats;
mod status;
mod table;
mod terminal;
mod trigger;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use exit::{Exit, Failure};
use global::Global;

use crate::telemetry;

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   it failed: a run that did not succeed, a broken audit, an unreadable ledger
  2   the command line or the configuration is wrong
  3   there is no such job or run
  4   the daemon does not answer
  5   another daemon holds the ledger
  78  run: a restart cannot help";

/// Cron for Guance functions, with a ledger you can audit.
#[derive(Debug, Parser)]
#[command(name = "funcron", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: call functions on time, record every call
    Run(run::Arguments),
    /// Check the configuration and the quota, print each job with its next three fires
    Validate(validate::Arguments),
    /// Preview when jobs, or a bare expression, will fire
    Next(next::Arguments),
    /// Show a month of calls, hour by hour, against the quota
    Calendar(calendar::Arguments),
    /// List the jobs with their next fire, last run and pause
    List(list::Arguments),
    /// How the daemon is: what runs, what waits, what is paused
    Status,
    /// Start a job now, whatever its schedule says
    Trigger(trigger::Arguments),
    /// Skip the ticks of jobs until they are resumed
    Pause(pause::PauseArguments),
    /// Fire the ticks of paused jobs again, from now on
    Resume(pause::ResumeArguments),
    /// End a run: one that waits, or our waiting for its call
    Cancel(cancel::Arguments),
    /// Note what an unknown run came to, once somebody has looked
    Resolve(resolve::Arguments),
    /// Run the ticks of a range of the past that have no success
    Backfill(backfill::Arguments),
    /// Send a run's recorded request again
    Replay(replay::Arguments),
    /// Have the daemon take over its configuration as it is now
    Reload,
    /// Look back: every attempt, and every tick without one, newest first
    History(history::Arguments),
    /// Show one run whole: requests, replies, and what decided the verdict
    Show(show::Arguments),
    /// Count how runs went, by job, function or day
    Stats(stats::Arguments),
    /// Print every execution, oldest first, as JSON lines or CSV
    Export(export::Arguments),
    /// Delete what is older than `retention` says, or only show it
    Prune(prune::Arguments),
    /// Copy the ledger as it stands, while the daemon goes on
    Backup(backup::Arguments),
    /// Prove the ledger
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check what a daemon stands on: configuration, ledger, disk, clock, socket
    Doctor,
    /// Print the JSON Schema of jobs.yaml, for editors
    Schema,
    /// Stand in for the Guance OpenAPI on this machine
    Sandbox(sandbox::Arguments),
    /// See it work: sandbox, daemon and jobs in one process
    Demo(demo::Arguments),
    /// Print a shell's completion script
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// So many of its own tasks a worker of the runtime takes on before it looks who has been woken from
/// outside. The ledger's writer is, by SQLite's thread, several times in each transaction, and everybody
/// waits for it: by tokio's own measure it stood behind sixty calls of a burst each time.
const OWN_TASKS: u32 = 2;

/// Runs the command that the process's arguments name, and says how the process ends.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, errors to standard error; a reader may have gone.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            }
            .into();
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .global_queue_interval(OWN_TASKS)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(execute(cli)),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("starting threads: {error}"),
        )),
    };
    telemetry::flush();
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::complain(&format!("error: {failure}"));
            failure.exit.into()
        }
    }
}

async fn execute(cli: Cli) -> Result<Exit, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Run(arguments) => run::execute(arguments, &global).await,
        Command::Validate(arguments) => validate::execute(&arguments, &global),
        Command::Next(arguments) => next::execute(&arguments, &global).await,
        Command::Calendar(arguments) => calendar::execute(&arguments, &global),
        Command::List(arguments) => list::execute(&arguments, &global).await,
        Command::Status => status::execute(&global).await,
        Command::Trigger(arguments) => trigger::execute(&arguments, &global).await,
        Command::Pause(arguments) => pause::pause(&arguments, &global).await,
        Command::Resume(arguments) => pause::resume(&arguments, &global).await,
        Command::Cancel(arguments) => cancel::execute(&arguments, &global).await,
        Command::Resolve(arguments) => resolve::execute(&arguments, &global).await,
        Command::Backfill(arguments) => backfill::execute(&arguments, &global).await,
        Command::Replay(arguments) => replay::execute(&arguments, &global).await,
        Command::Reload => reload::execute(&global).await,
        Command::History(arguments) => history::execute(&arguments, &global).await,
        Command::Show(arguments) => show::execute(&arguments, &global).await,
        Command::Stats(arguments) => stats::execute(&arguments, &global).await,
        Command::Backup(arguments) => backup::execute(&arguments, &global).await,
        Command::Export(arguments) => export::execute(&arguments, &global).await,
        Command::Prune(arguments) => prune::execute(&arguments, &global).await,
        Command::Audit(command) => audit::execute(command, &global).await,
        Command::Doctor => doctor::execute(&global).await,
        Command::Schema => schema(&global),
        Command::Sandbox(arguments) => sandbox::execute(arguments, &global).await,
        Command::Demo(arguments) => demo::execute(arguments, &global).await,
        Command::Completions { shell } => completions(shell, &global),
    }
}

fn schema(global: &Global) -> Result<Exit, Failure> {
    let mut printer = global.printer();
    printer.document(&crate::config::schema())?;
    printer.flush()?;
    Ok(Exit::Done)
}

fn completions(shell: Shell, global: &Global) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "funcron", &mut script);
    let mut printer = global.printer();
    printer.line(String::from_utf8_lossy(&script).trim_end())?;
    printer.flush()?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

//! `funcron run`: the daemon.

use clap::ValueEnum;

use super::exit::{Exit, Failure};
use super::global::Global;
use crate::app::{self, AppError, Options};
use crate::config::Environment;
use crate::telemetry::{self, Settings};

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How log lines look on standard error; the journal, where that is, always gets fields
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    log_format: LogFormat,

    /// Take changed files over on SIGHUP and `funcron reload` alone, not by themselves
    #[arg(long)]
    no_watch: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Schedules until it is told to stop.
pub(super) async fn execute(arguments: Arguments, global: &Global) -> Result<Exit, Failure> {
    begin_to_log(arguments.log_format, global);
    let config = global
        .config_file()
        .map_err(|failure| failure.with(Exit::CannotStart))?;
    let options = Options {
        config,
        database: global.database.clone(),
        socket: Environment::process().socket(global.socket.as_deref()),
        watch: !arguments.no_watch,
    };
    match app::run(options).await {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(Failure::because(exit(&error), &error)),
    }
}

fn begin_to_log(format: LogFormat, global: &Global) {
    let environment = Environment::process();
    let settings = Settings {
        filter: environment
            .log()
            .or_else(|| by_flags(global).map(str::to_owned)),
        format: match format {
            LogFormat::Text => telemetry::Format::Text,
            LogFormat::Json => telemetry::Format::Json,
        },
        journal_stream: environment.journal_stream(),
    };
    if let Some(complaint) = telemetry::init(&settings) {
        tracing::warn!("{complaint}");
    }
}

/// The filter that the flags ask for; `$FUNCRON_LOG` says it more exactly and wins.
fn by_flags(global: &Global) -> Option<&'static str> {
    match (global.quiet, global.verbose) {
        (true, _) => Some("warn"),
        (false, 0) => None,
        (false, 1) => Some("funcron=debug,info"),
        (false, _) => Some("funcron=trace,debug"),
    }
}

fn exit(error: &AppError) -> Exit {
    if error.is_locked() {
        Exit::Held
    } else if error.is_permanent() {
        Exit::CannotStart
    } else {
        Exit::Failed
    }
}

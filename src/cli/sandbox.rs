//! `funcron sandbox`: a stand-in for the Guance OpenAPI, to try a `jobs.yaml` without touching
//! production.

use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;

use super::exit::{Exit, Failure};
use super::global::Global;
use crate::config::Environment;
use crate::sandbox::{Generation, Options, Sandbox};
use crate::telemetry::{self, Settings};

/// The arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen; on this machine only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8650")]
    listen: SocketAddr,

    /// A key that is let in; may be given several times. Any key is, where none is given
    #[arg(long = "api-key", value_name = "KEY")]
    api_keys: Vec<String>,

    /// Which engine answers
    #[arg(long, value_enum, value_name = "GENERATION", default_value_t)]
    engine: Engine,

    /// Calls a minute with one key; 0 is no limit
    #[arg(long, value_name = "CALLS", default_value_t = 20)]
    per_key: u32,

    /// Calls a minute with all keys; 0 is no limit
    #[arg(long, value_name = "CALLS", default_value_t = 200)]
    per_workspace: u32,

    /// Milliseconds before each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Engine {
    /// 1.48, as in the API document
    #[default]
    V1,
    /// 5.1
    V5,
}

/// Answers until it is interrupted.
pub(super) async fn execute(arguments: Arguments, global: &Global) -> Result<Exit, Failure> {
    let environment = Environment::process();
    let filter = environment
        .log()
        .or_else(|| global.quiet.then(|| "warn".to_owned()));
    telemetry::init(&Settings {
        filter,
        ..Settings::default()
    });
    let limit = |calls: u32| (calls > 0).then_some(calls);
    let listen = arguments.listen;
    let sandbox = Sandbox::start(Options {
        listen,
        api_keys: arguments.api_keys,
        generation: match arguments.engine {
            Engine::V1 => Generation::V1,
            Engine::V5 => Generation::V5,
        },
        per_key: limit(arguments.per_key),
        per_workspace: limit(arguments.per_workspace),
        latency: Duration::from_millis(arguments.latency),
    })
    .await
    .map_err(|error| Failure::new(Exit::Failed, format!("listening on {listen}: {error}")))?;
    let mut printer = global.printer();
    printer.line(&format!(
        "workspaces: {{ sandbox: {{ base_url: \"{}\", api_key: {{ env: DF_API_KEY }} }} }}",
        sandbox.base_url()
    ))?;
    printer.note("ready: put the line above into a jobs.yaml; Ctrl-C stops");
    interrupted().await?;
    let counters = sandbox.counters();
    printer.note(&format!(
        "{} requests, {} executed, {} with a bad key, {} throttled",
        counters.requests,
        counters.executed,
        counters.bad_key,
        counters.throttled_by_key + counters.throttled_by_workspace
    ));
    sandbox.stop().await;
    Ok(Exit::Done)
}

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn interrupted() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind)
            .map_err(|error| Failure::new(Exit::Failed, format!("listening for signals: {error}")))
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

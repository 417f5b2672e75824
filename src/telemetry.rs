//! Logs: structured, to the journal with fields where there is one, else as text or JSON on stderr.
//!
//! Each line about a run carries `job`, `run_id`, `attempt` and `trace_id`. No line carries a secret:
//! secrets are a type that has nothing to print.

mod lines;

use std::any::Any;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use lines::Lines;

/// How long the end of the process waits for who reads standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lines to standard error.
static LINES: OnceLock<Arc<Lines>> = OnceLock::new();

/// How log lines look where they do not go to the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// What is logged, and where to.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Directives such as `info` or `funcron=debug`; `info` where absent.
    pub filter: Option<String>,
    /// Of stderr.
    pub format: Format,
    /// `$JOURNAL_STREAM`: device and inode of the stream that systemd connected to the journal.
    pub journal_stream: Option<String>,
}

/// Begins to log. Returns what was wrong with the settings, if anything was; logging begins anyhow.
/// A second call does nothing.
pub fn init(settings: &Settings) -> Option<String> {
    let text = settings.filter.as_deref().unwrap_or("info");
    let (filter, complaint) = match EnvFilter::try_new(text) {
        Ok(filter) => (filter, None),
        Err(error) => (
            EnvFilter::new("info"),
            Some(format!(
                "log filter `{text}`: {error}; logging at `info`, write it like `info` or `funcron=debug`"
            )),
        ),
    };
    let begun = Registry::default()
        .with(output(settings).with_filter(filter))
        .try_init();
    if begun.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
    complaint
}

/// Waits until everything that was logged is written, a second at most: to be called before the process
/// ends, and before anything else is written to standard error.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush(PATIENCE);
    }
}

/// A panic is logged like everything else, and by its place: a message that was put together at run
/// time may hold whatever the panicking code held, and the standard hook would print it.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(
        place = place.as_deref().unwrap_or("-"),
        thread = std::thread::current().name().unwrap_or("-"),
        "funcron panicked: {}",
        words(panic.payload())
    );
    // It may be the process's end.
    flush();
}

/// What a panic's payload says if it is a text of the program itself.
fn words(payload: &(dyn Any + Send)) -> &'static str {
    let text = payload.downcast_ref::<&'static str>();
    text.copied()
        .unwrap_or("(its message may hold a secret and is left out)")
}

type Output = Box<dyn Layer<Registry> + Send + Sync>;

fn output(settings: &Settings) -> Output {
    if settings.journal_stream.as_deref().is_some_and(is_stderr)
        && let Ok(journal) = tracing_journald::layer()
    {
        return journal
            .with_field_prefix(Some("FUNCRON".to_owned()))
            .boxed();
    }
    let stderr = fmt::layer().with_writer(to_stderr()).with_target(false);
    match settings.format {
        Format::Json => stderr.json().flatten_event(true).boxed(),
        Format::Text => {
            let colour = io::IsTerminal::is_terminal(&io::stderr());
            stderr.with_ansi(colour).boxed()
        }
    }
}

fn to_stderr() -> BoxMakeWriter {
    match Lines::start(io::stderr()) {
        Ok(lines) => BoxMakeWriter::new(LINES.get_or_init(|| lines).clone()),
        // Without a thread to write them each is written by who logs it.
        Err(_) => BoxMakeWriter::new(io::stderr),
    }
}

/// Whether `dev:inode` is what stderr goes to: a child of a service inherits the variable although
/// its own stderr may go elsewhere (systemd.exec(5)).
fn is_stderr(stream: &str) -> bool {
    let Some((device, inode)) = stream.split_once(':') else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| device.parse() == Ok(stderr.dev()) && inode.parse() == Ok(stderr.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panics_message_is_told_only_where_the_program_itself_wrote_all_of_it() {
        assert_eq!(words(&"unreachable"), "unreachable");
        let made = format!("a token: {}", "CANARY");
        assert!(!words(&made).contains("CANARY"));
    }

    #[test]
    fn a_stream_that_is_not_ours_is_not_the_journal() {
        assert!(!is_stderr("1:1"));
        assert!(!is_stderr("nonsense"));
    }
}

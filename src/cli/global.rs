//! What every command shares: its global flags, and the configuration and the ledger they lead to.

use std::path::PathBuf;

use clap::ArgAction;

use super::exit::{Exit, Failure};
use super::output::{Colors, Format, Printer};
use crate::config::{self, DatabaseUrl, Environment, Loaded};
use crate::store::Reader;

/// The heading of these flags in every help text.
const HEADING: &str = "Global options";

/// Flags that every command takes (contract, section 6).
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Global {
    /// The configuration [default: $FUNCRON_CONFIG, ./jobs.yaml, /etc/funcron/jobs.yaml]
    #[arg(short, long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(crate) config: Option<PathBuf>,

    /// The ledger, such as sqlite:///var/lib/funcron/funcron.db [default: $FUNCRON_DATABASE, the
    /// configuration's]. Commands that only read it then need no configuration
    #[arg(long, global = true, value_name = "URL", help_heading = HEADING)]
    pub(crate) database: Option<String>,

    /// The daemon's socket [default: $FUNCRON_SOCKET, funcron.sock in $RUNTIME_DIRECTORY, /run/funcron
    /// or $XDG_RUNTIME_DIR]
    #[arg(long, global = true, value_name = "PATH", help_heading = HEADING)]
    pub(crate) socket: Option<PathBuf>,

    /// How to answer: table for people; json, jsonl or csv for machines
    #[arg(hide_possible_values = true, short, long, global = true, value_enum, value_name = "FORMAT", default_value_t, help_heading = HEADING)]
    pub(super) output: Format,

    /// Say more; twice, still more
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet", help_heading = HEADING)]
    pub(crate) verbose: u8,

    /// Say nothing but the answer and errors
    #[arg(short, long, global = true, help_heading = HEADING)]
    pub(crate) quiet: bool,

    /// When to use colours: auto is on a terminal, unless NO_COLOR is set; always, never
    #[arg(hide_possible_values = true, long, global = true, value_enum, value_name = "WHEN", default_value_t, help_heading = HEADING)]
    pub(super) color: Colors,
}

impl Global {
    /// The streams, as the flags want them.
    pub(super) fn printer(&self) -> Printer {
        let plain = Environment::process().get("NO_COLOR").is_some();
        Printer::new(self.output, self.color, plain, self.quiet)
    }

    /// Whether a ledger is named and no configuration is: then none is read.
    pub(super) fn is_ledger_alone(&self) -> bool {
        self.config.is_none() && self.database.is_some()
    }

    /// The file to read the configuration from.
    ///
    /// # Errors
    /// Usage, where none is named and none of the usual ones is there.
    pub(crate) fn config_file(&self) -> Result<PathBuf, Failure> {
        config::find_config(self.config.as_deref())
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))
    }

    /// The configuration, its warnings not yet told.
    ///
    /// # Errors
    /// Usage, with every error of the configuration on a line of its own.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        config::load(&self.config_file()?)
            .map_err(|errors| Failure::new(Exit::Usage, errors.to_string()))
    }

    /// The ledger's file: the flag's, `$FUNCRON_DATABASE`, the configuration's, the default. The
    /// configuration is read only where neither of the first two is given, and as far as it names it.
    pub(super) fn ledger(&self) -> Result<PathBuf, Failure> {
        let environment = Environment::process();
        let is_named = self.database.is_some() || environment.get("FUNCRON_DATABASE").is_some();
        let file = match (is_named, environment.find_config(self.config.as_deref())) {
            // No configuration anywhere: the packaged service's ledger is still worth a look.
            (true, _) | (false, Err(_)) => None,
            (false, Ok(path)) => Some(config::database(&path).map_err(|errors| {
                Failure::new(Exit::Usage, errors.to_string())
                    .hint("--database reads a ledger without its configuration")
            })?),
        };
        self.ledger_of(file.as_ref())
    }

    /// The ledger's file, where the configuration has been read already.
    pub(super) fn ledger_of(&self, file: Option<&DatabaseUrl>) -> Result<PathBuf, Failure> {
        let url = Environment::process()
            .database(self.database.as_deref(), file)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let DatabaseUrl::Sqlite(path) = url;
        Ok(path)
    }

    /// The ledger, open for reading.
    pub(super) async fn reader(&self) -> Result<Reader, Failure> {
        Ok(Reader::open(&self.ledger()?).await?)
    }
}

//! The environment of the process: the only place that reads it.
//!
//! Precedence everywhere: flag, then environment, then file, then default. An empty variable
//! counts as none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::url::DatabaseUrl;

/// Where a configuration is looked for that nobody named.
const CONFIG_PATHS: [&str; 2] = ["jobs.yaml", "/etc/funcron/jobs.yaml"];

/// Variables by name: the process's own, or a test's.
#[derive(Clone, Debug)]
pub struct Environment(Source);

#[derive(Clone, Debug)]
enum Source {
    Process,
    Fixed(BTreeMap<String, OsString>),
}

/// No configuration is named and none found, or a variable or flag holds no address of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EnvironmentError(String);

impl Environment {
    /// The process's own.
    pub const fn process() -> Self {
        Self(Source::Process)
    }

    /// One that holds just these.
    pub fn fixed<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), OsString::from(value));
        Self(Source::Fixed(variables.into_iter().map(owned).collect()))
    }

    /// A variable's value, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<OsString> {
        let value = match &self.0 {
            Source::Process => std::env::var_os(name),
            Source::Fixed(variables) => variables.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// The configuration to read: the flag's, `$FUNCRON_CONFIG`, `./jobs.yaml`,
    /// `/etc/funcron/jobs.yaml`.
    ///
    /// # Errors
    /// None is named and none of the usual ones is there.
    pub fn find_config(&self, flag: Option<&Path>) -> Result<PathBuf, EnvironmentError> {
        if let Some(named) = flag
            .map(Path::to_path_buf)
            .or_else(|| self.path("FUNCRON_CONFIG"))
        {
            return Ok(named);
        }
        CONFIG_PATHS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or_else(|| {
                EnvironmentError(format!(
                    "no configuration: neither ./{} nor {} is there; name one with --config or $FUNCRON_CONFIG",
                    CONFIG_PATHS[0], CONFIG_PATHS[1]
                ))
            })
    }

    /// The ledger: the flag's, `$FUNCRON_DATABASE`, the file's. Of the first two a relative path
    /// counts from the working directory.
    ///
    /// # Errors
    /// The flag or the variable holds no address of a ledger.
    pub fn database(
        &self,
        flag: Option<&str>,
        file: Option<&DatabaseUrl>,
    ) -> Result<DatabaseUrl, EnvironmentError> {
        let variable = self.get("FUNCRON_DATABASE");
        let (text, name) = match (flag, &variable) {
            (Some(flag), _) => (flag, "--database"),
            (None, Some(variable)) => match variable.to_str() {
                Some(text) => (text, "$FUNCRON_DATABASE"),
                None => {
                    return Err(EnvironmentError(
                        "$FUNCRON_DATABASE is not UTF-8".to_owned(),
                    ));
                }
            },
            (None, None) => return Ok(file.cloned().unwrap_or_default()),
        };
        DatabaseUrl::parse(text, Path::new("")).map_err(|Problem { message, hint }| {
            EnvironmentError(format!("{name}: {message}; {}", hint.unwrap_or_default()))
        })
    }

    /// The daemon's socket: the flag's, `$FUNCRON_SOCKET`, else the first of
    /// `$RUNTIME_DIRECTORY`, `/run/funcron` and `$XDG_RUNTIME_DIR` that is a directory. `None`
    /// where none is.
    pub fn socket(&self, flag: Option<&Path>) -> Option<PathBuf> {
        if let Some(named) = flag
            .map(Path::to_path_buf)
            .or_else(|| self.path("FUNCRON_SOCKET"))
        {
            return Some(named);
        }
        // systemd lists several directories with colons between them.
        let runtime = self.get("RUNTIME_DIRECTORY").and_then(|directories| {
            let first = directories.to_str()?.split(':').next()?.to_owned();
            Some(PathBuf::from(first))
        });
        [
            runtime,
            Some(PathBuf::from("/run/funcron")),
            self.path("XDG_RUNTIME_DIR"),
        ]
        .into_iter()
        .flatten()
        .find(|directory| directory.is_dir())
        .map(|directory| directory.join("funcron.sock"))
    }

    /// The filter of the logs, `$FUNCRON_LOG`.
    pub fn log(&self) -> Option<String> {
        self.get("FUNCRON_LOG")?.into_string().ok()
    }

    /// Which stream is the journal's, `$JOURNAL_STREAM`: `DEVICE:INODE`.
    pub fn journal_stream(&self) -> Option<String> {
        self.get("JOURNAL_STREAM")?.into_string().ok()
    }

    /// How this program was called, for commands that people are to copy.
    pub fn program(&self) -> String {
        std::env::args()
            .next()
            .unwrap_or_else(|| "funcron".to_owned())
    }

    /// Where systemd puts the unit's credentials.
    pub(super) fn credentials(&self) -> Option<PathBuf> {
        self.path("CREDENTIALS_DIRECTORY")
    }
}

/// The configuration to read, by the process's environment: see [`Environment::find_config`].
///
/// # Errors
/// None is named and none of the usual ones is there.
pub fn find_config(flag: Option<&Path>) -> Result<PathBuf, EnvironmentError> {
    Environment::process().find_config(flag)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
        let env = Environment::fixed([("FUNCRON_DATABASE", "sqlite:///env.db")]);
        let none = Environment::fixed([]);
        let file = DatabaseUrl::Sqlite("/file.db".into());
        let path = |url: Result<DatabaseUrl, EnvironmentError>| match url.unwrap() {
            DatabaseUrl::Sqlite(path) => path.display().to_string(),
        };
        assert_eq!(
            path(env.database(Some("sqlite:///flag.db"), Some(&file))),
            "/flag.db"
        );
        assert_eq!(path(env.database(None, Some(&file))), "/env.db");
        assert_eq!(path(none.database(None, Some(&file))), "/file.db");
        assert_eq!(
            path(none.database(None, None)),
            "/var/lib/funcron/funcron.db"
        );
        assert!(none.database(Some("/x.db"), None).is_err());
    }

    #[test]
    fn a_configuration_is_named_by_flag_or_variable_and_an_empty_variable_names_none() {
        let env = Environment::fixed([("FUNCRON_CONFIG", "/env.yaml"), ("FUNCRON_LOG", "")]);
        assert_eq!(
            env.find_config(Some(Path::new("/flag.yaml"))),
            Ok("/flag.yaml".into())
        );
        assert_eq!(env.find_config(None), Ok("/env.yaml".into()));
        assert_eq!(env.log(), None);
    }

    #[test]
    fn the_socket_lies_in_the_first_directory_that_exists() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().to_str().unwrap();
        let runtime = format!("{name}:/elsewhere");
        let env = Environment::fixed([
            ("RUNTIME_DIRECTORY", runtime.as_str()),
            ("XDG_RUNTIME_DIR", "/nowhere"),
        ]);
        assert_eq!(
            env.socket(None),
            Some(directory.path().join("funcron.sock"))
        );
        let named = Environment::fixed([("FUNCRON_SOCKET", "/x.sock")]);
        assert_eq!(named.socket(None), Some("/x.sock".into()));
        assert_eq!(
            named.socket(Some(Path::new("/y.sock"))),
            Some("/y.sock".into())
        );
    }
}

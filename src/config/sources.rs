//! What a configuration is made of, and how that looked when it was read.
//!
//! Two looks that are equal found the same bytes in the same places: contents are compared, never
//! times or inodes, which network and overlay file systems make up. A look is taken before the
//! reading that it stands for. So what changes in between is seen as a change later on, and read once
//! too often; the other way round it would be taken for what was read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Config, file, zone};
use crate::domain::secret::SecretRef;

/// Files by name and listings by pattern, each with what was found there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// `None` where nothing can be read.
    files: BTreeMap<PathBuf, Option<Digest>>,
    /// The names that a pattern of `include` matches in a directory.
    listings: BTreeMap<(PathBuf, String), Vec<String>>,
}

/// A file's content. The files of secrets are among them, so it shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
struct Digest([u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Sources {
    /// The same files and listings as they are now. Blocks for as long as their file systems do.
    pub fn now(&self) -> Self {
        let mut now = Self::default();
        for path in self.files.keys() {
            now.look_at(path);
        }
        for (directory, pattern) in self.listings.keys() {
            now.list(directory, pattern, &list(directory, pattern));
        }
        now
    }

    /// Adds what a configuration refers to: files of secrets, and the zone data that its schedules are
    /// computed with.
    pub fn add_referenced(&mut self, config: &Config) {
        let in_jobs = config.jobs.iter().flat_map(|job| &job.secret_kwargs);
        let workspaces = config.workspaces.values();
        let secrets = workspaces
            .flat_map(|workspace| &workspace.api_keys)
            .chain(in_jobs.map(|(_, source)| source));
        for secret in secrets {
            if let SecretRef::File(path) = secret {
                self.look_at(path);
            }
        }
        if let Some(release) = zone::release_file() {
            self.look_at(&release);
        }
    }

    /// Adds a file.
    pub(super) fn look_at(&mut self, path: &Path) {
        if !self.files.contains_key(path) {
            self.files.insert(path.to_path_buf(), digest(path));
        }
    }

    /// Adds what a pattern matches.
    pub(super) fn list(&mut self, directory: &Path, pattern: &str, names: &[String]) {
        let key = (directory.to_path_buf(), pattern.to_owned());
        self.listings.insert(key, names.to_vec());
    }
}

/// A directory that cannot be read has no files for this purpose.
fn list(directory: &Path, pattern: &str) -> Vec<String> {
    file::list(directory, pattern).unwrap_or_default()
}

/// What is too large to be read is as good as not there: that it is refused does not change.
fn digest(path: &Path) -> Option<Digest> {
    let metadata = fs::metadata(path).ok()?;
    // A pipe would block, a device never end.
    if !metadata.is_file() || metadata.len() > file::MAX_BYTES {
        return None;
    }
    let mut file = fs::File::open(path).ok()?.take(file::MAX_BYTES);
    let mut digest = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Some(Digest(digest.finalize().into())),
            Ok(read) => digest.update(piece.get(..read)?),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_in_the_same_places_are_the_same_whatever_their_times_and_inodes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "one").unwrap();
        let mut sources = Sources::default();
        for name in ["a", "absent", "."] {
            sources.look_at(&path(name));
        }
        sources.list(folder.path(), "*.yaml", &[]);
        assert_eq!(sources.now(), sources);

        fs::write(path("b"), "one").unwrap();
        fs::rename(path("b"), path("a")).unwrap();
        assert_eq!(sources.now(), sources, "another inode");
        let long_ago = std::time::UNIX_EPOCH;
        let old = fs::File::options().write(true).open(path("a")).unwrap();
        old.set_modified(long_ago).unwrap();
        assert_eq!(sources.now(), sources, "another time");
        fs::write(path("a"), "two").unwrap();
        old.set_modified(long_ago).unwrap();
        assert_ne!(sources.now(), sources, "same length, inode and time");
        fs::write(path("a"), "one").unwrap();
        assert_eq!(sources.now(), sources, "as it was");

        for (name, text) in [("absent", ""), ("c.yaml", "")] {
            fs::write(path(name), text).unwrap();
            assert_ne!(sources.now(), sources, "{name} is there");
            fs::remove_file(path(name)).unwrap();
        }
        fs::write(path("c.yml"), "").unwrap();
        assert_eq!(sources.now(), sources, "no pattern matches it");
        fs::remove_file(path("a")).unwrap();
        assert_ne!(sources.now(), sources);
    }

    #[test]
    fn the_digest_of_a_secret_is_not_shown() {
        let mut sources = Sources::default();
        sources.look_at(Path::new("Cargo.toml"));
        assert_eq!(
            format!("{sources:?}"),
            r#"Sources { files: {"Cargo.toml": Some(…)}, listings: {} }"#
        );
    }
}

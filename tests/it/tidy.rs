//! The house rules that a compiler does not know: layers point down, each crate has its one module,
//! the clock is read in one place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules and their layers (ARCHITECTURE.md). A module may import what lies below its layer.
const LAYERS: [(&str, u8); 12] = [
    ("clock", 0),
    ("telemetry", 0),
    ("domain", 1),
    ("config", 2),
    ("guance", 2),
    ("store", 2),
    ("engine", 3),
    ("audit", 3),
    ("web", 4),
    ("sandbox", 4),
    ("app", 5),
    ("cli", 6),
];

/// Words that may stand only in files whose path begins with one of these.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx::", &["src/store/"]),
    ("reqwest::", &["src/guance/"]),
    ("rustls::", &["src/guance/", "src/config/ca_file.rs"]),
    ("serde_yaml::", &["src/config/"]),
    ("saphyr_parser::", &["src/config/"]),
    ("std::env::", &["src/config/"]),
    ("schemars::", &["src/config/"]),
    ("minijinja::", &["src/domain/template", "src/domain/expect"]),
    ("use cron::", &["src/domain/schedule/"]),
    ("chrono::", &["src/domain/schedule/"]),
    ("icalendar::", &["src/config/ics.rs"]),
    (
        "hyper::",
        &[
            "src/sandbox/",
            "src/web/",
            "src/cli/daemon.rs",
            "src/guance/exchange.rs",
        ],
    ),
    ("sd_notify::", &["src/app.rs", "src/app/"]),
    ("clap::", &["src/cli/"]),
    ("comfy_table::", &["src/cli/"]),
    ("println!", &["src/cli/"]),
    ("tracing_subscriber::", &["src/telemetry.rs"]),
    ("mimalloc::", &["src/main.rs"]),
    ("rustix::", &["src/clock.rs", "src/store/surroundings.rs"]),
    ("Timestamp::now(", &["src/clock.rs"]),
    ("SystemTime", &["src/clock.rs"]),
    ("Zoned::now(", &["src/clock.rs"]),
    ("Utc::now(", &["src/clock.rs"]),
];

/// What pure code cannot say.
const NOT_IN_DOMAIN: &[&str] = &[
    "serde",
    "tokio::",
    "std::fs",
    "std::net",
    "time::Instant",
    "rand::",
];

pub(crate) fn sources(root: &str) -> BTreeMap<PathBuf, String> {
    files(root, "rs")
}

/// The files of a kind below a folder, with their texts.
fn files(root: &str, kind: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == kind) {
                let text = fs::read_to_string(&path).expect("a text file");
                found.insert(path, text);
            }
        }
    }
    found
}

/// A file without its comments, its doc comments and its test module: what is compiled into the
/// product.
fn code(text: &str) -> String {
    let mut parts = text.split("#[cfg(test)]");
    let mut product = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // `mod tests;` is one line of a file that goes on; a block of tests ends its file.
        match part.split_once([';', '{']) {
            Some((item, rest)) if part[item.len()..].starts_with(';') => product.push_str(rest),
            _ => break,
        }
    }
    let lines = product
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn module_of(path: &Path) -> Option<&str> {
    let below = path.strip_prefix("src").ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs"))
}

fn layer(module: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, layer)| *layer)
}

#[test]
fn every_module_has_a_layer_and_imports_only_from_below() {
    let mut broken = Vec::new();
    for (path, text) in sources("src") {
        let module = module_of(&path).expect("a module");
        if matches!(module, "main" | "lib") {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} has no layer"));
        for import in code(&text).split("crate::").skip(1) {
            let name: String = import
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let allowed = name == module || layer(&name).is_some_and(|other| other < own);
            if !allowed {
                broken.push(format!(
                    "{}: layer {own} imports crate::{name}",
                    path.display()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_crate_and_the_clock_stay_in_their_home() {
    let mut broken = Vec::new();
    for (path, text) in sources("src") {
        let path = path.to_str().expect("a path").to_owned();
        let code = code(&text);
        for (word, homes) in HOMES {
            if code.contains(word) && !homes.iter().any(|home| path.starts_with(home)) {
                broken.push(format!(
                    "{path}: `{word}` belongs into {}",
                    homes.join(" or ")
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_domain_is_pure() {
    let mut broken = Vec::new();
    for (path, text) in sources("src/domain") {
        for line in code(&text).lines() {
            for word in NOT_IN_DOMAIN {
                if line.contains(word) {
                    broken.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_sandbox_and_the_verdict_share_nothing() {
    for (path, text) in sources("src/sandbox") {
        for word in [
            "crate::guance",
            "domain::verdict",
            "domain::outcome",
            "domain::attempt",
        ] {
            assert!(!code(&text).contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn the_audit_shares_no_code_with_the_planner() {
    for (path, text) in sources("src/audit") {
        for word in [
            "domain::schedule",
            "domain::plan",
            "crate::config",
            "crate::engine",
        ] {
            assert!(!code(&text).contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn no_module_is_a_drawer() {
    for (path, _) in sources("src") {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        for drawer in ["utils", "util", "common", "helpers", "misc", "types"] {
            assert_ne!(name, drawer, "{}", path.display());
        }
    }
}

#[test]
fn the_project_stands_alone() {
    for folder in ["src", "tests", "systemd", "migrations"] {
        let mut folders = vec![PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("the folder is there") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = fs::read_to_string(&path) {
                    let outside = concat!("../", "shared");
                    assert!(!text.contains(outside), "{}", path.display());
                }
            }
        }
    }
}

/// The tests that `docs/faults.md` names, by path: file, modules, function.
fn tests_of_the_faults() -> Vec<String> {
    let text = fs::read_to_string("docs/faults.md").expect("the matrix");
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let named = rows.filter_map(|row| {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next()?;
        let name = cell.strip_prefix('`')?.strip_suffix('`')?;
        Some(name.to_owned())
    });
    named.collect()
}

#[test]
fn every_fault_has_a_test_that_is_there() {
    let text = fs::read_to_string("docs/faults.md").expect("the matrix");
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| fault ");
    let rows = text.lines().filter(is_row).count();
    let named = tests_of_the_faults();
    assert_eq!(named.len(), rows, "a row without a test's name at its end");
    let tests = sources("tests/it");
    for name in named {
        let (module, function) = name.rsplit_once("::").expect("a module and a function");
        let below = format!("tests/it/{}", module.replace("::", "/"));
        let files = [format!("{below}.rs"), format!("{below}/mod.rs")];
        let is_there = files.iter().any(|file| {
            let text = tests.get(Path::new(file));
            text.is_some_and(|text| text.contains(&format!("fn {function}(")))
        });
        assert!(is_there, "{name} is no test");
    }
}

/// What is quoted there, cut at what differs from time to time, stands in the sources.
#[test]
fn the_words_of_the_faults_are_those_of_the_product() {
    let text = fs::read_to_string("docs/faults.md").expect("the matrix");
    let product: Vec<String> = sources("src").into_values().collect();
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        for quoted in row.split('"').skip(1).step_by(2) {
            for part in quoted.split('…') {
                let part = part.trim_matches([' ', ':', ';', ',']);
                let is_there = product.iter().any(|text| text.contains(part));
                assert!(is_there, "nothing says `{part}`");
            }
        }
    }
}

/// The file of each of a patch's hunks, and the lines that it must find there.
fn hunks(patch: &str) -> Vec<(&str, String)> {
    let mut hunks: Vec<(&str, String)> = Vec::new();
    let mut file = "";
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name;
        } else if line.starts_with("@@") {
            hunks.push((file, String::new()));
        } else if let (Some(line), Some((_, expected))) =
            (line.strip_prefix([' ', '-']), hunks.last_mut())
            && !line.starts_with("-- a/")
        {
            expected.push_str(line);
            expected.push('\n');
        }
    }
    hunks
}

/// A fault that can no longer be planted shows nothing, and one with too little around it may land elsewhere.
#[test]
fn every_planted_fault_fits_one_place_and_is_listed() {
    let table = fs::read_to_string("tests/it/simulation.rs").expect("the table");
    let patches = files("tests/mutants", "patch");
    for (path, patch) in &patches {
        for (file, expected) in hunks(patch) {
            let text = fs::read_to_string(file).expect("the file that it changes");
            let places = text.matches(&expected).count();
            assert_eq!(places, 1, "{} in {file}:\n{expected}", path.display());
        }
        let name = path.file_stem().expect("a name").display();
        let what = patch.lines().next().expect("what is wrong");
        let row = format!("//! | `{name}` | {what} |");
        assert!(table.contains(&row), "{row}");
    }
    let rows = table.matches("\n//! | `").count();
    assert_eq!(patches.len(), rows, "rows of the table");
}

//! `include`, and files that cannot be read.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

struct Directory(tempfile::TempDir);

impl Directory {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Loaded, ConfigErrors> {
        config::load(&self.path("jobs.yaml"))
    }

    /// What is told, the directory's own name taken out.
    fn told(&self) -> String {
        told(&self.load()).replace(&format!("{}/", self.0.path().display()), "")
    }
}

const MAIN: &str = "\
include: [jobs.d/*.yaml]
workspaces: { prod: { site: cn1, api_key: { env: DF_API_KEY } } }
defaults: { workspace: prod }
jobs:
  - { name: main, func_id: a__b.c, schedule: '@daily' }
";

#[test]
fn included_jobs_come_after_the_mains_in_the_order_of_file_names() {
    let directory = Directory::new(&[
        ("jobs.yaml", MAIN),
        (
            "jobs.d/20.yaml",
            "jobs: [{ name: second, func_id: a__b.c, schedule: '@daily' }]",
        ),
        (
            "jobs.d/10.yaml",
            "jobs: [{ name: first, func_id: a__b.c, schedule: '@daily' }]",
        ),
        ("jobs.d/.30.yaml.swp", "garbage: ["),
        ("jobs.d/.40.yaml", "garbage: ["),
        ("jobs.d/50.yml", "garbage: ["),
        (
            "jobs.d/60.yaml",
            "workspaces: { other: { site: us1, api_key: { file: key } } }\njobs: [{ name: third, workspace: other, func_id: a__b.c, schedule: '@daily' }]",
        ),
    ]);
    let loaded = accept(directory.load());
    let names: Vec<_> = loaded
        .config
        .jobs
        .iter()
        .map(|job| job.name.as_str())
        .collect();
    assert_eq!(names, ["main", "first", "second", "third"]);
    let files: Vec<_> = [
        "jobs.yaml",
        "jobs.d/10.yaml",
        "jobs.d/20.yaml",
        "jobs.d/60.yaml",
    ]
    .map(|name| directory.path(name))
    .to_vec();
    assert_eq!(loaded.files, files);
    let other = loaded.config.workspaces.values().next().unwrap();
    assert_eq!(
        other.api_keys[0].to_string(),
        format!("file {}", directory.path("jobs.d/key").display()),
        "a path counts from the file that names it"
    );
}

#[test]
fn a_name_in_two_files_is_an_error_that_names_both_places() {
    let directory = Directory::new(&[
        ("jobs.yaml", MAIN),
        (
            "jobs.d/a.yaml",
            "workspaces: { prod: { site: us1, api_key: { env: K } } }\njobs:\n  - { name: main, func_id: a__b.c, schedule: '@daily' }",
        ),
    ]);
    assert_eq!(
        directory.told(),
        "\
error: jobs.d/a.yaml:1:15: workspaces.prod: there is another workspace of this name; the first is at jobs.yaml:2; rename one
error: jobs.d/a.yaml:3:13: jobs.main.name: there is another job `main`; the first is at jobs.yaml:5; rename one
"
    );
}

#[test]
fn an_included_file_holds_only_jobs_and_workspaces_and_errors_of_all_files_are_told_at_once() {
    let directory = Directory::new(&[
        ("jobs.yaml", &MAIN.replace("schedule", "scedule")),
        (
            "jobs.d/a.yaml",
            "include: [more.yaml]\ndatabase: sqlite:x.db\nnotifiers: {}",
        ),
        ("jobs.d/b.yaml", "jobs: ["),
        ("jobs.d/c.yaml", ""),
    ]);
    let told = directory.told();
    for part in [
        "jobs.yaml:5:36: jobs.main: unknown key `scedule`; did you mean `schedule`?",
        "jobs.d/a.yaml:1:1: unknown key `include`; only the main file has it",
        "jobs.d/a.yaml:2:1: unknown key `database`; only the main file has it",
        "jobs.d/a.yaml:3:12: notifiers: not supported yet",
        "jobs.d/b.yaml:2:1: not valid YAML",
        "jobs.d/c.yaml: the file is empty",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}

#[test]
fn a_pattern_that_names_nothing_warns_and_one_that_cannot_be_is_refused() {
    let with = |include: &str| {
        let text = MAIN.replace("[jobs.d/*.yaml]", include);
        Directory::new(&[("jobs.yaml", &text)]).told()
    };
    assert_eq!(
        with("[jobs.d/*.yaml]"),
        "warning: jobs.yaml:1:11: include: no file matches; check the pattern\n"
    );
    assert!(with("[more.yaml]").contains("error: more.yaml: there is no such file"));
    assert!(with("['*/a.yaml']").contains("only in the file's name"));
    assert!(with("['jobs.d/']").contains("names no file"));
    assert_eq!(
        with("['*.yaml']"),
        "",
        "the main file is not included again"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_clear_line() {
    let directory = Directory::new(&[
        ("latin1.yaml", ""),
        ("wide.yaml", ""),
        ("shut.yaml", "jobs: []"),
    ]);
    fs::write(directory.path("latin1.yaml"), b"jobs: []\n# gr\xfc\xdfe\n").unwrap();
    fs::write(directory.path("wide.yaml"), b"\xff\xfej\0o\0b\0s\0").unwrap();
    let big = fs::File::create(directory.path("big.yaml")).unwrap();
    big.set_len((32 << 20) + 1).unwrap();
    let noise: Vec<u8> = (0..10_000_000_u64)
        .map(|n| (n.wrapping_mul(6_364_136_223_846_793_005) >> 56) as u8)
        .collect();
    fs::write(directory.path("noise.yaml"), noise).unwrap();
    let told = |path: &Path| {
        let told = told(&config::load(path));
        assert_eq!(told.lines().count(), 1, "{told}");
        told.replace(&format!("{}/", directory.0.path().display()), "")
    };
    let at = |name: &str| told(&directory.path(name));
    assert_eq!(
        at("nowhere.yaml"),
        "error: nowhere.yaml: there is no such file; check the path\n"
    );
    assert!(told(directory.0.path()).contains("this is a directory"));
    assert!(told(Path::new("/dev/null")).contains("not a regular file"));
    assert_eq!(
        at("latin1.yaml"),
        "error: latin1.yaml:2:5: not UTF-8 from here on; save it as UTF-8\n"
    );
    assert!(at("wide.yaml").contains("UTF-16"));
    assert!(at("big.yaml").contains("larger than 32 MiB"));
    assert!(at("noise.yaml").contains("not UTF-8"));
    let shut = directory.path("shut.yaml");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads it all the same.
    if fs::File::open(&shut).is_err() {
        assert!(told(&shut).contains("may not be read"));
    }
}

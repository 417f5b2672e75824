//! Files that are wrong, and what is told of them, kept beside each other.

use super::*;

#[test]
fn golden() {
    let mut names: Vec<PathBuf> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    names.sort();
    assert!(names.len() > 25, "the fixtures are gone");
    let bless = std::env::var_os("FUNCRON_BLESS").is_some();
    let mut differing = Vec::new();
    for path in names {
        let text = fs::read_to_string(&path).unwrap();
        let name = Path::new(path.file_name().unwrap());
        let actual = told(&config::parse(&text, name));
        let beside = path.with_extension("err");
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if actual != expected {
            differing.push(format!("{}:\n{actual}", name.display()));
            if bless {
                fs::write(&beside, &actual).unwrap();
            }
        }
    }
    assert!(
        differing.is_empty(),
        "told otherwise now:\n{}",
        differing.join("\n")
    );
}

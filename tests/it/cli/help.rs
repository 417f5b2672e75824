//! What the command line says of itself.

use super::Place;

#[test]
fn the_commands_of_this_release_and_no_others_are_there() {
    let place = Place::new();
    let help = place.run(&["--help"]).ok();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        commands,
        [
            "run",
            "validate",
            "next",
            "calendar",
            "list",
            "status",
            "trigger",
            "pause",
            "resume",
            "cancel",
            "resolve",
            "backfill",
            "replay",
            "reload",
            "history",
            "show",
            "stats",
            "export",
            "prune",
            "backup",
            "audit",
            "doctor",
            "schema",
            "sandbox",
            "demo",
            "completions",
            "help"
        ]
    );
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]).ok();
        for word in ["history", "trace-id", "database"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn the_schema_is_json_and_knows_the_jobs() {
    let place = Place::new();
    let schema = place.run(&["schema"]).json();
    assert!(schema["properties"]["jobs"].is_object());
}

//! What the demo leaves behind.

use super::Place;

#[test]
fn a_demo_leaves_its_ledger_in_one_file() {
    let place = Place::new();
    let stage = place.path("stage");
    let folder = stage.to_str().unwrap();
    place
        .run(&["demo", "--seconds", "0", "--folder", folder])
        .ok();
    let names = std::fs::read_dir(&stage).unwrap();
    let names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("funcron.db-"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

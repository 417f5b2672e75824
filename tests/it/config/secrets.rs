//! Secrets: found, refused, and never told.

use funcron::config::{Environment, Unresolved, resolve_in};

use super::*;

const KEY: &str = "CANARY-key-0123456789";
const TOKEN: &str = "CANARY-token 用户";

fn messages(result: Result<config::Secrets, Vec<Unresolved>>) -> Vec<String> {
    let missing = result.expect_err("all found");
    missing.iter().map(ToString::to_string).collect()
}

#[test]
fn the_three_ways_to_give_a_secret_all_lead_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("key", &format!("{KEY}\n"));
    write("token", &format!("{TOKEN}\r\n"));
    let text = "
workspaces:
  a: { site: cn1, api_keys: [{ env: K }, { file: key }, { credential: other }] }
jobs:
  - { name: j, workspace: a, func_id: a__b.c, schedule: '@daily', secret_kwargs: { t: { file: token } } }
";
    write("other", "another-key-0123456789");
    write("jobs.yaml", text);
    let loaded = accept(config::load(&directory.path().join("jobs.yaml")));
    let credentials = directory.path().to_str().unwrap();
    let env = Environment::fixed([("K", KEY), ("CREDENTIALS_DIRECTORY", credentials)]);
    let secrets = resolve_in(&loaded.config, &env).unwrap();
    let keys = secrets.keys.values().next().unwrap();
    assert_eq!(keys.len(), 2, "the same key given twice is one");
    assert_eq!(keys[0].secret.expose(), KEY);
    assert_eq!(&*keys[0].id.0, "4cec3e3d", "the head of the key's SHA-256");
    let [(name, source)] = &loaded.config.jobs[0].secret_kwargs[..] else {
        panic!("one secret argument is given");
    };
    assert_eq!(name, "t");
    let token = secrets.kwargs[source].expose();
    assert_eq!(token, TOKEN, "one line end is taken off");
    assert!(!format!("{secrets:?}").contains("CANARY"));
}

#[test]
fn every_missing_secret_is_told_with_its_place_and_the_ways_to_give_it() {
    let loaded = accept(parse(
        "
workspaces:
  a: { site: cn1, api_key: { env: NOT_SET } }
  b: { site: cn1, api_keys: [{ file: /nowhere/key }, { credential: key }] }
  c: { site: cn1, api_key: { file: /tmp } }
jobs:
  - { name: x, workspace: a, func_id: a__b.c, schedule: '@daily', secret_kwargs: { t: { env: T } } }
  - { name: y, workspace: b, func_id: a__b.c, schedule: '@daily', secret_kwargs: { t: { env: T } } }
  - { name: z, workspace: c, func_id: a__b.c, schedule: '@daily' }
",
    ));
    let told = messages(resolve_in(&loaded.config, &Environment::fixed([])));
    let starts = [
        "workspaces.a.api_key: env NOT_SET: the variable is not set; ",
        "workspaces.b.api_keys[0]: file /nowhere/key: cannot be read: ",
        "workspaces.b.api_keys[1]: credential key: there are no credentials: ",
        "workspaces.c.api_key: file /tmp: is not a file; ",
        "jobs.x.secret_kwargs.t: env T: the variable is not set; ",
        "jobs.y.secret_kwargs.t: env T: the variable is not set; ",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (message, start) in told.iter().zip(starts) {
        assert!(message.starts_with(start), "{message}");
        assert!(message.contains("{ env: NAME }, { file: PATH } or { credential: NAME }"));
    }
}

#[test]
fn a_key_that_would_break_a_header_and_a_secret_too_short_are_refused_unseen() {
    let loaded = accept(parse(
        "
workspaces: { a: { site: cn1, api_key: { env: K } } }
jobs:
  - { name: x, workspace: a, func_id: a__b.c, schedule: '@daily', secret_kwargs: { t: { env: T } } }
",
    ));
    for (key, why) in [
        ("CANARY-0123\r\nX-Evil: 1", "ASCII"),
        ("CANARY-0123 4567", "ASCII"),
        ("CANARY-ключ", "ASCII"),
        ("CANARY-0123\u{1}", "ASCII"),
        ("CANAR", "under 6 bytes"),
    ] {
        let env = Environment::fixed([("K", key), ("T", "CANAR")]);
        let told = messages(resolve_in(&loaded.config, &env));
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told[0].contains(why), "{told:#?}");
        assert!(told[1].contains("under 6 bytes"), "{told:#?}");
        assert!(!told.join("\n").contains("CANAR"), "{told:#?}");
    }
}

#[test]
fn what_is_no_secret_file_is_refused_by_its_size_and_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let text = format!(
        "workspaces: {{ a: {{ site: cn1, api_key: {{ file: {} }} }} }}\njobs: []",
        path.display()
    );
    let loaded = accept(parse(&text));
    for (bytes, why) in [
        (vec![b'x'; (64 << 10) + 1], "longer than 64 KiB"),
        (b"\xff\xfe0123456789".to_vec(), "not UTF-8"),
        (b"01234\n".to_vec(), "under 6 bytes"),
        (b"0123456789\n\n".to_vec(), "ASCII"),
    ] {
        fs::write(&path, bytes).unwrap();
        let told = messages(resolve_in(&loaded.config, &Environment::fixed([])));
        assert!(told[0].contains(why), "{told:#?}");
    }
}

//! The schema against the reader: no key of the one is unknown to the other, none is ignored.

use serde_json::{Value, json};

use super::*;

/// Where a section stands in a configuration, as a JSON pointer.
const PLACES: &[(&str, &str)] = &[
    ("Config", ""),
    ("Calendar", "/calendars/company"),
    ("Workspace", "/workspaces/prod"),
    ("Limits", "/workspaces/prod/quota"),
    ("Secret", "/workspaces/prod/api_key"),
    ("Defaults", "/defaults"),
    ("Job", "/jobs/0"),
    ("FuncBody", "/jobs/0/funcBody"),
    ("FuncOptions", "/jobs/0/funcBody/options"),
    ("Dst", "/jobs/0/dst"),
    ("Retry", "/jobs/0/retry"),
    ("Budget", "/jobs/0/budget"),
    ("Notify", "/jobs/0/notify/0"),
    ("Retention", "/retention"),
    ("Server", "/server"),
    ("Token", "/server/tokens/0"),
];

const CALENDAR: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/calendar/company.ics"
);

const AUTHORITY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/tls/authority.pem"
);

/// A good value for every key, none of them its default.
pub(super) fn sample(section: &str, key: &str) -> Option<Value> {
    let value = match (section, key) {
        ("Config", "version") => json!(1),
        ("Config", "database") => json!("sqlite:///x.db"),
        ("Config", "drain_timeout") => json!("5s"),
        ("Config", "workspaces") => json!({ "prod": { "site": "us1", "api_key": { "env": "K" } } }),
        ("Config", "defaults") => json!({ "workspace": "prod", "labels": { "a": "b" } }),
        ("Config", "jobs") => json!([]),
        ("Config", "include") => json!(["nothing/*.yaml"]),
        ("Config", "notifiers") => json!({ "ops": { "webhook": "https://example.com" } }),
        ("Config", "retention") => json!({ "runs": "80d" }),
        ("Config", "server") => json!({ "listen": "127.0.0.1:8642" }),
        ("Config", "calendars") => json!({ "company": { "ics": CALENDAR } }),
        ("Calendar", "ics") => json!(CALENDAR),
        ("Workspace", "site") => json!("us1"),
        ("Workspace", "base_url") => json!("https://openapi.example.com"),
        ("Workspace", "api_key") => json!({ "env": "OTHER" }),
        ("Workspace", "api_keys") => json!([{ "env": "A" }, { "env": "B" }]),
        ("Workspace", "quota") => json!("none"),
        ("Workspace", "max_in_flight") => json!(3),
        ("Workspace", "max_reply") => json!("1MiB"),
        ("Workspace", "insecure") => json!(true),
        ("Workspace", "ca_file") => json!(AUTHORITY),
        ("Workspace", "proxy") => json!("http://proxy:3128"),
        ("Limits", _) => json!("7/min"),
        ("Secret", "env") => json!("OTHER"),
        ("Secret", "file") => json!("/key"),
        ("Secret", "credential") => json!("key"),
        ("Job", "name") => json!("other"),
        ("Job", "schedule") => json!(["@hourly"]),
        (_, "description") => json!("text"),
        (_, "labels") => json!({ "team": "sre" }),
        (_, "enabled") => json!(false),
        (_, "workspace") => json!("other"),
        (_, "func_id" | "funcId") => json!("d__e.f"),
        ("Job" | "Defaults", "funcBody") => json!({ "kwargs": { "b": 1 } }),
        ("Job" | "Defaults" | "FuncBody", "kwargs") => json!({ "a": 1 }),
        (_, "secret_kwargs") => json!({ "t": { "env": "T" } }),
        (_, "return_type" | "returnType") => json!("raw"),
        (_, "timezone" | "timeZone") => json!("Asia/Shanghai"),
        ("Job" | "Defaults", "dst") => json!({ "gap": "skip" }),
        (_, "starts_at") => json!("2026-01-01T00:00:00Z"),
        (_, "ends_at") => json!("2036-01-01T00:00:00Z"),
        (_, "except" | "only_on") => json!(["2026-10-01"]),
        (_, "spread") => json!("10m"),
        ("Job" | "Defaults", "overlap") => json!("queue_one"),
        (_, "catchup") => json!("none"),
        (_, "max_catchup") => json!(5),
        (_, "catchup_window" | "start_deadline" | "timeout" | "deadline") => json!("50s"),
        (_, "idempotent") => json!(true),
        ("Job" | "Defaults", "retry") => json!({ "jitter": 0.5 }),
        ("Job" | "Defaults", "expect") => json!(["result.a > 1"]),
        ("Job" | "Defaults", "budget") => json!({ "cost": "1s" }),
        ("Job" | "Defaults", "notify") => json!([{ "on": ["failed"], "to": "ops" }]),
        ("FuncBody", "options") => json!({ "returnType": "raw" }),
        ("Dst", "gap") => json!("skip"),
        ("Dst", "overlap") => json!("last"),
        ("Retry", "max_attempts") => json!(9),
        ("Retry", "initial_delay") => json!("7s"),
        ("Retry", "multiplier") => json!(3),
        ("Retry", "max_delay") => json!("9m"),
        ("Retry", "jitter") => json!(0.7),
        ("Retry", "on") => json!(["func_failed"]),
        ("Retry", "not_on") => json!(["throttled"]),
        ("Retry", "into_next_tick") => json!(true),
        ("Budget", _) => json!("5s"),
        ("Notify", "on") => json!(["missed"]),
        ("Notify", "after") => json!(2),
        ("Notify", "to") => json!("ops"),
        ("Retention", "max_size") => json!("3GiB"),
        ("Retention", _) => json!("80d"),
        ("Server", "listen") => json!("127.0.0.1:1"),
        ("Server", "tokens") => json!([{ "name": "ops", "role": "read", "hash": "x" }]),
        ("Token", "name" | "hash") => json!("x"),
        ("Token", "role") => json!("operate"),
        _ => return None,
    };
    Some(value)
}

/// A small configuration that is good as it stands.
pub(super) fn base() -> Value {
    json!({
        "workspaces": {
            "prod": { "site": "cn1", "api_key": { "env": "K" } },
            "other": { "site": "cn2", "api_key": { "env": "K2" } },
        },
        "defaults": { "workspace": "prod" },
        "jobs": [{ "name": "a", "func_id": "a__b.c", "schedule": "@daily" }],
    })
}

/// Puts a value in its place; what stands for the same thing under another key goes.
pub(super) fn put(config: &mut Value, place: &str, key: &str, value: Value) {
    let mut section = config;
    for segment in place.split('/').skip(1) {
        section = match segment.parse::<usize>() {
            Ok(index) => {
                if section.is_null() {
                    *section = json!([]);
                }
                let items = section.as_array_mut().unwrap();
                while items.len() <= index {
                    items.push(Value::Null);
                }
                &mut items[index]
            }
            Err(_) => &mut section[segment],
        };
    }
    if section.is_null() {
        *section = json!({});
    }
    let section = section.as_object_mut().unwrap();
    let rival = match key {
        "funcId" => "func_id",
        "base_url" => "site",
        "api_keys" => "api_key",
        "file" | "credential" => "env",
        _ => "",
    };
    section.remove(rival);
    section.insert(key.to_owned(), value);
}

/// The sections of the schema with their keys.
pub(super) fn sections() -> Vec<(String, &'static str, Vec<String>)> {
    let schema = config::schema();
    let keys = |section: &Value| -> Vec<String> {
        section["properties"]
            .as_object()
            .map_or_else(Vec::new, |keys| keys.keys().cloned().collect())
    };
    let mut all = vec![("Config".to_owned(), "", keys(&schema))];
    for (name, section) in schema["definitions"].as_object().unwrap() {
        let keys = keys(section);
        if keys.is_empty() {
            continue;
        }
        let place = PLACES.iter().find(|(section, _)| section == name);
        let (_, place) = place.unwrap_or_else(|| panic!("no place is known of {name}"));
        all.push((name.clone(), place, keys));
    }
    assert_eq!(all.len(), PLACES.len(), "a section is gone from the schema");
    all
}

#[test]
fn every_key_of_the_schema_has_an_effect_or_is_refused_as_not_supported_yet() {
    let plain = format!("{:?}", accept(parse(&base().to_string())).config);
    let mut counted = 0;
    for (section, place, keys) in sections() {
        for key in keys {
            let value =
                sample(&section, &key).unwrap_or_else(|| panic!("no sample: {section}.{key}"));
            let mut config = base();
            put(&mut config, place, &key, value);
            if section == "Defaults" && matches!(key.as_str(), "func_id" | "funcId") {
                config["jobs"][0].as_object_mut().unwrap().remove("func_id");
            }
            match parse(&config.to_string()) {
                Ok(loaded) => {
                    let has_effect = format!("{:?}", loaded.config) != plain
                        // Both are read before there is a Config to compare.
                        || key == "version"
                        || (matches!(key.as_str(), "calendars" | "ics")
                            && loaded.files.iter().any(|file| file.ends_with("company.ics")))
                        || (key == "include" && told(&Ok(loaded)).contains("no file matches"));
                    assert!(has_effect, "{section}.{key} is ignored");
                }
                Err(refused) => {
                    let words = refused.to_string();
                    assert!(
                        words.contains("not supported yet"),
                        "{section}.{key}: {words}"
                    );
                }
            }
            counted += 1;
        }
    }
    assert!(counted > 110, "{counted}");
}

#[test]
fn a_key_that_the_schema_does_not_have_is_refused_in_every_section() {
    for (section, place, _) in sections() {
        let mut config = base();
        put(&mut config, place, "weather", json!("fine"));
        let refused = refusal(parse(&config.to_string()));
        let expected = match section.as_str() {
            // What stands there might be the secret itself.
            "Secret" => "wants exactly one of",
            _ => "unknown key `weather`",
        };
        assert!(refused.contains(expected), "{section}: {refused}");
    }
}

#[test]
fn a_secret_in_any_wrong_place_is_never_told() {
    const CANARY: &str = "CANARY-0123456789-abcdef";
    for (section, place, keys) in sections() {
        for key in keys {
            // Names, which messages are made of: also those that an expression uses.
            let is_name = matches!(
                (section.as_str(), key.as_str()),
                ("Job", "name" | "schedule") | ("Config", "include") | (_, "expect")
            );
            if is_name {
                continue;
            }
            for value in [json!(CANARY), json!([CANARY]), json!({ "a": CANARY })] {
                let mut config = base();
                put(&mut config, place, &key, value);
                let told = told(&parse(&config.to_string()));
                assert!(!told.contains("CANARY"), "{section}.{key}: {told}");
            }
        }
    }
}

#[test]
fn the_schema_describes_every_key_and_says_which_are_required() {
    let schema = config::schema();
    assert_eq!(
        schema["definitions"]["Job"]["required"],
        json!(["name", "schedule"])
    );
    assert_eq!(schema["additionalProperties"], json!(false));
    for (section, _, keys) in sections() {
        for key in keys {
            let properties = match section.as_str() {
                "Config" => &schema["properties"],
                name => &schema["definitions"][name]["properties"],
            };
            let text = properties[&key]["description"].as_str();
            assert!(
                text.is_some_and(|text| text.ends_with('.')
                    || text.ends_with('}')
                    || text.contains(": ")),
                "{section}.{key}"
            );
        }
    }
}

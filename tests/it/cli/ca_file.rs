//! `validate` looks at `ca_file`: what the daemon would refuse at its start is told before.

use super::Place;
use crate::support::tls::{Authority, Identity};

/// A place whose one workspace names `ca.pem`, of this content.
fn place(content: Option<&[u8]>) -> Place {
    let place = Place::new();
    place.write(
        "jobs.yaml",
        "workspaces:\n  prod: { site: cn1, api_key: { file: key }, ca_file: ca.pem }\n\
         defaults: { workspace: prod }\n\
         jobs:\n  - { name: a, func_id: a__b.c, schedule: \"@daily\" }\n",
    );
    place.write("key", "a-key-of-the-tests");
    if let Some(content) = content {
        place.write("ca.pem", content);
    }
    place
}

/// What is said of it, with `HERE` for the place's directory.
fn refused(place: &Place) -> String {
    let ended = place.run(&["validate"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert_eq!(ended.out, "");
    let said = ended.err.replace(place.path("").to_str().unwrap(), "HERE/");
    let at = "jobs.yaml:2:55: workspaces.prod.ca_file: ";
    let words = said.lines().find_map(|line| line.strip_prefix(at));
    words.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn a_ca_file_of_certificates_is_fine() {
    let several = format!(
        "{}# and\n{}",
        Authority::new().pem(),
        Authority::named("b").pem()
    );
    for content in [Authority::new().pem(), &several] {
        let ended = place(Some(content.as_bytes())).run(&["validate", "--strict"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
}

#[test]
fn a_ca_file_that_is_not_there_or_no_file_is_refused_where_it_is_named() {
    assert_eq!(
        refused(&place(None)),
        "there is no such file; check the path; a relative one counts from this file's directory"
    );
    let directory = place(None);
    std::fs::create_dir(directory.path("ca.pem")).unwrap();
    assert_eq!(
        refused(&directory),
        "this is not a regular file; name a file"
    );
}

#[test]
fn a_ca_file_without_a_certificate_is_refused_with_what_it_is_instead() {
    let identity = Identity::self_signed("example.com", false);
    let cut = &identity.pem()[..identity.pem().len() / 2];
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    for (content, words) in [
        (b"".as_slice(), "HERE/ca.pem is not PEM; name the PEM file"),
        (
            b"no certificate",
            "HERE/ca.pem is not PEM; name the PEM file",
        ),
        (b"\xff\xfe\x00", "HERE/ca.pem is not PEM; name the PEM file"),
        (
            identity.der(),
            "HERE/ca.pem is not PEM but DER; convert it: openssl x509",
        ),
        (
            cut.as_bytes(),
            "HERE/ca.pem is broken PEM, at its certificate 1; copy it anew",
        ),
        (
            garbage.as_bytes(),
            "HERE/ca.pem cannot serve, its certificate 1: ",
        ),
        (
            public.as_bytes(),
            "HERE/ca.pem holds no certificate; name the PEM file",
        ),
        (
            identity.key_pem().as_bytes(),
            "HERE/ca.pem holds a private key and no certificate; name the PEM file",
        ),
        (
            &[Authority::new().pem(), garbage].concat().into_bytes(),
            "HERE/ca.pem cannot serve, its certificate 2: ",
        ),
        (
            &vec![b'-'; (4 << 20) + 1],
            "the file is larger than 4 MiB; name a file of",
        ),
    ] {
        let said = refused(&place(Some(content)));
        assert!(said.starts_with(words), "{said}");
    }
}

#[test]
fn no_line_of_what_was_taken_for_a_ca_file_is_told() {
    let canary = "-----BEGIN CERTIFICATE-----\nCANARY?CANARY\n-----END CERTIFICATE-----\n";
    let begun = "-----BEGIN CANARY CANARY\n";
    for content in ["CANARY", canary, begun] {
        let place = place(Some(content.as_bytes()));
        let ended = place.run(&["validate"]);
        assert_eq!(ended.code, 2);
        assert!(!ended.err.contains("CANARY"), "{}", ended.err);
    }
}

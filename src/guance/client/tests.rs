#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;

use super::*;
use crate::domain::secret::SecretRef;
use crate::domain::workspace::Quota;

fn workspace(base_url: &str) -> Workspace {
    Workspace {
        name: WorkspaceName("prod".into()),
        base_url: base_url.to_owned(),
        api_keys: vec![SecretRef::Env("DF_API_KEY".to_owned())],
        quota: Quota {
            per_key: None,
            per_workspace: None,
        },
        max_in_flight: 16,
        max_reply: 1 << 20,
        insecure: false,
        ca_file: None,
        proxy: None,
    }
}

fn client(workspace: Workspace) -> Result<Client, ClientError> {
    Client::new(&BTreeMap::from([(workspace.name.clone(), workspace)]))
}

fn refused(workspace: Workspace) -> String {
    client(workspace).unwrap_err().to_string()
}

#[test]
fn plain_http_is_for_this_machine_only_unless_the_configuration_insists() {
    for fine in [
        "https://openapi.guance.com",
        "https://openapi.example.com/prefix/",
        "http://127.0.0.1:8080",
        "http://127.8.9.10",
        "http://[::1]:8080",
        "http://localhost:8080",
    ] {
        assert!(client(workspace(fine)).is_ok(), "{fine}");
    }
    for plain in [
        "http://openapi.guance.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0",
    ] {
        assert!(refused(workspace(plain)).contains("plain http"), "{plain}");
        let insecure = Workspace {
            insecure: true,
            ..workspace(plain)
        };
        assert!(client(insecure).is_ok(), "{plain}");
    }
}

#[test]
fn plain_http_to_this_machine_does_not_go_by_another_ones_proxy() {
    let by = |proxy: &str| Workspace {
        proxy: Some(proxy.to_owned()),
        ..workspace("http://127.0.0.1:8080")
    };
    assert!(client(by("http://127.0.0.1:3128")).is_ok());
    assert!(refused(by("http://proxy.example.com:3128")).contains("plain http"));
    let insecure = Workspace {
        insecure: true,
        ..by("http://proxy.example.com:3128")
    };
    assert!(client(insecure).is_ok());
}

#[test]
fn a_base_url_that_cannot_be_called_is_refused_and_shows_no_password() {
    for bad in [
        "",
        "openapi.guance.com",
        "ftp://openapi.guance.com",
        "https://",
        "https://user:hunter22@openapi.guance.com",
        "https://openapi.guance.com?x=hunter22",
    ] {
        let said = refused(workspace(bad));
        assert!(said.contains("workspace prod: base_url"), "{bad}: {said}");
        assert!(!said.contains("hunter22"), "{said}");
    }
}

#[test]
fn a_ca_file_must_hold_a_certificate() {
    let with = |path: &std::path::Path| {
        refused(Workspace {
            ca_file: Some(path.to_owned()),
            ..workspace("https://openapi.guance.com")
        })
    };
    assert!(with(std::path::Path::new("/nowhere/ca.pem")).contains("/nowhere/ca.pem"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"no certificate").unwrap();
    assert!(with(file.path()).contains("no PEM certificate"));
    file.write_all(b"\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    assert!(with(file.path()).contains("workspace prod"));
}

#[test]
fn a_proxy_that_is_no_url_is_refused_without_repeating_it() {
    let said = refused(Workspace {
        proxy: Some("http://user:hunter22@".to_owned()),
        ..workspace("https://openapi.guance.com")
    });
    assert!(
        said.contains("proxy") && !said.contains("hunter22"),
        "{said}"
    );
}

#[test]
fn workspaces_with_the_same_transport_share_a_pool() {
    let mut second = workspace("https://cn4-openapi.guance.com");
    second.name = WorkspaceName("second".into());
    let both = [workspace("https://openapi.guance.com"), second];
    let both: BTreeMap<_, _> = both.map(|one| (one.name.clone(), one)).into();
    let client = Client::new(&both).unwrap();
    assert_eq!(
        format!("{client:?}"),
        r#"{WorkspaceName("prod"), WorkspaceName("second")}"#
    );
}

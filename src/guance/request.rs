//! The body of a request, with its secrets and without.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::json::Written;
use super::redact::Redactor;
use crate::domain::attempt::{BODY_LIMIT, StoredBody};
use crate::domain::job::ReturnType;
use crate::domain::json::Json;
use crate::domain::secret::{REDACTED, Secret};
use crate::domain::workspace::{ApiKey, KeyId};

/// A request that is ready to be recorded, and then sent.
#[derive(Clone)]
pub struct Request {
    /// What is sent, secrets and all. For the connection only.
    pub body: Bytes,
    /// What is stored and shown.
    pub redacted: StoredBody,
    pub(super) key: ApiKey,
    pub(super) redactor: Arc<Redactor>,
}

impl Request {
    /// Which key it is sent with.
    pub fn key(&self) -> &KeyId {
        &self.key.id
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("redacted", &self.redacted)
            .field("key", &self.key.id)
            .finish_non_exhaustive()
    }
}

/// Builds the request for one call of `func_id`: `kwargs` as rendered (an object, by
/// [`crate::domain::template::KwargsTemplate`]), joined by the `secrets`, which win over a plain
/// one of the same name. `options` are left out unless set: engines refuse a null there.
pub fn build_request(
    func_id: &str,
    return_type: Option<ReturnType>,
    kwargs: &Json,
    secrets: &[(String, Secret)],
    key: &ApiKey,
) -> Request {
    let plain = match kwargs {
        Json::Object(entries) => entries.as_slice(),
        _ => &[],
    };
    let text = |shown: bool| {
        let body = Body {
            func_id,
            func_body: FuncBody {
                kwargs: Kwargs {
                    plain,
                    secrets,
                    shown,
                },
                options: return_type.map(|return_type| Options {
                    return_type: return_type.as_str(),
                }),
            },
        };
        // Fails for a map whose keys are no strings, and for a writer that fails: neither is here.
        serde_json::to_string(&body).unwrap_or_default()
    };
    let redactor = Redactor::new(
        secrets
            .iter()
            .map(|(_, secret)| secret)
            .chain([&key.secret]),
    );
    let body = text(true);
    let without_secrets = match secrets {
        [] => Cow::Borrowed(&body),
        _ => Cow::Owned(text(false)),
    };
    // A secret may have been copied into a plain kwarg, too.
    let redacted = StoredBody::new(&redactor.redact(&without_secrets), BODY_LIMIT);
    Request {
        body: Bytes::from(body),
        redacted,
        key: key.clone(),
        redactor: Arc::new(redactor),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    func_id: &'a str,
    func_body: FuncBody<'a>,
}

#[derive(Serialize)]
struct FuncBody<'a> {
    kwargs: Kwargs<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Options>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    return_type: &'static str,
}

struct Kwargs<'a> {
    plain: &'a [(String, Json)],
    secrets: &'a [(String, Secret)],
    shown: bool,
}

impl Serialize for Kwargs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, value) in self.plain {
            if self.secrets.iter().all(|(secret, _)| secret != name) {
                map.serialize_entry(name, &Written(value))?;
            }
        }
        for (name, secret) in self.secrets {
            let value = if self.shown {
                secret.expose()
            } else {
                REDACTED
            };
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        ApiKey {
            id: KeyId("https://openapi.guance.com 1a2b3c4d".into()),
            secret: Secret::new("tkn_a_canary_key".to_owned()),
        }
    }

    fn kwargs() -> Json {
        Json::Object(vec![
            ("z".to_owned(), Json::Int(1)),
            ("a".to_owned(), Json::Float(1.0)),
            ("title".to_owned(), Json::String("夜\"间".to_owned())),
        ])
    }

    #[test]
    fn the_body_is_the_documented_one_and_keeps_the_order_of_kwargs() {
        let request = build_request("guance__openapi.test", None, &kwargs(), &[], &key());
        let expected = r#"{"funcId":"guance__openapi.test","funcBody":{"kwargs":{"z":1,"a":1.0,"title":"夜\"间"}}}"#;
        assert_eq!(request.body, expected);
        assert_eq!(&*request.redacted.text, expected);

        let empty = Json::Object(Vec::new());
        let request = build_request("a__b.c", Some(ReturnType::JsonDumps), &empty, &[], &key());
        assert_eq!(
            request.body,
            r#"{"funcId":"a__b.c","funcBody":{"kwargs":{},"options":{"returnType":"jsonDumps"}}}"#
        );
    }

    #[test]
    fn secrets_are_sent_and_never_stored() {
        let secrets = [("token".to_owned(), Secret::new("hunter\"22".to_owned()))];
        let copied = Json::Object(vec![
            ("token".to_owned(), Json::Null),
            ("copy".to_owned(), Json::String("my hunter\"22".to_owned())),
            (
                "key".to_owned(),
                Json::String("tkn_a_canary_key".to_owned()),
            ),
        ]);
        let request = build_request("a__b.c", None, &copied, &secrets, &key());
        assert_eq!(
            request.body,
            r#"{"funcId":"a__b.c","funcBody":{"kwargs":{"copy":"my hunter\"22","key":"tkn_a_canary_key","token":"hunter\"22"}}}"#
        );
        assert_eq!(
            &*request.redacted.text,
            r#"{"funcId":"a__b.c","funcBody":{"kwargs":{"copy":"my ***","key":"***","token":"***"}}}"#
        );
        let shown = format!("{request:?}");
        assert!(
            !shown.contains("hunter") && !shown.contains("canary"),
            "{shown}"
        );
    }

    #[test]
    fn a_large_request_is_kept_by_its_head_length_and_hash() {
        let large = Json::Object(vec![("x".to_owned(), Json::String("x".repeat(300_000)))]);
        let request = build_request("a__b.c", None, &large, &[], &key());
        assert_eq!(request.redacted.text.len(), BODY_LIMIT);
        assert_eq!(request.redacted.bytes, request.body.len() as u64);
    }
}

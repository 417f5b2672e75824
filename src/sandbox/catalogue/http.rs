//! Functions whose reply breaks a rule of HTTP, JSON or patience.

use std::time::Duration;

use hyper::header::HeaderValue;

use super::{function, optional, status};
use crate::sandbox::functions::{Act, Function};
use crate::sandbox::wire::Wire;

/// In the order of the table.
pub(super) static FUNCTIONS: &[Function] = &[
    function(
        "sandbox__http.status",
        "Status",
        "An HTML page with this status, as a proxy in between sends.",
        &[optional("code", "502")],
        |call| Ok(Act::Spoil(Wire::Page(status(call, "code")?))),
    ),
    function(
        "sandbox__http.redirect",
        "Redirect",
        "A redirect to a path or address. Whoever follows it to the default shows in the log.",
        &[
            optional("to", "\"/sandbox/redirected\""),
            optional("code", "302"),
        ],
        |call| {
            let code = status(call, "code")?;
            let to = HeaderValue::try_from(call.text("to")?).map_err(|_| {
                let what = "to must fit into a header".to_owned();
                call.raise("ValueError", what, None)
            })?;
            Ok(Act::Spoil(Wire::Redirect(code, to)))
        },
    ),
    function(
        "sandbox__http.not_json",
        "Not JSON",
        "Status 200, type application/json, and a text that is none.",
        &[],
        |_| Ok(Act::Spoil(Wire::NotJson)),
    ),
    function(
        "sandbox__http.half_json",
        "Half a JSON",
        "A whole HTTP message with half an envelope in it.",
        &[],
        |_| Ok(Act::Spoil(Wire::HalfJson)),
    ),
    function(
        "sandbox__http.truncated",
        "Truncated",
        "A Content-Length for the whole envelope, half of it, and the connection closes.",
        &[],
        |_| Ok(Act::Spoil(Wire::Truncated)),
    ),
    function(
        "sandbox__http.not_utf8",
        "Not UTF-8",
        "An envelope whose result holds bytes that are not UTF-8.",
        &[],
        |_| Ok(Act::Spoil(Wire::NotUtf8)),
    ),
    function(
        "sandbox__http.deep",
        "Deep",
        "An envelope whose result is so many arrays within one another.",
        &[optional("levels", "100000")],
        |call| {
            let levels = call.count("levels", 10_000_000)?;
            Ok(Act::Spoil(Wire::Deep(levels as usize)))
        },
    ),
    function(
        "sandbox__http.gzip_bomb",
        "Gzip bomb",
        "An envelope of so many megabytes, packed into a thousandth of that.",
        &[optional("megabytes", "200")],
        |call| Ok(Act::Spoil(Wire::GzipBomb(call.count("megabytes", 4096)?))),
    ),
    function(
        "sandbox__http.huge",
        "Huge",
        "An envelope of so many megabytes.",
        &[optional("megabytes", "64")],
        |call| Ok(Act::Spoil(Wire::Huge(call.count("megabytes", 4096)?))),
    ),
    function(
        "sandbox__http.endless",
        "Endless",
        "An envelope that never ends. The sandbox gives up after 64 GiB.",
        &[],
        |_| Ok(Act::Spoil(Wire::Endless)),
    ),
    function(
        "sandbox__http.drip",
        "Drip",
        "So many bytes of white space, one by one at this interval, then the envelope.",
        &[optional("bytes", "1000"), optional("interval_ms", "1000")],
        |call| {
            let bytes = call.count("bytes", 1_000_000)?;
            let interval = call.count("interval_ms", 60_000)?;
            let interval = Duration::from_millis(interval.into());
            Ok(Act::Spoil(Wire::Drip(bytes, interval)))
        },
    ),
    function(
        "sandbox__http.headers",
        "Headers",
        "An envelope behind so many headers.",
        &[optional("n", "10000")],
        |call| Ok(Act::Spoil(Wire::Headers(call.count("n", 20_000)?))),
    ),
    function(
        "sandbox__http.hang",
        "Hang",
        "No answer at all, for an hour.",
        &[],
        |_| Ok(Act::Spoil(Wire::Hang)),
    ),
    function(
        "sandbox__http.reset",
        "Reset",
        "The connection is reset once the request has been read.",
        &[],
        |_| Ok(Act::Spoil(Wire::Reset)),
    ),
    function(
        "sandbox__http.close",
        "Close",
        "The connection is closed once the request has been read.",
        &[],
        |_| Ok(Act::Spoil(Wire::Close)),
    ),
];

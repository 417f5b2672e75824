//! `GET /api/v1/outer_function/list`: the functions that may be called, with the documented
//! fields and filters. Unpaged, as in the document.

use serde_json::{Map, Value, json};

use super::catalogue::functions;
use super::functions::{Function, Params};

/// The entries that pass the filters of a query.
pub(super) fn list(query: &str) -> Value {
    let filters: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    functions()
        .filter(|function| filters.iter().all(|filter| passes(function, filter)))
        .map(entry)
        .collect()
}

fn passes(function: &Function, (name, wanted): &(String, String)) -> bool {
    let wanted = wanted.as_str();
    match name.as_str() {
        "funcId" => function.id == wanted,
        "funcTitle" => function.title.contains(wanted),
        "funcScriptId" => function.script() == wanted,
        // No function of the sandbox has a tag.
        "funcTags" => wanted.is_empty(),
        "_fuzzySearch" => [function.id, function.title, function.description]
            .iter()
            .any(|text| text.contains(wanted)),
        _ => true,
    }
}

fn entry(function: &Function) -> Value {
    let script = function.script();
    let set = script.split_once("__").map_or(script, |(set, _)| set);
    let set_title = if set == "guance" {
        "观测云支持"
    } else {
        "Sandbox"
    };
    let (names, descriptors) = match function.params {
        Params::Any => (Vec::new(), Map::new()),
        Params::Named(params) => params
            .iter()
            .map(|param| {
                let descriptor = match param.default() {
                    Some(default) => json!({ "default": default }),
                    None => json!({}),
                };
                (Value::from(param.name), (param.name.to_owned(), descriptor))
            })
            .unzip(),
    };
    json!({
        "argsJSON": names,
        "category": "openapi",
        "definition": function.definition(),
        "description": function.description,
        "extraConfigJSON": null,
        "id": function.id,
        "integration": null,
        "kwargsJSON": descriptors,
        "name": function.name(),
        "scriptDescription": null,
        "scriptId": script,
        "scriptSetDescription": null,
        "scriptSetId": set,
        "scriptSetTitle": set_title,
        "scriptTitle": null,
        "tagsJSON": null,
        "title": function.title,
        "url": format!("/api/v1/func/{}", function.id),
    })
}

/// Undoes the encoding of a form; what is not encoded rightly stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match (byte, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => byte,
            },
            _ => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str) -> Vec<String> {
        let entries = list(query);
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| entry["id"].as_str().map(str::to_owned))
            .collect()
    }

    #[test]
    fn the_documented_filters_select() {
        assert_eq!(ids("").len(), functions().count());
        assert_eq!(ids("pageSize=1").len(), functions().count());
        let test = ["guance__openapi.test"];
        assert_eq!(ids("funcId=guance__openapi.test"), test);
        assert_eq!(ids("funcTitle=%E6%B5%8B%E8%AF%95"), test);
        assert_eq!(ids("funcScriptId=guance__openapi&_fuzzySearch=test"), test);
        assert_eq!(ids("funcTags=a,b"), [""; 0]);
        assert_eq!(ids("funcId=%zz%e"), [""; 0]);
    }

    #[test]
    fn an_entry_has_the_fields_of_the_documents_sample() {
        let expected = json!({
            "argsJSON": ["workspace_uuid", "workspace_token", "your_name"],
            "category": "openapi",
            "definition": "test(workspace_uuid, workspace_token, your_name='OpenAPI 用户')",
            "description": "测试接口，主要方便用户测试是否能够通过 OpenAPI 调通 DataFlux Func",
            "extraConfigJSON": null,
            "id": "guance__openapi.test",
            "integration": null,
            "kwargsJSON": {
                "workspace_token": {},
                "workspace_uuid": {},
                "your_name": { "default": "OpenAPI 用户" },
            },
            "name": "test",
            "scriptDescription": null,
            "scriptId": "guance__openapi",
            "scriptSetDescription": null,
            "scriptSetId": "guance",
            "scriptSetTitle": "观测云支持",
            "scriptTitle": null,
            "tagsJSON": null,
            "title": "测试",
            "url": "/api/v1/func/guance__openapi.test",
        });
        assert_eq!(list("funcId=guance__openapi.test"), json!([expected]));
    }
}

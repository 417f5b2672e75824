//! The documented functions, behaving as far as that was recorded.

use serde_json::Value;

use super::{function, given, optional};
use crate::sandbox::failure::Failure;
use crate::sandbox::functions::{Act, Function, Invocation};
use crate::sandbox::value::{python_repr, python_type};

/// In the order of the document.
pub(super) static FUNCTIONS: &[Function] = &[
    function(
        "guance__openapi.test",
        "测试",
        "测试接口，主要方便用户测试是否能够通过 OpenAPI 调通 DataFlux Func",
        &[
            given("workspace_uuid"),
            given("workspace_token"),
            optional("your_name", "\"OpenAPI 用户\""),
        ],
        test,
    ),
    function(
        "guance__openapi.report_event",
        "报告事件",
        REPORT_EVENT,
        &[
            given("workspace_uuid"),
            given("workspace_token"),
            given("data"),
        ],
        report_event,
    ),
];

const REPORT_EVENT: &str = "报告事件，通过 DataFlux Func 实现事件写入
支持自建监控器，以及监控器配套的所有告警处理逻辑

参数：
    data {dict,list} 上报的事件数据或其列表，结构如下：
                        {
                            \"title\"         : {str}      事件标题，只支持单行文本
                            \"message\"       : {str}      事件内容，支持 Markdown
                            \"status\"        : {str}      事件级别，可选值为： ok, info, warning, error, critical
                            \"dimension_tags\": {str,dict} 事件维度，如：{ 'host': 'web001' } 或其序列化后的字符串
                        }";

/// The document's sample calls this with descriptors for values, and Redis refuses them.
fn test(call: &Invocation<'_>) -> Result<Act, Failure> {
    const SET: (u32, &str) = (6, "r.set('lab:token', workspace_token)");
    redis_takes(call, &call.value("workspace_token"), SET)?;
    let greeting = match call.value("your_name") {
        Value::String(name) => format!("Hello, {name}"),
        other => format!("Hello, {}", python_repr(&other)),
    };
    Ok(Act::Return(greeting.into()))
}

/// Nothing is known of what it returns; here it is `None`.
fn report_event(call: &Invocation<'_>) -> Result<Act, Failure> {
    const SET: (u32, &str) = (14, "r.set('lab:token', workspace_token)");
    redis_takes(call, &call.value("workspace_token"), SET)?;
    let data = call.value("data");
    if data.is_object() || data.is_array() {
        return Ok(Act::Return(Value::Null));
    }
    let what = format!("data must be dict or list, not {}", python_type(&data));
    let line = (
        15,
        "raise TypeError(f'data must be dict or list, not {type(data).__name__}')",
    );
    Err(call.raise("TypeError", what, Some(line)))
}

/// The client of Redis takes bytes, str, int and float.
fn redis_takes(
    call: &Invocation<'_>,
    value: &Value,
    line: (u32, &'static str),
) -> Result<(), Failure> {
    if value.is_string() || value.is_number() {
        return Ok(());
    }
    let what = format!(
        "Invalid input of type: '{}'. Convert to a bytes, string, int or float first.",
        python_type(value)
    );
    Err(call.raise("redis.exceptions.DataError", what, Some(line)))
}

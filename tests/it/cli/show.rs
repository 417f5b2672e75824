//! `show`: one run whole, by any of its names.

use super::{Place, sample};

#[tokio::test]
async fn a_run_is_found_by_its_id_its_beginning_and_the_ids_of_its_replies() {
    let place = Place::new();
    let ids = sample(&place).await;
    let failed = &ids[3];
    let bare = failed.replace('-', "");
    for id in [
        failed,
        &failed.to_uppercase(),
        &bare,
        "TRACE-16435F71-4C2E-4026-A5D8-0B6B9ADD23AE",
        "task-4G5qTZol2lW2",
    ] {
        let run = place.read(&["show", id, "-o", "json"]).json();
        assert_eq!(run["run_id"], failed.as_str(), "{id}");
    }
}

#[tokio::test]
async fn the_page_tells_the_run_and_each_attempt_with_what_decided_its_verdict() {
    let place = Place::new();
    let ids = sample(&place).await;
    insta::assert_snapshot!(place.read(&["show", &ids[1]]).ok(), @r#"
    run         0199e3b2-7c1f-7a3b-8def-000000000002
    job         nightly-report
    state       success
    tick        2026-11-24T02:00:00.000Z (schedule)
    planned     2026-11-24T02:00:00.000Z
    ended       2026-11-24T02:00:02.143Z
    function    guance__openapi.test in workspace prod
    definition  15176a3bd8a88cf6f5fbf51b3a1f036e0b4064760cb3f4476d34985235a0bedb

    Attempt 1 of 2  throttled
    decided by  errorCode is ft.TriggerApiAkCurrentLimiting
    sent        2026-11-24T02:00:00.032Z
    to          https://openapi.guance.com with key 1a2b3c4d
    ended       2026-11-24T02:00:00.043Z
    took        12ms
    http        401
    error code  ft.TriggerApiAkCurrentLimiting
    message     请求过于频繁
    request     86 bytes
        {
          "funcId": "guance__openapi.test",
          "funcBody": {
            "kwargs": {
              "your_name": "OpenAPI 用户"
            }
          }
        }
    reply       104 bytes
        {
          "code": 401,
          "errorCode": "ft.TriggerApiAkCurrentLimiting",
          "message": "请求过于频繁",
          "success": false
        }

    Attempt 2 of 2  success
    decided by  HTTP 200, no error in the envelope, content.ok is true
    sent        2026-11-24T02:00:02.032Z
    to          https://openapi.guance.com with key 1a2b3c4d
    ended       2026-11-24T02:00:02.143Z
    took        112ms, of which the engine 41ms
    http        200
    trace       TRACE-nightly-report-2026-11-24T02:00:00Z
    request     86 bytes
        {
          "funcId": "guance__openapi.test",
          "funcBody": {
            "kwargs": {
              "your_name": "OpenAPI 用户"
            }
          }
        }
    reply       119 bytes
        {
          "code": 200,
          "content": {
            "ok": true,
            "result": {
              "count": 3
            }
          },
          "errorCode": "",
          "message": "",
          "success": true,
          "traceId": "TRACE-OK"
        }
    "#);
}

#[tokio::test]
async fn json_is_one_object_with_its_attempts() {
    let place = Place::new();
    let ids = sample(&place).await;
    let run = place.read(&["show", &ids[1], "-o", "json"]).json();
    assert_eq!(run["state"], "success");
    assert_eq!(run["definition"]["labels"]["team"], "sre");
    let attempts = run["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["outcome"], "throttled");
    assert_eq!(
        attempts[0]["decided_by"],
        "errorCode is ft.TriggerApiAkCurrentLimiting"
    );
    assert_eq!(attempts[1]["attempt"], 2);
    assert_eq!(attempts[1]["cost_ms"], 41);
    assert_eq!(attempts[1]["response_body"]["truncated"], false);
    // The columns that `history` shares have the same values.
    let history = place
        .read(&[
            "history",
            "nightly-report",
            "-o",
            "json",
            "--state",
            "success",
        ])
        .json();
    for (row, attempt) in history
        .as_array()
        .unwrap()
        .iter()
        .zip([&attempts[1], &attempts[0]])
    {
        for (key, value) in row.as_object().unwrap() {
            if let Some(same) = attempt.get(key) {
                assert_eq!(same, value, "{key}");
            }
        }
    }
}

#[tokio::test]
async fn a_run_without_attempts_says_that_nothing_was_sent() {
    let place = Place::new();
    let ids = sample(&place).await;
    let page = place.read(&["show", &ids[0]]).ok();
    assert!(page.contains("missed: daemon_down"), "{page}");
    assert!(page.contains("none: nothing was sent"), "{page}");
    assert_eq!(
        place.read(&["show", &ids[0], "-o", "json"]).json()["attempts"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn a_body_of_which_only_the_head_is_kept_says_how_long_it_was_and_its_hash() {
    let place = Place::new();
    let ids = sample(&place).await;
    let page = place.read(&["show", &ids[4]]).ok();
    let told = page.lines().find(|line| line.starts_with("reply")).unwrap();
    assert!(
        told.contains(
            "90013 bytes, of which the ledger keeps the first 120; SHA-256 of the whole 862950c7"
        ),
        "{told}"
    );
    let body = &place.read(&["show", &ids[4], "-o", "json"]).json()["attempts"][0]["response_body"];
    assert_eq!(body["truncated"], true);
    assert_eq!(body["bytes"], 90013);
}

#[tokio::test]
async fn several_matches_are_listed() {
    let place = Place::new();
    let ids = sample(&place).await;
    let several = place.read(&["show", "0199e3b2-7c1f"]);
    assert_eq!(several.err, "7 runs match; show one by its run id\n");
    let listed = several.ok();
    for id in &ids {
        assert!(listed.contains(id), "{listed}");
    }
    let object = place.read(&["show", "0199e3b27c1f", "-o", "json"]).json();
    assert_eq!(object["matches"].as_array().unwrap().len(), 7);
    assert_eq!(object["matches"][6]["run_id"], ids[0].as_str());
}

#[tokio::test]
async fn what_nothing_is_called_is_not_found() {
    let place = Place::new();
    sample(&place).await;
    for id in [
        "0199e3b",
        "TRACE-16435F71",
        "' OR 1=1 --",
        "ffffffff-ffff-7fff-8fff-ffffffffffff",
        "",
    ] {
        let words = place.read(&["show", id]).refused(3);
        assert!(
            words.starts_with(&format!("error: no run has the id `{id}`")),
            "{words}"
        );
    }
}

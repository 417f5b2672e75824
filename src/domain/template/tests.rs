#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn text(text: &str) -> Json {
    Json::String(text.to_owned())
}

fn kwarg(template: &str) -> Json {
    Json::Object(vec![("x".to_owned(), text(template))])
}

fn context() -> TemplateContext {
    TemplateContext {
        scheduled_at: "2026-11-01T04:30:00Z".parse().unwrap(),
        zone: TimeZone::get("America/New_York").unwrap(),
        run_id: "0190".to_owned(),
        job: "nightly".to_owned(),
        attempt: 2,
        trigger: "schedule",
        previous_success_at: None,
    }
}

fn rendered(template: &str) -> Json {
    let kwargs = KwargsTemplate::parse(&kwarg(template))
        .unwrap()
        .render(&context())
        .unwrap();
    match kwargs {
        Json::Object(mut entries) => entries.remove(0).1,
        other => panic!("kwargs became {other:?}"),
    }
}

fn refused(template: &str) -> TemplateError {
    KwargsTemplate::parse(&kwarg(template))
        .unwrap_err()
        .remove(0)
}

#[test]
fn a_lone_expression_keeps_its_type_and_a_mixed_one_makes_text() {
    assert_eq!(rendered("{{ attempt }}"), Json::Int(2));
    assert_eq!(rendered("{{attempt}}"), Json::Int(2));
    assert_eq!(rendered(" {{ attempt }}"), text(" 2"));
    assert_eq!(rendered("{{ attempt > 1 }}"), Json::Bool(true));
    assert_eq!(rendered("{{ attempt / 4 }}"), Json::Float(0.5));
    assert_eq!(rendered("{{ 1.0 }}"), Json::Float(1.0));
    assert_eq!(rendered("{{ 18446744073709551615 }}"), Json::UInt(u64::MAX));
    assert_eq!(rendered("{{ previous_success_at }}"), Json::Null);
    assert_eq!(
        rendered("since {{ previous_success_at }}"),
        text("since null")
    );
    assert_eq!(
        rendered("{{ {'a': [1, job]} }}"),
        Json::Object(vec![(
            "a".to_owned(),
            Json::Array(vec![Json::Int(1), text("nightly")])
        )])
    );
    assert_eq!(
        rendered("{{ job }}/{{ trigger }}#{{ run_id }}"),
        text("nightly/schedule#0190")
    );
}

#[test]
fn times_are_shown_in_the_jobs_zone_with_its_offset() {
    assert_eq!(
        rendered("{{ scheduled_at }}"),
        text("2026-11-01T00:30:00.000-04:00")
    );
    assert_eq!(
        rendered("{{ scheduled_at | tz('Asia/Shanghai') }}"),
        text("2026-11-01T12:30:00.000+08:00")
    );
    assert_eq!(
        rendered("for {{ scheduled_at | date('%Y-%m-%d %H:%M') }}"),
        text("for 2026-11-01 00:30")
    );
}

#[test]
fn a_shift_by_days_keeps_the_wall_clock_and_one_by_hours_the_elapsed_time() {
    // New York leaves daylight saving at 02:00 of that day.
    for (by, expected) in [
        ("1d", "2026-11-02T00:30:00.000-05:00"),
        ("24h", "2026-11-01T23:30:00.000-05:00"),
        ("-1d", "2026-10-31T00:30:00.000-04:00"),
        // half past midnight and 90 minutes: the second one o'clock
        ("+90m", "2026-11-01T01:00:00.000-05:00"),
        ("-1500ms", "2026-11-01T00:29:58.500-04:00"),
    ] {
        assert_eq!(
            rendered(&format!("{{{{ scheduled_at | shift('{by}') }}}}")),
            text(expected),
            "{by}"
        );
    }
}

#[test]
fn null_passes_through_every_filter() {
    assert_eq!(
        rendered("{{ previous_success_at | shift('-1d') | tz('UTC') | date('%F') }}"),
        Json::Null
    );
}

#[test]
fn an_undefined_name_is_refused_with_the_nearest_one() {
    let error = refused("{{ schedule_at }}");
    assert_eq!(error.message, "`schedule_at` is not defined");
    assert_eq!(error.hint.as_deref(), Some("did you mean `scheduled_at`?"));
    // a function is a name like any other
    assert_eq!(refused("{{ now() }}").message, "`now` is not defined");
    // and a name is refused where no trial would come by it
    assert_eq!(
        refused("{{ job if attempt == 1 else jbo }}")
            .hint
            .as_deref(),
        Some("did you mean `job`?")
    );
}

#[test]
fn what_no_run_could_render_is_refused_at_once() {
    for (template, said) in [
        ("{% if job %}x{% endif %}", "statements"),
        ("a {{ job }} {% set x = 1 %}", "statements"),
        ("{{ job", "without its"),
        ("{{ 'a }} b", "without its"),
        ("{{ }}", "expression"),
        ("{{- job }}", "not supported"),
        ("{{ job | dat('%F') }}", "dat"),
        ("{{ job | date('%F') }}", "wants a time"),
        ("{{ scheduled_at | date('%J') }}", "bad format"),
        ("{{ previous_success_at | date('%') }}", "bad format"),
        ("{{ scheduled_at | shift('1w') }}", "bad shift"),
        ("{{ scheduled_at | shift('d') }}", "bad shift"),
        ("{{ scheduled_at | shift('99997000000d') }}", "bad shift"),
        (
            "{{ scheduled_at | shift('7000000d') }}",
            "leaves the calendar",
        ),
        ("{{ previous_success_at | shift('soon') }}", "bad shift"),
        (
            "{{ scheduled_at | tz('Asia/Shangai') }}",
            "unknown time zone",
        ),
        ("{{ job.size }}", "undefined"),
        ("{{ 'x' * 2000000 }}", "too many steps"),
        ("{{ 1 / 0 }}", "unable to calculate"),
        ("{{ range(9) }}", "`range` is not defined"),
    ] {
        let error = refused(template);
        assert!(error.message.contains(said), "{template}: {error}");
    }
    assert_eq!(
        refused("{{ scheduled_at | dat('%F') }}").hint.as_deref(),
        Some("did you mean `date`?")
    );
}

#[test]
fn braces_can_be_sent_by_quoting_them() {
    assert_eq!(rendered("{{ '{{' }} and {{ '{%' }}"), text("{{ and {%"));
    assert_eq!(rendered("{{ '}}' }}"), text("}}"));
    assert_eq!(rendered(r"{{ 'it\'s }}' }}"), text("it's }}"));
    assert_eq!(rendered("}} {# kept #} {"), text("}} {# kept #} {"));
}

#[test]
fn kwargs_are_a_map() {
    for other in [Json::Null, text("{{ job }}"), Json::Array(Vec::new())] {
        let errors = KwargsTemplate::parse(&other).unwrap_err();
        assert_eq!(errors[0].message, "kwargs must be a map of names to values");
    }
}

#[test]
fn every_error_is_reported_with_its_path() {
    let kwargs = Json::Object(vec![
        (
            "data".to_owned(),
            Json::Object(vec![("title".to_owned(), text("{{ jb }}"))]),
        ),
        (
            "items".to_owned(),
            Json::Array(vec![Json::Int(1), text("{{ runid }}")]),
        ),
    ]);
    let errors = KwargsTemplate::parse(&kwargs).unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["data.title", "items[1]"]);
}

#[test]
fn kwargs_without_templates_are_kept_as_they_are() {
    let kwargs = Json::Object(vec![
        ("b".to_owned(), Json::Float(1.0)),
        ("a".to_owned(), Json::Array(vec![Json::Null, text("{ x }")])),
    ]);
    let template = KwargsTemplate::parse(&kwargs).unwrap();
    assert!(template.node.is_none());
    assert_eq!(template.render(&context()).unwrap(), kwargs);
    assert_eq!(template.source(), &kwargs);
}

/// Found by the fuzzing: it took gigabytes, and the daemon with it.
#[test]
fn a_list_is_not_multiplied() {
    assert_eq!(
        refused("{{ [1] * 100000000 }}").message,
        "`[1] * 100000000`: a list cannot be multiplied, nor anything beside one"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(template in "[{}%a-z_'\"|(). \\\\-]{0,40}") {
        if let Ok(template) = KwargsTemplate::parse(&kwarg(&template)) {
            let _ = template.render(&context());
        }
    }
}

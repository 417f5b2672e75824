//! funcron itself is wrong: an attempt's task panics. Its run ends, its permit comes back, everything
//! else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use funcron::engine::Engine;
use funcron::guance::{Client, ScriptedEnd, ScriptedReply};
use funcron::store::Ledger;

use crate::support::house::{House, job};
use crate::support::lines::Lines;
use crate::support::remote::Reply;

const PLACE: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 1 }";

/// Longest wait for a call's end, in real time.
const PATIENCE: Duration = Duration::from_secs(30);

fn success() -> ScriptedReply {
    ScriptedReply {
        written_after: Some(Duration::ZERO),
        ends_after: Duration::ZERO,
        end: ScriptedEnd::Reply {
            status: 200,
            retry_after: None,
            body: br#"{"code":200,"content":{"ok":true},"success":true}"#.to_vec(),
        },
    }
}

#[test]
fn a_panic_in_an_attempt_ends_its_run_and_frees_its_permit() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    let jobs = [
        job("a", "1 0 * * *", ""),
        job(
            "again",
            "2 0 * * *",
            "idempotent: true, retry: { on: [unknown], initial_delay: 5s }",
        ),
        job("other", "3 0 * * *", ""),
    ];
    let mut house = House::with(PLACE, &jobs);
    house.stop(Duration::from_secs(5));
    let (clock, path) = (house.clock.clone(), house.folder().join("funcron.db"));
    let (set, start) = (house.jobset_of(&jobs), house.clock.now());
    let calls = Arc::new(AtomicUsize::new(0));
    let client = Client::scripted(clock.clone(), {
        let calls = calls.clone();
        move |_| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            assert!(call > 1, "CANARY in the payload");
            success()
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let (ledger, held) = Ledger::open(&path, start).await.unwrap();
            let engine = Engine::open_with(ledger.clone(), clock.clone(), set, client).await;
            let mut engine = engine.unwrap();
            for _ in 0..10 {
                engine.step().await.unwrap();
                let settled = tokio::time::timeout(PATIENCE, engine.settle()).await;
                assert!(settled.is_ok(), "a permit is lost");
                let step = engine.step().await.unwrap();
                assert_eq!(step.in_flight, 0, "the permit came back");
                clock.advance(Duration::from_secs(30));
            }
            engine.stop(std::future::ready(())).await;
            drop(engine);
            held.release(ledger).await;
        });
    });
    drop(runtime);
    house.open();
    assert_eq!(house.runs("a"), ["00:01:00 unknown/daemon_died"]);
    assert_eq!(house.runs("again"), ["00:02:00 success"]);
    assert_eq!(house.runs("other"), ["00:03:00 success"]);
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    let text = lines.text();
    let of_it = text
        .lines()
        .filter(|line| line.contains("funcron itself failed in this attempt"));
    let of_it: Vec<_> = of_it.collect();
    assert_eq!(of_it.len(), 2, "{text}");
    assert!(
        of_it[0].contains("ERROR") && of_it[0].contains("job=a"),
        "{text}"
    );
    assert!(!text.contains("CANARY"), "a payload may hold anything");
}

#[test]
fn a_run_that_ends_badly_is_a_warning_and_a_good_one_is_not() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut house = House::new(&[
            job("good", "1 0 * * *", ""),
            job("bad", "1 0 * * *", ""),
            job("twice", "1 0 * * *", "retry: { initial_delay: 5s }"),
        ]);
        house
            .remote
            .answer("bad", [Reply::refused(400, "ft.RouterNotFound")]);
        house
            .remote
            .answer("twice", [Reply::throttled(Some(5)), Reply::success()]);
        house.run_until("00:02");
    });
    let text = lines.text();
    let levels = |job: &str| -> Vec<&str> {
        let of_job = text
            .lines()
            .filter(|line| line.contains(&format!("job={job} ")) && line.contains("outcome="));
        of_job
            .map(|line| line.split_whitespace().nth(1).unwrap())
            .collect()
    };
    assert_eq!(levels("good"), ["INFO"]);
    assert_eq!(levels("bad"), ["WARN"]);
    assert_eq!(levels("twice"), ["INFO", "INFO"], "it goes on");
}

//! The first half of the floor: the same calls by a bare client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Calls under way at once, as many as the product's configuration allows.
pub(crate) const IN_FLIGHT: usize = 128;

/// The body of a call, as the product would send it.
pub(crate) fn body(number: usize) -> String {
    format!(
        r#"{{"funcId":"bench__f{number}.run","funcBody":{{"kwargs":{{"n":{number},"note":"a note of some length"}}}}}}"#
    )
}

/// How long `calls` of them take.
pub(crate) async fn measure(url: &str, calls: usize) -> Duration {
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(IN_FLIGHT)
        .build()
        .unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let callers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| tokio::spawn(call(client.clone(), url.to_owned(), next.clone(), calls)))
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    start.elapsed()
}

async fn call(client: reqwest::Client, url: String, next: Arc<AtomicUsize>, calls: usize) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= calls {
            return;
        }
        let request = client
            .post(&url)
            .header("content-type", "application/json")
            .header("DF-API-KEY", "a-key-of-the-bench")
            .body(body(number));
        let reply = request.send().await.unwrap().bytes().await.unwrap();
        assert!(!reply.is_empty());
    }
}

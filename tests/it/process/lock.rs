//! One daemon on one ledger.

use super::{open_house, secondly};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_names_the_first_and_leaves_it_alone_until_it_is_gone() {
    let sandbox = open_house().await;
    let folder = secondly(&sandbox);
    let first = folder.start().await;
    let second = folder.run(&["run"]);
    assert_eq!(second.code, 5, "{}", second.err);
    let holder = format!("another daemon holds it (process {}, since ", first.pid());
    assert!(second.err.contains(&holder), "{}", second.err);

    let ticks = folder.count("SELECT count(*) FROM runs").await;
    folder
        .until::<(i64,)>(&format!(
            "SELECT count(*) FROM runs HAVING count(*) > {ticks}"
        ))
        .await;
    first.kill();
    let third = folder.start().await;
    third.stop().await;
    folder.audit();
}

//! Connections that cannot be made, and connections that were good once: what was never sent is told
//! apart from what nobody knows.

use tokio::net::{TcpSocket, TcpStream};

use super::*;

/// An address that answers no SYN: its queue of connections is full, and nobody takes one out.
struct BlackHole {
    _listener: tokio::net::TcpListener,
    _queued: Vec<TcpStream>,
    url: String,
}

impl BlackHole {
    async fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        loop {
            let connected = tokio::time::timeout(SHORT, TcpStream::connect(address)).await;
            match connected {
                Ok(stream) => queued.push(stream.unwrap()),
                Err(_) => break,
            }
            assert!(queued.len() < 100, "the queue has no end");
        }
        Self {
            _listener: listener,
            _queued: queued,
            url: format!("http://{address}"),
        }
    }
}

#[tokio::test]
async fn a_black_hole_is_given_up_in_time_and_was_never_sent_to() {
    let hole = BlackHole::open().await;
    let started = Instant::now();
    let record = client(&hole.url).call(call(SHORT)).await;
    assert!(started.elapsed() < SHORT + Duration::from_secs(5));
    let said = &record.decided_by;
    assert_eq!(record.outcome, Outcome::NetworkError, "{said}");
    assert_eq!(record.written_after, None);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_it_idled_is_not_taken_for_a_reply() {
    let server = RawServer::replying(fine()).await;
    let client = client(&server.url());
    let mut sent = 0;
    for _ in 0..50 {
        let record = client.call(call(LONG)).await;
        let said = &record.decided_by;
        match record.outcome {
            Outcome::Success => sent += 1,
            // The end came before a byte of the request was handed over.
            Outcome::NetworkError => assert_eq!(record.written_after, None, "{said}"),
            // It came afterwards, and nobody can tell.
            _ => assert_unknown(&record, Reason::NoReply),
        }
    }
    // Each success is one request, and none was made twice.
    assert_eq!(server.requests().len(), sent);
    assert!(sent > 25, "{sent} of 50");
}

#[tokio::test]
async fn a_connection_reset_before_the_request_was_read_is_unsent_or_in_doubt_and_nothing_else() {
    let server = RawServer::start(vec![Step::Reset]).await;
    let client = client(&server.url());
    for round in 1..=50 {
        let record = client.call(call(LONG)).await;
        let said = &record.decided_by;
        match record.outcome {
            // The reset was seen before the connection asked for the body.
            Outcome::NetworkError => assert_eq!(record.written_after, None, "{said}"),
            _ => assert_unknown(&record, Reason::NoReply),
        }
        assert_eq!(server.connections(), round, "a call was made again: {said}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_connection_whose_other_end_is_gone_without_a_word_leaves_its_call_in_doubt() {
    let server = RawServer::start(vec![Step::Read, Step::Write(fine()), Step::Hang]).await;
    let client = client(&server.url());
    assert_eq!(client.call(call(LONG)).await.outcome, Outcome::Success);
    let record = client.call(call(SHORT)).await;
    assert_unknown(&record, Reason::NoReply);
    assert!(record.written_after.is_some());
    assert_eq!(server.connections(), 1);
}

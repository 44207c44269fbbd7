//! Tests of connections: keep-alive, their number, and the shutdown.

use super::client::head;
use super::*;

#[tokio::test]
async fn connection_serves_many_requests() {
    let mut collector = Collector::start().await;
    let fixture = Fixture::start(collector.address, &[]);
    let mut client = fixture.connect().await;
    for name in ["a", "b", "c"] {
        let reply = client.post("/v1/traces", &[PROTOBUF], &span(name)).await;
        assert_eq!(reply.status, 200);
        assert_eq!(names(&received_spans(&mut collector).await), [name]);
    }
}

#[tokio::test]
async fn oldest_idle_connection_is_closed_when_there_are_too_many() {
    let fixture = Fixture::without_collector();
    let mut first = fixture.connect().await;
    let mut half = fixture.connect().await;
    let body = span("a");
    let request = head("POST", "/v1/traces", &[PROTOBUF], body.len());
    half.send(&request).await;
    // A response shows that the others have been accepted.
    assert_eq!(
        first.post("/v1/traces", &[PROTOBUF], &body).await.status,
        200
    );
    let mut others = Vec::new();
    for _ in 0..63 {
        let mut client = fixture.connect().await;
        let reply = client.post("/v1/traces", &[PROTOBUF], &body).await;
        assert_eq!(reply.status, 200);
        others.push(client);
    }
    let closed = tokio::time::timeout(TEST_TIMEOUT, first.read_reply()).await;
    assert!(closed.unwrap().is_none());
    // A request that has begun to arrive is not interrupted.
    half.send(&body).await;
    assert_eq!(half.reply().await.status, 200);
    let last = others.last_mut().unwrap();
    assert_eq!(
        last.post("/v1/traces", &[PROTOBUF], &body).await.status,
        200
    );
}

#[tokio::test]
async fn shutdown_waits_for_the_last_data_of_the_function() {
    let mut collector = Collector::start().await;
    let fixture = Fixture::start(collector.address, &[]);
    let mut client = fixture.connect().await;
    let reply = client.post("/v1/traces", &[PROTOBUF], &span("a")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(names(&received_spans(&mut collector).await), ["a"]);
    let last_data = async {
        // The shutdown has begun.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let reply = client.post("/v1/traces", &[PROTOBUF], &span("b")).await;
        assert_eq!(reply.status, 200);
        assert_eq!(fixture.post_spans(&span("c")).await.status, 200);
    };
    let ((), ()) = tokio::join!(fixture.receiver.shutdown(), last_data);
    let mut received = Vec::new();
    while received.len() < 2 {
        let request = received_spans(&mut collector).await;
        received.extend(names(&request).into_iter().map(str::to_owned));
    }
    assert_eq!(received, ["b", "c"]);
    assert!(client.read_reply().await.is_none());
    assert!(Client::connect(fixture.address).await.is_err());
}

#[tokio::test]
async fn shutdown_accepts_what_has_arrived() {
    let mut collector = Collector::start().await;
    let fixture = Fixture::start(collector.address, &[]);
    let mut idle = fixture.connect().await;
    assert_eq!(
        idle.post("/v1/traces", &[PROTOBUF], &span("a"))
            .await
            .status,
        200
    );
    assert_eq!(names(&received_spans(&mut collector).await), ["a"]);
    let (mut queued, body) = (fixture.connect().await, span("b"));
    queued
        .send(&head("POST", "/v1/traces", &[PROTOBUF], body.len()))
        .await;
    queued.send(&body).await;
    let (mut stalled, request) = (
        fixture.connect().await,
        head("POST", "/v1/traces", &[PROTOBUF], 10),
    );
    stalled.send(&request).await;

    tokio::time::timeout(TEST_TIMEOUT, fixture.receiver.shutdown())
        .await
        .unwrap();
    assert_eq!(queued.reply().await.status, 200);
    assert_eq!(names(&received_spans(&mut collector).await), ["b"]);
    assert!(idle.read_reply().await.is_none());
    assert!(stalled.read_reply().await.is_none());
    assert!(Client::connect(fixture.address).await.is_err());
}

#[tokio::test]
async fn address_in_use_is_an_error() {
    let fixture = Fixture::without_collector();
    let error = bind(fixture.address).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_connections_that_are_all_busy() {
    let fixture = Fixture::without_collector();
    let mut stalled = Vec::new();
    for _ in 0..64 {
        stalled.push(stalled_client(&fixture).await);
    }
    let waiting = fixture.connect().await;
    let shutdown = fixture.receiver.shutdown();
    // Much shorter than a body may take.
    let shutdown = tokio::time::timeout(Duration::from_secs(5), shutdown);
    assert!(shutdown.await.is_ok());
    drop(waiting);
}

#[tokio::test]
async fn new_connection_is_served_while_all_others_are_busy() {
    let fixture = Fixture::without_collector();
    let mut stalled = Vec::new();
    for _ in 0..63 {
        stalled.push(stalled_client(&fixture).await);
    }
    let mut last = fixture.connect().await;
    let reply = last.post("/v1/traces", &[PROTOBUF], &span("a")).await;
    assert_eq!(reply.status, 200);
}

/// Sends a request whose body never comes, and waits until the receiver reads it.
async fn stalled_client(fixture: &Fixture) -> Client {
    let mut client = fixture.connect().await;
    // The path does not exist, so the body is discarded.
    let request = head("POST", "/a", &["Expect: 100-continue"], 10);
    client.send(&request).await;
    client.read_continue().await;
    client
}

//! INV-03: several events on one connection, and on separate connections.

use std::net::SocketAddr;

use super::{INVOKE_PATH, event};
use crate::cases::CaseId;
use crate::harness::client::{Connection, Failure, HttpResponse, RESPONSE_TIMEOUT, post};
use crate::report::{Finding, Report};

/// Whether a connection is used for several events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Connections {
    KeptOpen,
    Closed,
}

/// Checks INV-03. Returns whether the extension keeps connections open.
pub(crate) async fn check_connections(address: SocketAddr, report: &mut Report) -> Connections {
    let (finding, connections) = match invoke_on_connections(address).await {
        Ok(checked) => checked,
        Err(error) => (Finding::fail(error), Connections::Closed),
    };
    report.record(CaseId::Inv03, finding);
    connections
}

async fn invoke_on_connections(address: SocketAddr) -> Result<(Finding, Connections), String> {
    for _ in 0..2 {
        let response = post(address, INVOKE_PATH, event())
            .await
            .and_then(HttpResponse::expect_200);
        response.map_err(|error| format!("on separate connections: {error}"))?;
    }
    let mut connection = Connection::open(address).await?;
    let first = connection.post(INVOKE_PATH, event()).await?.expect_200()?;
    if first.closes {
        let finding = Finding::pass("announces that it closes each connection");
        return Ok((finding, Connections::Closed));
    }
    let second = connection.post(INVOKE_PATH, event()).await;
    let error = match second.and_then(HttpResponse::expect_200) {
        Ok(_) => {
            let finding = Finding::pass("keeps the connection open");
            return Ok((finding, Connections::KeptOpen));
        }
        Err(error) => error,
    };
    let finding = match error.failure {
        Failure::Timeout => Finding::fail(format!(
            "no response to the second invocation on one connection within {RESPONSE_TIMEOUT:?}, although the connection \
             stays open"
        )),
        Failure::Status => {
            Finding::fail(format!("the second invocation on one connection: {error}"))
        }
        _ if connection.received_surplus().await => Finding::fail(
            "the first response is longer than its Content-Length, so the next one on the connection cannot be read",
        ),
        _ => Finding::warn(format!(
            "closed the connection without `Connection: close`, so the next invocation failed: {error}"
        )),
    };
    Ok((finding, Connections::Closed))
}

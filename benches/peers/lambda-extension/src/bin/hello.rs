//! Prints each invocation.

use lambda_extension::{Error, LambdaEvent, NextEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_extension::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent) -> Result<(), Error> {
    if let NextEvent::Invoke(invocation) = event.next {
        println!(
            "{} invoked {}",
            invocation.request_id, invocation.invoked_function_arn
        );
    }
    Ok(())
}

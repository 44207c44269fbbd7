name = "extensionHello.sh", port = 8081
async fn main(invocation: Invocation) -> Result<(), std::num::ParseIntError> {
    invocation.trace_id.parse::<u64>().map(drop)
}

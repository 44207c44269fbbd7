use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
async fn main(invocation: Invocation) -> Result<(), std::num::ParseIntError> {
    invocation.trace_id.parse::<u64>().map(drop)
}

mod string {
    #[allow(dead_code)]
    #[fg_extension::extension(name = "extensionHello.sh", port = 8081)]
    async fn hello(invocation: fg_extension::Invocation) -> Result<(), String> {
        Err(invocation.trace_id)
    }
}

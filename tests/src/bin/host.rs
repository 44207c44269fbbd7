//! Starts an emulator, boots the extension that its arguments specify, and runs until it is killed.

use fg_emulator::{ExtensionCommand, Platform};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fg_emulator::Error> {
    let mut arguments = std::env::args().skip(1);
    let boot = ExtensionCommand::new(
        arguments.next().unwrap_or_default(),
        arguments.next().unwrap_or_default(),
    );
    let platform = Platform::start().await?;
    platform
        .boot(arguments.fold(boot, ExtensionCommand::arg))
        .await?;
    println!("up");
    std::future::pending().await
}

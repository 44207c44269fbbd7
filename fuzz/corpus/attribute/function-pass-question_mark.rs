name = "extensionHello.sh", port = 8081
async fn hello(invocation: Invocation) -> Result<(), Error> {
    let name = invocation.invoked_function_urn.name().ok_or("no name")?;
    let _: u8 = name.parse()?;
    std::fs::read(name)?;
    Err(format!("no {name}"))?
}

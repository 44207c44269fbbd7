name = "extensionHello.sh", port = 8081
async fn hello(_: Invocation) {
    let held = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(held);
}

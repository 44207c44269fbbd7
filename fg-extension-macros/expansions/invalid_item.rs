::core::compile_error! {
    "`hello` cannot be generic; remove the generic parameters"
}
#[allow(unused)]
async fn hello<T>(_: Invocation) {}
fn main() {}

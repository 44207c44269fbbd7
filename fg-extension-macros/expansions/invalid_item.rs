::core::compile_error! {
    "`hello` cannot be generic; remove the generic parameters"
}
const __ONE_EXTENSION_PER_PROGRAM: () = ();
#[allow(unused)]
async fn hello<T>(_: Invocation) {}
fn main() {}

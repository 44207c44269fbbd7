//! State of the whole process.

/// Declares a function that returns a static.
///
/// In tests, each thread has its own, since tests run at the same time.
macro_rules! process_static {
    ($(#[$meta:meta])* fn $name:ident() -> $type:ty = $value:expr;) => {
        $(#[$meta])*
        fn $name() -> &'static $type {
            #[cfg(not(test))]
            {
                static STATE: $type = $value;
                &STATE
            }
            #[cfg(test)]
            {
                std::thread_local! {
                    static STATE: &'static $type = Box::leak(Box::new($value));
                }
                STATE.with(|state| *state)
            }
        }
    };
}

//! The platform's nouns: an invocation, the function it is for, the extension's name and port, the registration.

mod extension_name;
mod function_urn;
mod invocation;
mod port;
mod registration;

pub use extension_name::{ExtensionName, InvalidExtensionName};
pub use function_urn::FunctionUrn;
pub use invocation::Invocation;
pub use port::{InvalidPort, Port};
pub use registration::Registration;

//! The types of the platform's API: invocations, function URNs, registrations, and the extension's name and port.

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
